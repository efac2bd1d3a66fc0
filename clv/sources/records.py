"""How many records a file holds, counted by a pass that shares nothing with the file's reader.

A reader of CSV takes a quote that nothing closes for the beginning of a cell that runs to
the next quote, or to the end of the file: the rows in between are gone, and nobody is told.
This pass knows the grammar alone (RFC 4180, and what Arrow reads besides): it counts
records, and names the line of a quote that swallows others. It looks at bytes in blocks, so
that a file of any size costs a fraction of its reading.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

BLOCK_BYTES = 4 * 2**20
LOOK_AHEAD = 80
"""Blanks that may stand between a closing quote and the end of its cell."""

_QUOTE, _NEWLINE, _RETURN = 34, 10, 13
_PLAIN = ("utf-8", "ascii", "iso8859", "cp125", "latin")  # every ASCII byte is that character
_Positions = npt.NDArray[np.intp]
_Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class CsvRecords:
    """What the records of a CSV file are.

    Attributes
    ----------
    records : int
        Lines with anything in them, a cell over several lines counted once; the header too.
    open_line : int or None
        The line of a quote that opens a cell and is never closed.
    torn_line : int or None
        The line of the first quote that opens a cell which runs over lines and goes on behind
        its closing quote, as cells do that swallowed others up to their opening quote.
    """

    records: int
    open_line: int | None = None
    torn_line: int | None = None


def csv_records(path: Path, *, delimiter: str, encoding: str = "utf-8") -> CsvRecords:
    """Count the records of a CSV file, plain or compressed, in bounded memory.

    Raises
    ------
    OSError, pyarrow.ArrowInvalid, UnicodeDecodeError
        As the file's reader raises them.
    """
    scan = _Scan(delimiter)
    with pa.input_stream(str(path)) as stream:
        for block in _plain_bytes(iter(lambda: stream.read(BLOCK_BYTES), b""), encoding):
            scan.read(block)
    return scan.end()


def line_of(path: Path, record: int, *, delimiter: str, encoding: str = "utf-8") -> int | None:
    """Return the line in which a record begins, the header being record 1; None if in doubt."""
    with pa.input_stream(str(path)) as stream:
        text = io.TextIOWrapper(stream, encoding=encoding, errors="replace", newline="")
        rows = csv.reader(text, delimiter=delimiter)
        seen, begun_after = 0, 0
        with contextlib.suppress(csv.Error):  # such as a cell beyond what this reader takes
            for row in rows:
                seen += bool(row)
                if seen == record:
                    return begun_after + 1
                begun_after = rows.line_num
    return None


def count_records(blocks: Iterable[bytes], delimiter: str) -> CsvRecords:
    r"""Count the records of CSV text that comes in blocks, cut anywhere.

    Examples
    --------
    >>> count_records([b'a,b\n1,"x\ny"\n', b'2,z'], ",")
    CsvRecords(records=3, open_line=None, torn_line=None)
    >>> count_records([b'a,b\n1,"x\n2,y\n'], ",").open_line
    2
    """
    scan = _Scan(delimiter)
    for block in blocks:
        scan.read(block)
    return scan.end()


def _plain_bytes(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Pass text on whose ASCII characters are one byte each; other encodings become UTF-8."""
    if codecs.lookup(encoding).name.startswith(_PLAIN):
        yield from blocks
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    for block in blocks:
        yield decoder.decode(block).encode("utf-8", "surrogatepass")
    yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")


class _Scan:
    """The state between two blocks."""

    def __init__(self, delimiter: str) -> None:
        mark = ord(delimiter)
        self.before_cell = np.isin(np.arange(256), [mark, _NEWLINE, _RETURN])
        self.after_cell = np.isin(np.arange(256), [mark, _NEWLINE, _RETURN, _QUOTE])
        self.records, self.lines = 0, 0
        self.inside = False
        self.last = _NEWLINE  # the byte before the block: a file begins as a line does
        self.open_line = 0
        self.torn_line: int | None = None
        self.held = b""
        self.begun = False

    def read(self, block: bytes) -> None:
        """Look at the next block; a quote at its end waits for what follows it."""
        text = self.held + block
        if not self.begun and len(text) >= len(codecs.BOM_UTF8):
            text, self.begun = text.removeprefix(codecs.BOM_UTF8), True
        elif not self.begun:
            self.held = text
            return
        whole = text.rstrip(b'" ')
        self.held = text[len(whole) :]
        self._look(whole)

    def end(self) -> CsvRecords:
        """Return what was counted, once there are no more blocks."""
        self._look(self.held)
        if not self.inside and self.last not in (_NEWLINE, _RETURN):
            self.records += 1  # the last line may end with the file
        return CsvRecords(self.records, self.open_line if self.inside else None, self.torn_line)

    def _look(self, text: bytes) -> None:
        if not text:
            return
        inside, returns = self.inside, b"\r" in text
        if b'"' not in text and not returns and b"\n\n" not in text:
            breaks = text.count(b"\n")
            blank = text[0] == _NEWLINE and self.last in (_NEWLINE, _RETURN)
            self.records += 0 if inside else breaks - blank
            self.lines, self.last = self.lines + breaks, text[-1]
            return
        codes = np.frombuffer(text, np.uint8)
        newlines = np.flatnonzero(codes == _NEWLINE)
        toggles = quotes = np.flatnonzero(codes == _QUOTE)
        if len(quotes):
            tidy = self._tidy(codes, quotes, newlines)
            toggles = self._one_by_one(text, quotes.tolist(), newlines) if tidy is None else tidy
        ends = newlines
        if returns:
            ends = np.flatnonzero((codes == _NEWLINE) | (codes == _RETURN))
        before = np.where(ends > 0, codes[ends - 1], self.last)
        ends = ends[(before != _NEWLINE) & (before != _RETURN)]  # several in a row are one
        within = (np.searchsorted(toggles, ends) + inside) % 2
        self.records += int(np.count_nonzero(within == 0))
        self.lines, self.last = self.lines + len(newlines), text[-1]

    def _tidy(self, codes: _Bytes, quotes: _Positions, breaks: _Positions) -> _Positions | None:
        """Return where cells in quotes begin and end; None where quotes stand elsewhere too.

        A doubled quote ends a cell and begins it again, which comes to the same.
        """
        begins, ends = quotes[int(self.inside) :: 2], quotes[1 - int(self.inside) :: 2]
        before = np.where(begins > 0, codes[begins - 1], self.last)
        again = before == _QUOTE
        behind = codes[ends[ends + 1 < len(codes)] + 1]
        if not (self.before_cell[before] | again).all() or not self.after_cell[behind].all():
            return None
        if not again.all():
            self.open_line = self._line(breaks, int(begins[~again][-1]))
        self.inside = bool((len(quotes) + self.inside) % 2)
        return quotes

    def _one_by_one(self, text: bytes, quotes: list[int], breaks: _Positions) -> _Positions:
        """Do the same where quotes stand within cells too, as Arrow reads them: as text."""
        toggles: list[int] = []
        second = -1  # of a doubled quote
        for place, quote in enumerate(quotes):
            if quote == second:
                continue
            if not self.inside:
                if self.before_cell[text[quote - 1] if quote else self.last]:
                    self.inside, self.open_line = True, self._line(breaks, quote)
                    toggles.append(quote)
            elif place + 1 < len(quotes) and quotes[place + 1] == quote + 1:
                second = quote + 1
            else:
                self.inside = False
                toggles.append(quote)
                rest = text[quote + 1 : quote + 1 + LOOK_AHEAD].lstrip(b" ")
                goes_on = bool(rest) and not self.after_cell[rest[0]]
                if goes_on and self._line(breaks, quote) != self.open_line:
                    self.torn_line = self.torn_line or self.open_line
        return np.array(toggles, np.intp)

    def _line(self, breaks: _Positions, place: int) -> int:
        """Return the number of the line that a place of the block lies in."""
        return self.lines + int(np.searchsorted(breaks, place)) + 1
