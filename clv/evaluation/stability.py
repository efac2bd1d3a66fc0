"""Stability of contributions: what they would have been with other customers.

The value trees are grown again on random four fifths of the training customers, with another
seed each time; everything else is kept. Differences in a group's share or a customer's amounts
that are smaller than what they move by mean nothing. Customers are sampled without
replacement: with it, trees learn from the repeated ones, and noise gets a larger share.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clv.features.base import GROUPS
from clv.models.training.folds import learn_value
from clv.models.training.sampling import sampled
from clv.models.trees.boosting import side_by_side

if TYPE_CHECKING:
    from clv.models.lifetime_value import LifetimeModel
    from clv.models.options import ModelOptions
    from clv.models.training.folds import Folds
    from clv.models.training.panel import Panel
    from clv.models.trees.boosting import Growth
    from clv.models.value import ValueModel

TIMES = 4
PART = 0.8


@dataclass(frozen=True)
class Stability:
    """How contributions of models grown again compare with the registered model's.

    Attributes
    ----------
    times : int
        Models grown again.
    shares : dict of str to (float, float)
        The smallest and the largest share of each group over them and the registered model.
    correlation : dict of str to float or None
        Of customers' amounts with the registered model's, by group; mean over the models.
        None for a group that has no amounts.
    same_first : float
        Share of customers whose largest group by size is the same; mean over the models.
    """

    times: int
    shares: dict[str, tuple[float, float]]
    correlation: dict[str, float | None]
    same_first: float

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON-able values."""
        shares = {name: {"low": low, "high": high} for name, (low, high) in self.shares.items()}
        return {**asdict(self), "shares": shares}


def stability(
    model: LifetimeModel,
    panel: Panel,
    folds: Folds,
    options: ModelOptions,
    portfolio: pd.DataFrame,
    *,
    times: int = TIMES,
) -> Stability | None:
    """Grow the value trees again and compare contributions of a portfolio.

    Parameters
    ----------
    model : LifetimeModel
        As fitted to the panel with these folds and options.
    panel : Panel
    folds : Folds
    options : ModelOptions
    portfolio : DataFrame
        Features of the customers that are described, all of whom have bought.
    times : int
        Models to grow.

    Returns
    -------
    Stability or None
        None where the model holds no trees, they have no say, or fewer customers would
        leave nothing to learn.
    """
    if model.value.trees is None or model.calibration.weight == 1.0:
        return None
    train = sampled(panel.frame, options)
    calls = [
        partial(_regrown, panel, folds, train, options.seed + number)
        for number in range(1, times + 1)
    ]
    groups = list(GROUPS)
    own = model.contributions(portfolio)[groups].to_numpy(np.float64)
    shares, correlations, same = [_shares(own)], [], []
    for trees in side_by_side(calls, options.growth, len(train)):
        if trees.trees is None:
            return None
        found = model.contributions_with(replace(trees, scale=model.value.scale), portfolio)
        shares.append(_shares(found))
        correlations.append([_correlation(a, b) for a, b in zip(own.T, found.T, strict=True)])
        same.append(np.mean(np.abs(own).argmax(axis=1) == np.abs(found).argmax(axis=1)))
    low, high = np.min(shares, axis=0), np.max(shares, axis=0)
    means = np.mean(correlations, axis=0)
    return Stability(
        times=times,
        shares={name: (float(low[k]), float(high[k])) for k, name in enumerate(groups)},
        correlation={
            name: float(means[k]) if high[k] > 0 else None for k, name in enumerate(groups)
        },
        same_first=float(np.mean(same)),
    )


def _shares(amounts: np.ndarray) -> np.ndarray:
    size = np.abs(amounts).sum(axis=0)
    return np.asarray(size / max(float(size.sum()), 1e-300))


def _regrown(
    panel: Panel, folds: Folds, train: pd.DataFrame, seed: int, growth: Growth
) -> ValueModel:
    """Grow the value trees on a part of the customers, all rows of one together."""
    codes, names = pd.factorize(train["customer_id"])
    kept = np.random.default_rng(seed).random(len(names)) < PART
    return learn_value(panel, folds.forecasts, train[kept[codes]], replace(growth, seed=seed))


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation; what has no amounts goes with nothing."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
