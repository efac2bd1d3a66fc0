"""The truth of a company: what customers are worth, and what service behaviours do to it.

Every effect changes exactly the contacts that a study could have changed: agents' contacts
that customers began in the exposure year, of customers with a purchase by ``as_of``; and
measures exactly the outcome it would measure: margin in the horizon after it. Nothing is
redrawn between factual and counterfactual; orders and leaving are integrated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from clv.simulation.purchases import levels_at, sum_so_far
from clv.simulation.service import log_handle, resolution_log_odds
from clv.simulation.truths.future import DISCOUNT_RATE_ANNUAL, Future

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clv.simulation.world import World

EXPOSURE_DAYS = 365.0
SCALES = tuple(round(0.5 + 0.05 * step, 2) for step in range(23))
EMPATHY_CHANGE, HANDLE_CHANGE_SECONDS, FCR_CHANGE = 0.1, 60.0, 0.1


@dataclass(frozen=True)
class Effect:
    """What a change of every exposed contact does to margin over the horizon.

    Attributes
    ----------
    behaviour : str
        ``empathy``, ``handle_seconds``, ``handle_seconds_total`` or ``fcr``.
    change : float
        By which it changes on every contact that can change.
    unit : str
        Of the change.
    value : float
        Currency per customer of the population over the horizon.
    per_contact : float
        The same, per contact that changes.
    held : str
        What stays as it was.
    """

    behaviour: str
    change: float
    unit: str
    value: float
    per_contact: float
    held: str


@dataclass(frozen=True)
class Exposure:
    """The contacts that effects change, and the future of their customers.

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
    """Find the contacts that an effect as of day ``begin`` changes."""
    days = world.calendar.days(world.served.started_s)
    person = world.served.causes.person
    known = (world.crowd.joined[person] < begin) & (world.crowd.rate[person] > 0)
    inside = (days >= begin - EXPOSURE_DAYS) & (days < begin) & world.served.by_agent & known
    rows = np.flatnonzero(inside)
    level = levels_at(world.path, ahead.person, np.full(ahead.person.size, begin))
    return Exposure(world, rows, np.unique(person[rows]), begin, ahead, level)


def handle_steps(
    exposed: Exposure, seconds: NDArray[np.float64], *, through_fcr: bool
) -> NDArray[np.float64]:
    """Return what handle times of ``seconds`` would add to each exposed contact's step."""
    effects, served, rows = exposed.world.options.effects, exposed.world.served, exposed.rows
    x, y = log_handle(served.handle_seconds[rows]), log_handle(seconds)
    step = effects.handle_log * (y - x) + effects.handle_log2 * (y**2 - x**2)
    if through_fcr:
        person = served.causes.person[rows]
        rest = (
            exposed.world.staff.skill[served.agent[rows]],
            served.causes.issue[rows],
            served.causes.severity[rows],
            exposed.world.crowd.temperament[person],
        )
        later = expit(resolution_log_odds(effects, y, *rest))
        step = step + effects.fcr * (later - expit(resolution_log_odds(effects, x, *rest)))
    return step


def true_effects(exposed: Exposure) -> tuple[Effect, ...]:
    """Return the true effects of the changes that the product reports."""
    effects, served, rows = exposed.world.options.effects, exposed.world.served, exposed.rows
    occasion = served.occasions[rows] > 0
    longer = served.handle_seconds[rows] + HANDLE_CHANGE_SECONDS
    everyone = np.ones(rows.size, dtype=bool)
    warmer = np.where(occasion, effects.empathy * EMPATHY_CHANGE, 0.0)
    solved = np.full(rows.size, effects.fcr * FCR_CHANGE)
    direct = handle_steps(exposed, longer, through_fcr=False)
    total = handle_steps(exposed, longer, through_fcr=True)
    minute = HANDLE_CHANGE_SECONDS
    plans = (
        ("empathy", EMPATHY_CHANGE, "share of occasions met", warmer, "handle_seconds, fcr"),
        ("handle_seconds", minute, "seconds", direct, "empathy, fcr"),
        ("handle_seconds_total", minute, "seconds", total, "empathy"),
        ("fcr", FCR_CHANGE, "share of contacts", solved, "empathy, handle_seconds"),
    )
    found = []
    for behaviour, change, unit, steps, held in plans:
        touched = occasion if behaviour == "empathy" else everyone
        value = exposed.mean_gain(steps)
        contacts = float(touched.sum()) / max(exposed.population.size, 1)
        per_contact = value / contacts if contacts else 0.0
        found.append(Effect(behaviour, change, unit, value, per_contact, held))
    return tuple(found)


def true_frontier(exposed: Exposure) -> list[dict[str, float]]:
    """Return the value and cost of scaling every exposed contact's handle time.

    ``value`` holds resolution fixed, ``value_total`` lets it move; ``cost`` is of agents'
    minutes at their own rates; all in currency per customer of the population.
    """
    world, rows = exposed.world, exposed.rows
    handle = world.served.handle_seconds[rows]
    hourly = world.staff.cost_per_hour[world.served.agent[rows]]
    curve = []
    for scale in SCALES:
        cost = float((handle * hourly).sum()) / 3_600 * (scale - 1) / exposed.population.size
        direct = exposed.mean_gain(handle_steps(exposed, scale * handle, through_fcr=False))
        total = exposed.mean_gain(handle_steps(exposed, scale * handle, through_fcr=True))
        curve.append(frontier_point(scale, direct, total, cost))
    return curve


def frontier_point(scale: float, direct: float, total: float, cost: float) -> dict[str, float]:
    """Return a setting of the frontier: value with resolution held and left to follow, net."""
    return {
        "scale": scale,
        "value": direct,
        "value_total": total,
        "cost": cost,
        "net": direct - cost,
        "net_total": total - cost,
    }


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
