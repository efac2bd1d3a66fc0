"""Times of exports: every form, every zone; and which of two orders of month and day."""

import datetime as dt
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv.engines.duckdb import DuckDBEngine
from clv.errors import DataError, UsageError
from clv.sources.exports.times import dates_order, time_text


@pytest.fixture(scope="module")
def table():
    with DuckDBEngine(threads=1) as engine:

        def table(texts):
            return engine.frame(
                pa.table({"n": range(len(texts)), "at": pa.array(texts, pa.string())})
            )

        yield engine, table


def read(table, texts, zone="UTC", dates="mdy"):
    engine, make = table
    rows = make(texts)
    rows = rows.select(rows.n, made=time_text(rows["at"], zone, dates)).order_by("n")
    frame = engine.to_pandas(rows)
    return frame["made"].astype(object).where(frame["made"].notna(), None).tolist()


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("6/23/25 07:00 AM", "2025-06-23T07:00:00Z"),
        ("6/23/25, 7:00 PM", "2025-06-23T19:00:00Z"),
        ("6/23/25, 7:00\u202fPM", "2025-06-23T19:00:00Z"),
        ("06/23/2025 12:05:09 AM", "2025-06-23T00:05:09Z"),
        ("6/23/2025 12:05:09 p.m.", "2025-06-23T12:05:09Z"),
        ("6/23/2025 19:05", "2025-06-23T19:05:00Z"),
        ("6/23/2025", "2025-06-23T00:00:00Z"),
        ("23.06.2025, 07:00", "2025-06-23T07:00:00Z"),
        ("3.6.25 07:00:01.999", "2025-06-03T07:00:01Z"),
        ("2025/06/23 7:00:05 PM", "2025-06-23T19:00:05Z"),
        ("2025-06-23, 7:00 a.m.", "2025-06-23T07:00:00Z"),
        ("2025-06-23T07:00:00.999Z", "2025-06-23T07:00:00Z"),
        ("2025-06-23 07:00:00 +0200", "2025-06-23T05:00:00Z"),
        ("2025-06-23 07:00", "2025-06-23T07:00:00Z"),
    ],
)
def test_forms(table, text, utc):
    assert read(table, [text]) == [utc]


def test_what_is_no_time_stays(table):
    no_times = [
        None, "last week", "6/31/25 07:00 AM", "13/13/25", "6/23/25 13:00 PM", "6/23/25 0:30 AM",
        "6/23/25 25:00", "6/23", "1750662000", "soon",
    ]  # fmt: skip
    assert read(table, no_times) == no_times
    assert read(table, ["", " ", "n/a", "-"]) == [None] * 4


def test_the_clock_on_the_wall(table):
    texts = ["6/23/25 07:00 AM", "1/15/25 07:00 AM", "2025-06-23T07:00:00Z", "23.06.2025 07:00"]
    assert read(table, texts, "Europe/Berlin") == [
        "2025-06-23T05:00:00Z", "2025-01-15T06:00:00Z", "2025-06-23T07:00:00Z",
        "2025-06-23T05:00:00Z",
    ]  # fmt: skip


def test_the_day_first(table):
    assert read(table, ["6/7/25 07:00"], dates="dmy") == ["2025-07-06T07:00:00Z"]


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        (["6/7/25", "13/7/25"], "dmy"),
        (["6/7/25", "7/13/25"], "mdy"),
        (["6/7/25 7:00 AM"], "mdy"),
        (["6/7/25 7:00 AM", "13/7/25 7:00 AM"], "dmy"),
        (["2025-06-07", "13.06.2025", None], "mdy"),
    ],
)
def test_which_order_is_told_by_all_of_them(table, texts, order):
    engine, make = table
    for rows in (make(texts), make(texts[::-1])):
        assert dates_order(engine, "calls", rows, ["at"], None)[0] == order
    assert dates_order(engine, "calls", rows, ["at"], "dmy") == ("dmy", ())


def test_an_order_that_nothing_tells_is_refused(table):
    engine, make = table
    with pytest.raises(UsageError, match="--dates mdy or --dates dmy"):
        dates_order(engine, "calls", make(["6/7/25 07:00"]), ["at"], None)
    with pytest.raises(DataError, match="day in 1 of them and with the month in 1"):
        dates_order(engine, "calls", make(["6/13/25", "13/6/25"]), ["at"], None)


@settings(max_examples=25, deadline=None)
@given(
    times=st.lists(
        st.datetimes(pd.Timestamp("2000-01-01"), pd.Timestamp("2068-12-31")),
        min_size=1,
        max_size=20,
    ),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
)
def test_every_form_says_the_same(table, times, zone):
    forms = ("%m/%d/%y %I:%M:%S %p", "%d.%m.%Y, %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y-%m-%d %H:%M:%S")
    expected = []
    for at in times:
        clock = at.replace(microsecond=0)
        # The later of two, where the clocks pass a time twice.
        moment = clock.replace(tzinfo=ZoneInfo(zone), fold=1).astimezone(dt.UTC)
        if moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != clock:
            return  # a time that the clocks skip
        expected.append(moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
    for form in forms:
        assert read(table, [at.strftime(form) for at in times], zone) == expected
