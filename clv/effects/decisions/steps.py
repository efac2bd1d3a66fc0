"""One step and its chances: how far at once, what it brings, and what may go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from clv.effects.results import rounded

if TYPE_CHECKING:
    from clv.effects.decisions.curves import Curve
    from clv.effects.decisions.evidence import Beliefs

Grade = Literal["proven", "likely", "open", "settled", "refused"]
GRADES: tuple[Grade, ...] = ("proven", "likely", "open", "settled", "refused")


@dataclass(frozen=True)
class Money:
    """An amount by its three bases.

    Attributes
    ----------
    per_contact : float
        Currency per contact with an occasion.
    per_customer_year : float
        Per customer in contact and year.
    per_year : float or None
        For the whole company and a year; None where its contacts a year are not known.
    """

    per_contact: float
    per_customer_year: float
    per_year: float | None

    def as_dict(self) -> dict[str, object]:
        """Return the amount as JSON-able values."""
        return {
            "per_contact": rounded(self.per_contact),
            "per_customer_year": rounded(self.per_customer_year),
            "per_year": rounded(self.per_year),
        }


@dataclass(frozen=True)
class Bases:
    """How many contacts an amount per contact stands for.

    Attributes
    ----------
    per_customer_year : float
        Contacts with an occasion, per customer in contact and year.
    per_year : float or None
        Contacts with an occasion a year, of the company.
    """

    per_customer_year: float
    per_year: float | None

    def money(self, per_contact: float) -> Money:
        """Return an amount per contact by all bases."""
        year = None if self.per_year is None else per_contact * self.per_year
        return Money(per_contact, per_contact * self.per_customer_year, year)


@dataclass(frozen=True)
class Step:
    """A move of one step, or less.

    Attributes
    ----------
    start, to : float
        From today's value to the next, in the behaviour's unit.
    probability : float
        That its net gain is above 0.
    probability_low, probability_high : float
        The least and the largest of that with the prior half and twice as wide.
    expected_gain, expected_loss, worst_case : Money
        Net of cost; the worst case is the 5 % quantile.
    """

    start: float
    to: float
    probability: float
    probability_low: float
    probability_high: float
    expected_gain: Money
    expected_loss: Money
    worst_case: Money

    def as_dict(self) -> dict[str, object]:
        """Return the step as JSON-able values."""
        return {
            "from": rounded(self.start),
            "to": rounded(self.to),
            "probability": rounded(self.probability, 4),
            "probability_low": rounded(self.probability_low, 4),
            "probability_high": rounded(self.probability_high, 4),
            "expected_gain": self.expected_gain.as_dict(),
            "expected_loss": self.expected_loss.as_dict(),
            "worst_case": self.worst_case.as_dict(),
        }


def likely_at(
    beliefs: Beliefs, curve: Curve, least_probability: float, least_gain: float
) -> int | None:
    """Return the step with the highest expected gain among those likely enough to pay.

    Parameters
    ----------
    beliefs : Beliefs
        Of the coefficients.
    curve : Curve
        The settings within one step, per contact.
    least_probability : float
        Of a gain.
    least_gain : float
        That is worth a change, per contact.
    """
    seen = beliefs.usual.outlook(curve)
    usable = (seen.probability >= least_probability) & (seen.gain > least_gain)
    usable &= curve.scales != 1
    if not usable.any():
        return None
    return int(np.argmax(np.where(usable, seen.gain, -np.inf)))


def step_to(beliefs: Beliefs, curve: Curve, at: int, current: float, bases: Bases) -> Step:
    """Return the step to one point of a curve per contact."""
    seen = beliefs.usual.outlook(curve)
    chances = beliefs.probabilities(curve)[:, at]
    return Step(
        start=current,
        to=float(curve.scales[at]) * current,
        probability=float(chances[0]),
        probability_low=float(chances.min()),
        probability_high=float(chances.max()),
        expected_gain=bases.money(float(seen.gain[at])),
        expected_loss=bases.money(float(seen.loss[at])),
        worst_case=bases.money(float(seen.worst[at])),
    )
