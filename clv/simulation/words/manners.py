"""How words look in their channel: speech without punctuation, e-mails with what clings to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clv.schema import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from clv.simulation.words.lines import Lines
    from clv.simulation.words.wording import Wording

HESITATES, QUOTES = 0.45, 0.6
SPEAKER_NAMES = ("customer", "agent", "bot")
VOICE, EMAIL = CHANNELS.index("voice"), CHANNELS.index("email")
_SILENT = str.maketrans(dict.fromkeys('.,!?;:"()/-', " "))


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
    found: Lines,
    channel: NDArray[np.int64],
    fill: Mapping[str, NDArray[np.object_]],
    wordings: Mapping[str, Wording],
    german: NDArray[np.bool_],
    rng: np.random.Generator,
) -> list[str]:
    """Give every message the manners of its channel and language.

    Parameters
    ----------
    found : Lines
        Messages, contact by contact, k in all.
    channel : ndarray of shape (k,)
        Of each message's contact.
    fill : mapping of str to ndarray
        The slots by name, one value per contact.
    wordings : mapping of str to Wording
        Fillers, signatures and the heads of quotes, by language.
    german : ndarray of bool, shape (k,)
        Whether the message's contact is in German.
    rng : Generator
        The random stream.
    """
    said, row, size = list(found.text), found.row, len(found.text)
    draw = {
        (intent, language): wording.pools[intent].draw(size, rng)
        for intent in ("speech.filler", "mail.customer", "mail.agent", "mail.quote")
        for language, wording in wordings.items()
    }
    languages = np.where(german, "de", "en").tolist()
    hesitates, place = rng.random(size) < HESITATES, rng.random(size)
    for at in np.flatnonzero(channel == VOICE).tolist():
        filler = draw["speech.filler", languages[at]][at] if hesitates[at] else None
        said[at] = as_speech(said[at], filler, place[at])
    quotes = rng.random(size) < QUOTES
    names = {name: fill[name].tolist() for name in ("name", "last", "agent")}
    for at in np.flatnonzero(channel == EMAIL).tolist():
        who = {name: column[row[at]] for name, column in names.items()}
        sign = draw[f"mail.{SPEAKER_NAMES[found.speaker[at]]}", languages[at]][at]
        said[at] += sign.replace("¶", "\n").format(**who)
        if quotes[at] and at > 0 and row[at - 1] == row[at]:
            other = who["name"] if found.speaker[at - 1] == 0 else who["agent"]
            head = draw["mail.quote", languages[at]][at].format(other=other)
            quoted = "\n".join(f"> {line}" for line in said[at - 1].split("\n")[:6])
            said[at] += f"\n\n{head}\n{quoted}"
    return said
