"""How far a customer's realised value may lie from the prediction.

Split conformal prediction within bins of the prediction (Mondrian; Vovk et al. 2005):
residuals of rows out of fold, relative to the prediction, give the quantiles. Where most
customers buy nothing the lower end is 0 and cannot be missed; the whole error rate then
goes to the upper end, so that coverage stays nominal. Where more than the level buy nothing,
an interval with both nothing and the prediction in it covers more than the level; other bins
then may miss a little more, so that all customers together are nearer to what was promised.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student_t

if TYPE_CHECKING:
    from collections.abc import Mapping

BIN_ROWS = 150
MAX_BINS = 20
FLOOR_SLACK = 0.02
LONE_FOLD_SPREAD = 0.15
ASSUMED_DEGREES = 30
_SHOCKS = norm.ppf((np.arange(49) + 0.5) / 49)


@dataclass(frozen=True)
class Intervals:
    """Prediction intervals of realised value.

    Attributes
    ----------
    level : float
        Nominal coverage.
    edges : tuple of float
        Inner edges of the bins of predicted value.
    low, high : tuple of float
        Realised over predicted value (plus ``softening``), per bin.
    softening : float
        Added to predictions before dividing, in currency, so that small ones do not blow up.
    may_be_negative : bool
        Whether refunds made some realised value negative.
    """

    level: float
    edges: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    softening: float
    may_be_negative: bool

    @classmethod
    def learn(
        cls,
        actual: np.ndarray,
        predicted: np.ndarray,
        level: float,
        *,
        spread: float = 0.0,
        slack: bool = True,
    ) -> Intervals:
        """Take quantiles from rows out of fold.

        Parameters
        ----------
        actual, predicted : ndarray of shape (rows,)
        level : float
            Such as 0.9.
        spread : float
            Standard deviation of log(realised / predicted total) to allow for beside what
            the rows show. Customers held out of the learning cutoffs, or of one test, say
            nothing of how far the next total will be off; those of several tests do.
        slack : bool
            Whether bins may miss more where others cannot miss as much as the level allows.
        """
        softening = 0.05 * max(float(predicted.mean()), 1e-9)
        bins = int(np.clip(predicted.size // BIN_ROWS, 1, MAX_BINS))
        inner = np.quantile(predicted, np.arange(1, bins) / bins)
        edges = np.unique(inner)
        ratio = actual / (predicted + softening)
        place = np.searchsorted(edges, predicted, side="right")
        within = level_beside_floors(actual <= predicted, place, level) if slack else level
        ends = [conformal_ends(ratio[place == k], within, spread) for k in range(edges.size + 1)]
        pooled = conformal_ends(ratio, level, spread)
        ends = [pooled if np.isnan(low) else (low, high) for low, high in ends]
        return cls(
            level=level,
            edges=tuple(map(float, edges)),
            low=tuple(low for low, _ in ends),
            high=tuple(high for _, high in ends),
            softening=softening,
            may_be_negative=bool((actual < 0).any()),
        )

    def apply(self, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return both ends of shape (rows,), around the prediction."""
        place = np.searchsorted(np.array(self.edges), predicted, side="right")
        scale = predicted + self.softening
        low, high = np.array(self.low)[place] * scale, np.array(self.high)[place] * scale
        if not self.may_be_negative:
            low = np.maximum(low, 0.0)
        return np.minimum(low, predicted), np.maximum(high, predicted)

    def as_dict(self) -> dict[str, Any]:
        """Return the intervals as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Intervals:
        """Restore what ``as_dict`` returned."""
        lists = {name: tuple(saved[name]) for name in ("edges", "low", "high")}
        return cls(**{**saved, **lists})


def conformal_ends(ratio: np.ndarray, level: float, spread: float = 0.0) -> tuple[float, float]:
    """Return the ends that miss 1 − level of ratios, finite-sample corrected.

    The lower end misses at most half; whatever it does not miss, the upper end may. With a
    spread every ratio stands for itself times a lognormal factor.

    Examples
    --------
    >>> conformal_ends(np.array([0.0] * 60 + [1.0] * 40), 0.9)
    (0.0, 1.0)
    >>> low, high = conformal_ends(np.ones(999), 0.9, spread=0.15)
    >>> round(low, 2), round(high, 2)
    (0.78, 1.28)
    """
    if ratio.size == 0:
        return float("nan"), float("nan")
    moved = np.exp(spread * _SHOCKS) if spread else np.ones(1)
    ordered = np.sort(np.outer(ratio, moved), axis=None)
    n, times = ratio.size, moved.size
    miss = 1.0 - level
    low = float(ordered[max(int(np.floor(miss / 2 * (n + 1) * times)) - 1, 0)])
    missed_low = float((ordered < low).mean())
    rank = int(np.ceil((1 - miss + missed_low) * (n + 1) * times)) - 1
    return low, float(ordered[min(rank, ordered.size - 1)])


def level_beside_floors(reached: np.ndarray, place: np.ndarray, level: float) -> float:
    """Return the level within bins at which all customers together are covered by ``level``.

    Parameters
    ----------
    reached : ndarray of bool of shape (rows,)
        Whether an interval that ends at the prediction holds: the least a bin can cover.
    place : ndarray of int of shape (rows,)
        The bin of each row.
    level : float
        Given up by at most ``FLOOR_SLACK``, so that no group pays much for another's floor.

    Examples
    --------
    >>> reached, place = np.array([True] * 97 + [False] * 3 + [True, False] * 50), np.arange(200)
    >>> round(level_beside_floors(reached, place // 100, 0.9), 3)
    0.88
    """
    rows = np.bincount(place)
    floors = np.bincount(place, reached)[rows > 0] / rows[rows > 0]
    for within in np.linspace(level - FLOOR_SLACK, level, 21):
        if np.average(np.maximum(within, floors), weights=rows[rows > 0]) >= level:
            return float(within)
    return level


@dataclass(frozen=True)
class TotalInterval:
    """How far the portfolio's total may lie from its prediction.

    Attributes
    ----------
    level : float
        Nominal coverage.
    spread : float
        Root mean square of log(realised / predicted total) over folds, beyond what the
        customers' own noise and what was unknown of the season explain. Not about its mean:
        a forecast that was always too low is as wrong as one that was now low, now high.
    degrees : int
        Folds; 0 where there was one fold only and ``spread`` is an assumption.
    noise : float
        Standard deviation of one customer's realised around predicted value, relative to
        the mean prediction.
    """

    level: float
    spread: float
    degrees: int
    noise: float

    @classmethod
    def learn(
        cls,
        actual: np.ndarray,
        predicted: np.ndarray,
        fold: np.ndarray,
        level: float,
        *,
        known: Mapping[object, float] | None = None,
    ) -> TotalInterval:
        """Measure the error of totals between folds, and that of customers within.

        Parameters
        ----------
        actual, predicted : ndarray of shape (rows,)
        fold : ndarray of shape (rows,)
            The cutoff of each row.
        level : float
            Nominal coverage.
        known : mapping of cutoff to float, optional
            Standard deviation of the log total that the calendar allowed for at a cutoff: of
            the error there only the rest is asked of the next total, which has its own.
        """
        known = known or {}
        mean = max(float(predicted.mean()), 1e-12)
        noise = float((actual - predicted).std()) / mean
        beyond = []
        for name in np.unique(fold):
            here = fold == name
            realised, forecast = float(actual[here].sum()), float(predicted[here].sum())
            if realised > 0 and forecast > 0:
                explained = noise**2 / here.sum() + known.get(name, 0.0) ** 2
                beyond.append(np.log(realised / forecast) ** 2 - explained)
        if len(beyond) < 2:
            return cls(level, LONE_FOLD_SPREAD, 0, noise)
        return cls(level, float(np.sqrt(max(np.mean(beyond), 0.0))), len(beyond), noise)

    def apply(
        self, total: float, customers: int, season_spread: float = 0.0
    ) -> tuple[float, float]:
        """Return both ends of a total over that many customers.

        ``season_spread`` is the standard deviation of the log total for what is unknown of the
        season ahead.

        The factor is Student's t where the folds had to tell how far the level moves, and
        the normal's where the noise of many customers explains all that they differed by.
        """
        tail = (1 + self.level) / 2
        degrees = (self.degrees or ASSUMED_DEGREES) if self.spread > 0 else np.inf
        factor = float(student_t.ppf(tail, degrees))
        noise = self.noise / np.sqrt(max(customers, 1))
        spread = np.sqrt(self.spread**2 + noise**2 + season_spread**2)
        return float(total * np.exp(-factor * spread)), float(total * np.exp(factor * spread))

    def as_dict(self) -> dict[str, Any]:
        """Return the interval as JSON-able values."""
        return asdict(self)
