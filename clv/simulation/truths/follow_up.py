"""What a contact's customer is worth in the days after it: the exact expectation, by month.

Given the company's contacts, S is known at every moment, orders are Poisson and leaving is
exponential: margin in (t, t + H] is integrated over stretches on which nothing changes, and
nothing is drawn. Who is in contact at t is there at t, and contacts come at rates that do not
depend on S, so the contacts after t are the same whatever was done in this one: common random
numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.simulation.contacts import problem_share
from clv.simulation.people import years
from clv.simulation.purchases import KEPT, purchase_intensity, running_sum, spend_factor
from clv.simulation.service import REPEATS_AT_MOST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from clv.simulation.world import World

    Floats = NDArray[np.float64]

MONTH_DAYS = 30
CHUNK_CONTACTS = 20_000  # bounds memory; results are per contact, so that it changes nothing
_SPAN = 1e5  # more than any span in days: persons do not overlap on the joint axis


@dataclass(frozen=True)
class Change:
    """What is added to S, at so many moments of each contact's follow-up.

    Attributes
    ----------
    days : tuple of ndarray, each of shape (C,)
        Days of the moments; infinite where a contact has no such moment.
    steps : tuple of ndarray, each of shape (C,)
        What is added to S at them.
    """

    days: tuple[Floats, ...]
    steps: tuple[Floats, ...]


@dataclass(frozen=True)
class FollowUp:
    """Contacts whose follow-up lies in the data, and what their customers are worth in it.

    Attributes
    ----------
    world : World
        The company.
    rows : ndarray of shape (C,)
        Entries in ``Service``: agents' contacts of customers who had bought before.
    horizon_days : int
        H.
    """

    world: World
    rows: NDArray[np.int64]
    horizon_days: int

    @property
    def months(self) -> int:
        """Months of 30 days in the horizon; the last lasts to its end."""
        return max(self.horizon_days // MONTH_DAYS, 1)

    @property
    def person(self) -> NDArray[np.int64]:
        """Entry of each contact's customer, shape (C,)."""
        return self.world.served.causes.person[self.rows]

    @property
    def day(self) -> Floats:
        """When each contact began, in days since the start, shape (C,)."""
        return self.world.calendar.days(self.world.served.started_s[self.rows])

    def only(self, keep: NDArray[np.bool_]) -> FollowUp:
        """Return some of the contacts."""
        return FollowUp(self.world, self.rows[keep], self.horizon_days)

    def at_contact(self, steps: Floats) -> Change:
        """Return the change that adds ``steps`` in the contacts themselves."""
        return Change((self.day,), (steps,))

    def margins(self, changes: Sequence[Change]) -> list[Floats]:
        """Return expected margin by month after each contact, under each change.

        Parameters
        ----------
        changes : sequence of Change
            What is added to S, against what really happened.

        Returns
        -------
        list of ndarray, each of shape (C, months)
            Currency, undiscounted.
        """
        results = [np.zeros((self.rows.size, self.months)) for _ in changes]
        for first in range(0, self.rows.size, CHUNK_CONTACTS):
            part = slice(first, first + CHUNK_CONTACTS)
            few = FollowUp(self.world, self.rows[part], self.horizon_days)
            pieces = _cut(few, [day[part] for change in changes for day in change.days[1:]])
            for result, change in zip(results, changes, strict=True):
                moments = [
                    (day[part], step[part])
                    for day, step in zip(change.days, change.steps, strict=True)
                ]
                result[part] = pieces.margin(few, moments)
        return results


@dataclass(frozen=True)
class _Pieces:
    """Follow-ups cut wherever something changes; one entry per piece, by contact and time."""

    contact: NDArray[np.int64]
    begin: Floats
    end: Floats
    stretch: NDArray[np.int64]
    month: NDArray[np.int64]

    def margin(self, follow_up: FollowUp, moments: list[tuple[Floats, Floats]]) -> Floats:
        """Return expected margin by contact and month, with steps added at moments."""
        world, crowd = follow_up.world, follow_up.world.crowd
        effects, course = world.options.effects, world.course
        person = follow_up.person[self.contact]
        level = course.level[self.stretch]
        for day, step in moments:
            since = np.maximum(course.begin[self.stretch] - day[self.contact], 0.0)
            until = np.maximum(course.end[self.stretch] - day[self.contact], since)
            begun = self.begin >= day[self.contact]
            left = effects.mean_left(np.where(begun, since, 0.0), np.where(begun, until, 0.0))
            level = level + np.where(begun, step[self.contact] * left, 0.0)
        share = problem_share(world.options, crowd)[person]
        earns = purchase_intensity(effects, level, share) * spend_factor(effects, level)
        season = world.calendar.season_at(self.end) - world.calendar.season_at(self.begin)
        leaving = crowd.leaving[person] * np.exp(-effects.survival * level)
        hazard = leaving * years(self.end - self.begin)
        before = running_sum(hazard, self.contact) - hazard
        present = np.exp(-before) * -np.expm1(-hazard) / np.maximum(hazard, 1e-12)
        worth = (crowd.rate * crowd.spend * crowd.margin_rate)[person] * KEPT
        cell = self.contact * follow_up.months + self.month
        cells = follow_up.rows.size * follow_up.months
        margin = worth * earns * season * present
        sums: Floats = np.bincount(cell, weights=margin, minlength=cells).astype(np.float64)
        return sums.reshape(follow_up.rows.size, follow_up.months)


def _cut(follow_up: FollowUp, moments: list[Floats]) -> _Pieces:
    """Cut follow-ups at new stretches, calendar months, months since the contact, moments."""
    course, person, day = follow_up.world.course, follow_up.person, follow_up.day
    end = day + follow_up.horizon_days
    keys = course.person * _SPAN + course.begin
    first = np.searchsorted(keys, person * _SPAN + day, side="right") - 1
    last = np.searchsorted(keys, person * _SPAN + end, side="left") - 1
    everyone = np.arange(person.size)
    months = MONTH_DAYS * np.arange(1, follow_up.months)
    own, stretch = _ranges(first + 1, last)
    edges = follow_up.world.calendar.edges
    season, edge = _ranges(
        np.searchsorted(edges, day, side="right"), np.searchsorted(edges, end, side="left") - 1
    )
    contact = [everyone, own, season, np.repeat(everyone, months.size)]
    times = [day, course.begin[stretch], edges[edge], (day[:, None] + months).ravel()]
    for moment in moments:
        inside = (moment > day) & (moment < end)
        contact.append(everyone[inside])
        times.append(moment[inside])
    who, begin = np.concatenate(contact), np.concatenate(times)
    order = np.lexsort((begin, who))
    who, begin = who[order], begin[order]
    until = np.where(np.append(who[1:] != who[:-1], True), end[who], np.append(begin[1:], 0.0))
    middle = (begin + until) / 2
    return _Pieces(
        contact=who,
        begin=begin,
        end=until,
        stretch=np.searchsorted(keys, person[who] * _SPAN + middle, side="right") - 1,
        month=np.minimum((middle - day[who]) // MONTH_DAYS, follow_up.months - 1).astype(np.int64),
    )


def _ranges(
    first: NDArray[np.int64], last: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, row by row, the row and each number from its first to its last.

    Examples
    --------
    >>> rows, numbers = _ranges(np.array([5, 2]), np.array([6, 1]))
    >>> rows.tolist(), numbers.tolist()
    ([0, 0], [5, 6])
    """
    counts = np.maximum(last - first + 1, 0)
    rows = np.repeat(np.arange(first.size), counts)
    place = np.arange(rows.size) - np.repeat(counts.cumsum() - counts, counts)
    return rows, first[rows] + place


def follow_up(
    world: World,
    horizon_days: int,
    since: float = -np.inf,
    until: float = np.inf,
) -> FollowUp:
    """Find agents' contacts with a complete follow-up, of customers who had bought before.

    Parameters
    ----------
    world : World
        The company.
    horizon_days : int
        H.
    since, until : float
        Days since the start between which contacts must have begun; without them all count
        whose follow-up ends within the data.
    """
    served, crowd = world.served, world.crowd
    day, person = world.calendar.days(served.started_s), served.causes.person
    keep = served.by_agent & (crowd.rate[person] > 0) & (crowd.joined[person] < day)
    keep &= (day >= since) & (day < until) & (day + horizon_days <= world.options.span_days)
    return FollowUp(world, np.flatnonzero(keep), horizon_days)


def repeats_ahead(few: FollowUp, rng: np.random.Generator) -> Change:
    """Draw the repeats that come if a contact leaves its problem open and the customer returns.

    They add what their service adds to S; the contact itself adds nothing. A problem that has
    come back as often as it can has none.
    """
    world, size = few.world, few.rows.size
    days, steps = [np.full(size, np.inf)], [np.zeros(size)]
    served, at = world.served.take(few.rows), np.arange(size)
    served.back[:] = True
    for repeat in range(1, REPEATS_AT_MOST + 1):
        at, causes = at[served.back], world.desk.comebacks(served, rng)
        inside = causes.days < world.options.span_days
        inside &= world.served.repeat[few.rows[at]] + repeat <= REPEATS_AT_MOST
        causes, at = causes.only(inside), at[inside]
        served = world.desk.serve(causes, repeat, rng)
        days.append(np.full(size, np.inf))
        steps.append(np.zeros(size))
        days[repeat][at] = world.calendar.days(served.started_s)
        steps[repeat][at] = served.step - world.usual[1] * served.by_agent
    return Change(tuple(days), tuple(steps))
