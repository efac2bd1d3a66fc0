"""Effects: cost at size, and recovery of planted effects over many simulated companies.

Run as ``python tests/benchmarks/bench_effects.py cost`` or ``... recovery --seeds 400``.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import numpy as np
from scipy import stats

from clv.attribution.checks import Balance
from clv.attribution.effects import estimate_effects
from clv.attribution.exposure import CHANNELS, Exposure
from clv.attribution.leniency import sandwich
from clv.attribution.residuals import group_sums
from clv.attribution.study import EffectOptions, build_study
from clv.simulation import SimulationOptions
from clv.simulation.latent import simulate_service_year
from tests.unit.attribution.service import studied

NAMES = [one.name for one in CHANNELS]


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def synthetic(customers: int, contacts: int, agents: int, seed: int = 0) -> Exposure:
    """Contacts of the asked size without planted effects: only time and memory count."""
    rng = np.random.default_rng(seed)
    extra = rng.integers(customers, size=contacts - customers)
    customer = np.sort(np.concatenate([np.arange(customers), extra]))
    pool = rng.integers(8, size=contacts)
    agent = rng.integers(agents // 8, size=contacts) * 8 + pool
    warmth, pace, skill = rng.normal(size=(3, agents))
    return Exposure(
        customer=customer,
        agent=agent,
        pool=pool,
        stratum=pool * 208 + rng.integers(208, size=contacts),
        controls=rng.normal(size=(contacts, 30)),
        control_names=tuple(f"x{number}" for number in range(30)),
        behaviours={
            "empathy": np.where(
                rng.random(contacts) < 0.75,
                0.5 + 0.1 * warmth[agent] + 0.15 * rng.normal(size=contacts),
                np.nan,
            ),
            "handle_seconds": np.exp(5.9 + 0.2 * pace[agent] + 0.3 * rng.normal(size=contacts)),
            "fcr": (rng.random(contacts) < 0.7 + 0.06 * np.tanh(skill[agent])).astype(float),
        },
        customer_controls=rng.normal(size=(customers, 10)),
        customer_control_names=tuple(f"c{number}" for number in range(10)),
        outcome=rng.gamma(0.5, 400.0, customers),
        before=rng.gamma(0.5, 400.0, customers),
        agents=tuple(f"a{number}" for number in range(agents)),
    )


def cost() -> None:
    """Time all levels and checks at two sizes."""
    for customers, contacts, agents in ((50_000, 150_000, 504), (100_000, 300_000, 504)):
        exposure = synthetic(customers, contacts, agents)
        start = time.perf_counter()
        estimate_effects(exposure, options=EffectOptions())
        seconds = time.perf_counter() - start
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        say(f"{customers:>8,} customers {contacts:>8,} contacts: {seconds:6.1f} s {memory:5.2f} GB")


def recovery(seeds: int, **planted: object) -> None:
    """Print bias and coverage of naive, adjusted and quasi-experimental estimates."""
    rows: list[list[np.ndarray]] = []
    alarms, customers = [], []
    for seed in range(seeds):
        year = simulate_service_year(SimulationOptions(seed=seed, **planted))
        exposure = studied(year).exposure
        study = build_study(exposure, CHANNELS, EffectOptions())
        second, first = study.instrumented(), study.adjusted()
        weights = np.stack([study.weights(name) for name in NAMES])
        sums = group_sums(study.instrument, exposure.customer, exposure.customers)
        robust = sandwich(sums, study.treatment, study.outcome, second.coefficients)
        counts = np.bincount(exposure.customer)
        mean = study.raw_treatment / counts[:, None]
        mean = mean - mean.mean(axis=0)
        slope = mean.T @ (exposure.outcome - exposure.outcome.mean()) / (mean**2).sum(axis=0)
        rows.append(
            [
                np.array([year.truth(name) for name in NAMES]),
                weights @ slope / counts.mean(),
                weights @ first.coefficients,
                weights @ second.coefficients,
                *(
                    np.sqrt(np.einsum("bi,ij,bj->b", weights, covariance, weights))
                    for covariance in (first.covariance, second.covariance, robust)
                ),
            ]
        )
        alarms.append(not Balance(permutations=99, seed=seed).run(exposure).passed)
        customers.append(exposure.customers)
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    truth, naive, adjusted, found, adjusted_error, error, robust_error = columns
    scale = truth.mean(axis=0)
    reach = stats.t.ppf(0.975, study.degrees)
    noise = (found - truth).std(axis=0, ddof=1) / np.sqrt(seeds) / np.abs(scale)
    say(f"{seeds} companies, {np.mean(customers):,.0f} customers in contact, {planted}")
    say(f"{'':34s}" + "".join(f"{name:>16s}" for name in NAMES))
    for name, row in (
        ("truth", scale),
        ("naive slope: bias", naive.mean(axis=0) / scale - 1),
        ("adjusted: bias", adjusted.mean(axis=0) / scale - 1),
        ("adjusted: coverage", (np.abs(adjusted - truth) <= 1.96 * adjusted_error).mean(axis=0)),
        ("quasi-experimental: bias", found.mean(axis=0) / scale - 1),
        ("  Monte Carlo error", noise),
        ("quasi-experimental: coverage", (np.abs(found - truth) <= reach * error).mean(axis=0)),
        ("  robust errors only", (np.abs(found - truth) <= 1.96 * robust_error).mean(axis=0)),
    ):
        say(f"{name:34s}" + "".join(f"{value:16.3f}" for value in row))
    say(f"{'balance refused':34s}{np.mean(alarms):16.3f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("cost", "recovery"))
    parser.add_argument("--seeds", type=int, default=400)
    parser.add_argument("--customers", type=int, default=27_000)
    parser.add_argument("--routing", default="random")
    given = parser.parse_args()
    if given.what == "cost":
        cost()
    else:
        recovery(given.seeds, customers=given.customers, routing=given.routing)


if __name__ == "__main__":
    main()
