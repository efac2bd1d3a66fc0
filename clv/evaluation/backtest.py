"""The models against the company's own past, and against baselines anyone could use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import expit

from clv.display import Displayed
from clv.evaluation.counterparts import as_scored, measured
from clv.evaluation.cuts import covered, deciles, people, reliability, segments, tracking
from clv.evaluation.metrics import (
    CHURN_METRICS,
    VALUE_METRICS,
    Estimate,
    bootstrap,
    total_bias,
)
from clv.evaluation.steps import steps_document
from clv.models.calibration import EARLIER_FOLDS, HELD_OUT, Calibration, calibrated
from clv.models.intervals import LONE_FOLD_SPREAD
from clv.models.training.folds import Fold, Folds, out_of_fold
from clv.notes import Note, silent

if TYPE_CHECKING:
    import datetime as dt

    from clv.evaluation.pictures import BacktestPlots
    from clv.models.options import ModelOptions
    from clv.models.training.panel import Panel
    from clv.notes import OnProgress

BASELINES = ("btyd", "lightgbm", "last_period", "mean", "zero")
OF_PURCHASES = ("last_period", "zero")
"""Baselines that say nothing of who has bought nothing."""

PROBABILITIES = {"blend": "p_churn", "btyd": "p_none", "lightgbm": "p_raw"}


@dataclass(frozen=True, repr=False)
class Backtest(Displayed):
    """What the models would have said, and what happened.

    Attributes
    ----------
    horizon_days : int
    level : float
        Nominal coverage of intervals.
    chosen : str
        ``blend``, or ``btyd`` where no step was used on top of purchases alone.
    folds : tuple of Fold
    weights : dict of str to float
        BTYD's weight by fold.
    models : dict of str to dict of str to Estimate
        Metrics by model, over all folds.
    coverage : float
        Share of customers whose realised value lay in the interval.
    rows : DataFrame
        One row per customer and fold: realised and predicted.
    scored : DataFrame
        The same, and people who had not bought and were given a value, under the names of
        the score table: everybody who is of the total.
    deciles, calibration, tracking, segments, columns, steps : list of dict
        As in ``backtest.json``.
    notes : tuple of Note
    currency : str
        Of values, for the pictures.
    """

    horizon_days: int
    level: float
    chosen: str
    folds: tuple[Fold, ...]
    weights: dict[str, float]
    models: dict[str, dict[str, Estimate]]
    coverage: float
    rows: pd.DataFrame
    scored: pd.DataFrame
    deciles: list[dict[str, Any]]
    calibration: list[dict[str, Any]]
    tracking: list[dict[str, Any]]
    segments: list[dict[str, Any]]
    columns: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    notes: tuple[Note, ...]
    currency: str = ""

    def in_one_line(self) -> str:
        """Return how well customers were ranked, and how far off the total was."""
        best = self.models[self.chosen]
        return (
            f"{len(self.folds)} cutoffs, {self.horizon_days} days: normalised Gini "
            f"{best['gini'].mean:.3f} against {self.models['btyd']['gini'].mean:.3f} from "
            f"purchases alone, total off by {best['total_bias'].mean:+.1%}, "
            f"{self.coverage:.0%} inside the {self.level:.0%} interval"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return every metric of every model with its 95 % interval."""
        return pd.DataFrame(
            [
                {"model": model, "metric": metric, **estimate.as_dict()}
                for model, metrics in self.models.items()
                for metric, estimate in metrics.items()
            ]
        )

    @property
    def plot(self) -> BacktestPlots:
        """Return the pictures: calibration, tracking, gains, lift, deciles, skill."""
        from clv.evaluation.pictures import BacktestPlots

        return BacktestPlots(
            self.rows, self.deciles, self.calibration, self.tracking, self.models,
            self.horizon_days, self.currency,
        )  # fmt: skip

    @property
    def at_floor(self) -> np.ndarray:
        """Return, by row, whether the interval ends at the prediction itself.

        Where more customers than the level buy nothing, the shortest interval with both
        nothing and the prediction in it covers more than was asked for.
        """
        return (self.rows["clv_high"] <= self.rows["blend"]).to_numpy()

    @property
    def coverage_elsewhere(self) -> float:
        """Return the coverage of the rows not at the floor; nan where there are none."""
        rows = self.rows[~self.at_floor]
        return covered(rows) if len(rows) else float("nan")

    @property
    def prospects(self) -> dict[str, Any]:
        """Return what was forecast of people who had not bought, and what came.

        ``error`` is what they were off by, as a share of what everybody brought: what it did
        to the total.
        """
        theirs = self.scored[self.scored["frequency"].isna()]
        predicted, actual = float(theirs["clv"].sum()), float(theirs["value"].sum())
        total = float(self.scored["value"].sum())
        return {
            "customers": len(theirs),
            "predicted": predicted,
            "actual": actual,
            "error": (predicted - actual) / total if total > 0 else None,
            "coverage": covered(theirs) if len(theirs) else None,
        }

    def as_dict(self) -> dict[str, Any]:
        """Return ``backtest.json``."""
        return {
            "horizon_days": self.horizon_days,
            "level": self.level,
            "folds": [
                {
                    "as_of": fold.as_of,
                    "kind": fold.kind,
                    "train_rows": fold.train_rows,
                    "train_cutoffs": fold.train_cutoffs,
                    "test_customers": fold.test_customers,
                    "btyd_weight": self.weights[fold.as_of],
                }
                for fold in self.folds
            ],
            "chosen": self.chosen,
            "models": {
                model: {name: estimate.as_dict() for name, estimate in metrics.items()}
                for model, metrics in self.models.items()
            },
            "coverage": {
                "nominal": self.level,
                "customers": self.coverage,
                "at_floor": float(self.at_floor.mean()),
                "elsewhere": None if self.at_floor.all() else self.coverage_elsewhere,
            },
            "deciles": self.deciles,
            "calibration": self.calibration,
            "tracking": self.tracking,
            "segments": self.segments,
            "columns": self.columns,
            "prospects": self.prospects,
            "steps": self.steps,
            "notes": [note.as_dict() for note in self.notes],
        }


def run_backtest(
    panel: Panel,
    options: ModelOptions,
    on_progress: OnProgress = silent,
    *,
    folds: Folds | None = None,
) -> Backtest:
    """Test blend, BTYD, LightGBM and naive forecasts on rolling cutoffs with a gap.

    Parameters
    ----------
    panel : Panel
    options : ModelOptions
    on_progress : OnProgress
    folds : Folds, optional
        Of the same panel and options, so that training can share them.
    """
    folds = folds or out_of_fold(panel, options, on_progress)
    known = {fold.as_of: _as_known(fold, folds, options) for fold in folds.reported}
    frames = [predict_fold(fold, known[fold.as_of]) for fold in folds.reported]
    sources = {calibration.source for calibration in known.values()}
    rows = pd.concat(frames, ignore_index=True)
    scored = as_scored(rows, pd.concat([fold.prospects for fold in folds.reported]))
    notes = [*folds.notes, Note("calibrated_on", "backtest", 0, " and ".join(sorted(sources)))]
    final = calibrated(folds, options)
    notes += _drift(rows)
    return Backtest(
        horizon_days=panel.horizon_days,
        level=options.level,
        chosen="btyd" if final.purchases_alone else "blend",
        folds=folds.reported,
        weights={as_of: calibration.weight for as_of, calibration in known.items()},
        models=measure(rows, scored, seed=options.seed),
        coverage=covered(rows),
        rows=rows,
        scored=scored,
        deciles=deciles(rows),
        calibration=reliability(rows),
        tracking=tracking(rows, scored),
        segments=[*segments(rows), *people(scored)],
        columns=measured(scored, options.level),
        steps=steps_document(folds, final, known),
        notes=tuple(notes),
        currency=panel.currency,
    )


def _as_known(fold: Fold, folds: Folds, options: ModelOptions) -> Calibration:
    """Calibrate on held-out customers where too few folds were over, else on those folds."""
    reach = folds.forecasts.seasonal.reach_days
    if fold.held_out is not None:
        # a test on customers is of the cutoffs that were learned from: its total cannot be off
        spread = LONE_FOLD_SPREAD if fold.kind == "time" else 0.0
        rows, source = fold.held_out, HELD_OUT
    else:
        day, spread, source = _day(fold.as_of), 0.0, EARLIER_FOLDS
        over = [other.test for other in folds.folds if (day - _day(other.as_of)).days >= reach]
        rows = pd.concat(over, ignore_index=True)
    return Calibration.learn(
        rows, options.model, options.level, source, reach_days=reach, spread=spread
    )


def _day(text: str) -> dt.date:
    return pd.Timestamp(text).date()


def predict_fold(fold: Fold, calibration: Calibration) -> pd.DataFrame:
    """Return a fold's test rows with every model's prediction."""
    rows = fold.test
    clv = calibration.predicted(rows)
    low, high = calibration.intervals.apply(clv)
    score = rows["score"].to_numpy()
    return rows.assign(
        blend=clv,
        clv_low=low,
        clv_high=high,
        zero=0.0,
        p_churn=calibration.platt.apply(score, rows["p_none"].to_numpy()),
        p_raw=expit(score),
    )


def measure(
    rows: pd.DataFrame, scored: pd.DataFrame, *, seed: int = 0
) -> dict[str, dict[str, Estimate]]:
    """Return every metric of every model, with intervals by customer bootstrap.

    Of customers, who can be told apart by their purchases; the total alone is of everybody.
    People who had not bought add to every model's total what was forecast of them, but for
    those that forecast nothing of who has bought nothing.
    """
    customer = pd.factorize(rows["customer_id"])[0]
    others = scored[scored["frequency"].isna()]
    everybody = np.append(rows["customer_id"].to_numpy(object), others["customer_id"])
    person, came = pd.factorize(everybody)[0], others["value"].to_numpy(float)
    actual, churned = rows["value"].to_numpy(float), rows["churned"].to_numpy(float)
    models: dict[str, dict[str, Estimate]] = {}
    for model in ("blend", *BASELINES):
        predicted = rows[model].to_numpy(float)
        if np.isnan(predicted).any():
            continue
        models[model] = {
            name: bootstrap(metric, actual, predicted, customer, seed=seed)
            for name, metric in VALUE_METRICS.items()
        }
        theirs = np.zeros(len(others)) if model in OF_PURCHASES else others["clv"].to_numpy(float)
        total, forecast = np.append(actual, came), np.append(predicted, theirs)
        models[model]["total_bias"] = bootstrap(total_bias, total, forecast, person, seed=seed)
        if model in PROBABILITIES:
            probability = rows[PROBABILITIES[model]].to_numpy(float)
            models[model] |= {
                name: bootstrap(metric, churned, probability, customer, seed=seed)
                for name, metric in CHURN_METRICS.items()
            }
    return models


def _drift(rows: pd.DataFrame) -> list[Note]:
    """Note when realised value moved between folds by more than a fifth."""
    means = rows.groupby("as_of")["value"].mean()
    if len(means) < 2 or means.min() <= 0 or means.max() / means.min() < 1.2:
        return []
    ratio = means.max() / means.min()
    message = (
        f"realised value per customer differs by a factor of {ratio:.2f} between folds, from "
        f"{means.idxmin()} to {means.idxmax()}"
    )
    return [Note("fold_drift", "backtest", 0, message)]
