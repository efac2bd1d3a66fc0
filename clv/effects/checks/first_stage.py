"""Agents' habits must move the behaviour, given the other behaviours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clv.effects.estimators.examiner import conditional_f
from clv.effects.estimators.residuals import group_sums
from clv.effects.results import CheckResult

if TYPE_CHECKING:
    from clv.effects.estimators.study import Study


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
