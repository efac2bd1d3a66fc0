"""The company's tables in the contract's columns: what its systems would have stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.schema import CHANNELS, PRIORITIES
from clv.simulation.catalogue import (
    ACQUISITION,
    CATEGORIES,
    CERTIFICATIONS,
    ISSUES,
    QUEUES,
    REGIONS,
    SEGMENTS,
    SLA_SECONDS_BY_CHANNEL,
)
from clv.simulation.words.wording import load_wording
from clv.windows import DAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from clv.simulation.calendar import Calendar
    from clv.simulation.options import SimulationOptions
    from clv.simulation.people import People
    from clv.simulation.purchases import Orders
    from clv.simulation.records import Records
    from clv.simulation.staff import Staff

WRITTEN = np.isin(CHANNELS, ("chat", "email", "social", "sms"))
VOICE = CHANNELS.index("voice")


def identifiers(prefix: str, count: int, width: int) -> NDArray[np.object_]:
    """Return ``count`` ids such as ``c000123``.

    Examples
    --------
    >>> identifiers("a", 2, 3).tolist()
    ['a000', 'a001']
    """
    return np.array([f"{prefix}{number:0{width}d}" for number in range(count)], dtype=object)


def words(values: Sequence[str], index: NDArray[np.int64]) -> NDArray[np.object_]:
    """Look words up; an index of −1 is null."""
    return np.array([*values, None], dtype=object)[index]


def moments(seconds: NDArray[np.int64], known: NDArray[np.bool_] | None = None) -> pd.Series:
    """Turn seconds into naive UTC timestamps; unknown ones into null."""
    at = seconds.astype("datetime64[s]").astype("datetime64[us]")
    if known is not None:
        at = np.where(known, at, np.datetime64("NaT", "us"))
    return pd.Series(at)


def whole(values: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Keep known values; the rest is null."""
    return np.where(known, values, np.nan)


def customers_frame(
    calendar: Calendar, crowd: People, ids: NDArray[np.object_], rng: np.random.Generator
) -> pd.DataFrame:
    """Return the contract's ``customers``, in the order of ids."""
    wording = load_wording("en")
    first = words(wording.first_names, rng.integers(len(wording.first_names), size=crowd.count))
    last = words(wording.last_names, rng.integers(len(wording.last_names), size=crowd.count))
    digits = rng.integers(0, 10_000_000, crowd.count)
    early = np.floor(rng.exponential(6.0, crowd.count) * DAY_SECONDS).astype(np.int64)
    signed = np.maximum(calendar.seconds(crowd.joined) - early, calendar.start_s)
    return pd.DataFrame(
        {
            "customer_id": ids,
            "signed_up_at": moments(signed),
            "segment": words([c.name for c in SEGMENTS], crowd.segment),
            "region": words([c.name for c in REGIONS], crowd.region),
            "acquisition_channel": words([c.name for c in ACQUISITION], crowd.acquisition),
            "referred_by": words(list(ids), crowd.referred_by),
            "first_name": first,
            "last_name": last,
            "email": [
                f"{a}.{b}{n % 97}@example.com".lower()
                for a, b, n in zip(first, last, digits.tolist(), strict=True)
            ],
            "phone": [f"555-{n // 10_000:03d}-{n % 10_000:04d}" for n in digits.tolist()],
        }
    )


def orders_frame(
    options: SimulationOptions, orders: Orders, customer_ids: NDArray[np.object_]
) -> pd.DataFrame:
    """Return the contract's ``orders``, by time."""
    ids = identifiers("o", orders.person.size, 8)
    frame = pd.DataFrame(
        {
            "order_id": ids,
            "customer_id": customer_ids[orders.person],
            "ordered_at": moments(orders.at_s),
            "amount": orders.amount,
            "margin": orders.margin,
            "refund_of": words(list(ids), orders.refund_of),
            "category": words([c.name for c in CATEGORIES], orders.category),
            "currency": options.currency,
        }
    )
    return frame.iloc[np.argsort(orders.at_s, kind="stable")].reset_index(drop=True)


def interactions_frame(
    crowd: People, records: Records, ids: dict[str, NDArray[np.object_]]
) -> pd.DataFrame:
    """Return the contract's ``interactions``, by time."""
    channel = records.channel
    human = records.agent >= 0
    german = crowd.german[records.person]
    return pd.DataFrame(
        {
            "interaction_id": ids["interaction"],
            "customer_id": ids["customer"][records.person],
            "agent_id": words(list(ids["agent"]), records.agent),
            "channel": words(CHANNELS, channel),
            "queue": words(QUEUES, records.queue),
            "issue_type": words([kind.name for kind in ISSUES], records.issue),
            "language": np.where(german, "de", "en").astype(object),
            "initiated_by": np.where(records.by_company, "company", "customer").astype(object),
            "priority": words(PRIORITIES, records.priority),
            "started_at": moments(records.started_s),
            "ended_at": moments(records.ended_s),
            "wait_seconds": whole(records.wait_seconds, human & ~records.by_company),
            "first_response_seconds": whole(
                records.wait_seconds, human & WRITTEN[channel] & ~records.by_company
            ),
            "handle_seconds": whole(records.handle_seconds, human),
            "hold_seconds": whole(records.hold_seconds, human & (channel == VOICE)),
            "wrap_seconds": whole(records.wrap_seconds, human),
            "transfers": records.transfers,
            "resolved_at": moments(records.resolved_s, records.resolved_s >= 0),
            "reopened_at": moments(records.reopened_s, records.reopened_s >= 0),
            "sla_seconds": whole(np.array(SLA_SECONDS_BY_CHANNEL)[channel], human),
        }
    )


def agents_frame(calendar: Calendar, staff: Staff, ids: NDArray[np.object_]) -> pd.DataFrame:
    """Return the contract's ``agents``."""
    trained = ~np.isnan(staff.trained)
    return pd.DataFrame(
        {
            "agent_id": ids,
            "team": [
                f"{QUEUES[queue]}-{team % 3 + 1}"
                for queue, team in zip(staff.queue, staff.team, strict=True)
            ],
            "hired_at": moments(calendar.seconds(staff.hired)),
            "certification": words(CERTIFICATIONS, staff.queue),
            "trained_at": moments(calendar.seconds(np.nan_to_num(staff.trained)), trained),
            "cost_per_hour": staff.cost_per_hour,
        }
    )
