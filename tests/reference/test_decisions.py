"""What decisions come of effects, over companies whose truth is known: moves and agents' scores."""

from __future__ import annotations

import numpy as np
import pytest

from clv.simulation.service import log_handle
from clv.simulation.truths.follow_up import follow_up
from tests.benchmarks.decisions import (
    HORIZON_DAYS,
    STUDIES,
    Case,
    Truth,
    agents,
    null,
    targets,
)

pytestmark = pytest.mark.slow


def over(seeds, study, case):
    rows = [study(case, seed) for seed in range(seeds)]
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def chance(share, runs):
    return 2 * np.sqrt(share * (1 - share) / runs)


def test_the_judge_is_the_simulator_s_truth():
    planted = Case(3_000, 24).live(0)
    truth, world = Truth.of(planted), planted.world
    after = follow_up(world, HORIZON_DAYS)
    seconds = world.served.handle_seconds[after.rows]
    hourly = world.staff.cost_per_hour[world.served.agent[after.rows]]
    years, effects = planted.studied.exposure.customer_years, world.options.effects
    x = log_handle(seconds)
    for scale in (0.72, 0.93, 1.13, 1.38):  # between the settings that the truth states
        y = log_handle(scale * seconds)
        step = effects.handle_log * (y - x) + effects.handle_log2 * (y**2 - x**2)
        moved = [after.at_contact(change) for change in (step, np.zeros_like(step))]
        gained, usual = (margin.sum() for margin in after.margins(moved))
        cost = (seconds * hourly).sum() / 3_600 * (scale - 1)
        net = (gained - usual - cost) / years
        assert truth.net(scale) == pytest.approx(net, abs=0.02 * abs(truth.net(0.5)))


def test_nothing_is_moved_where_nothing_acts():
    runs = 60
    found = over(runs, null, STUDIES["null"]["nothing planted"])
    for name in ("empathy", "handle_seconds", "fcr"):
        assert found[f"agents covers 0: {name}"].mean() >= 0.95 - chance(0.95, runs)
    assert found["no target moved, minutes free"].mean() >= 0.97 - chance(0.97, runs)


def test_moves_gain_and_hold_the_optimum_where_adjusting_says_the_opposite():
    runs = 14
    found = over(runs, targets, STUDIES["targets"]["longer"])
    assert not found["agents: runs with a move that loses"].any()
    inside = found["agents: optimum inside its interval"].mean()
    assert inside >= 0.93 - chance(0.93, runs)
    assert found["adjusted: optimum on the wrong side of today"].mean() > 0.6


def test_agents_scores_follow_what_they_are_worth():
    runs = 12
    found = over(runs, agents, STUDIES["agents"]["as planted"])
    assert 150 < found["contacts per agent"].mean() < 210
    score = found["correlation: agents' score"]
    assert score.mean() >= 0.85 - 2 * score.std(ddof=1) / np.sqrt(runs)
    for rival in ("raw mean value", "shrunk mean value", "rank by short handle time"):
        assert (score > found[f"correlation: {rival}"]).all()
