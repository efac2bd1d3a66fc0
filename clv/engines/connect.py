"""The choice of an engine; none is loaded before it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from clv.errors import UsageError

if TYPE_CHECKING:
    from clv.engines.base import Engine


def connect(
    kind: str = "duckdb",
    *,
    threads: int | None = None,
    memory_limit: str | None = None,
    temp_directory: Path | str | None = None,
    master: str | None = None,
) -> Engine:
    """Open an engine: ``duckdb`` inside this process, or ``spark`` (see ``SparkEngine``).

    Parameters
    ----------
    kind : {"duckdb", "spark"}
    threads : int or None
        Worker threads of this machine.
    memory_limit : str or None
        Of this process, such as ``"2GB"``.
    temp_directory : pathlib.Path or str or None
        Where to hold what does not fit.
    master : str or None
        Spark's; None is that of ``spark-submit``, else this machine.

    Raises
    ------
    UsageError
        For an engine that is not known, or not installed.
    StorageError
        When there is no directory to spill to.
    """
    if kind == "spark":
        from clv.engines.spark import SparkEngine

        return SparkEngine(
            threads=threads,
            memory_limit=memory_limit,
            temp_directory=temp_directory,
            master=master,
        )
    if kind != "duckdb":
        raise UsageError(f"engine: {kind!r} is not an engine; expected 'duckdb' or 'spark'.")
    from clv.engines.duckdb import DuckDBEngine

    place = None if temp_directory is None else Path(temp_directory)
    return DuckDBEngine(threads=threads, memory_limit=memory_limit, temp_directory=place)
