"""What executes Ibis expressions: one interface, and the choice between its two engines.

Everything above this module writes expressions and hands them here; nothing else knows
which engine runs. DuckDB, the default, is in ``clv.engines.duckdb``, Spark in
``clv.engines.spark``; neither is loaded before it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    import ibis.expr.types as ir
    import pandas as pd
    import pyarrow as pa

BATCH_ROWS = 100_000
PREFIX = "clv-engine-"
"""What the names of engines' temporary folders begin with."""


class Engine(Protocol):
    """What clv needs of an engine; one instance per run.

    Attributes
    ----------
    name : str
        As in the settings.
    part_rows : int
        Events that it had better work on at a time.
    """

    name: str
    part_rows: int

    def read_parquet(self, paths: Sequence[str], *, partitions: Path | None = None) -> ir.Table:
        """Return Parquet files as one table.

        Parameters
        ----------
        paths : sequence of str
            Names, not patterns.
        partitions : pathlib.Path, optional
            The folder under which folders named ``column=value`` are columns of text; the files
            agree in these columns.
        """

    def read_database(self, path: Path, name: str) -> ir.Table:
        """Return a table of a DuckDB file."""

    def read_shared(self, place: str) -> ir.Table:
        """Return the Parquet files under a URI, or a table of the engine's own catalog."""

    def scratch(self) -> Path:
        """Return a fresh path for a file that ``close`` removes."""

    def frame(self, data: pd.DataFrame | pa.Table) -> ir.Table:
        """Hold a frame in the engine and return it as a table."""

    def cache(self, expression: ir.Table, inputs: Mapping[str, ir.Table] | None = None) -> ir.Table:
        """Compute a table once and hold the result, spilled to disk where it is large.

        Where the expression is over unbound tables, ``inputs`` says what they stand for; it
        is then compiled once, however often it is computed for other inputs.
        """

    def release(self, table: ir.Table) -> None:
        """Let go of a table that ``cache`` or ``frame`` returned."""

    def to_pandas(self, expression: ir.Table) -> pd.DataFrame:
        """Compute a table and return it whole."""

    def batches(self, expression: ir.Table, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """Compute a table and return it in record batches of at most ``rows``."""

    def to_parquet(self, expression: ir.Table, path: Path) -> None:
        """Compute a table and write it to one Parquet file."""

    def hex_number(self, digits: ir.StringValue) -> ir.IntegerValue:
        """Read up to 15 hexadecimal digits as a whole number."""

    def mapped(
        self,
        expression: ir.Table,
        make: Callable[[], Callable[[pa.Table], pa.Table]],
        schema: pa.Schema,
    ) -> ir.Table | None:
        """Hold a table beside the columns that a function makes of it, on the nodes.

        ``make`` returns the function; it is not called, and the answer is None, where there
        are no nodes but this process, which may as well use the function itself.
        """

    def close(self) -> None:
        """Give back memory and disk."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def partition_names(folder: Path) -> tuple[str, ...]:
    """Return the columns that a path's folders name, from the top, as engines read them.

    Examples
    --------
    >>> from pathlib import Path
    >>> partition_names(Path("orders/year=2025/month=1"))
    ('year', 'month')
    """
    return tuple(part.partition("=")[0] for part in folder.parts if "=" in part[1:])
