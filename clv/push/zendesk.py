"""Zendesk: user fields by external id, a hundred users a job, through zenpy.

``update_many`` makes no user out of a score; its job tells of each user whether it was updated.
developer.zendesk.com, "Users: update many" and "Job statuses".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from clv.errors import UsageError
from clv.push.base import INSTALL, BatchRefusedError, Change, NotNowError, credential
from clv.sinks.base import DIGITS, MOST_DIGITS
from clv.sinks.options import Checked, whole_number
from clv.sinks.zendesk import BATCH_USERS, FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clv.push.base import Pause

EMAIL, TOKEN = "ZENDESK_EMAIL", "ZENDESK_API_TOKEN"
LOOK_SECONDS = 1.0
LOOKS = 600
BUSY = frozenset({"queued", "working"})


@dataclass(frozen=True)
class ZendeskPush(Checked):
    """Zendesk's users; ``ZENDESK_EMAIL`` and ``ZENDESK_API_TOKEN`` are an administrator's.

    Attributes
    ----------
    subdomain : str
        Of the account: ``acme`` of acme.zendesk.com.
    fields : mapping of str to str
        Score column to the key of a user field.
    batch : int
        Users per job, at most 100.
    digits : int
        Significant digits; a score that moves by less changes nothing.
    domain : str
        Zendesk's.
    """

    subdomain: str
    fields: Mapping[str, str] = field(default_factory=lambda: dict(FIELDS))
    batch: int = whole_number(BATCH_USERS, 1, BATCH_USERS)
    digits: int = whole_number(DIGITS, 1, MOST_DIGITS)
    domain: str = "zendesk.com"
    kind: ClassVar[str] = "zendesk"

    @property
    def place(self) -> str:
        """The users of an account, by their external id."""
        return f"https://{self.subdomain}.{self.domain} users by external_id"

    def connect(self, environment: Mapping[str, str], pause: Pause) -> _Users:
        """Open the client."""
        try:
            from zenpy import Zenpy  # type: ignore[import-untyped]
        except ImportError as error:
            raise UsageError(f"push zendesk: {error.name} is not installed. {INSTALL}") from error
        from clv.push.http import session

        email, token = credential(environment, self.kind, EMAIL, TOKEN)
        client = Zenpy(
            domain=self.domain,
            subdomain=self.subdomain,
            email=email,
            token=token,
            session=session(pause),
            disable_cache=True,
        )
        return _Users(client, pause)


@dataclass(frozen=True)
class _Users:
    client: Any
    pause: Pause

    def send(self, changes: Sequence[Change]) -> Mapping[str, str]:
        from zenpy.lib.api_objects import User  # type: ignore[import-untyped]

        users = [
            User(external_id=change.customer_id, user_fields=dict(change.fields))
            for change in changes
        ]
        job = self.client.users.update_by_external_id(users)
        for _ in range(LOOKS):
            if job.status not in BUSY:
                break
            self.pause(LOOK_SECONDS)
            job = self.client.job_status(id=job.id)
        if job.status in BUSY:
            raise NotNowError(f"a job is {job.status} after {LOOKS} looks")
        if job.status != "completed":
            raise BatchRefusedError(f"job {job.status}")
        return _refused(changes, [_told(result) for result in job.results or ()])

    def renew(self) -> bool:
        """Have no new token: an API token is renewed by hand."""
        return False


def _told(result: Any) -> Mapping[str, Any]:
    """Return a result of a job as a mapping, whatever zenpy made of it."""
    return result if isinstance(result, dict) else dict(result.to_dict())


def _refused(changes: Sequence[Change], results: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
    """Match a job's results, which come in the order of its users, or name their index."""
    if len(results) != len(changes):
        raise NotNowError(f"{len(results)} of {len(changes)} results came back")
    refused = {}
    for place, result in enumerate(results):
        if result.get("error") or result.get("success") is False:
            customer = changes[int(result.get("index", place))].customer_id
            refused[customer] = str(result.get("error") or "not updated")
    return refused
