"""Simulated service years as the arrays that estimators take."""

from __future__ import annotations

from functools import cache

import numpy as np

from clv.effects.design.encode import Studied, encode
from clv.features.contacts import strata
from clv.simulation import SimulationOptions
from clv.simulation.truths.latent import ServiceYear, simulate_service_year


def studied(year: ServiceYear) -> Studied:
    """Encode a year as the contact table would be, with empathy as it truly was."""
    known = year.customers.set_index("customer_id")
    rows = year.contacts.rename(columns={"started_at_s": "at_s", "opening": "opening_sentiment"})
    rows = rows.assign(
        pool=rows["queue"].astype(str) + " · " + rows["channel"].astype(str),
        team=None,
        wait_log=np.log1p(rows["wait_seconds"]),
        sequence=rows["prior_contacts_90d"].astype(float),
        spend_before=rows["customer_id"].map(known["prior_margin"]),
        spend_year_before=rows["customer_id"].map(known["prior_margin"]),
        orders_before=rows["customer_id"].map(known["prior_orders"]),
        days_since_order=np.nan,
        days_since_contact=np.nan,
    )
    rows["stratum"] = strata(rows)
    behaviours = ("empathy", "handle_seconds", "fcr", "wait_seconds")
    return encode(rows, year.customers, outcome="value", behaviours=behaviours)


@cache
def service_year(**options: object) -> ServiceYear:
    """Simulate a year, once per test run."""
    return simulate_service_year(SimulationOptions(**options))
