"""What a decision rests on: the agents' estimate and the read-outs of experiments.

Levels of evidence stay side by side wherever they are shown. The belief behind a decision
carries the name of the highest level that passed; where an experiment and the agents' design
both passed, both inform it, each by its precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.effects.decisions.curves import scale_curve
from clv.effects.decisions.posterior import WIDTHS, Belief, prior_of, widened
from clv.effects.design.exposure import HANDLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clv.effects.decisions.curves import Curve
    from clv.effects.decisions.options import Circumstances, DecisionOptions
    from clv.effects.design.exposure import Basis, Floats
    from clv.effects.estimators.examiner import Instrumented
    from clv.effects.estimators.study import Study
    from clv.effects.results import Evidence
    from clv.experiments.results import ReadOut

OUTCOME = "value_undiscounted"


@dataclass(frozen=True)
class Observation:
    """Something seen of the coefficients: ``observed = design @ coefficients`` with noise.

    Attributes
    ----------
    evidence : str
        The level that it is of.
    design : float64 array, shape (q, m)
    observed : float64 array, shape (q,)
    noise : float64 array, shape (q, q)
    """

    evidence: Evidence
    design: Floats
    observed: Floats
    noise: Floats


@dataclass(frozen=True)
class Beliefs:
    """What is believed of one behaviour's coefficients, per contact with an occasion.

    Attributes
    ----------
    usual : Belief
        Under the stated prior.
    others : tuple of Belief
        With the prior half and twice as wide: how far a probability rests on it.
    evidence : str
        The highest level of evidence behind it.
    """

    usual: Belief
    others: tuple[Belief, ...]
    evidence: Evidence

    def probabilities(self, curve: Curve) -> Floats:
        """Return the chances of a gain under each prior, shape (3, P)."""
        return np.stack([one.outlook(curve).probability for one in (self.usual, *self.others)])


def agents_observation(study: Study, fit: Instrumented, behaviour: str) -> Observation:
    """Return what the agents' design says of a behaviour's coefficients."""
    columns = study.columns(behaviour)
    noise = widened(fit.covariance[columns, columns], max(study.degrees, 1))
    coefficients = fit.coefficients[columns]
    return Observation("quasi-experimental", np.eye(len(coefficients)), coefficients, noise)


def read_out_observations(
    study: Study, one: Basis, circumstances: Circumstances | None, step: float
) -> list[Observation]:
    """Return what experiments say of a behaviour's coefficients.

    A read-out counts where its arms are as large as planned, it moved the behaviour beyond
    doubt, and it is of the same outcome and horizon. Its slope is the mean one of a step in
    the direction in which it moved: along a curve it says nothing of the bend.
    """
    if circumstances is None:
        return []
    found = []
    for read_out in circumstances.read_outs:
        usable = read_out.trusted and read_out.outcome == OUTCOME
        if not usable or read_out.horizon_days != circumstances.horizon_days:
            continue
        for moved in read_out.moved:
            if moved.behaviour == one.behaviour.name and moved.slope is not None:
                scale = 1 + np.sign(moved.shift.estimate) * step
                per = scale_curve(study.exposure, one, np.array([scale]), None)
                treated = study.exposure.treated(one.behaviour.name)
                today = float(study.exposure.behaviours[one.behaviour.name][one.present].mean())
                row = per.terms / (treated * today * (scale - 1))
                noise = np.array([[moved.slope.standard_error**2]])
                seen = np.array([moved.slope.estimate])
                found.append(Observation("experimental", row, seen, noise))
    return found


def read_outs_on(behaviour: str, read_outs: Sequence[ReadOut]) -> bool:
    """Say whether any read-out moved a behaviour beyond doubt."""
    return any(
        moved.behaviour == behaviour and moved.slope is not None
        for read_out in read_outs
        for moved in read_out.moved
        if read_out.trusted
    )


def price_of(one: Basis, cost_per_minute: float | None) -> float:
    """Return what a unit of a behaviour costs: a second of an agent's time, money itself."""
    if one.behaviour.is_money:
        return 1.0
    timed = one.behaviour.name == HANDLE.name and cost_per_minute is not None
    return cost_per_minute / 60.0 if timed and cost_per_minute is not None else 0.0


def beliefs_of(
    study: Study,
    one: Basis,
    support: tuple[float, float],
    price: float,
    observations: Sequence[Observation],
    options: DecisionOptions,
) -> Beliefs:
    """Update the stated prior, and the narrower and wider ones, by all observations."""
    found = []
    for width in (1.0, *WIDTHS):
        belief = prior_of(study, one, support, price, options, width)
        for seen in observations:
            belief = belief.learn(seen.design, seen.observed, seen.noise)
        found.append(belief)
    experimental = any(seen.evidence == "experimental" for seen in observations)
    return Beliefs(
        found[0], tuple(found[1:]), "experimental" if experimental else "quasi-experimental"
    )
