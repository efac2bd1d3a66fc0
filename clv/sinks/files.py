"""What sinks write into files: the score table, parts of bounded size, bodies of calls."""

from __future__ import annotations

from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clv.sinks.base import SCORES, TOMBSTONES, json_line
from clv.storage import whole

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

ROW_GROUP_ROWS = 100_000


class TableWriter:
    """Writes frames of any length as one Parquet file whose bytes do not depend on it.

    Parameters
    ----------
    target : file
        Open for writing bytes.
    schema : pyarrow.Schema
        Of the table; the score table's by default.
    """

    def __init__(self, target: IO[bytes], schema: pa.Schema = SCORES) -> None:
        self.rows = 0
        self._schema = schema
        self._held: list[pa.Table] = []
        self._held_rows = 0
        self._writer = pq.ParquetWriter(target, schema, compression="zstd")

    def add(self, table: pa.Table) -> None:
        """Take rows; full row groups are written."""
        self._held.append(table.cast(self._schema))
        self._held_rows += table.num_rows
        while self._held_rows >= ROW_GROUP_ROWS:
            self._flush(ROW_GROUP_ROWS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is left, and the footer; after an error only let go of the file."""
        try:
            if error is None and (self._held_rows or not self.rows):
                self._flush(self._held_rows)
            self._writer.close()
        except (OSError, ValueError):
            # pyarrow would try once more when the writer is collected, on a closed file.
            self._writer.is_open = False
            if error is None:
                raise

    def _flush(self, rows: int) -> None:
        # One contiguous piece: pages are cut where pieces end.
        held = pa.concat_tables(self._held) if self._held else self._schema.empty_table()
        self._writer.write_table(held.slice(0, rows).combine_chunks(), row_group_size=max(rows, 1))
        self._held = [held.slice(rows)]
        self._held_rows -= rows
        self.rows += rows


def add_tombstones(path: Path, ids: Sequence[str], since: dt.date) -> None:
    """Add customers to a tombstone file, each once; it is made where there is none."""
    days = pa.array([since] * len(ids), pa.date32())
    rows = pa.table([pa.array(ids, pa.string()), days], schema=TOMBSTONES)
    if path.exists():
        held = pq.read_table(path, schema=TOMBSTONES)
        there = pc.is_in(rows["customer_id"], value_set=held["customer_id"])
        rows = pa.concat_tables([held, rows.filter(pc.invert(there))])
    with whole(path) as target, TableWriter(target, TOMBSTONES) as writer:
        writer.add(rows.sort_by("customer_id"))


def take_out(path: Path, ids: Sequence[str], *, write: bool) -> list[str]:
    """Return which customers a file of scores or tombstones holds; take them out if asked to."""
    table = pq.read_table(path, partitioning=None)
    held = pc.is_in(table["customer_id"], value_set=pa.array(ids, pa.string()))
    found = table.filter(held)["customer_id"].to_pylist()
    if found and write:
        with whole(path) as target, TableWriter(target, table.schema) as writer:
            writer.add(table.filter(pc.invert(held)))
    return found


class Parts:
    """Lines in as many files as keep each below a size, every one with the same header.

    Parameters
    ----------
    directory : pathlib.Path
        Where.
    pattern : str
        A file name with one number in it.
    max_bytes : int
        Largest file.
    header : bytes
        First line of each.
    """

    def __init__(self, directory: Path, pattern: str, max_bytes: int, header: bytes) -> None:
        self.names: list[str] = []
        self._directory, self._pattern = directory, pattern
        self._max_bytes, self._header = max_bytes, header
        self._stack = ExitStack()
        self._size = 0

    def add(self, line: bytes) -> None:
        """Write one line, into the next file where this one is full."""
        if self._size + len(line) > self._max_bytes:
            self._next()
        self._file.write(line)
        self._size += len(line)

    def __enter__(self) -> Self:
        self._next()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _next(self) -> None:
        self._stack.close()
        name = self._pattern.format(len(self.names) + 1)
        self._file = self._stack.enter_context(whole(self._directory / name))
        self.names.append(name)
        self._file.write(self._header)
        self._size = len(self._header)


class Calls:
    """JSON Lines of request bodies, each with a list of at most ``size`` items.

    Parameters
    ----------
    target : file
        Open for writing bytes.
    key : str
        Under which a body holds its list.
    size : int
        Items per body.
    """

    def __init__(self, target: IO[bytes], key: str, size: int) -> None:
        self.items = 0
        self._target, self._key, self._size = target, key, size
        self._held: list[Mapping[str, Any]] = []

    def add(self, item: Mapping[str, Any]) -> None:
        """Take one item; a full body is written."""
        self._held.append(item)
        self.items += 1
        if len(self._held) == self._size:
            self.flush()

    def flush(self) -> None:
        """Write what is held, if anything is."""
        if self._held:
            self._target.write(json_line({self._key: self._held}))
            self._held = []
