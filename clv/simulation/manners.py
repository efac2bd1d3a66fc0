"""How words look in their channel: speech without punctuation, e-mails with what clings to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clv.simulation.catalogue import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

VOICE, EMAIL = CHANNELS.index("voice"), CHANNELS.index("email")
FILLERS = ("um", "uh", "you know", "like", "well", "er", "I mean", "so")
_SILENT = str.maketrans(dict.fromkeys('.,!?;:"()/-', " "))
CUSTOMER_SIGNS = (
    "\n\n{name}", "\n\nRegards,\n{name} {last}", "\n\n{name} {last}\nSent from my phone",
    "\n\nBest, {name}", "",
)  # fmt: skip
AGENT_SIGNS = (
    "\n\n{agent}\nHarbour & Home Customer Care",
    "\n\nKind regards\n{agent}\n--\nHarbour & Home Ltd, 12 Quay Street. This e-mail and its"
    " attachments are confidential and meant for the addressee only.",
)


def as_speech(text: str, filler: str | None, place: float) -> str:
    """Write a line as a speech recogniser would: lower case, no punctuation, fillers.

    Examples
    --------
    >>> as_speech("Hi, it's broken!", "um", 0.6)
    "hi um it's broken"
    """
    words = text.translate(_SILENT).lower().split()
    if filler is not None:
        words.insert(int(place * len(words)), filler.lower())
    return " ".join(words)


def as_written(
    texts: list[str],
    channel: NDArray[np.int64],
    speaker: NDArray[np.int64],
    fill: Mapping[str, NDArray[np.object_]],
    row: NDArray[np.int64],
    rng: np.random.Generator,
) -> list[str]:
    """Give every message the manners of its channel.

    Parameters
    ----------
    texts : list of str
        Messages, contact by contact.
    channel, speaker, row : ndarray of shape (t,)
        Of each message; ``row`` is the contact.
    fill : mapping of str to ndarray
        The slots by name, one value per contact.
    rng : Generator
        The random stream.
    """
    said = list(texts)
    hesitates, place = rng.random(len(texts)) < 0.45, rng.random(len(texts))
    filler = rng.integers(len(FILLERS), size=len(texts))
    for at in np.flatnonzero(channel == VOICE).tolist():
        said[at] = as_speech(texts[at], FILLERS[filler[at]] if hesitates[at] else None, place[at])
    quotes, sign = rng.random(len(texts)) < 0.6, rng.random(len(texts))
    names = {name: fill[name].tolist() for name in ("name", "last", "agent")}
    for at in np.flatnonzero(channel == EMAIL).tolist():
        signs = AGENT_SIGNS if speaker[at] == 1 else CUSTOMER_SIGNS
        who = {name: column[row[at]] for name, column in names.items()}
        said[at] = texts[at] + signs[int(sign[at] * len(signs))].format(**who)
        if quotes[at] and at > 0 and row[at - 1] == row[at]:
            other = who["name"] if speaker[at - 1] == 0 else who["agent"]
            quoted = "\n".join(f"> {line}" for line in said[at - 1].split("\n")[:6])
            said[at] += f"\n\nOn Tuesday {other} wrote:\n{quoted}"
    return said
