"""Whether routing was close to random all the time, and not only over all of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.effects.checks.gates.balance import Balance
from clv.effects.results import CheckResult

if TYPE_CHECKING:
    from clv.effects.design.exposure import Exposure


@dataclass(frozen=True)
class RoutingRule:
    """Whether routing was close to random in the first and in the second half of the contacts.

    Over all years a rule that came lately is outvoted by the time before it.
    """

    min_p: float = 0.01
    permutations: int = 299
    seed: int = 0

    def run(self, exposure: Exposure) -> CheckResult:
        """Test each half as all contacts are tested, for two tests at once."""
        early = exposure.at_days <= np.median(exposure.at_days)
        test = Balance(self.min_p, self.permutations, self.seed)
        least = [
            test.run(exposure.of_contacts(np.flatnonzero(half))).value or 0.0
            for half in (early, ~early)
        ]
        p_value = min(2 * min(least), 1.0)
        passed = p_value >= self.min_p
        when = "first" if least[0] < least[1] else "second"
        return CheckResult(
            "routing_rule",
            passed,
            p_value,
            self.min_p,
            "Cases were spread over agents as by chance in both halves of the time."
            if passed
            else f"In the {when} half of the time agents met different kinds of case.",
            {"first_half_p": least[0], "second_half_p": least[1]},
        )
