"""Agents' habits must move the behaviour, given the other behaviours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.effects.estimators.examiner import conditional_f
from clv.effects.results import CheckResult

if TYPE_CHECKING:
    from clv.effects.estimators.study import Study


@dataclass(frozen=True)
class FirstStage:
    """Agents' habits must move the behaviour, given the other behaviours."""

    min_f: float = 25.0

    def run(self, study: Study, behaviour: str) -> CheckResult:
        """Return the smallest conditional F among the behaviour's terms."""
        rows = np.flatnonzero(study.followed)
        found = conditional_f(study.instrument[rows], study.residuals[rows])
        found = found[study.columns(behaviour)]
        least = float(found.min())
        return CheckResult(
            "first_stage",
            least >= self.min_f,
            least,
            self.min_f,
            f"Conditional F of agents' habits on {behaviour}: {least:,.0f}.",
        )
