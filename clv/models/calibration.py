"""What is learned from rows out of fold: the blend, the calibration of churn, the intervals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.models.churn import Platt
from clv.models.intervals import Intervals, TotalInterval
from clv.models.value import learn_weight

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

MODELS: dict[str, float | None] = {"blend": None, "btyd": 1.0, "lightgbm": 0.0}
"""The weight of BTYD that each model means; None lets the folds decide."""
EARLIER_FOLDS, HELD_OUT = "earlier folds", "held-out customers"


@dataclass(frozen=True)
class Calibration:
    """What is learned from rows out of fold.

    Attributes
    ----------
    weight : float
        Of BTYD in the blend; 1 where the trees do not beat it.
    platt : Platt
    intervals : Intervals
    total : TotalInterval
    source : str
        ``EARLIER_FOLDS`` or ``HELD_OUT``.
    """

    weight: float
    platt: Platt
    intervals: Intervals
    total: TotalInterval
    source: str

    @classmethod
    def learn(
        cls,
        rows: pd.DataFrame,
        model: str,
        level: float,
        source: str,
        *,
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
            Which rows they are, for the record.
        spread : float
            What customers' intervals allow for beside these rows; see ``Intervals.learn``.
        prospects : DataFrame, optional
            Of ``Fold.prospects``: the total is of them too.
        """
        names = ("value", "btyd", "trees", "factor", "score", "p_none", "churned")
        actual, btyd, trees, factor, score, p_none, churned = (
            rows[name].to_numpy(dtype=np.float64) for name in names
        )
        fold = rows["as_of"].to_numpy()
        fixed = MODELS[model]
        weight = fixed
        if weight is None:
            folds = len(np.unique(fold)) if source == EARLIER_FOLDS else 1
            weight = learn_weight(actual, btyd, trees, fold, folds=folds)
        clv = factor * (weight * btyd + (1 - weight) * trees)
        return cls(
            weight=weight,
            platt=Platt.learn(score, p_none, churned, fold),
            intervals=Intervals.learn(actual, clv, level, spread=spread),
            total=_total(actual, clv, fold, level, prospects),
            source=source,
        )

    def blended(self, btyd: np.ndarray, trees: np.ndarray) -> np.ndarray:
        """Return value of shape (rows,), before the level's factor."""
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
        }
        return cls(**{**saved, **parts})


def _total(
    actual: np.ndarray,
    clv: np.ndarray,
    fold: np.ndarray,
    level: float,
    prospects: pd.DataFrame | None,
) -> TotalInterval:
    """Learn how far totals were off, of everybody who is of the total."""
    if prospects is not None:
        valued = prospects[prospects["clv"].notna()]
        actual = np.append(actual, valued["value"].to_numpy(float))
        clv = np.append(clv, valued["clv"].to_numpy(float))
        fold = np.append(fold, valued["as_of"].to_numpy())
    return TotalInterval.learn(actual, clv, fold, level)
