"""When agents were logged in, and the experiment that ran on customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.simulation.calendar import Shift
from clv.simulation.frames import moments
from clv.windows import DAY_SECONDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clv.simulation.calendar import Calendar
    from clv.simulation.options import SimulationOptions
    from clv.simulation.people import People
    from clv.simulation.records import Records
    from clv.simulation.staff import Staff

EXPERIMENT = "empathy_coaching"
CONTROL, COACHED = "control", "coached"
SHIFT_SECONDS = 7.5 * 3_600


def experiment_arms(
    options: SimulationOptions, crowd: People, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw the arms of the experiment: −1 not in it, 0 control, 1 coached; shape (n,).

    Customers who join after the exposure year are not in it.
    """
    inside = rng.random(crowd.count) < options.experiment_share
    inside &= (crowd.joined < options.as_of_days) & (crowd.rate > 0)
    return np.where(inside, (rng.random(crowd.count) < 0.5).astype(np.int64), -1)


def assignments_frame(
    options: SimulationOptions,
    calendar: Calendar,
    crowd: People,
    arms: NDArray[np.int64],
    ids: NDArray[np.object_],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the contract's ``assignments``: at the year's start, or on joining."""
    lost = (arms == 1) & (rng.random(arms.size) < options.experiment_lost)
    rows = np.flatnonzero((arms >= 0) & ~lost)
    at = np.maximum(crowd.joined[rows], max(options.as_of_days - 365.0, 0.0))
    frame = pd.DataFrame(
        {
            "experiment": EXPERIMENT,
            "unit": "customer",
            "unit_id": ids[rows],
            "arm": np.array([CONTROL, COACHED], dtype=object)[arms[rows]],
            "assigned_at": moments(calendar.seconds(at)),
        }
    )
    return frame


def rollouts_frame(
    options: SimulationOptions, calendar: Calendar, staff: Staff, teams: NDArray[np.object_]
) -> pd.DataFrame:
    """Return the contract's ``rollouts``: when each team was reached; ``teams`` by agent."""
    rows = []
    for rollout, reached in zip(options.rollouts, staff.reached, strict=True):
        for team in np.unique(teams[np.isfinite(reached)]):
            day = reached[teams == team][:1]
            cost = rollout.cost_per_agent
            rows.append(("team", team, rollout.what, moments(calendar.seconds(day))[0], cost))
    return pd.DataFrame(rows, columns=["unit", "unit_id", "what", "since", "cost_per_agent"])


def agent_days_frame(
    calendar: Calendar,
    staff: Staff,
    records: Records,
    ids: NDArray[np.object_],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the contract's ``agent_days``: the roster's days, five a week at most.

    A day that holds more handle time than a shift is as long as it needs to be.
    """
    parts = []
    for roster, cuts in zip(staff.rosters, staff.cuts, strict=True):
        weeks = np.arange(roster.shape[0])
        for shift in Shift:
            agents = roster[:, cuts[shift] : cuts[shift + 1]]
            days = (5, 6) if shift is Shift.WEEKEND else range(5)
            for weekday in days:
                day = 7 * weeks + weekday - int(calendar.weekday(np.array([0]))[0])
                parts.append(np.column_stack([agents.ravel(), np.repeat(day, agents.shape[1])]))
    found = np.concatenate(parts)
    found = found[(found[:, 1] >= 0) & (found[:, 1] < calendar.span_days)]
    busy = np.zeros((ids.size, calendar.span_days))
    human = records.agent >= 0
    day = (records.started_s - calendar.start_s) // DAY_SECONDS
    np.add.at(busy, (records.agent[human], day[human]), records.handle_seconds[human])
    found = found[np.lexsort((found[:, 0], found[:, 1]))]
    at = busy[found[:, 0], found[:, 1]]
    logged = np.maximum(SHIFT_SECONDS * rng.uniform(0.9, 1.05, at.size), 1.05 * at)
    return pd.DataFrame(
        {
            "agent_id": ids[found[:, 0]],
            "date": moments(calendar.seconds(found[:, 1].astype(np.float64))),
            "logged_in_seconds": np.minimum(np.round(logged), DAY_SECONDS),
        }
    )
