"""The model that is registered: purchases, value and churn combined; saved without pickle."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.features.base import GROUPS, SERVICE_GROUPS
from clv.models.btyd.reference import cross_check
from clv.models.calibration import Calibration, calibrated
from clv.models.contributions import Centring, split_log
from clv.models.io import model_texts, read_parts
from clv.models.model_info import Fitted, ModelInfo, describe
from clv.models.prospects.prospects import FORECASTS, learn_prospects
from clv.models.season import SeasonalCorrection
from clv.models.training.folds import Folds, learn, out_of_fold
from clv.models.training.guards import guard_leaks
from clv.models.training.sampling import sampled
from clv.notes import silent
from clv.storage import write_text

if TYPE_CHECKING:
    from clv.models.btyd.reference import CrossCheck
    from clv.models.churn import ChurnModel
    from clv.models.options import ModelOptions
    from clv.models.prospects.prospects import Prospects
    from clv.models.purchases import Purchases
    from clv.models.training.panel import Panel
    from clv.models.value import ValueModel
    from clv.notes import OnProgress

__all__ = ["SCORE_COLUMNS", "LifetimeModel", "ModelInfo"]

REASONS = 3
_BLOCK_ROWS = 65_536
SCORE_COLUMNS = (
    "customer_id",
    "as_of",
    "horizon_days",
    "currency",
    "clv",
    "clv_low",
    "clv_high",
    "purchases_only_clv",
    "typical_clv",
    "service_contribution",
    "p_churn",
    "p_alive",
    "expected_purchases",
    "expected_spend",
    "p_repeat",
    "value_decile",
    "reason_1",
    "reason_2",
    "reason_3",
    "reason_1_amount",
    "reason_2_amount",
    "reason_3_amount",
    "cold_start",
    "feature_fingerprint",
)


@dataclass(frozen=True)
class LifetimeModel:
    """A fitted model of customer lifetime value.

    Attributes
    ----------
    info : ModelInfo
    purchases : Purchases
    value : ValueModel
    churn : ChurnModel
    calibration : Calibration
    seasonal : SeasonalCorrection
        The season's correction of the total; none where it did not help at past tests.
    centring : Centring
    prospects : Prospects or None
        What people who have not bought will bring; None where there were no past ones to
        learn from, or the model is of a version that did not.
    """

    info: ModelInfo
    purchases: Purchases
    value: ValueModel
    churn: ChurnModel
    calibration: Calibration
    seasonal: SeasonalCorrection
    centring: Centring
    prospects: Prospects | None

    @classmethod
    def fit(
        cls,
        panel: Panel,
        options: ModelOptions,
        on_progress: OnProgress = silent,
        *,
        folds: Folds | None = None,
    ) -> LifetimeModel:
        """Fit to a panel.

        Parameters
        ----------
        panel : Panel
        options : ModelOptions
        on_progress : OnProgress
        folds : Folds, optional
            Of the same panel and options, where the backtest has computed them already.

        Raises
        ------
        ModelError
            When there are too few customers, nothing to learn, or a feature that knows the
            outcome.
        """
        last = panel.at(panel.windows[-1])
        names = [name for name in panel.features if name not in options.allow]
        guard_leaks(last[names], last["churned"].to_numpy(), seed=options.seed)
        folds = folds or out_of_fold(panel, options, on_progress)
        train = sampled(panel.frame, options)
        on_progress("final models", 0, 1)
        value, churn = learn(panel, folds.forecasts, train, options)
        calibration = calibrated(folds, options)
        value = replace(value, scale=1.0 if calibration.own_total else folds.scale)
        forecasts = folds.forecasts
        seasonal = forecasts.seasonal
        if not calibration.season:
            seasonal = SeasonalCorrection.none(seasonal.reach_days)
        btyd, season = _offsets(forecasts.frame.loc[last.index])
        base, parts = _split(value, value.encoding.matrix(last), btyd / season)
        factor = seasonal.factor(last["as_of"])
        clv = factor * calibration.blended(btyd, season * (base + parts.sum(axis=1)))
        check = _check(last, forecasts.latest, options)
        prospects = learn_prospects(panel, panel.windows, options)
        fitted = Fitted(value, churn, calibration, seasonal, prospects)
        on_progress("final models", 1, 1)
        return cls(
            info=describe(panel, options, folds, train, fitted, clv, check),
            purchases=forecasts.latest,
            centring=Centring.learn(base, parts, _feature_totals(value, last, btyd / season)),
            **vars(fitted),
        )

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        """Score customers.

        Parameters
        ----------
        features : DataFrame
            As ``build_feature_table()`` gives it; prospects have no ``frequency``.

        Returns
        -------
        DataFrame
            ``SCORE_COLUMNS``, rows as given.
        """
        parts = self._parts(features)
        calibration, forecast, first = self.calibration, parts.forecast, parts.first

        def of_prospects(name: str, others: np.ndarray | float) -> np.ndarray:
            return np.where(parts.prospect, first[name], others)

        low, high = calibration.intervals.apply(np.nan_to_num(parts.clv))
        p_churn = calibration.platt.apply(parts.score, parts.p_none)
        p_churn = np.where(parts.prospect, np.nan, p_churn)
        first_time = features["frequency"].to_numpy(float) == 0
        service = parts.groups[:, _SERVICE].sum(axis=1)
        scores = {
            "customer_id": features["customer_id"].to_numpy(dtype=object),
            "as_of": features["as_of"].to_numpy(dtype=object),
            "horizon_days": np.full(len(features), self.info.horizon_days, dtype=np.int64),
            "currency": np.full(len(features), self.info.currency, dtype=object),
            "clv": parts.clv,
            "clv_low": of_prospects("clv_low", low),
            "clv_high": of_prospects("clv_high", high),
            "purchases_only_clv": forecast["value"].to_numpy(),
            "typical_clv": parts.typical,
            "service_contribution": np.where(np.isnan(parts.clv), np.nan, service),
            "p_churn": p_churn,
            "p_alive": forecast["p_alive"].to_numpy(),
            "expected_purchases": of_prospects(
                "expected_purchases", forecast["purchases"].to_numpy()
            ),
            "expected_spend": of_prospects("expected_spend", forecast["spend"].to_numpy()),
            "p_repeat": np.where(first_time, 1 - p_churn, np.nan),
            "value_decile": self._deciles(parts.clv),
            **_reasons(parts.groups),
            "cold_start": parts.prospect | self._born_after_training(features),
            "feature_fingerprint": np.full(len(features), self.info.fingerprint, dtype=object),
        }
        return pd.DataFrame({name: scores[name] for name in SCORE_COLUMNS}, index=features.index)

    def contributions(self, features: pd.DataFrame) -> pd.DataFrame:
        """Return ``customer_id`` and one column per group, in currency.

        clv = typical_clv + Σ groups, row by row.
        """
        parts = self._parts(features)
        frame = pd.DataFrame(parts.groups, columns=list(GROUPS), index=features.index)
        frame.insert(0, "customer_id", features["customer_id"])
        return frame

    def contributions_with(self, value: ValueModel, portfolio: pd.DataFrame) -> np.ndarray:
        """Return what contributions would be with other trees, centred on the portfolio.

        Of shape (rows, groups), in currency; only for customers who have bought.
        """
        btyd, season = _offsets(self._forecast(portfolio))
        base, groups = _split(value, value.encoding.matrix(portfolio), btyd / season)
        _, groups = Centring.learn(base, groups).apply(base, groups)
        scale = (1 - self.calibration.weight) * self.seasonal.factor(portfolio["as_of"]) * season
        return groups * scale[:, None]

    def feature_contributions(self, features: pd.DataFrame) -> pd.DataFrame:
        """Return one column per feature, in currency, against a typical customer.

        clv = typical_clv + Σ features, row by row, and the features of a group sum to the
        group's contribution. People who have not bought have none.

        Raises
        ------
        ModelError
            When the model is of a version that centred by group alone.
        """
        btyd, season = _offsets(self._forecast(features))
        matrix = self.value.encoding.matrix(features)
        base, parts = _split_features(self.value, matrix, btyd / season)
        parts = self.centring.apply_features(base, parts)
        scale = (1 - self.calibration.weight) * self.seasonal.factor(features["as_of"]) * season
        scale = np.where(features["frequency"].isna(), 0.0, scale)
        return pd.DataFrame(
            parts * scale[:, None],
            columns=list(self.value.encoding.names),
            index=features.index,
        )

    def total_interval(self, total: float, customers: int, as_of: str) -> tuple[float, float]:
        """Return the prediction interval of the portfolio's realised total.

        With what is unknown of the season ahead of ``as_of``, an ISO date.
        """
        ahead = self.purchases.calendar.spread_at(as_of)
        return self.calibration.total.apply(total, customers, ahead)

    def unseen_categories(self, features: pd.DataFrame) -> dict[str, int]:
        """Count the category values that training never saw, by column."""
        return self.value.encoding.unseen(features)

    def texts(self) -> dict[str, str]:
        """Return the model as LightGBM text and JSON, by file name."""
        return model_texts(self)

    def save(self, directory: str | Path) -> None:
        """Write the model's texts to a directory."""
        directory = Path(directory)
        for name, text in self.texts().items():
            write_text(directory / name, text)

    @classmethod
    def load(cls, directory: str | Path, *, num_threads: int = 1) -> LifetimeModel:
        """Read a saved model; needs neither ``lifetimes`` nor pickle.

        Raises
        ------
        ModelError
            When the directory holds no model of this format.
        """
        directory = Path(directory)
        return cls(**read_parts(directory, num_threads))

    def _forecast(self, features: pd.DataFrame) -> pd.DataFrame:
        info = self.info
        return self.purchases.forecast(features, info.horizon_days, info.discount_rate_annual)

    def _parts(self, features: pd.DataFrame) -> _Parts:
        forecast = self._forecast(features)
        prospect = features["frequency"].isna().to_numpy()
        btyd, season = _offsets(forecast)
        matrix = self.value.encoding.matrix(features)
        base, groups = _split(self.value, matrix, btyd / season)
        base, groups = self.centring.apply(base, groups)
        weight, factor = self.calibration.weight, self.seasonal.factor(features["as_of"])
        groups = groups * ((1 - weight) * factor * season)[:, None]
        groups = np.where(prospect[:, None], 0.0, groups)
        typical = factor * (weight * btyd + (1 - weight) * season * base)
        first = self._first(features, prospect)
        typical = np.where(prospect, first["clv"], typical)
        p_none = np.nan_to_num(forecast["p_none"].to_numpy(), nan=0.5)
        return _Parts(
            forecast=forecast,
            prospect=prospect,
            first=first,
            clv=typical + groups.sum(axis=1),
            typical=typical,
            groups=groups,
            score=self.churn.score(matrix, p_none),
            p_none=p_none,
        )

    def _first(self, features: pd.DataFrame, prospect: np.ndarray) -> pd.DataFrame:
        """Return ``FORECASTS`` of those who have not bought, nan for everybody else."""
        found = pd.DataFrame(np.nan, index=features.index, columns=list(FORECASTS))
        if self.prospects is not None and prospect.any():
            forecast = self.prospects.forecast(features[prospect])
            for name in FORECASTS:
                found.loc[prospect, name] = forecast[name].to_numpy()
        return found

    def _deciles(self, clv: np.ndarray) -> pd.arrays.IntegerArray:
        cuts = np.array(self.info.decile_cuts)
        deciles = np.searchsorted(cuts, np.nan_to_num(clv), side="right").astype(np.int64) + 1
        return pd.arrays.IntegerArray(deciles, np.isnan(clv))

    def _born_after_training(self, features: pd.DataFrame) -> np.ndarray:
        last = dt.date.fromisoformat(self.info.training_cutoff).toordinal()
        codes, days = pd.factorize(features["as_of"])
        ordinals = np.array([dt.date.fromisoformat(str(day)).toordinal() for day in days], float)
        return ordinals[codes] - features["age_days"].to_numpy(float) > last


@dataclass(frozen=True)
class _Parts:
    forecast: pd.DataFrame
    prospect: np.ndarray
    first: pd.DataFrame
    clv: np.ndarray
    typical: np.ndarray
    groups: np.ndarray
    score: np.ndarray
    p_none: np.ndarray


def _offsets(forecast: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return BTYD's value, and how many operational days a day of the horizon stands for."""
    value, season = forecast["value"].to_numpy(), forecast["season"].to_numpy()
    return np.nan_to_num(value), np.nan_to_num(season, nan=1.0)


_SERVICE = [position for position, group in enumerate(GROUPS) if group in SERVICE_GROUPS]


def _split_features(
    value: ValueModel, matrix: np.ndarray, btyd: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    offset = value.offset(btyd)
    if value.trees is None:
        return offset, np.zeros(matrix.shape)
    columns = matrix.shape[1]
    return split_log(value.trees.group_contributions(matrix, range(columns), columns), offset)


def _feature_totals(value: ValueModel, rows: pd.DataFrame, btyd: np.ndarray) -> np.ndarray:
    """Return each feature's contribution to the total, before centring, block by block."""
    total = np.zeros(len(value.encoding.names))
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        matrix = value.encoding.matrix(rows.iloc[block])
        total += _split_features(value, matrix, btyd[block])[1].sum(axis=0)
    return total


def _split(
    value: ValueModel, matrix: np.ndarray, btyd: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    offset = value.offset(btyd)
    if value.trees is None:
        return offset, np.zeros((len(matrix), len(GROUPS)))
    place = {name: position for position, name in enumerate(GROUPS)}
    group_of = [place[name] for name in value.encoding.groups]
    return split_log(value.trees.group_contributions(matrix, group_of, len(GROUPS)), offset)


def _reasons(groups: np.ndarray) -> dict[str, np.ndarray]:
    """Name the groups with the largest amounts; ties go to the earlier group."""
    names = np.array(list(GROUPS), dtype=object)
    order = np.argsort(-np.abs(groups), axis=1, kind="stable")[:, :REASONS]
    amounts = np.take_along_axis(groups, order, axis=1)
    found: dict[str, np.ndarray] = {}
    for k in range(REASONS):
        there = amounts[:, k] != 0
        reason = names[order[:, k]]
        reason[~there] = None
        found[f"reason_{k + 1}"] = reason
        found[f"reason_{k + 1}_amount"] = np.where(there, amounts[:, k], np.nan)
    return found


def _check(rows: pd.DataFrame, purchases: Purchases, options: ModelOptions) -> CrossCheck:
    x, t_x, t, _ = purchases.calendar.histories(rows)
    return cross_check(purchases.purchase.model, x, t_x, t, seed=options.seed)
