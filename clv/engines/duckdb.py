"""The engine inside this process: DuckDB, in bounded memory, spilling to disk."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from clv.engines.base import BATCH_ROWS, PREFIX, Engine, partition_names
from clv.engines.duckdb_sql import Compiler, file_name, identifier, members_sql, objects_sql, quoted
from clv.engines.json_records import json_records
from clv.errors import SourceError, StorageError, listing
from clv.storage import TemporaryFolder, folder, partial

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import ibis.expr.types as ir
    import pandas as pd

PART_ROWS = 4_000_000
"""Orders and contacts worked on at a time: under 1 GB with all their features."""
CLOSED = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}
"""Nothing is fetched from the network or loaded because a query would like it."""

_HELD = {"int64": "bigint", "float64": "double"}


class DuckDBEngine(Engine):
    """DuckDB inside this process.

    Parameters
    ----------
    threads : int or None
        Worker threads; None leaves the choice to DuckDB.
    memory_limit : str or None
        Such as ``"2GB"``; what does not fit is spilled to ``temp_directory``.
    temp_directory : pathlib.Path or None
        Where to spill; None makes a directory that ``close`` removes.

    Examples
    --------
    >>> import pandas as pd
    >>> with DuckDBEngine(threads=1) as engine:
    ...     table = engine.frame(pd.DataFrame({"x": [1, 2]}))
    ...     engine.to_pandas(table.aggregate(total=table.x.sum())).total.tolist()
    [3]
    """

    name = "duckdb"
    part_rows = PART_ROWS

    def __init__(
        self,
        *,
        threads: int | None = None,
        memory_limit: str | None = None,
        temp_directory: Path | None = None,
    ) -> None:
        try:
            if temp_directory is not None:
                folder(temp_directory)
            self._temporary = TemporaryFolder(PREFIX, temp_directory)
        except (OSError, StorageError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error).rstrip(".")
            raise StorageError(
                f"engine: no directory to spill to under {temp_directory}: {why}. "
                "Free some space, or set engine.temp_directory."
            ) from error
        self._directory = self._temporary.path
        settings: dict[str, Any] = CLOSED | {"temp_directory": str(self._directory)}
        if threads is not None:
            settings["threads"] = threads
        if memory_limit is not None:
            settings["memory_limit"] = memory_limit
        self.backend = ibis.duckdb.connect(":memory:", **settings)
        self.backend.compiler = Compiler()
        self.connection: duckdb.DuckDBPyConnection = self.backend.con
        self.connection.execute("set global timezone = 'UTC'")  # of every cursor
        # In a notebook without ipywidgets there is no bar, and DuckDB refuses to be told so.
        with contextlib.suppress(duckdb.InvalidInputException):
            self.connection.execute("set enable_progress_bar = false")
        self.connection.execute("set preserve_insertion_order = false")
        self.connection.execute("set lock_configuration = true")
        self._settings = settings
        self._names = (f"clv_{number}" for number in itertools.count())
        self._texts: dict[Any, str] = {}
        self._attached: dict[Path, str] = {}
        self._files: list[str] = []

    def read_parquet(self, paths: Sequence[str], *, partitions: Path | None = None) -> ir.Table:
        """Return Parquet files as one table."""
        # A view of our own: the one Ibis makes is temporary, and no other cursor sees it.
        name = next(self._names)
        listed = ", ".join(file_name(path) for path in paths)
        self._files += [path for path in paths if Path(path).parent != self._directory]
        # Folders above the table's own are no columns of it, whatever they are called.
        above = () if partitions is None else partition_names(partitions)
        without = f" exclude ({', '.join(map(identifier, above))})" if above else ""
        self.run(
            f'create view "{name}" as select *{without} from '  # noqa: S608 (own names, quoted paths)
            f"read_parquet([{listed}], hive_partitioning = {partitions is not None}, "
            "hive_types_autocast = false, union_by_name = true)"
        )
        return self.backend.table(name)

    def read_database(self, path: Path, name: str) -> ir.Table:
        """Return a table of a DuckDB file, opened for reading only.

        Raises
        ------
        SourceError
            When the file is no DuckDB database, another process writes to it, or it holds
            no table of that name.
        """
        catalog = self._attached.get(path)
        try:
            if catalog is None:
                catalog = next(self._names)
                self.connection.execute(f'attach {quoted(path)} as "{catalog}" (read_only)')
                self._attached[path] = catalog
            rows = self.connection.execute(
                "select table_name, table_type from information_schema.tables "
                "where table_catalog = ? and table_schema = 'main' order by table_name",
                [catalog],
            ).fetchall()
            found = dict(rows)
        except duckdb.Error as error:
            raise SourceError(
                f"{path}: cannot be read as a DuckDB database: {_first_line(error)} "
                "Name a database file that no other process is writing to."
            ) from error
        if name not in found:
            raise SourceError(
                f"{path}: no table {name!r}; found {listing(found)}. "
                "Name the one to read under sources.<table>.table in the settings."
            )
        if found[name] == "VIEW":  # a statement that somebody else wrote
            return self._read_view(path, name)
        return self.backend.table(name, database=(catalog, "main"))

    def _read_view(self, path: Path, name: str) -> ir.Table:
        """Copy a view's rows by a connection that sees no file outside the database's folder."""
        target, folder = self.scratch(), path.resolve().parent
        with duckdb.connect(":memory:", config=self._settings) as apart:
            try:
                for setting in (
                    "global timezone = 'UTC'",
                    "python_enable_replacements = false",
                    f"allowed_directories = [{quoted(folder)}]",
                    "enable_external_access = false",
                    "lock_configuration = true",
                ):
                    apart.execute(f"set {setting}")
                apart.execute(f"attach {quoted(path.resolve())} as source (read_only)")
                rows = apart.sql(f"select * from source.main.{identifier(name)}")  # noqa: S608
                reader = rows.to_arrow_reader(BATCH_ROWS)
                with pq.ParquetWriter(target, reader.schema, compression="zstd") as writer:
                    for batch in reader:
                        writer.write_batch(batch)
            except (duckdb.Error, pa.ArrowException) as error:
                raise SourceError(
                    f"{path}: the view {name!r} cannot be read: {_first_line(error)} A view may "
                    f"read the database and files in {folder}; copy what else it needs into a "
                    "table of the database."
                ) from error
        return self.read_parquet([str(target)])

    def read_json(self, paths: Sequence[Path], member: str) -> ir.Table:
        """Return the objects of JSON files as a table of two columns of text, json and file.

        Parameters
        ----------
        paths : sequence of pathlib.Path
            One object per line, an array of objects, or pages that hold such an array.
        member : str
            The name of that array in a page.

        Raises
        ------
        SourceError
            When a file is no JSON.
        """
        pages, name = next(self._names), next(self._names)
        self._read_objects(paths, pages)
        self.run(members_sql(name, pages, member))
        self.run(f'drop table "{pages}"')
        return self.backend.table(name)

    def _read_objects(self, paths: Sequence[Path], name: str) -> None:
        """Hold the objects of JSON files, as many as a pass of its own counts in each."""
        # What a first line makes DuckDB take for a value a line may be over several after all.
        for form in ("auto", "unstructured"):
            try:
                self.connection.execute(objects_sql(name, paths, form))
                break
            except duckdb.InvalidInputException as error:
                problem = error
        else:
            raise SourceError(
                f"{paths[0].parent}: cannot be read as JSON: {_first_line(problem)} "
                "Expected one object per line, or an array of objects."
            ) from problem
        counts = "file, count(*), count_if(json_type(json) = 'OBJECT')"
        rows = self.connection.execute(f'select {counts} from "{name}" group by 1').fetchall()  # noqa: S608
        read = {file: (values, objects) for file, values, objects in rows}
        for path in paths:
            held = json_records(path)
            values, objects = read.get(str(path), (0, 0))
            if not held.whole:
                raise SourceError(
                    f"{path}: breaks off before its last bracket is closed. Export it again, whole."
                )
            if not values == objects == held.objects:
                raise SourceError(
                    f"{path}: holds {held.objects:,} objects; {values:,} values were read, "
                    f"{objects:,} of them objects. Expected one object per line, or an array of "
                    "objects, and nothing else."
                )

    def read_shared(self, place: str) -> ir.Table:
        """Refuse what Spark alone reads.

        Raises
        ------
        SourceError
            Always.
        """
        raise SourceError(
            f"{place}: URIs and catalog tables are read by Spark. Use --engine spark, or copy the "
            "table to a folder of this machine."
        )

    def scratch(self) -> Path:
        """Return a fresh path for a file that ``close`` removes."""
        return self._directory / next(self._names)

    def frame(self, data: pd.DataFrame | pa.Table) -> ir.Table:
        """Hold a frame in the engine and return it as a table."""
        rows = (
            data if isinstance(data, pa.Table) else pa.Table.from_pandas(data, preserve_index=False)
        )
        name = next(self._names)
        self.connection.register(f"{name}_rows", rows)
        self.run(f'create table "{name}" as select * from "{name}_rows"')  # noqa: S608 (own names)
        self.connection.unregister(f"{name}_rows")
        return self.backend.table(name)

    def cache(self, expression: ir.Table, inputs: Mapping[str, ir.Table] | None = None) -> ir.Table:
        """Compute a table once and hold the result, spilled to disk where it is large.

        Where the expression is over unbound tables, ``inputs`` says what they stand for; it
        is then compiled once, however often it is computed for other inputs.
        """
        name = next(self._names)
        if inputs is None:
            body = self._select(expression)
        else:
            parts = (f'"{key}" as ({self._select(rows)})' for key, rows in inputs.items())
            body = f"with {', '.join(parts)} {self._compiled(expression)}"
        self.run(f'create table "{name}" as {body}')
        return self.backend.table(name)

    def release(self, table: ir.Table) -> None:
        """Let go of a table that ``cache`` or ``frame`` returned."""
        self.run(f'drop table if exists "{table.get_name()}"')

    def to_pandas(self, expression: ir.Table) -> pd.DataFrame:
        """Compute a table and return it whole."""
        batches = list(self.batches(expression))
        return pa.Table.from_batches(batches, self._schema(expression)).to_pandas()

    def batches(self, expression: ir.Table, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """Compute a table and return it in record batches of at most ``rows``.

        The cursor is its own, so that other expressions may run while one is being read.
        """
        schema = self._schema(expression)
        cursor = self.connection.cursor()
        try:
            reader = self._guard(lambda: cursor.sql(self._select(expression)).to_arrow_reader(rows))
            while (batch := self._guard(lambda: next(reader, None))) is not None:
                yield batch.cast(schema)
        finally:
            cursor.close()

    def to_parquet(self, expression: ir.Table, path: Path) -> None:
        """Compute a table and write it to one Parquet file, whole, in the table's own order."""
        with partial(path) as place:
            self.run(
                f"copy ({self._select(expression)}) to {quoted(place)} "
                "(format parquet, compression zstd, preserve_order true)"
            )

    def hex_number(self, digits: ir.StringValue) -> ir.IntegerValue:
        """Read up to 15 hexadecimal digits as a whole number."""
        return (ibis.literal("0x") + digits).cast("int64")

    def mapped(self, *_: object) -> None:
        """Nothing: there are no nodes but this process."""

    def run(self, sql: str) -> None:
        """Execute a statement that this module wrote."""
        self._guard(lambda: self.connection.execute(sql))

    def close(self) -> None:
        """Give back memory and disk."""
        self.backend.disconnect()
        self._temporary.close()

    def _compiled(self, expression: ir.Table) -> str:
        """Compile an expression over unbound tables once."""
        key = expression.op()
        if key not in self._texts:
            self._texts[key] = self._select(expression)
        return self._texts[key]

    def _select(self, expression: ir.Table) -> str:
        """Compile, and hold columns to the types Ibis promises.

        Sums of integers are wider here, and literals with a point are decimals.
        """
        body = self.backend.compile(expression)
        columns = ", ".join(
            f"cast({name} as {_HELD[kind]}) as {name}" if kind in _HELD else name
            for name, kind in (
                (identifier(name), str(kind)) for name, kind in expression.schema().items()
            )
        )
        return f"select {columns} from ({body})"  # noqa: S608 (compiled by Ibis)

    def _schema(self, expression: ir.Table) -> pa.Schema:
        return expression.schema().to_pyarrow()

    def _guard(self, action: Any) -> Any:
        try:
            return action()
        except (duckdb.InterruptException, RuntimeError) as error:
            if "interrupted" in str(error).lower():
                raise KeyboardInterrupt from error  # what Ctrl-C is everywhere else
            raise
        except duckdb.OutOfMemoryException as error:
            raise StorageError(
                f"engine: {_first_line(error)} Raise engine.memory_limit, or free space in "
                f"{self._directory.parent}."
            ) from error
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            if _may_be_afile_name(error):
                for path in self._files:
                    self._read_through(path)
            if isinstance(error, duckdb.IOException | OSError):
                raise StorageError(f"engine: {_first_line(error)}") from error
            raise

    def _read_through(self, path: str) -> None:
        """Refuse a Parquet file that is broken beyond its schema, which alone was read before."""
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(
                    f"select max(hash(columns(*))) from read_parquet({file_name(path)})"  # noqa: S608
                ).fetchall()
        except duckdb.Error as error:
            if _may_be_afile_name(error):
                raise SourceError(
                    f"{path} cannot be read as Parquet: {_first_line(error)} "
                    "Write the file again, or name another one."
                ) from error


def _may_be_afile_name(error: Exception) -> bool:
    """Say whether a broken file can have caused an error; one of another kind is the engine's.

    What DuckDB has no name for, such as a page of Parquet that it cannot follow, is a plain
    ``Error``.
    """
    if type(error) is duckdb.Error or isinstance(error, pa.ArrowException):
        return True
    if isinstance(error, duckdb.IOException):
        return "write" not in str(error).lower()  # a full disk is not the source's
    return isinstance(error, duckdb.InvalidInputException | duckdb.SerializationException)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
