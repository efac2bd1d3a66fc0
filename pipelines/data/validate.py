"""Validate: the raw tables in, accepted rows and quarantine out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..running.run import Result, Run

if TYPE_CHECKING:
    from clv.company import Company
    from clv.events.histories import Histories


def run(ctx: Run) -> Result:
    """Check the tables against the contract and write validation.json and the quarantine."""
    validation = company_of(ctx).validation
    lines = tuple(
        f"{name}: {table.accepted:,} of {table.rows:,} rows accepted"
        + (f", {table.quarantined:,} quarantined" if table.quarantined else "")
        for name, table in validation.tables.items()
    )
    documents = {"validation": ctx.workspace / "validation.json"}
    if any(table.quarantined for table in validation.tables.values()):
        documents["quarantine"] = validation.quarantine
    return Result("validate", lines, documents, tuple(ctx.notes), validation.as_dict())


def company_of(ctx: Run, *, stop_unknown: bool = True, second_reading: bool = True) -> Company:
    """Read and check the tables once per run.

    Parameters
    ----------
    ctx : Run
    stop_unknown : bool
        Whether to stop where contacts are of nobody who is a customer.
    second_reading : bool
        Whether great-expectations reads the rows too, and must count what the rules count.

    Raises
    ------
    DataError
        When they cannot be used; the quarantine is written all the same.
    """
    if ctx.company is None:
        from clv.company import Company
        from clv.contract.check import examine
        from clv.contract.tables import DataOptions
        from clv.features.customers import require_attributes
        from clv.sources.reading import read_sources
        from clv.sources.spec import SourceSpec

        settings = ctx.settings
        require_attributes(settings.terms.attributes)
        ctx.open()
        with ctx.step("Reading the tables") as on_progress:
            spec = SourceSpec.from_mapping(settings.sources)
            raw = read_sources(ctx.engine, spec)
        if raw.identities is not None:
            ctx.save("identities.json", raw.identities.as_dict())
        with ctx.step("Checking every row") as on_progress:
            checked = examine(
                raw,
                DataOptions(**settings.terms.model_dump(exclude_none=True)),
                quarantine=ctx.workspace / "quarantine" / ctx.run_id,
                loaded_at=ctx.started_at,
                seed=settings.seed,
                second_reading=second_reading,
                on_progress=on_progress,
            )
        ctx.save("validation.json", checked.validation.as_dict())
        ctx.note(checked.tables.notes)
        checked.validation.require(settings.quality.quarantine_limit_share)
        if stop_unknown:
            checked.validation.require_matches(settings.quality.least_match)
        ctx.company = Company(checked, pack=ctx.settings.markers.pack)
    return ctx.company


def histories_of(ctx: Run) -> Histories:
    """Return the company's histories, markers of the words among them, made once per run.

    Raises
    ------
    DataError
        When the tables cannot be used.
    """
    company = company_of(ctx)
    if company.is_ready:
        return company.histories
    if company.has_messages:
        with ctx.step("Finding service behaviours in the words"):
            markers = company.markers
        ctx.note(() if markers is None else markers.notes)
    with ctx.step("Preparing rows"):
        return company.histories
