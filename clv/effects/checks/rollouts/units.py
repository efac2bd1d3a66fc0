"""Enough units, some reached and some not yet, for their differences to be told from chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from clv.effects.results import CheckResult

if TYPE_CHECKING:
    from clv.effects.checks.rollouts.base import RollOutStudy


@dataclass(frozen=True)
class Units:
    """At least eight units, three of them reached while others were not."""

    min_units: int = 8
    min_reached: int = 3
    place: ClassVar[int] = 0
    mend: ClassVar[str] = (
        "reach eight or more units one after the other, and list every one with its date; where "
        "single agents were reached, list agents"
    )

    def run(self, study: RollOutStudy) -> CheckResult:
        """Count units with contacts, and those that were reached in them."""
        contacts = study.imputation.contacts
        reached = int(np.unique(contacts.unit[contacts.reached]).size)
        enough = contacts.units >= self.min_units and reached >= self.min_reached
        return CheckResult(
            "units",
            enough,
            float(contacts.units),
            float(self.min_units),
            f"{contacts.units} units can be compared, of which {reached} were reached; "
            f"{self.min_units} are needed, {self.min_reached} of them reached.",
            {"reached": float(reached)},
        )
