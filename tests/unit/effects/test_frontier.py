"""Two targets are one question: the frontier agrees with its edges, and stays where agents are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clv.effects.decisions.frontier import frontier_of
from clv.effects.decisions.options import TargetOptions
from clv.effects.decisions.segments import part_grounds
from clv.effects.decisions.targets import build_targets, target_of
from clv.effects.design.exposure import CORE_BEHAVIOURS, GOODWILL
from clv.effects.effects import estimate_effects
from clv.effects.estimators.study import EffectOptions
from tests.unit.effects.company import draw

QUICK = EffectOptions(permutations=59)
AXES = ("empathy", "scale")
COST = 0.45


@pytest.fixture(scope="module")
def company():
    return draw(5, customers=12_000, agents=150)


@pytest.fixture(scope="module")
def effects(company):
    return estimate_effects(company.exposure, options=QUICK)


@pytest.fixture(scope="module")
def frontier(effects):
    return frontier_of(effects.study, effects.second, COST, TargetOptions())


def test_the_frontier_is_the_sum_of_its_edges(effects, frontier):
    _, mean = frontier.today
    cells = {(round(c.scale, 9), round(c.empathy, 9)): c for c in frontier.cells}
    today = cells[1.0, round(mean, 9)]
    assert (today.net, today.low, today.high) == (0, 0, 0)
    both = [c for c in frontier.cells if c.scale != 1 and abs(c.empathy - mean) > 1e-9]
    assert both
    for cell in both:
        time = cells.get((round(cell.scale, 9), round(mean, 9)))
        care = cells.get((1.0, round(cell.empathy, 9)))
        if time is not None and care is not None:
            assert cell.net == pytest.approx(time.net + care.net, abs=1e-9)


def test_the_frontier_prices_as_the_targets_do(effects, frontier):
    alone = target_of(effects.study, effects.second, "handle_seconds", COST, TargetOptions())
    curve = np.array([(point.scale, point.net) for point in alone.curve])
    _, mean = frontier.today
    for cell in frontier.cells:
        if abs(cell.empathy - mean) < 1e-9:
            # The curve bends between its points, by little.
            near = np.interp(cell.scale, *curve.T)
            assert cell.net == pytest.approx(near, abs=0.02 * np.abs(curve[:, 1]).max())


def test_today_takes_the_place_of_the_step_nearest_to_it(frontier):
    warmth, seconds = (sorted({getattr(c, name) for c in frontier.cells}) for name in AXES)
    for steps, today in ((warmth, frontier.today[1]), (seconds, frontier.today[0])):
        width = np.median(np.diff(steps))
        assert min(abs(step - today) for step in steps) < 1e-9
        assert np.diff(steps).min() > 0.45 * width


def test_corners_where_no_agent_is_are_left_out(frontier):
    scales = {cell.scale for cell in frontier.cells}
    warmths = {cell.empathy for cell in frontier.cells}
    assert len(frontier.cells) < len(scales) * len(warmths)


def test_a_joint_move_needs_the_band_of_the_whole_region(frontier, effects):
    least = TargetOptions().least_gain(effects.study)
    if frontier.suggested is None:
        assert max(cell.low for cell in frontier.cells) <= least
    else:
        assert frontier.suggested.low > least
        assert frontier.suggested.low == max(cell.low for cell in frontier.cells)


def test_a_part_has_targets_only_behind_its_own_gates(company):
    exposure = company.exposure
    queue = np.flatnonzero(exposure.pool == 0)
    found, why = part_grounds(exposure.of_contacts(queue), COST, QUICK, TargetOptions())
    assert found == {}  # 37 agents of one queue are too few, although the company has 150
    assert "agents have 30 contacts" in why[0]
    rest = np.flatnonzero(exposure.pool > 0)
    found, why = part_grounds(exposure.of_contacts(rest), COST, QUICK, TargetOptions())
    assert list(found) == ["handle_seconds", "empathy"], why


def test_goodwill_is_netted_like_minutes(company):
    exposure = company.exposure
    rng = np.random.default_rng(3)
    habit = rng.gamma(4.0, 0.5, exposure.n_agents)[exposure.agent]
    given = habit * rng.gamma(2.0, 0.5, exposure.contacts)
    # Every unit given brings 3 later: worth its cost; or nothing: lost.
    for worth, gains in ((3.0, True), (0.0, False)):
        held = replace(
            exposure.with_outcome(exposure.outcome + worth * given),
            behaviours={**exposure.behaviours, "goodwill": given},
        )
        effects = estimate_effects(held, (*CORE_BEHAVIOURS, GOODWILL), QUICK)
        level = effects["goodwill"].level("quasi-experimental")
        treated = exposure.contacts_per_customer_year
        assert level.low < worth * treated < level.high
        targets, _ = build_targets(effects, COST)
        target = next(one for one in targets if one.behaviour == "goodwill")
        more = target.curve[-1]
        cost = (more.scale - 1) * given.sum() / exposure.customer_years
        gross = np.array(target.terms[-1]) @ np.array(target.coefficients)
        assert target.net_of_cost
        assert more.net == pytest.approx(gross - cost, rel=1e-9)
        assert (target.recommend == "raise") <= gains
