"""Scores: what the published tables say against each other, and going back to the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clv.errors import UsageError

from ..running.run import Result, Run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE = "scores.parquet"


def diff(ctx: Run) -> Result:
    """Compare the current score table with the one before it, and say what the sinks hold.

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
        *sinks_held(ctx, published.runs),
    )
    return Result("scores diff", lines, notes=tuple(ctx.notes), facts=changes.as_dict())


def sinks_held(ctx: Run, runs: tuple[Path, ...]) -> Iterator[str]:
    """Say of each sink that knows it which of the published runs it holds."""
    from clv.scoring import manifest
    from clv.sinks import make_sinks

    for number, sink in enumerate(make_sinks(ctx.settings.scoring.sinks), start=1):
        held = sink.run_held()
        if held is None:
            continue
        names = [run.name for run in runs if manifest(run)["files"][FILE]["sha256"] == held]
        where = f"sink {number} ({sink.kind}) holds"
        if not names:
            yield f"{where} a run that is not published here; `clv score` writes it anew"
        elif names[0] == runs[0].name:
            yield f"{where} the current run"
        else:
            yield f"{where} {names[0]}, which is not current; `clv score` writes it anew"


def rollback(ctx: Run) -> Result:
    """Make the score table before the current one current again, in every sink too."""
    from clv.scoring import rollback as roll_back
    from clv.scoring import survey
    from clv.sinks import make_sinks

    folder = ctx.workspace / "scores"
    sinks = make_sinks(ctx.settings.scoring.sinks)
    ctx.note(survey(folder).notes)
    restored = roll_back(folder, ctx.settings.scoring.wait_seconds, sinks)
    line = f"{restored.name} is current again"
    return Result("scores rollback", (line,), {"scores": restored}, tuple(ctx.notes))
