"""Orders and refunds: buying until leaving, moved by how the customer was served."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.simulation.catalogue import CATEGORIES
from clv.simulation.contacts import problem_share
from clv.simulation.people import FAVOURITE_SHARE, ORDER_SIGMA, years

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clv.simulation.calendar import Calendar
    from clv.simulation.options import Effects, SimulationOptions
    from clv.simulation.people import People
    from clv.simulation.service import Service

REFUND_SHARE, FULL_REFUND_SHARE, PARTIAL_REFUND = 0.06, 0.65, 0.4
GOODWILL_SHARE, GOODWILL = 0.015, 0.15
KEPT = (
    1.0
    - REFUND_SHARE * (FULL_REFUND_SHARE + (1 - FULL_REFUND_SHARE) * PARTIAL_REFUND)
    - (GOODWILL_SHARE * GOODWILL)
)  # expected share of an order's margin that is not refunded


FADING_STEPS = 16  # stretches to a half-life over which a fading S is held at its mean
FADING_HALF_LIVES = 8  # so many of them after a contact; what is left then is one stretch


@dataclass(frozen=True)
class Course:
    """S of every customer as it would go if nobody ever left; one entry per stretch.

    Stretches are sorted by customer and time; each customer's first begins when they join,
    the last ends with the data. S is constant over a stretch: between contacts, or, where
    effects fade, over a sixteenth of a half-life, at its mean.

    Attributes
    ----------
    person : ndarray of shape (s,)
        Entry of the customer.
    begin, end : ndarray of shape (s,)
        Days.
    level : ndarray of shape (s,)
        S.
    """

    person: NDArray[np.int64]
    begin: NDArray[np.float64]
    end: NDArray[np.float64]
    level: NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """S of every customer while they are there; one entry per stretch.

    Stretches are those of ``Course``, up to the day on which the customer leaves.

    Attributes
    ----------
    person : ndarray of shape (s,)
        Entry of the customer.
    begin, end : ndarray of shape (s,)
        Days; the last stretch ends with the data, or when the customer leaves.
    level : ndarray of shape (s,)
        S.
    left : ndarray of shape (n,)
        Day on which each customer leaves; infinite where they outlast the data.
    """

    person: NDArray[np.int64]
    begin: NDArray[np.float64]
    end: NDArray[np.float64]
    level: NDArray[np.float64]
    left: NDArray[np.float64]

    def level_at(self, day: float, count: int) -> NDArray[np.float64]:
        """Return S of each of ``count`` customers at a day, as their stretches so far have it."""
        level = np.zeros(count)
        seen = self.begin <= day
        level[self.person[seen]] = self.level[seen]  # the last one stands: sorted by time
        return level


def running_sum(values: NDArray[np.float64], person: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sum ``values`` up within each person; rows are sorted by person.

    Examples
    --------
    >>> running_sum(np.array([1.0, 2.0, 5.0]), np.array([0, 0, 1])).tolist()
    [1.0, 3.0, 5.0]
    """
    total = np.cumsum(values)
    first = np.flatnonzero(np.diff(person, prepend=-1))
    before = np.repeat(total[first] - values[first], np.diff(np.append(first, person.size)))
    return total - before


def course(effects: Effects, calendar: Calendar, crowd: People, served: Service) -> Course:
    """Follow S through the contacts, sorted by customer and time, as if nobody ever left."""
    buyers = np.arange(crowd.buyers)
    times = calendar.days(served.started_s)
    rows = served.causes.person < crowd.buyers
    person = np.concatenate([buyers, served.causes.person[rows]])
    joined = crowd.joined[person]
    begin = np.concatenate([crowd.joined[buyers], np.maximum(times[rows], joined[buyers.size :])])
    step = np.concatenate([np.zeros(buyers.size), served.step[rows]])
    order = np.argsort(person, kind="stable")  # joining stands before the contacts
    person, begin, step = person[order], begin[order], step[order]
    last = np.append(person[1:] != person[:-1], True)
    end = np.where(last, calendar.span_days, np.append(begin[1:], 0.0))
    held = Course(person, begin, end, sum_so_far(effects, step, begin, person))
    if effects.half_life_days is None:
        return held
    return _faded(effects, held, effects.half_life_days)


def sum_so_far(
    effects: Effects,
    step: NDArray[np.float64],
    begin: NDArray[np.float64],
    person: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return S right after each event: what is left of the earlier ones, and its own step.

    Rows are sorted by person and time; ``begin`` is in days.

    Examples
    --------
    >>> from clv.simulation.options import Effects
    >>> fading = Effects(half_life_days=30.0)
    >>> rows = np.array([1.0, 1.0]), np.array([0.0, 30.0]), np.array([0, 0])
    >>> sum_so_far(fading, *rows).tolist()
    [1.0, 1.5]
    """
    if effects.half_life_days is None:
        return running_sum(step, person)
    first = np.flatnonzero(np.diff(person, prepend=-1))
    place = np.arange(person.size) - np.repeat(first, np.diff(np.append(first, person.size)))
    by_place = np.argsort(place, kind="stable")
    cuts = np.searchsorted(place[by_place], np.arange(1, place.max(initial=0) + 2))
    level = step.copy()
    for start, stop in itertools.pairwise(cuts):
        rows = by_place[start:stop]  # the k-th event of everybody who has so many
        level[rows] += level[rows - 1] * effects.left_after(begin[rows] - begin[rows - 1])
    return level


def _faded(effects: Effects, held: Course, half_life_days: float) -> Course:
    """Cut the stretches between contacts so finely that S, fading, is constant over each."""
    width = half_life_days / FADING_STEPS
    span = held.end - held.begin
    counts = np.minimum(np.ceil(span / width), FADING_STEPS * FADING_HALF_LIVES + 1)
    counts = np.maximum(counts, 1).astype(np.int64)
    stretch = np.repeat(np.arange(span.size), counts)
    place = np.arange(stretch.size) - np.repeat(counts.cumsum() - counts, counts)
    last = place == counts[stretch] - 1
    since = place * width
    until = np.where(last, span[stretch], since + width)
    begin = held.begin[stretch] + since
    return Course(
        person=held.person[stretch],
        begin=begin,
        end=np.where(last, held.end[stretch], begin + width),
        level=held.level[stretch] * effects.mean_left(since, until),
    )


def follow(
    effects: Effects, calendar: Calendar, crowd: People, served: Service
) -> tuple[Course, Path, NDArray[np.bool_]]:
    """Follow S through the contacts, let customers leave, and say which contacts happened.

    Parameters
    ----------
    effects : Effects
        What is planted.
    calendar : Calendar
        The company's days.
    crowd : People
        The customers.
    served : Service
        Sorted by customer and time.

    Returns
    -------
    whole : Course
        S as if nobody ever left.
    path : Path
        S and the days of leaving.
    happened : ndarray of bool, shape (m,)
        Contacts before their customer had left.
    """
    whole = course(effects, calendar, crowd, served)
    person, begin, end, level = whole.person, whole.begin, whole.end, whole.level
    hazard = crowd.leaving[person] * np.exp(-effects.survival * level)
    summed = running_sum(hazard * years(end - begin), person)
    before = summed - hazard * years(end - begin)
    clock = crowd.clock[person]
    leaves = (before < clock) & (clock <= summed)
    left = np.full(crowd.count, np.inf)
    left[person[leaves]] = (begin + 365.0 * (clock - before) / hazard)[leaves]
    alive = begin < left[person]
    path = Path(
        person=person[alive],
        begin=begin[alive],
        end=np.minimum(end, left[person])[alive],
        level=level[alive],
        left=left,
    )
    return whole, path, calendar.days(served.started_s) < left[served.causes.person]


@dataclass(frozen=True)
class Orders:
    """Orders and refunds; one entry each.

    Attributes
    ----------
    person : ndarray of shape (k,)
        Entry of the customer.
    at_s : ndarray of shape (k,)
        Second of the order or refund.
    amount, margin : ndarray of shape (k,)
        Currency, rounded to cents.
    category : ndarray of shape (k,)
        Index into the catalogue.
    refund_of : ndarray of shape (k,)
        Entry of the refunded order, or −1.
    is_order : ndarray of bool, shape (k,)
        False for refunds.
    """

    person: NDArray[np.int64]
    at_s: NDArray[np.int64]
    amount: NDArray[np.float64]
    margin: NDArray[np.float64]
    category: NDArray[np.int64]
    refund_of: NDArray[np.int64]
    is_order: NDArray[np.bool_]


def _buying(effects: Effects, level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the S that moves buying: customers buy no more than they need."""
    return level if effects.need is None else np.minimum(level, np.log(effects.need))


def purchase_intensity(
    effects: Effects, level: NDArray[np.float64], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the factor of a customer's purchase rate at S; problems bound it from below."""
    return np.maximum(np.exp(effects.rate_share * _buying(effects, level)), share)


def spend_factor(effects: Effects, level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the factor of what a customer spends an order at S."""
    return np.exp((1 - effects.rate_share) * _buying(effects, level))


def purchases(
    options: SimulationOptions,
    calendar: Calendar,
    crowd: People,
    path: Path,
    served: Service,
    rng: np.random.Generator,
) -> Orders:
    """Draw orders along the path: those that went wrong are known, the rest is Poisson.

    Orders come at rate · season · exp(rate_share · S). Those behind a contact are a Poisson
    process of rate · season · (problems per order); the others make up the difference.
    """
    effects = options.effects
    share = problem_share(options, crowd)[path.person]
    rate = crowd.rate[path.person] * (purchase_intensity(effects, path.level, share) - share)
    begin, end = calendar.season_at(path.begin), calendar.season_at(path.end)
    counts = rng.poisson(np.maximum(rate * (end - begin), 0.0))
    stretch = np.repeat(np.arange(path.person.size), counts)
    season = begin[stretch] + rng.random(stretch.size) * (end - begin)[stretch]
    first = served.repeat == 0
    troubled = first & np.nan_to_num(served.causes.triggered >= 0)
    troubled &= served.causes.triggered < path.left[served.causes.person]
    troubled &= served.causes.triggered > crowd.joined[served.causes.person]
    buyers = np.arange(crowd.buyers)
    who = np.concatenate([buyers, served.causes.person[troubled], path.person[stretch]])
    days = np.concatenate(
        [
            crowd.joined[buyers],
            served.causes.triggered[troubled],
            calendar.day_of_season(season),
        ]
    )
    level = np.concatenate(
        [
            np.zeros(buyers.size),
            levels_at(path, served.causes.person[troubled], served.causes.triggered[troubled]),
            path.level[stretch],
        ]
    )
    order = np.lexsort((days, who))
    return _priced(options, calendar, crowd, who[order], days[order], level[order], rng)


def levels_at(
    path: Path, person: NDArray[np.int64], days: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return S of the given persons at the given days (at or after they joined)."""
    width = 1e5  # more than any span in days: persons do not overlap on the joint axis
    keys = path.person * width + path.begin
    at = np.searchsorted(keys, person * width + days, side="right") - 1
    return path.level[np.maximum(at, 0)]


def _priced(
    options: SimulationOptions,
    calendar: Calendar,
    crowd: People,
    person: NDArray[np.int64],
    days: NDArray[np.float64],
    level: NDArray[np.float64],
    rng: np.random.Generator,
) -> Orders:
    """Give orders their amounts, and add the refunds that happen within the data."""
    size = person.size
    noise = np.exp(ORDER_SIGMA * rng.standard_normal(size) - ORDER_SIGMA**2 / 2)
    moved = spend_factor(options.effects, level)
    amount = np.maximum(np.round(crowd.spend[person] * moved * noise, 2), 0.5)
    shares = np.array([category.share for category in CATEGORIES])
    other = np.searchsorted(shares.cumsum() / shares.sum(), rng.random(size), side="right")
    favoured = rng.random(size) < FAVOURITE_SHARE
    category = np.where(favoured, crowd.favourite[person], np.minimum(other, shares.size - 1))
    rates = np.array([kind.margin_rate for kind in CATEGORIES])[category]
    margin = np.round(amount * rates * (1 + 0.05 * rng.standard_normal(size)), 2)
    at_s = calendar.seconds(days)
    draw = rng.random(size)
    refunded, goodwill = draw < REFUND_SHARE, draw > 1 - GOODWILL_SHARE
    full = rng.random(size) < FULL_REFUND_SHARE
    part = np.where(refunded, np.where(full, 1.0, PARTIAL_REFUND), GOODWILL)
    delay = np.floor(86_400 * (3.0 + rng.gamma(2.0, 5.0, size))).astype(np.int64)
    end_s = calendar.start_s + calendar.span_days * 86_400
    back = np.flatnonzero((refunded | goodwill) & (at_s + delay < end_s))
    stays = np.full(size, -1, dtype=np.int64)
    return Orders(
        person=np.concatenate([person, person[back]]),
        at_s=np.concatenate([at_s, at_s[back] + delay[back]]),
        amount=np.concatenate([amount, -np.round(amount[back] * part[back], 2)]),
        margin=np.concatenate([margin, -np.round(margin[back] * part[back], 2)]),
        category=np.concatenate([category, category[back]]),
        refund_of=np.concatenate([stays, np.where(refunded[back], back, -1)]),
        is_order=np.concatenate([np.ones(size, dtype=bool), np.zeros(back.size, dtype=bool)]),
    )
