"""Value over the horizon: BTYD times what the trees learn from service and behaviour.

LightGBM's Tweedie objective (zero-inflated, heavy-tailed, log link) over an offset halfway,
in logarithms, between BTYD's value and the typical one: value = offset · exp(sum of leaves).
Trees that start from all of BTYD repeat its mistakes, so that blending them with it gains
little; trees that start from none of it lose its hold on customers who grow older than any
seen in training. Blending with BTYD is linear and calibration a factor, so that money stays
additive.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from clv.models.trees.boosting import TWEEDIE_POWER, Booster, Encoding, Growth, grow

if TYPE_CHECKING:
    import pandas as pd

FLOOR_SHARE = 1e-3
OFFSET_SHARE = 0.5
WEIGHTS = np.round(np.linspace(0.0, 1.0, 21), 2)
LOSS_FLOOR = 0.02


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
        BTYD values below it are raised to it, in currency.
    level : float
        BTYD's mean value in training, in currency.
    scale : float
        What brings the trees' total to BTYD's, as measured where neither had learned.
    clipped_share : float
        Share of the training outcomes' absolute mass below 0, which Tweedie takes as 0.
    floored_share : float
        Share of training rows whose offset was raised.
    """

    trees: Booster | None
    encoding: Encoding
    floor: float
    level: float
    scale: float = 1.0
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
            With ``as_of``, ``value`` and the columns of the encoding.
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
        model = cls(None, encoding, floor, float(btyd.mean()), 1.0, clipped, floored)
        if not label.any():
            return model
        # each cutoff's own level, so that the trees need not tell cutoffs apart
        _, place = np.unique(rows["as_of"].to_numpy(dtype=str), return_inverse=True)
        levels = np.maximum(np.bincount(place, btyd) / np.bincount(place), floor)[place]
        offset = _offset(np.maximum(btyd, floor), levels) * ratio
        # in units of the mean, so that regularisation means the same in any currency
        unit = float(label.mean())
        trees = grow(
            encoding.matrix(rows),
            label / unit,
            encoding,
            growth,
            objective="tweedie",
            offset=np.log(offset / unit),
            constrained=True,
        )
        return replace(model, trees=trees)

    def offset(self, btyd: np.ndarray) -> np.ndarray:
        """Return what the trees multiply: halfway between BTYD's value and its mean."""
        own = np.maximum(btyd, self.floor)
        if self.trees is None:
            return own
        return self.scale * _offset(own, np.array(max(self.level, self.floor)))

    def log_scale(self, matrix: np.ndarray, btyd: np.ndarray) -> float:
        """Return log(BTYD's total / the trees') over customers; needs no outcomes."""
        totals = float(np.maximum(btyd, self.floor).sum()), float(self.predict(matrix, btyd).sum())
        return float(np.log(totals[0] / totals[1])) if min(totals) > 0 else 0.0

    def predict(self, matrix: np.ndarray, btyd: np.ndarray) -> np.ndarray:
        """Return value of shape (rows,), in currency."""
        if self.trees is None:
            return self.offset(btyd)
        return self.offset(btyd) * np.exp(self.trees.raw(matrix))


def _offset(btyd: np.ndarray, level: np.ndarray) -> np.ndarray:
    return btyd**OFFSET_SHARE * level ** (1 - OFFSET_SHARE)


def learn_weight(
    actual: np.ndarray,
    btyd: np.ndarray,
    trees: np.ndarray,
    group: np.ndarray,
    *,
    folds: int,
) -> float:
    """Choose BTYD's weight in the blend by Tweedie deviance out of fold.

    Every candidate is first brought to the realised level of each group, so that the
    weight is chosen for how customers differ; the level is calibrated apart. Trees that
    improve no blend get no weight. Otherwise the best weight w of n folds is shrunk to one
    half, (n w + ½) / (n + 1), since few folds say little.

    Parameters
    ----------
    actual, btyd, trees : ndarray of shape (rows,)
        Realised value and both forecasts, of rows that neither had learned from.
    group : ndarray of shape (rows,)
        The cutoff of each row.
    folds : int
        How many tests in time the rows stand for.
    """
    if not (actual > 0).any():
        return 1.0

    def loss(w: float) -> float:
        return float(shape_loss(actual, w * btyd + (1 - w) * trees, group).mean())

    best = min(map(float, WEIGHTS), key=loss)
    return best if best == 1.0 else round((best * folds + 0.5) / (folds + 1), 3)


def shape_loss(actual: np.ndarray, predicted: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return each row's Tweedie deviance once predictions are brought to the realised level.

    Parameters
    ----------
    actual, predicted : ndarray of shape (rows,)
    group : ndarray of shape (rows,)
        The cutoff of each row, whose level is its own.
    """
    names, place = np.unique(group, return_inverse=True)
    label = np.maximum(actual, 0.0)
    unit = max(float(label.mean()), 1e-300)
    mean = np.maximum(predicted, LOSS_FLOOR * float(predicted.mean()))
    realised = np.maximum(np.bincount(place, label, len(names)), 1e-12 * unit)
    level = realised / np.bincount(place, mean, len(names))
    return tweedie_deviance(label / unit, mean * level[place] / unit)


def tweedie_deviance(
    actual: np.ndarray, mean: np.ndarray, power: float = TWEEDIE_POWER
) -> np.ndarray:
    """Return each row's Tweedie deviance up to what does not depend on the mean.

    The power lies between 1 and 2.
    """
    p = power
    return 2 * (mean ** (2 - p) / (2 - p) - actual * mean ** (1 - p) / (1 - p))
