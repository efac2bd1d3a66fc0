"""From busy weeks to a calendar: what of them is season, by a prior that says what seasons are.

log busyness = level + trend + season(day of the year) + deviation(of this year alone) + noise,
each a Gaussian process but for the first two, with sizes that the weeks themselves speak for
(empirical Bayes, averaged over a grid). Season and deviation look the same until a second year
was seen: with one the season is drawn towards flat by what deviations usually are, with two and
more by less. Where part of the year has not been seen its season is unknown, and flat.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import cho_solve, cholesky

from clv.models.calendar.intensity import BusyWeeks, busy_weeks
from clv.models.calendar.operational import BIN_DAYS, BINS, YEAR_DAYS, Calendar

if TYPE_CHECKING:
    import pandas as pd

FULL_YEAR_WEEKS = 52
SEASON_DAYS = 24.0
"""How far apart two days of the year may lie and still be of one season."""
DRIFT_DAYS = 120.0
TRUE_YEAR_DAYS = 365.2425
LEVEL_SD, TREND_SD_YEAR = 1.0, 0.3
SEASONS = ((0.0, 0.4), (0.05, 0.1), (0.1, 0.15), (0.2, 0.2), (0.35, 0.1), (0.6, 0.05))
"""Standard deviation of the logarithm of a season, and how often companies have such a one."""
DEVIATIONS = ((0.02, 0.4), (0.05, 0.3), (0.1, 0.2), (0.2, 0.1))
"""The same of how a year differs from others."""
NOISES = ((0.0, 0.25), (0.05, 0.25), (0.1, 0.25), (0.25, 0.25))
LEAST = 0.01
"""A season whose every part is nearer to flat than this is none."""
DIGITS = 9


class _Weights(NamedTuple):
    season: float
    deviation: float
    noise: float
    log_prior: float


_GRID = [
    _Weights(g, e, w, float(np.log(p * q * r)))
    for (g, p), (e, q), (w, r) in itertools.product(SEASONS, DEVIATIONS, NOISES)
]


def learn_calendar(counts: pd.DataFrame, cutoff_day: int, horizon_days: int) -> Calendar:
    """Learn a calendar from the weeks that were over by a cutoff.

    Parameters
    ----------
    counts : DataFrame
        Of ``purchase_weeks``; empty where nobody counted them.
    cutoff_day : int
        Days since 1970-01-01.
    horizon_days : int
        What ``Calendar.spread`` is of.
    """
    if counts.empty:
        return Calendar()
    return calendar_of(busy_weeks(counts, cutoff_day), horizon_days)


def calendar_of(weeks: BusyWeeks, horizon_days: int) -> Calendar:
    """Return the posterior of the season of these weeks."""
    parts = (np.arange(BINS) + 0.5) * BIN_DAYS / YEAR_DAYS
    of_year = _year_fraction(weeks.days)
    among, across = _periodic(of_year, of_year), _periodic(parts, of_year)
    apart = weeks.days[:, None] - weeks.days[None, :]
    years = weeks.days / TRUE_YEAR_DAYS
    years = years - years.mean() if years.size else years
    base = LEVEL_SD**2 + TREND_SD_YEAR**2 * np.outer(years, years)
    deviating = _deviation(apart)
    logs, means, covariances = [], [], []
    prior = _periodic(parts, parts)
    for g, e, w, log_prior in _GRID:
        noise = np.diag(weeks.variance + w**2)
        factor = cholesky(base + g**2 * among + e**2 * deviating + noise, lower=True)
        solved = cho_solve((factor, True), np.column_stack([weeks.log_ratio, g**2 * across.T]))
        fit = -0.5 * float(weeks.log_ratio @ solved[:, 0]) - float(np.log(np.diag(factor)).sum())
        logs.append(fit + log_prior)
        means.append(g**2 * across @ solved[:, 0])
        covariances.append(g**2 * (prior - across @ solved[:, 1:]))
    share = np.exp(np.array(logs) - max(logs))
    share /= share.sum()
    mean = np.einsum("k,ki->i", share, np.array(means))
    among_means = np.array(means) - mean
    covariance = np.einsum("k,kij->ij", share, np.array(covariances))
    covariance += np.einsum("k,ki,kj->ij", share, among_means, among_means)
    deviation = float(share @ np.array([e**2 for _, e, _, _ in _GRID]))
    season = float(share @ np.array([g > 0 for g, *_ in _GRID]))
    spread = _horizon_spread(covariance, deviation, horizon_days)
    mean = mean - mean.mean()
    intensity = np.exp(mean)
    intensity /= intensity.mean()
    found = Calendar(
        intensity=tuple(round(float(value), DIGITS) for value in intensity),
        spread=tuple(round(float(value), DIGITS) for value in spread),
        horizon_days=horizon_days,
        season=round(season, DIGITS),
        weeks=int(weeks.days.size),
    )
    seen = weeks.days.size >= FULL_YEAR_WEEKS and np.abs(mean).max() >= LEAST
    return found if seen else found.unused()


def _horizon_spread(covariance: np.ndarray, deviation: float, horizon_days: int) -> np.ndarray:
    """Return the standard deviation of a horizon's log length, by where in the year it begins."""
    day = np.arange(YEAR_DAYS)
    starts = BIN_DAYS * np.arange(BINS) + BIN_DAYS // 2
    held = np.zeros((BINS, BINS))
    for n, start in enumerate(starts):
        ahead = day[: min(horizon_days, YEAR_DAYS)] + start + 1
        held[n] = np.bincount(ahead % YEAR_DAYS // BIN_DAYS, minlength=BINS) / ahead.size
    against = held - 1 / BINS  # a year's purchases fix the level
    steps = np.arange(0.0, horizon_days, BIN_DAYS)
    of_year = deviation * float(_deviation(steps[:, None] - steps[None, :]).mean())
    variance = np.einsum("ni,ij,nj->n", against, covariance, against)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0) + of_year))


def _year_fraction(days: np.ndarray) -> np.ndarray:
    """Return where in the year days lie, from 0 to 1."""
    day = np.datetime64("1970-01-01", "D") + np.floor(days).astype(np.int64)
    start = day.astype("datetime64[Y]")
    end = (start + 1).astype("datetime64[D]").astype(np.int64)
    begin = start.astype("datetime64[D]").astype(np.int64)
    return np.asarray((days - begin + 0.5) / (end - begin))


def _periodic(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    width = 2 * np.pi * SEASON_DAYS / YEAR_DAYS
    sine = np.sin(np.pi * (a[:, None] - b[None, :]))
    return np.asarray(np.exp(-2 * (sine / width) ** 2))


def _deviation(apart: np.ndarray) -> np.ndarray:
    near = np.exp(-0.5 * (apart / SEASON_DAYS) ** 2)
    far = np.exp(-0.5 * (apart / DRIFT_DAYS) ** 2)
    return np.asarray(0.5 * near + 0.5 * far)
