"""Why and when customers contact the company: problems with orders, and other questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.schema import CHANNELS
from clv.simulation.catalogue import CHANNEL_TASTES, ISSUES, PRESALES_ISSUE
from clv.simulation.people import seasonal_count, years

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clv.simulation.calendar import Calendar
    from clv.simulation.options import SimulationOptions
    from clv.simulation.people import People

BOT, SELF_SERVICE = CHANNELS.index("bot"), CHANNELS.index("self_service")
TROUBLE_AT_MOST = 0.4  # problems per order, however fussy the customer
LAG_DAYS_MEAN = 5.0


@dataclass(frozen=True)
class Causes:
    """First contacts, before anybody answers; one entry per contact.

    They are drawn as if nobody ever left; those of customers who had left are dropped once
    the effect of service on leaving is known.

    Attributes
    ----------
    person : ndarray of shape (m,)
        Entry of the customer.
    triggered : ndarray of shape (m,)
        Day of the order that went wrong; NaN where no order is behind it.
    days : ndarray of shape (m,)
        Day of the contact (whole).
    issue, channel : ndarray of shape (m,)
        Index into the catalogue.
    severity : ndarray of shape (m,)
        Hidden; about standard normal.
    """

    person: NDArray[np.int64]
    triggered: NDArray[np.float64]
    days: NDArray[np.float64]
    issue: NDArray[np.int64]
    channel: NDArray[np.int64]
    severity: NDArray[np.float64]

    def only(self, keep: NDArray[np.bool_]) -> Causes:
        """Keep some of the contacts."""
        return Causes(**{name: getattr(self, name)[keep] for name in self.__dataclass_fields__})


def problem_share(options: SimulationOptions, crowd: People) -> NDArray[np.float64]:
    """Return the problems per order of each customer, at S = 0."""
    return np.minimum(options.contacts_per_order * crowd.trouble, TROUBLE_AT_MOST)


def draw_channels(taste: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw channels by the customers' tastes."""
    shares = np.array([row for _, row in CHANNEL_TASTES]).cumsum(axis=1)
    at = (rng.random(taste.size)[:, None] > shares[taste]).sum(axis=1)
    return np.minimum(at, len(CHANNELS) - 1)


def draw_issues(about_order: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw what the contacts are about."""
    index = np.empty(about_order.size, dtype=np.int64)
    for kind in ("order", "other"):
        rows = about_order == (kind == "order")
        shares = np.array([issue.share * (issue.kind == kind) for issue in ISSUES])
        index[rows] = np.searchsorted(
            shares.cumsum() / shares.sum(), rng.random(int(rows.sum())), side="right"
        )
    return index


def draw_severity(
    issue: NDArray[np.int64], temperament: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw the hidden severity: by issue, a little by temperament, mostly chance."""
    shift = np.array([kind.severity for kind in ISSUES])[issue]
    return shift + 0.15 * temperament + rng.standard_normal(issue.size)


def problem_counts(
    options: SimulationOptions,
    calendar: Calendar,
    crowd: People,
    begin: NDArray[np.float64],
    end: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw how many contacts each customer has from ``begin`` to ``end`` if they stay.

    Returns
    -------
    about_orders, other : ndarray of shape (n,)
        Problems with orders (seasonal), and other questions (steady).
    """
    season = calendar.season_at(np.full(begin.size, end)) - calendar.season_at(begin)
    rate = crowd.rate * problem_share(options, crowd)
    steady = options.contacts_per_year * crowd.trouble * years(end - begin) * (crowd.rate > 0)
    return seasonal_count(rate, season, rng), rng.poisson(np.maximum(steady, 0.0))


def causes(
    options: SimulationOptions, calendar: Calendar, crowd: People, rng: np.random.Generator
) -> Causes:
    """Draw every customer's problems from the day they join to the end of the data.

    Problems come per order at the rate of an average service history: customers who were
    served well buy more often and need help less often per order.
    """
    everyone = np.arange(crowd.count)
    end = float(calendar.span_days)
    share = problem_share(options, crowd)
    orders, other = problem_counts(options, calendar, crowd, crowd.joined, end, rng)
    first = (rng.random(crowd.count) < share) & (crowd.rate > 0)
    asked = crowd.presales | (crowd.rate == 0)
    person = np.concatenate(
        [np.repeat(everyone, orders), everyone[first], np.repeat(everyone, other), everyone[asked]]
    )
    counts = (int(orders.sum()), int(first.sum()), int(other.sum()), int(asked.sum()))
    kind = np.repeat(np.arange(4), counts)
    begin = calendar.season_at(crowd.joined[person])
    spot = rng.random(person.size)
    seasonal = calendar.day_of_season(
        begin + spot * (calendar.season_at(np.full(begin.size, end)) - begin)
    )
    steady = crowd.joined[person] + spot * (end - crowd.joined[person])
    triggered = np.select([kind == 0, kind == 1], [seasonal, crowd.joined[person]], np.nan)
    lag = 1.0 + rng.gamma(1.6, (LAG_DAYS_MEAN - 1.0) / 1.6, person.size)
    before = rng.integers(1, 21, person.size)
    days = np.select([kind <= 1, kind == 2], [triggered + lag, steady], crowd.joined[person])
    days = np.where((kind == 3) & crowd.presales[person], days - before, days)
    issue = draw_issues(kind <= 1, rng)
    issue[kind == 3] = [kind.name for kind in ISSUES].index(PRESALES_ISSUE)
    found = Causes(
        person=person,
        triggered=triggered,
        days=np.floor(days),
        issue=issue,
        channel=draw_channels(crowd.taste[person], rng),
        severity=draw_severity(issue, crowd.temperament[person], rng),
    )
    return found.only((found.days >= 0) & (found.days < end))
