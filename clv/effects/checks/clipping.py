"""Whether a few very long or very dear cases carry the estimate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from clv.effects.results import CheckResult

if TYPE_CHECKING:
    from clv.effects.checks.base import Estimated
    from clv.effects.results import Evidence


@dataclass(frozen=True)
class Clipping:
    """Whether a few very long or very dear cases carry the estimate."""

    applies_to: ClassVar[tuple[Evidence, ...]] = ("quasi-experimental",)
    place: ClassVar[int] = 60

    max_errors: float = 1.0

    def run(self, estimated: Estimated) -> CheckResult | None:
        """Compare with the estimate from outcome and durations clipped harder."""
        fit, harder = estimated.second, estimated.harder
        if fit is None or harder is None:
            return None
        weights = estimated.study.weights(estimated.behaviour)
        error = float(np.sqrt(weights @ fit.covariance @ weights))
        other = harder().instrumented()
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
