"""Effects planted in the simulated company come back, per contact: many companies, one table."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clv.effects.checks.gates.balance import Balance
from clv.effects.design.exposure import CORE_BEHAVIOURS
from clv.effects.estimators.study import EffectOptions, build_study
from clv.simulation import Effects
from tests.unit.effects.service import case

NAMES = [one.name for one in CORE_BEHAVIOURS]
ONE_EXPOSURE_YEAR = np.array([0.44, 1.33, 1.18])
"""Standard errors over the truth, in the same companies, of the design that took a customer's
contacts of one year and their margin in the next."""


def recovered(seeds, **options):
    """Return truth, the estimate by agents, half its interval, and adjusted: (seeds, 3) each."""
    rows = []
    for seed in seeds:
        planted = case(seed=seed, **options)
        study = build_study(planted.studied.exposure, CORE_BEHAVIOURS, EffectOptions())
        truth = planted.truth()
        fit, adjusted = study.instrumented(), study.adjusted()
        contacts = [study.exposure.treated(name) for name in NAMES]
        by_agents = np.transpose([study.effect(name, fit) for name in NAMES]) / contacts
        plain = [study.effect(name, adjusted)[0] for name in NAMES]
        rows.append(
            [[truth.effect(name).value for name in NAMES], *by_agents, np.divide(plain, contacts)]
        )
    truth, found, error, adjusted = (np.array(column) for column in zip(*rows, strict=True))
    return truth, found, stats.t.ppf(0.975, study.degrees) * error, adjusted


@pytest.mark.slow
def test_planted_effects_come_back():
    seeds = 60
    truth, found, half, adjusted = recovered(range(3_000, 3_000 + seeds), customers=20_000)
    scale = truth.mean(axis=0)
    noise = (found - truth).std(axis=0, ddof=1) / np.sqrt(seeds) / scale
    bias = found.mean(axis=0) / scale - 1
    cover = (np.abs(found - truth) <= half).mean(axis=0)
    slack = 2 * np.sqrt(0.95 * 0.05 / seeds)
    assert (np.abs(bias) <= 0.05 + 2 * noise).all(), (bias, noise)
    assert (cover >= 0.93 - slack).all(), cover
    assert (half.mean(axis=0) / 1.98 / scale <= 0.72 * ONE_EXPOSURE_YEAR).all()
    # The adjusted estimate has the wrong sign on handle time, beside it.
    handle = NAMES.index("handle_seconds")
    assert (adjusted[:, handle] < 0).mean() > 0.8 > (found[:, handle] < 0).mean()


@pytest.mark.slow
def test_nothing_is_found_where_nothing_was_planted():
    seeds = 24
    truth, found, half, _ = recovered(
        range(seeds), customers=8_000, agents=100, effects=Effects.none()
    )
    # What is left of resolution is the repeats that it spares: next to nothing.
    np.testing.assert_allclose(truth[:, :2], 0, atol=1e-9)
    assert np.abs(truth[:, 2]).max() < 0.05 * half[:, 2].min()
    cover = (np.abs(found - truth) <= half).mean(axis=0)
    assert (cover >= 0.95 - 2.5 * np.sqrt(0.95 * 0.05 / seeds)).all(), cover


def test_routing_by_skill_is_refused_and_random_routing_is_not():
    for seed in range(2):
        for routing, refused in (("skill", True), ("random", False)):
            exposure = case(
                customers=6_000, agents=80, seed=seed, routing=routing, routing_strength=0.3
            ).studied.exposure
            assert Balance(permutations=59, seed=seed).run(exposure).passed is not refused
