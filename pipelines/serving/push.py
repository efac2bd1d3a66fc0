"""Push: the published scores into a live CRM, what changed and no more."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from clv.errors import UsageError

from ..running.run import Result, Run

if TYPE_CHECKING:
    from pathlib import Path

LEDGERS = "push"


def run(
    ctx: Run,
    kind: str,
    *,
    scores: Path | None = None,
    everything: bool = False,
    dry_run: bool = False,
) -> Result:
    """Make a CRM hold the current score table.

    Raises
    ------
    UsageError
        When nothing was published yet, or the settings or credentials do not fit.
    SinkError
        When the CRM is away or takes the token no more; the next push goes on.
    """
    from clv.push import PushOptions, make_destination, push, write_refused
    from clv.scoring import survey
    from clv.scoring.publish import SCORE_FILE

    destination = make_destination(kind, getattr(ctx.settings.push, kind, {}))
    folder = scores or ctx.workspace / "scores"
    published = survey(folder)
    ctx.note(published.notes)
    if not published.runs:
        raise UsageError(
            f"{folder}: holds no published scores; expected some to push. Run `clv score` first."
        )
    current = published.runs[0]
    with ctx.step(f"Pushing {current.name} to {kind}") as on_progress:
        pushed = push(
            current / SCORE_FILE,
            destination,
            ctx.workspace / LEDGERS / f"{kind}.db",
            environment=os.environ,
            pause=time.sleep,
            options=PushOptions(everything, dry_run, ctx.settings.scoring.wait_seconds),
            on_progress=on_progress,
        )
    counts = pushed.counts
    lines = [
        f"{pushed.place}: {counts.changed:,} of {counts.wanted:,} records have changed, "
        f"{counts.gone:,} are to be emptied",
    ]
    if not dry_run:
        lines.append(
            f"{pushed.written:,} written, {pushed.emptied:,} emptied, "
            f"{len(pushed.refused):,} refused"
        )
    lines += [f"refused: {count:,} {reason}" for reason, count in pushed.reasons.items()]
    lines += [f"not sent: {count:,} rows, {reason}" for reason, count in pushed.unfit.items()]
    documents = {"push": ctx.save(f"push-{kind}.json", {"run": current.name, **pushed.as_dict()})}
    if not dry_run:
        place = ctx.workspace / LEDGERS / f"{kind}-refused.csv"
        documents["refused"] = write_refused(place, pushed.refused)
    return Result("push", tuple(lines), documents, tuple(ctx.notes), pushed.as_dict())
