"""The engine for companies beyond one machine: PySpark, on a cluster or on this machine's cores.

It executes the same expressions as DuckDB and holds what it computes as Parquet files, which
every node must see: on a cluster ``temp_directory`` names shared storage.
"""

from __future__ import annotations

import itertools
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from clv.engines.base import BATCH_ROWS, PREFIX, Engine
from clv.engines.spark_forms import (
    LOCAL,
    first_line,
    java_size,
    located,
    plain,
    quoted,
    without_nanoseconds,
)
from clv.engines.spark_sql import SparkCompiler
from clv.errors import SourceError, StorageError, UsageError
from clv.storage import TemporaryFolder, folder, partial, remove_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import ibis.expr.types as ir
    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession

    from clv.errors import ClvError

LOCAL_PARTITIONS = 4
"""Of a shuffle where Spark runs inside this machine; a cluster keeps its own setting."""

NODE_ROWS = 20_000
"""Rows that a Python process of a node works on at a time."""

HELD = {"int64": "bigint", "float64": "double"}

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    # Arithmetic that overflows and text that is no number are errors, as in DuckDB.
    "spark.sql.ansi.enabled": "true",
    # A folder named store=007 means the text, as in DuckDB.
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    # Spark has no nanoseconds; such columns are read as integers and converted here.
    "spark.sql.legacy.parquet.nanosAsLong": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.execution.arrow.maxRecordsPerBatch": str(NODE_ROWS),
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
"""What results depend on; set on every session, also on one that was there before."""


_CONV = ibis.udf.scalar.builtin(
    lambda _digits, _base, _to: None,
    name="conv",
    signature=(("string", "int32", "int32"), "string"),
)
"""Spark's own function: a number in another base."""


class SparkEngine(Engine):
    """PySpark, on the master that ``spark-submit`` names or inside this machine.

    Parameters
    ----------
    threads : int or None
        Cores where Spark runs inside this machine; None takes all.
    memory_limit : str or None
        Of the driver, such as ``"4GB"``.
    temp_directory : pathlib.Path or str or None
        Where computed tables are held: a folder or URI that every node sees. None makes a
        directory on this machine, for Spark that runs inside it.
    master : str or None
        Spark's master; None takes that of ``spark-submit``, else this machine.

    Raises
    ------
    UsageError
        Without pyspark or Java, or on a cluster without ``temp_directory``.
    """

    name = "spark"
    part_rows = sys.maxsize  # Spark cuts its work itself

    def __init__(
        self,
        *,
        threads: int | None = None,
        memory_limit: str | None = None,
        temp_directory: Path | str | None = None,
        master: str | None = None,
    ) -> None:
        self.session, self._own_session = _session(threads, memory_limit, master)
        for key, value in SETTINGS.items():
            self.session.conf.set(key, value)
        if _is_local(self.session):
            self.session.sparkContext.pythonExec = sys.executable
        self._temporary = _temporary(self.session, temp_directory)
        if self._temporary is None:
            self._directory = f"{str(temp_directory).rstrip('/')}/{PREFIX}{uuid.uuid4().hex[:12]}"
        else:
            self._directory = f"{LOCAL}{self._temporary.path.resolve()}"
        self.backend = ibis.pyspark.connect(self.session)
        self.backend.compiler = SparkCompiler()
        self._prefix = f"clv_{uuid.uuid4().hex[:8]}_"
        self._names = (f"{self._prefix}{number}" for number in itertools.count())
        self._texts: dict[Any, str] = {}

    def read_parquet(self, paths: Sequence[str], *, partitions: Path | None = None) -> ir.Table:
        """Return Parquet files as one table."""
        reader = self.session.read.option("mergeSchema", "true").option("__globPaths__", "false")
        if partitions is not None:
            reader = reader.option("basePath", located(str(partitions)))
        rows = self._guard(lambda: reader.parquet(*map(located, paths)))
        return self._named(without_nanoseconds(rows, paths))

    def read_database(self, path: Path, name: str) -> ir.Table:
        """Refuse DuckDB files, which executors cannot share.

        Raises
        ------
        SourceError
            Always.
        """
        raise SourceError(
            f"{path}: Spark does not read DuckDB files (table {name!r}). Export the tables as "
            "Parquet and set sources.folder, or use --engine duckdb."
        )

    def read_shared(self, place: str) -> ir.Table:
        """Return the Parquet files under a URI, or a table of Spark's own catalog.

        Raises
        ------
        SourceError
            When it is not there.
        """
        read = self.session.read.parquet if "://" in place else self.session.table
        return self._named(self._guard(lambda: read(place), SourceError))

    def scratch(self) -> Path:
        """Return a fresh path for a file that ``close`` removes.

        Raises
        ------
        SourceError
            Where tables are held on storage that is no folder of this machine.
        """
        if not self._directory.startswith(LOCAL):
            raise SourceError(
                f"engine.temp_directory is {self._directory}: a CSV file or a SQL database is read "
                "by this machine alone and cannot be put there. Give Parquet that every node "
                "sees, or a temp_directory that is a mounted folder."
            )
        return Path(self._directory.removeprefix(LOCAL)) / next(self._names)

    def frame(self, data: pd.DataFrame | pa.Table) -> ir.Table:
        """Hold a frame in the engine and return it as a table."""
        rows = (
            data if isinstance(data, pa.Table) else pa.Table.from_pandas(data, preserve_index=False)
        )
        return self._held(self.session.createDataFrame(plain(rows)))

    def cache(self, expression: ir.Table, inputs: Mapping[str, ir.Table] | None = None) -> ir.Table:
        """Compute a table once and hold the result as Parquet.

        Where the expression is over unbound tables, ``inputs`` says what they stand for; it
        is then compiled once, however often it is computed for other inputs.
        """
        if inputs is None:
            return self._held(self._rows(expression))
        parts = (f"`{key}` as ({self.backend.compile(rows)})" for key, rows in inputs.items())
        text = f"with {', '.join(parts)} {self._compiled(expression)}"
        return self._held(self._asked(text, expression))

    def release(self, table: ir.Table) -> None:
        """Let go of a table that ``cache`` or ``frame`` returned."""
        name = table.get_name()
        self.session.catalog.dropTempView(name)
        self._remove(f"{self._directory}/{name}")

    def to_pandas(self, expression: ir.Table) -> pd.DataFrame:
        """Compute a table and return it whole."""
        rows = self._guard(lambda: self._rows(expression).toArrow())
        return rows.cast(self._schema(expression)).to_pandas()

    def batches(self, expression: ir.Table, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """Compute a table and return it in record batches of at most ``rows``.

        All nodes compute it at once; then one file at a time comes to this machine, in the
        table's own order.
        """
        schema = self._schema(expression)
        held = self._held(self._rows(expression))
        try:
            for path in self._files(held.get_name()):
                with pq.ParquetFile(path) as file:
                    for batch in file.iter_batches(rows):
                        yield batch.cast(schema)
        finally:
            self.release(held)

    def to_parquet(self, expression: ir.Table, path: Path) -> None:
        """Compute a table and write it to one Parquet file of this machine, in its own order."""
        schema = self._schema(expression)
        try:
            with partial(path) as place, pq.ParquetWriter(place, schema, compression="zstd") as out:
                for batch in self.batches(expression):
                    out.write_batch(batch)
        except OSError as error:
            raise StorageError(f"{path}: cannot be written: {error.strerror or error}.") from error

    def hex_number(self, digits: ir.StringValue) -> ir.IntegerValue:
        """Read up to 15 hexadecimal digits as a whole number."""
        return _CONV(digits, 16, 10).cast("int64")

    def mapped(
        self,
        expression: ir.Table,
        make: Callable[[], Callable[[pa.Table], pa.Table]],
        schema: pa.Schema,
    ) -> ir.Table:
        """Hold a table beside the columns that a function makes of it, on the nodes.

        ``make`` returns the function, which is sent to the nodes and must be importable there.
        """
        from pyspark.sql.pandas.types import from_arrow_schema
        from pyspark.sql.types import StructType

        rows, function = self._rows(expression), make()
        made = StructType([*rows.schema.fields, *from_arrow_schema(schema).fields])

        # Nested, so that it travels by value: a node needs what `function` needs, no more.
        def widened(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                table = pa.Table.from_batches([batch])
                columns = [*table.columns, *function(table).select(schema.names).columns]
                whole = pa.table(columns, names=[*table.column_names, *schema.names])
                yield from whole.combine_chunks().to_batches()

        return self._held(rows.mapInArrow(widened, made))

    def close(self) -> None:
        """Give back memory and disk."""
        for view in self.session.catalog.listTables(pattern=f"{self._prefix}*"):
            self.session.catalog.dropTempView(view.name)
        if self._temporary is None:
            self._remove(self._directory)
        else:
            self._temporary.close()
        if self._own_session:
            self.session.stop()

    def _rows(self, expression: ir.Table) -> DataFrame:
        return self._asked(self.backend.compile(expression), expression)

    def _asked(self, text: str, expression: ir.Table) -> DataFrame:
        """Return a query's rows, in the types that Ibis promises: row numbers are shorter here."""
        rows = self._guard(lambda: self.session.sql(text))
        types = dict(rows.dtypes)
        short = {
            name: rows[quoted(name)].cast(HELD[str(kind)])
            for name, kind in expression.schema().items()
            if str(kind) in HELD and types[name] != HELD[str(kind)]
        }
        return rows.withColumns(short) if short else rows

    def _compiled(self, expression: ir.Table) -> str:
        """Compile an expression over unbound tables once."""
        key = expression.op()
        if key not in self._texts:
            self._texts[key] = f"select * from ({self.backend.compile(expression)})"  # noqa: S608
        return self._texts[key]

    def _held(self, rows: DataFrame) -> ir.Table:
        """Write rows where every node sees them, and return them as a table."""
        name = next(self._names)
        target = f"{self._directory}/{name}"
        self._guard(lambda: rows.write.parquet(target))
        return self._named(self.session.read.schema(rows.schema).parquet(target), name)

    def _named(self, rows: DataFrame, name: str | None = None) -> ir.Table:
        name = name or next(self._names)
        rows.createOrReplaceTempView(name)
        return self.backend.table(name)

    def _files(self, name: str) -> Iterator[Path]:
        """Yield the files of a held table in order, each on this machine while it is read."""
        folder = self._path(f"{self._directory}/{name}")
        system = folder.getFileSystem(self.session._jsc.hadoopConfiguration())
        found = (entry.getPath() for entry in system.listStatus(folder))
        parts = sorted((p for p in found if p.getName().startswith("part-")), key=str)
        if self._directory.startswith(LOCAL):
            yield from (Path(folder.toUri().getPath()) / p.getName() for p in parts)
            return
        with TemporaryFolder(PREFIX) as here:
            for part in parts:
                copy = here / part.getName()
                system.copyToLocalFile(False, part, self._path(str(copy)), True)  # noqa: FBT003
                yield copy
                remove_file(copy)

    def _remove(self, place: str) -> None:
        """Remove a file or folder, wherever Spark can reach."""
        path = self._path(place)
        system = path.getFileSystem(self.session._jsc.hadoopConfiguration())
        system.delete(path, True)  # noqa: FBT003 (Java: recursively)

    def _path(self, place: str) -> Any:
        return self.session._jvm.org.apache.hadoop.fs.Path(place)

    def _schema(self, expression: ir.Table) -> pa.Schema:
        return expression.schema().to_pyarrow()

    def _guard(self, action: Callable[[], Any], kind: type[ClvError] = StorageError) -> Any:
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        try:
            return action()
        except (PySparkException, Py4JError) as error:
            raise kind(f"engine: Spark: {first_line(error)}") from error


def _session(
    threads: int | None, memory_limit: str | None, master: str | None
) -> tuple[SparkSession, bool]:
    """Return the session of this process, and whether it was made here."""
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ModuleNotFoundError as error:
        raise UsageError(
            "engine: 'spark' needs PySpark, which is not installed. Run pip install 'clv[spark]', "
            "or use --engine duckdb."
        ) from error
    active = SparkSession.getActiveSession()
    if active is not None:
        return active, False
    builder = SparkSession.builder.appName("clv").config("spark.log.level", "ERROR")
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    builder = builder.config("spark.driver.maxResultSize", "0")
    if memory_limit is not None:
        builder = builder.config("spark.driver.memory", java_size(memory_limit))
    here = f"local[{threads}]" if master is None and threads is not None else master
    if here is not None:
        builder = builder.master(here)
    if here is not None and here.startswith("local"):
        for key in ("spark.driver.bindAddress", "spark.driver.host"):
            builder = builder.config(key, "127.0.0.1")
        builder = builder.config("spark.ui.enabled", "false")
    try:
        session = builder.getOrCreate()
    except PySparkException as error:
        raise UsageError(
            f"engine: Spark does not start: {first_line(error)} It needs Java 17 or 21 (Debian: "
            "apt-get install openjdk-17-jre-headless); or use --engine duckdb."
        ) from error
    session.sparkContext.setLogLevel("ERROR")
    if _is_local(session):
        session.conf.set("spark.sql.shuffle.partitions", str(LOCAL_PARTITIONS))
    return session, True


def _is_local(session: SparkSession) -> bool:
    return str(session.sparkContext.master).startswith("local")


def _temporary(session: SparkSession, place: Path | str | None) -> TemporaryFolder | None:
    """Return a new folder of this machine for what is computed; None where it is elsewhere."""
    if place is None and not _is_local(session):
        raise UsageError(
            f"engine: Spark runs on {session.sparkContext.master} and engine.temp_directory is not "
            "set. Name storage that every node sees, such as hdfs:///tmp/clv or a mounted folder."
        )
    if place is not None and "://" in str(place):
        return None
    try:
        return TemporaryFolder(PREFIX, None if place is None else folder(Path(place)))
    except OSError as error:
        raise StorageError(
            f"engine: no directory to work in under {place}: {error.strerror}. "
            "Free some space, or set engine.temp_directory."
        ) from error
