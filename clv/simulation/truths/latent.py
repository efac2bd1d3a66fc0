"""The hidden part of the company as frames, and a year of service ready for estimators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.schema import CHANNELS, PRIORITIES
from clv.simulation.catalogue import (
    ACQUISITION,
    ISSUES,
    QUEUES,
    REGIONS,
    SEGMENTS,
)
from clv.simulation.frames import identifiers, words
from clv.simulation.service import empathy_leaning, log_handle, resolution_log_odds
from clv.simulation.truths.follow_up import follow_up
from clv.simulation.truths.statement import exposure_of
from clv.simulation.truths.truth import EXPOSURE_DAYS, Exposure
from clv.simulation.world import build_world
from clv.windows import DAY_SECONDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clv.simulation.options import SimulationOptions
    from clv.simulation.world import World

FCR_DAYS = 7
SMALL_STEP = 0.01  # of S, by which its price is measured


def first_contact_resolution(world: World) -> NDArray[np.float64]:
    """Decide each recorded contact's FCR by the contract's rule; NaN for bots, shape (r,).

    Resolved within 7 days of its end, not reopened in them, and no further contact of the
    customer on the issue in them. It is decided for every contact, however late.
    """
    records, week_s = world.records, FCR_DAYS * DAY_SECONDS
    order = np.lexsort((records.started_s, records.issue, records.person, records.by_company))
    following = np.append(order[1:], order[-1])
    same = (
        (records.person[following] == records.person[order])
        & (records.issue[following] == records.issue[order])
        & ~records.by_company[following]
        & (following != order)
    )
    ended_s = records.ended_s
    again = np.zeros(order.size, dtype=bool)
    again[order] = same & (records.started_s[following] <= ended_s[order] + week_s)
    reopened = (records.reopened_s >= 0) & (records.reopened_s <= ended_s + week_s)
    closed = (records.resolved_s >= 0) & (records.resolved_s <= ended_s + week_s)
    fcr = (closed & ~reopened & ~again).astype(np.float64)
    return np.where(records.agent >= 0, fcr, np.nan)


def _before(person: NDArray[np.int64], days: NDArray[np.float64], back: float) -> NDArray[np.int64]:
    """Count each contact's earlier ones of the same person; rows by person and time."""
    width = 1e5  # more than any span in days: persons do not overlap on the joint axis
    keys = person * width + days
    return np.arange(keys.size) - np.searchsorted(keys, np.maximum(keys - back, person * width))


def latent_contacts(world: World) -> pd.DataFrame:
    """Return one row per contact that a customer began, by time: what was, and what was hidden.

    Returns
    -------
    DataFrame
        interaction_id, customer_id, agent_id (null for bots), queue, channel, issue_type,
        priority, started_at_s, week and shift (0 day, 1 evening, 2 night, 3 weekend: the
        block in which agents were drawn), wait_seconds, handle_seconds, fcr (0/1 by the
        contract's rule), occasions, empathy (share of them met; NaN without one), opening
        (sentiment as shown at the start), prior_contacts_90d, repeat (of the same problem:
        0, 1 …), promised, promise_kept. Hidden: severity, leaning (probability of meeting
        an occasion), resolved, step (what it added to S).
    """
    records, served = world.records, world.served
    rows = np.flatnonzero(~records.by_company)
    at = records.contact[rows]
    days = world.calendar.days(served.started_s)
    prior = _before(served.causes.person, days, 90.0)
    return pd.DataFrame(
        {
            "interaction_id": identifiers("i", records.contact.size, 8)[rows],
            "customer_id": identifiers("c", world.crowd.count, 6)[records.person[rows]],
            "agent_id": words(list(identifiers("a", world.options.agents, 4)), served.agent[at]),
            "queue": words(QUEUES, records.queue[rows]),
            "channel": words(CHANNELS, records.channel[rows]),
            "issue_type": words([kind.name for kind in ISSUES], records.issue[rows]),
            "priority": words(PRIORITIES, records.priority[rows]),
            "started_at_s": served.started_s[at],
            "week": served.week[at],
            "shift": served.shift[at],
            "wait_seconds": served.wait_seconds[at],
            "handle_seconds": served.handle_seconds[at],
            "fcr": first_contact_resolution(world)[rows],
            "occasions": served.occasions[at],
            "empathy": served.empathy[at],
            "opening": served.mood[at],
            "prior_contacts_90d": prior[at],
            "repeat": served.repeat[at],
            "promised": records.promised[rows],
            "promise_kept": records.kept[rows],
            "severity": served.causes.severity[at],
            "leaning": served.leaning[at],
            "resolved": served.resolved[at],
            "step": served.step[at],
        }
    )


def latent_customers(world: World) -> pd.DataFrame:
    """Return one row per customer and prospect: traits, hidden ones included."""
    crowd = world.crowd
    return pd.DataFrame(
        {
            "customer_id": identifiers("c", crowd.count, 6),
            "buyer": crowd.rate > 0,
            "joined_days": crowd.joined,
            "left_days": world.path.left,
            "rate_per_year": crowd.rate,
            "leaving_per_year": crowd.leaving,
            "spend": crowd.spend,
            "temperament": crowd.temperament,
            "trouble": crowd.trouble,
            "arm": world.arms,
        }
    )


def latent_agents(world: World) -> pd.DataFrame:
    """Return one row per agent: habits, and what a contact with them is truly worth.

    ``true_empathy``, ``true_handle_log`` and ``true_fcr`` are what the agent would show on
    the company's ordinary mix of contacts; ``value_per_contact`` prices them by what a small
    step of S in a contact does to margin in the horizon after it, in currency against the mean
    agent, without the unmeasured ``style``.
    """
    staff, served, effects = world.staff, world.served, world.options.effects
    followed = follow_up(world, world.options.horizon_days)
    mix = followed.rows[:: max(followed.rows.size // 1_000, 1)]
    severity = served.causes.severity[mix]
    temper = world.crowd.temperament[served.causes.person[mix]]
    own = staff.pace[served.agent[mix]]
    x = log_handle(served.handle_seconds[mix]) - own + staff.pace[:, None]
    odds = resolution_log_odds(
        effects, x, staff.skill[:, None], served.causes.issue[mix], severity, temper
    )
    asked = served.occasions[mix] > 0
    leaning = empathy_leaning(staff.warmth[:, None], severity, temper)
    fcr = 1.0 / (1.0 + np.exp(-odds))
    step = effects.empathy * (leaning * asked).mean(axis=1) + effects.fcr * fcr.mean(axis=1)
    step = step + (effects.handle_log * x + effects.handle_log2 * x**2).mean(axis=1)
    usual, after = followed.margins(
        [followed.at_contact(np.full(followed.rows.size, extra)) for extra in (0.0, SMALL_STEP)]
    )
    per_contact = float((after - usual).sum()) / SMALL_STEP / max(followed.rows.size, 1)
    return pd.DataFrame(
        {
            "agent_id": identifiers("a", world.options.agents, 4),
            "queue": words(QUEUES, staff.queue),
            "team": staff.team,
            "warmth": staff.warmth,
            "pace": staff.pace,
            "skill": staff.skill,
            "style": staff.style,
            "canned": staff.canned,
            "trained_days": staff.trained,
            "true_empathy": (leaning * asked).sum(axis=1) / max(int(asked.sum()), 1),
            "true_handle_log": x.mean(axis=1),
            "true_fcr": fcr.mean(axis=1),
            "value_per_contact": per_contact * (step - step.mean()),
        }
    )


@dataclass(frozen=True)
class ServiceYear:
    """One exposure year and the horizon after it, as arrays for estimators.

    Attributes
    ----------
    contacts : DataFrame
        ``latent_contacts`` of agents in the exposure year, of customers with a purchase by
        its end; severity, leaning, resolved and step are hidden from estimators.
    customers : DataFrame
        One row per customer in ``contacts``, sorted: customer_id, value (margin that was
        realised in the horizon), prior_margin and prior_orders (before the exposure year),
        tenure_days (at its start), segment, region, acquisition_channel, arm, and, hidden,
        temperament and expected_value.
    agents : DataFrame
        ``latent_agents``.
    exposed : Exposure
        The contacts, and the future of their customers.
    """

    contacts: pd.DataFrame
    customers: pd.DataFrame
    agents: pd.DataFrame
    exposed: Exposure


def simulate_service_year(options: SimulationOptions) -> ServiceYear:
    """Simulate a company and return its last exposure year, without tables or transcripts.

    The company is the one ``simulate`` builds from the same options. Of
    ``options.customers`` somewhat under half are in contact with an agent in the year.

    Parameters
    ----------
    options : SimulationOptions
        The company; ``transcripts`` does not matter.

    Examples
    --------
    >>> from clv.simulation import SimulationOptions
    >>> year = simulate_service_year(SimulationOptions(customers=400, agents=12))
    >>> set(year.contacts.customer_id) == set(year.customers.customer_id)
    True
    """
    world = build_world(options)
    exposed = exposure_of(world)
    contacts = latent_contacts(world)
    population = identifiers("c", world.crowd.count, 6)[exposed.population]
    first_s = world.calendar.start_s + int(options.as_of_days - EXPOSURE_DAYS) * DAY_SECONDS
    last_s = world.calendar.start_s + int(options.as_of_days) * DAY_SECONDS
    inside = contacts["started_at_s"].between(first_s, last_s - 1) & contacts["agent_id"].notna()
    inside &= contacts["customer_id"].isin(population)
    return ServiceYear(
        contacts=contacts[inside].reset_index(drop=True),
        customers=_studied(world, exposed),
        agents=latent_agents(world),
        exposed=exposed,
    )


def _studied(world: World, exposed: Exposure) -> pd.DataFrame:
    """Return the customers of an exposure with outcome and covariates."""
    crowd, orders, rows = world.crowd, world.orders, exposed.population
    days = world.calendar.days(orders.at_s)
    start = exposed.day - EXPOSURE_DAYS
    ahead = (days >= exposed.day) & (days < exposed.ahead.edges[-1])
    before = days < start

    def summed(
        keep: NDArray[np.bool_], values: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        weights = None if values is None else values[keep]
        sums = np.bincount(orders.person[keep], weights=weights, minlength=crowd.count)
        return sums[rows].astype(np.float64)

    expected = np.zeros(crowd.count)
    expected[exposed.ahead.person] = exposed.ahead.value(exposed.level)
    return pd.DataFrame(
        {
            "customer_id": identifiers("c", crowd.count, 6)[rows],
            "value": summed(ahead, orders.margin),
            "prior_margin": summed(before, orders.margin),
            "prior_orders": summed(before & orders.is_order),
            "tenure_days": np.maximum(start - crowd.joined[rows], 0.0),
            "segment": words([c.name for c in SEGMENTS], crowd.segment[rows]),
            "region": words([c.name for c in REGIONS], crowd.region[rows]),
            "acquisition_channel": words([c.name for c in ACQUISITION], crowd.acquisition[rows]),
            "arm": world.arms[rows],
            "temperament": crowd.temperament[rows],
            "expected_value": expected[rows],
        }
    )
