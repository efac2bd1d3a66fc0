"""Effects: the cost of all levels and checks, at three sizes."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.contract.tables import Tables
from clv.effects.design.exposure import Exposure
from clv.effects.effects import estimate_effects
from clv.effects.estimators.study import EffectOptions
from clv.engines.connect import connect
from clv.events.histories import make_histories
from clv.features.contacts import build_contact_table
from clv.labels.follow_up import build_follow_up

if TYPE_CHECKING:
    from collections.abc import Sequence

START = pd.Timestamp("2023-01-01")
YEARS_S = 3 * 365 * 86_400


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def synthetic(customers: int, contacts: int, agents: int, seed: int = 0) -> Exposure:
    """Contacts of the asked size without planted effects: only time and memory count."""
    rng = np.random.default_rng(seed)
    extra = rng.integers(customers, size=contacts - customers)
    customer = np.sort(np.concatenate([np.arange(customers), extra]))
    pool = rng.integers(8, size=contacts)
    agent = rng.integers(agents // 8, size=contacts) * 8 + pool
    week = rng.integers(208, size=contacts)
    warmth, pace, skill = rng.normal(size=(3, agents))
    return Exposure(
        customer=customer,
        agent=agent,
        pool=pool,
        stratum=pool * 208 + week,
        at_days=week * 3.5 + rng.random(contacts),
        controls=rng.normal(size=(contacts, 30)),
        control_names=tuple(f"x{number}" for number in range(30)),
        behaviours={
            "empathy": np.where(
                rng.random(contacts) < 0.75,
                0.5 + 0.1 * warmth[agent] + 0.15 * rng.normal(size=contacts),
                np.nan,
            ),
            "handle_seconds": np.exp(5.9 + 0.2 * pace[agent] + 0.3 * rng.normal(size=contacts)),
            "fcr": (rng.random(contacts) < 0.7 + 0.06 * np.tanh(skill[agent])).astype(float),
        },
        outcome=rng.gamma(0.5, 400.0, contacts),
        before=rng.gamma(0.5, 400.0, contacts),
        agents=tuple(f"a{number}" for number in range(agents)),
    )


def frames(customers: int, contacts: int, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Three years of a company: contacts, two orders a contact, some returned, some answers."""
    rng = np.random.default_rng(seed)

    def times(count: int) -> pd.Series[pd.Timestamp]:
        return pd.Series(START + pd.to_timedelta(rng.integers(0, YEARS_S, count), "s"))

    def ids(letter: str, numbers: Sequence[int]) -> pd.Series[str]:
        return letter + pd.Series(numbers).astype(str)

    orders, asked = 2 * contacts, contacts // 4
    bought = times(orders)
    refunds = pd.DataFrame(
        {
            "order_id": ids("r", range(orders // 10)),
            "ordered_at": bought[: orders // 10] + pd.Timedelta(days=9),
            "amount": -20.0,
            "refund_of": ids("o", range(orders // 10)),
        }
    )
    buyer = ids("c", rng.integers(customers, size=orders))
    purchases = pd.DataFrame(
        {
            "order_id": ids("o", range(orders)),
            "customer_id": buyer,
            "ordered_at": bought,
            "amount": rng.gamma(2.0, 20.0, orders).round(2),
        }
    )
    caller = ids("c", rng.integers(customers, size=contacts))
    started = times(contacts)
    handle = np.exp(rng.normal(5.9, 0.4, contacts)).round(1)
    return {
        "orders": pd.concat(
            [purchases, refunds.assign(customer_id=buyer[: orders // 10])], ignore_index=True
        ),
        "interactions": pd.DataFrame(
            {
                "interaction_id": ids("i", range(contacts)),
                "customer_id": caller,
                "agent_id": ids("a", rng.integers(500, size=contacts)),
                "channel": rng.choice(["voice", "chat", "email"], contacts),
                "queue": rng.choice(["orders", "returns", "tech"], contacts),
                "issue_type": rng.choice(["late", "broken", "bill"], contacts),
                "started_at": started,
                "ended_at": started + pd.to_timedelta(handle, "s"),
                "handle_seconds": handle,
                "wait_seconds": rng.exponential(60, contacts).round(1),
                "resolved_at": started + pd.Timedelta(hours=1),
            }
        ),
        "surveys": pd.DataFrame(
            {
                "survey_id": ids("s", range(asked)),
                "customer_id": caller[:asked],
                "interaction_id": ids("i", range(asked)),
                "kind": "csat",
                "score": rng.integers(1, 6, asked).astype(float),
                "responded_at": started[:asked] + pd.Timedelta(days=1),
            }
        ),
    }


def contact_table(customers: int, contacts: int) -> tuple[float, float, float, int]:
    """Build contacts in event time and what followed them, in a process of its own.

    Returns
    -------
    tuple
        CPU seconds of both tables, seconds that passed, the process's peak memory in GB (the
        simulated frames among it), and the rows.
    """
    with connect(threads=2, memory_limit="2GB") as engine:
        tables = Tables.from_frames(engine, frames(customers, contacts))
        histories = make_histories(tables)
        start, passed = time.process_time(), time.perf_counter()
        held = build_contact_table(histories, 180)
        followed = build_follow_up(histories, 180)
        spent = time.process_time() - start, time.perf_counter() - passed
    assert len(held) == len(followed)
    return *spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, len(held)


def event_time() -> None:
    """Time the contact table at 300,000 and 900,000 contacts of three years."""
    spent = {}
    for customers, contacts in ((33_333, 300_000), (100_000, 900_000)):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            cpu, passed, memory, rows = pool.apply(contact_table, (customers, contacts))
        spent[contacts] = cpu
        say(
            f"{customers:>8,} customers {contacts:>8,} contacts {2.2 * contacts:>10,.0f} orders: "
            f"{rows:,} followed 180 days, {cpu:6.1f} CPU s, {passed:6.1f} s, {memory:5.2f} GB"
        )
    sizes, times = np.log(list(spent)), np.log(list(spent.values()))
    say(f"time grows with contacts to the power of {np.polyfit(sizes, times, 1)[0]:.2f}")


def main() -> None:
    """Time all levels and checks at three sizes: the cost must be linear in contacts."""
    event_time()
    times = {}
    for customers, contacts in ((25_000, 75_000), (50_000, 150_000), (100_000, 300_000)):
        exposure = synthetic(customers, contacts, 504)
        start = time.process_time()
        estimate_effects(exposure, options=EffectOptions())
        seconds = times[contacts] = time.process_time() - start
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        each = 1e6 * seconds / contacts
        say(
            f"{customers:>8,} customers {contacts:>8,} contacts: {seconds:6.1f} CPU s "
            f"{memory:5.2f} GB {each:6.0f} us a contact"
        )
    sizes, spent = np.log(list(times)), np.log(list(times.values()))
    say(f"time grows with contacts to the power of {np.polyfit(sizes, spent, 1)[0]:.2f}")


if __name__ == "__main__":
    main()
