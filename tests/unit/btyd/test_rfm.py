"""``clv.rfm`` is lifetimes' summary, with all of its options; where it is not, why is said."""

import datetime as dt
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv.btyd import rfm
from clv.errors import DataError, SchemaError, UsageError

FIRST = pd.Timestamp(2023, 12, 28)
MOMENTS = st.integers(0, 90 * 86_400).map(lambda second: FIRST + dt.timedelta(seconds=second))
AMOUNTS = st.one_of(
    st.just(0.0), st.just(np.nan), st.integers(-9_999, 99_999).map(lambda c: c / 100)
)
ORDERS = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(1, 5)), st.one_of(st.none(), MOMENTS), AMOUNTS),
    min_size=1,
    max_size=30,
).filter(lambda rows: any(who is not None and when is not None for who, when, _ in rows))


def theirs(lifetimes, frame, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lifetimes.utils.summary_data_from_transaction_data(frame, "who", "when", **options)


def orders(rows):
    frame = pd.DataFrame(rows, columns=["who", "when", "paid"])
    return frame.assign(when=pd.to_datetime(frame["when"]), paid=frame["paid"].astype(float))


@settings(max_examples=60, deadline=None)
@given(
    rows=ORDERS,
    paid=st.booleans(),
    freq=st.sampled_from(["D", "W", "h", "s"]),
    multiplier=st.sampled_from([1, 24, 7]),
    first_too=st.booleans(),
    end=st.one_of(st.none(), st.integers(0, 90).map(lambda day: FIRST + dt.timedelta(days=day))),
)
def test_equals_lifetimes(lifetimes, rows, paid, freq, multiplier, first_too, end):
    frame = orders(rows)
    if end is not None and not (frame.dropna(subset=["who"])["when"] <= end).any():
        end = None  # where nobody is left, lifetimes raises, and ours is empty
    options = {
        "freq": freq,
        "freq_multiplier": multiplier,
        "include_first_transaction": first_too,
        "observation_period_end": end,
    }
    expected = theirs(lifetimes, frame, monetary_value_col="paid" if paid else None, **options)
    found = rfm(frame, "who", "when", "paid" if paid else None, **options)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(rows=ORDERS, order=st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(rows, order):
    shuffled = list(rows)
    order.shuffle(shuffled)
    found = [rfm(orders(some), "who", "when", "paid") for some in (rows, shuffled)]
    pd.testing.assert_frame_equal(*found, rtol=1e-9, atol=1e-9)


def test_the_example_transactions_of_lifetimes(lifetimes, transactions):
    """The quickstart of its documentation: whole data, and an end of the observation."""
    for end in (None, "2014-12-31", "2014-09-01"):
        expected = lifetimes.utils.summary_data_from_transaction_data(
            transactions, "id", "date", observation_period_end=end
        )
        found = rfm(transactions, "id", "date", observation_period_end=end)
        pd.testing.assert_frame_equal(found, expected)
    first = rfm(transactions, "id", "date", observation_period_end="2014-12-31").head(3)
    assert first.to_numpy().tolist() == [[0.0, 0.0, 298.0], [0.0, 0.0, 224.0], [6.0, 142.0, 292.0]]


@pytest.mark.parametrize("written", ["%Y%m%d", "%Y-%m-%d"])
def test_dates_as_text_that_sorts(lifetimes, written):
    frame = orders([(1, "2024-01-31", 5.0), (1, "2024-02-03", 6.0), (2, "2024-01-15", 7.0)])
    frame["when"] = frame["when"].dt.strftime(written)
    options = {"datetime_format": written}
    expected = theirs(lifetimes, frame, monetary_value_col="paid", **options)
    pd.testing.assert_frame_equal(rfm(frame, "who", "when", "paid", **options), expected)


def test_days_written_as_numbers_are_text_of_digits():
    frame = orders([(1, "2024-01-31", 5.0), (1, "2024-02-03", 6.0), (2, None, 7.0)])
    expected = rfm(frame, "who", "when", "paid")
    digits = frame["when"].dt.strftime("%Y%m%d").astype(float)
    for numbers in (digits, digits.astype("Int64")):
        found = rfm(frame.assign(when=numbers), "who", "when", "paid", datetime_format="%Y%m%d")
        pd.testing.assert_frame_equal(found, expected)


def test_the_last_day_is_the_last_day_where_text_does_not_sort(lifetimes):
    """lifetimes takes the largest text, 31/01, for the last day, and leaves out February."""
    frame = orders([(1, "2024-01-31", 5.0), (1, "2024-02-03", 6.0)])
    parsed = rfm(frame, "who", "when", "paid")
    frame["when"] = frame["when"].dt.strftime("%d/%m/%Y")
    written = {"datetime_format": "%d/%m/%Y"}
    pd.testing.assert_frame_equal(rfm(frame, "who", "when", "paid", **written), parsed)
    assert parsed.loc[1].tolist() == [1.0, 3.0, 3.0, 6.0]
    wrong = theirs(lifetimes, frame, monetary_value_col="paid", **written)
    assert wrong.loc[1].tolist() == [0.0, 0.0, 0.0, 0.0]


def test_whole_amounts_polars_and_minutes():
    frame = pd.DataFrame({"who": ["b", "a", "b"], "when": [FIRST] * 3, "paid": [1, 2, 3]})
    frame.loc[2, "when"] += dt.timedelta(minutes=30)
    expected = [[0.0, 0.0, 30.0, 0.0], [1.0, 30.0, 30.0, 3.0]]
    for given_as in (frame, pl.from_pandas(frame)):
        found = rfm(given_as, "who", "when", "paid", freq="min")
        assert found.index.tolist() == ["a", "b"]
        assert found.to_numpy().tolist() == expected


def test_nobody_is_an_empty_summary():
    found = rfm(orders([(1, FIRST, 1.0)]), "who", "when", observation_period_end="2020-01-01")
    assert found.shape == (0, 3)


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        ({}, {"freq": "M"}, UsageError, "Months and years differ in length"),
        ({}, {"freq_multiplier": 0}, UsageError, "expected more than 0"),
        ({}, {"observation_period_end": "soon"}, UsageError, "expected a date"),
        (
            {"when": ["2024-01-01", "then"]},
            {},
            DataError,
            "1 values are no dates, the first in row 1",
        ),
        ({"when": [20240101, 20240102]}, {}, DataError, "datetime_format='%Y%m%d'"),
        ({"paid": ["1,50", "2"]}, {}, DataError, "expected numbers"),
    ],
)
def test_what_cannot_be_meant_is_one_line(change, options, error, message):
    frame = pd.DataFrame({"who": [1, 2], "when": ["2024-01-01", "2024-01-02"], "paid": [1.0, 2.0]})
    with pytest.raises(error, match=message) as raised:
        rfm(frame.assign(**change), "who", "when", "paid", **options)
    assert "\n" not in str(raised.value)


def test_a_missing_column_is_named():
    with pytest.raises(SchemaError, match="no column 'client'; it has 'who', 'when', 'paid'"):
        rfm(orders([(1, FIRST, 1.0)]), "client", "when")
