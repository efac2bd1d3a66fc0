"""The one place where time is cut."""

import datetime as dt
from collections import Counter

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
    robust_span,
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


@given(
    st.lists(st.integers(0, 700), min_size=100, max_size=300),
    st.lists(st.sampled_from([-20_000, -9_000, -300, 1_100, 4_000]), max_size=1),
    st.integers(1, 5),
)
def test_few_strays_far_off_move_neither_end(days, strays, copies):
    origin = dt.date(2022, 1, 1)
    plain = Counter(origin + dt.timedelta(days=day) for day in [*days, *range(0, 700, 20)])
    span = robust_span(sorted(plain.items()), 0.01)
    assert (span.first, span.last) == (min(plain), max(plain))  # ordinary data have no strays
    assert not span.stray_before + span.stray_after
    off = Counter({origin + dt.timedelta(days=day): copies for day in strays})
    many = copies > max(1, int(0.01 * (plain.total() + copies)))
    found = robust_span(sorted((plain + off).items()), 0.01)
    if many and strays:
        assert (found.first, found.last) == (min(plain + off), max(plain + off))
    else:
        assert (found.first, found.last) == (span.first, span.last)
        assert Counter(dict(found.stray_before + found.stray_after)) == off


@pytest.mark.parametrize(
    ("days", "ends"),
    [
        ([0], (0, 0)),
        ([0, 4000], (0, 4000)),  # two orders: neither is a stray of the other
        (list(range(0, 6000, 300)), (0, 5700)),  # rare, and evenly
        ([-9000, -8000, *range(0, 600, 2), 2000, 2500], (0, 598)),
    ],
)
def test_ends_of_few_and_of_rare_events(days, ends):
    origin = dt.date(2010, 1, 1)
    counts = [(origin + dt.timedelta(days=day), 1) for day in days]
    span = robust_span(counts, 0.01)
    first, last = ((day - origin).days for day in (span.first, span.last))
    assert (first, last) == ends
    assert bool(span.stray_before + span.stray_after) == (days[0] != 0)
