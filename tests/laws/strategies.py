"""Small random companies for the laws: every oddity of the contract, in a few rows each."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from clv.contract.tables import DataOptions, Tables

if TYPE_CHECKING:
    from clv.engines.duckdb import DuckDBEngine

START = pd.Timestamp("2023-01-01")
SPAN_DAYS = 800
CUTOFF = dt.date(2024, 6, 30)
AHEAD = pd.Timestamp("2024-07-01")
TERMS = DataOptions(currency="EUR", protected=("region",))

Frames = dict[str, pd.DataFrame]

lawful = settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
"""Few examples, since each is a whole company; a failing one is not shrunk, its seed is enough."""


def companies(customers: int = 30) -> st.SearchStrategy[Frames]:
    """Give companies of up to so many customers, drawn from a seed."""
    return st.builds(company, st.integers(0, 2**32 - 1), st.integers(1, customers))


def company(seed: int, customers: int = 30) -> Frames:
    """Return the tables of one company, in the contract's logical types."""
    rng = np.random.default_rng(seed)
    ids = np.array([f"c{number:03d}" for number in range(customers)])
    orders = _orders(rng, ids)
    interactions = _interactions(rng, ids)
    return {
        "orders": orders,
        "customers": _customers(rng, ids),
        "interactions": interactions,
        "surveys": _surveys(rng, interactions),
    }


def held(engine: DuckDBEngine, frames: Frames) -> Tables:
    """Hold a company in an engine."""
    return Tables.from_frames(engine, frames, TERMS)


def shuffled(frames: Frames, seed: int) -> Frames:
    """Return the same rows in another order."""
    return {name: f.sample(frac=1.0, random_state=seed) for name, f in frames.items()}


def as_known(frames: Frames) -> Frames:
    """Return what a company's systems held at the end of ``CUTOFF``: no later row or fact."""
    contacts = _began(frames["interactions"], "started_at")
    ended = contacts.ended_at.fillna(
        contacts.started_at + pd.to_timedelta(contacts.handle_seconds, "s")
    )
    for name in ("handle_seconds", "hold_seconds", "wrap_seconds", "transfers"):
        contacts[name] = contacts[name].mask(ended >= AHEAD)
    for name in ("wait_seconds", "first_response_seconds"):
        until = contacts.started_at + pd.to_timedelta(contacts[name], "s")
        contacts[name] = contacts[name].mask(until >= AHEAD)
    for name in ("ended_at", "resolved_at", "reopened_at"):
        contacts[name] = contacts[name].mask(contacts[name] >= AHEAD)
    customers = frames["customers"]
    return {
        "orders": _began(frames["orders"], "ordered_at"),
        "customers": customers[~(customers.signed_up_at >= AHEAD)],
        "interactions": contacts,
        "surveys": _began(frames["surveys"], "responded_at"),
    }


def _began(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    return frame[frame[column] < AHEAD].copy()


def _times(rng: np.random.Generator, count: int) -> pd.DatetimeIndex:
    """Return times of which some coincide, and some lie on the cutoff's last second."""
    days, seconds = rng.integers(0, SPAN_DAYS, count), rng.integers(0, 86_400, count)
    times = START + pd.to_timedelta(days, "D") + pd.to_timedelta(seconds, "s")
    on_edge = rng.random(count)
    times = times.where(on_edge > 0.05, AHEAD - pd.Timedelta(seconds=1))
    return times.where(on_edge < 0.95, AHEAD).where(rng.random(count) < 0.8, times.normalize())


def _orders(rng: np.random.Generator, ids: np.ndarray) -> pd.DataFrame:
    count = int(rng.integers(1, 8 * len(ids) + 2))
    bought = pd.DataFrame(
        {
            "order_id": [f"o{number}" for number in rng.permutation(count)],
            "customer_id": rng.choice(ids, count),
            "ordered_at": _times(rng, count),
            "amount": np.where(rng.random(count) < 0.05, 0, rng.lognormal(3, 1, count)).round(2),
            "refund_of": None,
            "category": rng.choice(np.array(["a", "b", "c", None], object), count),
        }
    )
    returned = bought.sample(frac=0.3, random_state=int(rng.integers(2**31)))
    refunds = returned.assign(
        order_id="r" + returned.order_id,
        ordered_at=returned.ordered_at + pd.to_timedelta(rng.integers(0, 90, len(returned)), "D"),
        amount=-(returned.amount * rng.choice([0.5, 1.0, 1.1], len(returned))).round(2) - 0.01,
        refund_of=np.where(rng.random(len(returned)) < 0.7, returned.order_id, None),
        category=None,
    )
    orders = pd.concat([bought, refunds], ignore_index=True)
    margin = (orders.amount * 0.3).round(3)
    return orders.assign(margin=margin.mask(rng.random(len(orders)) < 0.1))


def _customers(rng: np.random.Generator, ids: np.ndarray) -> pd.DataFrame:
    count = len(ids)
    return pd.DataFrame(
        {
            "customer_id": ids,
            "signed_up_at": pd.Series(_times(rng, count)).mask(rng.random(count) < 0.2),
            "segment": rng.choice(["plain", "gold"], count),
            "region": rng.choice(["north", "south"], count),
            "referred_by": rng.choice(np.array([None, "c000"], object), count),
            "first_name": "Ada",
        }
    )


def _interactions(rng: np.random.Generator, ids: np.ndarray) -> pd.DataFrame:
    count = int(rng.integers(1, 8 * len(ids) + 2))
    channels = ["voice", "chat", "email", "social", "sms", "bot", "self_service"]
    started = pd.Series(_times(rng, count))
    handle = pd.Series(rng.lognormal(6, 1, count)).round(1)
    frame = pd.DataFrame(
        {
            "interaction_id": [f"i{number}" for number in rng.permutation(count)],
            "customer_id": rng.choice(ids, count),
            "channel": rng.choice(channels, count),
            "issue_type": rng.choice(np.array(["billing", "delivery", None], object), count),
            "initiated_by": rng.choice(np.array(["customer", "company", None], object), count),
            "priority": rng.choice(["low", "urgent"], count),
            "started_at": started,
            "ended_at": started + _later(rng, count, 12),
            "handle_seconds": handle,
            "hold_seconds": (handle * 0.2).round(1),
            "wrap_seconds": (handle * 0.1).round(1),
            "wait_seconds": pd.Series(rng.exponential(300, count)).round(3),
            "first_response_seconds": pd.Series(rng.exponential(30_000, count)).round(),
            "transfers": pd.Series(rng.integers(0, 4, count)).astype("Int64"),
            "resolved_at": started + _later(rng, count, 12),
            "reopened_at": started + _later(rng, count, 20),
            "sla_seconds": pd.Series(rng.choice([60.0, 14_400.0], count)),
        }
    )
    for name in frame.columns[7:]:
        frame[name] = frame[name].mask(rng.random(count) < 0.25)
    return frame


def _later(rng: np.random.Generator, count: int, days: int) -> pd.Series:
    return pd.Series(pd.to_timedelta(rng.integers(0, days * 86_400, count), "s"))


def _surveys(rng: np.random.Generator, contacts: pd.DataFrame) -> pd.DataFrame:
    about = contacts.sample(frac=0.6, random_state=int(rng.integers(2**31)), replace=True)
    count = len(about)
    return pd.DataFrame(
        {
            "survey_id": [f"s{number}" for number in range(count)],
            "customer_id": about.customer_id.to_numpy(),
            "interaction_id": about.interaction_id.to_numpy(),
            "kind": rng.choice(["csat", "nps", "ces", "review"], count),
            "score": rng.integers(1, 6, count).astype(float),
            "responded_at": (about.started_at.reset_index(drop=True) + _later(rng, count, 30)),
        }
    )
