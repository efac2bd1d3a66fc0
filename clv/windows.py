"""The one place where time is cut.

A day D as a cutoff means the end of D, UTC: what happened on D is known, what happens on
D + 1 lies ahead. Times are whole seconds since 1970-01-01 UTC; every comparison is with
the first second that lies ahead.
"""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clv.errors import UsageError, WindowError

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY_SECONDS = 86_400
YEAR_DAYS = 365
"""A year, of discounting and of everything that is told per year."""
WEEKS_PER_YEAR = YEAR_DAYS / 7
EXPOSURE_DAYS = YEAR_DAYS
STRAY_AMONG, STRAY_DAYS, STRAY_GAPS = 20, 60, 3
_EPOCH = dt.date(1970, 1, 1)


def day_start_s(day: dt.date) -> int:
    """Return the first second of a day, in seconds since 1970-01-01 UTC.

    Examples
    --------
    >>> day_start_s(dt.date(1970, 1, 2))
    86400
    """
    return (day - _EPOCH).days * DAY_SECONDS


def day_of(second: int) -> dt.date:
    """Return the UTC day that a second lies in.

    Examples
    --------
    >>> day_of(86399)
    datetime.date(1970, 1, 1)
    """
    return _EPOCH + dt.timedelta(days=second // DAY_SECONDS)


def as_day(day: str | dt.date) -> dt.date:
    """Return a day that was given as one, as a moment of it, or as text.

    Raises
    ------
    UsageError
        For text that says no day.

    Examples
    --------
    >>> as_day("2025-06-30") == as_day(dt.datetime(2025, 6, 30, 23, 59))
    True
    """
    if isinstance(day, dt.datetime):
        return day.date()
    if isinstance(day, dt.date):
        return day
    try:
        return dt.date.fromisoformat(day)
    except (ValueError, TypeError):
        raise UsageError(f"{day!r} is no day; expected one such as '2025-06-30'.") from None


@dataclass(frozen=True, order=True)
class Window:
    """What may be seen (up to the cutoff), and what is asked about (the horizon after it).

    The methods take anything that compares with an integer: a number, an array, or an
    Ibis column of seconds; they return the same kind of thing.

    Attributes
    ----------
    cutoff : datetime.date
        The last day that is known.
    horizon_days : int
        Days after the cutoff that a label covers; 0 where nothing is asked.

    Examples
    --------
    >>> window = Window(dt.date(2025, 6, 30), horizon_days=90)
    >>> window.horizon_end
    datetime.date(2025, 9, 28)
    >>> window.seen(window.ahead_s - 1), window.seen(window.ahead_s)
    (True, False)
    """

    cutoff: dt.date
    horizon_days: int = 0

    def __post_init__(self) -> None:
        if self.horizon_days < 0:
            raise UsageError(f"horizon_days is {self.horizon_days}; expected 0 or more.")

    @property
    def ahead_s(self) -> int:
        """The first second that lies after the cutoff."""
        return day_start_s(self.cutoff) + DAY_SECONDS

    @property
    def beyond_s(self) -> int:
        """The first second that lies after the horizon."""
        return self.ahead_s + self.horizon_days * DAY_SECONDS

    @property
    def horizon_end(self) -> dt.date:
        """The last day of the horizon."""
        return self.cutoff + dt.timedelta(days=self.horizon_days)

    def seen(self, at_s: Any) -> Any:
        """Say whether an event at ``at_s`` is known at the cutoff."""
        return at_s < self.ahead_s

    def within(self, at_s: Any, days: int | None) -> Any:
        """Say whether an event is known and lies in the last ``days`` days (None: ever).

        Parameters
        ----------
        at_s : ibis column, array or int
            When it happened, in seconds since 1970-01-01 UTC.
        days : int or None
            Days up to the cutoff; None: ever.
        """
        if days is None:
            return self.seen(at_s)
        return (at_s >= self.ahead_s - days * DAY_SECONDS) & self.seen(at_s)

    def ahead(self, at_s: Any) -> Any:
        """Say whether an event lies in the horizon."""
        return (at_s >= self.ahead_s) & (at_s < self.beyond_s)

    def shifted(self, days: int) -> Window:
        """Return the same window with its cutoff moved by ``days``."""
        return Window(self.cutoff + dt.timedelta(days=days), self.horizon_days)


@dataclass(frozen=True)
class FollowUp:
    """Which events can be followed for a horizon of their own, within the days that are used.

    Attributes
    ----------
    since : datetime.date or None
        The first day whose events count; None is no bound.
    until : datetime.date
        The last day that is used, to its end: nothing after it is known.
    horizon_days : int
        Days of 86,400 seconds after each event that its outcome covers.

    Examples
    --------
    >>> follow = FollowUp(None, dt.date(1970, 1, 3), horizon_days=1)
    >>> follow.complete(2 * DAY_SECONDS - 1), follow.complete(2 * DAY_SECONDS)
    (True, False)
    """

    since: dt.date | None
    until: dt.date
    horizon_days: int

    def __post_init__(self) -> None:
        if self.horizon_days < 0:
            raise UsageError(f"horizon_days is {self.horizon_days}; expected 0 or more.")

    @property
    def horizon_s(self) -> int:
        """Seconds after an event that its outcome covers."""
        return self.horizon_days * DAY_SECONDS

    def seen(self, at_s: Any) -> Any:
        """Say whether what happened at ``at_s`` is known by the end of ``until``."""
        return at_s < day_start_s(self.until) + DAY_SECONDS

    def complete(self, at_s: Any) -> Any:
        """Say whether an event counts: not before ``since``, and its horizon is known whole."""
        whole = self.seen(at_s + self.horizon_s)
        return whole if self.since is None else (at_s >= day_start_s(self.since)) & whole


@dataclass(frozen=True)
class Span:
    """From when to when the data reach, and what lies so far off that it does not say so.

    Attributes
    ----------
    first, last : datetime.date
        The ends.
    stray_before, stray_after : tuple of (datetime.date, int)
        Days outside them, oldest first, each with its number of events.
    """

    first: dt.date
    last: dt.date
    stray_before: tuple[tuple[dt.date, int], ...] = ()
    stray_after: tuple[tuple[dt.date, int], ...] = ()


def robust_span(counts: Sequence[tuple[dt.date, int]], stray_share: float) -> Span:
    """Return the first and the last day of events, few that lie far off left aside.

    Events at one end are left aside when there are at most ``stray_share`` of all (of 20 or
    more events, one in any case), and more than 60 days, and more than three times the
    longest gap among all others, lie between them and the rest.

    Parameters
    ----------
    counts : sequence of (datetime.date, int)
        Days with events, oldest first, and how many.
    stray_share : float
        0 leaves nothing aside.

    Examples
    --------
    >>> days = [(dt.date(2025, 1, 1) + dt.timedelta(days=n), 2) for n in range(30)]
    >>> robust_span([(dt.date(1970, 1, 1), 1), *days], 0.01).first
    datetime.date(2025, 1, 1)
    >>> robust_span([(dt.date(1970, 1, 1), 1), *days], 0).first
    datetime.date(1970, 1, 1)
    """
    days = [day for day, _ in counts]
    total = sum(count for _, count in counts)
    allowed = 0
    if stray_share > 0 and total >= STRAY_AMONG:
        allowed = max(1, int(stray_share * total))
    low = _leading([count for _, count in counts], allowed)
    high = len(days) - _leading([count for _, count in reversed(counts)], allowed)
    gaps = [(later - day).days for day, later in itertools.pairwise(days)]
    far = max(STRAY_DAYS, STRAY_GAPS * max(gaps[low : high - 1], default=0))
    start = max((n + 1 for n in range(low) if gaps[n] > far), default=0)
    stop = min((n for n in range(high, len(days)) if gaps[n - 1] > far), default=len(days))
    if start >= stop:  # nothing but events far from each other
        return Span(days[0], days[-1])
    return Span(days[start], days[stop - 1], tuple(counts[:start]), tuple(counts[stop:]))


def _leading(counts: Sequence[int], allowed: int) -> int:
    """Return how many days from an end on hold no more events together than allowed."""
    held = itertools.accumulate(counts)
    return sum(1 for _ in itertools.takewhile(lambda so_far: so_far <= allowed, held))


def rolling_cutoffs(
    first: dt.date, last: dt.date, horizon_days: int, *, every_days: int = 30, history_days: int = 0
) -> tuple[Window, ...]:
    """Return the legal training windows, oldest first, ending with the latest one.

    A window is legal when its horizon ends by ``last`` and at least ``history_days`` (and
    one day) of data lie before its cutoff.

    Parameters
    ----------
    first, last : datetime.date
        The first and last day of the data.
    horizon_days : int
        The horizon of each window.
    every_days : int
        Days between cutoffs, counted back from the latest.
    history_days : int
        Days of data that each cutoff needs behind it.

    Raises
    ------
    WindowError
        When not even one window fits.

    Examples
    --------
    >>> windows = rolling_cutoffs(dt.date(2024, 1, 1), dt.date(2024, 6, 30), 90, every_days=60)
    >>> [str(window.cutoff) for window in windows]
    ['2024-02-01', '2024-04-01']
    """
    latest = last - dt.timedelta(days=horizon_days)
    earliest = first + dt.timedelta(days=history_days)
    if latest < earliest:
        raise WindowError(
            f"a horizon of {horizon_days} days with {history_days} days of history does not fit "
            f"into the data, {first} to {last}. Choose a horizon of at most "
            f"{max((last - earliest).days, 0)} days, or bring more history."
        )
    count = (latest - earliest).days // every_days + 1
    days = [latest - dt.timedelta(days=every_days * back) for back in range(count)]
    return tuple(Window(day, horizon_days) for day in reversed(days))


def gapped(
    windows: Sequence[Window], test: Window, reporting_delay_days: int = 0
) -> tuple[Window, ...]:
    """Return the windows whose labels were complete and reported by the test cutoff.

    Examples
    --------
    >>> a, b = Window(dt.date(2024, 1, 1), 30), Window(dt.date(2024, 1, 15), 30)
    >>> gapped([a, b], Window(dt.date(2024, 2, 1), 30)) == (a,)
    True
    """
    delay = dt.timedelta(days=reporting_delay_days)
    return tuple(w for w in windows if w.horizon_end + delay <= test.cutoff)


def latest_window(
    first: dt.date, last: dt.date, horizon_days: int, as_of: dt.date | None = None
) -> Window:
    """Return the window of a day, by default the latest day whose horizon lies in the data.

    Raises
    ------
    WindowError
        When the cutoff lies before the data, or the horizon reaches past them.

    Examples
    --------
    >>> str(latest_window(dt.date(2024, 1, 1), dt.date(2024, 12, 31), 90).cutoff)
    '2024-10-02'
    """
    latest = last - dt.timedelta(days=horizon_days)
    window = Window(latest if as_of is None else as_of, horizon_days)
    if not first <= window.cutoff <= latest:
        raise WindowError(
            f"as_of {window.cutoff}: its horizon of {horizon_days} days ends on "
            f"{window.horizon_end}; the data reach from {first} to {last}. Choose a day from "
            f"{first} to {latest}, or a shorter horizon."
        )
    return window
