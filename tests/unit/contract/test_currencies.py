"""Currencies: converted once by their rates, or refused; never added up as they are."""

import datetime as dt

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv.contract.check import examine
from clv.contract.currencies import converted, rates_of
from clv.contract.tables import DataOptions, physical
from clv.engines.connect import connect
from clv.errors import DataError, SchemaError, UsageError
from clv.sources.frames import read_frames

EURO = DataOptions(
    currency="EUR", rates={"USD": 0.5, "gbp": {dt.date(2024, 1, 1): 2, dt.date(2025, 1, 1): 3}}
)


@pytest.fixture(scope="module")
def engine():
    with connect(threads=1) as engine:
        yield engine


def orders(*rows):
    """Return orders of customer c of these currencies, days, amounts and refunded orders."""
    columns = ["currency", "ordered_at", "amount", "refund_of"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["order_id"] = [f"o{k}" for k in range(len(frame))]
    return frame.assign(
        customer_id="c", ordered_at=pd.to_datetime(frame["ordered_at"], format="ISO8601")
    )


def amounts(engine, frame, terms=EURO):
    held, notes = converted(engine, physical("orders", engine.frame(frame)), "EUR", terms.rates)
    found = engine.to_pandas(held).sort_values("order_id")
    assert set(found.currency.dropna()) <= {"EUR"}
    return (found.amount / 1e4).tolist(), {note.message.split()[2]: note.count for note in notes}


def test_each_currency_takes_the_rate_of_its_day(engine):
    frame = orders(
        ("EUR", "2024-03-01", 10.0, None),
        ("usd", "2024-03-01", 10.0, None),
        ("GBP", "2024-12-31 23:59", 10.0, None),
        ("GBP", "2025-01-01", 10.0, None),
        (None, "2025-01-01", 10.0, None),
    )
    assert amounts(engine, frame) == ([10, 5, 20, 30, 10], {"GBP": 2, "USD": 1})


def test_a_refund_takes_the_rate_of_the_day_of_its_order(engine):
    frame = orders(("GBP", "2024-12-31", 10.0, None), ("GBP", "2025-02-01", -10.0, "o0"))
    assert amounts(engine, frame)[0] == [20, -20]


def test_a_day_before_the_first_rate_is_refused(engine):
    with pytest.raises(DataError, match=r"1 orders in GBP lie before 2024-01-01"):
        amounts(engine, orders(("GBP", "2023-12-31", 10.0, None)))


@settings(max_examples=20)
@given(
    rate=st.sampled_from([0.25, 0.5, 2.0, 4.0]),
    money=st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=8),
)
def test_a_company_in_another_currency_is_the_same_company_in_its_unit(engine, rate, money):
    """Halves and doubles are exact, so that the sums are."""
    frame = orders(*(("USD", "2024-03-01", cents / 100, None) for cents in money))
    terms = DataOptions(currency="EUR", rates={"USD": rate})
    assert amounts(engine, frame, terms)[0] == [
        pytest.approx(cents / 100 * rate, abs=5e-5) for cents in money
    ]


def judged(engine, tmp_path, terms, frame):
    return examine(
        read_frames(engine, {"orders": frame}),
        terms,
        quarantine=tmp_path / "q",
        loaded_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    )


def test_accepted_orders_are_converted_reported_and_fingerprinted(engine, tmp_path):
    frame = orders(("EUR", "2024-03-01", 10.0, None), ("USD", "2024-03-01", 10.0, None))
    checked = judged(engine, tmp_path, EURO, frame)
    assert checked.tables.terms.currency == "EUR"
    assert engine.to_pandas(checked.tables["orders"]).amount.sum() == 150_000
    assert [str(n) for n in checked.tables.notes if n.code == "converted"] == [
        "orders: amounts in USD converted to EUR by terms.rates (1)"
    ]
    dearer = DataOptions(currency="EUR", rates={"USD": 0.6})
    other = judged(engine, tmp_path, dearer, frame)
    assert other.validation.fingerprint != checked.validation.fingerprint


def test_without_a_rate_nothing_is_summed_and_the_advice_is_a_rate(engine, tmp_path):
    frame = orders(("EUR", "2024-03-01", 10.0, None), ("CHF", "2024-03-01", 10.0, None))
    with pytest.raises(SchemaError, match=r"terms\.rates.*there is none for 'CHF'") as caught:
        judged(engine, tmp_path, EURO, frame)
    assert "constants" not in str(caught.value)
    with pytest.raises(SchemaError, match=r"terms\.currency .* terms\.rates"):
        judged(engine, tmp_path, DataOptions(), frame)


@pytest.mark.parametrize("rate", [0, -1.0, float("nan"), float("inf")])
def test_a_rate_is_a_number_above_nothing(rate):
    with pytest.raises(UsageError, match=r"terms\.rates: USD is"):
        rates_of({"USD": rate})
