"""What customers did besides buying: refunds, further contacts, and what they said.

Like outcomes, reactions look past the cutoff. They are never features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from clv.engines.physical import THOUSANDTHS, in_currency, significant
from clv.schema import SURVEY_RANGES
from clv.windows import EXPOSURE_DAYS

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from clv.events.histories import Histories
    from clv.windows import Window

ABOUT_A_CONTACT = ("csat", "ces")
"""Answers about one contact: those of the exposure's days count. The others are about the
company, and count in the horizon."""


def build_reactions(
    histories: Histories, window: Window, *, exposure_days: int = EXPOSURE_DAYS
) -> pd.DataFrame:
    """Return refunds, contacts and mean survey answers of each customer.

    Parameters
    ----------
    histories : Histories
        A company's.
    window : Window
        Refunds, contacts, recommendations and reviews of its horizon count.
    exposure_days : int
        Satisfaction and effort are about contacts of that many days up to its cutoff.

    Returns
    -------
    DataFrame, sorted by ``customer_id``, one row per customer with any of it
        ``refunds`` (currency given back in the horizon), ``next_contacts`` (contacts that
        the customer began in it; absent without interactions), and for each kind of survey
        that was given the customer's mean answer (NaN without one).
    """
    parts = reaction_rows(histories, window, exposure_days)
    rows = ibis.union(*(part.select("customer_id") for part in parts), distinct=True)
    for part in parts:
        rows = rows.left_join(part, "customer_id").drop("customer_id_right")
    filled = {
        name: rows[name].fill_null(0.0)
        for name in ("refunds", "next_contacts")
        if name in rows.columns
    }
    return histories.tables.engine.to_pandas(rows.mutate(**filled).order_by("customer_id"))


def reaction_rows(histories: Histories, window: Window, exposure_days: int) -> list[ir.Table]:
    """Return the expressions of the reactions, each one row per customer."""
    orders = histories.orders
    back = orders.filter(window.ahead(orders.own_s) & (orders.amount < 0))
    summed = back.group_by("customer_id").aggregate(
        refunds=lambda t: significant(in_currency(-t.amount.sum()))
    )
    buyers = orders.select("customer_id").distinct()
    parts = [buyers.left_join(summed, "customer_id").drop("customer_id_right")]
    if histories.contacts is not None:
        contacts = histories.contacts
        later = contacts.filter(window.ahead(contacts.at_s) & contacts.by_customer)
        parts.append(
            later.group_by("customer_id").aggregate(
                next_contacts=lambda t: t.count().cast("float64")
            )
        )
    if histories.surveys is not None:
        answers = histories.surveys
        for kind in SURVEY_RANGES:
            when = (
                window.within(answers.at_s, exposure_days)
                if kind in ABOUT_A_CONTACT
                else window.ahead(answers.at_s)
            )
            asked = answers.filter((answers.kind == kind) & when)
            mean = asked.score_m.sum().cast("float64") / asked.count() / float(THOUSANDTHS)
            parts.append(asked.group_by("customer_id").aggregate(**{kind: significant(mean)}))
    return parts
