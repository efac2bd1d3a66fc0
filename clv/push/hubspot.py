"""HubSpot: contacts updated by a unique property, a hundred a call, through its own client.

An update never creates a contact for a customer whom HubSpot does not know; such inputs come back
in the 207 answer, one by one. developers.hubspot.com, "CRM API: batch".
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from clv.errors import UsageError
from clv.push.base import INSTALL, Change, NotNowError, check_status, credential
from clv.push.http import TIMEOUT_SECONDS
from clv.sinks.base import DIGITS, MOST_DIGITS, plain
from clv.sinks.hubspot import BATCH_INPUTS, FIELDS
from clv.sinks.options import Checked, whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clv.push.base import Pause

TOKEN = "HUBSPOT_ACCESS_TOKEN"  # noqa: S105 (a variable's name)


@dataclass(frozen=True)
class HubspotPush(Checked):
    """HubSpot's contacts; ``HUBSPOT_ACCESS_TOKEN`` is the token of a private app.

    Attributes
    ----------
    id_property : str
        A property with unique values that holds our customer_id.
    fields : mapping of str to str
        Score column to property.
    batch : int
        Inputs per call, at most 100.
    digits : int
        Significant digits; a score that moves by less changes nothing.
    address : str
        HubSpot's API.
    """

    id_property: str = "customer_id"
    fields: Mapping[str, str] = field(default_factory=lambda: dict(FIELDS))
    batch: int = whole_number(BATCH_INPUTS, 1, BATCH_INPUTS)
    digits: int = whole_number(DIGITS, 1, MOST_DIGITS)
    address: str = "https://api.hubapi.com"
    kind: ClassVar[str] = "hubspot"

    @property
    def place(self) -> str:
        """The contacts of an account, by their property."""
        return f"{self.address} contacts by {self.id_property}"

    def connect(self, environment: Mapping[str, str], pause: Pause) -> _Contacts:  # noqa: ARG002 (nothing to wait for)
        """Open the client."""
        try:
            import hubspot  # type: ignore[import-untyped]
        except ImportError as error:
            raise UsageError(f"push hubspot: {error.name} is not installed. {INSTALL}") from error
        (token,) = credential(environment, self.kind, TOKEN)
        client = hubspot.Client.create(
            access_token=token,
            host=self.address,
            retry=False,
            ssl_ca_cert=environment.get("REQUESTS_CA_BUNDLE"),
        )
        return _Contacts(client.crm.contacts.batch_api, self.id_property)


@dataclass(frozen=True)
class _Contacts:
    api: Any
    id_property: str

    def send(self, changes: Sequence[Change]) -> Mapping[str, str]:
        from hubspot.crm.contacts.exceptions import (  # type: ignore[import-untyped]
            ApiException,
        )
        from urllib3.exceptions import HTTPError

        inputs = [
            {
                "id": change.customer_id,
                "idProperty": self.id_property,
                # an empty string clears a property; leaving it out would keep its value
                "properties": {n: plain(v) or "" for n, v in change.fields.items()},
            }
            for change in changes
        ]
        try:
            answer = self.api.update({"inputs": inputs}, _request_timeout=TIMEOUT_SECONDS)
        except ApiException as error:
            check_status(error.status, _category(error.body), _header(error, "Retry-After"))
            raise NotNowError(f"HTTP {error.status}") from error
        except HTTPError as error:
            raise NotNowError(type(error).__name__) from error
        refused = {}
        for problem in getattr(answer, "errors", None) or ():
            for customer in (problem.context or {}).get("ids", ()):
                refused[customer] = str(problem.category)
        if len(answer.results) + len(refused) < len(changes):
            raise NotNowError(f"{len(answer.results)} of {len(changes)} records came back")
        return refused

    def renew(self) -> bool:
        """Have no new token: a private app's is renewed by hand."""
        return False


def _category(body: Any) -> str:
    """Return HubSpot's word for an error; its message may name a contact."""
    try:
        return str(json.loads(body)["category"])
    except (TypeError, ValueError, KeyError):
        return ""


def _header(error: Any, name: str) -> str | None:
    return None if error.headers is None else error.headers.get(name)
