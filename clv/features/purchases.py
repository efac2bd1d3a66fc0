"""What customers bought: features of orders, as known at the cutoff.

Rows are those of ``rows.orders_known``. Linked refunds count on the day of their order once
they are known; an order that is fully refunded by then is no purchase. Unlinked refunds count
as money on their own day. Signs are left free: the value model corrects a probability model
that has used recency, frequency and spend already, and a correction may go either way.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import ibis

from clv.engines.physical import exact, in_currency, ratio
from clv.features.base import feature, inside, previous

if TYPE_CHECKING:
    import ibis.expr.types as ir

ALL = (30, 90, 365, None)
LONG = (90, 365, None)
YEAR = (365, None)

PRIOR_ORDERS = 3
"""The weight of the company's margin ratio, in average orders, against a customer's own."""

purchase = partial(feature, "orders", group="purchase_history")


@purchase(unit="count")
def frequency(rows: ir.Table) -> ir.Value:
    """Distinct purchase days after the first one."""
    return (rows.count(where=rows.new_day) - 1).nullif(-1)


@purchase(unit="days")
def recency_days(rows: ir.Table) -> ir.Value:
    """Days from the first to the last purchase."""
    ago = rows.days_ago
    return ago.max(where=rows.is_bought) - ago.min(where=rows.is_bought)


@purchase(unit="days")
def age_days(rows: ir.Table) -> ir.Value:
    """Days from the first purchase to the cutoff."""
    return rows.days_ago.max(where=rows.is_bought)


@purchase(unit="currency")
def monetary_value(rows: ir.Table) -> ir.Value:
    """Mean net amount of a purchase day after the first one (Gamma-Gamma's convention)."""
    repeat = rows.net.sum() - rows.net.sum(where=rows.on_first_day)
    return in_currency(repeat) / (rows.count(where=rows.new_day) - 1).cast("float64").nullif(0.0)


@purchase(unit="days")
def days_since_last_purchase(rows: ir.Table) -> ir.Value:
    """Days since the last purchase."""
    return rows.days_ago.min(where=rows.is_bought)


@purchase(unit="count", windows=ALL, fill=0)
def orders(rows: ir.Table, days: int | None) -> ir.Value:
    """Purchases."""
    return rows.count(where=rows.is_bought & inside(rows, days))


@purchase(unit="currency", windows=ALL, fill=0)
def spend(rows: ir.Table, days: int | None) -> ir.Value:
    """Amount net of refunds."""
    return in_currency(rows.amount.sum(where=inside(rows, days)))


@purchase(unit="currency", windows=ALL, fill=0, needs=("orders.margin",))
def margin(rows: ir.Table, days: int | None) -> ir.Value:
    """Margin net of refunds."""
    return in_currency(rows.margin.sum(where=inside(rows, days)))


@purchase(unit="currency", windows=LONG)
def order_value(rows: ir.Table, days: int | None) -> ir.Value:
    """Mean net amount of a purchase."""
    here = inside(rows, days)
    return ratio(in_currency(rows.net.sum(where=here)), rows.count(where=rows.is_bought & here))


@purchase(unit="currency", needs=("orders.margin",))
def order_margin(rows: ir.Table) -> ir.Value:
    """Mean net margin of a purchase."""
    return ratio(in_currency(rows.net_margin.sum()), rows.count(where=rows.is_bought))


@feature("features", group="purchase_history", unit="ratio", needs=("features.orders_ever",))
def margin_ratio(customers: ir.Table) -> ir.Value:
    """Margin per amount, drawn towards the company's ratio while purchases are few."""
    if "order_margin" not in customers.columns:
        return ibis.literal(1.0)
    count = customers.orders_ever
    prior = customers.company_order_value * float(PRIOR_ORDERS)
    own = (customers.order_margin * count).fill_null(0.0)
    amount = (customers.order_value_ever * count).fill_null(0.0)
    return (own + prior * customers.company_margin_ratio) / (amount + prior).nullif(0.0)


@purchase(unit="count", windows=LONG, fill=0)
def refunds(rows: ir.Table, days: int | None) -> ir.Value:
    """Refunds of purchases made, and unlinked refunds."""
    return rows.count(where=~rows.is_purchase & inside(rows, days))


@purchase(unit="currency", windows=YEAR, fill=0)
def refunded(rows: ir.Table, days: int | None) -> ir.Value:
    """Amount refunded of purchases made, and by unlinked refunds."""
    return in_currency(-rows.amount.sum(where=~rows.is_purchase & inside(rows, days)))


@purchase(unit="ratio", windows=YEAR)
def refunded_ratio(rows: ir.Table, days: int | None) -> ir.Value:
    """Amount refunded, relative to the amount bought before refunds."""
    here = inside(rows, days)
    sold = rows.amount.sum(where=rows.is_purchase & here)
    back = rows.amount.sum(where=~rows.is_purchase & here)
    return ratio(-back, sold)


@purchase(unit="days")
def days_since_last_refund(rows: ir.Table) -> ir.Value:
    """Days since the last refund was given."""
    return rows.own_days_ago.min(where=~rows.is_purchase)


@purchase(unit="currency", windows=YEAR)
def largest_order(rows: ir.Table, days: int | None) -> ir.Value:
    """Largest amount of a purchase, before refunds."""
    return in_currency(rows.amount.max(where=rows.is_bought & inside(rows, days)))


@purchase(unit="currency")
def smallest_order(rows: ir.Table) -> ir.Value:
    """Smallest amount of a purchase, before refunds."""
    return in_currency(rows.amount.min(where=rows.is_bought))


@purchase(unit="share")
def largest_order_share(rows: ir.Table) -> ir.Value:
    """Largest purchase, as a share of all that was bought."""
    bought = rows.is_bought
    return ratio(rows.amount.max(where=bought), rows.amount.sum(where=bought))


@purchase(unit="currency")
def first_order(rows: ir.Table) -> ir.Value:
    """Amount of the first purchase, before refunds."""
    return in_currency(rows.amount.argmin(rows.sequence, where=rows.is_bought))


@purchase(unit="currency")
def last_order(rows: ir.Table) -> ir.Value:
    """Amount of the last purchase, before refunds."""
    return in_currency(rows.amount.argmax(rows.sequence, where=rows.is_bought))


@purchase(unit="share")
def free_order_share(rows: ir.Table) -> ir.Value:
    """Share of purchases with an amount of zero."""
    bought = rows.is_bought
    return ratio(rows.count(where=bought & (rows.amount == 0)), rows.count(where=bought))


@purchase(unit="days")
def purchase_gap_mean(rows: ir.Table) -> ir.Value:
    """Mean days between purchase days, those refunded later among them."""
    return ratio(rows.gap_days.sum(), rows.gap_days.count())


@purchase(unit="days")
def purchase_gap_spread(rows: ir.Table) -> ir.Value:
    """Spread (standard deviation) of the days between purchase days (from exact sums)."""
    return _spread(rows.gap_days)


@purchase(unit="ratio")
def purchase_gap_variation(rows: ir.Table) -> ir.Value:
    """Spread (standard deviation) of the days between purchase days, relative to their mean."""
    return _spread(rows.gap_days) / ratio(rows.gap_days.sum(), rows.gap_days.count())


@purchase(unit="days")
def purchase_gap_max(rows: ir.Table) -> ir.Value:
    """Longest time between purchase days."""
    return rows.gap_days.max()


@purchase(unit="days")
def first_purchase_gap(rows: ir.Table) -> ir.Value:
    """Days from the first to the second purchase day."""
    return rows.gap_days.argmin(rows.sequence, where=rows.gap_days.notnull())


@purchase(unit="days")
def last_purchase_gap(rows: ir.Table) -> ir.Value:
    """Days between the last two purchase days."""
    return rows.gap_days.argmax(rows.sequence, where=rows.gap_days.notnull())


@feature(
    "features",
    group="purchase_history",
    unit="ratio",
    needs=("features.days_since_last_purchase", "features.purchase_gap_mean"),
)
def silence_ratio(customers: ir.Table) -> ir.Value:
    """Days since the last purchase, relative to the customer's own mean gap."""
    return ratio(customers.days_since_last_purchase, customers.purchase_gap_mean)


@feature(
    "features",
    group="purchase_history",
    unit="ratio",
    needs=("features.days_since_last_purchase", "features.purchase_gap_max"),
)
def silence_to_longest_gap(customers: ir.Table) -> ir.Value:
    """Days since the last purchase, relative to the customer's own longest gap."""
    return ratio(customers.days_since_last_purchase, customers.purchase_gap_max)


@purchase(unit="ratio", windows=(90, 365))
def orders_trend(rows: ir.Table, days: int) -> ir.Value:
    """Purchases against the same time before, from -1 (none now) to 1 (none then)."""
    bought = rows.is_bought
    now = rows.count(where=bought & inside(rows, days))
    return _trend(now, rows.count(where=bought & previous(rows, days)))


@purchase(unit="ratio", windows=(90, 365))
def spend_trend(rows: ir.Table, days: int) -> ir.Value:
    """Amount bought against the same time before, from -1 (none now) to 1 (none then)."""
    now = rows.net.sum(where=inside(rows, days)).fill_null(0)
    return _trend(now, rows.net.sum(where=previous(rows, days)).fill_null(0))


@purchase(unit="currency")
def order_value_slope(rows: ir.Table) -> ir.Value:
    """Change of the amount of a purchase per day (least squares, from exact sums)."""
    bought = rows.is_bought
    x, y = -rows.days_ago, rows.amount
    n, sx, sy = rows.count(where=bought), x.sum(where=bought), y.sum(where=bought)
    sxx, sxy = (x * x).sum(where=bought), (exact(x) * exact(y)).sum(where=bought)
    # Differences of products of the same size: exact, or what is left would be rounding.
    rise = exact(n) * exact(sxy) - exact(sx) * exact(sy)
    return in_currency(ratio(rise, n * sxx - sx * sx))


@purchase(unit="count", windows=LONG, fill=0, needs=("orders.category",))
def categories(rows: ir.Table, days: int | None) -> ir.Value:
    """Different categories bought, those refunded later among them."""
    new = rows.new_category if days is None else rows[f"new_category_{days}d"]
    return rows.count(where=new)


@purchase(unit="share")
def weekend_share(rows: ir.Table) -> ir.Value:
    """Share of purchases made on a Saturday or Sunday (UTC)."""
    bought = rows.is_bought
    return ratio(rows.count(where=bought & rows.at_weekend), rows.count(where=bought))


def _declare_quarters() -> None:
    for number in (1, 2, 3, 4):

        @purchase(
            unit="share",
            name=f"quarter_{number}_share",
            doc=f"Share of purchases made in quarter {number} of a year (UTC).",
        )
        def quarter_share(rows: ir.Table, number: int = number) -> ir.Value:
            bought = rows.is_bought
            return ratio(
                rows.count(where=bought & (rows.quarter == number)), rows.count(where=bought)
            )


_declare_quarters()


def _declare_seasons() -> None:
    for days in (30, 90):

        @purchase(
            unit="count",
            fill=0,
            name=f"orders_season_{days}d",
            doc=f"Purchases in the {days} days that began a year before the cutoff.",
        )
        def orders_season(rows: ir.Table, days: int = days) -> ir.Value:
            return rows.count(where=rows.is_bought & rows[f"season_{days}d"])

        @purchase(
            unit="currency",
            fill=0,
            name=f"spend_season_{days}d",
            doc=f"Net amount of the {days} days that began a year before the cutoff.",
        )
        def spend_season(rows: ir.Table, days: int = days) -> ir.Value:
            return in_currency(rows.amount.sum(where=rows[f"season_{days}d"]))


_declare_seasons()


def _spread(value: ir.Value) -> ir.Value:
    """Return the population's standard deviation from exact sums; null with fewer than two."""
    n = value.count().cast("float64")
    total, squares = value.sum().cast("float64"), (value * value).sum().cast("float64")
    variance = ibis.greatest(n * squares - total * total, ibis.literal(0.0))
    return (n >= 2).ifelse(variance.sqrt() / n.nullif(0.0), ibis.null("float64"))


def _trend(now: ir.Value, then: ir.Value) -> ir.Value:
    return ratio(now - then, now + then)
