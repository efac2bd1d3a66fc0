"""Scores: what the published tables say against each other, and going back to the one before."""

from __future__ import annotations

from clv.errors import UsageError

from ..running.run import Result, Run

FILE = "scores.parquet"


def diff(ctx: Run) -> Result:
    """Compare the current score table with the one before it.

    Raises
    ------
    UsageError
        When fewer than two tables were published.
    """
    from clv.scoring import compare, survey

    folder = ctx.workspace / "scores"
    published = survey(folder)
    ctx.note(published.notes)
    if len(published.runs) < 2:
        raise UsageError(
            f"{folder}: holds {len(published.runs)} published tables; expected two to compare. "
            "Run `clv score` for another day or model."
        )
    here, before = published.runs[:2]
    changes = compare(before / FILE, here / FILE)
    lines = (
        f"{before.name} → {here.name}",
        f"customers {changes.before:,} → {changes.after:,}: {changes.entered:,} entered, "
        f"{changes.left:,} left",
        f"value decile: {changes.decile_up:,} up, {changes.decile_down:,} down",
        f"total clv {changes.total_before:,.2f} → {changes.total_after:,.2f}; "
        f"{changes.clv_changed:,} customers have another value",
    )
    return Result("scores diff", lines, notes=tuple(ctx.notes), facts=changes.as_dict())


def rollback(ctx: Run) -> Result:
    """Make the score table before the current one current again."""
    from clv.scoring import rollback as roll_back
    from clv.scoring import survey

    folder = ctx.workspace / "scores"
    ctx.note(survey(folder).notes)
    restored = roll_back(folder)
    line = f"{restored.name} is current again"
    return Result("scores rollback", (line,), {"scores": restored}, tuple(ctx.notes))
