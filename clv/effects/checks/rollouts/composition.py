"""The roll-out must not have changed which cases its units answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from clv.effects.estimators.rollout import Imputation
from clv.effects.results import CheckResult

if TYPE_CHECKING:
    from clv.effects.checks.rollouts.base import RollOutStudy


@dataclass(frozen=True)
class Composition:
    """What the case mix predicts of the outcome did not move when units were reached."""

    min_p: float = 0.05
    place: ClassVar[int] = 2
    mend: ClassVar[str] = (
        "keep the routing as it is while something is rolled out, and record what decides who "
        "answers (queue, issue type, priority)"
    )

    def run(self, study: RollOutStudy) -> CheckResult:
        """Estimate the roll-out's effect on the outcome that the case mix predicts."""
        whole = study.imputation
        mix = whole.case_mix(study.outcome)
        bare = Imputation(whole.contacts.without_controls())
        moved = bare.interval(mix, study.level, study.seed)
        return CheckResult(
            "composition",
            moved.p_value >= self.min_p,
            moved.p_value,
            self.min_p,
            "Units answered the same kind of case after they were reached."
            if moved.p_value >= self.min_p
            else "Units answered another kind of case after they were reached.",
            {"moved": moved.estimate},
        )
