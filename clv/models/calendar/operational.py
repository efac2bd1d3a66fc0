"""Operational time: calendar days, longer in busy weeks and shorter in quiet ones.

In it purchases come as evenly as buy-till-you-die models take them to, so that a horizon that
holds a busy season is as much longer as the season is busier. It is monotone and additive, and
a year of 365 days lasts 365.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

YEAR_DAYS = 365
BIN_DAYS = 5
BINS = YEAR_DAYS // BIN_DAYS
_EPOCH = np.datetime64("1970-01-01", "D")
_FEBRUARY_28, _FEBRUARY_29 = 58, 59  # days of the year, from 0


@dataclass(frozen=True)
class Calendar:
    """How busy each part of the year is.

    Attributes
    ----------
    intensity : tuple of float
        Of the year's ``BINS`` parts of 5 days, from 1 January; their mean is 1. Empty where the
        calendar is flat: operational time is calendar time.
    spread : tuple of float
        By the part of the year that a horizon begins in, the standard deviation of the
        logarithm of its true length in operational days; empty where it is not known.
    horizon_days : int
        The horizon that ``spread`` is of.
    season : float
        The chance that there is a season at all, by the weeks that were seen.
    weeks : int
        How many were seen.
    """

    intensity: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()
    horizon_days: int = 0
    season: float = 0.0
    weeks: int = 0

    @property
    def is_flat(self) -> bool:
        """Whether operational time is calendar time."""
        return not self.intensity

    def unused(self) -> Calendar:
        """Return the flat calendar that is left when this one is not used.

        What it would have said of a horizon is then a part of what is not known.
        """
        if self.is_flat:
            return self
        starts = np.arange(BINS) * BIN_DAYS + BIN_DAYS // 2
        daily = np.tile(np.repeat(np.array(self.intensity), BIN_DAYS), 2)
        length = min(self.horizon_days, YEAR_DAYS)
        held = [daily[start + 1 : start + 1 + length].mean() for start in starts]
        spread = np.hypot(np.array(self.spread), np.log(held))
        return replace(self, intensity=(), spread=tuple(map(float, spread)))

    def days(self, at: np.ndarray) -> np.ndarray:
        """Return operational days from 1970-01-01 to the end of each day.

        Parameters
        ----------
        at : ndarray of shape (n,)
            Whole days since 1970-01-01; nan stays nan.

        Examples
        --------
        >>> Calendar().days(np.array([10, 20])).tolist()
        [10.0, 20.0]
        >>> busy = Calendar(tuple([0.5, 1.5] * 36 + [1.0]))
        >>> float(np.diff(busy.days(np.array([364, 729])))[0])  # the whole of 1971
        365.0
        """
        at = np.asarray(at, float)
        if self.is_flat:
            return at
        known = np.isfinite(at)
        day = _EPOCH + np.where(known, at, 0.0).astype(np.int64)
        start = day.astype("datetime64[Y]")
        year = start.astype(np.int64) + 1970
        of_year = (day - start.astype("datetime64[D]")).astype(np.int64)
        late = _is_leap(year) & (of_year >= _FEBRUARY_29)
        daily = np.repeat(np.array(self.intensity), BIN_DAYS)
        leap_days = _leap_days(year) - _leap_days(np.int64(1970)) + late
        whole = YEAR_DAYS * (year - 1970) + leap_days * daily[_FEBRUARY_28]
        found: np.ndarray = whole + np.cumsum(daily)[of_year - late] - daily[0]
        return np.where(known, found, np.nan)

    def elapsed(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return operational days from the end of one day to the end of another."""
        return np.asarray(self.days(end) - self.days(start))

    def ahead(self, as_of: Iterable[object], horizon_days: int) -> np.ndarray:
        """Return, by cutoff, how many operational days a horizon holds."""
        at = epoch_days(as_of)
        return self.elapsed(at, at + horizon_days)

    def spread_at(self, as_of: str) -> float:
        """Return the standard deviation of the logarithm of a horizon's operational length."""
        if not self.spread:
            return 0.0
        day = np.datetime64(as_of, "D")
        of_year = int((day - day.astype("datetime64[Y]").astype("datetime64[D]")).astype(int))
        return self.spread[min(of_year // BIN_DAYS, BINS - 1)]

    def histories(
        self, rows: pd.DataFrame
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return frequency, recency, age and mean spend as arrays of shape (n,).

        Recency and age in operational days, each end rounded to a whole one: what is equal in
        calendar days stays equal, and merges as fast.

        Parameters
        ----------
        rows : DataFrame
            ``frequency``, ``recency_days``, ``age_days``, ``monetary_value``; ``as_of`` too
            where the calendar is not flat.
        """
        names = ("frequency", "recency_days", "age_days", "monetary_value")
        x, t_x, t, z = (rows[name].to_numpy(dtype=np.float64) for name in names)
        if self.is_flat:
            return x, t_x, t, z
        at = epoch_days(rows["as_of"])
        first, last, cutoff = (np.rint(self.days(day)) for day in (at - t, at - t + t_x, at))
        return x, last - first, cutoff - first, z

    def as_dict(self) -> dict[str, Any]:
        """Return the calendar as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any] | None) -> Calendar:
        """Restore what ``as_dict`` returned; models of the first versions had none."""
        if saved is None:
            return cls()
        lists = {name: tuple(saved[name]) for name in ("intensity", "spread")}
        return cls(**{**saved, **lists})


def epoch_days(as_of: Iterable[object]) -> np.ndarray:
    """Return ISO dates as days since 1970-01-01, of shape (n,)."""
    codes, names = pd.factorize(np.array([*as_of], dtype=object))
    days = [(np.datetime64(str(name), "D") - _EPOCH).astype(float) for name in names]
    return np.array(days, dtype=np.float64)[codes]


def _is_leap(year: np.ndarray) -> np.ndarray:
    return (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))


def _leap_days(year: np.ndarray | np.int64) -> np.ndarray:
    """Return the leap days before a year."""
    before = year - 1
    return np.asarray(before // 4 - before // 100 + before // 400)
