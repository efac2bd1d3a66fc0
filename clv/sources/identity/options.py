"""How records of one person are told: what the settings may say of it."""

from __future__ import annotations

from dataclasses import dataclass

from clv.errors import SettingsError
from clv.sources.exports.phones import check_region
from clv.sources.identity.graph import MOST_SHARING


@dataclass(frozen=True)
class IdentityOptions:
    """How people are told.

    Attributes
    ----------
    join : bool
        Whether records are joined by e-mail addresses, phone numbers and ids.
    region : str or None
        The country of phone numbers that name none, such as ``DE``.
    most_sharing : int
        An address or a number that more people hold joins nobody.
    """

    join: bool = True
    region: str | None = None
    most_sharing: int = MOST_SHARING

    def __post_init__(self) -> None:
        if self.most_sharing < 1:
            raise SettingsError("identity: most_sharing is 0; expected 1 or more.")
        check_region(self.region)
