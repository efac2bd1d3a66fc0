"""Shopify: the CSV export of orders, and of their transactions for the dates of refunds.

The order export has one row per line item; what belongs to the order stands on its first
row only. Revenue is the total without taxes and shipping, whether prices include taxes or
not; a refund is taken back in the same proportion.
"""

from __future__ import annotations

import ibis

from clv.data.adapters.base import Adapter, Export, Inputs, Key, TableMap
from clv.data.parsing import parse_number

ORDERS = Export(
    "orders",
    ("Name", "Email", "Financial Status", "Currency", "Taxes", "Total", "Created at"),
    ("Shipping", "Cancelled at", "Refunded Amount", "Phone", "Vendor"),
    needed=True,
)
TRANSACTIONS = Export(
    "transactions", ("Name", "Kind", "Status", "Amount", "Created At"), ("Currency",)
)
PAID = ("paid", "partially_paid", "partially_refunded", "refunded")
UNPAID = ("pending", "authorized", "voided", "expired", "unpaid")
MONEY = ("Total", "Taxes", "Shipping", "Refunded Amount")


def prepare(inputs: Inputs) -> Inputs:
    """Turn line items into orders, and refunds into rows of their own."""
    lines = inputs["orders"]
    orders = lines.group_by("Name").aggregate(
        **{name: lines[name].max() for name in lines.columns if name != "Name"}
    )
    total, taxes, shipping, refunded = (parse_number(orders[name]) for name in MONEY)
    net = total - taxes.fill_null(0.0) - shipping.fill_null(0.0)
    orders = orders.mutate(
        # Text that is no number stays, for the contract's rules to find.
        net=ibis.ifelse(total.isnull(), orders.Total, net.round(4).cast("string")),
        share=ibis.ifelse(total > 0, net / total, 1.0),
        refunded=refunded.fill_null(0.0),
        paid=orders["Financial Status"].lower(),
    )
    sales = orders.select(
        order_id=orders.Name,
        refund_of=ibis.null("string"),
        ordered_at=orders["Created at"],
        amount=orders.net,
        currency=orders.Currency,
        email=orders.Email,
        phone=orders.Phone,
        status=orders.paid,
    )
    refunds = _refunds(orders.filter(orders.paid.isin(PAID)), inputs["transactions"])
    return {"sales": sales.union(refunds.select(*sales.columns))}


def _refunds(orders: ibis.Table, transactions: ibis.Table) -> ibis.Table:
    """Return refunds: by transaction where they are given, else one row per order."""
    given = transactions.filter(
        (transactions.Kind.lower() == "refund") & (transactions.Status.lower() == "success")
    )
    dated = given.select(
        name=given.Name, back=parse_number(given.Amount).abs(), at=given["Created At"]
    )
    number = ibis.row_number().over(group_by=dated.name, order_by=[dated.at, dated.back]) + 1
    numbered = dated.mutate(number=number.cast("string"))
    exact = numbered.inner_join(orders, numbered.name == orders.Name)
    rest = orders.anti_join(dated, orders.Name == dated.name)
    undated = rest.filter(rest.refunded > 0).mutate(
        number=ibis.literal("1"),
        back=lambda t: t.refunded,
        at=lambda t: ibis.coalesce(t["Cancelled at"], t["Created at"]),
    )
    columns = ("Name", "Email", "Phone", "Currency", "paid", "share", "number", "back", "at")
    rows = exact.select(*columns).union(undated.select(*columns))
    return rows.select(
        order_id=rows.Name + "-refund-" + rows.number,
        refund_of=rows.Name,
        ordered_at=rows["at"],
        amount=(-rows.back * rows.share).round(4).cast("string"),
        currency=rows.Currency,
        email=rows.Email,
        phone=rows.Phone,
        status=rows.paid,
    )


ADAPTER = Adapter(
    kind="shopify",
    title="Shopify orders",
    documentation="https://help.shopify.com/en/manual/fulfillment/managing-orders/exporting-orders",
    exports=(ORDERS, TRANSACTIONS),
    tables=(
        TableMap(
            "orders",
            "sales",
            {name: name for name in ("order_id", "refund_of", "ordered_at", "amount", "currency")},
            left_out={
                "not_paid": "is_in(status, " + ", ".join(f'"{word}"' for word in UNPAID) + ")",
            },
        ),
    ),
    keys={"email": Key("email", "email"), "phone": Key("phone", "phone")},
    prepare=prepare,
    remarks=(
        "revenue is the total without taxes and shipping; refunds are taken back in proportion",
        "without the transactions export a refund counts on the day of the cancellation, else of "
        "its order: earlier than it was known",
    ),
)
