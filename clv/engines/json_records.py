"""How many objects a JSON file holds, counted by its brackets, without the reader.

A reader takes an array that breaks off behind a comma for a whole one; this pass sees that
its bracket is never closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

BLOCK_BYTES = 4 * 2**20
_QUOTE, _BACKSLASH, _OPEN_ARRAY, _OPEN_OBJECT = 34, 92, 91, 123
_STEP = np.zeros(256, np.int8)
_STEP[[_OPEN_ARRAY, _OPEN_OBJECT]], _STEP[[93, 125]] = 1, -1
_Bytes = npt.NDArray[np.uint8]
_Positions = npt.NDArray[np.intp]


@dataclass(frozen=True)
class JsonRecords:
    """What a JSON file holds.

    Attributes
    ----------
    objects : int
        Objects by themselves, or directly in an array by itself.
    whole : bool
        Whether every bracket and every quote is closed.
    """

    objects: int
    whole: bool


def json_records(path: Path) -> JsonRecords:
    """Count the objects of a JSON file, plain or compressed, in bounded memory.

    Raises
    ------
    OSError
        When it cannot be read.
    """
    with pa.input_stream(str(path)) as stream:
        return count_objects(iter(lambda: stream.read(BLOCK_BYTES), b""))


def count_objects(blocks: Iterable[bytes]) -> JsonRecords:
    r"""Count the objects of JSON text that comes in blocks, cut anywhere.

    Examples
    --------
    >>> count_objects([b'{"a": "}\\"{"}\n', b'{"a": [{}, {}]}'])
    JsonRecords(objects=2, whole=True)
    >>> count_objects([b'[{"a": 1}, {"a": 2},'])
    JsonRecords(objects=2, whole=False)
    """
    scan, held = _Scan(), b""
    for block in blocks:
        text = held + block
        whole = text.rstrip(b"\\")  # what they escape comes with the next block
        held = text[len(whole) :]
        scan.read(whole)
    scan.read(held)
    return JsonRecords(scan.objects, scan.depth == 0 and not scan.inside)


class _Scan:
    """The state between two blocks."""

    def __init__(self) -> None:
        self.objects, self.depth = 0, 0
        self.inside = self.in_array = False

    def read(self, text: bytes) -> None:
        if not text:
            return
        codes = np.frombuffer(text, np.uint8)
        quotes = _unescaped(codes, np.flatnonzero(codes == _QUOTE))
        brackets = np.flatnonzero(_STEP[codes])
        outside = (np.searchsorted(quotes, brackets) + self.inside) % 2 == 0
        brackets = brackets[outside]
        self.inside = bool((len(quotes) + self.inside) % 2)
        if not len(brackets):
            return
        steps = _STEP[codes[brackets]].astype(np.int64)
        after = self.depth + np.cumsum(steps)
        opens, before = steps > 0, after - steps
        top = opens & (before == 0)
        kinds = codes[brackets]
        latest = np.maximum.accumulate(np.where(top, np.arange(len(brackets)), -1))
        in_array = np.where(latest >= 0, kinds[latest] == _OPEN_ARRAY, self.in_array)
        counted = (kinds == _OPEN_OBJECT) & (top | (opens & (before == 1) & in_array))
        self.objects += int(np.count_nonzero(counted))
        self.depth, self.in_array = int(after[-1]), bool(in_array[-1])


def _unescaped(codes: _Bytes, quotes: _Positions) -> _Positions:
    """Leave out the quotes that an odd number of backslashes stands before."""
    run = np.zeros(len(quotes), np.int64)
    going = np.arange(len(quotes))
    while len(going):
        place = quotes[going] - run[going] - 1
        going = going[(place >= 0) & (codes[np.maximum(place, 0)] == _BACKSLASH)]
        run[going] += 1
    return quotes[run % 2 == 0]
