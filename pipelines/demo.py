"""Demo: the whole product on a synthetic company, one pipeline after the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from clv.errors import GateError
from clv.notes import Note

from .data import simulate, validate
from .explaining import attribute, report
from .learning import train
from .running.run import Result
from .serving import monitor, score

if TYPE_CHECKING:
    from .running.run import Run

CONFIG = Path(__file__).parent / "config" / "demo.yaml"
COMPANY = "company"


def run(ctx: Run, *, customers: int) -> Result:
    """Simulate, validate, train, register, promote, score, monitor, attribute and report."""
    simulate.run(ctx, out=ctx.workspace / COMPANY, customers=customers)
    validate.run(ctx)
    model = _trained(ctx)
    scored = score.run(ctx, model=model, guarded=False)  # a demo before was another company
    monitor.run(ctx)
    attribute.run(ctx, model=model)
    reported = report.run(ctx)
    ui = f"mlflow ui --backend-store-uri {ctx.registry().uri}"
    return Result(
        "demo",
        (*reported.lines, f"models and runs: {ui}"),
        {**scored.documents, **reported.documents},
        tuple(ctx.notes),
    )


def _trained(ctx: Run) -> str | None:
    """Train, and return the model to go on with: a small company's may not pass the gate."""
    try:
        train.run(ctx, promote=True, alternative=False)
    except GateError as error:
        ctx.note([Note("gate", "demo", 0, f"going on with the challenger: {error}")])
        return f"models:/{ctx.settings.registry.name}@challenger"
    return None
