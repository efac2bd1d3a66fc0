"""What customers are worth from a day on, and what the experiment of the year before did to it.

The experiment changed agents' contacts that customers began in the exposure year, of customers
with a purchase by ``as_of``; it is measured by margin in the horizon after it. Nothing is
redrawn between factual and counterfactual; orders and leaving are integrated. What one contact
does is in ``per_contact``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.simulation.purchases import levels_at, sum_so_far
from clv.simulation.truths.future import DISCOUNT_RATE_ANNUAL, Future

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clv.simulation.world import World

EXPOSURE_DAYS = 365.0


@dataclass(frozen=True)
class Exposure:
    """The contacts of a year, and the future of their customers.

    Attributes
    ----------
    world : World
        The company.
    rows : ndarray of shape (e,)
        Entries of the exposed contacts in ``Service``, by customer and time.
    population : ndarray of shape (p,)
        Entries of their customers.
    day : float
        The end of the exposure, in days since the start.
    ahead : Future
        Draws of the horizon.
    level : ndarray of shape (a,)
        S at ``day`` of the customers of ``ahead``.
    """

    world: World
    rows: NDArray[np.int64]
    population: NDArray[np.int64]
    day: float
    ahead: Future
    level: NDArray[np.float64]

    def gain(self, steps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what extra steps of the exposed contacts are worth.

        Parameters
        ----------
        steps : ndarray of shape (e,)
            What the change adds to each contact's step.

        Returns
        -------
        ndarray of shape (n,)
            Currency per customer over the horizon; 0 for those who had left.

        Notes
        -----
        Changed service also changes who is still there at ``day``. Given the contacts, a
        customer's summed hazard moves by d, and the expectation over the exponential clock
        of the customers who are there is multiplied by exp(−d). Where effects fade, d takes
        what was added at its mean over the stretch.
        """
        world, person = self.world, self.world.served.causes.person[self.rows]
        effects = world.options.effects
        start = world.calendar.days(world.served.started_s[self.rows])
        total = sum_so_far(effects, steps, start, person)
        level = levels_at(world.path, person, np.maximum(start, world.crowd.joined[person]))
        survival = effects.survival
        # between exposed contacts S may move by other contacts: they are few, and S then
        # enters only through the small difference of two hazards
        last = np.append(person[1:] != person[:-1], True)
        until = np.where(last, self.day, np.append(start[1:], 0.0))
        pace = world.crowd.leaving[person] * np.exp(-survival * level)
        held = total * effects.mean_left(np.zeros(start.size), until - start)
        spared = pace * -np.expm1(-survival * held) * (until - start) / 365.0
        count = world.crowd.count
        kept = steps * effects.left_after(self.day - start)
        moved = np.bincount(person, weights=kept, minlength=count)[self.ahead.person]
        stay = np.exp(np.bincount(person, weights=spared, minlength=count)[self.ahead.person])
        gained = np.zeros(count)
        usual = self.ahead.value(self.level)
        gained[self.ahead.person] = stay * self.ahead.value(self.level + moved) - usual
        return gained

    def mean_gain(self, steps: NDArray[np.float64]) -> float:
        """Return the mean of ``gain`` over the population."""
        return float(self.gain(steps)[self.population].mean())


def expose(world: World, begin: float, ahead: Future) -> Exposure:
    """Find agents' contacts of the year up to day ``begin``."""
    days = world.calendar.days(world.served.started_s)
    person = world.served.causes.person
    known = (world.crowd.joined[person] < begin) & (world.crowd.rate[person] > 0)
    inside = (days >= begin - EXPOSURE_DAYS) & (days < begin) & world.served.by_agent & known
    rows = np.flatnonzero(inside)
    level = levels_at(world.path, ahead.person, np.full(ahead.person.size, begin))
    return Exposure(world, rows, np.unique(person[rows]), begin, ahead, level)


def true_experiment(exposed: Exposure) -> dict[str, float]:
    """Return what coaching did: coached against control, for every assigned customer.

    Each arm's own contacts are compared with and without coaching, so the difference is
    over all assigned customers, with contacts or without.
    """
    world, rows = exposed.world, exposed.rows
    served, lift = world.served, world.options.experiment_lift
    arm = world.arms[served.causes.person[rows]]
    leaning = served.leaning[rows]
    # a coached leaning already holds the lift; the uncoached one may still gain it
    lifted = np.where(arm == 1, np.minimum(lift, leaning), np.minimum(lift, 1.0 - leaning))
    added = lifted * (arm >= 0) * (served.occasions[rows] > 0)
    steps = world.options.effects.empathy * added
    gained = exposed.gain(np.where(arm == 1, 0.0, steps)) - exposed.gain(
        np.where(arm == 1, -steps, 0.0)
    )
    assigned = world.arms >= 0
    reached = np.intersect1d(exposed.population, np.flatnonzero(assigned))
    count = max(int((added > 0).sum()), 1)
    return {
        "customers": int(assigned.sum()),
        "customers_with_contacts": int(reached.size),
        "value": float(gained[assigned].mean()) if assigned.any() else 0.0,
        "value_with_contacts": float(gained[reached].mean()) if reached.size else 0.0,
        "empathy_lift": float(added.sum()) / count,
    }


def expected_margin(ahead: Future, level: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return every customer's expected margin, undiscounted and discounted, shape (n,)."""
    values = {}
    for name, rate in (("margin", 0.0), ("margin_discounted", DISCOUNT_RATE_ANNUAL)):
        values[name] = np.zeros(ahead.world.crowd.count)
        values[name][ahead.person] = ahead.value(level, rate)
    return values
