"""The model that is registered: purchases, value and churn combined; saved without pickle."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clv.errors import ModelError
from clv.features.base import GROUPS, SERVICE_GROUPS
from clv.models.boosting import Booster, Encoding
from clv.models.btyd import CrossCheck, cross_check
from clv.models.churn import ChurnModel, Platt
from clv.models.contributions import Centring, by_group, split_log
from clv.models.folds import Folds, learn, out_of_fold, sampled
from clv.models.guards import guard_leaks
from clv.models.intervals import Intervals, TotalInterval
from clv.models.purchases import Purchases, histories
from clv.models.value import Blend, ValueModel, learn_blend
from clv.notes import Note, silent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from clv.models.options import ModelOptions
    from clv.models.panel import Panel
    from clv.notes import OnProgress

FORMAT = 1
MODELS: dict[str, float | None] = {"blend": None, "btyd": 1.0, "lightgbm": 0.0}
"""The weight of BTYD that each model means; None lets the folds decide."""

REASONS = 3
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
class Calibration:
    """What is learned from rows out of fold.

    Attributes
    ----------
    blend : Blend
    platt : Platt
    intervals : Intervals
    total : TotalInterval
    source : str
        ``earlier folds`` or ``held-out customers``.
    """

    blend: Blend
    platt: Platt
    intervals: Intervals
    total: TotalInterval
    source: str


def calibrate(rows: pd.DataFrame, model: str, level: float, source: str) -> Calibration:
    """Learn blend, level, churn calibration and intervals from out-of-fold rows.

    Parameters
    ----------
    rows : DataFrame
        Of ``Fold.test`` or ``Fold.held_out``.
    model : str
        A key of ``MODELS``.
    level : float
        Of the intervals.
    source : str
        Which rows they are, for the record.
    """
    actual, btyd, trees = (rows[name].to_numpy() for name in ("value", "btyd", "trees"))
    blend = learn_blend(actual, btyd, trees, weight=MODELS[model])
    clv = blend.apply(btyd, trees)
    return Calibration(
        blend=blend,
        platt=Platt.learn(rows["score"].to_numpy(), rows["churned"].to_numpy(float)),
        intervals=Intervals.learn(actual, clv, level),
        total=TotalInterval.learn(actual, clv, rows["as_of"].to_numpy(), level),
        source=source,
    )


@dataclass(frozen=True)
class ModelInfo:
    """What a fitted model is, for registry, report and provenance.

    Attributes
    ----------
    horizon_days : int
    currency : str
    value_is_margin : bool
    discount_rate_annual : float
    training_cutoff : str
        ISO date of the last cutoff learned from.
    cutoffs : tuple of str
    customers, rows : int
        At the last cutoff; learned from in all.
    features : tuple of str
    categories : dict
        Vocabulary of each category column.
    fingerprint : str
        Of the feature declarations.
    btyd : dict
        Fits with verdicts, in the reporting unit of time.
    blend_weight, calibration : float
    decile_cuts : tuple of float
        Nine cut-points of predicted clv.
    level : float
    model : str
    seed : int
    cross_check : dict
        Against lifetimes.
    notes : tuple of Note
    """

    horizon_days: int
    currency: str
    value_is_margin: bool
    discount_rate_annual: float
    training_cutoff: str
    cutoffs: tuple[str, ...]
    customers: int
    rows: int
    features: tuple[str, ...]
    categories: dict[str, tuple[str, ...]]
    fingerprint: str
    btyd: dict[str, Any]
    blend_weight: float
    calibration: float
    decile_cuts: tuple[float, ...]
    level: float
    model: str
    seed: int
    cross_check: dict[str, Any]
    notes: tuple[Note, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the information as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> ModelInfo:
        """Restore what ``as_dict`` returned."""
        lists = {n: tuple(saved[n]) for n in ("cutoffs", "features", "decile_cuts")}
        words = {name: tuple(found) for name, found in saved["categories"].items()}
        notes = tuple(Note(**note) for note in saved["notes"])
        return cls(**{**saved, **lists, "categories": words, "notes": notes})


@dataclass(frozen=True)
class LifetimeValue:
    """A fitted model of customer lifetime value.

    Attributes
    ----------
    info : ModelInfo
    purchases : Purchases
    value : ValueModel
    churn : ChurnModel
    calibration : Calibration
    centring : Centring
    first_value : dict of str to float
        Mean value of a first purchase by segment; ``""`` for all.
    """

    info: ModelInfo
    purchases: Purchases
    value: ValueModel
    churn: ChurnModel
    calibration: Calibration
    centring: Centring
    first_value: dict[str, float]

    @classmethod
    def fit(
        cls,
        panel: Panel,
        options: ModelOptions,
        on_progress: OnProgress = silent,
        *,
        folds: Folds | None = None,
    ) -> LifetimeValue:
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
        if options.model not in MODELS:
            raise ModelError(
                f"model {options.model!r} is not known; expected one of {', '.join(MODELS)}."
            )
        last = panel.at(panel.windows[-1])
        names = [name for name in panel.features if name not in options.allow]
        guard_leaks(last[names], last["churned"].to_numpy(), seed=options.seed)
        folds = folds or out_of_fold(panel, options, on_progress)
        train = sampled(panel.frame, options)
        on_progress("final models", 0, 1)
        value, churn = learn(panel, folds.forecasts, train, options)
        calibration = calibrate(
            folds.frame, options.model, options.level, _source(folds.folds[-1].kind)
        )
        purchases = folds.forecasts.latest
        btyd = folds.forecasts.frame.loc[last.index, "value"].to_numpy()
        base, parts = _split(value, value.encoding.matrix(last), btyd)
        clv = calibration.blend.apply(btyd, base + parts.sum(axis=1))
        check = _check(last, purchases, options)
        on_progress("final models", 1, 1)
        return cls(
            info=_describe(panel, options, folds, train, value, calibration, clv, check),
            purchases=purchases,
            value=value,
            churn=churn,
            calibration=calibration,
            centring=Centring.learn(base, parts),
            first_value=_first_values(last),
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
        calibration, forecast = self.calibration, parts.forecast
        low, high = calibration.intervals.apply(parts.clv)
        p_churn = calibration.platt.apply(parts.score)
        p_churn = np.where(parts.prospect, np.nan, p_churn)
        first_time = features["frequency"].to_numpy(float) == 0
        low, high = (np.where(parts.prospect, np.nan, end) for end in (low, high))
        scores = {
            "customer_id": features["customer_id"].to_numpy(dtype=object),
            "as_of": features["as_of"].to_numpy(dtype=object),
            "horizon_days": np.full(len(features), self.info.horizon_days, dtype=np.int64),
            "currency": np.full(len(features), self.info.currency, dtype=object),
            "clv": parts.clv,
            "clv_low": np.where(parts.prospect, 0.0, low),
            "clv_high": np.where(parts.prospect, parts.clv, high),
            "purchases_only_clv": np.where(parts.prospect, parts.clv, forecast["value"]),
            "typical_clv": parts.typical,
            "service_contribution": parts.groups[:, _SERVICE].sum(axis=1),
            "p_churn": p_churn,
            "p_alive": forecast["p_alive"].to_numpy(),
            "expected_purchases": forecast["purchases"].to_numpy(),
            "expected_spend": forecast["spend"].to_numpy(),
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

    def feature_contributions(self, features: pd.DataFrame) -> pd.DataFrame:
        """Return one column per feature, in currency, before centring."""
        btyd = np.nan_to_num(self._forecast(features)["value"].to_numpy())
        _, parts = _split_features(self.value, self.value.encoding.matrix(features), btyd)
        scale = self._scale
        return pd.DataFrame(
            parts * scale, columns=list(self.value.encoding.names), index=features.index
        )

    def total_interval(self, total: float, customers: int) -> tuple[float, float]:
        """Return the prediction interval of the portfolio's realised total."""
        return self.calibration.total.apply(total, customers)

    def unseen_categories(self, features: pd.DataFrame) -> dict[str, int]:
        """Count the category values that training never saw, by column."""
        return self.value.encoding.unseen(features)

    def save(self, directory: Path) -> None:
        """Write the model as LightGBM text and JSON."""
        directory.mkdir(parents=True, exist_ok=True)
        for name, trees in (("value", self.value.trees), ("churn", self.churn.trees)):
            if trees is not None:
                (directory / f"{name}.txt").write_text(trees.text, encoding="utf-8")
        text = json.dumps(_to_document(self), indent=1, sort_keys=True, ensure_ascii=False)
        (directory / "model.json").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, directory: Path, *, num_threads: int = 1) -> LifetimeValue:
        """Read a saved model; needs neither ``lifetimes`` nor pickle.

        Raises
        ------
        ModelError
            When the directory holds no model of this format.
        """
        try:
            text = (directory / "model.json").read_text(encoding="utf-8")
            document = json.loads(text)
        except (OSError, json.JSONDecodeError) as error:
            raise ModelError(
                f"model: {directory} holds no readable model.json; expected a directory that "
                "LifetimeValue.save() wrote."
            ) from error
        if document.get("format") != FORMAT:
            raise ModelError(
                f"model: format {document.get('format')!r}; this version reads {FORMAT}. "
                "Train again, or load with the version that wrote it."
            )
        return _from_document(cls, document, directory, num_threads)

    @property
    def _scale(self) -> float:
        blend = self.calibration.blend
        return (1 - blend.weight) * blend.calibration

    def _forecast(self, features: pd.DataFrame) -> pd.DataFrame:
        info = self.info
        return self.purchases.forecast(features, info.horizon_days, info.discount_rate_annual)

    def _parts(self, features: pd.DataFrame) -> _Parts:
        forecast = self._forecast(features)
        prospect = features["frequency"].isna().to_numpy()
        btyd = np.nan_to_num(forecast["value"].to_numpy())
        matrix = self.value.encoding.matrix(features)
        base, groups = _split(self.value, matrix, btyd)
        base, groups = self.centring.apply(base, groups)
        blend = self.calibration.blend
        groups = np.where(prospect[:, None], 0.0, groups * self._scale)
        typical = blend.calibration * blend.weight * btyd + self._scale * base
        typical = np.where(prospect, self._first_value(features), typical)
        return _Parts(
            forecast=forecast,
            prospect=prospect,
            clv=typical + groups.sum(axis=1),
            typical=typical,
            groups=groups,
            score=self.churn.score(matrix, np.nan_to_num(forecast["p_none"].to_numpy(), nan=0.5)),
        )

    def _first_value(self, features: pd.DataFrame) -> np.ndarray:
        overall = self.first_value[""]
        if "segment" not in features.columns:
            return np.full(len(features), overall)
        found = features["segment"].map(self.first_value).astype(float)
        return found.fillna(overall).to_numpy()

    def _deciles(self, clv: np.ndarray) -> np.ndarray:
        cuts = np.array(self.info.decile_cuts)
        return np.searchsorted(cuts, clv, side="right").astype(np.int64) + 1

    def _born_after_training(self, features: pd.DataFrame) -> np.ndarray:
        last = dt.date.fromisoformat(self.info.training_cutoff).toordinal()
        days = features["as_of"].map(lambda day: dt.date.fromisoformat(str(day)).toordinal())
        return days.to_numpy(float) - features["age_days"].to_numpy(float) > last


@dataclass(frozen=True)
class _Parts:
    forecast: pd.DataFrame
    prospect: np.ndarray
    clv: np.ndarray
    typical: np.ndarray
    groups: np.ndarray
    score: np.ndarray


_SERVICE = [position for position, group in enumerate(GROUPS) if group in SERVICE_GROUPS]


def _split_features(
    value: ValueModel, matrix: np.ndarray, btyd: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    offset = value.offset(btyd)
    if value.trees is None:
        return offset, np.zeros(matrix.shape)
    return split_log(value.trees.contributions(matrix), offset)


def _split(
    value: ValueModel, matrix: np.ndarray, btyd: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    base, parts = _split_features(value, matrix, btyd)
    return base, by_group(parts, value.encoding.groups)


def _reasons(groups: np.ndarray) -> dict[str, np.ndarray]:
    """Name the groups with the largest amounts; ties go to the earlier group."""
    names = np.array(list(GROUPS), dtype=object)
    order = np.argsort(-np.abs(groups), axis=1, kind="stable")[:, :REASONS]
    amounts = np.take_along_axis(groups, order, axis=1)
    found: dict[str, np.ndarray] = {}
    for k in range(REASONS):
        there = amounts[:, k] != 0
        found[f"reason_{k + 1}"] = np.where(there, names[order[:, k]], None)
        found[f"reason_{k + 1}_amount"] = np.where(there, amounts[:, k], np.nan)
    return found


def _first_values(rows: pd.DataFrame) -> dict[str, float]:
    """Return the mean value of a first purchase, by segment where there is one."""
    if "first_order" not in rows.columns:
        once = rows["frequency"] == 0
        amount = rows["order_value_ever"] if "order_value_ever" in rows.columns else rows["value"]
        amount = amount.where(once)
    else:
        amount = rows["first_order"]
    if "margin_ratio" in rows.columns:
        amount = amount * rows["margin_ratio"].fillna(1.0)
    overall = float(amount.mean()) if amount.notna().any() else 0.0
    found = {"": overall}
    if "segment" in rows.columns:
        means = amount.groupby(rows["segment"]).mean().dropna()
        found |= {str(name): float(mean) for name, mean in means.items()}
    return found


def _check(rows: pd.DataFrame, purchases: Purchases, options: ModelOptions) -> CrossCheck:
    x, t_x, t, _ = histories(rows)
    return cross_check(purchases.purchase.model, x, t_x, t, seed=options.seed)


def _source(kind: str) -> str:
    return "earlier folds" if kind == "time" else "held-out customers"


def _describe(
    panel: Panel,
    options: ModelOptions,
    folds: Folds,
    train: pd.DataFrame,
    value: ValueModel,
    calibration: Calibration,
    clv: np.ndarray,
    check: CrossCheck,
) -> ModelInfo:
    last = panel.windows[-1].cutoff.isoformat()
    purchases = folds.forecasts.latest
    unit = options.time_unit_days
    fits = {
        fit.model: fit.in_units_of(unit).as_dict()
        for fit in (purchases.alive, purchases.purchase, purchases.spend)
    }
    blend = calibration.blend
    notes = (
        *panel.notes,
        *folds.notes,
        *purchases.notes(),
        *_fit_notes(len(panel.frame), train, value, blend, check),
    )
    encoding = value.encoding
    return ModelInfo(
        horizon_days=panel.horizon_days,
        currency=panel.currency,
        value_is_margin=panel.value_is_margin,
        discount_rate_annual=panel.discount_rate_annual,
        training_cutoff=last,
        cutoffs=tuple(window.cutoff.isoformat() for window in panel.windows),
        customers=len(clv),
        rows=len(train),
        features=encoding.names,
        categories={c.name: c.categories for c in encoding.inputs if c.kind == "category"},
        fingerprint=panel.fingerprint,
        btyd={"chosen": purchases.purchase.model, "time_unit_days": unit, "fits": fits},
        blend_weight=blend.weight,
        calibration=blend.calibration,
        decile_cuts=tuple(map(float, np.quantile(clv, np.arange(1, 10) / 10))),
        level=options.level,
        model=options.model,
        seed=options.seed,
        cross_check=check._asdict(),
        notes=notes,
    )


def _fit_notes(
    rows: int, train: pd.DataFrame, value: ValueModel, blend: Blend, check: CrossCheck
) -> Sequence[Note]:
    notes = []
    if len(train) < rows:
        text = f"of {rows:,} rows were left out of the trees' training by the rows option"
        notes.append(Note("rows_sampled", "training", rows - len(train), text))
    if value.trees is None:
        text = "nobody bought in any horizon; there is nothing for the trees to learn"
        notes.append(Note("no_value", "value", len(train), text))
    if value.clipped_share:
        text = f"{value.clipped_share:.2%} of the outcomes' mass lies below 0 and was taken as 0"
        notes.append(Note("value_clipped", "value", 0, text))
    if value.floored_share:
        text = f"{value.floored_share:.2%} of rows have a BTYD value near 0, raised to the floor"
        notes.append(Note("offset_floored", "value", 0, text))
    if blend.weight == 1.0:
        text = "the trees did not beat BTYD; BTYD alone is used and contributions are zero"
        notes.append(Note("btyd_alone", "value", 0, text))
    if not check.same < 1e-4:
        text = f"{check.reference}; largest difference of likelihoods {check.same:.2g} a customer"
        notes.append(Note("cross_check", check.model, check.customers, text))
    return notes


def _to_document(model: LifetimeValue) -> dict[str, Any]:
    calibration = model.calibration
    return {
        "format": FORMAT,
        "info": model.info.as_dict(),
        "purchases": model.purchases.as_dict(),
        "value": {
            "floor": model.value.floor,
            "clipped_share": model.value.clipped_share,
            "floored_share": model.value.floored_share,
            "trees": model.value.trees is not None,
        },
        "churn": {"trees": model.churn.trees is not None},
        "encoding": model.value.encoding.as_dict(),
        "calibration": {
            "blend": asdict(calibration.blend),
            "platt": asdict(calibration.platt),
            "intervals": calibration.intervals.as_dict(),
            "total": calibration.total.as_dict(),
            "source": calibration.source,
        },
        "centring": list(model.centring.ratios),
        "first_value": model.first_value,
    }


def _from_document(
    cls: type[LifetimeValue], document: Mapping[str, Any], directory: Path, num_threads: int
) -> LifetimeValue:
    encoding = Encoding.from_dict(document["encoding"])
    trees: dict[str, Booster | None] = {}
    for name in ("value", "churn"):
        trees[name] = None
        if document[name]["trees"]:
            text = (directory / f"{name}.txt").read_text(encoding="utf-8")
            trees[name] = Booster(text, num_threads=num_threads)
    saved = document["calibration"]
    value = {k: v for k, v in document["value"].items() if k != "trees"}
    return cls(
        info=ModelInfo.from_dict(document["info"]),
        purchases=Purchases.from_dict(document["purchases"]),
        value=ValueModel(trees=trees["value"], encoding=encoding, **value),
        churn=ChurnModel(trees["churn"], encoding),
        calibration=Calibration(
            blend=Blend(**saved["blend"]),
            platt=Platt(**saved["platt"]),
            intervals=Intervals.from_dict(saved["intervals"]),
            total=TotalInterval(**saved["total"]),
            source=saved["source"],
        ),
        centring=Centring(tuple(document["centring"])),
        first_value=dict(document["first_value"]),
    )
