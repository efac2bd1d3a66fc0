"""Before they were reached, units must have moved as the others did."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from clv.effects.results import CheckResult

if TYPE_CHECKING:
    from clv.effects.checks.rollouts.base import RollOutStudy


@dataclass(frozen=True)
class PreTrend:
    """Leads of three quarters of a year move the outcome jointly by no more than chance."""

    min_p: float = 0.05
    leads: int = 3
    lead_days: float = 90.0
    place: ClassVar[int] = 1
    mend: ClassVar[str] = (
        "compare units that were alike before: let chance decide which are reached first, or begin "
        "to record earlier"
    )

    def run(self, study: RollOutStudy) -> CheckResult:
        """Test the leads jointly on contacts that had not been reached."""
        contacts = study.imputation.contacts
        ahead = contacts.since_days[contacts.unit] - contacts.at_days
        edges = self.lead_days * np.arange(self.leads + 1)
        leads = np.column_stack(
            [(ahead > low) & (ahead <= high) for low, high in itertools.pairwise(edges)]
        ).astype(np.float64)
        leads = leads[:, leads.sum(axis=0) > 0]
        if not leads.shape[1]:
            text = "No contact tells of the time before it."
            return CheckResult(
                "pre_trend", passed=False, value=None, threshold=self.min_p, message=text
            )
        _, p_value = study.imputation.joint_test(study.outcome, leads, study.seed)
        return CheckResult(
            "pre_trend",
            p_value >= self.min_p,
            p_value,
            self.min_p,
            "Before they were reached, units moved as the others did."
            if p_value >= self.min_p
            else "Units that were reached had moved apart from the others before.",
        )
