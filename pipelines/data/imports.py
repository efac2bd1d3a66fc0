"""Imports: a vendor's export in, tables of the contract out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clv.errors import UsageError, listing

from ..running.run import Result, Run

if TYPE_CHECKING:
    from pathlib import Path

    from clv.sources.adapters import ImportOptions


def run(
    ctx: Run,
    *,
    kind: str,
    source: Path,
    out: Path,
    options: ImportOptions | None = None,
) -> Result:
    """Write the tables, and import-<kind>.json beside them, all in one moment.

    Raises
    ------
    UsageError
        For a vendor that is not known.
    DataError
        When the export lacks a file or a column.
    """
    from clv.engines.duckdb import DuckDBEngine
    from clv.sources.adapters import ADAPTERS, convert

    if kind not in ADAPTERS:
        raise UsageError(f"import: no importer {kind!r}; expected one of {listing(ADAPTERS, 10)}.")
    engine = ctx.engine
    if not isinstance(engine, DuckDBEngine):
        raise UsageError(
            f"import: an export is read by one machine, not by {engine.name}. Set engine.kind to "
            "duckdb for this command; its Parquet is what every engine reads."
        )
    with ctx.step(f"Importing {ADAPTERS[kind].title}") as on_progress:
        made = convert(
            engine,
            ADAPTERS[kind],
            source,
            out,
            options=options,
            on_progress=on_progress,
        )
    ctx.note(made.notes)
    lines = (
        *(f"{name}: {made.rows[name]:,} rows" for name in made.tables),
        f"next: clv validate --data {out}",
    )
    return Result(
        "import", lines, {**made.tables, "record": made.record}, made.notes, made.as_dict()
    )
