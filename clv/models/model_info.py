"""What a fitted model is: the facts that registry, report and provenance read."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.errors import ModelError
from clv.models.btyd.fit import fit_purchases
from clv.notes import Note

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from clv.models.btyd.reference import CrossCheck
    from clv.models.calibration import Calibration
    from clv.models.churn import ChurnModel
    from clv.models.options import ModelOptions
    from clv.models.prospects.prospects import Prospects
    from clv.models.season import SeasonalCorrection
    from clv.models.training.folds import Folds
    from clv.models.training.forecasts import Forecasts
    from clv.models.training.panel import Panel
    from clv.models.value import ValueModel


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

    def require_learned_by(self, day: dt.date, where: str) -> None:
        """Refuse a model that says it learned from days that have not been.

        Parameters
        ----------
        day : datetime.date
            The latest day that anybody can know of.
        where : str
            Which model it is, for the message.

        Raises
        ------
        ModelError
            When an outcome of its training lies after that day.
        """
        for cutoff in (self.training_cutoff, *self.cutoffs):
            if dt.date.fromisoformat(cutoff).toordinal() + self.horizon_days > day.toordinal():
                raise ModelError(
                    f"{where}: says that it learned from the {self.horizon_days} days after "
                    f"{cutoff}, which end later than {day}. Expected a training on days that are "
                    "over. Ask its sender for another bundle, train here, or set this machine's "
                    "clock right."
                )

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> ModelInfo:
        """Restore what ``as_dict`` returned."""
        lists = {n: tuple(saved[n]) for n in ("cutoffs", "features", "decile_cuts")}
        words = {name: tuple(found) for name, found in saved["categories"].items()}
        notes = tuple(Note(**note) for note in saved["notes"])
        return cls(**{**saved, **lists, "categories": words, "notes": notes})


@dataclass(frozen=True)
class Fitted:
    """The parts of a model that were just fitted; see ``LifetimeValue``."""

    value: ValueModel
    churn: ChurnModel
    calibration: Calibration
    seasonal: SeasonalCorrection
    prospects: Prospects | None


def describe(
    panel: Panel,
    options: ModelOptions,
    folds: Folds,
    train: pd.DataFrame,
    fitted: Fitted,
    clv: np.ndarray,
    check: CrossCheck,
) -> ModelInfo:
    """Collect what is worth knowing of a model that was just fitted.

    Parameters
    ----------
    panel, options, folds
        What it was fitted to.
    train : DataFrame
        The rows that the trees learned from.
    fitted : Fitted
        Its parts.
    clv : ndarray of shape (customers,)
        Predictions of the last cutoff, whose deciles cut all later ones.
    check : CrossCheck
        Of the purchase model against lifetimes.
    """
    last = panel.windows[-1]
    purchases = folds.forecasts.latest
    notes = (
        *panel.notes,
        *folds.notes,
        *purchases.notes(),
        *(fitted.prospects.notes() if fitted.prospects is not None else ()),
        *_fit_notes(len(panel.frame), train, fitted, check),
    )
    encoding = fitted.value.encoding
    return ModelInfo(
        horizon_days=panel.horizon_days,
        currency=panel.currency,
        value_is_margin=panel.value_is_margin,
        discount_rate_annual=panel.discount_rate_annual,
        training_cutoff=last.cutoff.isoformat(),
        cutoffs=tuple(window.cutoff.isoformat() for window in panel.windows),
        customers=len(panel.everyone(last)),
        rows=len(train),
        features=encoding.names,
        categories={c.name: c.categories for c in encoding.inputs if c.kind == "category"},
        fingerprint=panel.fingerprint,
        btyd=_fits(panel.everyone(last), folds.forecasts, options),
        blend_weight=fitted.calibration.weight,
        calibration=float(fitted.seasonal.factor([last.horizon_end.isoformat()])[0]),
        decile_cuts=tuple(map(float, np.quantile(clv, np.arange(1, 10) / 10))),
        level=options.level,
        model=options.model,
        seed=options.seed,
        cross_check=check.as_dict(),
        notes=notes,
    )


def _fits(rows: pd.DataFrame, forecasts: Forecasts, options: ModelOptions) -> dict[str, Any]:
    """Return every fit of the last cutoff in the reporting unit; BG/NBD always among them."""
    latest = forecasts.latest
    fits = {fit.model: fit for fit in (latest.purchase, latest.alive, latest.spend)}
    if "bg_nbd" not in fits:
        x, t_x, t, _ = latest.calendar.histories(rows)
        fits["bg_nbd"] = fit_purchases("bg_nbd", x, t_x, t)
    unit = options.time_unit_days
    return {
        "chosen": latest.purchase.model,
        "time_unit_days": unit,
        "spend_dependence": latest.dependence,
        "fits": {name: fit.in_units_of(unit).as_dict() for name, fit in sorted(fits.items())},
        "compared": [
            {
                "model": choice.model,
                "verdict": str(choice.fit.verdict),
                "held_out_log_likelihood": choice.log_likelihood,
                "standard_error": choice.standard_error,
                "tracking": choice.tracking,
            }
            for choice in forecasts.choices
        ],
    }


def _fit_notes(rows: int, train: pd.DataFrame, fitted: Fitted, check: CrossCheck) -> Sequence[Note]:
    value, notes = fitted.value, []
    if len(train) < rows:
        text = f"rows left out of the trees' training, of {rows:,} (training.rows)"
        notes.append(Note("rows_sampled", "training", rows - len(train), text))
    if value.trees is None:
        text = "nobody bought in any horizon; there is nothing for the trees to learn"
        notes.append(Note("no_value", "value", len(train), text))
    if fitted.churn.trees is None:
        text = "every row, or none, bought in the horizon; churn is BTYD's alone"
        notes.append(Note("one_class", "churn", len(train), text))
    if value.clipped_share:
        text = f"{value.clipped_share:.2%} of the outcomes' mass lies below 0 and was taken as 0"
        notes.append(Note("value_clipped", "value", 0, text))
    if value.floored_share:
        text = f"{value.floored_share:.2%} of rows have a BTYD value near 0, raised to the floor"
        notes.append(Note("offset_floored", "value", 0, text))
    if fitted.calibration.weight == 1.0:
        text = "the trees did not beat BTYD; BTYD alone is used and contributions are zero"
        notes.append(Note("btyd_alone", "value", 0, text))
    if not check.same < 1e-4:
        far = "cannot compute" if np.isnan(check.same) else f"differs by {check.same:.2g} in"
        text = f"{check.reference} {far} the likelihood of some customers"
        notes.append(Note("cross_check", check.model, check.customers, text))
    return notes
