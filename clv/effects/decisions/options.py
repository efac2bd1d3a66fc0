"""When a move is recommended, and what is known of the company that would make it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from clv.errors import UsageError
from clv.windows import WEEKS_PER_YEAR

if TYPE_CHECKING:
    import datetime as dt

    from clv.effects.estimators.study import Study
    from clv.experiments.results import ReadOut


@dataclass(frozen=True)
class DecisionOptions:
    """How chances are weighed into a decision.

    Attributes
    ----------
    loss_ratio : float
        How many times a loss weighs against an equal gain missed; a step is taken where the
        chance that it pays is at least ``loss_ratio / (loss_ratio + 1)``.
    max_step : float
        The most that is moved at once before measuring again: a share of a duration or an
        amount, or points of a share (.1 is ten points).
    prior_share : float
        The prior, before any data: moving a contact's behaviour to the edge of what agents
        already do changes what follows by this share of it (one standard deviation).
    prior_nothing : float
        The prior chance that a behaviour has nothing to gain in either direction.
    benefit_years : float
        For how long a decision is taken to hold, when the worth of knowing more is counted.
    max_weeks : int
        An experiment that would take longer is not proposed.
    briefing_minutes : float
        Of each agent who is told of an experiment.
    settling_days : int
        Days at a new setting before its contacts are measured again.
    """

    loss_ratio: float = 4.0
    max_step: float = 0.1
    prior_share: float = 0.05
    prior_nothing: float = 0.25
    benefit_years: float = 1.0
    max_weeks: int = 52
    briefing_minutes: float = 30.0
    settling_days: int = 30

    def __post_init__(self) -> None:
        if not 0 < self.loss_ratio < np.inf:
            raise UsageError(f"decisions.loss_ratio is {self.loss_ratio}; expected more than 0.")
        if not 0 < self.prior_share < np.inf:
            raise UsageError(f"decisions.prior_share is {self.prior_share}; expected more than 0.")
        if not 0 <= self.prior_nothing < 1:
            raise UsageError(
                f"decisions.prior_nothing is {self.prior_nothing}; expected 0 to less than 1."
            )
        if not 0 < self.max_step <= 1:
            raise UsageError(
                f"decisions.max_step is {self.max_step}; expected more than 0, at most 1."
            )

    @property
    def least_probability(self) -> float:
        """The chance to pay from which a step is taken.

        Examples
        --------
        >>> DecisionOptions(loss_ratio=4).least_probability
        0.8
        """
        return self.loss_ratio / (self.loss_ratio + 1)


@dataclass(frozen=True)
class TargetOptions:
    """When a move is proven, and how the other decisions are taken.

    Attributes
    ----------
    level : float
        Of the simultaneous band.
    max_false_moves : float
        The share of companies without anything to gain in which any target may be proven.
    draws : int
        Of the coefficients.
    min_gain_share : float
        The least gain worth a change, as a share of the mean outcome.
    seed : int
        Of the draws.
    decisions : DecisionOptions
        Of what is not proven.
    """

    level: float = 0.95
    max_false_moves: float = 0.03
    draws: int = 2000
    min_gain_share: float = 0.003
    seed: int = 0
    decisions: DecisionOptions = field(default_factory=DecisionOptions)

    def least_gain(self, study: Study) -> float:
        """Return the least gain worth a change, in currency per customer and year."""
        return self.min_gain_share * abs(float(np.nanmean(study.exposure.outcome)))


@dataclass(frozen=True)
class Circumstances:
    """What a decision needs to know beside the effects.

    Attributes
    ----------
    contacts_a_year : float
        Of the whole company, with an agent.
    horizon_days : int
        Days of follow-up after a contact.
    known_until : datetime.date
        The last day of the data.
    read_outs : tuple of ReadOut
        Experiments that were read.
    """

    contacts_a_year: float
    horizon_days: int
    known_until: dt.date
    read_outs: tuple[ReadOut, ...] = ()

    @property
    def contacts_a_week(self) -> float:
        """Contacts of an average week."""
        return self.contacts_a_year / WEEKS_PER_YEAR
