"""What decisions come of effects, over companies whose truth is known: moves and agents' scores."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.decisions import STUDIES, Case, Truth, agents, null, targets

pytestmark = pytest.mark.slow


def over(seeds, study, case):
    rows = [study(case, seed) for seed in range(seeds)]
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def chance(share, runs):
    return 2 * np.sqrt(share * (1 - share) / runs)


def test_the_judge_is_the_simulator_s_truth():
    year = Case(3_000, 24).year(0)
    truth, curve = Truth.of(year), year.frontier()
    inside = curve[curve["scale"].between(0.6, 1.6)]
    size = curve["value"].abs().max()
    for name, follows in (("net", False), ("net_total", True)):
        judged = truth.net(inside["scale"].to_numpy(), follows=follows)
        np.testing.assert_allclose(judged, inside[name], atol=0.01 * size)


def test_nothing_is_moved_where_nothing_acts():
    runs = 30
    found = over(runs, null, STUDIES["null"]["nothing planted"])
    for name in ("empathy", "handle_seconds", "fcr"):
        assert found[f"level 2 covers 0: {name}"].mean() >= 0.95 - chance(0.95, runs)
    assert found["no target moved, minutes free"].mean() >= 0.97 - chance(0.97, runs)


def test_moves_gain_and_hold_the_optimum_where_adjusting_says_the_opposite():
    runs = 14
    found = over(runs, targets, STUDIES["targets"]["longer"])
    assert not found["level 2: runs with a move that loses"].any()
    inside = found["level 2: optimum inside its interval"].mean()
    assert inside >= 0.93 - chance(0.93, runs)
    assert found["level 1: optimum on the wrong side of today"].mean() > 0.6


def test_agents_scores_follow_what_they_are_worth():
    runs = 12
    found = over(runs, agents, STUDIES["agents"]["as planted"])
    assert 150 < found["contacts per agent"].mean() < 210
    score = found["correlation: agents' score"]
    assert score.mean() >= 0.85 - 2 * score.std(ddof=1) / np.sqrt(runs)
    for rival in ("raw mean value", "shrunk mean value", "rank by short handle time"):
        assert (score > found[f"correlation: {rival}"]).all()
