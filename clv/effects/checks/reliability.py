"""How well an agent's habit is measured: halves of their contacts against each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from clv.effects.results import CheckResult

if TYPE_CHECKING:
    from clv.effects.checks.base import Estimated
    from clv.effects.results import Evidence


@dataclass(frozen=True)
class Reliability:
    """How well an agent's habit is measured: halves of their contacts against each other."""

    applies_to: ClassVar[tuple[Evidence, ...]] = ("quasi-experimental",)
    place: ClassVar[int] = 50

    min_reliability: float = 0.3

    def run(self, estimated: Estimated) -> CheckResult:
        """Correlate agents' means over two halves, stepped up to the whole."""
        study, behaviour = estimated.study, estimated.behaviour
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
