"""What customers are worth from a day on: the exact expectation, given all that is hidden.

Given S, orders are Poisson, leaving is exponential and spend has a known mean, so margin
over a stretch is integrated, not drawn. Only the contacts that lie ahead are drawn: they
move S. They come at rates that do not depend on S, so one set of draws serves every
counterfactual: common random numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.simulation.contacts import (
    Causes,
    draw_channels,
    draw_issues,
    draw_severity,
    problem_counts,
    problem_share,
)
from clv.simulation.purchases import KEPT, purchase_intensity, spend_factor
from clv.simulation.service import run_desk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clv.simulation.options import Effects
    from clv.simulation.world import World

DISCOUNT_RATE_ANNUAL = 0.10


@dataclass(frozen=True)
class Future:
    """Draws of the contacts that lie ahead of the customers who have not left.

    Attributes
    ----------
    world : World
        The company.
    person : ndarray of shape (a,)
        Entries of the customers who joined by the day and have not left.
    edges : ndarray of shape (g + 1,)
        Days: the horizon, cut where months begin.
    moved : ndarray of shape (draws, a, g + 1)
        What contacts ahead have added to S by each edge, as far as it has not faded.
    """

    world: World
    person: NDArray[np.int64]
    edges: NDArray[np.float64]
    moved: NDArray[np.float64]

    def value(
        self, level: NDArray[np.float64], discount_rate_annual: float = 0.0
    ) -> NDArray[np.float64]:
        """Return each customer's expected margin over the horizon, shape (a,).

        Parameters
        ----------
        level : ndarray of shape (a,)
            S at the start of the horizon.
        discount_rate_annual : float
            By which margin is discounted to the start.
        """
        effects, crowd = self.world.options.effects, self.world.crowd
        person, calendar = self.person, self.world.calendar
        share = problem_share(self.world.options, crowd)[person]
        worth = (crowd.rate * crowd.spend * crowd.margin_rate)[person] * KEPT
        season = np.diff(calendar.season_at(self.edges))
        width = np.diff(self.edges) / 365.0
        middle = (self.edges[:-1] + self.edges[1:]) / 2 - self.edges[0]
        factor = (1 + discount_rate_annual) ** (-middle / 365.0)
        left = effects.left_after(self.edges - self.edges[0])
        total = np.zeros(person.size)
        for moved in self.moved:
            summed = np.zeros(person.size)
            at = left[0] * level + moved[:, 0]
            earns, leaves = self._pace(effects, crowd.leaving[person], share, at)
            for g in range(width.size):
                later = left[g + 1] * level + moved[:, g + 1]
                earns_then, leaves_then = self._pace(effects, crowd.leaving[person], share, later)
                hazard = (leaves + leaves_then) / 2 * width[g]
                present = np.exp(-summed) * -np.expm1(-hazard) / np.maximum(hazard, 1e-12)
                total += factor[g] * season[g] * present * (earns + earns_then) / 2
                summed += hazard
                earns, leaves = earns_then, leaves_then
        return worth * total / self.moved.shape[0]

    @staticmethod
    def _pace(
        effects: Effects,
        leaving: NDArray[np.float64],
        share: NDArray[np.float64],
        level: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the factor of margin per season, and the hazard of leaving a year, at S."""
        earns = purchase_intensity(effects, level, share) * spend_factor(effects, level)
        return earns, leaving * np.exp(-effects.survival * level)


def future(world: World, begin: float, days: int, draws: int, rng: np.random.Generator) -> Future:
    """Draw the contacts of a horizon of ``days`` days that starts at day ``begin``."""
    crowd, calendar = world.crowd, world.calendar
    end = begin + days
    person = np.flatnonzero((crowd.rate > 0) & (crowd.joined < begin) & (world.path.left > begin))
    inner = calendar.edges[(calendar.edges > begin) & (calendar.edges < end)]
    edges = np.concatenate(([begin], inner, [end]))
    place = np.full(crowd.count, -1)
    place[person] = np.arange(person.size)
    moved = np.zeros((draws, person.size, edges.size))
    for draw in range(draws):
        ahead = _ahead(world, place >= 0, begin, end, rng)
        served, _ = run_desk(world.desk, ahead, rng, world.usual)
        day = calendar.days(served.started_s)
        at = np.searchsorted(edges, day, side="right")
        inside = at < edges.size
        rows = (place[served.causes.person[inside]], at[inside])
        left = world.options.effects.left_after(edges[at[inside]] - day[inside])
        np.add.at(moved[draw], rows, served.step[inside] * left)
    passed = world.options.effects.left_after(np.diff(edges))
    for edge in range(1, edges.size):  # a sum over the edges, of which the earlier part fades
        moved[:, :, edge] += moved[:, :, edge - 1] * passed[edge - 1]
    return Future(world, person, edges, moved)


def _ahead(
    world: World, who: NDArray[np.bool_], begin: float, end: float, rng: np.random.Generator
) -> Causes:
    """Draw first contacts of a horizon, at the rates of ``causes``."""
    crowd, calendar = world.crowd, world.calendar
    start = np.full(crowd.count, begin)
    orders, other = problem_counts(world.options, calendar, crowd, start, end, rng)
    everyone = np.flatnonzero(who)
    person = np.concatenate([np.repeat(everyone, orders[who]), np.repeat(everyone, other[who])])
    about_order = np.arange(person.size) < orders[who].sum()
    spot = rng.random(person.size)
    first, last = calendar.season_at(np.array([begin, end]))
    seasonal = calendar.day_of_season(first + spot * (last - first))
    issue = draw_issues(about_order, rng)
    return Causes(
        person=person,
        triggered=np.full(person.size, np.nan),
        days=np.floor(np.where(about_order, seasonal, begin + spot * (end - begin))),
        issue=issue,
        channel=draw_channels(crowd.taste[person], rng),
        severity=draw_severity(issue, crowd.temperament[person], rng),
    )
