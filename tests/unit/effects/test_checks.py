"""Checks raise an alarm where what they look for was planted, and seldom where it was not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clv.effects.checks.base import Estimated
from clv.effects.checks.cross_effects import CrossEffects
from clv.effects.checks.followed_up import FollowedUp, spread_over_agents
from clv.effects.checks.gates.routing_rule import RoutingRule
from clv.effects.checks.stability import Stability
from clv.effects.design.exposure import CORE_BEHAVIOURS
from clv.effects.effects import estimate_effects
from clv.effects.estimators.study import EffectOptions, build_study
from tests.unit.effects.company import draw

QUICK = EffectOptions(permutations=59)


def estimated(exposure, behaviour="empathy"):
    study = build_study(exposure, CORE_BEHAVIOURS, QUICK)
    return Estimated(behaviour, study, QUICK, study.adjusted(), study.instrumented())


@pytest.fixture(scope="module")
def company():
    return draw(1, customers=6_000, agents=100)


@pytest.fixture(scope="module")
def usual(company):
    return estimated(company.exposure)


def test_nothing_is_alarming_where_nothing_was_planted(usual):
    for check in (Stability(), CrossEffects(), FollowedUp()):
        assert check.run(usual).passed, check


def test_an_effect_that_turns_within_the_years_is_unstable(company):
    exposure = company.exposure
    early = exposure.at_days < np.median(exposure.at_days)
    warm = np.nan_to_num(exposure.behaviours["empathy"] - 0.45)
    turned = exposure.outcome + np.where(early, 400.0, -400.0) * warm
    found = Stability().run(estimated(exposure.with_outcome(turned)))
    assert not found.passed
    assert found.details["first_half"] > found.details["second_half"]


def test_the_halves_lie_on_both_sides_of_the_whole(usual):
    details = Stability().run(usual).details
    whole = usual.study.effect("empathy", usual.second)[0]
    assert min(details.values()) < whole < max(details.values())


def test_a_behaviour_that_moves_with_another_in_some_cases_only_is_crossed(company):
    exposure = company.exposure
    study = build_study(exposure, CORE_BEHAVIOURS, QUICK)
    pace = study.instrument[:, study.columns("handle_seconds").start]
    expected = exposure.outcome - study.outcome
    rich = np.where(expected > np.median(expected), 1.0, -1.0)
    # Slow agents are warm with customers of whom much is expected, and cold with the others.
    crossed = exposure.behaviours["empathy"] + 0.8 * rich * pace
    held = replace(exposure, behaviours={**exposure.behaviours, "empathy": crossed})
    found = CrossEffects().run(estimated(held))
    assert not found.passed
    assert found.details["cross_p"] < 0.01


def test_follow_up_that_depends_on_the_agent_is_told(company):
    exposure = company.exposure
    rng = np.random.default_rng(0)
    chance = rng.random(exposure.contacts)
    share = np.linspace(0.3, 0.7, exposure.n_agents)[exposure.agent]
    for known, passed in ((chance < 0.5, True), (chance < share, False)):
        outcome = np.where(known, exposure.outcome, np.nan)
        found = FollowedUp().run(estimated(exposure.with_outcome(outcome)))
        assert found.passed is passed
        assert found.details["share"] == pytest.approx(0.5, abs=0.02)


def test_chance_alone_seldom_spreads_over_agents_unevenly():
    rng = np.random.default_rng(0)
    agent, stratum = rng.integers(40, size=4_000), rng.integers(60, size=4_000)
    share = rng.random(60)[stratum]
    p_values = [
        spread_over_agents((rng.random(4_000) < share).astype(np.int64), agent, stratum)
        for _ in range(200)
    ]
    assert np.mean(np.array(p_values) < 0.05) < 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)
    assert np.mean(np.array(p_values) < 0.5) > 0.35


def test_a_rule_that_came_late_is_refused():
    company = draw(2, customers=5_000)
    exposure = company.exposure
    assert RoutingRule(permutations=299).run(exposure).passed
    late = draw(2, customers=5_000, skill_routing=0.3).exposure
    after = np.flatnonzero(exposure.at_days > np.quantile(exposure.at_days, 0.5))
    mixed = exposure.agent.copy()
    mixed[after] = late.agent[after]
    found = RoutingRule(permutations=299).run(replace(exposure, agent=mixed))
    assert not found.passed
    assert found.details["second_half_p"] < 0.01 <= found.details["first_half_p"]


def test_unknown_outcomes_are_left_out_of_every_estimate(company):
    exposure = company.exposure
    some = np.random.default_rng(0).random(exposure.contacts) < 0.7
    holes = exposure.with_outcome(np.where(some, exposure.outcome, np.nan))
    found = estimate_effects(holes, options=QUICK)
    study = build_study(exposure, CORE_BEHAVIOURS, QUICK).with_outcome(holes.outcome)
    assert not study.instrument[~some].any()
    for effect in found.effects:
        for level in effect.levels:
            assert level.low < level.estimate < level.high
    whole = study.effect("empathy", study.instrumented())
    assert found["empathy"].level("quasi-experimental").estimate == pytest.approx(whole[0])


def test_a_year_of_contacts_is_counted_per_customer_in_contact(company):
    exposure = company.exposure
    year = np.floor((exposure.at_days.max() - exposure.at_days) / 365)
    inside = year < (exposure.at_days.max() - exposure.at_days.min() + 1) // 365
    pairs = {*zip(exposure.customer[inside], year[inside], strict=True)}
    assert exposure.contacts_per_customer_year == pytest.approx(inside.sum() / len(pairs))
    # Contacts of a longer time are no more contacts a year.
    late = exposure.of_contacts(np.flatnonzero(year < 1))
    assert late.contacts_per_customer_year == pytest.approx(
        exposure.contacts_per_customer_year, rel=0.1
    )
