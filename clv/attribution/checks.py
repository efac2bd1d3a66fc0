"""Checks of an effect: each looks at one way in which the number could be wrong.

A check is a small class with its thresholds; ``run`` takes what it looks at and returns a
``CheckResult``. Those that decide whether level 2 is claimed say so with ``passed``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from clv.attribution.balance import balance
from clv.attribution.exposure import LOAD_CONTROLS
from clv.attribution.leniency import conditional_f, instrumented
from clv.attribution.residuals import demeaned, group_sums
from clv.attribution.results import CheckResult
from clv.attribution.study import outcome_ahead

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clv.attribution.adjusted import Adjusted
    from clv.attribution.exposure import Codes, Exposure, Floats
    from clv.attribution.leniency import Instrumented
    from clv.attribution.study import Study


@dataclass(frozen=True)
class Agents:
    """Enough agents with enough contacts, and few contacts without one."""

    min_agents: int = 60
    min_contacts: int = 30

    def run(self, exposure: Exposure) -> CheckResult:
        """Count the agents that have enough contacts."""
        known = exposure.agent[exposure.agent >= 0]
        counts = np.bincount(known, minlength=exposure.n_agents)
        enough = int((counts >= self.min_contacts).sum())
        return CheckResult(
            "agents",
            enough >= self.min_agents,
            float(enough),
            float(self.min_agents),
            f"{enough} agents with at least {self.min_contacts} contacts each; "
            f"{self.min_agents} are needed.",
            {
                "agents": float(exposure.n_agents),
                "unknown_share": 1 - len(known) / max(exposure.contacts, 1),
            },
        )


@dataclass(frozen=True)
class Comparable:
    """Contacts whose stratum holds another agent to compare with."""

    threshold: float = 0.5

    def run(self, exposure: Exposure) -> CheckResult:
        """Measure the share of contacts in strata with two agents or more."""
        known = exposure.agent >= 0
        pairs = np.unique(
            np.stack([exposure.stratum[known], exposure.agent[known]], axis=1), axis=0
        )
        agents = np.bincount(pairs[:, 0], minlength=int(exposure.stratum.max(initial=0)) + 1)
        share = float((agents[exposure.stratum[known]] >= 2).mean()) if known.any() else 0.0
        return CheckResult(
            "comparable",
            share >= self.threshold,
            share,
            self.threshold,
            f"{share:.0%} of contacts were in a pool and period with two agents or more.",
        )


@dataclass(frozen=True)
class Balance:
    """Within strata, agents must have met the same kind of case."""

    min_p: float = 0.05
    permutations: int = 299
    seed: int = 0

    def run(self, exposure: Exposure) -> CheckResult:
        """Permute agents within strata, over customers' first contacts."""
        # A customer's next contact resembles the last; first contacts are free of one another.
        known = np.flatnonzero(exposure.agent >= 0)
        rows = known[np.unique(exposure.customer[known], return_index=True)[1]]
        cases = [
            number
            for number, name in enumerate(exposure.control_names)
            if name.split("=")[0] not in LOAD_CONTROLS
        ]
        found = balance(
            exposure.controls[rows][:, cases],
            exposure.agent[rows],
            exposure.stratum[rows],
            permutations=self.permutations,
            seed=self.seed,
        )
        return CheckResult(
            "balance",
            found.p_value >= self.min_p,
            found.p_value,
            self.min_p,
            "Cases known before the contact were spread over agents as by chance."
            if found.p_value >= self.min_p
            else "Agents met different kinds of case: routing is not close to random.",
        )


@dataclass(frozen=True)
class FirstStage:
    """Agents' habits must move the behaviour, given the other behaviours."""

    min_f: float = 25.0

    def run(self, study: Study, behaviour: str) -> CheckResult:
        """Return the smallest conditional F among the behaviour's terms."""
        sums = group_sums(study.instrument, study.exposure.customer, study.exposure.customers)
        found = conditional_f(sums, study.treatment)[study.columns(behaviour)]
        least = float(found.min())
        return CheckResult(
            "first_stage",
            least >= self.min_f,
            least,
            self.min_f,
            f"Conditional F of agents' habits on {behaviour}: {least:,.0f}.",
        )


@dataclass(frozen=True)
class Overlap:
    """At equal controls the behaviour must still differ."""

    min_share: float = 0.01

    def run(self, study: Study, behaviour: str) -> CheckResult:
        """Measure what share of the behaviour's spread controls leave."""
        columns = study.columns(behaviour)
        raw = study.raw_treatment[:, columns]
        rest = raw - study.learner(study.controls, raw, study.folds)
        share = float((rest.var(axis=0) / np.maximum(raw.var(axis=0), 1e-300)).min())
        return CheckResult(
            "overlap",
            share >= self.min_share,
            share,
            self.min_share,
            f"{share:.0%} of the spread in {behaviour} is not explained by what was known before.",
        )


@dataclass(frozen=True)
class Support:
    """The change asked about, against what agents of the same pool already do."""

    shares: tuple[float, float] = (0.05, 0.95)

    def run(self, study: Study, behaviour: str) -> CheckResult:
        """Compare the change with the range of agents' means within their pool."""
        exposure = study.exposure
        one = study.basis(behaviour)
        rows = np.flatnonzero(one.present & (exposure.agent >= 0))
        raw = exposure.behaviours[behaviour][rows]
        pool = np.unique(exposure.pool[rows], return_inverse=True)[1]
        means = agent_means(demeaned(raw[:, None], pool)[:, 0], exposure.agent[rows])
        low, high = np.quantile(means, self.shares) if len(means) else (0.0, 0.0)
        return CheckResult(
            "support",
            bool(abs(one.behaviour.change) <= high - low),
            float(high - low),
            abs(one.behaviour.change),
            f"Agents of a pool differ by {high - low:.3g} ({one.behaviour.unit}) between the "
            f"5th and 95th percentile; the change is {one.behaviour.change:g}.",
            {"low": float(low), "high": float(high)},
        )


def agent_means(values: Floats, agent: Codes, min_contacts: int = 10) -> Floats:
    """Return the means of agents with enough contacts."""
    counts = np.bincount(agent)
    sums = np.bincount(agent, weights=values)
    enough = counts >= min_contacts
    return sums[enough] / counts[enough]


@dataclass(frozen=True)
class PlaceboOutcome:
    """Agents cannot have moved what a customer spent before the first contact."""

    level: float = 0.95

    def run(self, study: Study, behaviour: str) -> CheckResult:
        """Estimate level 2 on the value before the exposure."""
        before = study.exposure.before
        if before is None:
            return CheckResult(
                "placebo_outcome", None, None, None, "No value before the first contact is known."
            )
        exposure = study.exposure
        rest = outcome_ahead(exposure, before, study.folds, study.learner, blind="before")
        found = instrumented(
            study.instrument, study.treatment, rest, exposure.agent, exposure.customer
        )
        weights = study.weights(behaviour)
        error = float(np.sqrt(weights @ found.covariance @ weights))
        t_value = float(weights @ found.coefficients) / error if error > 0 else 0.0
        p_value = float(2 * stats.t.sf(abs(t_value), max(study.degrees, 1)))
        return CheckResult(
            "placebo_outcome",
            p_value >= 1 - self.level,
            p_value,
            1 - self.level,
            "The same estimate on value before the contact "
            + (
                "is not different from 0."
                if p_value >= 1 - self.level
                else "is not 0, as it must be."
            ),
            {"estimate": float(weights @ found.coefficients), "standard_error": error},
        )


@dataclass(frozen=True)
class PlaceboBehaviour:
    """Habits of an agent who did not answer must move nothing."""

    draws: int = 40
    max_share: float = 0.2
    seed: int = 0

    def run(self, study: Study, behaviour: str) -> CheckResult:
        """Deal agents' habits anew within strata, and count how often they seem to matter."""
        column = study.columns(behaviour).start
        exposure = study.exposure
        rows = np.flatnonzero(study.present[:, column] & (exposure.agent >= 0))
        rows = rows[np.argsort(exposure.stratum[rows], kind="stable")]
        habit = study.instrument[rows, column]
        stratum = exposure.stratum[rows].astype(np.float64)
        outcome, customer = study.outcome, exposure.customer[rows]
        rng = np.random.default_rng(self.seed)
        alarms = 0
        for _ in range(self.draws):
            dealt = habit[np.argsort(stratum + rng.random(len(rows)))]
            scores = np.bincount(customer, weights=dealt, minlength=len(outcome)) * outcome
            alarms += abs(scores.sum()) > 1.96 * np.sqrt((scores**2).sum())
        share = alarms / self.draws
        return CheckResult(
            "placebo_behaviour",
            bool(share <= self.max_share),
            share,
            self.max_share,
            f"Habits of agents who did not answer seemed to matter in {share:.0%} of "
            f"{self.draws} draws; 5 % are expected.",
        )


@dataclass(frozen=True)
class Hausman:
    """Whether levels 1 and 2 differ by more than their errors."""

    level: float = 0.95

    def run(
        self, study: Study, first: Adjusted, second: Instrumented, behaviour: str
    ) -> CheckResult:
        """Compare the two; silence is no clearance, its power is small."""
        weights = study.weights(behaviour)
        gap = float(weights @ (second.coefficients - first.coefficients))
        spread = float(weights @ (second.covariance - first.covariance) @ weights)
        if spread <= 0:
            spread = float(weights @ second.covariance @ weights)
        p_value = float(2 * stats.norm.sf(abs(gap) / np.sqrt(spread))) if spread > 0 else 1.0
        alarm = p_value < 1 - self.level
        return CheckResult(
            "hausman",
            not alarm if alarm else None,
            p_value,
            1 - self.level,
            "Adjusted and quasi-experimental estimates differ: hidden factors are at work."
            if alarm
            else "Adjusted and quasi-experimental estimates differ by no more than chance; "
            "that clears neither.",
            {"gap": gap},
        )


@dataclass(frozen=True)
class Reliability:
    """How well an agent's habit is measured: halves of their contacts against each other."""

    min_reliability: float = 0.3

    def run(self, study: Study, behaviour: str) -> CheckResult:
        """Correlate agents' means over two halves, stepped up to the whole."""
        column = study.columns(behaviour).start
        exposure = study.exposure
        rows = np.flatnonzero(study.present[:, column] & (exposure.agent >= 0))
        half = study.folds[exposure.customer[rows]] % 2
        size = exposure.n_agents
        means, counts = [], []
        for side in (0, 1):
            mine = rows[half == side]
            counts.append(np.bincount(exposure.agent[mine], minlength=size))
            sums = np.bincount(
                exposure.agent[mine], weights=study.residuals[mine, column], minlength=size
            )
            means.append(sums / np.maximum(counts[-1], 1))
        both = (counts[0] >= 3) & (counts[1] >= 3)
        if both.sum() < 3 or min(means[0][both].std(), means[1][both].std()) == 0:
            return CheckResult(
                "reliability", None, None, None, "Too few agents to split in halves."
            )
        halves = float(np.corrcoef(means[0][both], means[1][both])[0, 1])
        whole = 2 * halves / (1 + halves) if halves > 0 else 0.0
        return CheckResult(
            "reliability",
            whole >= self.min_reliability,
            whole,
            self.min_reliability,
            f"An agent's mean {behaviour} is measured with reliability {whole:.2f}.",
        )


@dataclass(frozen=True)
class Clipping:
    """Whether a few very long or very dear cases carry the estimate."""

    max_errors: float = 1.0

    def run(self, study: Study, fit: Instrumented, harder: Study, behaviour: str) -> CheckResult:
        """Compare with the estimate from outcome and durations clipped harder."""
        weights = study.weights(behaviour)
        error = float(np.sqrt(weights @ fit.covariance @ weights))
        other = harder.instrumented()
        # The question stays the same: the change is priced on the unclipped contacts.
        gap = float(weights @ (other.coefficients - fit.coefficients))
        shift = abs(gap) / error if error > 0 else 0.0
        return CheckResult(
            "clipping",
            shift <= self.max_errors,
            shift,
            self.max_errors,
            f"Clipped harder, the estimate moves by {shift:.1f} standard errors.",
            {"estimate": float(weights @ other.coefficients)},
        )


def first_failure(checks: Sequence[CheckResult]) -> CheckResult | None:
    """Return the first check that did not pass."""
    return next((check for check in checks if check.passed is False), None)
