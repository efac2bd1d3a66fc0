"""What customers went on to do: the only module that looks past a cutoff.

Every row counts on its own date here, refunds among them: money moves when it moves, so the
outcomes of adjoining horizons add up to that of both together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import pandas as pd

from clv.engines.physical import MONEY_SCALE, exact, in_currency, significant
from clv.errors import UsageError, WindowError
from clv.events.known import callers, customers_known, cutoff_day
from clv.events.moments import day_number
from clv.windows import YEAR_DAYS, Window

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from clv.contract.tables import Tables
    from clv.events.histories import Histories

WEIGHT_SCALE = 10**9
"""Discount factors are whole billionths, so that sums of discounted money are exact."""


def build_outcomes(
    histories: Histories,
    window: Window,
    *,
    discount_rate_annual: float = 0.0,
    prospects: bool = False,
) -> pd.DataFrame:
    """Return what each customer of the population did in the horizon.

    Parameters
    ----------
    histories : Histories
        A company's.
    window : Window
        The population is everyone with a purchase by its cutoff; the horizon must lie in
        the data.
    discount_rate_annual : float
        Money of the day that lies d days after the cutoff counts (1 + r)^(−d/365).
    prospects : bool
        Whether everybody else who was known by the cutoff is of the population too: people
        who never bought, or whose purchases were all returned.

    Returns
    -------
    DataFrame, shape (customers, 6), sorted by ``customer_id``
        ``value`` (margin, or revenue where there is none; discounted),
        ``value_undiscounted``, ``revenue``, all in currency and net of refunds given in the
        horizon; ``purchases`` (days with a purchase that still stands at its end) and
        ``churned`` (1.0 where there is none).

    Raises
    ------
    UsageError
        Without a horizon, or with a discount rate below 0.
    WindowError
        When the horizon reaches past the data, or the cutoff lies before them.
    """
    _check(histories.tables, window, discount_rate_annual)
    engine = histories.tables.engine
    weights = engine.frame(discount_weights(window.horizon_days, discount_rate_annual))
    try:
        rows = outcome_rows(histories, window, weights, prospects=prospects)
        frame = engine.to_pandas(rows.order_by("customer_id"))
    finally:
        engine.release(weights)
    return frame


def _check(tables: Tables, window: Window, discount_rate_annual: float) -> None:
    if window.horizon_days < 1:
        raise UsageError(f"horizon_days is {window.horizon_days}; expected 1 or more.")
    if discount_rate_annual < 0:
        raise UsageError(
            f"discount_rate_annual is {discount_rate_annual}; expected 0 or more, such as 0.1."
        )
    first, last = tables.span()
    if window.cutoff < first or window.horizon_end > last:
        raise WindowError(
            f"orders: outcomes from {window.cutoff} to {window.horizon_end} do not lie in the "
            f"data, {first} to {last}. Choose an earlier cutoff or a shorter horizon."
        )


def discount_weights(horizon_days: int, discount_rate_annual: float) -> pd.DataFrame:
    """Return the weight of each day after the cutoff, in billionths.

    Examples
    --------
    >>> discount_weights(365, 0.1).weight.iloc[-1]
    np.int64(909090909)
    """
    days = range(1, horizon_days + 1)
    factors = [(1.0 + discount_rate_annual) ** (-day / YEAR_DAYS) for day in days]
    return pd.DataFrame(
        {"days_after": list(days), "weight": [round(factor * WEIGHT_SCALE) for factor in factors]}
    )


def outcome_rows(
    histories: Histories, window: Window, weights: ir.Table, *, prospects: bool = False
) -> ir.Table:
    """Return the expression of the outcomes, one row per customer of the population."""
    rows = histories.orders
    end = Window(window.horizon_end)
    bought = rows.is_purchase & window.seen(rows.own_s) & ~window.seen(rows.void_s)
    population = rows.filter(bought).select("customer_id").distinct()
    if prospects:
        population = _known(histories, window)
    ahead = rows.filter(window.ahead(rows.own_s))
    stands = ahead.is_purchase & ~end.seen(ahead.void_s) & end.seen(ahead.day_from_s)
    daily = (
        ahead.mutate(stands=stands, days_after=day_number(ahead.own_s) - cutoff_day(window))
        .group_by("customer_id", "days_after")
        .aggregate(
            margin=lambda t: t.margin.sum().cast("int64"),
            amount=lambda t: t.amount.sum().cast("int64"),
            purchases=lambda t: t.stands.sum(),
        )
    )
    weighed = daily.inner_join(weights, "days_after")
    weighed = weighed.mutate(discounted=exact(weighed.margin) * exact(weighed.weight))
    totals = weighed.group_by("customer_id").aggregate(
        value=weighed.discounted.sum().cast("float64") / float(WEIGHT_SCALE * MONEY_SCALE),
        value_undiscounted=in_currency(weighed.margin.sum()),
        revenue=in_currency(weighed.amount.sum()),
        purchases=weighed.purchases.sum().cast("float64"),
    )
    joined = population.left_join(totals, "customer_id")
    money = {
        name: significant(joined[name].fill_null(0.0))
        for name in ("value", "value_undiscounted", "revenue")
    }
    purchases = joined.purchases.fill_null(0.0)
    return joined.select(
        customer_id=joined.customer_id,
        **money,
        purchases=purchases,
        churned=(purchases == 0).cast("float64"),
    )


def _known(histories: Histories, window: Window) -> ir.Table:
    """Return the ids that have a row in the feature table of the cutoff."""
    orders = histories.orders
    ids = [orders.filter(window.seen(orders.known_s)).select("customer_id")]
    if histories.contacts is not None:
        contacts = histories.contacts
        seen = contacts.filter(window.seen(contacts.at_s)).select("customer_id")
        ids.append(callers(seen, histories.customers))
    if histories.customers is not None:
        ids.append(customers_known(histories.customers, window).select("customer_id"))
    return ids[0].distinct() if len(ids) == 1 else ibis.union(*ids, distinct=True)
