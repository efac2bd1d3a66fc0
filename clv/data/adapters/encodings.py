"""How the text of an export is encoded: tried, named, and never guessed in silence."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

import pyarrow as pa

from clv.errors import SourceError, UsageError
from clv.storage import whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UTF_8 = "utf-8"
TRIED = (UTF_8, "cp1252")
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
    whole file fitting it. What fits neither is Windows' cp1252, if it fits that.

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
        place = _misfit(path, told)
        if place is None:
            return told
        raise SourceError(
            f"{path}: is not {told} text, as --encoding says (byte {place:,} does not fit). "
            "Leave --encoding out to have UTF-8, UTF-16 and cp1252 tried, or name another one."
        )
    wide = _wide(path)
    for encoding in (wide,) if wide is not None else TRIED:
        place = _misfit(path, encoding)
        if place is None:
            return encoding
        if encoding == UTF_8 and place >= _length(path) - 3:
            break  # the file ends within a character: it was cut off
    raise SourceError(
        f"{path}: is no text in UTF-8, UTF-16 or cp1252, or is cut off within a character (byte "
        f"{place:,} does not fit). Export it again, or say --encoding NAME."
    )


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


def _misfit(path: Path, encoding: str) -> int | None:
    """Return the place of the first byte that does not fit an encoding, None if all do."""
    decoder = codecs.getincrementaldecoder(encoding)()
    place = 0
    try:
        for block in _blocks(path):
            kept = len(decoder.getstate()[0])
            start = place - kept
            place += len(block)
            decoder.decode(block)
        start = place - len(decoder.getstate()[0])
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        return start + getattr(error, "start", 0)
    return None


def _length(path: Path) -> int:
    return sum(len(block) for block in _blocks(path))


def _blocks(path: Path) -> Iterator[bytes]:
    try:
        with pa.input_stream(str(path)) as stream:
            yield from iter(lambda: stream.read(BLOCK_BYTES), b"")
    except (OSError, pa.ArrowInvalid) as error:
        problem = str(error).splitlines()[0]
        raise SourceError(f"{path}: cannot be read: {problem}") from None
