"""The change asked about, against what agents of the same pool already do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from clv.effects.estimators.residuals import demeaned
from clv.effects.results import CheckResult

if TYPE_CHECKING:
    from clv.effects.checks.base import Estimated
    from clv.effects.design.exposure import Codes, Floats
    from clv.effects.results import Evidence


@dataclass(frozen=True)
class Support:
    """The change asked about, against what agents of the same pool already do."""

    applies_to: ClassVar[tuple[Evidence, ...]] = ("quasi-experimental",)
    place: ClassVar[int] = 10

    shares: tuple[float, float] = (0.05, 0.95)

    def run(self, estimated: Estimated) -> CheckResult:
        """Compare the change with the range of agents' means within their pool."""
        study, behaviour = estimated.study, estimated.behaviour
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
