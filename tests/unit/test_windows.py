"""The one place where time is cut."""

import datetime as dt

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from clv.errors import UsageError, WindowError
from clv.windows import (
    DAY_SECONDS,
    Window,
    day_of,
    day_start_s,
    gapped,
    latest_window,
    rolling_cutoffs,
)

days = st.dates(dt.date(1980, 1, 1), dt.date(2080, 1, 1))


@settings(deadline=None, derandomize=True, max_examples=25)
@given(days, st.integers(0, 900), st.integers(-(10**9), 10**9))
def test_every_second_is_seen_ahead_or_beyond_and_never_twice(cutoff, horizon, offset):
    window = Window(cutoff, horizon)
    at = day_start_s(cutoff) + offset
    beyond = at >= window.beyond_s
    assert [window.seen(at), window.ahead(at), beyond].count(True) == 1


@settings(deadline=None, derandomize=True, max_examples=25)
@given(days, st.integers(1, 400))
def test_the_last_days_are_exactly_that_many(cutoff, back):
    window = Window(cutoff)
    first = day_start_s(cutoff) - (back - 1) * DAY_SECONDS
    assert window.within(first, back)
    assert not window.within(first - 1, back)
    assert window.within(first - 1, None)


@settings(deadline=None, derandomize=True, max_examples=25)
@given(days)
def test_a_day_and_its_first_second(day):
    assert day_of(day_start_s(day)) == day
    assert day_of(day_start_s(day) - 1) == day - dt.timedelta(days=1)


def test_rolling_windows_end_in_the_data_and_begin_after_the_history():
    first, last = dt.date(2023, 1, 1), dt.date(2024, 12, 31)
    windows = rolling_cutoffs(first, last, 90, every_days=30, history_days=180)
    assert windows[-1].horizon_end == last
    assert windows[0].cutoff >= first + dt.timedelta(days=180)
    assert list(windows) == sorted(windows)


def test_a_horizon_that_does_not_fit_says_what_would():
    with pytest.raises(WindowError, match="a horizon of at most 30 days"):
        rolling_cutoffs(dt.date(2024, 1, 1), dt.date(2024, 1, 31), 60)


def test_the_gap_waits_for_the_reporting():
    test = Window(dt.date(2024, 6, 30), 30)
    whole = (Window(dt.date(2024, 5, 31), 30), Window(dt.date(2024, 5, 1), 30))
    assert gapped(whole, test) == whole
    assert gapped(whole, test, reporting_delay_days=5) == whole[1:]


def test_the_latest_window_and_days_outside():
    first, last = dt.date(2024, 1, 1), dt.date(2024, 12, 31)
    assert latest_window(first, last, 30).horizon_end == last
    with pytest.raises(WindowError, match="the data reach from 2024-01-01 to 2024-12-31"):
        latest_window(first, last, 30, dt.date(2024, 12, 15))


def test_a_horizon_below_zero():
    with pytest.raises(UsageError, match="horizon_days is -1"):
        Window(dt.date(2024, 1, 1), -1)
