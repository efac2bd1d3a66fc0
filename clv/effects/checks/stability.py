"""Whether the first and the second half of the time say the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy import stats

from clv.effects.estimators.examiner import influences
from clv.effects.estimators.residuals import clustered
from clv.effects.results import CheckResult

if TYPE_CHECKING:
    from clv.effects.checks.base import Estimated
    from clv.effects.design.exposure import Floats
    from clv.effects.results import Evidence


@dataclass(frozen=True)
class Stability:
    """Whether the first and the second half of the contacts say the same.

    An effect may change with products and people; then the estimate is its mean over the time
    studied, which next year need not be.
    """

    applies_to: ClassVar[tuple[Evidence, ...]] = ("quasi-experimental",)
    place: ClassVar[int] = 70

    min_p: float = 0.01

    def run(self, estimated: Estimated) -> CheckResult:
        """Compare the estimates of both halves: agents and customers are in both."""
        study = estimated.study
        exposure, weights = study.exposure, study.weights(estimated.behaviour)
        early = exposure.at_days <= np.median(exposure.at_days)
        values, influence = [], np.zeros((exposure.contacts, 1))
        for sign, half in ((1.0, early), (-1.0, ~early)):
            instrument = study.instrument * half[:, None]
            try:
                first: Floats = instrument.T @ study.residuals
                coefficients: Floats = np.linalg.solve(first, instrument.T @ study.outcome).astype(
                    np.float64
                )
                moved = influences(instrument, study.residuals, study.outcome, coefficients)
            except np.linalg.LinAlgError:
                return CheckResult(
                    "stability", None, None, self.min_p, "Half of the time is too little to say."
                )
            values.append(float(weights @ coefficients))
            influence += sign * (moved @ weights)[:, None]
        p_value = _p_of(values[0] - values[1], influence, estimated)
        passed = p_value >= self.min_p
        return CheckResult(
            "stability",
            passed,
            p_value,
            self.min_p,
            "The first and the second half of the time differ by no more than chance."
            if passed
            else "The first and the second half of the time differ: the effect has changed.",
            {"first_half": values[0], "second_half": values[1]},
        )


def _p_of(gap: float, influence: Floats, estimated: Estimated) -> float:
    exposure, degrees = estimated.study.exposure, max(estimated.study.degrees, 1)
    agents = exposure.n_agents
    spread = clustered(influence, exposure.customer, exposure.agent) * agents / max(agents - 1, 1)
    error = float(np.sqrt(spread[0, 0]))
    return float(2 * stats.t.sf(abs(gap) / error, degrees)) if error > 0 else 1.0
