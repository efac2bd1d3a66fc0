"""Stated chances are true, rise with evidence, and are weighed by the company's own rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from clv.effects.decisions.curves import Curve, recommend_at, sup_t_band
from clv.effects.decisions.evidence import Beliefs
from clv.effects.decisions.ground import ground_of
from clv.effects.decisions.next_experiment import value_of_sample
from clv.effects.decisions.options import DecisionOptions, TargetOptions
from clv.effects.decisions.posterior import Belief, prior_of
from clv.effects.decisions.steps import likely_at
from clv.effects.design.exposure import CORE_BEHAVIOURS
from clv.effects.estimators.study import EffectOptions, build_study
from clv.errors import UsageError
from tests.unit.effects.company import draw

COST = 0.45
QUICK = EffectOptions(permutations=59)


@pytest.fixture(scope="module")
def study():
    return build_study(draw(5, customers=6_000, agents=100).exposure, CORE_BEHAVIOURS, QUICK)


@pytest.fixture(scope="module")
def ground(study):
    return ground_of(study, study.instrumented(), "handle_seconds", COST, TargetOptions())


def world(ground, noise_share, runs, seed):
    """Return prior, curve of one step, and draws of truths with what is estimated of each."""
    rng = np.random.default_rng(seed)
    prior = prior_of(ground.study, ground.one, ground.support, COST / 60, DecisionOptions())
    noise = noise_share * prior.covariance
    truths = rng.multivariate_normal(prior.mean, prior.covariance, runs)
    truths[rng.random(runs) > prior.chance] = prior.flat
    seen = truths + rng.multivariate_normal(np.zeros(2), noise, runs)
    return prior, ground.steps(0.1), truths, seen, noise


def beliefs(belief):
    return Beliefs(belief, (), "quasi-experimental")


@pytest.mark.parametrize("noise_share", [0.1, 1.0])
def test_stated_probabilities_are_true_in_the_prior_s_world(ground, noise_share):
    runs = 4_000
    prior, curve, truths, seen, noise = world(ground, noise_share, runs, seed=1)
    stated, pays = [], []
    for truth, estimate in zip(truths, seen, strict=True):
        belief = prior.learn(np.eye(2), estimate, noise)
        at = likely_at(beliefs(belief), curve, 0.8, 0.0)
        if at is not None:
            stated.append(belief.outlook(curve).probability[at])
            # Where there is nothing to gain, a step brings what it costs.
            flat = np.array_equal(truth, prior.flat)
            pays.append(not flat and curve.terms[at] @ truth > curve.cost[at])
    stated, pays = np.array(stated), np.array(pays)
    for low, high in ((0.8, 0.9), (0.9, 0.95), (0.95, 1.0)):
        inside = (stated >= low) & (stated < high)
        assert inside.sum() > 40
        error = np.sqrt(low * (1 - low) / inside.sum())
        assert pays[inside].mean() >= low - 2 * error
        assert abs(pays[inside].mean() - stated[inside].mean()) <= 3 * error
    assert len(stated) > 0.1 * runs  # a quarter of the worlds have nothing to gain


def test_proven_keeps_its_joint_rate_and_likely_costs_little_where_nothing_acts():
    rng = np.random.default_rng(3)
    scales = np.linspace(0.8, 1.2, 9)
    curve = Curve(scales, (scales - 1)[:, None], np.zeros(9))
    prior, runs, proven, gained = Belief(np.zeros(1), np.eye(1)), 500, 0, []
    for _ in range(runs):
        estimates = rng.normal(size=2)
        bands = [
            sup_t_band(curve, one[None], np.eye(1), TargetOptions(draws=1000), together=2)
            for one in estimates
        ]
        proven += any(recommend_at(band, 0.0) is not None for band in bands)
        steps = [
            likely_at(beliefs(prior.learn(np.eye(1), one[None], np.eye(1))), curve, 0.8, 0.0)
            for one in estimates
        ]
        gained.append(sum(step is not None for step in steps))
    assert proven / runs <= 0.03 + 2 * np.sqrt(0.03 * 0.97 / runs)
    # Both sides of a unit normal, shrunk by half: z above .84 × √2.
    expected = 2 * 2 * stats.norm.sf(stats.norm.ppf(0.8) * np.sqrt(2))
    assert np.mean(gained) == pytest.approx(expected, abs=0.07)


@given(
    estimate=st.floats(0.01, 3.0),
    noise=st.floats(0.05, 4.0),
    less=st.floats(0.05, 0.95),
)
def test_more_of_the_same_evidence_never_makes_a_gain_less_likely(estimate, noise, less):
    curve = Curve(np.array([1.0, 1.1]), np.array([[0.0], [1.0]]), np.zeros(2))
    prior, seen = Belief(np.zeros(1), np.eye(1)), np.array([estimate])
    chances = [
        prior.learn(np.eye(1), seen, np.array([[size]])).outlook(curve).probability[1]
        for size in (noise, less * noise)
    ]
    assert chances[1] >= chances[0] - 1e-12


@given(ratio=st.floats(0.5, 20.0), more=st.floats(1.01, 5.0), gain=st.floats(-2.0, 2.0))
def test_who_fears_losses_more_never_moves_more(ratio, more, gain):
    curve = Curve(
        np.array([0.9, 1.0, 1.1]), np.array([[-1.0], [0.0], [1.0]]), np.array([0.0, 0.0, 0.05])
    )
    belief = beliefs(Belief(np.array([gain]), np.eye(1)))
    bold, shy = (
        likely_at(belief, curve, DecisionOptions(loss_ratio=r).least_probability, 0.0)
        for r in (ratio, ratio * more)
    )
    assert shy is None or bold is not None


@pytest.mark.parametrize("chance", [1.0, 0.97, 0.6])
def test_outlook_is_what_draws_say(chance):
    rng = np.random.default_rng(0)
    root = np.array([[1.0, 0.0], [0.4, 0.7]])
    belief = Belief(np.array([0.3, -0.2]), root @ root.T)
    curve = Curve(
        np.array([1.0, 1.1, 0.9]),
        np.array([[0.0, 0.0], [1.0, 0.5], [-1.0, 0.4]]),
        np.array([0.0, 0.1, -0.1]),
    )
    belief = replace(belief, chance=chance)
    seen = belief.outlook(curve)
    drawn = (belief.mean + rng.normal(size=(200_000, 2)) @ root.T) @ curve.terms.T - curve.cost
    drawn[rng.random(200_000) > chance] = 0.0
    np.testing.assert_allclose(seen.gain, drawn.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(seen.probability, (drawn > 0).mean(axis=0), atol=0.005)
    np.testing.assert_allclose(seen.loss, np.maximum(-drawn, 0).mean(axis=0), atol=0.01)
    np.testing.assert_allclose(seen.worst, np.quantile(drawn, 0.05, axis=0), atol=0.02)
    assert (seen.gain[0], seen.probability[0], seen.loss[0]) == (0, 0, 0)


@given(z=st.floats(-5.0, 5.0), noise=st.floats(0.05, 2.0))
def test_the_chance_of_something_follows_by_bayes_rule(z, noise):
    prior = Belief(np.zeros(1), np.eye(1), 0.75, np.zeros(1))
    seen = z * np.sqrt(noise)
    found = prior.learn(np.eye(1), np.array([seen]), np.array([[noise]])).chance
    something = 0.75 * stats.norm.pdf(seen, scale=np.sqrt(1 + noise))
    nothing = 0.25 * stats.norm.pdf(seen, scale=np.sqrt(noise))
    assert found == pytest.approx(something / (something + nothing), rel=1e-6)


def test_the_prior_is_what_its_words_say(ground):
    rng = np.random.default_rng(1)
    study, one, support = ground.study, ground.one, ground.support
    prior = prior_of(study, one, support, COST / 60, DecisionOptions())
    scales = np.exp(np.linspace(np.log(support[0]) * 2, np.log(support[1]) * 2, 81))
    curve = ground.curve(scales).times(1 / ground.treated)
    assert prior.chance == 1 - DecisionOptions().prior_nothing
    drawn = rng.multivariate_normal(prior.mean, prior.covariance, 4_000)
    best = scales[np.argmax(drawn @ curve.terms.T - curve.cost, axis=1)]
    inside = ((best > support[0]) & (best < support[1])).mean()
    assert 0.45 < inside < 0.75
    up, down = (ground.curve(np.array([k])).times(1 / ground.treated) for k in (1.02, 1 / 1.02))
    chances = [prior.outlook(step).probability[0] for step in (up, down)]
    assert chances == pytest.approx([0.5 * prior.chance] * 2, abs=0.05)
    size = DecisionOptions().prior_share * abs(study.exposure.outcome.mean())
    linear = prior_of(study, study.basis("empathy"), (0.7, 1.3), 0.0, DecisionOptions())
    edge = 0.3 * np.nanmean(study.exposure.behaviours["empathy"])
    assert np.sqrt(linear.covariance[0, 0]) * edge == pytest.approx(size)


def test_knowing_is_worth_more_the_better_it_is_known_and_never_less_than_nothing():
    worth = [value_of_sample(0.2, 1.0, error, 0.8, 0.0)[0] for error in (0.01, 0.3, 1.0, 10.0)]
    assert worth == sorted(worth, reverse=True)
    assert worth[-1] >= 0
    assert value_of_sample(0.2, 0.0, 0.3, 0.8, 0.0) == (0.0, 0.0)
    rng = np.random.default_rng(2)
    truth = 0.2 + rng.normal(size=400_000)
    after = (truth + 0.5 * rng.normal(size=400_000) - 0.2) * (1 / 1.25) + 0.2
    moved = after >= stats.norm.ppf(0.8) * np.sqrt(0.25 / 1.25)
    value, moves = value_of_sample(0.2, 1.0, 0.5, 0.8, 0.0)
    assert value == pytest.approx((truth * moved).mean(), abs=0.01)
    assert moves == pytest.approx(moved.mean(), abs=0.01)


def test_options_that_weigh_nothing_are_refused():
    with pytest.raises(UsageError, match=r"decisions\.loss_ratio is 0"):
        DecisionOptions(loss_ratio=0)
    with pytest.raises(UsageError, match=r"decisions\.prior_nothing is 1"):
        DecisionOptions(prior_nothing=1)
    with pytest.raises(UsageError, match=r"decisions\.max_step is 2"):
        replace(DecisionOptions(), max_step=2)
