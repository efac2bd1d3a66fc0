"""How good predictions are: every metric is ``(actual, predicted, weight=None) -> float``.

Value metrics take currency per customer, probability metrics 0/1 and probabilities. A
weight counts a row several times, which is how the customer bootstrap resamples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.stats import rankdata

if TYPE_CHECKING:
    from collections.abc import Callable

BINS = 10
REPLICATES = 100
REPLICATE_CUSTOMERS = 4_000


def _weights(actual: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    return np.ones(len(actual)) if weight is None else np.asarray(weight, float)


def normalised_gini(
    actual: np.ndarray, predicted: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """Return how much of the possible ranking of money is achieved: 1 perfect, 0 random.

    Area between gain curve and diagonal, over that of the perfect order (Wang, Liu & Miao
    2019, arXiv:1912.07753); tied predictions count as in the mean of all their orders.

    Examples
    --------
    >>> import numpy as np
    >>> normalised_gini(np.array([0.0, 1, 3]), np.array([1.0, 2, 9]))
    1.0
    """
    weight = _weights(actual, weight)
    perfect = _gain(actual, actual, weight)
    return _gain(actual, predicted, weight) / perfect if perfect else float("nan")


def _gain(actual: np.ndarray, score: np.ndarray, weight: np.ndarray) -> float:
    order = np.argsort(-score, kind="stable")
    score, weight, money = score[order], weight[order], (actual * weight)[order]
    ends = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    x = np.append(0.0, np.cumsum(weight)[ends])
    y = np.append(0.0, np.cumsum(money)[ends])
    if y[-1] == 0 or x[-1] == 0:
        return 0.0
    x, y = x / x[-1], y / y[-1]
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum() - 0.5)


def spearman(actual: np.ndarray, predicted: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Return the rank correlation; with weights, of the unweighted ranks."""
    weight = _weights(actual, weight)
    a, b = rankdata(actual), rankdata(predicted)
    a, b = a - np.average(a, weights=weight), b - np.average(b, weights=weight)
    spread = np.sqrt((weight @ a**2) * (weight @ b**2))
    return float((weight * a) @ b / spread) if spread else float("nan")


def mae(actual: np.ndarray, predicted: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Return the mean absolute error, in currency."""
    return float(np.average(np.abs(actual - predicted), weights=_weights(actual, weight)))


def rmse(actual: np.ndarray, predicted: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Return the root mean squared error, in currency."""
    return float(np.sqrt(np.average((actual - predicted) ** 2, weights=_weights(actual, weight))))


def decile_mape(
    actual: np.ndarray, predicted: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """Return the mean over deciles of prediction of |predicted − actual| / actual means.

    A decile that realised nothing is measured against the mean of all.
    """
    weight = _weights(actual, weight)
    overall = abs(float(np.average(actual, weights=weight)))
    if not overall:
        return float("nan")
    errors = []
    for rows in bins_of(predicted, weight):
        realised = float(np.average(actual[rows], weights=weight[rows]))
        forecast = float(np.average(predicted[rows], weights=weight[rows]))
        errors.append(abs(forecast - realised) / (realised if realised > 0 else overall))
    return float(np.mean(errors))


def total_bias(
    actual: np.ndarray, predicted: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """Return predicted over realised total, minus 1."""
    weight = _weights(actual, weight)
    total = float(weight @ actual)
    return float(weight @ predicted) / total - 1 if total else float("nan")


def brier(actual: np.ndarray, predicted: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Return the mean squared error of probabilities."""
    return float(np.average((actual - predicted) ** 2, weights=_weights(actual, weight)))


def calibration_error(
    actual: np.ndarray, predicted: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """Return the expected calibration error: mean |observed − predicted| over ten bins."""
    weight = _weights(actual, weight)
    gap = 0.0
    for rows in bins_of(predicted, weight):
        gap += abs(float(weight[rows] @ (actual[rows] - predicted[rows])))
    return gap / float(weight.sum())


def calibration_noise(predicted: np.ndarray, *, level: float = 0.95, seed: int = 0) -> float:
    """Return how large the calibration error of perfect probabilities would be by chance.

    The quantile ``level`` over outcomes drawn from the predictions themselves: below it, an
    observed error says nothing against them.
    """
    rng = np.random.default_rng(seed)
    bins = bins_of(predicted)
    drawn = np.zeros(REPLICATES)
    for k in range(REPLICATES):
        outcome = rng.random(predicted.size) < predicted
        gaps = [abs(float((outcome[rows] - predicted[rows]).sum())) for rows in bins]
        drawn[k] = sum(gaps) / predicted.size
    return float(np.quantile(drawn, level))


def auc(actual: np.ndarray, predicted: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Return the chance that a positive is scored above a negative; ties count half."""
    weight = _weights(actual, weight)
    scores, place = np.unique(predicted, return_inverse=True)
    positive = np.bincount(place, weight * (actual > 0), len(scores))
    negative = np.bincount(place, weight * (actual <= 0), len(scores))
    pairs = positive.sum() * negative.sum()
    below = np.cumsum(negative) - negative
    return float((positive @ (below + negative / 2)) / pairs) if pairs else float("nan")


def coverage(
    actual: np.ndarray, low: np.ndarray, high: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """Return the share of realised values within their intervals, ends included."""
    inside = (actual >= low) & (actual <= high)
    return float(np.average(inside, weights=_weights(actual, weight)))


def bins_of(predicted: np.ndarray, weight: np.ndarray | None = None) -> list[np.ndarray]:
    """Return the rows of ten bins of equal weight, lowest prediction first."""
    weight = _weights(predicted, weight)
    order = np.argsort(predicted, kind="stable")
    share = (np.cumsum(weight[order]) - weight[order] / 2) / max(float(weight.sum()), 1e-300)
    place = np.minimum((share * BINS).astype(int), BINS - 1)
    parts = [order[place == k] for k in range(BINS)]
    return [rows for rows in parts if weight[rows].sum() > 0]


VALUE_METRICS: dict[str, Callable[..., float]] = {
    "gini": normalised_gini,
    "spearman": spearman,
    "mae": mae,
    "decile_mape": decile_mape,
    "total_bias": total_bias,
}
CHURN_METRICS: dict[str, Callable[..., float]] = {
    "brier": brier,
    "calibration_error": calibration_error,
    "auc": auc,
}


class Estimate(NamedTuple):
    """A metric with its bootstrap interval and standard error."""

    mean: float
    low: float
    high: float
    standard_error: float

    def as_dict(self) -> dict[str, float | None]:
        """Return JSON-able values; what cannot be computed is null."""
        return {name: None if np.isnan(x) else x for name, x in self._asdict().items()}


def bootstrap(
    metric: Callable[..., float],
    actual: np.ndarray,
    predicted: np.ndarray,
    customer: np.ndarray,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Return a metric with an interval from resampling customers, all their rows together.

    Above 4,000 customers each replicate draws that many (the m-out-of-n bootstrap), and its
    deviation is scaled by √(m / n): the interval is the same, the cost is bounded.

    Parameters
    ----------
    metric : callable
        Of this module.
    actual, predicted : ndarray of shape (rows,)
    customer : ndarray of int of shape (rows,)
        Codes 0 … n − 1.
    level : float
        Of the interval.
    seed : int
        The same seed draws the same customers for every metric and model.
    """
    value = metric(actual, predicted)
    if np.isnan(value):
        return Estimate(value, value, value, value)
    rng = np.random.default_rng(seed)
    n = int(customer.max()) + 1
    m = min(n, REPLICATE_CUSTOMERS)
    replicates = np.empty(REPLICATES)
    for k in range(REPLICATES):
        times = np.bincount(rng.integers(0, n, m), minlength=n)[customer]
        rows = np.flatnonzero(times)
        replicates[k] = metric(actual[rows], predicted[rows], times[rows].astype(float))
    away = (replicates - np.nanmean(replicates)) * np.sqrt(m / n)
    low, high = np.nanquantile(away, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, value + float(low), value + float(high), float(np.nanstd(away)))
