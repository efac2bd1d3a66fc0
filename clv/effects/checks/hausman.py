"""Whether the adjusted estimate and that by agents differ by more than their errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy import stats

from clv.effects.results import CheckResult

if TYPE_CHECKING:
    from clv.effects.checks.base import Estimated
    from clv.effects.results import Evidence


@dataclass(frozen=True)
class Hausman:
    """Whether the adjusted estimate and that by agents differ by more than their errors."""

    applies_to: ClassVar[tuple[Evidence, ...]] = ("quasi-experimental",)
    place: ClassVar[int] = 40

    def run(self, estimated: Estimated) -> CheckResult | None:
        """Compare the two; silence is no clearance, its power is small."""
        first, second, confidence = estimated.first, estimated.second, estimated.options.level
        if second is None:
            return None
        weights = estimated.study.weights(estimated.behaviour)
        gap = float(weights @ (second.coefficients - first.coefficients))
        spread = float(weights @ (second.covariance - first.covariance) @ weights)
        if spread <= 0:
            spread = float(weights @ second.covariance @ weights)
        p_value = float(2 * stats.norm.sf(abs(gap) / np.sqrt(spread))) if spread > 0 else 1.0
        alarm = p_value < 1 - confidence
        return CheckResult(
            "hausman",
            not alarm if alarm else None,
            p_value,
            1 - confidence,
            "Adjusted and quasi-experimental estimates differ: hidden factors are at work."
            if alarm
            else "Adjusted and quasi-experimental estimates differ by no more than chance; "
            "that clears neither.",
            {"gap": gap},
        )
