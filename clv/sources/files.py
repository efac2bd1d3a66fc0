"""Reading files and databases as they are: names and values untouched, text as text.

CSV, whitespace-separated text and SQL results become Parquet in the engine's own
directory, in bounded memory, every column as text: an id of 007 stays 007, and what is a
number or a time is decided later by the contract's rules, row by row.
"""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.common.exceptions import IbisTypeError

from clv.engines.base import partition_names
from clv.errors import SchemaError, SourceError, StorageError, listing
from clv.foreign import reason
from clv.masking import masked
from clv.sources.bounds import (
    shallow,
    texts_held,
    texts_of_file,
    times_that_are,
    values_held,
)
from clv.sources.names import told_apart

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import ibis.expr.types as ir

    from clv.engines.base import Engine

ROWS = 50_000
COLUMNS = 2_000
"""The widest table: its checking takes 25 seconds and half a gigabyte, however short it is."""

PACKAGE = "package:"
SUFFIXES = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".csv.gz": "csv",
    ".tsv.gz": "csv",
}


def locate(path: str, root: Path, table: str) -> list[Path]:
    """Return the files that a path of the settings means, sorted.

    Parameters
    ----------
    path : str
        A file, a folder of parts, a pattern such as ``lines_*.csv``, or
        ``package:lifetimes/datasets/CDNOW_master.txt``, a file of an installed package.
    root : pathlib.Path
        Where relative paths start.
    table : str
        For errors.

    Raises
    ------
    SourceError
        When there is no such file.
    """
    if path.startswith(PACKAGE):
        package, _, inside = path.removeprefix(PACKAGE).partition("/")
        # A plain name: to look for a part of a package would import the package.
        spec = importlib.util.find_spec(package) if package.isidentifier() else None
        if spec is None or not spec.submodule_search_locations:
            raise SourceError(
                f"{table}: package {package!r} is not installed; {path} is part of it."
            )
        target = Path(next(iter(spec.submodule_search_locations))) / inside
    else:
        target = root / path
    if target.is_dir():
        found = sorted(p for p in target.rglob("*") if format_of(p) and p.is_file())
    elif target.is_file():  # a name, whatever marks are in it
        found = [target]
    else:
        pattern = target.name.replace("[", "[[]")  # only * and ? stand for other marks
        try:
            found = sorted(p for p in target.parent.glob(pattern) if p.is_file())
        except ValueError:  # a pattern that is none, such as a**b
            found = []
    if not found:
        raise SourceError(
            f"{table}: no file at {target}. Expected a .parquet or .csv file, or a folder of "
            f"them; mend sources.{table}.path in the settings."
        )
    return found


def format_of(path: Path) -> str | None:
    """Return ``parquet`` or ``csv`` by a file's name, or None."""
    name = path.name.lower()
    if name.startswith((".", "_")):
        return None
    return next((kind for suffix, kind in SUFFIXES.items() if name.endswith(suffix)), None)


def read_parquet(
    engine: Engine, table: str, paths: Sequence[Path], folder: Path | None = None
) -> ir.Table:
    """Return Parquet files as one table; folders named ``column=value`` become columns of text.

    Parameters
    ----------
    engine : Engine
    table : str
        For errors.
    paths : sequence of pathlib.Path
    folder : pathlib.Path, optional
        The folder that holds the whole table. Files may lie in it beside partitions, and
        partitions may be of several columns: a column that a file's path lacks is null.
    """
    held = 0
    groups: dict[tuple[str, ...], list[str]] = {}
    for path in paths:
        try:
            footer = pq.read_metadata(path)
            schema = footer.schema.to_arrow_schema()
            not_too_wide(table, path, schema.names)
            shallow(table, path, schema)
            values_held(table, path, footer)
            times_that_are(table, path, schema)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise SourceError(
                f"{table}: {path} cannot be read as Parquet: {first_line(error)} "
                "Write the file again, or name another one."
            ) from None
        held += footer.num_rows
        columns = () if folder is None else partition_names(path.parent.relative_to(folder))
        names = [*schema.names, *columns]
        told = told_apart(table, path, names)
        if told != names and columns:
            raise SchemaError(
                f"{table}: {path} has columns that are alike, or alike but for case, with those of "
                f"its folders ({listing(columns)}) counted; expected names that differ. Rename or "
                "leave out some of them."
            )
        file = str(path.absolute())
        if told != names:  # which of two an engine would rename is its own choice
            texts_of_file(table, path)
            file = _renamed(engine, table, path, told)
        groups.setdefault(columns, []).append(file)
    place = None if folder is None else folder.absolute()
    parts = [
        engine.read_parquet(files, partitions=place if columns else None)
        for columns, files in groups.items()
    ]
    rows = _united(parts)
    texts_held(engine, table, paths, rows)
    read = engine.to_pandas(rows.aggregate(rows=rows.count()))["rows"].iloc[0]
    require_all(table, listing(path.name for path in paths), held, int(read))
    return rows


def _united(parts: Sequence[ir.Table]) -> ir.Table:
    """Return tables below each other, columns by name, null where one has none."""
    if len(parts) == 1:
        return parts[0]
    kinds: dict[str, list[Any]] = {}
    for part in parts:
        for name, kind in part.schema().items():
            kinds.setdefault(name, []).append(kind)
    whole = {name: _common(found) for name, found in kinds.items()}
    return ibis.union(
        *(
            part.select(
                **{
                    name: part[name].cast(kind) if name in part.columns else ibis.null(kind)
                    for name, kind in whole.items()
                }
            )
            for part in parts
        )
    )


def _common(kinds: Sequence[Any]) -> Any:
    """Return the type that holds values of all of these: text, where no narrower does."""
    try:
        return ibis.expr.datatypes.highest_precedence(kinds)
    except IbisTypeError:
        return "string"


def read_whitespace(
    engine: Engine,
    table: str,
    paths: Sequence[Path],
    *,
    names: Sequence[str],
    skip_rows: int,
    encoding: str,
) -> ir.Table:
    """Return text whose columns are separated by spaces, named by position."""
    schema = pa.schema([(name, pa.string()) for name in names])
    parts = []
    for path in paths:
        rows = _words(table, path, len(names), skip_rows, encoding)
        parts.append(to_parquet(engine, table, path, schema, _batched(rows, schema)))
    return engine.read_parquet(parts)


def read_sql(engine: Engine, table: str, url: str, name: str) -> ir.Table:
    """Return a table or view of a SQL database, every column as the database's own text.

    Parameters
    ----------
    engine : Engine
        Holds what is read.
    table : str
        The contract's table that it becomes, for messages.
    url : str
        SQLAlchemy's, such as ``postgresql+psycopg://user@host/base``.
    name : str
        ``table`` or ``schema.table``.

    Raises
    ------
    SourceError
        When the database cannot be reached, or holds no such table. The password is in no
        message.
    """
    import sqlalchemy as sa

    try:
        address = sa.make_url(url)
        shown = masked(url)
        database = sa.create_engine(address)
    except (sa.exc.ArgumentError, ModuleNotFoundError, ValueError) as error:
        raise SourceError(
            f"{table}: sources.database is not a database that can be opened: "
            f"{type(error).__name__}. Expected something like sqlite:///shop.db or "
            "postgresql+psycopg://user@host/base (pip install 'clv[postgres]')."
        ) from None
    space, _, bare = name.rpartition(".")
    try:
        with database.connect() as connection:
            source = sa.Table(bare, sa.MetaData(), schema=space or None, autoload_with=connection)
            names = [column.name for column in source.columns]
            not_too_wide(table, f"{shown}, {name}", names)
            query = sa.select(*(sa.cast(source.c[n], sa.Text) for n in names))
            rows = connection.execution_options(yield_per=ROWS).execute(query)
            told = told_apart(table, shown, names)
            schema = pa.schema([(n, pa.string()) for n in told])
            part = to_parquet(engine, table, shown, schema, _batched(rows, schema))
            held = connection.execute(sa.select(sa.func.count()).select_from(source)).scalar_one()
            require_all(table, f"{shown}, {name}", held, pq.read_metadata(part).num_rows)
    except sa.exc.NoSuchTableError:
        found = sorted(sa.inspect(database).get_table_names(schema=space or None))
        raise SourceError(
            f"{table}: no table {name!r} in {shown}; found {listing(found)}. "
            f"Name the one to read under sources.{table}.table in the settings."
        ) from None
    except sa.exc.SQLAlchemyError as error:
        raise SourceError(f"{table}: {shown} cannot be read: {reason(error)}") from None
    finally:
        database.dispose()
    return engine.read_parquet([part])


def sql_tables(url: str) -> set[str]:
    """Return the names of a SQL database's tables and views."""
    import sqlalchemy as sa

    try:
        database = sa.create_engine(url)
        try:
            inspector = sa.inspect(database)
            return {*inspector.get_table_names(), *inspector.get_view_names()}
        finally:
            database.dispose()
    except (sa.exc.SQLAlchemyError, ModuleNotFoundError, ValueError) as error:
        cause = getattr(error, "orig", None) or error
        problem = f"{type(cause).__name__}: {_hidden(url, reason(error))}"
        raise SourceError(
            f"sources.database cannot be opened: {problem} "
            "Expected something like sqlite:///shop.db or postgresql+psycopg://user@host/base "
            "(pip install 'clv[postgres]')."
        ) from None


def _hidden(url: str, message: str) -> str:
    """Take the address, and with it any password, out of a driver's message."""
    return message.replace(url, "the address")


def require_all(table: str, place: Path | str, held: int, read: int) -> None:
    """Refuse what was read in part.

    Raises
    ------
    SourceError
        With both numbers.
    """
    if held != read:
        raise SourceError(
            f"{table}: {place} holds {held:,} rows and {read:,} were read. Expected the same "
            "number; write the file again as UTF-8 text or Parquet, and report this if it stays."
        )


def _words(
    table: str, path: Path, width: int, skip_rows: int, encoding: str
) -> Iterator[list[str]]:
    """Yield the words of each line of a text file."""
    try:
        with path.open(encoding=encoding) as lines:
            for number, line in enumerate(lines, start=1):
                words = line.split()
                if number <= skip_rows or not words:
                    continue
                if len(words) != width:
                    raise SourceError(
                        f"{table}: {path}, line {number}: {len(words)} columns; expected {width}. "
                        f"Mend the line, or sources.{table}.names in the settings."
                    )
                yield words
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{table}: {path} cannot be read: {first_line(error)}") from None


def _batched(rows: Iterable[Sequence[Any]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Gather rows of text into record batches."""
    iterator = iter(rows)
    while True:
        chunk = list(itertools.islice(iterator, ROWS))
        if not chunk:
            return
        columns = zip(*chunk, strict=True)
        yield pa.record_batch([pa.array(c, pa.string()) for c in columns], schema=schema)


def _renamed(engine: Engine, table: str, path: Path, names: Sequence[str]) -> str:
    """Copy a Parquet file whose columns cannot be told apart, under names that can."""
    with pq.ParquetFile(path) as file:
        fields = [f.with_name(n) for f, n in zip(file.schema_arrow, names, strict=True)]
        return to_parquet(engine, table, path, pa.schema(fields), file.iter_batches(ROWS))


def to_parquet(
    engine: Engine,
    table: str,
    source: Path | str,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
) -> str:
    """Write batches, under the schema's names, to the engine's own directory; return the path."""
    target = engine.scratch()
    try:
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch.rename_columns(schema.names))
    except OSError as error:
        raise StorageError(
            f"{table}: no room to read {source} into {target.parent}: {error.strerror}. "
            "Free some space, or set engine.temp_directory."
        ) from error
    return str(target)


def not_too_wide(table: str, place: Path | str, names: Sequence[str]) -> None:
    """Refuse more columns than the checking of a table can work with.

    Raises
    ------
    SchemaError
        With their number.
    """
    if len(names) > COLUMNS:
        raise SchemaError(
            f"{table}: {place} has {len(names):,} columns; expected at most {COLUMNS:,}. Leave out "
            "those that nothing is made of."
        )


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its name where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
