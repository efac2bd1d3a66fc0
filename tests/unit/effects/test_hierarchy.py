"""Parts lean on each other as far as they are alike, and what is said of them is true."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clv.effects.decisions.ground import ground_of
from clv.effects.decisions.hierarchy import (
    Local,
    drawn_together,
    remainder,
    spread_of,
    together,
)
from clv.effects.decisions.options import DecisionOptions, TargetOptions
from clv.effects.decisions.posterior import Belief
from clv.effects.decisions.targets import target_on
from clv.effects.design.exposure import CORE_BEHAVIOURS
from clv.effects.estimators.study import EffectOptions, build_study
from tests.unit.effects.company import draw

COST, HANDLE = 0.45, "handle_seconds"
PRIOR = Belief(np.zeros(1), np.eye(1))


def estimates(rng, parts, spread, noise):
    """Return parts' truths, and what is estimated of them."""
    truths = rng.normal() + spread * rng.normal(size=parts)
    seen = truths + noise * rng.normal(size=parts)
    return truths, [Belief(np.array([one]), np.array([[noise**2]])) for one in seen]


@pytest.fixture(scope="module")
def grounds():
    """Two halves of a company by queue, and the whole."""
    exposure = draw(5, customers=8_000, agents=120).exposure
    found = []
    for rows in (exposure.pool < 2, exposure.pool >= 2, exposure.pool >= 0):
        study = build_study(
            exposure.of_contacts(np.flatnonzero(rows)),
            CORE_BEHAVIOURS,
            EffectOptions(permutations=19),
        )
        found.append(ground_of(study, study.instrumented(), HANDLE, COST, TargetOptions()))
    return found


def test_parts_alike_are_one_and_parts_apart_keep_their_own():
    rng = np.random.default_rng(0)
    alike = [spread_of(PRIOR, estimates(rng, 8, 0.0, 0.3)[1]) for _ in range(20)]
    apart = [spread_of(PRIOR, estimates(rng, 8, 0.9, 0.05)[1]) for _ in range(20)]
    assert np.mean(alike) < 0.15
    assert np.mean(apart) > 0.4
    sure = [Belief(np.array([x]), np.array([[1e-6]])) for x in (-1.0, 1.0, 2.0)]
    kept = drawn_together(PRIOR, sure, 0.5)
    np.testing.assert_allclose([one.mean[0] for one in kept], [-1, 1, 2], atol=1e-3)


def test_shrunk_parts_are_nearer_the_truth_and_their_chances_are_true():
    rng = np.random.default_rng(1)
    alone, shrunk, stated, pays = [], [], [], []
    for _ in range(250):
        truths, seen = estimates(rng, 6, 0.3, 0.6)
        found = drawn_together(PRIOR, seen, spread_of(PRIOR, seen))
        means = np.array([one.mean[0] for one in found])
        errors = np.sqrt([one.covariance[0, 0] for one in found])
        alone.append([one.mean[0] - truth for one, truth in zip(seen, truths, strict=True)])
        shrunk.append(means - truths)
        stated.append(stats.norm.cdf(means / errors))
        pays.append(truths > 0)
    assert np.square(shrunk).mean() < 0.7 * np.square(alone).mean()
    stated, pays = np.ravel(stated), np.ravel(pays)
    for low, high in ((0.8, 0.9), (0.9, 0.95), (0.95, 1.0)):
        inside = (stated >= low) & (stated < high)
        # Parts of one company share what they have in common.
        error = np.sqrt(0.2 * 0.8 * 3 / inside.sum())
        assert abs(pays[inside].mean() - stated[inside].mean()) < max(2 * error, 0.05)


def test_order_of_parts_changes_nothing():
    _, seen = estimates(np.random.default_rng(2), 5, 0.5, 0.4)
    assert spread_of(PRIOR, seen) == pytest.approx(spread_of(PRIOR, seen[::-1]), rel=1e-9)
    forth, back = (drawn_together(PRIOR, rows, 0.3) for rows in (seen, seen[::-1]))
    for one, other in zip(forth, back[::-1], strict=True):
        np.testing.assert_allclose(one.mean, other.mean, rtol=1e-9)


def test_local_terms_are_slope_and_bend_of_net_gain_today(grounds):
    ground = grounds[0]
    local = Local.of(ground)
    belief = ground.beliefs.usual
    there = local.back(local.into(belief))
    np.testing.assert_allclose(there.mean, belief.mean, rtol=1e-9)
    np.testing.assert_allclose(there.covariance, belief.covariance, rtol=1e-9)
    step = 1e-5
    ends = ground.curve(np.exp(np.array([-step, step]))).times(1 / ground.treated)
    low, high = ends.terms @ belief.mean - ends.cost
    assert local.into(belief).mean[0] == pytest.approx((high - low) / (2 * step), rel=1e-3)


def test_the_rest_is_what_the_whole_knows_beyond_its_parts():
    one, other = (Belief(np.array([x]), np.array([[v]])) for x, v in ((1.0, 0.5), (3.0, 0.25)))
    whole = PRIOR.learn(np.eye(1), one.mean, one.covariance)
    found = remainder(whole, [one])
    np.testing.assert_allclose([found.mean[0], found.covariance[0, 0]], [0.0, 1.0], atol=1e-9)
    assert remainder(one, [one, other]) is None


def test_halves_of_one_company_answer_alike(grounds):
    *halves, whole = grounds
    found = together(halves, whole, DecisionOptions())
    own = np.array([Local.of(g).into(Belief(g.coefficients, g.covariance)).mean for g in halves])
    shared = np.array([Local.of(g).into(g.beliefs.usual).mean for g in found])
    assert abs(np.diff(shared[:, 0])) < abs(np.diff(own[:, 0]))
    for ground, before in zip(found, halves, strict=True):
        target = target_on(ground, TargetOptions(), together=2)
        assert target.grade in ("proven", "likely", "open", "settled")
        wide = np.linalg.eigvalsh(before.covariance - ground.beliefs.usual.covariance)
        assert wide.max() > 0
