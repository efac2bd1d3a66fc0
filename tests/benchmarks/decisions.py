"""What decisions come of effects: where nothing acts, where a target should move, on agents.

Run as ``PYTHONPATH=. python tests/benchmarks/decisions.py targets --seeds 200 --workers 2``.
Every company is added to ``--log`` when it is done; ``--read`` prints the table of a log.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from scipy import stats
from scipy.interpolate import CubicSpline

from clv.effects.agents import score_agents, shrunk
from clv.effects.decisions.frontier import frontier_of
from clv.effects.decisions.options import Circumstances, TargetOptions
from clv.effects.decisions.targets import build_targets, target_of
from clv.effects.design.exposure import CORE_BEHAVIOURS
from clv.effects.effects import estimate_effects
from clv.effects.estimators.examiner import Instrumented
from clv.effects.estimators.study import EffectOptions, Study, build_study
from clv.simulation import SimulationOptions
from clv.simulation.options import Effects
from clv.simulation.truths.latent import simulate_service_year
from clv.simulation.world import build_world
from tests.unit.effects.service import Case as Planted
from tests.unit.effects.service import case_of, studied

if TYPE_CHECKING:
    from clv.effects.decisions.results import Target

NAMES = [one.name for one in CORE_BEHAVIOURS]
HANDLE, EMPATHY = "handle_seconds", "empathy"
FRONTIER = ("scale", "value", "value_total", "cost")
HORIZON_DAYS = 365
LEAST = "least: "
STATED = ((0.8, 0.9), (0.9, 0.95), (0.95, 1.0))

Row = dict[str, float]


@dataclass(frozen=True)
class Case:
    """A company, and what is planted in it.

    Of ``customers`` about half are in contact with an agent in two years.
    """

    customers: int
    agents: int
    effects: Effects = field(default_factory=Effects)
    trained_teams: int = 0  # without training an agent's true worth stays what it is

    def options(self, seed: int) -> SimulationOptions:
        return SimulationOptions(
            seed=seed,
            customers=self.customers,
            agents=self.agents,
            effects=self.effects,
            trained_teams=self.trained_teams,
        )

    def live(self, seed: int) -> Planted:
        return case_of(build_world(self.options(seed)), HORIZON_DAYS)


def curved(factor: float, optimum: float) -> Effects:
    """Plant an optimum of handle time with so many times the usual curvature."""
    usual = Effects()
    return replace(usual, handle_log2=factor * usual.handle_log2).with_optimum(optimum)


STUDIES = {
    "null": {"nothing planted": Case(27_000, 150, Effects.none())},
    "targets": {
        "shorter": Case(52_000, 200, Effects().with_optimum(0.65)),
        "as today": Case(52_000, 200, Effects()),
        "longer": Case(52_000, 200, Effects().with_optimum(1.5)),
    },
    "power": {
        f"{side} × {factor}": Case(52_000, 200, curved(factor, optimum))
        for factor in (1.5, 2)
        for side, optimum in (("shorter", 0.65), ("longer", 1.5))
    },
    "large": {
        "shorter": Case(208_000, 400, Effects().with_optimum(0.65)),
        "longer": Case(208_000, 400, Effects().with_optimum(1.5)),
    },
    "agents": {"as planted": Case(18_000, 150)},
    "demo": {"as planted": Case(20_000, 150, trained_teams=2)},
}


@dataclass(frozen=True)
class Truth:
    """What scaling handle times truly brings, in currency per customer in contact and year.

    Attributes
    ----------
    held, total : CubicSpline
        Of log scale: resolution held fixed, and left to follow.
    cost : float
        Of a unit of scale.
    warmth : float
        Of a unit of empathy.
    """

    held: CubicSpline
    total: CubicSpline
    cost: float
    warmth: float

    @classmethod
    def of(cls, planted: Planted) -> Truth:
        found = planted.truth()
        points = {name: np.array([row[name] for row in found.frontier]) for name in FRONTIER}
        logs, a_year = np.log(points["scale"]), found.effect(HANDLE).contacts_per_customer_year
        warm = found.effect(EMPATHY)
        return cls(
            CubicSpline(logs, a_year * points["value"]),
            CubicSpline(logs, a_year * points["value_total"]),
            a_year * points["cost"][-1] / (points["scale"][-1] - 1),
            warm.value / warm.change * warm.contacts_per_customer_year,
        )

    def net(self, scale, *, follows: bool = False):
        """Return the net gain of a scale; resolution follows where asked."""
        gain = (self.total if follows else self.held)(np.log(scale))
        return gain - self.cost * (np.asarray(scale) - 1)

    def joint(self, scale: float, warmer: float, *, follows: bool) -> float:
        """Return the net gain of scaling handle times and moving empathy, to first order."""
        return float(self.net(scale, follows=follows) + self.warmth * warmer)


def cost_per_minute(planted: Planted) -> float:
    """Return agents' mean rate over contacts, as the product takes it."""
    world, exposure = planted.world, planted.studied.exposure
    agents = np.array([int(name[1:]) for name in exposure.agents])[exposure.agent]
    return float(world.staff.cost_per_hour[agents].mean()) / 60


def as_instrumented(study: Study) -> Instrumented:
    """Hand adjusted coefficients to what expects those by agents: the same rule for both."""
    first = study.adjusted()
    return Instrumented(first.coefficients, first.covariance, np.empty((0, len(first.covariance))))


def null(case: Case, seed: int) -> Row:
    """Return what is found where nothing was planted."""
    planted = case.live(seed)
    study = build_study(planted.studied.exposure, CORE_BEHAVIOURS, EffectOptions())
    fit, options = study.instrumented(), TargetOptions()
    cost = cost_per_minute(planted)
    row: Row = {"customers in contact": study.exposure.customers}
    quantile = stats.t.ppf(0.975, study.degrees)
    first = study.adjusted()
    for name in NAMES:
        estimate, error = study.effect(name, fit)
        row[f"agents covers 0: {name}"] = abs(estimate) <= quantile * error
        weights = study.weights(name)
        half = 1.96 * np.sqrt(weights @ first.covariance @ weights)
        row[f"adjusted covers 0: {name}"] = abs(weights @ first.coefficients) <= half
    free, priced = (
        target_of(study, fit, HANDLE, price, options, together=2) for price in (0.0, cost)
    )
    warm = target_of(study, fit, EMPATHY, cost, options, together=2)
    joint = frontier_of(study, fit, cost, options)
    row["handle time moved, minutes free"] = free.suggested is not None
    row["handle time moved, minutes at their cost"] = priced.suggested is not None
    row["handle time lengthened, minutes at their cost"] = priced.recommend == "raise"
    row["empathy moved"] = warm.suggested is not None
    row["no target moved, minutes free"] = free.suggested is None and warm.suggested is None
    row["no target moved, minutes at their cost"] = (
        priced.suggested is None and warm.suggested is None
    )
    row["joint frontier suggests a move"] = joint.suggested is not None
    return row


def handle_target(target: Target, truth: Truth, prefix: str) -> Row:
    """Return how a target of handle time stands to the truth."""
    scales = np.array([point.scale for point in target.curve])
    exact, follows = truth.net(scales), truth.net(scales, follows=True)
    best = scales[np.argmax(exact)]
    found = target.best / target.current
    low, high = target.best_low / target.current - 1e-9, target.best_high / target.current + 1e-9
    moved = target.suggested is not None
    scale = target.suggested / target.current if moved else np.nan
    gain, total = truth.net(scale), truth.net(scale, follows=True)
    step = target.step
    stepped = np.nan if step is None else truth.net(step.to / step.start)
    lows, highs = (np.array([getattr(p, side) for p in target.curve]) for side in ("low", "high"))
    slack = 1e-9 * np.abs(exact).max()
    held = (lows - slack <= exact) & (exact <= highs + slack)
    fifth = np.interp(0.8, scales, [point.net for point in target.curve])
    row: Row = {
        "true optimum in the support, scale": best,
        "true net gain there": exact.max(),
        "true optimum where resolution follows": scales[np.argmax(follows)],
        "found optimum, scale": found,
        "optimum inside its interval": low <= best <= high,
        "band holds the whole true curve": held.all(),
        "a move is recommended": moved,
        "true gain of moves": gain,
        LEAST + "true gain of a move": gain,
        LEAST + "the same where resolution follows": total,
        "runs with a move that loses": moved and gain < 0,
        "runs with a losing move, resolution follows": moved and total < 0,
        "proven or likely": step is not None,
        "true gain of its step": stepped,
        LEAST + "true gain of a step": stepped,
        "runs with a step that loses": step is not None and stepped < 0,
        "optimum on the wrong side of today": (best - 1) * (found - 1) < 0,
        "says that a fifth shorter gains": fifth > 0,
        "a fifth shorter truly gains": truth.net(0.8) > 0,
    }
    for low, high in STATED:
        stated = step is not None and low <= step.probability < high + (high == 1)
        row[f"steps stated at {low:g} to {high:g}"] = stated
        row[f"… that pay, of those at {low:g} to {high:g}"] = stepped > 0 if stated else np.nan
    shared = ("true optimum in", "true net", "true optimum where", "a fifth")
    return {name if name.startswith(shared) else prefix + name: row[name] for name in row}


def targets(case: Case, seed: int) -> Row:
    """Return what is recommended by agents as instruments, and by the same rule if adjusted."""
    planted = case.live(seed)
    study = build_study(planted.studied.exposure, CORE_BEHAVIOURS, EffectOptions())
    fit, options, truth = study.instrumented(), TargetOptions(), Truth.of(planted)
    cost = cost_per_minute(planted)
    row: Row = {"customers in contact": study.exposure.customers}
    row |= handle_target(
        target_of(study, fit, HANDLE, cost, options, together=2), truth, "agents: "
    )
    adjusted = target_of(study, as_instrumented(study), HANDLE, cost, options, together=2)
    row |= handle_target(adjusted, truth, "adjusted: ")
    warm = target_of(study, fit, EMPATHY, cost, options, together=2)
    row["empathy is moved"] = warm.suggested is not None
    row["empathy is lowered, which loses"] = warm.recommend == "lower"
    joint = frontier_of(study, fit, cost, options).suggested
    row["joint frontier suggests a move"] = joint is not None
    warmer = np.nan if joint is None else joint.empathy - frontier_today(study)
    for name, follows in (("a joint move", False), ("the same, resolution follows", True)):
        row[LEAST + f"true gain of {name}"] = (
            np.nan if joint is None else truth.joint(joint.scale, warmer, follows=follows)
        )
    return row


def demo(case: Case, seed: int) -> Row:
    """Return the grades of the first page, gates and all, and what its steps truly bring."""
    planted = case.live(seed)
    exposure, truth = planted.studied.exposure, Truth.of(planted)
    span_years = (np.ptp(exposure.at_days) + 1) / 365
    known = Circumstances(exposure.contacts / span_years, HORIZON_DAYS, case.options(seed).end)
    effects = estimate_effects(exposure, CORE_BEHAVIOURS, EffectOptions())
    targets, refused = build_targets(effects, cost_per_minute(planted), circumstances=known)
    row: Row = {"customers in contact": exposure.customers, "refused": len(refused) > 0}
    row["any is proven or likely"] = any(one.step is not None for one in targets)
    for one in targets:
        for grade in ("proven", "likely", "open", "settled"):
            row[f"{one.behaviour}: {grade}"] = one.grade == grade
        step, pays = one.step, np.nan
        if step is not None and one.behaviour == HANDLE:
            pays = truth.net(step.to / step.start) > 0
        elif step is not None:  # empathy and resolution truly bring more
            pays = step.to > step.start
        row[f"{one.behaviour}: its step pays"] = pays
    unsettled = [one for one in targets if one.grade == "open"]
    row["open without its experiment"] = any(one.experiment is None for one in unsettled)
    return row


def frontier_today(study: Study) -> float:
    """Return today's mean empathy."""
    return float(np.nanmean(study.exposure.behaviours[EMPATHY]))


def within(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Subtract the mean of each queue: agents are compared inside theirs."""
    codes = np.unique(group, return_inverse=True)[1]
    return values - (np.bincount(codes, values) / np.bincount(codes))[codes]


def agents(case: Case, seed: int) -> Row:
    """Return how scores of agents follow what they are truly worth."""
    year = simulate_service_year(case.options(seed))
    study = build_study(studied(year).exposure, CORE_BEHAVIOURS, EffectOptions())
    exposure = study.exposure
    known = year.agents.set_index("agent_id").loc[list(exposure.agents)]
    queue = known["queue"].to_numpy()
    truth = within(known["value_per_contact"].to_numpy(), queue)
    scores = score_agents(study, study.instrumented(), min_contacts=1)
    order = {score.agent_id: score for score in scores}
    mine = [order[name] for name in exposure.agents]
    index, low, high, residual = (
        np.array([getattr(score, name) for score in mine])
        for name in ("index", "low", "high", "residual")
    )
    counts = np.bincount(exposure.agent).astype(np.float64)
    value = study.outcome
    raw = np.bincount(exposure.agent, value) / counts
    noise = (np.bincount(exposure.agent, value**2) / counts - raw**2) / counts
    quick = -np.bincount(exposure.agent, exposure.behaviours[HANDLE]) / counts
    rivals = {
        "agents' score": index,
        "raw mean value": raw,
        "shrunk mean value": shrunk(raw, noise, counts),
        "score and shrunk residual": index + residual,
        "rank by short handle time": quick,
    }
    row: Row = {"contacts per agent": counts.mean(), "agents": len(counts)}
    for name, found in rivals.items():
        row[f"correlation: {name}"] = correlation(within(found, queue), truth)
        row[f"rank correlation: {name}"] = correlation(
            stats.rankdata(within(found, queue)), stats.rankdata(truth)
        )
    row["score above all rivals"] = row["correlation: agents' score"] > max(
        row[f"correlation: {name}"]
        for name in ("raw mean value", "shrunk mean value", "rank by short handle time")
    )
    row["truth on score: slope"] = truth @ within(index, queue) / (within(index, queue) ** 2).sum()
    row["95 % interval covers, share of agents"] = ((low <= truth) & (truth <= high)).mean()
    return row


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation; a constant goes with nothing."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def company(study: str, case: str, seed: int) -> Row:
    """Return one company's row of a study."""
    run = {"null": null, "agents": agents, "demo": demo}.get(study, targets)
    found = {name: float(value) for name, value in run(STUDIES[study][case], seed).items()}
    return {"study": study, "case": case, "seed": seed, **found}  # type: ignore[dict-item]


def table(rows: list[Row]) -> str:
    """Return means with Monte Carlo standard errors, one column per case."""
    cases = list(dict.fromkeys(row["case"] for row in rows))
    labels = [name for name in rows[0] if name not in ("study", "case", "seed")]
    lines = [f"{'':52s}" + "".join(f"{case:>22s}" for case in cases)]
    runs = [f"{sum(row['case'] == case for row in rows):22d}" for case in cases]
    lines.append(f"{'companies':52s}" + "".join(runs))
    for label in labels:
        cells = []
        for case in cases:
            held = np.array([row[label] for row in rows if row["case"] == case])
            held = held[np.isfinite(held)]
            if not len(held):
                cells.append("-")
            elif LEAST in label:
                cells.append(f"{held.min():.3f}")
            else:
                error = held.std(ddof=1) / np.sqrt(len(held)) if len(held) > 1 else np.nan
                cells.append(f"{held.mean():.3f} ± {error:.3f}")
        lines.append(f"{label:52s}" + "".join(f"{cell:>22s}" for cell in cells))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("study", choices=tuple(STUDIES), nargs="?", default="targets")
    parser.add_argument("--case", action="append", help="of the study; all by default")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--log", type=Path, help="add every company to it, as a line of JSON")
    parser.add_argument("--read", type=Path, help="print the table of a log instead")
    given = parser.parse_args()
    rows: list[Row] = []
    if given.read is not None:
        held = [json.loads(line) for line in given.read.read_text().splitlines()]
        rows = [row for row in held if row["study"] == given.study]
    else:
        seeds = range(given.first, given.first + given.seeds)
        jobs = [(case, seed) for seed in seeds for case in given.case or STUDIES[given.study]]
        with ProcessPoolExecutor(given.workers) as pool:
            for row in pool.map(partial(company, given.study), *zip(*jobs, strict=True)):
                rows.append(row)
                if given.log is not None:
                    with given.log.open("a") as log:
                        log.write(json.dumps(row) + "\n")
    sys.stdout.write(table(rows) + "\n")


if __name__ == "__main__":
    main()
