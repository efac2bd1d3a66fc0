"""What no engine gets through, or only in hours: refused by name before anything is made of it.

A file is somebody else's. A few kilobytes of Parquet can stand for terabytes: a long text said
once and pointed at by every row, rows that are nothing but a count, a page of one byte repeated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ibis
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clv.errors import SchemaError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import ibis.expr.types as ir

    from clv.engines.base import Engine

DEPTH = 16
"""Lists within lists; each further level takes DuckDB twice as long, 32 for ever."""

ALWAYS_BYTES = 2**30
"""What any file may hold, however small it is."""
PARQUET_RATIO = 1_000
"""Bytes that a byte of Parquet may stand for: tables with a column of ids have under 50."""
GZIP_RATIO = 250
"""The same of compressed text, which has under 30; gzip itself ends at 1,032."""
VALUE_BYTES = 8
"""What a value takes at least once it is read, beside the characters of a text."""
BLOCK_BYTES = 4 * 2**20

LAST_US = 2**62
"""Microseconds from 1970 either way: 146,000 years. Engines break down on times far beyond."""
NAT = -(2**63)
"""What NumPy takes for no time."""
_UNIT_US = {"us": 1, "ms": 1_000, "s": 1_000_000, "day": 86_400_000_000}
_ROWS = 100_000


@ibis.udf.scalar.builtin(name="bit_length", signature=(("string",), "int64"))
def _text_bits(text):  # type: ignore[no-untyped-def]
    """Return eight times the bytes of a text; no text is copied for it."""


@ibis.udf.scalar.builtin(name="octet_length", signature=(("binary",), "int64"))
def _binary_bytes(content):  # type: ignore[no-untyped-def]
    """Return the bytes of a binary value."""


def shallow(table: str, path: Path, schema: pa.Schema) -> None:
    """Refuse lists within lists that take engines longer with each level."""
    for field in schema:
        if _depth(field.type) > DEPTH:
            raise SchemaError(
                f"{table}.{field.name}: {path} holds lists or structures within each other more "
                f"than {DEPTH} deep. Expected plain columns; leave it out, or write it as text."
            )


def _depth(kind: pa.DataType) -> int:
    """Count how many lists, maps and structures a type holds within each other."""
    depth, level = 0, [kind]
    while level and depth <= DEPTH:
        level = [k.field(n).type for k in level for n in range(k.num_fields)]
        depth += bool(level)
    return depth


def values_held(table: str, path: Path, footer: pq.FileMetaData) -> int:
    """Return how many values a Parquet file holds, and refuse more than its size can mean.

    Raises
    ------
    SourceError
        When its rows are hardly more than a number in its footer.
    """
    values = int(footer.num_rows) * int(footer.num_columns)
    size = path.stat().st_size
    if too_much(values * VALUE_BYTES, size, PARQUET_RATIO):
        raise SourceError(
            f"{table}: {path} says that its {size:,} bytes hold {footer.num_rows:,} rows of "
            f"{footer.num_columns:,} columns; expected at most {PARQUET_RATIO:,} times its size. "
            "Write the file again from the rows that there are."
        )
    return values


def texts_held(engine: Engine, table: str, paths: Sequence[Path], rows: ir.Table) -> None:
    """Refuse Parquet files whose texts are far more than their sizes can mean.

    Raises
    ------
    SourceError
        With the file and the column of the most.
    """
    sizes = {path: path.stat().st_size for path in paths}
    held = _bytes_of_texts(engine, rows)
    if not too_much(sum(held.values()), sum(sizes.values()), PARQUET_RATIO):
        return
    most = max(held, key=lambda name: held[name])
    for path, size in sizes.items():
        found = _bytes_of_texts(engine, engine.read_parquet([str(path.absolute())])).get(most, 0)
        if len(paths) == 1 or too_much(found, size, PARQUET_RATIO):
            raise SourceError(
                f"{table}: {path} holds {found:,} bytes of text in {most!r} and is {size:,} bytes "
                f"long; expected at most {PARQUET_RATIO:,} times its size, such as a long text "
                "that every row repeats. Leave the column out, or write the file again without it."
            )


def texts_of_file(table: str, path: Path) -> None:
    """Refuse a file whose texts stand for far more than its size can mean, without an engine.

    For files whose columns an engine cannot tell apart before they are renamed. Texts are read by
    their dictionaries, so that a long one that every row repeats is held once.

    Raises
    ------
    SourceError
        With the file.
    """
    size = path.stat().st_size
    schema = pq.read_schema(path)
    names = [field.name for field in schema if _is_text(field.type)]
    held = 0
    with pq.ParquetFile(path, read_dictionary=names) as file:
        for batch in file.iter_batches(_ROWS):
            for column in batch.columns:
                if pa.types.is_dictionary(column.type) and _is_text(column.type.value_type):
                    lengths = pc.binary_length(column.dictionary).cast(pa.int64())
                    held += pc.sum(lengths.take(column.indices)).as_py() or 0
            if too_much(held, size, PARQUET_RATIO):
                raise SourceError(
                    f"{table}: {path} holds more than {held:,} bytes of text and is {size:,} "
                    f"bytes long; expected at most {PARQUET_RATIO:,} times its size, such as a "
                    "long text that every row repeats. Leave the column out, or write the file "
                    "again without it."
                )


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )


def _bytes_of_texts(engine: Engine, rows: ir.Table) -> dict[str, int]:
    """Return how many bytes each column of text holds; lengths alone are looked at."""
    sums: dict[str, Any] = {}
    for place, (name, kind) in enumerate(rows.schema().items()):
        if kind.is_string():
            sums[f"c{place}"] = (_text_bits(rows[name]) // 8).sum()
        elif kind.is_binary():
            sums[f"c{place}"] = _binary_bytes(rows[name]).sum()
    if not sums:
        return {}
    frame = engine.to_pandas(rows.aggregate(**sums)).fillna(0)
    return {rows.columns[int(key[1:])]: int(frame[key].iloc[0]) for key in sums}


def unpacks(table: str, path: Path) -> None:
    """Refuse compressed text that unpacks to far more than its size can mean.

    Raises
    ------
    SourceError
        After as many bytes as are allowed; no more are unpacked.
    """
    size = path.stat().st_size
    if path.suffix.lower() != ".gz" or not too_much(size * 1_100, size, GZIP_RATIO):
        return
    unpacked = 0
    try:
        with pa.input_stream(str(path)) as stream:
            while block := stream.read(BLOCK_BYTES):
                unpacked += len(block)
                if too_much(unpacked, size, GZIP_RATIO):
                    break
            else:
                return
    except (OSError, pa.ArrowInvalid):
        return  # its reader says what is wrong
    raise SourceError(
        f"{table}: {path} is {size:,} bytes long and unpacks to more than {unpacked:,}; expected "
        f"at most {GZIP_RATIO} times its size. Export it again, or unpack it first if it is right."
    )


def too_much(held: int, size: int, ratio: int) -> bool:
    """Say whether a file of a size cannot be meant to hold so many bytes.

    Examples
    --------
    >>> too_much(2**29, 1, 1_000), too_much(2**31, 1_000_000, 1_000), too_much(2**31, 10**7, 1_000)
    (False, True, False)
    """
    return held > max(ALWAYS_BYTES, ratio * size)


def times_that_are(table: str, path: Path, schema: pa.Schema) -> None:
    """Refuse times beyond all calendars, such as NumPy's mark of a missing one.

    DuckDB breaks down on some, and refuses to compare others. Statistics of a file's footer are
    claims; the times themselves are read.
    """
    names = [field.name for field in schema if any(map(_is_time, _leaves(field.type)))]
    if not names:
        return
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS, columns=names):
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                for times in _plain(column):
                    if _is_time(times.type) and not _in_time(times):
                        raise SourceError(
                            f"{table}: {path} holds in {name!r} a time more than 146,000 years "
                            "away, such as NumPy's NaT; expected null where there is none. Write "
                            "the file again."
                        )


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _leaves(kind: pa.DataType) -> Iterator[pa.DataType]:
    """Yield the types of plain values within a type."""
    if not kind.num_fields:
        yield kind
    for place in range(kind.num_fields):
        yield from _leaves(kind.field(place).type)


def _plain(column: pa.Array) -> Iterator[pa.Array]:
    """Yield the arrays of plain values within an array."""
    kind = column.type
    if pa.types.is_struct(kind):
        for part in column.flatten():
            yield from _plain(part)
    elif pa.types.is_map(kind):
        yield from _plain(column.keys)
        yield from _plain(column.items)
    elif pa.types.is_nested(kind):
        yield from _plain(column.flatten())
    else:
        yield column


def _in_time(times: pa.Array) -> bool:
    """Say whether all times of an array are within what engines work with."""
    kind = times.type
    ends = pc.min_max(times.view(pa.int32() if pa.types.is_date32(kind) else pa.int64()))
    first, last = ends["min"].as_py(), ends["max"].as_py()
    if first is None:
        return True
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return bool(first > NAT)  # the rest are within three centuries
    unit_us = _UNIT_US["day" if pa.types.is_date32(kind) else getattr(kind, "unit", "ms")]
    return bool(first * unit_us >= -LAST_US and last * unit_us <= LAST_US)
