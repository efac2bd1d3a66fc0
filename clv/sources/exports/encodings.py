"""How the text of an export is encoded: tried, named, and never guessed in silence."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from clv.errors import SourceError, UsageError
from clv.storage import whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UTF_8 = "utf-8"
CP1252 = "cp1252"
BOMS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
BLOCK_BYTES = 2**20
HEAD_BYTES = 4096


def check_encoding(encoding: str | None) -> None:
    """Refuse a name that is no encoding of text.

    Raises
    ------
    UsageError
        With what is expected.
    """
    try:
        if encoding is not None:
            "a,b\n".encode(encoding).decode(encoding)
    except (LookupError, AttributeError, TypeError):
        raise UsageError(
            f"encoding {encoding!r} is not known; expected one as utf-8, utf-16 or cp1252."
        ) from None


def encoding_of(path: Path, told: str | None = None) -> str:
    """Return the encoding of a file of text, plain or compressed.

    UTF-16 is told by its byte order mark, or by every other byte being zero; UTF-8 by the
    whole file fitting it. What fits neither is Windows' cp1252, if it fits that, and if no
    other character of the file is one of UTF-8.

    Parameters
    ----------
    path : pathlib.Path
    told : str, optional
        The encoding that it is said to have; the file is held to it.

    Raises
    ------
    SourceError
        When the file fits none of them, or not what was told.
    """
    if told is not None:
        misfit = _misfit(path, told)
        if misfit is None:
            return told
        raise SourceError(
            f"{path}: is not {told} text, as --encoding says (byte {misfit.place:,} does not fit). "
            "Leave --encoding out to have UTF-8, UTF-16 and cp1252 tried, or name another one."
        )
    wide = _wide(path)
    if wide is not None:
        tried = {wide: _misfit(path, wide)}
    else:
        tried = {UTF_8: _misfit(path, UTF_8)}
        first = tried[UTF_8]
        if first is not None and first.others_fit:
            raise SourceError(
                f"{path}: is UTF-8 text but for byte {first.place:,}: it is cut off there, or "
                "was mended in another encoding. Export it again, or say --encoding NAME."
            )
        if first is not None:
            tried[CP1252] = _misfit(path, CP1252)
    fitting = next((encoding for encoding, misfit in tried.items() if misfit is None), None)
    if fitting is None:
        raise SourceError(
            f"{path}: is no text in UTF-8, UTF-16 or cp1252. Export it again, or say "
            "--encoding NAME."
        )
    return fitting


@dataclass(frozen=True)
class _Misfit:
    """The first byte that does not fit an encoding.

    Attributes
    ----------
    place : int
    others_fit : bool
        Whether characters of several bytes fit before it, or the text ends within it.
    """

    place: int
    others_fit: bool


def as_utf_8(path: Path, encoding: str, folder: Path) -> Path:
    """Write a file of text again in UTF-8, without compression, for a reader that knows no other.

    Parameters
    ----------
    path : pathlib.Path
    encoding : str
        As ``encoding_of`` returned it.
    folder : pathlib.Path
        Where to; the file keeps its name.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    written = folder / path.name.removesuffix(".gz")
    with whole(written) as file:
        for block in _blocks(path):
            file.write(decoder.decode(block).encode(UTF_8))
        file.write(decoder.decode(b"", final=True).encode(UTF_8))
    return written


def _wide(path: Path) -> str | None:
    """Tell UTF-16 by its first bytes."""
    head = next(_blocks(path), b"")[:HEAD_BYTES]
    for mark, encoding in BOMS.items():
        if head.startswith(mark):
            return encoding
    half = len(head) // 2
    if half and head[1::2].count(0) > half / 2 > head[::2].count(0):
        return "utf-16-le"
    if half and head[::2].count(0) > half / 2 > head[1::2].count(0):
        return "utf-16-be"
    return None


def _misfit(path: Path, encoding: str) -> _Misfit | None:
    """Return where a file does not fit an encoding, None if it does."""
    decoder = codecs.getincrementaldecoder(encoding)()
    read, held_from, others_fit = 0, 0, False  # the decoder holds what a block's end cut off
    try:
        for block in _blocks(path):
            others_fit |= not decoder.decode(block).isascii()
            read += len(block)
            held_from = read - len(decoder.getstate()[0])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        others_fit |= not error.object[: error.start].isascii()
        cut_off = error.reason == "unexpected end of data"
        return _Misfit(held_from + error.start, others_fit or cut_off)
    except UnicodeError:
        return _Misfit(held_from, others_fit)
    return None


def _blocks(path: Path) -> Iterator[bytes]:
    try:
        with pa.input_stream(str(path)) as stream:
            yield from iter(lambda: stream.read(BLOCK_BYTES), b"")
    except (OSError, pa.ArrowInvalid) as error:
        problem = str(error).splitlines()[0]
        raise SourceError(f"{path}: cannot be read: {problem}") from None
