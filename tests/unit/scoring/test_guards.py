"""Guards: a delivery that is not whole stops before anything is published."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clv.errors import GateError, UsageError
from clv.scoring.changes import Changes
from clv.scoring.deliveries import require_volumes
from clv.scoring.guards import Guards, LastRun, require_newer, require_total
from clv.scoring.volumes import Volume, Volumes

FIRST, LAST = dt.date(2024, 1, 1), dt.date(2025, 6, 30)
NEXT = dt.date(2025, 7, 1)
GUARDS = Guards()
SAID = {
    "finished_at": "2025-07-01T02:00:00+00:00",
    "data_fingerprint": "abc",
    "model_name": "clv",
    "model_version": 3,
}
WORTH = {
    "as_of": "2025-06-30",
    "horizon_days": 90,
    "currency": "EUR",
    "value_is_margin": True,
    "total_clv": 1000.0,
    "customers": 400,
    "unvalued": 0,
}
SAME = Changes(400, 400, 0, 0, 0, 0, 0, 1000.0, 1000.0)


def daily(per_day=10, until=LAST, since=FIRST, closed=()):
    """Return a volume of so many rows on every day that is not closed."""
    days = [since + dt.timedelta(days=k) for k in range((until - since).days + 1)]
    counts = {day: per_day for day in days if day.weekday() not in closed}
    return Volume(sum(counts.values()), counts)


def last(**tables):
    return LastRun(LAST, SAID, WORTH, Volumes(LAST, tables))


def told(before, here, as_of=NEXT, guards=GUARDS):
    with pytest.raises(GateError) as caught:
        require_volumes(last(orders=before), Volumes(as_of, {"orders": here}), guards)
    assert "Nothing was published." in str(caught.value)
    assert "do not refit" in str(caught.value)
    return str(caught.value)


@given(per_day=st.integers(0, 500), days=st.integers(0, 40), closed=st.sets(st.integers(0, 6)))
def test_a_company_that_goes_on_as_it_did_is_never_stopped(per_day, days, closed):
    until = LAST + dt.timedelta(days=days)
    now = Volumes(until, {"orders": daily(per_day, until, closed=closed)})
    require_volumes(last(orders=daily(per_day, closed=closed)), now, GUARDS)


@given(keep=st.floats(0, 1))
def test_rows_gone_stop_from_the_limit_on(keep):
    before = daily(100)
    days = {day: round(100 * keep) for day in before.days}
    here = Volume(sum(days.values()), days)
    now = Volumes(LAST, {"orders": here})
    if here.rows >= before.rows * (1 - GUARDS.rows_lost):
        require_volumes(last(orders=before), now, GUARDS)
    else:
        assert "in 18 of 18 months" in told(before, here) or "nearly all of" in told(before, here)


def test_the_older_half_missing_says_which_months():
    here = daily(until=NEXT, since=dt.date(2024, 10, 1))
    assert "nearly all of 2024-01 to 2024-09" in told(daily(), here)
    assert "guards.rows_lost allows 10.0%" in told(daily(), here)


def test_last_months_file_says_where_it_ends():
    text = told(daily(), daily(until=dt.date(2025, 6, 20)))
    assert "100 of the 280 rows of the four weeks before 2025-06-30 are gone" in text
    assert "they end on 2025-06-20" in text


def test_a_file_there_twice_under_other_ids_is_named():
    assert "is a file there twice under other ids?" in told(daily(), daily(20, until=NEXT))


def test_a_table_that_is_empty_or_absent_stops_however_small():
    few = Volume(3, {LAST: 3})
    assert "orders: 3 of the 3 rows" in told(few, Volume(0, {}))
    with pytest.raises(GateError, match="surveys: the table is not there"):
        require_volumes(last(surveys=few), Volumes(NEXT, {}), GUARDS)
    require_volumes(last(surveys=few), Volumes(NEXT, {}), Guards(rows_lost=1))


def test_days_that_bring_much_less_than_the_leanest_of_the_year_stop():
    until = dt.date(2025, 7, 14)
    days = {**daily().days, **dict.fromkeys((until - dt.timedelta(days=k) for k in range(14)), 4)}
    text = told(daily(), Volume(sum(days.values()), days), until)
    assert "56 rows in the 14 days until 2025-07-14" in text
    assert "had 140 (guards.recent_rows allows 50.0% less)" in text


def test_a_table_that_stands_still_is_noted_before_it_stops():
    (note,) = require_volumes(last(orders=daily()), Volumes(NEXT, {"orders": daily()}), GUARDS)
    assert (note.code, note.where) == ("nothing_new", "orders")


def test_a_run_before_there_were_guards_is_said_not_to_be_compared():
    (note,) = require_volumes(LastRun(LAST, SAID, WORTH, None), Volumes(NEXT, {}), GUARDS)
    assert note.code == "not_guarded"


@given(rows=st.dictionaries(st.dates(FIRST, LAST), st.integers(1, 10**9)), more=st.integers(0, 9))
def test_volumes_come_back_as_they_were_saved(rows, more):
    saved = Volumes(LAST, {"orders": Volume(sum(rows.values()) + more, rows)})
    assert Volumes.from_dict(saved.as_dict()) == saved


def newer(as_of=LAST, version=3, fingerprint="abc", today=NEXT):
    require_newer(last(), as_of, model=("clv", version), data_fingerprint=fingerprint, today=today)


def test_an_older_day_is_refused():
    with pytest.raises(GateError, match=r"as of 2025-06-29 is older .* --allow-older"):
        newer(as_of=dt.date(2025, 6, 29))


def test_yesterdays_file_is_refused_and_the_same_run_again_is_not():
    newer()  # the same day: a run that was killed, or asked for twice
    newer(version=4, today=dt.date(2025, 7, 2))  # a new model may score the same tables
    newer(fingerprint="abd", today=dt.date(2025, 7, 2))  # a correction
    with pytest.raises(GateError, match="those of the run of 2025-07-01, row for row"):
        newer(today=dt.date(2025, 7, 2))


@pytest.mark.parametrize(
    ("changed", "days", "stops"),
    [(1810.0, 0, "+81.0%"), (700.0, 1, "-30.0%"), (1240.0, 1, ""), (1400.0, 60, "")],
)
def test_the_total_may_move_so_far_in_so_many_days(changed, days, stops):
    as_of = (LAST + dt.timedelta(days=days)).isoformat()
    now = {**WORTH, "total_clv": changed, "as_of": as_of}
    if not stops:
        assert require_total(last(), now, SAME, GUARDS) == ()
        return
    with pytest.raises(GateError) as caught:
        require_total(last(), now, SAME, GUARDS)
    assert stops in str(caught.value)
    assert "CLV__GUARDS__TOTAL_CHANGE=10" in str(caught.value)


def test_another_horizon_is_not_compared_and_customers_gone_are():
    (note,) = require_total(last(), {**WORTH, "horizon_days": 180, "total_clv": 9e9}, SAME, GUARDS)
    assert "another horizon_days" in note.message
    renamed = replace(SAME, left=400, entered=400)
    with pytest.raises(GateError, match=r"customers: 400 of the 400 .* do ids look otherwise"):
        require_total(last(), WORTH, renamed, GUARDS)
    require_total(last(), WORTH, replace(SAME, left=20, after=380), GUARDS)


@pytest.mark.parametrize("name", ["rows_lost", "rows_added", "total_change"])
def test_limits_outside_their_range_are_refused(name):
    with pytest.raises(UsageError, match=f"guards: {name} is -1"):
        Guards(**{name: -1})
