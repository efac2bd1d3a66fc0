"""Validate: the raw tables in, accepted rows and quarantine out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.run import Result, Run

if TYPE_CHECKING:
    from clv.data.validation import Checked


def run(ctx: Run) -> Result:
    """Check the tables against the contract and write validation.json and the quarantine."""
    checked = checked_tables(ctx)
    document = checked.validation.as_dict()
    lines = tuple(
        f"{name}: {table['accepted']:,} of {table['rows']:,} rows accepted"
        + (f", {table['quarantined']:,} quarantined" if table["quarantined"] else "")
        for name, table in document["tables"].items()
    )
    return Result(
        "validate",
        lines,
        {"validation": ctx.workspace / "validation.json"},
        tuple(ctx.notes),
        document,
    )


def checked_tables(ctx: Run) -> Checked:
    """Read and check the tables once per run.

    Raises
    ------
    DataError
        When they cannot be used; the quarantine is written all the same.
    """
    if ctx.checked is None:
        from clv.data.contracts import examine
        from clv.data.sources import SourceSpec, read_sources
        from clv.data.tables import Terms

        settings = ctx.settings
        ctx.open()
        with ctx.step("Reading the tables") as on_progress:
            spec = SourceSpec.from_mapping(settings.sources)
            raw = read_sources(ctx.engine, spec)
        with ctx.step("Checking every row") as on_progress:
            checked = examine(
                raw,
                Terms(**settings.terms.model_dump(exclude_none=True)),
                quarantine=ctx.workspace / "quarantine" / ctx.run_id,
                loaded_at=ctx.started_at,
                seed=settings.seed,
                on_progress=on_progress,
            )
        ctx.save("validation.json", checked.validation.as_dict())
        ctx.note(checked.tables.notes)
        checked.validation.require(settings.quality.quarantine_limit_share)
        ctx.checked = checked
    return ctx.checked
