"""Validate: the raw tables in, accepted rows and quarantine out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.run import Result, Run

if TYPE_CHECKING:
    from clv.contract.validation import Checked
    from clv.events.histories import Prepared


def run(ctx: Run) -> Result:
    """Check the tables against the contract and write validation.json and the quarantine."""
    checked = checked_tables(ctx)
    lines = tuple(
        f"{name}: {table.accepted:,} of {table.rows:,} rows accepted"
        + (f", {table.quarantined:,} quarantined" if table.quarantined else "")
        for name, table in checked.validation.tables.items()
    )
    documents = {"validation": ctx.workspace / "validation.json"}
    if any(table.quarantined for table in checked.validation.tables.values()):
        documents["quarantine"] = checked.validation.quarantine
    return Result(
        "validate",
        lines,
        documents,
        tuple(ctx.notes),
        checked.validation.as_dict(),
    )


def checked_tables(ctx: Run, *, stop_unknown: bool = True) -> Checked:
    """Read and check the tables once per run.

    Parameters
    ----------
    ctx : Run
    stop_unknown : bool
        Whether to stop where contacts are of nobody who is a customer.

    Raises
    ------
    DataError
        When they cannot be used; the quarantine is written all the same.
    """
    if ctx.checked is None:
        from clv.contract.check import examine
        from clv.contract.tables import Terms
        from clv.features.customers import require_attributes
        from clv.sources.spec import SourceSpec, read_sources

        settings = ctx.settings
        require_attributes(settings.terms.attributes)
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
        if stop_unknown:
            checked.validation.require_matches(settings.quality.least_match)
        ctx.checked = checked
    return ctx.checked


def prepared_tables(ctx: Run) -> Prepared:
    """Make the accepted rows ready for any cutoff, markers of the words among them, once per run.

    Raises
    ------
    DataError
        When the tables cannot be used.
    """
    if ctx.prepared is None:
        from clv.features.table import prepare
        from clv.markers.contacts import prepare_markers
        from clv.markers.packs import load_pack

        tables = checked_tables(ctx).tables
        markers = None
        if "messages" in tables and "interactions" in tables:
            with ctx.step("Finding service behaviours in the words"):
                markers = prepare_markers(tables, load_pack(ctx.settings.markers.pack))
            ctx.note(markers.notes)
        with ctx.step("Preparing rows"):
            ctx.prepared = prepare(tables, behaviours=markers)
    return ctx.prepared
