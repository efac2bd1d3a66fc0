"""Agents cannot have moved what a customer spent before the contact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy import stats

from clv.effects.estimators.examiner import instrumented
from clv.effects.estimators.study import outcome_residual
from clv.effects.results import CheckResult

if TYPE_CHECKING:
    from clv.effects.checks.base import Estimated
    from clv.effects.results import Evidence


@dataclass(frozen=True)
class PlaceboOutcome:
    """Agents cannot have moved what a customer spent before the contact."""

    applies_to: ClassVar[tuple[Evidence, ...]] = ("quasi-experimental",)
    place: ClassVar[int] = 20

    def run(self, estimated: Estimated) -> CheckResult:
        """Estimate the effect on the same measure before the contact."""
        study, behaviour = estimated.study, estimated.behaviour
        before, confidence = study.exposure.before, estimated.options.level
        if before is None:
            return CheckResult(
                "placebo_outcome", None, None, None, "No value before the contact is known."
            )
        exposure = study.exposure
        rest = outcome_residual(exposure, before, study.folds, study.learner, blind="before")
        found = instrumented(
            study.instrument, study.residuals, rest, exposure.agent, exposure.customer
        )
        weights = study.weights(behaviour)
        error = float(np.sqrt(weights @ found.covariance @ weights))
        t_value = float(weights @ found.coefficients) / error if error > 0 else 0.0
        p_value = float(2 * stats.t.sf(abs(t_value), max(study.degrees, 1)))
        return CheckResult(
            "placebo_outcome",
            p_value >= 1 - confidence,
            p_value,
            1 - confidence,
            "The same estimate on value before the contact "
            + (
                "is not different from 0."
                if p_value >= 1 - confidence
                else "is not 0, as it must be."
            ),
            {"estimate": float(weights @ found.coefficients), "standard_error": error},
        )
