"""Value over the horizon: BTYD times what the trees learn from service and behaviour.

LightGBM's Tweedie objective (zero-inflated, heavy-tailed, log link) with the logarithm of
BTYD's value as its offset: value = BTYD · exp(sum of leaves). Blending with BTYD is linear
and calibration a factor, so that money stays additive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.models.boosting import Booster, Encoding, Growth, grow

if TYPE_CHECKING:
    import pandas as pd

FLOOR_SHARE = 1e-3
TWEEDIE_POWER = 1.5
WEIGHTS = np.round(np.linspace(0.0, 1.0, 21), 2)
CALIBRATION_RANGE = (0.2, 5.0)


def offset_floor(btyd: np.ndarray) -> float:
    """Return the smallest offset: a thousandth of the median BTYD value above 0."""
    positive = btyd[btyd > 0]
    return FLOOR_SHARE * float(np.median(positive)) if positive.size else 1e-9


@dataclass(frozen=True)
class ValueModel:
    """Trees over the logarithm of BTYD's value.

    Attributes
    ----------
    trees : Booster or None
        None where the outcomes hold no value to learn from.
    encoding : Encoding
    floor : float
        Offsets below it are raised to it, in currency.
    clipped_share : float
        Share of the training outcomes' absolute mass below 0, which Tweedie takes as 0.
    floored_share : float
        Share of training rows whose offset was raised.
    """

    trees: Booster | None
    encoding: Encoding
    floor: float
    clipped_share: float = 0.0
    floored_share: float = 0.0

    @classmethod
    def fit(
        cls, rows: pd.DataFrame, btyd: np.ndarray, encoding: Encoding, growth: Growth
    ) -> ValueModel:
        """Learn from ``rows["value"]``; ``btyd`` is the forecast of the same rows."""
        outcome = rows["value"].to_numpy(float)
        floor = offset_floor(btyd)
        label = np.maximum(outcome, 0.0)
        mass = float(np.abs(outcome).sum())
        clipped = float(-outcome[outcome < 0].sum()) / mass if mass else 0.0
        floored = float((btyd < floor).mean())
        if not label.any():
            return cls(None, encoding, floor, clipped, floored)
        # in units of the mean, so that regularisation means the same in any currency
        unit = float(label.mean())
        trees = grow(
            encoding.matrix(rows),
            label / unit,
            encoding,
            growth,
            objective="tweedie",
            offset=np.log(np.maximum(btyd, floor) / unit),
            constrained=True,
            extra={"tweedie_variance_power": TWEEDIE_POWER},
        )
        return cls(trees, encoding, floor, clipped, floored)

    def offset(self, btyd: np.ndarray) -> np.ndarray:
        """Return BTYD's value, raised to the floor."""
        return np.maximum(btyd, self.floor)

    def predict(self, matrix: np.ndarray, btyd: np.ndarray) -> np.ndarray:
        """Return value of shape (rows,), in currency."""
        if self.trees is None:
            return self.offset(btyd)
        return self.offset(btyd) * np.exp(self.trees.raw(matrix))


@dataclass(frozen=True)
class Blend:
    """clv = calibration · (weight · BTYD + (1 − weight) · trees).

    Attributes
    ----------
    weight : float
        Of BTYD; 1 where the trees do not beat it.
    calibration : float
        Realised over predicted value of rows out of fold.
    """

    weight: float = 1.0
    calibration: float = 1.0

    def apply(self, btyd: np.ndarray, trees: np.ndarray) -> np.ndarray:
        """Return clv of shape (rows,)."""
        return self.calibration * (self.weight * btyd + (1 - self.weight) * trees)


def learn_blend(
    actual: np.ndarray, btyd: np.ndarray, trees: np.ndarray, *, weight: float | None = None
) -> Blend:
    """Choose the weight by Tweedie deviance out of fold, then the level.

    Every candidate is first brought to the right level, so that the weight is chosen for
    how customers differ and the calibration for how much they spend in all.

    Parameters
    ----------
    actual, btyd, trees : ndarray of shape (rows,)
        Realised value and both forecasts, of rows that neither had learned from.
    weight : float, optional
        Hold the weight fixed and learn the level only.
    """
    label = np.maximum(actual, 0.0)
    if not label.any():
        return Blend(1.0 if weight is None else weight, 1.0)
    candidates = WEIGHTS if weight is None else np.array([weight])
    losses = []
    for w in candidates:
        mean = np.maximum(w * btyd + (1 - w) * trees, 1e-12)
        losses.append(tweedie_deviance(label, mean * label.sum() / mean.sum()))
    best = float(candidates[int(np.argmin(losses))])
    total = float((best * btyd + (1 - best) * trees).sum())
    level = float(actual.sum()) / total if total > 0 else 1.0
    return Blend(best, float(np.clip(level, *CALIBRATION_RANGE)))


def tweedie_deviance(actual: np.ndarray, mean: np.ndarray, power: float = TWEEDIE_POWER) -> float:
    """Return the mean Tweedie deviance up to what does not depend on the mean (1 < power < 2)."""
    p = power
    return float(2 * (mean ** (2 - p) / (2 - p) - actual * mean ** (1 - p) / (1 - p)).mean())
