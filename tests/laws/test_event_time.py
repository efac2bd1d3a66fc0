"""Contacts in event time: what was known before each, and what followed it, by plain loops."""

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
from clv.features.contacts import NUMBERS, build_contact_table
from clv.labels.follow_up import build_follow_up, month_edges
from tests.laws.strategies import CUTOFF, START, Frames, company, held, shuffled
from tests.laws.test_money import side_by_side
from tests.rounds import in_rounds, rounds

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES = 3
DAY = 86_400
HORIZONS = (1, 30, 90, 200)
KINDS = {"csat": "satisfaction", "nps": "nps", "ces": "ces", "review": "review"}
COMPUTED_BEFORE = [name for name in NUMBERS if name not in ("wait_log", "opening_sentiment")]

event_time = settings(max_examples=rounds(CASES))
seeds = in_rounds(st.integers(0, 2**32 - 1), CASES)


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDBEngine]:
    with DuckDBEngine(threads=1) as opened:
        yield opened


def until(horizon_days: int) -> dt.date:
    """Return the day at whose last second the horizon of ``CUTOFF``'s last second ends."""
    return CUTOFF + dt.timedelta(days=horizon_days)


def built(
    engine: DuckDBEngine, frames: Frames, days: int, **options: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return controls and outcomes, by contact."""
    histories = make_histories(held(engine, frames), **options)
    try:
        contacts = build_contact_table(histories, days, until=until(days))
        outcomes = build_follow_up(histories, days, until=until(days))
    finally:
        histories.close()
    return contacts.set_index("interaction_id"), outcomes.set_index("interaction_id")


def seconds(times: pd.Series) -> pd.Series:
    return (times - pd.Timestamp(0)) // pd.Timedelta(seconds=1)


def whole(money: pd.Series) -> pd.Series:
    """Return ten-thousandths."""
    return (money * 10_000).round().astype("int64")


class Oracle:
    """The same numbers, one contact at a time."""

    def __init__(self, frames: Frames, horizon_days: int) -> None:
        orders, contacts = frames["orders"], frames["interactions"]
        self.horizon_days = horizon_days
        self.orders = pd.DataFrame(
            {
                "order_id": orders.order_id,
                "customer_id": orders.customer_id,
                "own": seconds(orders.ordered_at),
                "amount": whole(orders.amount),
                "margin": whole(orders.margin.fillna(orders.amount)),
                "of": orders.refund_of,
            }
        )
        bought = self.orders[self.orders.amount >= 0].set_index("order_id")
        self.orders["day"] = [self._day(bought, row) for row in self.orders.itertuples()]
        self.orders["known"] = self.orders[["own", "day"]].max(axis=1)
        self.contacts = contacts.assign(
            at=seconds(contacts.started_at), mine=contacts.initiated_by.fillna("customer")
        )
        self.surveys = frames["surveys"].assign(at=seconds(frames["surveys"].responded_at))
        self.began = self.contacts.set_index("interaction_id")

    @staticmethod
    def _day(bought: pd.DataFrame, row: tuple) -> int:
        if row.amount < 0 and row.of in bought.index:
            parent = bought.loc[row.of]
            if parent.customer_id == row.customer_id:
                return parent.own
        return row.own

    def rows(self) -> pd.DataFrame:
        """Return the contacts asked about."""
        last = int(pd.Timestamp(until(self.horizon_days)).timestamp()) + DAY - 1
        agents = ~self.contacts.channel.isin(["bot", "self_service"])
        whole_horizon = self.contacts["at"] + self.horizon_days * DAY <= last
        chosen = self.contacts[agents & (self.contacts.mine == "customer") & whole_horizon]
        return chosen.sort_values("interaction_id")

    def standing(self, mine: pd.DataFrame, known_before: int) -> pd.DataFrame:
        """Return purchases that were not given back whole before a second."""
        kept = []
        for row in mine[mine.amount >= 0].itertuples():
            back = mine[(mine.of == row.order_id) & (mine.amount < 0)]
            back = back[back[["own", "known"]].max(axis=1) < known_before]
            kept.append(len(back) == 0 or row.amount + back.amount.sum() > 0)
        return mine[mine.amount >= 0].loc[np.array(kept, dtype=bool)]

    def before(self) -> pd.DataFrame:
        """Return what was known before each contact."""
        found = {}
        for contact in self.rows().itertuples():
            at, mine = contact.at, self.orders[self.orders.customer_id == contact.customer_id]
            mine = mine[mine.known < at]
            bought = self.standing(mine, at)
            row = {}
            for name, days in (("", 10**6), ("year_", 365), ("quarter_", 90)):
                row[f"orders_{name}before"] = float((bought.own >= at - days * DAY).sum())
                money = mine.margin[mine.day >= at - days * DAY].sum()
                row[f"spend_{name}before"] = float(f"{money / 1e4:.8e}")
            row["refunds_before"] = -mine.amount[mine.amount < 0].sum() / 1e4
            made = mine.own[mine.amount >= 0]
            row["days_since_order"] = (at - made.max()) / DAY if len(made) else np.nan
            others = self.contacts[self.contacts.customer_id == contact.customer_id]
            earlier = others[
                (others["at"] < at)
                | ((others["at"] == at) & (others.interaction_id < contact.interaction_id))
            ]
            row["sequence"] = len(earlier) + 1.0
            row["days_since_contact"] = (at - earlier["at"].max()) / DAY if len(earlier) else np.nan
            found[contact.interaction_id] = row
        return pd.DataFrame.from_dict(found, orient="index")

    def after(self) -> pd.DataFrame:
        """Return what followed each contact."""
        found = {}
        for contact in self.rows().itertuples():
            at, end = contact.at, contact.at + self.horizon_days * DAY
            mine = self.orders[self.orders.customer_id == contact.customer_id]
            ahead = mine[(mine.own > at) & (mine.own <= end)]
            bought = self.standing(mine, end + 1)
            count = float(((bought.own > at) & (bought.own <= end)).sum())
            row = {
                "value_undiscounted": ahead.margin.sum() / 1e4,
                "orders": count,
                "churned": float(count == 0),
                "repeat_purchase": float(count > 0),
                "refunds": -ahead.amount[ahead.amount < 0].sum() / 1e4,
            }
            past = mine[(mine.own >= at - (end - at)) & (mine.own < at)]
            row["value_before"] = past.margin.sum() / 1e4
            others = self.contacts[self.contacts.customer_id == contact.customer_id]
            later = others[(others["at"] > at) & (others["at"] <= end)]
            row["contacts_after"] = float((later.mine == "customer").sum())
            answers = self.surveys[self.surveys.customer_id == contact.customer_id]
            answers = answers[(answers["at"] > at) & (answers["at"] <= end)]
            kept = [self.about(answer, contact) for answer in answers.itertuples()]
            answers = answers.loc[np.array(kept, dtype=bool)]
            for kind, name in KINDS.items():
                row[name] = answers.score[answers.kind == kind].mean()
            for number, (low, high) in enumerate(month_edges(self.horizon_days), start=1):
                days = (ahead.own > at + low * DAY) & (ahead.own <= at + high * DAY)
                row[f"value_month_{number:02d}"] = ahead.margin[days].sum() / 1e4
            found[contact.interaction_id] = row
        return pd.DataFrame.from_dict(found, orient="index")

    def about(self, answer: tuple, contact: tuple) -> bool:
        """Say whether an answer is about a later contact of the customer, or about none."""
        if pd.isna(answer.interaction_id):
            return True
        if answer.interaction_id not in self.began.index:
            return False
        named = self.began.loc[answer.interaction_id]
        return named.customer_id == answer.customer_id and named["at"] > contact.at


def odd(seed: int) -> Frames:
    """Return a company with customers without orders, and answers about no known contact."""
    frames = company(seed, customers=12)
    rng = np.random.default_rng(seed)
    orders, surveys = frames["orders"], frames["surveys"]
    draw = rng.random(len(surveys))
    named = surveys.interaction_id.mask(draw < 0.2, None).mask(draw > 0.9, "unknown")
    named = named.astype(object).where(named.notna(), None)
    return frames | {
        "orders": orders[~orders.customer_id.isin(["c000", "c001"])].reset_index(drop=True),
        "surveys": surveys.assign(interaction_id=named),
    }


def same(left: pd.DataFrame, right: pd.DataFrame, rtol: float) -> None:
    pd.testing.assert_frame_equal(
        left, right[left.columns], check_names=False, check_dtype=False, rtol=rtol, atol=0
    )


@event_time
@given(seeds=seeds, days=st.sampled_from(HORIZONS))
def test_both_sides_of_each_contact_are_what_a_loop_finds(
    engine: DuckDBEngine, seeds: list[int], days: int
) -> None:
    """The companies of a round are divisions of one, and share no id."""
    frames = side_by_side([odd(seed) for seed in seeds])
    contacts, outcomes = built(engine, frames, days)
    oracle = Oracle(frames, days)
    assert list(contacts.index) == list(outcomes.index) == list(oracle.rows().interaction_id)
    if len(contacts):
        same(contacts[COMPUTED_BEFORE], oracle.before(), 1e-12)
        expected = oracle.after()
        assert set(outcomes.columns) == set(expected.columns)
        same(outcomes, expected, 1e-8)


def asked_at(frames: Frames) -> tuple[str, pd.Timestamp]:
    """Return a contact of a company amid the others, and when it was."""
    contacts = frames["interactions"].sort_values(["started_at", "interaction_id"])
    middle = contacts.iloc[len(contacts) // 2]
    return middle.interaction_id, middle.started_at


def changed_after(frames: Frames, seed: int) -> Frames:
    """Return a company of which everything after a contact is another."""
    _, now = asked_at(frames)
    rng = np.random.default_rng(seed)
    contacts = frames["interactions"].copy()
    for name in ("ended_at", "resolved_at", "reopened_at"):
        contacts[name] = contacts[name].mask(contacts[name] > now, now + pd.Timedelta(days=3))
    contacts["handle_seconds"] = rng.permutation(contacts.handle_seconds)
    contacts["transfers"] = rng.permutation(contacts.transfers)
    orders, surveys = frames["orders"], frames["surveys"]
    later = orders.ordered_at > now
    money = orders.assign(
        amount=orders.amount.where(~later, 77.0), margin=orders.margin.where(~later, 11.0)
    )
    return frames | {
        "orders": money[~later | (rng.random(len(orders)) < 0.5)],
        "interactions": contacts[contacts.started_at <= now],
        "surveys": surveys[surveys.responded_at <= now],
    }


@event_time
@given(seeds=seeds)
def test_nothing_after_a_contact_changes_its_controls(
    engine: DuckDBEngine, seeds: list[int]
) -> None:
    companies = [odd(seed) for seed in seeds]
    before, _ = built(engine, side_by_side(companies), 90)
    changed = [changed_after(frames, seed) for frames, seed in zip(companies, seeds, strict=True)]
    after, _ = built(engine, side_by_side(changed), 90)
    until_s = {str(n): asked_at(frames)[1].timestamp() for n, frames in enumerate(companies)}
    known = before.at_s <= before.index.str.split("-").str[0].map(until_s)
    pd.testing.assert_frame_equal(
        before.loc[known, list(NUMBERS)], after[list(NUMBERS)], check_exact=True
    )


def only_around(frames: Frames) -> Frames:
    """Return a contact of a company, and nothing but what lies in its horizon."""
    name, start = asked_at(frames)

    def inside(rows: pd.DataFrame, column: str) -> pd.Series:
        return (rows[column] > start) & (rows[column] <= start + pd.Timedelta(days=90))

    contacts = frames["interactions"]
    mine = contacts.interaction_id == name
    return frames | {
        "orders": frames["orders"][inside(frames["orders"], "ordered_at")],
        "interactions": contacts[inside(contacts, "started_at") | mine],
        "surveys": frames["surveys"][inside(frames["surveys"], "responded_at")],
    }


@event_time
@given(seeds=seeds)
def test_nothing_outside_its_horizon_changes_what_followed_a_contact(
    engine: DuckDBEngine, seeds: list[int]
) -> None:
    companies = [odd(seed) for seed in seeds]
    _, whole_data = built(engine, side_by_side(companies), 90)
    _, cut = built(engine, side_by_side([only_around(frames) for frames in companies]), 90)
    names = [f"{n}-{asked_at(frames)[0]}" for n, frames in enumerate(companies)]
    asked = whole_data.index.intersection(names)
    columns = [column for column in whole_data if column != "value_before"]
    pd.testing.assert_frame_equal(
        whole_data.loc[asked, columns], cut.loc[asked, columns], check_exact=True
    )


def test_order_threads_and_parts_change_no_byte(engine: DuckDBEngine) -> None:
    frames = company(8)
    plain = built(engine, frames, 90)
    with DuckDBEngine(threads=2) as two:
        for other in (
            built(two, shuffled(frames, 1), 90),
            built(engine, frames, 90, part_rows=150),
        ):
            for left, right in zip(plain, other, strict=True):
                pd.testing.assert_frame_equal(left, right, check_exact=True)


def test_months_add_up_and_since_is_the_first_day(engine: DuckDBEngine) -> None:
    histories = make_histories(held(engine, company(8)))
    found = build_follow_up(histories, 100, until=until(100))
    months = found.filter(like="value_month").sum(axis=1)
    np.testing.assert_allclose(months, found.value_undiscounted, rtol=0, atol=1e-9)
    first = (START + pd.Timedelta(days=300)).date()
    late = build_contact_table(histories, 100, since=first, until=until(100))
    everyone = build_contact_table(histories, 100, until=until(100))
    assert 0 < len(late) < len(everyone)
    assert late.at_s.min() >= pd.Timestamp(first).timestamp()
    assert set(late.interaction_id) == set(
        everyone.interaction_id[everyone.at_s >= pd.Timestamp(first).timestamp()]
    )
    histories.close()


def test_a_customer_of_thousands_of_contacts_is_read_in_one_pass(engine: DuckDBEngine) -> None:
    """5,000 contacts and 5,000 orders of one customer: against NumPy's search in sorted times."""
    rng = np.random.default_rng(0)
    size, days = 5_000, 90
    span_s = 700 * DAY
    at, own = (np.sort(rng.integers(0, span_s, size)) for _ in range(2))
    cents = rng.integers(1, 10_000, size)
    ids = [f"{number:04d}" for number in range(size)]
    frames = {
        "orders": pd.DataFrame(
            {"order_id": ids, "customer_id": "one", "amount": cents / 100,
             "ordered_at": START + pd.to_timedelta(own, "s")}
        ),
        "interactions": pd.DataFrame(
            {"interaction_id": ids, "customer_id": "one", "channel": "voice",
             "started_at": START + pd.to_timedelta(at, "s")}
        ),
    }  # fmt: skip
    histories = make_histories(held(engine, frames))
    last = (START + pd.Timedelta(days=699)).date()
    outcomes = build_follow_up(histories, days, until=last)
    contacts = build_contact_table(histories, days, until=last)
    histories.close()
    asked = at[at + days * DAY < span_s]
    running = np.concatenate([[0], np.cumsum(cents)])
    money = [
        running[np.searchsorted(own, asked + days * DAY, side="right")],
        running[np.searchsorted(own, asked, side="right")],
        running[np.searchsorted(own, asked, side="left")],
    ]
    np.testing.assert_allclose(outcomes.value_undiscounted, (money[0] - money[1]) / 100, rtol=1e-12)
    np.testing.assert_allclose(contacts.spend_before, money[2] / 100, rtol=1e-8)
