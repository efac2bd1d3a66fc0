"""Whether contributions would have come out the same had the company had other customers.

The value trees are grown again, each time on training customers redrawn with replacement and
with another seed; everything else is kept. What a group's share and a customer's amounts then
move by is what not to read into them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clv.features.base import GROUPS
from clv.models.boosting import side_by_side
from clv.models.folds import learn_value, sampled

if TYPE_CHECKING:
    from clv.models.boosting import Growth
    from clv.models.folds import Folds
    from clv.models.lifetime_value import LifetimeValue
    from clv.models.options import ModelOptions
    from clv.models.panel import Panel
    from clv.models.value import ValueModel

TIMES = 4


@dataclass(frozen=True)
class Stability:
    """How contributions of models grown again compare with the registered model's.

    Attributes
    ----------
    times : int
        Models grown again.
    shares : dict of str to (float, float)
        The smallest and the largest share of each group over them.
    correlation : dict of str to float
        Of customers' amounts with the registered model's, by group; mean over the models.
    same_first : float
        Share of customers whose largest group by size is the same; mean over the models.
    """

    times: int
    shares: dict[str, tuple[float, float]]
    correlation: dict[str, float]
    same_first: float

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON-able values."""
        shares = {name: {"low": low, "high": high} for name, (low, high) in self.shares.items()}
        return {**asdict(self), "shares": shares}


def stability(
    model: LifetimeValue,
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
    model : LifetimeValue
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
        None where the model holds no trees, or they have no say.
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
    shares, correlations, same = [], [], []
    for trees in side_by_side(calls, options.growth, len(train)):
        found = model.contributions_with(replace(trees, scale=model.value.scale), portfolio)
        size = np.abs(found).sum(axis=0)
        shares.append(size / max(float(size.sum()), 1e-300))
        correlations.append([_correlation(a, b) for a, b in zip(own.T, found.T, strict=True)])
        same.append(np.mean(np.abs(own).argmax(axis=1) == np.abs(found).argmax(axis=1)))
    low, high = np.min(shares, axis=0), np.max(shares, axis=0)
    means = np.mean(correlations, axis=0)
    return Stability(
        times=times,
        shares={name: (float(low[k]), float(high[k])) for k, name in enumerate(groups)},
        correlation={name: float(means[k]) for k, name in enumerate(groups)},
        same_first=float(np.mean(same)),
    )


def _regrown(
    panel: Panel, folds: Folds, train: pd.DataFrame, seed: int, growth: Growth
) -> ValueModel:
    """Grow the value trees on redrawn customers, all rows of one together."""
    codes, names = pd.factorize(train["customer_id"])
    drawn = np.random.default_rng(seed).integers(0, len(names), len(names))
    times = np.bincount(drawn, minlength=len(names))[codes]
    rows = train.iloc[np.repeat(np.arange(len(train)), times)]
    return learn_value(panel, folds.forecasts, rows, replace(growth, seed=seed))


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation; a group that never has an amount agrees with itself."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float(np.ptp(one) == np.ptp(other))
    return float(np.corrcoef(one, other)[0, 1])
