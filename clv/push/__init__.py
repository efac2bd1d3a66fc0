"""Scores into a live CRM: only what changed, again and again until it is there."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from clv.errors import UsageError, listing
from clv.push.base import Destination
from clv.push.deliver import Pushed, PushOptions, push, write_refused
from clv.push.hubspot import HubspotPush
from clv.push.ledger import Ledgers
from clv.push.rest import RestPush
from clv.push.salesforce import SalesforcePush
from clv.push.zendesk import ZendeskPush

if TYPE_CHECKING:
    from collections.abc import Mapping
    from dataclasses import Field

__all__ = [
    "DESTINATIONS",
    "Destination",
    "Ledgers",
    "PushOptions",
    "Pushed",
    "make_destination",
    "push",
    "write_refused",
]

DESTINATIONS: dict[str, type[Any]] = {
    kind.kind: kind for kind in (SalesforcePush, HubspotPush, ZendeskPush, RestPush)
}
"""Every CRM by its ``kind`` in the settings."""


def make_destination(kind: str, options: Mapping[str, Any]) -> Destination:
    """Make a destination from its section of the settings.

    Parameters
    ----------
    kind : str
        A key of ``DESTINATIONS``.
    options : mapping
        The fields of that destination, by name.

    Raises
    ------
    UsageError
        For a kind or a setting that does not exist.

    Examples
    --------
    >>> make_destination("hubspot", {"id_property": "crm_id"}).place
    'https://api.hubapi.com contacts by crm_id'
    """
    if kind not in DESTINATIONS:
        raise UsageError(f"push: {kind!r} is not known; expected one of {', '.join(DESTINATIONS)}.")
    known = {setting.name: setting for setting in fields(DESTINATIONS[kind])}
    unknown = [name for name in options if name not in known]
    missing = [n for n, s in known.items() if n not in options and _is_required(s)]
    if unknown or missing:
        what = f"{listing(unknown)} is no setting" if unknown else f"{listing(missing)} is not set"
        raise UsageError(
            f"push {kind}: {what}; expected {', '.join(known)}. They stand under push in the "
            "settings, by kind."
        )
    made: Destination = DESTINATIONS[kind](**options)
    return made


def _is_required(setting: Field[Any]) -> bool:
    return setting.default is MISSING and setting.default_factory is MISSING
