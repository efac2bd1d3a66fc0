"""Contacts as the company's systems record them: ends, holds, resolutions, follow-ups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.schema import CHANNELS
from clv.simulation.catalogue import ISSUES
from clv.simulation.service import REPEATS_AT_MOST
from clv.windows import DAY_SECONDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clv.simulation.calendar import Calendar
    from clv.simulation.service import Service

PROMISE_SHARE_RESOLVED, PROMISE_SHARE_OPEN, KEPT_SHARE = 0.12, 0.4, 0.7
CLOSED_TOO_EARLY = 0.5  # of unresolved contacts, those that agents close all the same
FOLLOW_UP_SECONDS = 100.0


@dataclass(frozen=True)
class Records:
    """Contacts, by time: the customers' and the company's own; one entry each, r in all.

    Attributes
    ----------
    contact : ndarray of shape (r,)
        Entry in ``Service``; for a follow-up, of the contact that promised it.
    by_company : ndarray of bool, shape (r,)
        A follow-up: the company keeps a promise.
    promised, kept : ndarray of bool, shape (r,)
        The agent promised to come back; and did.
    person, agent, channel, queue, issue, priority, transfers : ndarray of shape (r,)
        As in ``Service``; queue −1 where no agent answers.
    started_s, ended_s, resolved_s, reopened_s : ndarray of shape (r,)
        Seconds; −1 is never.
    wait_seconds, handle_seconds, hold_seconds, wrap_seconds : ndarray of shape (r,)
        Seconds.
    """

    contact: NDArray[np.int64]
    by_company: NDArray[np.bool_]
    promised: NDArray[np.bool_]
    kept: NDArray[np.bool_]
    person: NDArray[np.int64]
    agent: NDArray[np.int64]
    channel: NDArray[np.int64]
    queue: NDArray[np.int64]
    issue: NDArray[np.int64]
    priority: NDArray[np.int64]
    transfers: NDArray[np.int64]
    started_s: NDArray[np.int64]
    ended_s: NDArray[np.int64]
    resolved_s: NDArray[np.int64]
    reopened_s: NDArray[np.int64]
    wait_seconds: NDArray[np.float64]
    handle_seconds: NDArray[np.float64]
    hold_seconds: NDArray[np.float64]
    wrap_seconds: NDArray[np.float64]


def resolution(
    served: Service, ended_s: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Record when contacts were resolved and reopened, in seconds, −1 for never.

    What was not solved either stays open, is closed too early (and the customer comes
    back), or is reopened within the week: by the contract's rule none of them counts as
    resolved at first contact.
    """
    early = rng.random(ended_s.size) < CLOSED_TOO_EARLY
    problem = served.root * (REPEATS_AT_MOST + 1) + served.repeat
    came_back = np.isin(problem + 1, problem[served.repeat > 0])
    closed = served.resolved | early
    delay = np.floor(600 * rng.exponential(size=ended_s.size)).astype(np.int64)
    resolved_s = np.where(closed, ended_s + delay, -1)
    again = DAY_SECONDS * rng.uniform(1.0, 5.5, ended_s.size)
    reopened = ~served.resolved & early & ~came_back
    return resolved_s, np.where(reopened, ended_s + again.astype(np.int64), -1)


def record(served: Service, calendar: Calendar, rng: np.random.Generator) -> Records:
    """Record contacts, and the follow-ups that kept promises."""
    causes, size = served.causes, served.started_s.size
    human = served.by_agent
    ended_s = served.started_s + (served.wait_seconds + served.handle_seconds).astype(np.int64)
    resolved_s, reopened_s = resolution(served, ended_s, rng)
    share = np.where(served.resolved, PROMISE_SHARE_RESOLVED, PROMISE_SHARE_OPEN)
    promised = human & (rng.random(size) < share)
    kept = promised & (rng.random(size) < KEPT_SHARE)
    voice = causes.channel == CHANNELS.index("voice")
    hold = np.where(rng.random(size) < 0.4, rng.uniform(0.03, 0.25, size), 0.0)
    many = 0.05 + 0.05 * (causes.severity > 1)
    base = Records(
        contact=np.arange(size),
        by_company=np.zeros(size, dtype=bool),
        promised=promised,
        kept=kept,
        person=causes.person,
        agent=served.agent,
        channel=causes.channel,
        queue=np.where(human, np.array([kind.queue for kind in ISSUES])[causes.issue], -1),
        issue=causes.issue,
        priority=served.priority,
        transfers=np.where(human, rng.poisson(many), 0),
        started_s=served.started_s,
        ended_s=ended_s,
        resolved_s=resolved_s,
        reopened_s=reopened_s,
        wait_seconds=served.wait_seconds,
        handle_seconds=served.handle_seconds,
        hold_seconds=np.floor(served.handle_seconds * hold * voice),
        wrap_seconds=np.floor(served.handle_seconds * rng.uniform(0.04, 0.18, size)),
    )
    return _with_follow_ups(base, calendar, rng)


def _with_follow_ups(base: Records, calendar: Calendar, rng: np.random.Generator) -> Records:
    """Add the company's own contacts, the next day or the day after, and sort all by time."""
    rows = np.flatnonzero(base.kept)
    handle = np.round(FOLLOW_UP_SECONDS * np.exp(0.3 * rng.standard_normal(rows.size)))
    started_s = base.ended_s[rows] + np.floor(
        DAY_SECONDS * rng.uniform(0.7, 1.8, rows.size)
    ).astype(np.int64)
    inside = started_s + handle < calendar.start_s + calendar.span_days * DAY_SECONDS
    rows, handle, started_s = rows[inside], handle[inside], started_s[inside]
    ended_s = started_s + handle.astype(np.int64)
    nothing = np.zeros(rows.size)
    extra = {
        "by_company": np.ones(rows.size, dtype=bool),
        "promised": np.zeros(rows.size, dtype=bool),
        "kept": np.zeros(rows.size, dtype=bool),
        "transfers": np.zeros(rows.size, dtype=np.int64),
        "started_s": started_s,
        "ended_s": ended_s,
        "resolved_s": ended_s,
        "reopened_s": np.full(rows.size, -1, dtype=np.int64),
        "wait_seconds": nothing,
        "handle_seconds": handle,
        "hold_seconds": nothing,
        "wrap_seconds": np.floor(0.1 * handle),
    }
    columns = {}
    for name in Records.__dataclass_fields__:
        own = getattr(base, name)
        columns[name] = np.concatenate([own, extra.get(name, own[rows])])
    order = np.argsort(columns["started_s"], kind="stable")
    return Records(**{name: values[order] for name, values in columns.items()})
