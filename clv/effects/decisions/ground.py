"""What the target of a behaviour stands on: its support, its cost, and what is believed of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from clv.effects.decisions.curves import scale_curve, step_scales, supported_scales
from clv.effects.decisions.evidence import (
    agents_observation,
    beliefs_of,
    price_of,
    read_out_observations,
)

if TYPE_CHECKING:
    from clv.effects.decisions.curves import Curve
    from clv.effects.decisions.evidence import Beliefs, Observation
    from clv.effects.decisions.options import Circumstances, TargetOptions
    from clv.effects.design.exposure import Basis, Floats
    from clv.effects.estimators.examiner import Instrumented
    from clv.effects.estimators.study import Study


@dataclass(frozen=True)
class Ground:
    """What the target of one behaviour stands on.

    Attributes
    ----------
    study : Study
    one : Basis
        The behaviour's terms.
    support : tuple of float
        Scales in which agents of one pool already are; 1 is today.
    cost_per_minute : float or None
        Of an agent.
    beliefs : Beliefs
        Of the coefficients, per contact.
    coefficients, covariance : float64 arrays
        The estimate that the band is drawn from.
    degrees : float
        Of the band's t.
    """

    study: Study
    one: Basis
    support: tuple[float, float]
    cost_per_minute: float | None
    beliefs: Beliefs
    coefficients: Floats
    covariance: Floats
    degrees: float

    @property
    def current(self) -> float:
        """Today's mean, or the median of durations."""
        raw = self.study.exposure.behaviours[self.one.behaviour.name][self.one.present]
        return float(np.median(raw) if self.one.behaviour.transform == "log" else raw.mean())

    @property
    def treated(self) -> float:
        """Contacts with an occasion, per customer in contact and year."""
        return self.study.exposure.treated(self.one.behaviour.name)

    def curve(self, scales: Floats) -> Curve:
        """Return the policy per customer and year."""
        return scale_curve(self.study.exposure, self.one, scales, self.cost_per_minute)

    def steps(self, max_step: float) -> Curve:
        """Return the settings within one step, per contact with an occasion."""
        raw = self.study.exposure.behaviours[self.one.behaviour.name][self.one.present]
        scales = step_scales(self.one, float(raw.mean()), self.support, max_step)
        return self.curve(scales).times(1 / self.treated)


def ground_of(
    study: Study,
    fit: Instrumented | None,
    behaviour: str,
    cost_per_minute: float | None,
    options: TargetOptions,
    circumstances: Circumstances | None = None,
) -> Ground:
    """Gather what is known of a behaviour: the agents' estimate, read-outs, and the prior.

    The band is drawn from the agents' estimate alone; with a read-out, from what both say.
    """
    one = study.basis(behaviour)
    support, price = supported_scales(study, one), price_of(one, cost_per_minute)
    rule = options.decisions
    seen: list[Observation] = []
    if fit is not None:
        seen.append(agents_observation(study, fit, behaviour))
    read = read_out_observations(study, one, circumstances, rule.max_step)
    beliefs = beliefs_of(study, one, support, price, [*seen, *read], rule)
    ground = Ground(
        study, one, support, cost_per_minute, beliefs,
        beliefs.usual.mean, beliefs.usual.covariance, np.inf,
    )  # fmt: skip
    if fit is None or read:
        return ground
    columns = study.columns(behaviour)
    return replace(
        ground,
        coefficients=fit.coefficients[columns],
        covariance=fit.covariance[columns, columns],
        degrees=max(study.degrees, 1),
    )
