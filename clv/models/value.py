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
        cls,
        rows: pd.DataFrame,
        btyd: np.ndarray,
        encoding: Encoding,
        growth: Growth,
        *,
        ratio: np.ndarray | float = 1.0,
    ) -> ValueModel:
        """Learn how customers differ from BTYD's forecast.

        Parameters
        ----------
        rows : DataFrame
            With ``value`` and the columns of the encoding.
        btyd : ndarray of shape (rows,)
            BTYD's forecast of value.
        encoding : Encoding
        growth : Growth
        ratio : ndarray of shape (rows,) or float
            Realised over forecast total of each row's cutoff: the trees are not to learn
            how the level of past cutoffs differed, which says little about the next.
        """
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
            offset=np.log(np.maximum(btyd, floor) * ratio / unit),
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


def learn_weight(
    actual: np.ndarray, btyd: np.ndarray, trees: np.ndarray, group: np.ndarray
) -> float:
    """Choose BTYD's weight in the blend by Tweedie deviance out of fold.

    Every candidate is first brought to the realised level of each group, so that the
    weight is chosen for how customers differ; the level is calibrated apart.

    Parameters
    ----------
    actual, btyd, trees : ndarray of shape (rows,)
        Realised value and both forecasts, of rows that neither had learned from.
    group : ndarray of shape (rows,)
        The fold of each row.
    """
    names, place = np.unique(group, return_inverse=True)
    label = np.maximum(actual, 0.0)
    realised = np.bincount(place, label, len(names))
    if not label.any():
        return 1.0
    losses = []
    for w in WEIGHTS:
        mean = np.maximum(w * btyd + (1 - w) * trees, 1e-12)
        level = np.maximum(realised, 1e-12) / np.bincount(place, mean, len(names))
        losses.append(tweedie_deviance(label, mean * level[place]))
    return float(WEIGHTS[int(np.argmin(losses))])


def tweedie_deviance(actual: np.ndarray, mean: np.ndarray, power: float = TWEEDIE_POWER) -> float:
    """Return the mean Tweedie deviance up to what does not depend on the mean (1 < power < 2)."""
    p = power
    return float(2 * (mean ** (2 - p) / (2 - p) - actual * mean ** (1 - p) / (1 - p)).mean())
