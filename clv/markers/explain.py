"""Why a contact counts as it does: the hits as spans of redacted text.

Text is read from the tables at the moment of asking and not kept. What is shown is the text as
the patterns read it (``normalise``), with addresses, numbers of cards, accounts and telephones,
and the names, e-mail and telephone of the customer's own record masked. Addresses of streets in
free text are not recognised: no tool that was tried does that reliably.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clv.errors import UsageError
from clv.markers.normalise import VOICE, normalise
from clv.markers.redaction import people_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clv.contract.tables import Tables
    from clv.markers.base import Pack

PERSONAL = ("first_name", "last_name", "email", "phone")
_PATTERNS = (
    r"[^ @]+@[^ @]+[.][a-z]{2,}",  # e-mail
    r"\b[a-z]{2}[0-9]{2}(?: ?[a-z0-9]{4}){3,7}(?: ?[a-z0-9]{1,4})?\b",  # IBAN
    r"\b(?:[0-9] ?){13,}\b",  # card, or any longer number
    r"[+(]?\b[0-9](?:[ ()/.]{0,2}[0-9]){6,14}\b",  # telephone
)


@dataclass(frozen=True)
class Hit:
    """One marker found in one turn.

    Attributes
    ----------
    position : int
        The turn, counted from 0.
    marker, group : str
        What was found.
    start, end : int
        Where, in characters of the turn's redacted text.
    """

    position: int
    marker: str
    group: str
    start: int
    end: int


@dataclass(frozen=True)
class Explanation:
    """The redacted turns of a contact, and what was found in them.

    Attributes
    ----------
    interaction_id : str
        The contact.
    turns : tuple of (int, str, str)
        Position, speaker and redacted text.
    hits : tuple of Hit
        By position, then place.
    pack_digest : str
        Of the pack that found them.
    """

    interaction_id: str
    turns: tuple[tuple[int, str, str], ...]
    hits: tuple[Hit, ...]
    pack_digest: str


def redact(text: str, known: Iterable[str] = ()) -> str:
    """Mask what names a person in normalised text, each character by a block.

    Lengths stay, so that spans found in the text hold in what is shown.

    Parameters
    ----------
    text : str
        Normalised text.
    known : iterable of str
        Names, addresses and numbers of the customer's own record, and those that were found
        in the text as it was written.

    Examples
    --------
    >>> redact("hi zoe write to zoe.k@example.com or call 030 1234567", ["Zoë"])
    'hi ███ write to █████████████████ or call ███████████'
    """
    words = [normalise(word) for word in known]
    names = [rf"(?<!\w){re.escape(word)}(?!\w)" for word in words if len(word) > 1]
    # The longest first: part of an address may be a name of its own.
    for pattern in (*sorted(names, key=len, reverse=True), *_PATTERNS):
        text = re.sub(pattern, lambda found: "█" * len(found[0]), text, flags=re.ASCII)
    return text


def explain(tables: Tables, pack: Pack, interaction_id: str) -> Explanation:
    """Show what was found in one contact, in redacted text.

    Parameters
    ----------
    tables : Tables
        Accepted rows, messages among them.
    pack : Pack
        What is looked for.
    interaction_id : str
        The contact.

    Raises
    ------
    UsageError
        When there is no such contact, or it has no messages.
    """
    engine = tables.engine
    contacts, messages = tables["interactions"], tables["messages"]
    about = engine.to_pandas(contacts.filter(contacts.interaction_id == interaction_id))
    said = messages.filter(messages.interaction_id == interaction_id)
    rows = engine.to_pandas(said.select("position", "speaker", "text").order_by("position"))
    if about.empty or rows.empty:
        raise UsageError(
            f"explain: there is no contact {interaction_id!r} with messages; expected an "
            "interaction_id of the table messages."
        )
    voice = about["channel"].iloc[0] == VOICE
    known = _record(tables, str(about["customer_id"].iloc[0]))
    turns, hits = [], []
    said_by: dict[str, list[tuple[int, str]]] = {}
    for place, speaker, text in rows.itertuples(index=False):
        plain = normalise(text or "", voice=voice)
        shown = redact(plain, [*known, *people_in(text or "")])
        turns.append((int(place), str(speaker), shown))
        said_by.setdefault(str(speaker), []).append((int(place), plain))
    for speaker, lines in said_by.items():
        for marker in pack.of(speaker=speaker):
            if voice and not marker.voice:
                continue
            spans_of_lines = marker.spans_in([plain for _, plain in lines], voice=voice)
            for (place, _), spans in zip(lines, spans_of_lines, strict=True):
                hits += [Hit(place, marker.id, marker.group, *span) for span in spans]
    hits.sort(key=lambda hit: (hit.position, hit.start, hit.marker))
    return Explanation(interaction_id, tuple(turns), tuple(hits), pack.digest)


def _record(tables: Tables, customer_id: str) -> list[str]:
    """Return what the customer's own record holds of names, e-mail and telephone."""
    if "customers" not in tables:
        return []
    customers = tables["customers"]
    columns = [name for name in PERSONAL if name in customers.columns]
    if not columns:
        return []
    mine = customers.filter(customers.customer_id == customer_id).select(*columns)
    frame = tables.engine.to_pandas(mine)
    return [str(value) for value in frame.to_numpy().ravel() if isinstance(value, str)]
