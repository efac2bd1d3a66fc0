"""Try other sizes of trees on temporal folds, with a fixed budget: the door to optuna.

Trials are judged on past cutoffs, each by trees that knew only what was over by then; never
on a random split. The last tested cutoff is kept out wherever another one can judge, so that
the backtest still ends with a test that no choice has seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.errors import ModelError
from clv.models.training.folds import learn
from clv.models.training.forecasts import PastForecasts
from clv.models.training.sampling import sampled
from clv.models.value import tweedie_deviance
from clv.notes import Note, silent
from clv.windows import gapped

if TYPE_CHECKING:
    from clv.models.options import ModelOptions
    from clv.models.training.panel import Panel
    from clv.models.trees.boosting import Growth
    from clv.notes import OnProgress
    from clv.windows import Window

START_TRIALS = 8


@dataclass(frozen=True)
class Tuning:
    """What the trials found.

    Attributes
    ----------
    growth : Growth
        The best; the settings' own where no trial beat it.
    losses : tuple of float
        Of every trial: value's and churn's loss over those of the settings' growth, averaged.
        The first trial is that growth itself, hence 1, where it lies within the search.
    folds : tuple of str
        ISO cutoffs that judged.
    note : Note
        One sentence for people.
    """

    growth: Growth
    losses: tuple[float, ...]
    folds: tuple[str, ...]
    note: Note


def tune(
    panel: Panel, options: ModelOptions, trials: int, on_progress: OnProgress = silent
) -> Tuning:
    """Search the trees' growth.

    Parameters
    ----------
    panel : Panel
    options : ModelOptions
        Their growth is what trials are held against; their seed makes the search repeat.
    trials : int
        The budget.
    on_progress : OnProgress
        Called once per trial.

    Raises
    ------
    ModelError
        When optuna is not installed, or no cutoff lies a horizon after another.
    """
    try:
        import optuna
    except ImportError as error:
        raise ModelError(
            "tuning: optuna is not installed; it comes with the extra: pip install 'clv[tune]'."
        ) from error
    delay = options.reporting_delay_days
    tests = [(w, e) for w in panel.windows if (e := gapped(panel.windows, w, delay))]
    if not tests:
        raise ModelError(
            f"tuning: no cutoff lies {panel.horizon_days} days after another, so nothing can "
            "judge a trial. Bring more history, shorten horizon_days, or tune nothing."
        )
    judges = tests[:-1] or tests
    past = PastForecasts(panel, options)
    base = _losses(panel, past, judges, options)
    done: list[float] = []

    def objective(trial: Any) -> float:
        on_progress("tuning", len(done), trials)
        growth = _suggest(trial, options.growth)
        found = _losses(panel, past, judges, replace(options, growth=growth))
        done.append(float(np.mean(found / base)))
        return done[-1]

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=options.seed, n_startup_trials=START_TRIALS)
    study = optuna.create_study(sampler=sampler)
    today = {name: getattr(options.growth, name) for name in _RANGES}
    if all(low <= today[name] <= high for name, (low, high, _) in _RANGES.items()):
        study.enqueue_trial(today)
    study.optimize(objective, n_trials=trials)
    on_progress("tuning", trials, trials)
    gain = max(1 - study.best_value, 0.0)
    text = (
        f"the best of {trials} trials on {len(judges)} past cutoffs loses {gain:.1%} less than "
        "the settings' growth"
    )
    return Tuning(
        growth=replace(options.growth, **study.best_params) if gain else options.growth,
        losses=tuple(done),
        folds=tuple(window.cutoff.isoformat() for window, _ in judges),
        note=Note("tuned", "training", trials, text),
    )


_RANGES: dict[str, tuple[float, float, bool]] = {
    "trees": (50, 300, False),
    "leaves": (3, 9, False),
    "learning_rate": (0.02, 0.15, True),
    "min_data_in_leaf": (20, 200, True),
    "lambda_l2": (0.5, 50.0, True),
    "feature_fraction": (0.2, 0.8, False),
}
"""Low, high, and whether to search logarithms. Nine leaves at most: contributions of deeper
trees cost 30 times as much."""


def _suggest(trial: Any, growth: Growth) -> Growth:
    found: dict[str, Any] = {}
    for name, (low, high, logarithmic) in _RANGES.items():
        whole = isinstance(getattr(growth, name), int)
        ask = trial.suggest_int if whole else trial.suggest_float
        ends = (int(low), int(high)) if whole else (low, high)
        found[name] = ask(name, *ends, log=logarithmic)
    return replace(growth, **found)


def _losses(
    panel: Panel,
    past: PastForecasts,
    judges: list[tuple[Window, tuple[Window, ...]]],
    options: ModelOptions,
) -> np.ndarray:
    """Return value's deviance, at the realised level, and churn's log loss over the folds."""
    found = []
    for window, earlier in judges:
        forecasts = past.known(earlier)
        train, test = sampled(panel.of(earlier), options), panel.at(window)
        value, churn = learn(panel, forecasts, train, options)
        btyd = forecasts.frame.loc[test.index]
        matrix = value.encoding.matrix(test)
        actual = np.maximum(test["value"].to_numpy(float), 0.0)
        mean = value.predict(matrix, (btyd["value"] / btyd["season"]).to_numpy())
        mean = mean * max(float(actual.sum()), 1e-12) / float(mean.sum())
        unit = max(float(actual.mean()), 1e-12)
        z = churn.score(matrix, btyd["p_none"].to_numpy())
        lost = np.logaddexp(0.0, z) - test["churned"].to_numpy(float) * z
        deviance = tweedie_deviance(actual / unit, np.maximum(mean / unit, 1e-6))
        found.append([float(deviance.mean()), float(lost.mean())])
    return np.array(found).mean(axis=0)
