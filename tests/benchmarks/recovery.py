"""Planted effects over many simulated companies: naive, SHAP, level 1 and level 2 beside truth.

Run as ``make bench-recovery`` or
``PYTHONPATH=. python tests/benchmarks/recovery.py --seeds 400 --workers 2``.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from scipy import stats

from clv.effects.checks.balance import Balance
from clv.effects.design.exposure import CHANNELS
from clv.effects.estimators.examiner import sandwich
from clv.effects.estimators.residuals import group_sums
from clv.effects.estimators.study import EffectOptions, Study, build_study
from clv.models.contributions import split_log
from clv.models.trees.boosting import Encoding, Growth, Input, grow
from clv.simulation import SimulationOptions
from clv.simulation.options import Effects
from clv.simulation.truths.latent import simulate_service_year
from tests.unit.effects.service import studied

NAMES = [one.name for one in CHANNELS]
GROWTH = Growth(trees=150, leaves=7, learning_rate=0.06, leaf_rows=50, seed=0)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def means(study: Study) -> np.ndarray:
    """Return customers' mean behaviours, as a dashboard would: (n, 4)."""
    return study.raw_treatment / np.bincount(study.exposure.customer)[:, None]


def priced(study: Study, slope: np.ndarray) -> np.ndarray:
    """Turn slopes of a customer's mean behaviours into the effects' standard changes."""
    contacts = np.bincount(study.exposure.customer).mean()
    return np.array([study.weights(name) @ slope for name in NAMES]) / contacts


def naive(study: Study) -> np.ndarray:
    """Return the simple slope of value on each behaviour."""
    centred = means(study) - means(study).mean(axis=0)
    value = study.exposure.outcome - study.exposure.outcome.mean()
    return priced(study, centred.T @ value / (centred**2).sum(axis=0))


def shap_slope(study: Study) -> np.ndarray:
    """Return the slope of SHAP values in currency on each behaviour, of a model of value."""
    matrix = np.column_stack([means(study), study.controls])
    value = np.maximum(study.exposure.outcome, 0.0)
    encoding = Encoding(tuple(Input(f"x{n}", "", "number") for n in range(matrix.shape[1])))
    model = grow(matrix, value, encoding, GROWTH, objective="tweedie")
    _, parts = split_log(model.contributions(matrix), np.ones(len(matrix)))
    behaviours = matrix[:, :4] - matrix[:, :4].mean(axis=0)
    return priced(study, (behaviours * parts[:, :4]).sum(axis=0) / (behaviours**2).sum(axis=0))


def company(seed: int, customers: int, routing: str, effects: str, shap: bool) -> np.ndarray:
    """Return one company's table, shape (9, 3)."""
    planted = Effects.none() if effects == "none" else Effects()
    options = SimulationOptions(seed=seed, customers=customers, routing=routing, effects=planted)
    year = simulate_service_year(options)
    exposure = studied(year).exposure
    study = build_study(exposure, CHANNELS, EffectOptions())
    first, second = study.adjusted(), study.instrumented()
    weights = np.stack([study.weights(name) for name in NAMES])
    found = np.array([study.effect(name, second) for name in NAMES])
    sums = group_sums(study.instrument, exposure.customer, exposure.customers)
    plain = sandwich(sums, study.treatment, study.outcome, second.coefficients)
    alarm = not Balance(permutations=99, seed=seed).run(exposure).passed
    return np.array(
        [
            [year.truth(name) for name in NAMES],
            naive(study),
            shap_slope(study) if shap else np.full(3, np.nan),
            weights @ first.coefficients,
            np.sqrt(np.einsum("bi,ij,bj->b", weights, first.covariance, weights)),
            found[:, 0],
            stats.t.ppf(0.975, study.degrees) * found[:, 1],
            1.96 * np.sqrt(np.einsum("bi,ij,bj->b", weights, plain, weights)),
            [alarm, exposure.customers, exposure.n_agents],
        ]
    )


def table(rows: np.ndarray) -> None:
    """Print bias, coverage and sign errors of every method."""
    truth, simple, shap, first, first_error, found, half, plain, about = rows.swapaxes(0, 1)
    size = np.where(truth.mean(axis=0) == 0, 1.0, truth.mean(axis=0))
    noise = (found - truth).std(axis=0, ddof=1) / np.sqrt(len(rows)) / np.abs(size)
    say(f"{len(rows)} companies, {about[:, 1].mean():,.0f} customers in contact")
    say(f"{'':36s}" + "".join(f"{name:>16s}" for name in NAMES))
    for name, row in (
        ("truth, currency per customer", truth.mean(axis=0)),
        ("naive slope: bias", simple.mean(axis=0) / size - 1),
        ("SHAP slope: bias", shap.mean(axis=0) / size - 1),
        ("level 1: bias", first.mean(axis=0) / size - 1),
        ("level 1: coverage of 95 %", (np.abs(first - truth) <= 1.96 * first_error).mean(axis=0)),
        ("level 1: wrong sign", (first * truth < 0).mean(axis=0)),
        ("level 2: bias", found.mean(axis=0) / size - 1),
        ("level 2: Monte Carlo error of it", noise),
        ("level 2: coverage of 95 %", (np.abs(found - truth) <= half).mean(axis=0)),
        ("level 2: wrong sign", (found * truth < 0).mean(axis=0)),
        ("level 2, errors without agents", (np.abs(found - truth) <= plain).mean(axis=0)),
    ):
        say(f"{name:36s}" + "".join(f"{value:16.3f}" for value in row))
    say(f"{'routing refused':36s}{about[:, 0].mean():16.3f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=400)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--customers", type=int, default=27_000, help="who buy; under half call")
    parser.add_argument("--routing", default="random", choices=("random", "skill"))
    parser.add_argument("--effects", default="usual", choices=("usual", "none"))
    parser.add_argument("--shap", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    one = partial(
        company,
        customers=given.customers,
        routing=given.routing,
        effects=given.effects,
        shap=given.shap,
    )
    seeds = range(given.first, given.first + given.seeds)
    with ProcessPoolExecutor(given.workers) as pool:
        table(np.array(list(pool.map(one, seeds))))


if __name__ == "__main__":
    main()
