"""Time in the synthetic company: days since its first day, seasons, and working hours."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from clv.windows import DAY_SECONDS, YEAR_DAYS, day_start_s

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clv.simulation.options import SimulationOptions

MONTH_FACTORS = np.array(
    [0.88, 0.84, 0.92, 0.95, 0.99, 0.95, 0.89, 0.91, 0.98, 1.05, 1.26, 1.38]
)  # of the year's mean, January first: a quiet start, a summer dip, Christmas


class Shift(IntEnum):
    """Who is on duty: the weekday's three shifts, and the weekend."""

    DAY = 0
    EVENING = 1
    NIGHT = 2
    WEEKEND = 3


SHIFT_SHARES = np.array([0.43, 0.20, 0.085, 0.285])  # of contacts, and so of agents
_WEEKDAY_HOURS = np.array([8, 17, 23, 32])  # day 8–17, evening 17–23, night 23–8
_WEEKDAY_SHARES = np.array([0.60, 0.28, 0.12])


@dataclass(frozen=True)
class Calendar:
    """The company's time line.

    Attributes
    ----------
    start_s : int
        The first second of the first day, since 1970-01-01 UTC.
    span_days : int
        Days of data.
    edges : ndarray of shape (months + 1,)
        Where months begin, in days since the start; the first is 0, the last the end.
    factors : ndarray of shape (months,)
        Season of each month: the rate of purchases against the year's mean.
    """

    start_s: int
    span_days: int
    edges: NDArray[np.float64]
    factors: NDArray[np.float64]

    @classmethod
    def of(cls, options: SimulationOptions) -> Calendar:
        """Lay out the months of the options' years."""
        start, end = options.start, options.end + dt.timedelta(days=1)
        edges, factors, day = [0.0], [], start
        while day < end:
            ahead = (day.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
            factors.append(MONTH_FACTORS[day.month - 1] / MONTH_FACTORS.mean())
            day = min(ahead, end)
            edges.append(float((day - start).days))
        return cls(day_start_s(start), options.span_days, np.array(edges), np.array(factors))

    def season_at(self, days: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the season's integral from the start to ``days``, in years of mean season."""
        steps = np.diff(self.edges) * self.factors / YEAR_DAYS
        return np.interp(days, self.edges, np.concatenate(([0.0], np.cumsum(steps))))

    def day_of_season(self, season: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the day at which the season's integral reaches ``season``."""
        return np.interp(season, self.season_at(self.edges), self.edges)

    def seconds(self, days: NDArray[np.float64]) -> NDArray[np.int64]:
        """Turn days since the start into seconds since 1970-01-01 UTC."""
        return self.start_s + np.floor(days * DAY_SECONDS).astype(np.int64)

    def days(self, seconds: NDArray[np.int64]) -> NDArray[np.float64]:
        """Turn seconds since 1970-01-01 UTC into days since the start."""
        return (seconds - self.start_s) / DAY_SECONDS

    def weekday(self, day: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the weekday, Monday 0, of whole days since the start."""
        return (day + self.start_s // DAY_SECONDS + 3) % 7

    def contact_seconds(
        self, days: NDArray[np.float64], rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Move contacts to an hour of their day at which people call."""
        day = np.floor(days).astype(np.int64)
        shift = np.searchsorted(_WEEKDAY_SHARES.cumsum()[:-1], rng.random(day.size), side="right")
        low, high = _WEEKDAY_HOURS[shift], _WEEKDAY_HOURS[shift + 1]
        hour = (low + (high - low) * rng.random(day.size)) % 24
        return self.start_s + day * DAY_SECONDS + (hour * 3_600).astype(np.int64)

    def week_and_shift(
        self, seconds: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the calendar week since the start (from Monday) and the ``Shift``."""
        day = (seconds - self.start_s) // DAY_SECONDS
        hour = (seconds % DAY_SECONDS) // 3_600
        weekday = self.weekday(day)
        first = int(self.weekday(np.array([0]))[0])
        shift = np.select(
            [weekday >= 5, (hour >= 8) & (hour < 17), (hour >= 17) & (hour < 23)],
            [int(Shift.WEEKEND), int(Shift.DAY), int(Shift.EVENING)],
            int(Shift.NIGHT),
        )
        return (day + first) // 7, shift
