"""Simulated companies with roll-outs, as the arrays that the estimator takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clv.effects.estimators.rollout import Staggered
from clv.simulation import RollOut, SimulationOptions
from clv.simulation.truths.follow_up import follow_up
from clv.simulation.truths.per_contact import RollOutEffect, contact_truth
from clv.simulation.world import build_world

TRAINING = RollOut("empathy training", empathy_lift=1.2)
TOOL = RollOut("assist tool", handle_log=-0.25)


@dataclass(frozen=True)
class RolledOut:
    """Contacts with complete follow-up, what was realised in it, and the truth."""

    contacts: Staggered
    margin: np.ndarray
    empathy: np.ndarray
    handle_seconds: np.ndarray
    truth: RollOutEffect


def rolled_out(rollout: RollOut, horizon_days: int = 180, **options: object) -> RolledOut:
    """Simulate a company in which one roll-out reached teams one after the other."""
    world = build_world(SimulationOptions(rollouts=(rollout,), trained_teams=0, **options))
    studied = follow_up(world, horizon_days)
    served, rows, person = world.served, studied.rows, studied.person
    team = world.staff.team[served.agent[rows]]
    since = np.full(team.max() + 1, np.inf)
    since[world.staff.team] = world.staff.reached[0]
    orders, at = world.orders, world.calendar.days(world.orders.at_s)
    order = np.lexsort((at, orders.person))
    keys = orders.person[order] * 1e5 + at[order]
    total = np.concatenate(([0.0], orders.margin[order].cumsum()))
    now = person * 1e5 + studied.day
    today, end, start, year = (
        total[np.searchsorted(keys, edge, side="right")]
        for edge in (now, now + horizon_days, person * 1e5, np.maximum(now - 365, person * 1e5))
    )
    kinds = [served.causes.issue[rows], served.causes.channel[rows], served.priority[rows]]
    indicators = [kind[:, None] == np.arange(1, kind.max() + 1) for kind in kinds]
    numbers = [today - start, today - year, np.log1p(np.maximum(today - start, 0.0))]
    numbers += [np.log1p(np.maximum(today - year, 0.0)), served.mood[rows]]
    controls = np.column_stack([*numbers, *indicators]).astype(np.float64)
    return RolledOut(
        contacts=Staggered(team, studied.day, since, controls, np.zeros((team.size, 0))),
        margin=end - today,
        empathy=served.empathy[rows],
        handle_seconds=served.handle_seconds[rows],
        truth=contact_truth(world, horizon_days).rollouts[0],
    )
