"""Effects planted in the simulated company come back: many companies, one table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from clv.effects.checks.balance import Balance
from clv.effects.design.exposure import CHANNELS
from clv.effects.estimators.study import EffectOptions, build_study
from clv.simulation import Effects, SimulationOptions
from clv.simulation.truths.latent import simulate_service_year
from tests.unit.effects.service import studied

NAMES = [one.name for one in CHANNELS]


def recovered(seeds, **options):
    """Return truth, level 2, its error, and level 1, each of shape (seeds, 3)."""
    rows = []
    for seed in range(seeds):
        year = simulate_service_year(SimulationOptions(seed=seed, **options))
        study = build_study(studied(year).exposure, CHANNELS, EffectOptions())
        fit = study.instrumented()
        weights = np.stack([study.weights(name) for name in NAMES])
        rows.append(
            [
                [year.truth(name) for name in NAMES],
                *np.transpose([study.effect(name, fit) for name in NAMES]),
                weights @ study.adjusted().coefficients,
            ]
        )
    truth, found, error, adjusted = (np.array(column) for column in zip(*rows, strict=True))
    return truth, found, stats.t.ppf(0.975, study.degrees) * error, adjusted


@pytest.mark.slow
def test_planted_effects_come_back():
    seeds = 60
    truth, found, half, adjusted = recovered(seeds, customers=27_000)
    scale = truth.mean(axis=0)
    noise = (found - truth).std(axis=0, ddof=1) / np.sqrt(seeds) / scale
    bias = found.mean(axis=0) / scale - 1
    cover = (np.abs(found - truth) <= half).mean(axis=0)
    slack = 2 * np.sqrt(0.95 * 0.05 / seeds)
    assert (np.abs(bias) <= 0.05 + 2 * noise).all(), (bias, noise)
    assert ((cover >= 0.92 - slack) & (cover <= 0.97 + slack)).all(), cover
    # The adjusted estimate has the wrong sign on handle time, beside it.
    handle = NAMES.index("handle_seconds")
    assert (adjusted[:, handle] < 0).mean() > 0.8 > (found[:, handle] < 0).mean()


@pytest.mark.slow
def test_nothing_is_found_where_nothing_was_planted():
    seeds = 40
    nothing = replace(Effects.none())
    truth, found, half, _ = recovered(seeds, customers=12_000, effects=nothing)
    np.testing.assert_allclose(truth, 0, atol=1e-9)
    cover = (np.abs(found) <= half).mean(axis=0)
    assert (cover >= 0.95 - 2.5 * np.sqrt(0.95 * 0.05 / seeds)).all(), cover


def test_routing_by_skill_is_refused_and_random_routing_is_not():
    for seed in range(2):
        for routing, refused in (("skill", True), ("random", False)):
            options = SimulationOptions(
                customers=9_000, agents=80, seed=seed, routing=routing, routing_strength=0.3
            )
            exposure = studied(simulate_service_year(options)).exposure
            assert Balance(permutations=59, seed=seed).run(exposure).passed is not refused
