"""Contacts whose stratum holds another agent to compare with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.effects.results import CheckResult

if TYPE_CHECKING:
    from clv.effects.design.exposure import Exposure


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
