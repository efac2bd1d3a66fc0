"""What is learned from rows out of fold: the blend, the season, churn and the intervals.

Each step is compared with leaving it out (`training.steps`), in this order, each on top of those
before it: the trees' say in how customers differ; the trees' own total, where none keeps the
total of purchases alone; the season's factor; the trees' say in churn and the rate of churn; the
give and take of intervals beside floors.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.models.churn import PURCHASES_ALONE, Platt, carried_level, log_loss, realised_shifts
from clv.models.intervals import Intervals, TotalInterval
from clv.models.options import MODELS
from clv.models.training.past_tests import PastTests
from clv.models.training.sampling import HELD_OUT_OF
from clv.models.training.steps import Step, asked, by_customer, by_cutoff
from clv.models.value import learn_weight, shape_loss

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from clv.models.options import ModelOptions
    from clv.models.training.folds import Folds

EARLIER_FOLDS, HELD_OUT = "earlier folds", "held-out customers"
SHAPE = "Tweedie deviance at the realised total"
CHURN_SHAPE, CHURN = "log loss at the realised rate", "log loss"
COVERAGE = "|share of customers inside − level|"


@dataclass(frozen=True)
class Calibration:
    """What is learned from rows out of fold.

    Attributes
    ----------
    weight : float
        Of BTYD in the blend; 1 where the trees do not beat it.
    own_total : bool
        Whether the trees keep a total of their own; otherwise they are scaled to BTYD's.
    season : bool
        Whether the season's factor is used.
    platt : Platt
    intervals : Intervals
    total : TotalInterval
    source : str
        ``EARLIER_FOLDS`` or ``HELD_OUT``.
    steps : tuple of Step
        Every step that was compared with leaving it out, and the choice.
    """

    weight: float
    own_total: bool
    season: bool
    platt: Platt
    intervals: Intervals
    total: TotalInterval
    source: str
    steps: tuple[Step, ...]

    @classmethod
    def learn(
        cls,
        rows: pd.DataFrame,
        model: str,
        level: float,
        source: str,
        *,
        reach_days: int,
        spread: float = 0.0,
        prospects: pd.DataFrame | None = None,
    ) -> Calibration:
        """Learn from out-of-fold rows.

        Parameters
        ----------
        rows : DataFrame
            Of ``Fold.test`` or ``Fold.held_out``.
        model : str
            A key of ``MODELS``.
        level : float
            Nominal coverage of the intervals.
        source : str
            Which rows they are. Only earlier folds can speak for what moves everybody's
            level: customers held out of the learning cutoffs share their seasons.
        reach_days : int
            Days that an outcome takes: the horizon and the reporting delay.
        spread : float
            What customers' intervals allow for beside these rows; see ``Intervals.learn``.
        prospects : DataFrame, optional
            Of ``Fold.prospects``: the total is of them too.
        """
        past = PastTests.of(rows, reach_days, in_time=source == EARLIER_FOLDS)
        weight, blend = _blend(past, MODELS[model])
        own_total, totals = _own_total(past, weight)
        base = past.blended(weight, own_total=own_total)
        season = past.by_total("season", base, past.factor * base)
        clv = past.factor * base if season.used else base
        platt, churn = _churn(past)
        slack = _floors(past, clv, level, spread)
        intervals = Intervals.learn(past.actual, clv, level, spread=spread, slack=slack.used)
        return cls(
            weight=weight,
            own_total=own_total,
            season=season.used,
            platt=platt,
            intervals=intervals,
            total=_total(rows, clv, level, prospects),
            source=source,
            steps=(blend, *totals, season, *churn, slack),
        )

    @property
    def purchases_alone(self) -> bool:
        """Whether nothing moves the forecast away from purchases alone."""
        return self.weight == 1.0 and not self.season and self.platt == PURCHASES_ALONE

    def predicted(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the forecast of a fold's rows, of shape (rows,)."""
        btyd, trees, scale, factor = (
            rows[name].to_numpy(np.float64) for name in ("btyd", "trees", "scale", "factor")
        )
        trees = trees / scale if self.own_total else trees
        clv = self.blended(btyd, trees)
        return factor * clv if self.season else clv

    def blended(self, btyd: np.ndarray, trees: np.ndarray) -> np.ndarray:
        """Return value of shape (rows,), before the season's factor."""
        return self.weight * btyd + (1 - self.weight) * trees

    def as_dict(self) -> dict[str, Any]:
        """Return the calibration as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Calibration:
        """Restore what ``as_dict`` returned."""
        parts = {
            "platt": Platt(**saved["platt"]),
            "intervals": Intervals.from_dict(saved["intervals"]),
            "total": TotalInterval(**saved["total"]),
            "steps": tuple(map(Step.from_dict, saved["steps"])),
        }
        return cls(**{**saved, **parts})


def _total(
    rows: pd.DataFrame, clv: np.ndarray, level: float, prospects: pd.DataFrame | None
) -> TotalInterval:
    """Learn how far totals were off, of everybody who is of the total."""
    actual, fold = rows["value"].to_numpy(float), rows["as_of"].to_numpy(dtype=object)
    known = dict(zip(fold, rows["season_spread"].to_numpy(float), strict=True))
    if prospects is not None:
        valued = prospects[prospects["clv"].notna()]
        actual = np.append(actual, valued["value"].to_numpy(float))
        clv = np.append(clv, valued["clv"].to_numpy(float))
        fold = np.append(fold, valued["as_of"].to_numpy())
    return TotalInterval.learn(actual, clv, fold, level, known=known)


def calibrated(folds: Folds, options: ModelOptions) -> Calibration:
    """Return what all folds together teach: the calibration of the final model."""
    source = EARLIER_FOLDS if folds.folds[-1].kind == "time" else HELD_OUT
    return Calibration.learn(
        folds.frame,
        options.model,
        options.level,
        source,
        reach_days=folds.forecasts.seasonal.reach_days,
        spread=folds.unseen_spread,
        prospects=folds.prospects,
    )


def _blend(past: PastTests, fixed: float | None) -> tuple[float, Step]:
    """Choose BTYD's weight; 1 where the trees do not show that they tell customers apart."""
    if fixed is not None:
        return fixed, asked("blend", SHAPE, used=fixed < 1.0)
    folds = max(len(past.cutoffs), 1)
    weight = learn_weight(past.actual, past.btyd, past.trees, past.place, folds=folds)
    without = shape_loss(past.actual, past.btyd, past.place)
    with_step = shape_loss(past.actual, past.blended(weight, own_total=False), past.place)
    step = by_customer("blend", SHAPE, without, with_step, past.customer)
    return (weight if step.used else 1.0), step


def _own_total(past: PastTests, weight: float) -> tuple[bool, list[Step]]:
    """Decide whether the trees may move the total away from that of purchases alone."""
    if weight == 1.0:
        return False, []
    without, with_step = (past.blended(weight, own_total=own) for own in (False, True))
    step = past.by_total("trees_total", without, with_step)
    return step.used, [step]


def _churn(past: PastTests) -> tuple[Platt, list[Step]]:
    """Choose between BTYD's chance and the line through it and the trees'; then the level."""
    label, score, p_none, fold = past.churned, past.score, past.p_none, past.place

    def lost(z: np.ndarray) -> np.ndarray:
        return log_loss(z + realised_shifts(z, label, fold)[fold], label)

    platt = PURCHASES_ALONE
    own = platt.log_odds(score, p_none)
    line = np.empty_like(own)
    for part in range(HELD_OUT_OF):
        here = past.part == part
        learned = Platt.learn(score[~here], p_none[~here], label[~here], fold[~here])
        line[here] = learned.log_odds(score[here], p_none[here])
    shape = by_customer("churn", CHURN_SHAPE, lost(own), lost(line), past.customer)
    if shape.used:
        platt = Platt.learn(score, p_none, label, fold)
    rate, level = _churn_level(past, platt.log_odds(score, p_none))
    return replace(platt, intercept=level), [shape, rate]


def _churn_level(past: PastTests, z: np.ndarray) -> tuple[Step, float]:
    """Decide whether the rate of churn at past tests would have helped at the next ones."""
    cutoffs, lost, other = [], [], []
    for code, cutoff in enumerate(past.cutoffs):
        known, here = past.known_at(cutoff), past.place == code
        if known.any():
            level = carried_level(z[known], past.churned[known], past.place[known])
            cutoffs.append(cutoff)
            lost.append(float(log_loss(z[here], past.churned[here]).mean()))
            other.append(float(log_loss(z[here] + level, past.churned[here]).mean()))
    step = by_cutoff("churn_level", CHURN, cutoffs, lost, other, past.reach_days)
    return step, carried_level(z, past.churned, past.place) if step.used else 0.0


def _floors(past: PastTests, clv: np.ndarray, level: float, spread: float) -> Step:
    """Decide whether other intervals may miss more for those that cover too much."""
    inside = {False: np.zeros(clv.size), True: np.zeros(clv.size)}
    for part in range(HELD_OUT_OF):
        here = past.part == part
        if here.all() or not here.any():
            continue
        for slack, held in inside.items():
            learned = Intervals.learn(
                past.actual[~here], clv[~here], level, spread=spread, slack=slack
            )
            low, high = learned.apply(clv[here])
            held[here] = (past.actual[here] >= low) & (past.actual[here] <= high)
    off = [np.sign(held.mean() - level) * (held - level) for held in inside.values()]
    return by_customer("interval_floors", COVERAGE, off[0], off[1], past.customer)
