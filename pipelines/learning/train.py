"""Train: fit, backtest, register, verify; with `promote`, make champion if the gate passes."""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata
from typing import TYPE_CHECKING, Any

from clv.errors import GateError

from ..data.validate import company_of, histories_of
from ..running.documents import REGISTERED, digests_of
from ..running.run import Result, Run
from . import alternatives, lifecycle

if TYPE_CHECKING:
    import datetime as dt

    import pandas as pd

    from clv.evaluation.backtest import Backtest
    from clv.lifetime_value import LifetimeValue
    from clv.models.lifetime_value import LifetimeModel
    from clv.models.model_info import ModelInfo
    from clv.models.options import ModelOptions
    from clv.models.training.panel import Panel
    from clv.monitoring import Profile
    from clv.registry import RunFacts, Version

PROFILE = "profile.json"
"""The training population, logged with the model: what drift is measured against."""


def run(ctx: Run, *, promote: bool = False, alternative: bool = True) -> Result:
    """Train on the legal cutoffs, log everything, register, and verify in a fresh process.

    Parameters
    ----------
    ctx : Run
    promote : bool
        Make the model champion, if the gate passes.
    alternative : bool
        Where a first model does not pass, try which plainer or shorter one would.

    Raises
    ------
    GateError
        When the gate says no to the promotion.
    """
    from clv.evaluation.backtest import run_backtest
    from clv.evaluation.documents import contributions_document, training_document
    from clv.evaluation.stability import stability
    from clv.models.lifetime_value import LifetimeModel
    from clv.models.training.folds import out_of_fold

    ctx.reach_registry()
    company = company_of(ctx)
    options = model_options(ctx)
    panel = build(ctx)
    options = tuned(ctx, panel, options)
    with ctx.step("Testing on the past") as on_progress:
        folds = out_of_fold(panel, options, on_progress)
        backtest = run_backtest(panel, options, on_progress, folds=folds)
    with ctx.step("Fitting the models") as on_progress:
        model = LifetimeModel.fit(panel, options, on_progress, folds=folds)
    portfolio = panel.at(panel.windows[-1])
    with ctx.step("Splitting value over its groups"):
        contributions = contributions_document(model, portfolio)
        audit = audited(model, portfolio, contributions)
        again = stability(model, panel, folds, options, portfolio)
        contributions["stability"] = None if again is None else again.as_dict()
        profile = _profile(model, portfolio)
    with ctx.step("Drawing what the model used"):
        pictures = _pictures(model, portfolio, backtest)
    validation = company.validation.as_dict()
    fingerprint = company.validation.fingerprint
    training = training_document(model.info, backtest, fingerprint)
    documents = {
        "validation.json": validation,
        "backtest.json": backtest.as_dict(),
        "contributions.json": contributions,
        "training.json": training,
    }
    registered = {**documents, PROFILE: profile.as_dict()}
    ctx.save(REGISTERED, digests_of(registered), latest=False)
    with ctx.step("Registering, and loading it back in a fresh process"):
        registry = ctx.registry()
        version = registry.log_training(
            model,
            parameters=_parameters(ctx, options, panel),
            metrics={**_metrics(model.info, backtest), **audit},
            artifacts=registered,
            tags=_tags(model.info, fingerprint),
            about=_about(ctx, model, validation, pictures),
        )
        gate = lifecycle.asked(ctx, registry, version)[0]
        registry.note_gate(version, gate)
    training |= {"model_name": version.name, "model_version": version.number}
    training["gate"] = gate.in_short()
    for name, document in documents.items():
        ctx.save(name, document)
    ctx.note((*model.info.notes, *backtest.notes))
    lines = [f"model {version.uri}: {_fitted_to(model.info)}", _finding(backtest)]
    if promote:
        lines += _promoted(ctx, version, model.info.horizon_days, alternative=alternative)
    paths = {name.removesuffix(".json"): ctx.workspace / name for name in documents}
    return Result("train", tuple(lines), paths, tuple(ctx.notes), training)


def _promoted(
    ctx: Run, version: Version, horizon_days: int, *, alternative: bool
) -> tuple[str, ...]:
    """Promote; where there is no champion to go on with, say what would pass instead."""
    try:
        why = "clv train --promote"
        return lifecycle.promote(ctx, version=str(version.number), why=why).lines
    except GateError as error:
        if not alternative or ctx.registry().alias("champion") is not None:
            raise
        raise GateError(f"{error} {alternatives.passing(ctx, horizon_days)}") from error


def _profile(model: LifetimeModel, portfolio: pd.DataFrame) -> Profile:
    """Learn what the model reads and says, for later runs to be held against."""
    from clv.monitoring import SCORES, Profile

    said = model.predict(portfolio)[list(SCORES)].set_axis(portfolio.index)
    return Profile.learn(portfolio.join(said), (*model.info.features, *SCORES))


def _tags(info: ModelInfo, fingerprint: str) -> dict[str, str]:
    return {
        "data_fingerprint": fingerprint,
        "feature_fingerprint": info.fingerprint,
        "code_version": metadata.version("clv"),
        "as_of": info.training_cutoff,
        "horizon_days": str(info.horizon_days),
    }


def _metrics(info: ModelInfo, backtest: Backtest) -> dict[str, float]:
    """Return the figures that a person reads first, and all the others."""
    from clv.evaluation.documents import headline_metrics, logged_metrics
    from clv.registry import HEADLINE

    first = {f"{HEADLINE}{k}": v for k, v in headline_metrics(info, backtest).items()}
    return {**first, **logged_metrics(info, backtest)}


def _fitted_to(info: ModelInfo) -> str:
    return (
        f"{info.horizon_days} days from {info.training_cutoff}, {info.customers:,} customers, "
        f"{len(info.features)} features"
    )


def _about(
    ctx: Run, model: LifetimeModel, validation: dict[str, Any], pictures: dict[str, bytes]
) -> RunFacts:
    """Return what a person reads of the run in MLflow."""
    from clv.registry import RunFacts

    kept = ("rows", "accepted", "quarantined", "first", "last")
    tables = {
        name: {key: table[key] for key in kept} for name, table in validation["tables"].items()
    }
    return RunFacts(
        name=f"train {model.info.training_cutoff} h{model.info.horizon_days}",
        source="clv train",
        started_ms=int(ctx.started_at.timestamp() * 1000),
        dataset={
            "name": "company tables",
            "digest": validation["fingerprint"],
            "profile": tables,
        },
        pictures=pictures,
    )


def _pictures(
    model: LifetimeModel, portfolio: pd.DataFrame, backtest: Backtest
) -> dict[str, bytes]:
    """Return the pictures of a training: shap's, and those of the backtest."""
    from clv.evaluation.explanation import shap_pictures

    plot = backtest.plot
    drawn = {
        "calibration.png": plot.calibration(),
        "deciles.png": plot.deciles(),
        "gains.png": plot.gains(),
        "tracking.png": plot.tracking(),
    }
    found = {name: picture.png() for name, picture in drawn.items()}
    return {**shap_pictures(model, portfolio), **found}


def audited(
    model: LifetimeModel, portfolio: pd.DataFrame, document: dict[str, Any]
) -> dict[str, float]:
    """Add to contributions.json how far they hold; return the audit's metrics."""
    from clv.evaluation.shapley_audit import audit_model, share_intervals

    groups = [row["group"] for row in document["groups"]]
    intervals = share_intervals(model.contributions(portfolio), groups)
    for row in document["groups"]:
        row["share_low"], row["share_high"] = intervals[row["group"]]
    audit = audit_model(model, portfolio)
    document["audit"] = None if audit is None else audit.as_dict()
    if audit is None:
        return {}
    return {
        "contributions/audit_correlation": audit.correlation,
        "contributions/audit_top_agreement": audit.top_agreement,
    }


def estimator(ctx: Run) -> LifetimeValue:
    """Return what the settings ask for, as it is typed in Python."""
    from clv.lifetime_value import LifetimeValue

    return LifetimeValue(**ctx.settings.training.model_dump(), seed=ctx.settings.seed)


def model_options(ctx: Run) -> ModelOptions:
    """Turn the settings into the models' options."""
    return estimator(ctx).model_options()


def tuned(ctx: Run, panel: Panel, options: ModelOptions) -> ModelOptions:
    """Return the options with the trees that past cutoffs speak for, where asked to try."""
    trials = ctx.settings.training.tune_trials
    if not trials:
        return options
    from clv.models.training.tuning import tune

    with ctx.step("Trying other trees on the past") as on_progress:
        found = tune(panel, options, trials, on_progress)
    ctx.note([found.note])
    return replace(options, growth=found.growth)


def build(ctx: Run) -> Panel:
    """Build the training panel of the settings' horizon and cutoffs."""
    company = company_of(ctx)
    horizon_of(ctx, *company.span, ctx.settings.as_of)
    histories_of(ctx)
    with ctx.step("Building features") as on_progress:
        return estimator(ctx).panel(company, as_of=ctx.settings.as_of, on_progress=on_progress)


def horizon_of(ctx: Run, first: dt.date, last: dt.date, as_of: dt.date | None = None) -> int:
    """Return the settings' horizon, else the longest that the data can test, and say so."""
    from clv.models.training.panel import choose_horizon

    if ctx.settings.training.horizon_days is not None:
        return ctx.settings.training.horizon_days
    horizon, why = choose_horizon(first, last, as_of)
    ctx.note([why])
    return horizon


def _parameters(ctx: Run, options: ModelOptions, panel: Panel) -> dict[str, object]:
    grown = options.as_dict()
    growth = grown.pop("growth")
    return {
        **grown,
        **{f"growth_{name}": value for name, value in growth.items()},
        "horizon_days": panel.horizon_days,
        "discount_rate_annual": panel.discount_rate_annual,
        "cutoffs": len(panel.windows),
        "engine": ctx.settings.engine.kind,
    }


def _finding(backtest: Backtest) -> str:
    ours, btyd = backtest.models["blend"], backtest.models["btyd"]
    return (
        f"backtest ({backtest.chosen}): normalised Gini {ours['gini'].mean:.3f} against "
        f"{btyd['gini'].mean:.3f} from purchases alone; total off by "
        f"{ours['total_bias'].mean:+.1%}; {backtest.coverage:.0%} of customers inside the "
        f"{backtest.level:.0%} interval"
    )
