"""Backtest: the models against the company's own past, without registering anything."""

from __future__ import annotations

from ..running.run import Result, Run
from .train import build, model_options


def run(ctx: Run) -> Result:
    """Measure blend, BTYD, LightGBM and naive forecasts on rolling cutoffs with a gap."""
    from clv.evaluation.backtest import run_backtest

    options = model_options(ctx)
    panel = build(ctx)
    with ctx.step("Testing on the past") as on_progress:
        backtest = run_backtest(panel, options, on_progress)
    document = backtest.as_dict()
    ctx.save("backtest.json", document)
    ctx.note(backtest.notes)
    lines = tuple(
        f"{name:12} Gini {m['gini'].mean:6.3f}   Spearman {m['spearman'].mean:6.3f}   "
        f"MAE {m['mae'].mean:9.2f}   total {m['total_bias'].mean:+7.1%}"
        for name, m in backtest.models.items()
    )
    return Result("backtest", lines, {"backtest": ctx.workspace / "backtest.json"}, facts=document)
