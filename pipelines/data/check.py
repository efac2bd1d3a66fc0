"""Check: what is within reach, and what could be computed from these tables."""

from __future__ import annotations

from ..running.run import Result, Run
from .validate import company_of, histories_of


def run(ctx: Run) -> Result:
    """Read sources, open registry and sinks, and say which ids match and which features follow."""
    from clv.contract.matching import match_lines
    from clv.features.table import build_feature_table
    from clv.sinks import make_sinks

    make_sinks(ctx.settings.scoring.sinks)
    registry = ctx.registry()
    company = company_of(ctx, stop_unknown=False)
    for line in match_lines(company.validation.matches):
        ctx.say(line)
    company.validation.require_matches(ctx.settings.quality.least_match)
    versions = registry.versions()
    first, last = company.tables.span()
    day = ctx.settings.as_of or last
    table = build_feature_table(histories_of(ctx), day)
    ctx.note(table.notes)
    champion = registry.alias("champion")
    lines = (
        f"orders from {first} to {last}",
        f"{len(table.features)} features can be computed",
        f"registry: {len(versions)} versions, champion "
        + ("none yet" if champion is None else champion.uri),
        f"sinks: {len(ctx.settings.scoring.sinks)} besides Parquet and CSV",
    )
    table.close()
    return Result("check", lines, notes=tuple(ctx.notes))
