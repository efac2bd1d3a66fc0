"""Alternatives: what would pass where a company's first model does not, tried on the same past."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clv.errors import ClvError

from ..data.validate import company_of

if TYPE_CHECKING:
    from clv.registry import GateResult

    from ..running.run import Run

HORIZONS_DAYS = (180, 90, 30)
PLAIN = "btyd"


def passing(ctx: Run, horizon_days: int) -> str:
    """Try plainer models and shorter horizons until one passes, and say which.

    Parameters
    ----------
    ctx : Run
    horizon_days : int
        Of the model that did not pass.

    Returns
    -------
    str
        A sentence: the settings that pass, or that none of those tried does and why.
    """
    tried = [(horizon_days, PLAIN)]
    for shorter in (days for days in HORIZONS_DAYS if days < horizon_days):
        tried += [(shorter, ctx.settings.training.model), (shorter, PLAIN)]
    failed = []
    for horizon, model in dict.fromkeys(tried):
        named = f"training.horizon_days {horizon} with training.model {model}"
        if (horizon, model) == (horizon_days, ctx.settings.training.model):
            continue
        try:
            gate = _asked(ctx, horizon, model)
        except ClvError as error:
            failed.append(f"{named} cannot be fitted ({type(error).__name__})")
            continue
        if gate.passed:
            return f"Tried on the same tables: {named} passes. Set them and train again."
        failed.append(f"{named} ({gate.in_words()})")
    return f"Tried on the same tables, and none passes: {'; '.join(failed)}."


def _asked(ctx: Run, horizon_days: int, model: str) -> GateResult:
    """Test a model on the past and ask the gate, as if it had been registered and loaded."""
    from clv.evaluation.backtest import run_backtest
    from clv.evaluation.documents import backtest_metrics
    from clv.lifetime_value import LifetimeValue
    from clv.registry import GateLimits, promotion_gate

    options = ctx.settings.training.model_dump() | {"horizon_days": horizon_days, "model": model}
    made = LifetimeValue(**options, seed=ctx.settings.seed)
    with ctx.step(f"Trying {horizon_days} days, {model}") as on_progress:
        panel = made.panel(company_of(ctx), as_of=ctx.settings.as_of, on_progress=on_progress)
        backtest = run_backtest(panel, made.model_options(), on_progress)
    return promotion_gate(
        backtest_metrics(backtest),
        model=backtest.chosen,
        loads=True,
        limits=GateLimits(**ctx.settings.gate.model_dump(), level=backtest.level),
    )
