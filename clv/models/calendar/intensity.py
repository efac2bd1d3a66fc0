"""How busy each week was, beside what its customers' ages would have it be.

Repeat purchases of a week depend on how many customers there are and how long ago they came:
young ones buy often, and fewer of the old ones are left. Both are taken off by a table of age
and week, repeats = customers · rate(age) · busyness(week), fitted by maximum likelihood
(iterative proportional fitting). What it leaves to the weeks is season, drift and chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.events.purchase_weeks import WEEK_DAYS

if TYPE_CHECKING:
    import pandas as pd

AGE_EDGES = np.array([1, 2, 3, 4, 6, 8, 12, 16, 26, 39, 52, 78, 104, 156, 208])
"""Ages in weeks at which the rate of purchases may step."""
EARLY_WEEKS = 13
"""Customers of the first weeks are partly older ones, whose first purchase lies before the data:
they have a rate by age of their own."""
MOST_WEEKS = 261
ITERATIONS = 200
HALF = 0.5


@dataclass(frozen=True)
class BusyWeeks:
    """The weeks that were over by a cutoff.

    Attributes
    ----------
    days : ndarray of shape (weeks,)
        The middle of each, in days since 1970-01-01.
    log_ratio : ndarray of shape (weeks,)
        Of repeat purchases to those that the customers' ages let expect.
    variance : ndarray of shape (weeks,)
        Of ``log_ratio``, by chance alone.
    """

    days: np.ndarray
    log_ratio: np.ndarray
    variance: np.ndarray


def busy_weeks(counts: pd.DataFrame, cutoff_day: int) -> BusyWeeks:
    """Hold each week's repeat purchases against what customers' ages let expect.

    Parameters
    ----------
    counts : DataFrame
        Of ``purchase_weeks``.
    cutoff_day : int
        Days since 1970-01-01; weeks that are not over by it are not looked at.
    """
    ended = (cutoff_day + 1) // WEEK_DAYS
    known = counts[counts["week"] < ended]
    if known.empty:
        return BusyWeeks(np.empty(0), np.empty(0), np.empty(0))
    start = int(known["cohort"].min())
    weeks = ended - start
    cohort, week = (known[name].to_numpy(np.int64) - start for name in ("cohort", "week"))
    came = np.bincount(cohort, known["customers"].to_numpy(float), weeks)
    repeats = np.zeros((weeks, weeks))
    repeats[cohort, week] = known["repeats"].to_numpy(float)
    who, when = np.triu_indices(weeks)
    # the latest weeks are enough, and bound the work
    recent = (when >= weeks - MOST_WEEKS) & (came[who] > 0)
    who, when = who[recent], when[recent]
    kind = np.searchsorted(AGE_EDGES, when - who, side="right")
    kind += (AGE_EDGES.size + 1) * (who >= EARLY_WEEKS)
    made, customers = repeats[who, when], came[who]
    expected, busy = _fitted(made, customers, kind, when)
    bought = np.bincount(when, made, weeks)
    seen = np.unique(when)
    log_ratio = np.log((bought[seen] + HALF) / (expected[seen] + HALF))
    middle = WEEK_DAYS * (start + seen) + (WEEK_DAYS - 1) / 2
    # by what is expected at this week's busyness: a week without purchases tells little
    variance = 1 / (expected[seen] * np.maximum(busy[seen], 0.1) + HALF)
    return BusyWeeks(middle, log_ratio, variance)


def _fitted(
    made: np.ndarray, customers: np.ndarray, kind: np.ndarray, when: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return what ages let expect of each week, and how busy it was."""
    busy = np.ones(int(when.max()) + 1)
    by_kind, by_week = np.bincount(kind, made), np.bincount(when, made)
    expected = np.zeros(busy.size)
    for _ in range(ITERATIONS):
        rate = by_kind / np.maximum(np.bincount(kind, customers * busy[when]), 1e-12)
        expected = np.bincount(when, customers * rate[kind]).astype(np.float64)
        before, busy = busy, (by_week + HALF) / (expected + HALF)
        busy /= np.average(busy, weights=expected + 1e-12)
        if np.abs(busy - before).max() < 1e-6:
            break
    return expected, busy
