"""Habits of an agent who did not answer must move nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from clv.effects.results import CheckResult

if TYPE_CHECKING:
    from clv.effects.checks.base import Estimated
    from clv.effects.results import Evidence


@dataclass(frozen=True)
class PlaceboBehaviour:
    """Habits of an agent who did not answer must move nothing."""

    applies_to: ClassVar[tuple[Evidence, ...]] = ("quasi-experimental",)
    place: ClassVar[int] = 30

    draws: int = 40
    max_share: float = 0.2

    def run(self, estimated: Estimated) -> CheckResult:
        """Deal agents' habits anew within strata, and count how often they seem to matter."""
        study = estimated.study
        column = study.columns(estimated.behaviour).start
        exposure = study.exposure
        usable = study.present[:, column] & (exposure.agent >= 0) & study.followed
        rows = np.flatnonzero(usable)
        rows = rows[np.argsort(exposure.stratum[rows], kind="stable")]
        habit = study.instrument[rows, column]
        stratum = exposure.stratum[rows].astype(np.float64)
        outcome, customer = study.outcome[rows], exposure.customer[rows]
        rng = np.random.default_rng(estimated.options.seed)
        alarms = 0
        for _ in range(self.draws):
            permuted = habit[np.argsort(stratum + rng.random(len(rows)))]
            # Windows of one customer's contacts overlap: scores are summed over them.
            scores = np.bincount(customer, weights=permuted * outcome)
            alarms += abs(scores.sum()) > 1.96 * np.sqrt((scores**2).sum())
        share = alarms / self.draws
        return CheckResult(
            "placebo_behaviour",
            bool(share <= self.max_share),
            share,
            self.max_share,
            f"Habits of agents who did not answer seemed to matter in {share:.0%} of "
            f"{self.draws} draws; 5 % are expected.",
        )
