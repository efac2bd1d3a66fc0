"""Contacts of a simulated company, each with what followed it, in pandas: the engine's oracle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from clv.effects.design.encode import Studied, encode
from clv.features.contacts import strata
from clv.simulation import SimulationOptions
from clv.simulation.truths.latent import ServiceYear, latent_contacts, simulate_service_year
from clv.simulation.truths.per_contact import ContactTruth, contact_truth
from clv.simulation.world import World, build_world
from clv.windows import DAY_SECONDS

if TYPE_CHECKING:
    import pandas as pd

MONTH_DAYS = 30
WIDTH_S = 10**11  # more than any span in seconds: persons do not overlap on the joint axis


class Sums:
    """Running sums of one column of orders, asked for any stretch of any person's time."""

    def __init__(self, person: np.ndarray, at_s: np.ndarray, values: np.ndarray) -> None:
        order = np.lexsort((at_s, person))
        self.keys = person[order] * WIDTH_S + at_s[order]
        self.totals = np.concatenate([[0.0], np.cumsum(values[order])])

    def until(self, person: np.ndarray, second: np.ndarray, side: str) -> np.ndarray:
        return self.totals[np.searchsorted(self.keys, person * WIDTH_S + second, side=side)]

    def within(self, person: np.ndarray, after: np.ndarray, until: np.ndarray) -> np.ndarray:
        """Sum over (after, until]."""
        return self.until(person, until, "right") - self.until(person, after, "right")

    def before(self, person: np.ndarray, since: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Sum over [since, at)."""
        return self.until(person, at, "left") - self.until(person, since, "left")


def contact_frame(world: World, horizon_days: int) -> pd.DataFrame:
    """Return agents' contacts with complete follow-up, of customers who had bought before."""
    rows = latent_contacts(world).rename(
        columns={"started_at_s": "at_s", "opening": "opening_sentiment"}
    )
    end_s = world.calendar.start_s + world.calendar.span_days * DAY_SECONDS
    span_s = horizon_days * DAY_SECONDS
    rows = rows[rows["agent_id"].notna() & (rows["at_s"] + span_s < end_s)]
    rows = rows.reset_index(drop=True)
    person = rows["customer_id"].str[1:].astype(int).to_numpy()  # ids count persons
    at_s = rows["at_s"].to_numpy()
    orders = world.orders
    margin = Sums(orders.person, orders.at_s, orders.margin)
    bought = Sums(orders.person, orders.at_s, orders.is_order.astype(float))
    begin = np.full(len(rows), world.calendar.start_s - 10**8)
    last = np.searchsorted(bought.keys, person * WIDTH_S + at_s, side="left") - 1
    rows = rows.assign(
        person=person,
        pool=rows["queue"].astype(str) + " · " + rows["channel"].astype(str),
        team=None,
        wait_log=np.log1p(rows["wait_seconds"]),
        sequence=rows["prior_contacts_90d"].astype(float),
        days_since_contact=rows.groupby("customer_id")["at_s"].diff() / DAY_SECONDS,
        orders_before=bought.before(person, begin, at_s),
        orders_year_before=bought.before(person, at_s - 365 * DAY_SECONDS, at_s),
        orders_quarter_before=bought.before(person, at_s - 90 * DAY_SECONDS, at_s),
        spend_before=margin.before(person, begin, at_s),
        spend_quarter_before=margin.before(person, at_s - 90 * DAY_SECONDS, at_s),
        spend_year_before=margin.before(person, at_s - 365 * DAY_SECONDS, at_s),
        days_since_order=(at_s - bought.keys[last] % WIDTH_S) / DAY_SECONDS,
        value_undiscounted=margin.within(person, at_s, at_s + span_s),
        orders=bought.within(person, at_s, at_s + span_s),
        value_before=margin.before(person, at_s - span_s, at_s),
        **months(margin, person, at_s, horizon_days),
    )
    rows["churned"] = (rows["orders"] == 0).astype(float)
    rows = rows[rows["orders_before"] > 0].reset_index(drop=True)
    rows["stratum"] = strata(rows)
    return rows


def months(
    margin: Sums, person: np.ndarray, at_s: np.ndarray, horizon_days: int
) -> dict[str, np.ndarray]:
    """Return margin by month since the contact; the last one reaches to the horizon's end."""
    ends = [*range(MONTH_DAYS, horizon_days - MONTH_DAYS + 1, MONTH_DAYS), horizon_days]
    found, begin = {}, 0
    for number, end in enumerate(ends, start=1):
        found[f"value_month_{number:02d}"] = margin.within(
            person, at_s + begin * DAY_SECONDS, at_s + end * DAY_SECONDS
        )
        begin = end
    return found


@dataclass(frozen=True)
class Case:
    """A simulated company with its contacts as arrays."""

    world: World
    horizon_days: int
    studied: Studied

    def truth(self) -> ContactTruth:
        """Return the true effects per contact, of the same contacts."""
        return contact_truth(self.world, self.horizon_days)


def case_of(world: World, horizon_days: int = 365) -> Case:
    """Encode the contacts of a simulated company, with empathy as it truly was."""
    return Case(world, horizon_days, encoded(contact_frame(world, horizon_days)))


def encoded(frame: pd.DataFrame) -> Studied:
    """Hold a frame of contacts as arrays."""
    behaviours = ("empathy", "handle_seconds", "fcr", "wait_seconds")
    return encode(frame, frame, behaviours=behaviours)


def case(horizon_days: int = 365, **options: object) -> Case:
    """Simulate a company and encode its contacts."""
    return case_of(build_world(SimulationOptions(**options)), horizon_days)


def studied(year: ServiceYear) -> Studied:
    """Encode all contacts of a simulated company."""
    world = year.exposed.world
    return case_of(world, world.options.horizon_days).studied


@cache
def service_year(**options: object) -> ServiceYear:
    """Simulate a year, once per test run."""
    return simulate_service_year(SimulationOptions(**options))
