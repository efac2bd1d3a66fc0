"""At equal controls the behaviour must still differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.effects.results import CheckResult

if TYPE_CHECKING:
    from clv.effects.estimators.study import Study


@dataclass(frozen=True)
class Overlap:
    """At equal controls the behaviour must still differ."""

    min_share: float = 0.01

    def run(self, study: Study, behaviour: str) -> CheckResult:
        """Measure what share of the behaviour's spread controls leave."""
        columns = study.columns(behaviour)
        rows = np.flatnonzero(study.present[:, columns.start])
        raw, rest = study.terms[rows, columns], study.residuals[rows, columns]
        share = float((rest.var(axis=0) / np.maximum(raw.var(axis=0), 1e-300)).min())
        return CheckResult(
            "overlap",
            share >= self.min_share,
            share,
            self.min_share,
            f"{share:.0%} of the spread in {behaviour} is not explained by what was known before.",
        )
