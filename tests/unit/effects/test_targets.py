"""Targets move only where the whole band says so, and never outside what agents do."""

from __future__ import annotations

import numpy as np
import pytest

from clv.effects.decisions.curves import Band, Curve, recommend_at, sup_t_band
from clv.effects.decisions.options import TargetOptions
from clv.effects.decisions.targets import build_targets, settled, target_of
from clv.effects.design.exposure import CORE_BEHAVIOURS
from clv.effects.effects import estimate_effects
from clv.effects.estimators.study import EffectOptions, build_study
from tests.unit.effects.company import draw

QUICK = EffectOptions(permutations=59)
COST = 0.45


@pytest.fixture(scope="module")
def company():
    return draw(5, customers=20_000, agents=200)


@pytest.fixture(scope="module")
def effects(company):
    return estimate_effects(company.exposure, options=QUICK)


@pytest.fixture(scope="module")
def target(effects):
    return target_of(effects.study, effects.second, "handle_seconds", COST, TargetOptions())


def test_the_curve_is_what_the_coefficients_say(company, effects, target):
    one = effects.study.basis("handle_seconds")
    coefficients = effects.second.coefficients[effects.study.columns("handle_seconds")]
    for point in (target.curve[0], target.curve[-1]):
        raw = np.exp(one.values[:, 0]) * one.reference
        logs = np.log(raw * point.scale / one.reference)
        added = np.stack([logs, logs**2]) - one.values.T
        gain = coefficients @ added.sum(axis=1) / company.exposure.customer_years
        minutes = company.exposure.behaviours["handle_seconds"].sum() * (point.scale - 1) / 60
        assert point.net == pytest.approx(
            gain - COST * minutes / company.exposure.customer_years, rel=1e-9
        )


def test_today_costs_and_gains_nothing(target):
    today = next(point for point in target.curve if point.scale == 1)
    assert (today.net, today.low, today.high) == (0, 0, 0)


def test_stored_terms_rebuild_the_band(target):
    coefficients, covariance = np.array(target.coefficients), np.array(target.covariance)
    terms = np.array(target.terms)
    scales = np.array([point.scale for point in target.curve])
    slope = (terms @ coefficients - [point.net for point in target.curve])[scales != 1]
    per_scale = slope / (scales[scales != 1] - 1)
    np.testing.assert_allclose(per_scale, per_scale[0], rtol=1e-6)  # cost is linear in scale
    spread = np.sqrt(np.einsum("pm,mn,pn->p", terms, covariance, terms))[scales != 1]
    half = np.array([point.high - point.net for point in target.curve])[scales != 1]
    np.testing.assert_allclose(half / spread, (half / spread)[0], rtol=1e-6)
    assert 1.96 < (half / spread)[0] < 3.5


def test_support_is_what_agents_of_one_queue_already_do(company, target):
    pace = np.log(company.exposure.behaviours["handle_seconds"])
    means = np.bincount(company.exposure.agent, pace) / np.bincount(company.exposure.agent)
    low, high = target.supported
    assert means.min() < np.log(low) < np.log(target.current) < np.log(high) < means.max()
    assert all(low <= point.scale * target.current * (1 + 1e-9) for point in target.curve)


def test_simultaneous_band_covers_the_whole_curve():
    rng = np.random.default_rng(0)
    scales = np.linspace(0.7, 1.4, 31)
    terms = np.stack([np.log(scales), np.log(scales) ** 2], axis=1)
    truth, root = np.array([1.0, -2.0]), np.array([[0.5, 0.0], [0.3, 0.8]])
    curve = Curve(scales, terms, np.zeros(31))
    covered = pointwise = 0
    for run in range(300):
        found = truth + root @ rng.normal(size=2)
        band = sup_t_band(curve, found, root @ root.T, TargetOptions(draws=500, seed=run))
        exact = terms @ truth
        inside = (band.low - 1e-12 <= exact) & (exact <= band.high + 1e-12)
        covered += inside.all()
        spread = np.sqrt(np.einsum("pm,mn,pn->p", terms, root @ root.T, terms))
        pointwise += (np.abs(band.net - exact) <= 1.96 * spread + 1e-12).all()
    assert abs(covered / 300 - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 300)
    assert pointwise < covered


def test_targets_set_together_seldom_move_where_nothing_is_to_gain():
    rng = np.random.default_rng(1)
    scales = np.linspace(0.7, 1.4, 15)
    logs = np.log(scales)[:, None]
    curves = [Curve(scales, terms, np.zeros(15)) for terms in (np.hstack([logs, logs**2]), logs)]
    options, runs, moved, plain = TargetOptions(draws=1000), 300, 0, 0
    for _ in range(runs):
        bands = [
            sup_t_band(curve, rng.normal(size=n), np.eye(n), options, together=2)
            for curve, n in zip(curves, (2, 1), strict=True)
        ]
        assert all((band.sure <= band.low).all() for band in bands)
        moved += any(recommend_at(band, 0.0) is not None for band in bands)
        plain += any(band.low.max() > 0 for band in bands)
    slack = 2 * np.sqrt(0.03 * 0.97 / runs)
    assert moved / runs <= 0.03 + slack < plain / runs


def test_few_agents_widen_the_band():
    scales = np.linspace(0.7, 1.4, 15)
    curve = Curve(scales, np.log(scales)[:, None], np.zeros(15))
    few, many = (
        sup_t_band(curve, np.zeros(1), np.eye(1), TargetOptions(draws=20_000), degrees=degrees)
        for degrees in (5, np.inf)
    )
    ratio = few.high[0] / many.high[0]
    assert ratio == pytest.approx(2.571 / 1.960, rel=0.05)


def test_a_move_needs_a_material_and_certain_gain():
    zero = np.zeros(3)

    def verdict(low, high):
        band = Band(zero, zero, np.array(high), np.array(low), zero)
        return recommend_at(band, 0.5), settled(band, 0.5)

    assert verdict([-1, 0, 0.6], [1, 0, 2]) == (2, False)
    assert verdict([0.7, 0, 0.6], [1, 0, 2]) == (0, False)
    assert verdict([-1, 0, 0.4], [1, 0, 2]) == (None, False)
    assert verdict([-1, 0, -1], [0.3, 0, 0.4]) == (None, True)


def test_no_target_without_cost_or_without_level_two(effects):
    targets, missing = build_targets(effects, None)
    assert [target.behaviour for target in targets] == ["empathy", "fcr"]
    assert "no agent cost" in missing[0]["why"]
    refused = estimate_effects(draw(0, customers=4000, skill_routing=0.3).exposure, options=QUICK)
    targets, missing = build_targets(refused, COST)
    assert targets == ()
    assert all("routing" in row["why"] for row in missing)


def moves(seeds, optimum, **planted):
    """Return true net gains of the recommended moves, and the share of runs with one."""
    gains = []
    for seed in range(seeds):
        company = draw(seed, customers=20_000, agents=200, optimum=optimum, **planted)
        study = build_study(company.exposure, CORE_BEHAVIOURS, QUICK)
        fit = study.instrumented()
        target = target_of(study, fit, "handle_seconds", COST, TargetOptions())
        if target.suggested is None:
            continue
        scale = target.suggested / target.current
        exposure = company.exposure
        minutes = exposure.behaviours["handle_seconds"].sum() / 60 * (scale - 1)
        true = np.interp(scale, list(company.policy), list(company.policy.values()))
        gains.append(true - COST * minutes / exposure.customer_years)
    return np.array(gains)


def test_no_recommended_move_loses_money():
    for optimum in (0.05, 0.9):
        assert (moves(3, optimum) > 0).all()


@pytest.mark.slow
def test_moves_gain_where_there_is_something_to_gain_and_nowhere_else():
    seeds = 40
    edge = moves(seeds, 1.2)
    assert (edge > 0).all()
    assert len(edge) >= 0.6 * seeds
    settled = moves(seeds, 0.03)
    assert (settled > 0).all()
    assert len(settled) <= 0.1 * seeds
    nothing = moves(seeds, 0.03, strength=0.0)
    assert (nothing > 0).all()


def steps(seeds, **planted):
    """Return each company's targets, with the true gain of their steps."""
    found = []
    for seed in seeds:
        company = draw(seed, customers=20_000, agents=200, **planted)
        exposure = company.exposure
        study = build_study(exposure, CORE_BEHAVIOURS, QUICK)
        fit, row = study.instrumented(), []
        for name in ("handle_seconds", "empathy", "fcr"):
            target = target_of(study, fit, name, COST, TargetOptions(), together=3)
            gain = None
            if target.step is not None:
                scale = target.step.to / target.step.start
                gain = company.effects[name] * (target.step.to - target.step.start) / 0.1
                if name == "handle_seconds":
                    minutes = exposure.behaviours[name].sum() / 60 * (scale - 1)
                    gross = np.interp(scale, list(company.policy), list(company.policy.values()))
                    gain = gross - COST * minutes / exposure.customer_years
            row.append((target, gain))
        found.append(row)
    return found


@pytest.mark.slow
def test_likely_steps_are_few_and_cheap_where_nothing_acts():
    runs = 40
    found = steps(range(100, 100 + runs), strength=0.0)
    moved = [any(gain is not None for _, gain in row) for row in found]
    proven = [any(target.grade == "proven" for target, _ in row) for row in found]
    assert np.mean(moved) <= 0.2 + 2 * np.sqrt(0.2 * 0.8 / runs)
    assert np.mean(proven) <= 0.03 + 2 * np.sqrt(0.03 * 0.97 / runs)
    value = 170.0  # about what follows a contact
    lost = sum(min(gain or 0.0, 0.0) for row in found for _, gain in row) / runs
    assert -lost <= 0.002 * value


@pytest.mark.slow
def test_likely_steps_pay_as_often_as_is_said_where_something_acts():
    rows = [pair for row in steps(range(100, 130)) for pair in row]
    pays = [gain > 0 for target, gain in rows if target.grade == "likely"]
    assert len(pays) >= 20
    assert np.mean(pays) >= 0.8
    answered = [row for row in rows if row[1] is not None]
    assert len(answered) >= 0.5 * len(rows)
