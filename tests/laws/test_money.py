"""Money of any size: a company in another unit has the same customers, in that unit."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv.engines.duckdb import DuckDBEngine
from clv.events.histories import make_histories
from clv.features.base import declared
from clv.features.contacts import MONEY as SPENT
from clv.features.contacts import contacts_before
from clv.features.table import build_feature_table
from clv.labels.follow_up import build_follow_up
from clv.labels.outcomes import build_outcomes
from clv.windows import Window
from tests.laws.strategies import CUTOFF, SPAN_DAYS, START, Frames, company, held
from tests.rounds import in_rounds, rounds

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES = 3
UNITS = (16_000, 0.01, 1e9)
"""Rupiahs for euros, euros for cents, and a currency after an inflation."""

MONEY = ("amount", "margin", "goodwill", "cost_per_hour")
IDS = {"order_id", "customer_id", "refund_of", "interaction_id", "survey_id", "referred_by"}
NINE_DIGITS = 2e-8  # and a ratio of two such
WINDOW = Window(CUTOFF, 180)
WEEK = dt.timedelta(days=7)


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDBEngine]:
    with DuckDBEngine(threads=1) as opened:
        yield opened


@pytest.fixture(scope="module")
def plain(engine: DuckDBEngine) -> tuple[Frames, dict[str, pd.DataFrame]]:
    """Return a company, and its numbers."""
    frames = in_cents(1)
    return frames, numbers(engine, frames, 0.1)


def in_cents(seed: int) -> Frames:
    """Return a company whose money has two decimals, so that a hundredth of it has four."""
    frames = company(seed)
    ends = [START, START + pd.Timedelta(days=SPAN_DAYS - 1)]
    extra = pd.DataFrame(
        {"order_id": ["first", "last"], "customer_id": "c000", "ordered_at": ends, "amount": 1.0}
    )
    orders = pd.concat([frames["orders"], extra], ignore_index=True)
    rng = np.random.default_rng(seed)
    contacts = frames["interactions"]
    goodwill = pd.Series(rng.choice([0.0, 5.0, 12.34], len(contacts)), contacts.index)
    return frames | {
        "orders": orders.assign(amount=orders.amount.round(2), margin=orders.margin.round(2)),
        "interactions": contacts.assign(goodwill=goodwill),
    }


def side_by_side(companies: list[Frames]) -> Frames:
    """Return several companies as one, each with ids of its own."""
    apart = [
        {
            name: frame.assign(**{c: f"{n}-" + frame[c] for c in frame if c in IDS})
            for name, frame in frames.items()
        }
        for n, frames in enumerate(companies)
    ]
    return {name: pd.concat([f[name] for f in apart], ignore_index=True) for name in apart[0]}


def times(frames: Frames, unit: float) -> Frames:
    """Return the same company in another unit of money."""
    return {
        name: frame.assign(
            **{column: (frame[column] * unit).round(4) for column in MONEY if column in frame}
        )
        for name, frame in frames.items()
    }


def numbers(engine: DuckDBEngine, frames: Frames, rate: float) -> dict[str, pd.DataFrame]:
    """Return everything that is built of a company's money, by customer or contact."""
    tables = held(engine, frames)
    histories = make_histories(tables)
    try:
        rates = {"discount_rate_annual": rate}
        return {
            "features": build_feature_table(histories, CUTOFF).to_pandas(),
            "outcomes": build_outcomes(histories, WINDOW, **rates),
            "follow_up": build_follow_up(histories, 40, until=CUTOFF),
            "contacts": contacts_before(histories, Window(CUTOFF)),
        }
    finally:
        histories.close()


def same_in_unit(left: pd.DataFrame, right: pd.DataFrame, unit: float, scaled: set[str]) -> None:
    """Hold every number to the other's, times the unit where it is money."""
    assert list(left.columns) == list(right.columns)
    for name in left.columns:
        ours, theirs = left[name], right[name]
        if name in scaled:
            np.testing.assert_allclose(theirs, ours * unit, rtol=NINE_DIGITS, err_msg=name)
        elif pd.api.types.is_float_dtype(ours):
            np.testing.assert_allclose(theirs, ours, rtol=NINE_DIGITS, err_msg=name)
        else:
            pd.testing.assert_series_equal(ours, theirs)


MONEY_COLUMNS = {
    "features": {name for name, f in declared().items() if f.unit == "currency"},
    "outcomes": {"value", "value_undiscounted", "revenue"},
    "contacts": {"goodwill", *SPENT},
    "follow_up": {"value_undiscounted", "value_before", "value_month_01", "refunds"},
}


@settings(max_examples=rounds(CASES))
@given(
    seeds=in_rounds(st.integers(0, 2**32 - 1), CASES),
    unit=st.sampled_from(UNITS),
    rate=st.sampled_from((0, 0.1)),
)
def test_a_company_in_another_unit_has_the_same_numbers(
    engine: DuckDBEngine, seeds: list[int], unit: float, rate: float
) -> None:
    """The companies of a round are divisions of one, and share no id."""
    frames = side_by_side([in_cents(seed) for seed in seeds])
    ours, theirs = (numbers(engine, f, rate) for f in (frames, times(frames, unit)))
    for name, frame in ours.items():
        same_in_unit(frame, theirs[name], unit, MONEY_COLUMNS[name])


@pytest.mark.parametrize("large", [101_000, 250_000_000, 10**12])
def test_one_large_order_among_small_ones(
    engine: DuckDBEngine, plain: tuple[Frames, dict[str, pd.DataFrame]], large: float
) -> None:
    frames, others = plain
    orders = frames["orders"]
    bought = pd.DataFrame(
        {
            "order_id": ["small", "large"],
            "customer_id": ["rich", "rich"],
            "ordered_at": [pd.Timestamp(CUTOFF) - pd.Timedelta(days=400), pd.Timestamp(CUTOFF)],
            "amount": [1.0, large],
            "margin": [1.0, large],
        }
    )
    later = bought.assign(order_id=["a", "b"], ordered_at=pd.Timestamp(CUTOFF + WEEK))
    mixed = frames | {"orders": pd.concat([orders, bought, later], ignore_index=True)}
    found = numbers(engine, mixed, 0.1)
    features = found["features"].set_index("customer_id").loc["rich"]
    assert features["spend_ever"] == float(f"{large + 1:.8e}")
    assert features["order_value_slope"] == pytest.approx((large - 1) / 400, rel=1e-8)
    outcome = found["outcomes"].set_index("customer_id").loc["rich"]
    assert outcome["revenue"] == float(f"{large + 1:.8e}")
    assert outcome["value"] == pytest.approx((large + 1) * 1.1 ** (-7 / 365), rel=1e-8)
    rest = found["outcomes"].query("customer_id != 'rich'").reset_index(drop=True)
    assert rest.equals(others["outcomes"])
