"""What a CRM is to a push: batches of changed records, each taken, refused or not now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from clv.errors import SinkError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Pause = Callable[[float], None]
    """Waits so many seconds."""

TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
UNAUTHORISED = 401
INSTALL = "Install it by `pip install 'clv[crm]'`, then push again."


@dataclass(frozen=True)
class Change:
    """One record as it is to be.

    Attributes
    ----------
    customer_id : str
    fields : mapping of str to object
        The CRM's fields; None empties one.
    """

    customer_id: str
    fields: Mapping[str, Any]


class NotNowError(SinkError):
    """The CRM is busy, away or limits how often it is asked; the same call may pass later.

    Parameters
    ----------
    why : str
        Without anything of a customer.
    wait_seconds : float, optional
        How long it asks to be left alone.
    """

    def __init__(self, why: str, wait_seconds: float | None = None) -> None:
        super().__init__(why)
        self.wait_seconds = wait_seconds


class UnauthorisedError(SinkError):
    """The CRM does not take the token (any more)."""


class BatchRefusedError(SinkError):
    """The CRM refuses a call whole; a smaller one may pass."""


class Destination(Protocol):
    """A CRM: a frozen dataclass whose fields are its settings."""

    kind: ClassVar[str]
    batch: int
    digits: int
    fields: Mapping[str, str]

    @property
    def place(self) -> str:
        """Which CRM, object and id: what a ledger is about. Without a secret."""

    def connect(self, environment: Mapping[str, str], pause: Pause) -> Connection:
        """Open a connection with the credentials of the environment.

        Parameters
        ----------
        environment : mapping of str to str
            Where the credentials are looked for.
        pause : callable
            Waits so many seconds before a call is made again.

        Raises
        ------
        UsageError
            Naming the variable that is missing.
        """


class Connection(Protocol):
    """An open connection to a CRM."""

    def send(self, changes: Sequence[Change]) -> Mapping[str, str]:
        """Write records, and return who was refused, with a reason each.

        Raises
        ------
        NotNowError, UnauthorisedError, BatchRefusedError
            When nothing, or not all, was taken; the same records may be sent again.
        """

    def renew(self) -> bool:
        """Get a new token, and say whether there is one."""


def check_status(status: int, why: str, retry_after: str | None = None) -> None:
    """Raise what an HTTP status means to a push.

    Parameters
    ----------
    status : int
    why : str
        The CRM's own word for it, without anything of a customer.
    retry_after : str, optional
        The header of that name, in seconds.

    Examples
    --------
    >>> check_status(200, "")
    >>> check_status(429, "limit", "3")
    Traceback (most recent call last):
    clv.push.base.NotNowError: HTTP 429 limit
    """
    text = f"HTTP {status} {why}".strip()
    if status in TRY_AGAIN:
        seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
        raise NotNowError(text, seconds)
    if status == UNAUTHORISED:
        raise UnauthorisedError(text)
    if status >= 400:
        raise BatchRefusedError(text)


def credential(environment: Mapping[str, str], kind: str, *names: str) -> tuple[str, ...]:
    """Return secrets of the environment.

    Raises
    ------
    UsageError
        Naming those that are missing, never what is there.
    """
    missing = [name for name in names if not environment.get(name)]
    if missing:
        raise UsageError(
            f"push {kind}: {' and '.join(missing)} is not set; expected the CRM's credentials in "
            "the environment, never in the settings. Set it, then push again."
        )
    return tuple(environment[name] for name in names)
