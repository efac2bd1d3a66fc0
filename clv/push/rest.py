"""Any CRM with an address per customer: one JSON body each, by a template of the settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from clv.errors import UsageError
from clv.push.base import BatchRefusedError, Change, credential
from clv.sinks.base import DIGITS, MOST_DIGITS
from clv.sinks.hubspot import FIELDS
from clv.sinks.options import Checked, whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clv.push.base import Pause

TOKEN = "CLV_PUSH_TOKEN"  # noqa: S105 (a variable's name)
PLACE = "{customer_id}"
METHODS = ("PATCH", "PUT", "POST")


@dataclass(frozen=True)
class RestPush(Checked):
    """A CRM that takes a customer's fields at an address; ``CLV_PUSH_TOKEN`` is a bearer token.

    Attributes
    ----------
    address : str
        With ``{customer_id}`` in it, such as https://crm.example/customers/{customer_id}.
    fields : mapping of str to str
        Score column to the name in the body.
    method : str
        PATCH, PUT or POST; the same call twice must be as good as once.
    under : str
        The key of the body that holds the fields; empty for the body itself.
    batch : int
        Calls between two entries of the ledger.
    digits : int
        Significant digits; a score that moves by less changes nothing.
    """

    address: str
    fields: Mapping[str, str] = field(default_factory=lambda: dict(FIELDS))
    method: str = "PATCH"
    under: str | None = None
    batch: int = whole_number(1, 1, 1_000)
    digits: int = whole_number(DIGITS, 1, MOST_DIGITS)
    kind: ClassVar[str] = "rest"

    def __post_init__(self) -> None:
        super().__post_init__()
        if PLACE not in self.address or not self.address.startswith("https://"):
            raise UsageError(
                f"push rest: address cannot be that; expected https and {PLACE} in it."
            )
        if self.method not in METHODS:
            raise UsageError(f"push rest: method cannot be that; expected {', '.join(METHODS)}.")

    @property
    def place(self) -> str:
        """The addresses."""
        return f"{self.method} {self.address}"

    def connect(self, environment: Mapping[str, str], pause: Pause) -> _Calls:
        """Open a session."""
        from clv.push.http import session

        (token,) = credential(environment, self.kind, TOKEN)
        calls = session(pause)
        calls.headers["Authorization"] = f"Bearer {token}"
        return _Calls(self, calls)


@dataclass(frozen=True)
class _Calls:
    settings: RestPush
    session: Any

    def send(self, changes: Sequence[Change]) -> Mapping[str, str]:
        under, refused = self.settings.under, {}
        for change in changes:
            body = {under: change.fields} if under else dict(change.fields)
            where = self.settings.address.replace(PLACE, quote(change.customer_id, safe=""))
            try:
                self.session.request(self.settings.method, where, json=body)
            except BatchRefusedError as error:
                refused[change.customer_id] = str(error)
        return refused

    def renew(self) -> bool:
        """Have no new token: a bearer token is renewed by hand."""
        return False
