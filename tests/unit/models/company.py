"""A small company with a known service effect, as a panel, without an engine."""

import datetime as dt

import numpy as np
import pandas as pd

from clv.features.base import Feature
from clv.models.training.panel import Panel
from clv.windows import Window

HORIZON = 90
FIRST = dt.date(2023, 1, 1)


def _feature(name, group, unit="count", kind="number"):
    return Feature(
        name=name,
        table="orders",
        group=group,
        needs=(),
        unit=unit,
        doc=name,
        expression=lambda rows, days: rows,
        kind=kind,
    )


FEATURES = {
    feature.name: feature
    for feature in (
        _feature("frequency", "purchase_history"),
        _feature("recency_days", "purchase_history", "days"),
        _feature("age_days", "purchase_history", "days"),
        _feature("monetary_value", "purchase_history", "currency"),
        _feature("margin_ratio", "purchase_history", "ratio"),
        _feature("first_order", "purchase_history", "currency"),
        _feature("spend_90d", "purchase_history", "currency"),
        _feature("empathy_90d", "empathy", "share"),
        _feature("wait_seconds_90d", "waits", "seconds"),
        _feature("segment", "customer", "category", "category"),
    )
}


def histories(customers, seed, born_days=300):
    """Buy-till-you-die purchases; warm service keeps customers alive."""
    rng = np.random.default_rng(seed)
    born = rng.integers(0, born_days, customers)
    empathy = rng.random(customers)
    rate = rng.gamma(1.2, 1 / 40, customers)
    life = rng.exponential(np.where(empathy > 0.5, 900, 40))
    spend = 12 / rng.gamma(3.0, 0.5, customers)
    rows = []
    for k in range(customers):
        at, days = 0.0, [0]
        while True:
            at += rng.exponential(1 / max(rate[k], 1e-3))
            if at > life[k] or at > 900:
                break
            days.append(int(at))
        days = np.unique(days)
        for day in days:
            rows.append((f"c{k:05d}", born[k] + day, spend[k] * rng.gamma(4.0, 0.25)))
    orders = pd.DataFrame(rows, columns=["customer_id", "day", "amount"])
    people = pd.DataFrame(
        {
            "customer_id": [f"c{k:05d}" for k in range(customers)],
            "empathy_90d": np.where(rng.random(customers) < 0.1, np.nan, empathy),
            "wait_seconds_90d": rng.gamma(2.0, 60.0, customers),
            "segment": rng.choice(["private", "business", None], customers, p=[0.6, 0.3, 0.1]),
        }
    )
    return orders, people


def features_at(orders, people, day):
    seen = orders[orders["day"] <= day]
    daily = seen.groupby(["customer_id", "day"])["amount"].sum().reset_index()
    first = daily.groupby("customer_id")["day"].transform("min")
    repeat = daily[daily["day"] > first]
    frame = daily.groupby("customer_id")["day"].agg(["min", "max", "count"])
    mean = repeat.groupby("customer_id")["amount"].mean()
    recent = seen[seen["day"] > day - 90].groupby("customer_id")["amount"].sum()
    firsts = daily[daily["day"] == first].set_index("customer_id")["amount"]
    found = pd.DataFrame(
        {
            "as_of": (FIRST + dt.timedelta(days=int(day))).isoformat(),
            "frequency": (frame["count"] - 1).astype(float),
            "recency_days": (frame["max"] - frame["min"]).astype(float),
            "age_days": (day - frame["min"]).astype(float),
            "monetary_value": mean.reindex(frame.index),
            "margin_ratio": 0.4,
            "first_order": firsts.reindex(frame.index),
            "spend_90d": recent.reindex(frame.index).fillna(0.0),
        }
    )
    return found.reset_index().merge(people, on="customer_id")


def outcomes_at(orders, day):
    ahead = orders[(orders["day"] > day) & (orders["day"] <= day + HORIZON)]
    grouped = ahead.groupby("customer_id")
    return pd.DataFrame(
        {
            "revenue": grouped["amount"].sum(),
            "value": grouped["amount"].sum() * 0.4,
            "value_undiscounted": grouped["amount"].sum() * 0.4,
            "purchases": grouped["day"].nunique().astype(float),
        }
    ).reset_index()


def make_panel(
    customers=700, seed=0, days=(300, 360, 420, 480, 540), change=None, *, born_days=300
):
    orders, people = histories(customers, seed, born_days)
    frames, windows = [], []
    for day in days:
        features = features_at(orders, people, day)
        rows = features.merge(outcomes_at(orders, day), on="customer_id", how="left")
        money = ["revenue", "value", "value_undiscounted", "purchases"]
        rows[money] = rows[money].fillna(0.0)
        rows["churned"] = (rows["purchases"] == 0).astype(float)
        frames.append(rows if change is None else change(rows))
        windows.append(Window(FIRST + dt.timedelta(days=day), HORIZON))
    return Panel(
        frame=pd.concat(frames, ignore_index=True),
        features=FEATURES,
        windows=tuple(windows),
        discount_rate_annual=0.0,
        currency="EUR",
        value_is_margin=True,
    )


def people(n, as_of="2024-01-01", seed=0, *, returned=0.2):
    """People who have not bought: most who ever will do so in their first weeks."""
    rng = np.random.default_rng(seed)
    known = np.floor(rng.exponential(200, n))
    silent = np.floor(known * rng.random(n))
    back = rng.random(n) < returned
    chance = 0.5 * np.exp(-known / 60) + 0.01
    buys = rng.random(n) < chance
    spend = np.where(buys, np.round(rng.gamma(3, 20, n), 2), 0.0)
    return pd.DataFrame(
        {
            "customer_id": [f"p{seed}-{k:05d}" for k in range(n)],
            "as_of": as_of,
            "frequency": np.nan,
            "recency_days": np.nan,
            "age_days": np.nan,
            "monetary_value": np.nan,
            "signed_up_days": np.where(rng.random(n) < 0.7, known, np.nan),
            "days_since_first_contact": np.where(back, np.nan, known),
            "days_since_last_contact": np.where(back, np.nan, silent),
            "contacts_ever": np.where(back, 0.0, 1.0 + rng.integers(0, 3, n)),
            "contacts_90d": np.where(silent < 90, 1.0, 0.0),
            "refunds_ever": back.astype(float),
            "days_since_last_refund": np.where(back, known, np.nan),
            "segment": rng.choice(["private", "business"], n),
            "chance": chance,
            "revenue": spend,
            "value": spend * 0.5,
            "value_undiscounted": spend * 0.5,
            "purchases": buys.astype(float),
            "churned": 1.0 - buys,
        }
    )
