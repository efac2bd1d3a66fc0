"""Predictions of rows that the models had not learned from: the ground of every calibration.

A fold tests at T* and learns from cutoffs T_k whose horizon had ended and been reported by
T*: T_k + H + delay ≤ T*. Within the learning rows of each fold, a part of the customers is
held out, so that a fold without earlier folds can be calibrated without looking ahead.
Where the history is too short for any such fold, customers are held out instead of time,
and every result says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.models.churn import ChurnModel
from clv.models.intervals import LONE_FOLD_SPREAD
from clv.models.prospects.prospects import past_forecast, unseen_forecast
from clv.models.training.forecasts import PastForecasts
from clv.models.training.guards import guard_value
from clv.models.training.sampling import HELD_OUT_OF, customer_part, sampled
from clv.models.trees.boosting import Encoding, side_by_side
from clv.models.value import ValueModel
from clv.notes import Note, silent
from clv.windows import gapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from clv.models.options import ModelOptions
    from clv.models.training.forecasts import Forecasts
    from clv.models.training.panel import Panel
    from clv.models.training.steps import Step
    from clv.models.trees.boosting import Growth
    from clv.notes import OnProgress
    from clv.windows import Window

    _Part = Callable[[Panel, ModelOptions], tuple[pd.DataFrame, float]]

SCALE_FOLDS = 3
CALIBRATING_FOLDS = 2
CARRIED = (
    "customer_id",
    "as_of",
    "frequency",
    "recency_days",
    "age_days",
    "value",
    "revenue",
    "churned",
    "purchases",
)


@dataclass(frozen=True)
class Fold:
    """One test of the backtest.

    Attributes
    ----------
    as_of : str
        ISO cutoff of the test.
    kind : str
        ``time``, or ``customers`` where the history is too short to hold out time.
    train_rows, train_cutoffs, test_customers : int
    test : DataFrame
        ``CARRIED``, then ``btyd`` and ``trees`` (value; the trees brought to BTYD's total by
        ``scale``), ``p_none``, ``p_alive``, ``expected_purchases`` and ``expected_spend``
        (BTYD), ``score`` (log-odds of churn, uncalibrated), ``factor`` (the seasonal
        correction's),
        ``season_spread`` (what the calendar leaves unknown of the total), and the baselines
        ``lightgbm`` (without BTYD), ``last_period`` and ``mean``; one row per customer.
    held_out : DataFrame or None
        The same, without ``lightgbm``, for customers held out of the learning rows; None
        where earlier folds can calibrate this one.
    log_scale : float
        log(BTYD's total / the trees') of the tested customers, before scaling.
    steps : tuple of Step
        The choices of the calendar and of the purchase model, by what was known at the cutoff.
    reported : bool
        False where the fold only calibrates later ones.
    prospects : DataFrame
        People who had not bought by the cutoff: their outcomes, ``kind``, and what was
        forecast of them (``clv`` nan where there was nobody to learn from).
    """

    as_of: str
    kind: str
    train_rows: int
    train_cutoffs: int
    test_customers: int
    test: pd.DataFrame
    held_out: pd.DataFrame | None
    log_scale: float
    steps: tuple[Step, ...]
    reported: bool = True
    prospects: pd.DataFrame = field(default_factory=pd.DataFrame)


@dataclass(frozen=True)
class Folds:
    """All folds of a panel, oldest first, and the forecasts that the last cutoff makes."""

    folds: tuple[Fold, ...]
    forecasts: Forecasts
    notes: tuple[Note, ...]

    @property
    def reported(self) -> tuple[Fold, ...]:
        """The folds that the backtest reports."""
        return tuple(fold for fold in self.folds if fold.reported)

    @property
    def frame(self) -> pd.DataFrame:
        """Every test row of every fold."""
        return pd.concat([fold.test for fold in self.folds], ignore_index=True)

    @property
    def prospects(self) -> pd.DataFrame:
        """Every fold's people who had not bought, with what was forecast of them."""
        return pd.concat([fold.prospects for fold in self.folds], ignore_index=True)

    @property
    def unseen_spread(self) -> float:
        """What intervals of customers must allow for beside what these tests show."""
        tests = sum(fold.kind == "time" for fold in self.folds)
        return 0.0 if tests >= CALIBRATING_FOLDS else LONE_FOLD_SPREAD

    @property
    def scale(self) -> float:
        """What brings the total of the trees to BTYD's, by the last folds."""
        return mean_scale([fold.log_scale for fold in self.folds])


def mean_scale(logs: Sequence[float]) -> float:
    """Return the geometric mean of the last ``SCALE_FOLDS`` scales."""
    return float(np.exp(np.mean(logs[-SCALE_FOLDS:]))) if logs else 1.0


def out_of_fold(panel: Panel, options: ModelOptions, on_progress: OnProgress = silent) -> Folds:
    """Predict every fold's test rows by models that knew only what was known by then.

    The last ``options.folds`` are reported; earlier ones calibrate them.

    Raises
    ------
    DataError
        When what customers brought is a loss as a whole.
    """
    guard_value(panel.frame["value"].to_numpy())
    past = PastForecasts(panel, options)
    delay = options.reporting_delay_days
    tests = [
        (window, earlier)
        for window in panel.windows
        if (earlier := gapped(panel.windows, window, delay))
    ]
    notes: list[Note] = []
    folds: list[Fold] = []
    if not tests:
        window = panel.windows[-1]
        notes.append(
            Note(
                "folds_by_customer",
                "backtest",
                len(panel.at(window)),
                f"no cutoff lies {panel.horizon_days} days before another, so customers were "
                "held out instead of time; changes of level between years are not tested",
            )
        )
        folds.append(_customer_fold(panel, past.known(panel.windows), options))
    # earlier folds calibrate a fold where their outcomes were complete by its cutoff; a
    # single one would mostly pass on how its own season differed
    trials = []
    for done, (window, earlier) in enumerate(tests):
        known = gapped([other for other, _ in tests[:done]], window, delay)
        reported = done >= len(tests) - options.folds
        alone = reported and len(known) < CALIBRATING_FOLDS
        trials.append(_Trial(window, earlier, past.known(earlier), reported, alone))
    for fold in _time_folds(panel, trials, options, on_progress):
        logs = [other.log_scale for other in (*folds, fold)]
        trial = trials[len(folds)]
        prospects = past_forecast(panel, trial.earlier, trial.window, options)
        folds.append(replace(fold, test=_scaled(fold.test, logs), prospects=prospects))
    on_progress("backtest", len(folds), len(folds))
    return Folds(tuple(folds), past.known(panel.windows), tuple(notes))


@dataclass(frozen=True)
class _Trial:
    """A fold to come: when it tests, what was known by then, and what is wanted of it.

    Its parts are learned apart, and at once where there are threads for it; each returns
    predictions, one row per customer, and the log scale of their trees, not yet applied.
    """

    window: Window
    earlier: Sequence[Window]
    forecasts: Forecasts
    reported: bool
    alone: bool

    def rows(self, panel: Panel, options: ModelOptions) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return what is learned from, and what is tested."""
        return sampled(panel.of(self.earlier), options), panel.at(self.window)

    def parts(self) -> Mapping[str, _Part]:
        """Return what is to be learned."""
        wanted = {"test": self.test}
        if self.reported:
            wanted["trees_alone"] = self.trees_alone
        if self.alone:
            wanted["held_out"] = self.held_out
        return wanted

    def test(self, panel: Panel, options: ModelOptions) -> tuple[pd.DataFrame, float]:
        """Learn from all earlier rows."""
        return _learn_and_predict(panel, self.forecasts, *self.rows(panel, options), options)

    def trees_alone(self, panel: Panel, options: ModelOptions) -> tuple[pd.DataFrame, float]:
        """Learn the trees without BTYD."""
        train, test = self.rows(panel, options)
        predicted = _trees_alone(panel, train, test, options)
        return pd.DataFrame({"lightgbm": predicted}, index=test.index), 0.0

    def held_out(self, panel: Panel, options: ModelOptions) -> tuple[pd.DataFrame, float]:
        """Hold out some of the customers learned from: no earlier fold calibrates this one."""
        train, _ = self.rows(panel, options)
        held = customer_part(train) == 0
        return _learn_and_predict(panel, self.forecasts, train[~held], train[held], options)


def _time_folds(
    panel: Panel, trials: Sequence[_Trial], options: ModelOptions, on_progress: OnProgress
) -> Iterator[Fold]:
    """Learn and predict every fold; the trees of its test are not scaled yet."""
    rows = [len(trial.rows(panel, options)[0]) for trial in trials]

    def call(part: _Part) -> Callable[[Growth], tuple[pd.DataFrame, float]]:
        return lambda growth: part(panel, replace(options, growth=growth))

    parts = [call(part) for trial in trials for part in trial.parts().values()]
    learned = side_by_side(parts, options.growth, max(rows, default=0))
    for done, (trial, count) in enumerate(zip(trials, rows, strict=True)):
        on_progress("backtest", done, len(trials))
        found = {name: next(learned) for name in trial.parts()}
        test, log_scale = found["test"]
        if trial.reported:
            test = test.join(found["trees_alone"][0])
        held_out = None
        if trial.alone:
            held, held_scale = found["held_out"]
            held_out = _scaled(held, [held_scale])
        yield Fold(
            as_of=trial.window.cutoff.isoformat(),
            kind="time",
            train_rows=count,
            train_cutoffs=len(trial.earlier),
            test_customers=len(test),
            test=test,
            held_out=held_out,
            log_scale=log_scale,
            steps=trial.forecasts.steps,
            reported=trial.reported,
        )


def _customer_fold(panel: Panel, forecasts: Forecasts, options: ModelOptions) -> Fold:
    rows = sampled(panel.frame, options)
    last = panel.windows[-1].cutoff.isoformat()
    part = customer_part(rows)
    tests, logs = [], []
    for held in range(HELD_OUT_OF):
        test = rows[(part == held) & (rows["as_of"] == last)]
        train = rows[part != held]
        predicted, log_scale = _learn_and_predict(panel, forecasts, train, test, options)
        predicted = _scaled(predicted, [log_scale])
        tests.append(predicted.assign(lightgbm=_trees_alone(panel, train, test, options)))
        logs.append(log_scale)
    test = pd.concat(tests).sort_index()
    return Fold(
        as_of=last,
        kind="customers",
        train_rows=len(rows) * (HELD_OUT_OF - 1) // HELD_OUT_OF,
        train_cutoffs=len(panel.windows),
        test_customers=len(test),
        test=test,
        held_out=test,
        log_scale=float(np.mean(logs)),
        steps=forecasts.steps,
        prospects=unseen_forecast(panel, options),
    )


def _learn_and_predict(
    panel: Panel,
    forecasts: Forecasts,
    train: pd.DataFrame,
    test: pd.DataFrame,
    options: ModelOptions,
) -> tuple[pd.DataFrame, float]:
    """Return predictions of ``test``, trees not scaled, and the trees' log scale there."""
    value, churn = learn(panel, forecasts, train, options)
    btyd = forecasts.frame.loc[test.index]
    matrix = value.encoding.matrix(test)
    own, p_none, season = (btyd[name].to_numpy() for name in ("value", "p_none", "season"))
    log_scale = value.log_scale(matrix, own / season)
    predicted = test[list(CARRIED)].assign(
        btyd=own,
        trees=season * value.predict(matrix, own / season),
        p_none=p_none,
        p_alive=btyd["p_alive"].to_numpy(),
        expected_purchases=btyd["purchases"].to_numpy(),
        expected_spend=btyd["spend"].to_numpy(),
        score=churn.score(matrix, p_none),
        factor=forecasts.seasonal.factor(test["as_of"]),
        season_spread=test["as_of"].map(forecasts.spread_at),
        last_period=last_period(test, panel.horizon_days),
        mean=float(train["value"].mean()),
    )
    return predicted, log_scale


def _scaled(predicted: pd.DataFrame, logs: Sequence[float]) -> pd.DataFrame:
    scale = mean_scale(logs)
    return predicted.assign(trees=predicted["trees"] * scale, scale=scale)


def _trees_alone(
    panel: Panel, train: pd.DataFrame, test: pd.DataFrame, options: ModelOptions
) -> np.ndarray:
    """Return the forecast of the same trees without BTYD: from the mean, not its offset."""
    encoding = Encoding.learn(panel.features, train)
    level = max(float(train["value"].mean()), 1e-9)
    model = ValueModel.fit(train, np.full(len(train), level), encoding, options.growth)
    return model.predict(encoding.matrix(test), np.full(len(test), level))


def learn(
    panel: Panel, forecasts: Forecasts, train: pd.DataFrame, options: ModelOptions
) -> tuple[ValueModel, ChurnModel]:
    """Fit the value and the churn trees to some rows of a panel."""
    value = learn_value(panel, forecasts, train, options.growth)
    p_none = forecasts.frame.loc[train.index, "p_none"].to_numpy()
    return value, ChurnModel.fit(train, p_none, value.encoding, options.growth)


def learn_value(
    panel: Panel, forecasts: Forecasts, train: pd.DataFrame, growth: Growth
) -> ValueModel:
    """Fit the value trees to some rows of a panel."""
    encoding = Encoding.learn(panel.features, train)
    own, season = (forecasts.frame.loc[train.index, n].to_numpy() for n in ("value", "season"))
    # trees know no season: what the calendar says of a horizon is taken off, and put back
    ratio = season * forecasts.seasonal.ratio(train["as_of"])
    return ValueModel.fit(train, own / season, encoding, growth, ratio=ratio)


def last_period(rows: pd.DataFrame, horizon_days: int) -> np.ndarray:
    """Return the naive forecast: what was earned in as long a time before, again.

    Taken from the longest spend window of the features that is not longer than the horizon,
    in proportion to the days; nan where the panel has none.
    """
    windows = [
        (days, name)
        for days in (365, 90, 30)
        for name in (f"margin_{days}d", f"spend_{days}d")
        if name in rows.columns
    ]
    fitting = [found for found in windows if found[0] <= horizon_days] or windows[-1:]
    if not fitting:
        return np.full(len(rows), np.nan)
    days, name = fitting[0]
    recent = rows[name].fillna(0.0).to_numpy(float) * horizon_days / days
    if name.startswith("spend") and "margin_ratio" in rows.columns:
        recent = recent * rows["margin_ratio"].fillna(1.0).to_numpy(float)
    return np.asarray(recent)
