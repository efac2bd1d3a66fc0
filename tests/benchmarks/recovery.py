"""Planted effects over many simulated companies: naive, SHAP, adjusted and agents beside truth.

Everything is per contact: what the change of a behaviour in one contact does to margin in the
days of follow-up after it. Run as ``make bench-recovery`` or
``PYTHONPATH=. python tests/benchmarks/recovery.py --seeds 400 --workers 2``. Every company is
added to ``--log`` when it is done; ``--read`` prints the table of a log.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from scipy import stats

from clv.effects.checks.base import Estimated
from clv.effects.checks.cross_effects import CrossEffects
from clv.effects.checks.gates.balance import Balance
from clv.effects.checks.gates.routing_rule import RoutingRule
from clv.effects.checks.placebo_outcome import PlaceboOutcome
from clv.effects.checks.stability import Stability
from clv.effects.design.exposure import CORE_BEHAVIOURS
from clv.effects.estimators.examiner import influences
from clv.effects.estimators.residuals import clustered
from clv.effects.estimators.study import EffectOptions, Study, build_study
from clv.models.contributions import split_log
from clv.models.trees.boosting import Encoding, Growth, Input, grow
from clv.simulation.options import Effects
from tests.unit.effects.service import case

NAMES = [one.name for one in CORE_BEHAVIOURS]
GROWTH = Growth(trees=150, leaves=7, learning_rate=0.06, min_data_in_leaf=50, seed=0)
PLANTED = {
    "usual": Effects(),
    "fading": Effects(half_life_days=120.0),
    "ceiling": Effects(need=1.1),
    "none": Effects.none(),
}
CHECKS = (Stability(), CrossEffects(), PlaceboOutcome())

Company = dict[str, list[float]]


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def priced(study: Study, slope: np.ndarray) -> np.ndarray:
    """Turn coefficients of terms into the standard changes, per contact with an occasion."""
    treated = [study.exposure.treated(name) for name in NAMES]
    return np.array([study.weights(name) @ slope for name in NAMES]) / treated


def naive(study: Study) -> np.ndarray:
    """Return the simple slope of value on each behaviour, as a dashboard would."""
    centred = study.terms - study.terms.mean(axis=0)
    value = study.exposure.outcome - study.exposure.outcome.mean()
    return priced(study, centred.T @ value / (centred**2).sum(axis=0))


def shap_slope(study: Study) -> np.ndarray:
    """Return the slope of SHAP values in currency on each behaviour, of a model of value."""
    terms = study.terms
    matrix = np.column_stack([terms, study.exposure.controls])
    value = np.maximum(study.exposure.outcome, 0.0)
    encoding = Encoding(tuple(Input(f"x{n}", "", "number") for n in range(matrix.shape[1])))
    model = grow(matrix, value, encoding, GROWTH, objective="tweedie")
    _, parts = split_log(model.contributions(matrix), np.ones(len(matrix)))
    count = terms.shape[1]
    behaviours = terms - terms.mean(axis=0)
    return priced(study, (behaviours * parts[:, :count]).sum(axis=0) / (behaviours**2).sum(axis=0))


def errors(study: Study, covariance: np.ndarray) -> np.ndarray:
    """Return standard errors of the standard changes, per contact."""
    treated = [study.exposure.treated(name) for name in NAMES]
    weights = np.stack([study.weights(name) for name in NAMES])
    return np.sqrt(np.einsum("bi,ij,bj->b", weights, covariance, weights)) / treated


def company(
    seed: int, customers: int, agents: int, days: int, routing: str, effects: str, shap: bool
) -> Company:
    """Return what every method says of one company."""
    planted = PLANTED[effects]
    options = {"customers": customers, "agents": agents, "routing": routing, "effects": planted}
    planted_case = case(days, seed=seed, **options)
    exposure, truth = planted_case.studied.exposure, planted_case.truth()
    study = build_study(exposure, CORE_BEHAVIOURS, EffectOptions())
    adjusted, agents_fit = study.adjusted(), study.instrumented()
    alone = clustered(
        influences(study.instrument, study.residuals, study.outcome, agents_fit.coefficients)
    )
    gates = (Balance(permutations=99, seed=seed), RoutingRule(permutations=299, seed=seed))
    alarms = [not gate.run(exposure).passed for gate in gates]
    for check in CHECKS:
        found = [
            check.run(Estimated(name, study, EffectOptions(), adjusted, agents_fit))
            for name in NAMES
        ]
        raised = [result is not None and result.passed is False for result in found]
        alarms.append(float(np.mean(raised)))
    return {
        "truth": [truth.effect(name).value for name in NAMES],
        "naive": naive(study).tolist(),
        "shap": (shap_slope(study) if shap else np.full(3, np.nan)).tolist(),
        "adjusted": priced(study, adjusted.coefficients).tolist(),
        "adjusted_error": errors(study, adjusted.covariance).tolist(),
        "agents": priced(study, agents_fit.coefficients).tolist(),
        "agents_error": errors(study, agents_fit.covariance).tolist(),
        "alone_error": errors(study, alone).tolist(),
        "about": [exposure.contacts, exposure.customers, study.degrees],
        "alarms": [float(alarm) for alarm in alarms],
    }


def table(rows: list[Company]) -> None:
    """Print bias, coverage and sign errors of every method."""
    held = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    truth, about = held["truth"], held["about"]
    planted = truth.mean(axis=0)
    size = np.where(planted == 0, 1.0, planted)  # where nothing is planted, biases are in currency
    reach = stats.t.ppf(0.975, about[:, 2:])
    found, error = held["agents"], held["agents_error"]
    simple, shap, adjusted = held["naive"], held["shap"], held["adjusted"]
    noise = (found - truth).std(axis=0, ddof=1) / np.sqrt(len(rows)) / np.abs(size)
    first = np.abs(adjusted - truth) <= 1.96 * held["adjusted_error"]
    plain = np.abs(found - truth) <= reach * held["alone_error"]
    say(f"{len(rows)} companies, {about[:, 0].mean():,.0f} contacts of {about[:, 1].mean():,.0f}")
    say(f"{'':38s}" + "".join(f"{name:>16s}" for name in NAMES))
    for name, row in (
        ("truth, currency per contact", truth.mean(axis=0)),
        ("naive slope: bias", (simple.mean(axis=0) - planted) / size),
        ("SHAP slope: bias", (shap.mean(axis=0) - planted) / size),
        ("adjusted: bias", (adjusted.mean(axis=0) - planted) / size),
        ("adjusted: coverage of 95 %", first.mean(axis=0)),
        ("adjusted: wrong sign", (adjusted * truth < 0).mean(axis=0)),
        ("agents: bias", (found.mean(axis=0) - planted) / size),
        ("agents: Monte Carlo error of it", noise),
        ("agents: coverage of 95 %", (np.abs(found - truth) <= reach * error).mean(axis=0)),
        ("agents: wrong sign", (found * truth < 0).mean(axis=0)),
        ("agents: standard error over truth", error.mean(axis=0) / np.abs(size)),
        ("agents: errors of contacts alone", plain.mean(axis=0)),
    ):
        say(f"{name:38s}" + "".join(f"{value:16.3f}" for value in row))
    names = ("balance", "routing rule", *(type(check).__name__ for check in CHECKS))
    for name, share in zip(names, held["alarms"].mean(axis=0), strict=True):
        say(f"{'alarms of ' + name:38s}{share:16.3f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=400)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--agents", type=int, default=150)
    parser.add_argument("--days", type=int, default=365, help="of follow-up after a contact")
    parser.add_argument("--routing", default="random", choices=("random", "skill"))
    parser.add_argument("--effects", default="usual", choices=tuple(PLANTED))
    parser.add_argument("--shap", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--log", type=Path, help="where companies are added; those in it are kept")
    parser.add_argument("--read", action="store_true", help="print the table of the log only")
    given = parser.parse_args()
    one = partial(
        company,
        customers=given.customers,
        agents=given.agents,
        days=given.days,
        routing=given.routing,
        effects=given.effects,
        shap=given.shap,
    )
    known = given.log is not None and given.log.exists()
    rows = [json.loads(line) for line in given.log.read_text().splitlines()] if known else []
    if not given.read:
        seeds = range(given.first, given.first + given.seeds)
        with ProcessPoolExecutor(given.workers) as pool:
            for row in pool.map(one, seeds):
                rows.append(row)
                if given.log is not None:
                    with given.log.open("a") as log:
                        log.write(json.dumps(row) + "\n")
    table(rows)


if __name__ == "__main__":
    main()
