"""Money adds up: refunds net what they return, and outcomes of horizons add up."""

from __future__ import annotations

import datetime as dt
import sqlite3
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from clv.engines.duckdb import DuckDBEngine
from clv.events.histories import make_histories
from clv.features.table import build_feature_table
from clv.labels.outcomes import build_outcomes
from clv.windows import Window
from tests.laws.strategies import (
    AHEAD,
    CUTOFF,
    START,
    Frames,
    companies,
    company,
    held,
    lawful,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDBEngine]:
    with DuckDBEngine(threads=1) as one:
        yield one


def spanning(frames: Frames) -> Frames:
    """Give the company an order on the first and the last day, so that horizons fit."""
    ends = [START, START + pd.Timedelta(days=799)]
    extra = pd.DataFrame(
        {"order_id": ["first", "last"], "customer_id": "c000", "ordered_at": ends, "amount": 1.0}
    )
    orders = pd.concat([frames["orders"], extra], ignore_index=True)
    return {**frames, "orders": orders}


def outcomes(engine: DuckDBEngine, frames: Frames, first: int, days: int, **options: float):
    window = Window(CUTOFF + dt.timedelta(days=first), days)
    return build_outcomes(make_histories(held(engine, frames)), window, **options).set_index(
        "customer_id"
    )


@lawful
@given(companies())
def test_outcomes_of_adjoining_horizons_add_up(engine: DuckDBEngine, frames: Frames) -> None:
    frames = spanning(frames)
    both, early, late = (outcomes(engine, frames, a, n) for a, n in ((0, 180), (0, 90), (90, 90)))
    money = ["value", "value_undiscounted", "revenue"]
    # A customer whose only order is refunded in between leaves the later population.
    shared = early.index.intersection(late.index)
    assert len(shared)
    total = early.loc[shared, money] + late.loc[shared, money]
    pd.testing.assert_frame_equal(total, both.loc[shared, money], rtol=1e-7, atol=1e-7)


@lawful
@given(companies())
def test_row_order_and_threads_do_not_change_discounted_money(
    engine: DuckDBEngine, frames: Frames
) -> None:
    frames = spanning(frames)
    mixed = {**frames, "orders": frames["orders"].sample(frac=1.0, random_state=1)}
    with DuckDBEngine(threads=2) as two:
        pd.testing.assert_frame_equal(
            outcomes(engine, frames, 0, 90, discount_rate_annual=0.1),
            outcomes(two, mixed, 0, 90, discount_rate_annual=0.1),
            check_exact=True,
        )


@lawful
@given(companies())
def test_an_order_fully_refunded_by_the_cutoff_is_as_if_never_made(
    engine: DuckDBEngine, frames: Frames
) -> None:
    orders = frames["orders"]
    plain = orders[orders.amount >= 0]
    returned = plain.iloc[::3]
    refunds = returned.assign(
        order_id="x" + returned.order_id,
        amount=-returned.amount,
        margin=-returned.margin,
        refund_of=returned.order_id,
    ).query("amount < 0")
    kept = plain[~plain.order_id.isin(refunds.refund_of)]
    names = ["frequency", "recency_days", "age_days", "monetary_value", "spend_ever"]
    names += ["orders_90d", "orders_ever", "order_value_ever", "last_order", "margin_ratio"]
    features = [
        build_feature_table(make_histories(held(engine, {"orders": rows})), CUTOFF).to_pandas()
        for rows in (pd.concat([plain, refunds]), kept)
    ]
    with_refunds = features[0].set_index("customer_id")[names].dropna(subset="frequency")
    without = features[1].set_index("customer_id")[names]
    pd.testing.assert_frame_equal(with_refunds, without, check_exact=True)


@pytest.mark.parametrize("seed", [11, 12])
def test_rfm_agrees_with_sqlite(engine: DuckDBEngine, seed: int) -> None:
    frames = company(seed, customers=60)
    ours = build_feature_table(make_histories(held(engine, frames)), CUTOFF).to_pandas()
    orders = frames["orders"].assign(day=lambda f: f.ordered_at.dt.strftime("%Y-%m-%d"))
    orders["ordered_at"] = orders.ordered_at.astype(str)
    db = sqlite3.connect(":memory:")
    orders.to_sql("orders", db)
    theirs = pd.read_sql(
        f"""
        with known as (select * from orders where day <= '{CUTOFF}'),
        refunds as (
            select r.refund_of, sum(r.amount) as back from known r join known o
            on r.refund_of = o.order_id and r.customer_id = o.customer_id
            where r.amount < 0 group by 1),
        net as (
            select o.*, o.amount + coalesce(back, 0) as net from known o
            left join refunds b on b.refund_of = o.order_id where o.amount >= 0),
        days as (
            select customer_id, day, sum(net) as net, count(*) as orders from net
            where net > 1e-9 or (amount = 0 and net = 0) group by 1, 2),
        ranked as (select *, rank() over (partition by customer_id order by day) as n from days)
        select customer_id, count(*) - 1.0 as frequency,
            julianday(max(day)) - julianday(min(day)) as recency_days,
            julianday('{CUTOFF}') - julianday(min(day)) as age_days,
            avg(case when n > 1 then net end) as monetary_value, sum(orders) + 0.0 as orders_ever
        from ranked group by 1 order by 1""",
        db,
    )
    ours = ours[ours.frequency.notna()][theirs.columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-8, check_dtype=False)


@pytest.mark.parametrize("seed", [21, 22])
def test_contact_features_agree_with_sqlite(engine: DuckDBEngine, seed: int) -> None:
    frames = company(seed, customers=60)
    ours = build_feature_table(make_histories(held(engine, frames)), CUTOFF).to_pandas()
    contacts = frames["interactions"].copy()
    for name in ("started_at", "ended_at", "resolved_at", "reopened_at"):
        contacts[name] = (contacts[name] - pd.Timestamp(0)) // pd.Timedelta(seconds=1)
    contacts["initiated_by"] = contacts.initiated_by.fillna("customer")
    contacts["issue_type"] = contacts.issue_type.fillna("")
    db = sqlite3.connect(":memory:")
    contacts.astype({"transfers": "float64"}).to_sql("contacts", db)
    week, end = 7 * 86_400, int(AHEAD.timestamp())
    theirs = pd.read_sql(
        f"""
        with settling as (
            select *, {week} + case when ended_at <= started_at + {week} then ended_at
                else started_at end as settled from contacts where started_at < {end}),
        judged as (
            select *, exists (select 1 from contacts n where n.customer_id = s.customer_id
                and n.issue_type = s.issue_type and n.initiated_by = 'customer'
                and (n.started_at > s.started_at or
                    (n.started_at = s.started_at and n.interaction_id > s.interaction_id))
                and n.started_at <= settled) as again from settling s)
        select customer_id, count(*) + 0.0 as contacts_ever,
            sum(started_at >= {end} - 90 * 86400) + 0.0 as contacts_90d,
            avg(case when settled < {end} and initiated_by = 'customer'
                and channel not in ('bot', 'self_service')
                then coalesce(resolved_at <= settled, 0)
                    and coalesce(reopened_at > settled, 1) and not again end) as fcr_ever,
            avg(case when settled < {end} and initiated_by = 'customer' then again end)
                as repeat_contact_ever,
            avg(case when coalesce(ended_at, started_at + handle_seconds) < {end}
                then handle_seconds end) as handle_seconds_ever
        from judged group by 1 order by 1""",
        db,
    )
    ours = ours[ours.contacts_ever > 0][theirs.columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-8, check_dtype=False)
    assert np.isfinite(theirs.fcr_ever).any()


def test_cutoffs_share_prepared_rows(engine: DuckDBEngine) -> None:
    tables = held(engine, company(5))
    histories = make_histories(tables)
    for days in (0, 100):
        cutoff = CUTOFF - dt.timedelta(days=days)
        pd.testing.assert_frame_equal(
            build_feature_table(histories, cutoff).to_pandas(),
            build_feature_table(make_histories(tables), cutoff).to_pandas(),
            check_exact=True,
        )


@lawful
@given(companies())
def test_outcomes_with_prospects_are_of_whoever_has_features(
    engine: DuckDBEngine, frames: Frames
) -> None:
    frames = spanning(frames)
    everybody = outcomes(engine, frames, 0, 90, prospects=True)
    known = (
        build_feature_table(make_histories(held(engine, frames)), CUTOFF)
        .to_pandas()
        .set_index("customer_id")
    )
    assert everybody.index.equals(known.index)
    # nothing changes for customers: those alone have bought, and kept it
    customers = outcomes(engine, frames, 0, 90)
    assert customers.index.equals(known.index[known["frequency"].notna()])
    pd.testing.assert_frame_equal(everybody.loc[customers.index], customers, check_exact=True)


@lawful
@given(companies())
def test_who_is_known_only_later_is_no_prospect_before(
    engine: DuckDBEngine, frames: Frames
) -> None:
    frames = spanning(frames)
    before = outcomes(engine, frames, 0, 90, prospects=True)
    later = pd.DataFrame(
        {"order_id": ["late"], "customer_id": "zz", "ordered_at": [AHEAD], "amount": 50.0}
    )
    changed = {**frames, "orders": pd.concat([frames["orders"], later], ignore_index=True)}
    after = outcomes(engine, changed, 0, 90, prospects=True)
    pd.testing.assert_frame_equal(after, before, check_exact=True)


def test_what_was_returned_whole_makes_a_prospect_whose_next_purchase_counts(
    engine: DuckDBEngine,
) -> None:
    day = pd.Timestamp(CUTOFF)
    orders = pd.DataFrame(
        {
            "order_id": ["first", "o1", "r1", "o2", "o3", "r3", "last"],
            "customer_id": ["c000", "back", "back", "back", "gone", "gone", "c000"],
            "ordered_at": [
                START,
                day - pd.Timedelta(days=40),
                day - pd.Timedelta(days=30),
                day + pd.Timedelta(days=10),
                day - pd.Timedelta(days=40),
                day - pd.Timedelta(days=30),
                START + pd.Timedelta(days=799),
            ],
            "amount": [1.0, 80.0, -80.0, 55.0, 20.0, -20.0, 1.0],
            "refund_of": [None, None, "o1", None, None, "o3", None],
        }
    )
    people = pd.DataFrame(
        {"customer_id": ["asked", "back"], "signed_up_at": [day - pd.Timedelta(days=5)] * 2}
    )
    found = outcomes(engine, {"orders": orders, "customers": people}, 0, 90, prospects=True)
    assert found["purchases"].to_dict() == {"asked": 0.0, "back": 1.0, "c000": 0.0, "gone": 0.0}
    assert found["value"].to_dict() == {"asked": 0.0, "back": 55.0, "c000": 0.0, "gone": 0.0}
