"""Lines of contacts: who says what at which place, first in parts, then joined into messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARTS_AT_MOST, MESSAGES_AT_MOST = 8, 16
"""Parts of a message, and messages of a contact."""


@dataclass(frozen=True)
class Lines:
    """Parts or messages, by contact and place.

    Attributes
    ----------
    row, place, speaker : ndarray of shape (k,)
        Contact, place in it, and index of who speaks.
    text : list of str
        What is said.
    warm : ndarray of bool, shape (k,)
        Meets an occasion.
    """

    row: NDArray[np.int64]
    place: NDArray[np.int64]
    speaker: NDArray[np.int64]
    text: list[str]
    warm: NDArray[np.bool_]


def joined(parts: Lines) -> Lines:
    """Join parts into messages; ``place`` is then the message's number in the plan."""
    message = parts.place // PARTS_AT_MOST
    key = parts.row * MESSAGES_AT_MOST + message
    first = np.flatnonzero(np.diff(key, prepend=-1))
    ends = [*first[1:].tolist(), len(parts.text)]
    text = [
        " ".join(parts.text[begin:end]) for begin, end in zip(first.tolist(), ends, strict=True)
    ]
    warm = np.logical_or.reduceat(parts.warm, first)
    return Lines(parts.row[first], message[first], parts.speaker[first], text, warm)
