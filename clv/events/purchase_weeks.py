"""Purchases by week: when customers came, and in which weeks they bought again.

Whatever was bought on a day counts on that day, returned later or not, so that what a week
holds does not change once it is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clv.events.moments import day_number

if TYPE_CHECKING:
    from clv.events.histories import Histories

WEEK_DAYS = 7
COLUMNS = ("cohort", "week", "customers", "repeats")


def purchase_weeks(histories: Histories) -> pd.DataFrame:
    """Return how many customers came in a week, and when they bought again.

    Weeks are counted from 1970-01-01, so that they do not depend on the data.

    Parameters
    ----------
    histories : Histories
        The company's.

    Returns
    -------
    DataFrame, sorted
        ``cohort`` (week of the first purchase), ``week``, ``customers`` (who came in that week;
        0 but where both are the same) and ``repeats`` (days with a further purchase).
    """
    engine, parts = histories.tables.engine, []
    for part in histories.parts:
        bought = part.orders.filter(part.orders.is_purchase)
        days = bought.select("customer_id", day=day_number(bought.at_s)).distinct()
        first = days.group_by("customer_id").aggregate(first_day=days.day.min())
        first = first.rename(buyer="customer_id")
        rows = days.inner_join(first, days.customer_id == first.buyer)
        rows = rows.select(
            cohort=rows.first_day // WEEK_DAYS,
            week=rows.day // WEEK_DAYS,
            is_first=rows.day == rows.first_day,
        )
        counts = rows.group_by("cohort", "week").aggregate(
            customers=rows.count(where=rows.is_first), repeats=rows.count(where=~rows.is_first)
        )
        parts.append(engine.to_pandas(counts))
    found = pd.concat(parts).astype("int64")
    return found.groupby(["cohort", "week"], as_index=False)[["customers", "repeats"]].sum()
