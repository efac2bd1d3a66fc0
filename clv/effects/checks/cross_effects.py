"""Whether agents move each behaviour alike in all cases: no cross effects, one direction.

With several treatments the instruments' estimate is a mean of effects only where, whatever the
case, an agent's mean of one behaviour moves that behaviour in one direction and, given the other
behaviours' means, no other (Bhuller & Sigstad 2022, "2SLS with multiple treatments",
arXiv:2205.07836). Over all contacts that holds by construction; in a part of them that was known
before it can fail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy import stats

from clv.effects.estimators.residuals import clustered
from clv.effects.results import CheckResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from clv.effects.checks.base import Estimated
    from clv.effects.design.exposure import Floats
    from clv.effects.estimators.study import Study
    from clv.effects.results import Evidence


@dataclass(frozen=True)
class CrossEffects:
    """Whether agents move the behaviour alike in parts of the contacts.

    Parts are the contacts with long and with short expected handle times, and of customers from
    whom much and from whom little was to be expected. Some cross effect is nearly everywhere (a
    minute solves more in short cases than in long ones), so that only one larger than a share
    of the behaviour's own first stage is told.

    Attributes
    ----------
    min_p : float
        Of no cross effect larger than that, and of no part in which the direction turns.
    tolerated : float
        The share: of what agents move the behaviour itself.
    """

    applies_to: ClassVar[tuple[Evidence, ...]] = ("quasi-experimental",)
    place: ClassVar[int] = 80

    min_p: float = 0.01
    tolerated: float = 0.1

    def run(self, estimated: Estimated) -> CheckResult:
        """Regress the behaviour in each part on what the instruments predict of all."""
        study, columns = estimated.study, estimated.study.columns(estimated.behaviour)
        others = [
            n for n in range(study.residuals.shape[1]) if not columns.start <= n < columns.stop
        ]
        lead, own, cross = columns.start, [], []
        for rows in _parts(study):
            coefficients, errors = _first_stage(study, rows, lead)
            ratios = np.divide(coefficients, errors, out=np.zeros_like(errors), where=errors > 0)
            own.append(float(ratios[lead]))
            spare = self.tolerated * max(own[-1], 0.0)
            cross += [abs(float(ratios[n])) - spare for n in others]
        degrees = max(study.degrees, 1)
        largest = max(cross, default=0.0)
        # The parts of one division mirror each other: half of the ratios are tests of their own.
        tests = max(len(cross) // 2, 1)
        crossed = min(float(2 * stats.t.sf(largest, degrees)) * tests, 1.0) if largest > 0 else 1.0
        against = min(float(stats.t.cdf(min(own, default=0.0), degrees)) * len(own), 1.0)
        p_value = min(crossed, against)
        passed = p_value >= self.min_p
        return CheckResult(
            "cross_effects",
            passed,
            p_value,
            self.min_p,
            "Agents move the behaviour alike in all parts of the contacts that were looked at."
            if passed
            else (
                "In part of the contacts, what agents do with another behaviour moves this one: "
                "its worth may be in the number."
                if crossed <= against
                else "In part of the contacts, agents move the behaviour the other way."
            ),
            {"cross_p": crossed, "monotonicity_p": against},
        )


def _parts(study: Study) -> Iterator[NDArray[np.int64]]:
    """Yield the contacts above and below the median of what was known before."""
    usable = study.followed & (study.exposure.agent >= 0)
    expected = [np.where(usable, study.exposure.outcome - study.outcome, np.nan)]
    expected += [
        np.where(usable & one.present, one.values[:, 0] - study.residuals[:, column], np.nan)
        for one in study.bases
        if one.behaviour.transform == "log"
        for column in [study.columns(one.behaviour.name).start]
    ]
    for values in expected:
        middle = np.nanmedian(values)
        for side in (values <= middle, values > middle):
            yield np.flatnonzero(side)


def _first_stage(study: Study, rows: NDArray[np.int64], term: int) -> tuple[Floats, Floats]:
    """Return coefficients of a term on all terms' predictions, and their errors, over agents."""
    instrument, residuals = study.instrument, study.residuals
    gram = np.linalg.pinv(instrument.T @ instrument)
    predicted = instrument[rows] @ (gram @ (instrument.T @ residuals))
    bread = np.linalg.pinv(predicted.T @ predicted)
    coefficients = bread @ (predicted.T @ residuals[rows, term])
    rest = residuals[rows, term] - predicted @ coefficients
    scores = predicted * rest[:, None]
    agents = study.exposure.n_agents
    spread = bread @ clustered(scores, study.exposure.agent[rows]) @ bread
    return coefficients, np.sqrt(np.diag(spread) * agents / max(agents - 1, 1))
