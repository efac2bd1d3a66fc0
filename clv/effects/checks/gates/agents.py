"""Enough agents with enough contacts, and few contacts without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.effects.results import CheckResult

if TYPE_CHECKING:
    from clv.effects.design.exposure import Exposure


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
