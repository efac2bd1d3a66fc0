"""Reading CSV: every cell as text, every record of the file, or an error with its line.

What was read is held to a count of the file's records by another pass
(``clv.sources.records``): a quote that nothing closes would else swallow rows in silence.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from clv.errors import DataError, SourceError
from clv.sources.files import first_line, not_too_wide, require_all, to_parquet
from clv.sources.names import told_apart
from clv.sources.records import csv_records, line_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import ibis.expr.types as ir

    from clv.engines.base import Engine

BLOCK_BYTES = 32 * 2**20  # the longest row of a CSV file that can be read
SNIFF_BYTES = 2**20
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
DELIMITERS = (",", ";", "\t", "|")


def read_csv(
    engine: Engine,
    table: str,
    paths: Sequence[Path],
    *,
    delimiter: str | None,
    encoding: str,
    folder: Path | None = None,
    mapped: bool = True,
) -> ir.Table:
    """Return CSV files as one table of text; an empty cell is null.

    Folders under ``folder`` named ``column=value`` become columns, as with Parquet. Files that
    are not ``mapped`` by ``sources`` in the settings are of an import, whose errors name none.
    """
    key = f"sources.{table}" if mapped else None
    parts = []
    for path in paths:
        mark, names = _csv_header(table, path, delimiter, encoding)
        not_too_wide(table, path, names)
        held = _csv_rows_held(table, path, mark, encoding, key)
        reader = _csv_reader(table, path, mark, names, encoding, key)
        cells = _partition(path, folder)
        told = told_apart(table, path, [*names, *cells])
        schema = pa.schema([(name, pa.string()) for name in told])
        batches = _guarded(table, path, reader, mark, encoding, key)
        part = to_parquet(engine, table, path, schema, _with(batches, cells, schema))
        require_all(table, path, held, pq.read_metadata(part).num_rows)
        parts.append(part)
    return engine.read_parquet(parts)


def _partition(path: Path, folder: Path | None) -> dict[str, str | None]:
    """Return what the folders between a table's own and a file say, by column."""
    if folder is None:
        return {}
    parts = path.parent.relative_to(folder).parts
    cells = dict(part.split("=", 1) for part in parts if "=" in part[1:])
    return {name: None if cell == HIVE_NULL else unquote(cell) for name, cell in cells.items()}


def _with(
    batches: Iterable[pa.RecordBatch], cells: Mapping[str, str | None], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Add columns that hold one text each."""
    for batch in batches:
        more = [pa.array([cell] * batch.num_rows, pa.string()) for cell in cells.values()]
        yield pa.record_batch([*batch.columns, *more], schema=schema)


def sniff_delimiter(header: str) -> str:
    r"""Return the delimiter that cuts a header into most cells, a comma in doubt.

    Examples
    --------
    >>> sniff_delimiter('order_id;"amount, net";customer_id')
    ';'
    """
    counts = {mark: _cells(header, mark) for mark in DELIMITERS}
    return max(DELIMITERS, key=lambda mark: (counts[mark], -DELIMITERS.index(mark)))


def _cells(header: str, mark: str) -> int:
    try:
        return len(next(csv.reader([header], delimiter=mark), []))
    except csv.Error:  # a long line that this mark does not cut
        return 0


def _csv_header(
    table: str, path: Path, delimiter: str | None, encoding: str
) -> tuple[str, list[str]]:
    """Return a CSV file's delimiter and the names in its first line."""
    try:
        with pa.input_stream(str(path)) as stream:
            head = stream.read(SNIFF_BYTES)
        text = head.decode(encoding, errors="replace").removeprefix("\ufeff")
        header = io.StringIO(text, newline=None).readline()
    except (OSError, pa.ArrowInvalid, LookupError) as error:
        raise SourceError(f"{table}: {path} cannot be read: {first_line(error)}") from None
    if not header.strip():
        found = "is empty" if not text.strip() else "begins with a blank line"
        raise DataError(f"{table}: {path} {found}; expected a line of column names, then rows.")
    try:
        mark = delimiter or sniff_delimiter(header)
        return mark, next(csv.reader([header], delimiter=mark))
    except csv.Error as error:
        raise DataError(
            f"{table}: {path} has a first line that holds no column names: {error}. "
            "Expected one line of column names, then rows; mend the first line."
        ) from None


def _csv_rows_held(table: str, path: Path, mark: str, encoding: str, key: str | None) -> int:
    """Count the rows that a CSV file holds, and refuse one whose quotes swallow some."""
    try:
        held = csv_records(path, delimiter=mark, encoding=encoding)
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        raise _broken(table, path, error, mark, encoding, key) from None
    line = held.open_line or held.torn_line
    if line is not None:
        end = "is never closed" if held.open_line else "is closed in the middle of a later cell"
        raise SourceError(
            f"{table}: {path}, line {line}: a quote opens there and {end}, so that the lines "
            "behind it would be read as one cell. Expected quotes in pairs, those within a cell "
            "doubled; export the file again, or mend that line."
        )
    return held.records - 1  # the header


def _csv_reader(
    table: str, path: Path, mark: str, names: Sequence[str], encoding: str, key: str | None
) -> pacsv.CSVStreamingReader:
    """Open a CSV file with every column as text."""
    try:
        reader = pacsv.open_csv(
            pa.input_stream(str(path)),
            read_options=pacsv.ReadOptions(
                block_size=BLOCK_BYTES, use_threads=False, encoding=encoding
            ),
            parse_options=pacsv.ParseOptions(delimiter=mark, newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                column_types={name: pa.string() for name in names},
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
        found = reader.schema.names
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        raise _broken(table, path, error, mark, encoding, key) from None
    if not set(found) <= set(names):  # another column would be read as numbers, 007 as 7
        raise DataError(
            f"{table}: {path} has column names that cannot be told apart from its rows, such as "
            "over several lines. Expected one line of column names, then rows; mend the first line."
        )
    return reader


def _guarded(
    table: str,
    path: Path,
    reader: pacsv.CSVStreamingReader,
    mark: str,
    encoding: str,
    key: str | None,
) -> Iterator[pa.RecordBatch]:
    """Pass batches on; a file that breaks off becomes a source error without its rows."""
    try:
        yield from reader
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        raise _broken(table, path, error, mark, encoding, key) from None


def _broken(
    table: str, path: Path, error: Exception, mark: str, encoding: str, key: str | None
) -> SourceError:
    """Say what is wrong with a file, without its rows, and where."""
    told = f"{key}.encoding" if key else "--encoding"
    width = re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", str(error))
    if width is not None:
        line = line_of(path, int(width[1]), delimiter=mark, encoding=encoding)
        where = f"row {width[1]}" if line is None else f"line {line}"
        next_step = (
            f", or set {key}.delimiter or .encoding" if key else ", or export the file again"
        )
        return SourceError(
            f"{table}: {path}, {where}: cannot be read as CSV: expected {width[2]} cells, as many "
            f"cells as the header has, found {width[3]} ({mark!r} was taken to part them). Mend "
            f"that row{next_step}."
        )
    # Arrow quotes the offending row after the second colon; rows are not for messages.
    problem = ": ".join(first_line(error).split(": ")[:2]).rstrip(".:")
    if isinstance(error, UnicodeDecodeError) and error.encoding not in ("utf-8", "utf8"):
        return SourceError(
            f"{table}: {path} is not {error.encoding} text, as {told} says; mend that, or save the "
            "file as UTF-8."
        )
    if "UTF8" in str(error) or isinstance(error, UnicodeDecodeError):
        return SourceError(
            f"{table}: {path} is not UTF-8 text. Set {told} to what it is, such as cp1252 for a "
            "file from Windows or Excel; or save it as UTF-8."
        )
    next_step = f", or set {key}.delimiter or .encoding" if key else ", or export it again"
    return SourceError(
        f"{table}: {path} cannot be read as CSV: {problem}. Expected UTF-8 text, rows of at most "
        f"{BLOCK_BYTES // 2**20} MB; mend the file{next_step}."
    )
