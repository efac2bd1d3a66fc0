"""Shopify: the CSV export of orders, and of their transactions for the dates of refunds.

The order export has one row per line item; what belongs to the order stands on its first
row, and this row alone is read. Revenue is the total without taxes and shipping, whether
prices include taxes or not; a refund is taken back in the same proportion.

An order is told by its ``Id``; in an export without that column by its name, time and
e-mail address together, since two shops may give orders the same names. The export names no
time of a change, so that of several versions the one whose state is later counts: paid is
later than pending, refunded than paid, and refunds only grow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from clv.sources.adapters.base import Adapter, Export, Inputs, Key, TableMap
from clv.sources.exports.cells import Cell, computed, filled, given, number
from clv.sources.exports.versions import VERSION, Unique, by_group, lookup, unique

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

STATES = {
    "pending": 0,
    "unpaid": 0,
    "authorized": 1,
    "expired": 2,
    "voided": 2,
    "partially_paid": 3,
    "paid": 4,
    "partially_refunded": 5,
    "refunded": 6,
}
"""Financial states in the order in which an order goes through them."""

UNPAID = tuple(word for word, place in STATES.items() if place <= STATES["voided"])
NO = ibis.literal(value=False)

TEST_TAG = r"(^|,)\s*test([ _-]?order)?\s*(,|$)"

CENT = 0.005
"""Refunds that differ by less are the same."""


def _orders(lines: ir.Table) -> ir.Table:
    """Keep the row of each order, with what tells the order, and which version is newer."""
    total = lines.Total
    state = lines["Financial Status"].strip().lower().re_replace("[ -]+", "_")
    lines = lines.mutate(**{"Financial Status": state})
    first = given(state).notnull() | given(total).notnull()
    named = lines.filter(first).select("Name").distinct()
    orders = lines.filter(first).union(lines.filter(~first).anti_join(named, "Name"))
    same = ibis.window(group_by=["Name", "Created at"])
    ids = orders.Id.nunique().over(same)
    # Where one file has the column and another does not, a name and time give the Id.
    own_id = orders.Id.fill_null(ibis.ifelse(ids == 1, orders.Id.max().over(same), None))
    orders = orders.mutate(Id=own_id)
    loose = orders["Created at"] + " " + orders.Email.fill_null("").strip().lower()
    rank = orders["Financial Status"].cases(*STATES.items(), else_=-1)
    versions = (
        rank,
        number(orders["Refunded Amount"]).value.abs(),
        *(orders[name] for name in ("Cancelled at", "Fulfilled at", "Paid at")),
        filled(orders),
    )
    return orders.mutate(
        order_key=ibis.coalesce(orders.Id, orders.Name + " " + loose.fill_null("")),
        **{f"{VERSION}{place}": value for place, value in enumerate(versions)},
    )


ORDERS = Export(
    "orders",
    ("Name", "Email", "Financial Status", "Currency", "Taxes", "Total", "Created at"),
    (
        "Id",
        "Shipping",
        "Paid at",
        "Fulfilled at",
        "Cancelled at",
        "Refunded Amount",
        "Phone",
        "Vendor",
        "Payment Method",
        "Tags",
    ),
    key=("order_key",),
    ids=("Id", "Name", "Phone"),
    times=("Created at", "Paid at", "Fulfilled at", "Cancelled at"),
    refine=_orders,
    needed=True,
)
TRANSACTIONS = Export(
    "transactions",
    ("Name", "Kind", "Status", "Amount", "Created At"),
    ("Order", "Currency"),
    key=("Order", "Name", "Kind", "Status", "Amount", "Created At"),
    ids=("Order", "Name"),
    times=("Created At",),
    refine=lambda rows: rows.mutate(Amount=number(rows.Amount).text),  # 15.0 is 15.00
)


def refusals(inputs: Inputs) -> Mapping[str, ir.Table]:
    """Return what cannot be told apart: names that several orders share, without their Id."""
    orders, transactions = inputs["orders"], inputs["transactions"]
    twins = orders.filter(orders.Id.isnull()).group_by("Name", "Created at")
    twins = twins.aggregate(n=ibis._.count()).filter(ibis._.n > 1)
    shared = orders.group_by("Name").aggregate(n=ibis._.count(), nameless=ibis._.Id.isnull().sum())
    by_name = transactions.filter(transactions.Order.isnull())
    by_id = transactions.filter(transactions.Order.notnull())
    return {
        "orders: {n} names have the same time and different e-mail addresses, and no Id: they are "
        "of two shops, or of one order whose address was changed. Expected the column Id; export "
        "it too, or import each shop into a folder of its own.": twins,
        "transactions: {n} are of orders whose name is that of several orders. Expected the column "
        "Order, and Id with the orders; export them too, or import each shop into a folder of its "
        "own.": by_name.semi_join(shared.filter(shared.n > 1), "Name").union(
            by_id.semi_join(shared.filter(shared.nameless > 1), "Name")
        ),
    }


def losses(inputs: Inputs) -> Mapping[str, ir.Table]:
    """Return what is read and belongs to nothing."""
    orders, given_back = inputs["orders"], _given_back(inputs["transactions"])
    loose = given_back.anti_join(orders, given_back.Order == orders.Id).anti_join(orders, "Name")
    state = given(orders["Financial Status"])
    unknown = orders.filter(state.isnull() | state.notin(tuple(STATES)))
    return {
        "refunds left out: the export does not hold the orders they are of": loose,
        "orders counted as paid: their financial state is blank, or none of Shopify's": unknown,
    }


def _given_back(transactions: ir.Table) -> ir.Table:
    """Return the transactions that paid money back."""
    return transactions.filter(
        (transactions.Kind.strip().lower() == "refund")
        & (transactions.Status.strip().lower() == "success")
    )


def prepare(inputs: Inputs) -> Inputs:
    """Turn orders into sales, and refunds into rows of their own."""
    orders = inputs["orders"]
    names = by_group(orders, "Name", orders_of_name=orders.Name.count())
    orders = lookup(orders, "Name", names, orders_of_name="orders_of_name")
    alone = orders.Name + "/" + ibis.coalesce(orders.Id, orders["Created at"])
    orders = orders.mutate(
        order_id=ibis.ifelse(orders.orders_of_name > 1, alone, orders.Name),
        paid=orders["Financial Status"],
        is_test=_is_test(orders).cast("string"),
    )
    sales = orders.select(
        order_id=orders.order_id,
        refund_of=ibis.null("string"),
        ordered_at=orders["Created at"],
        amount=_net(orders).text,
        currency=orders.Currency,
        email=orders.Email,
        phone=orders.Phone,
        status=orders.paid,
        is_test=orders.is_test,
    )
    # Of every order that is a sale: whatever its state is called, or whether it has one.
    sold = ~orders.paid.isin(UNPAID).fill_null(ibis.literal(value=False))
    refunds = _refunds(orders.filter(sold), inputs["transactions"])
    return {"sales": sales.union(refunds.select(*sales.columns))}


def _is_test(orders: ir.Table) -> ir.Value:
    """Say whether an order was placed to try the shop: paid by the bogus gateway, or tagged so."""
    paid, tags = (orders[name].lower() for name in ("Payment Method", "Tags"))
    return (paid.contains("bogus") | tags.re_search(TEST_TAG)).fill_null(NO)


def _net(orders: ir.Table) -> Cell:
    """Return revenue; taxes and shipping that are not given take nothing away."""
    total = number(orders.Total)
    parts = (number(orders[name]).otherwise(0.0) for name in ("Taxes", "Shipping"))
    return computed(lambda whole, tax, ship: (whole - tax - ship).round(4), total, *parts)


def _of_orders(transactions: ir.Table, by: str, orders: Unique) -> ir.Table:
    """Return the orders that transactions belong to, beside the amount and the time."""
    dated = transactions.select(
        order=transactions[by],
        back=transactions.Amount,
        back_at=transactions["Created At"],
        back_in=transactions.Currency.strip().upper(),
    )
    names = [name for name in orders.rows.columns if name != orders.key]
    found = lookup(dated, "order", orders, **{name: name for name in names})
    found = found.filter(found.order_id.notnull()).mutate(**{orders.key: found.order})
    return found.select("back", "back_at", "back_in", *sorted(orders.rows.columns))


def _in_shop_currency(exact: ir.Table) -> tuple[ir.Table, Unique]:
    """Write refunds in the currency of their order, beside what each order gave back in which.

    Of money that was given back in another currency, the transactions tell the days and the
    shares; how much it was in that of the order is what its refunded amount leaves for it.
    """
    foreign = (exact.back_in != exact.Currency.strip().upper()).fill_null(NO)
    amount = number(exact.back).value.abs()
    dated = by_group(
        exact,
        "order_id",
        own=amount.sum(where=~foreign),
        foreign=amount.sum(where=foreign),
    )
    rows = lookup(exact.mutate(is_foreign=foreign), "order_id", dated, own="own", foreign="foreign")
    shares = computed(
        lambda rest, part: (rest * part.abs() / rows.foreign.nullif(0.0)).round(4),
        _rest(rows),
        number(rows.back),
    )
    back = ibis.ifelse(rows.is_foreign, shares.text, rows.back)
    return rows.mutate(back=back).drop("is_foreign", "own", "foreign"), dated


def _rest(orders: ir.Table) -> Cell:
    """Return what orders gave back beyond the transactions in their own currency."""
    return computed(
        lambda whole, part: (whole.abs() - part).round(4).clip(lower=0),
        number(orders["Refunded Amount"]),
        Cell(orders.own.fill_null(0.0), ibis.null("string")),
    )


def _refunds(orders: ir.Table, transactions: ir.Table) -> ir.Table:
    """Return refunds: the transactions, and what the order gave back beyond them."""
    given_back = _given_back(transactions)
    by_id = given_back.filter(given_back.Order.notnull())
    by_name = given_back.filter(given_back.Order.isnull())
    exact = ibis.union(
        _of_orders(by_id, "Order", unique(orders, "Id")),
        _of_orders(by_name, "Name", unique(orders, "Name")),
        # Of an export without Ids.
        _of_orders(by_id, "Name", unique(orders.filter(orders.Id.isnull()), "Name")),
    )
    exact, dated = _in_shop_currency(exact)
    orders = lookup(orders, "order_id", dated, own="own", foreign="foreign")
    rest = _rest(orders)
    undated = orders.filter(
        ((rest.value > CENT) | rest.unread.notnull()) & ~(orders.foreign > 0).fill_null(NO)
    )
    undated = undated.mutate(
        back=rest.text,
        back_at=ibis.coalesce(undated["Cancelled at"], undated["Created at"]),
        back_in=undated.Currency,
    ).select(*exact.columns)
    rows = exact.union(undated)
    back = number(rows.back)
    total, net = number(rows.Total), _net(rows)
    amount = computed(
        lambda part, whole, kept: (-part.abs() * ibis.ifelse(whole > 0, kept / whole, 1.0)).round(
            4
        ),
        back,
        total,
        net,
    )
    order = ibis.window(group_by="order_id", order_by=[rows.back_at, back.value, rows.back])
    place = (ibis.row_number().over(order) + 1).cast("string")
    return rows.select(
        order_id=rows.order_id + "-refund-" + place,
        refund_of=rows.order_id,
        ordered_at=rows.back_at,
        amount=amount.text,
        currency=rows.Currency,
        email=rows.Email,
        phone=rows.Phone,
        status=rows.paid,
        is_test=rows.is_test,
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
                "test": 'is_in(is_test, "true")',
                "not_paid": "is_in(status, " + ", ".join(f'"{word}"' for word in UNPAID) + ")",
            },
        ),
    ),
    keys={"email": Key("email", "email"), "phone": Key("phone", "phone")},
    fallback=("email", "phone"),
    prepare=prepare,
    refusals=refusals,
    losses=losses,
    remarks=(
        "test orders are left out: paid by the bogus gateway, or tagged test",
        "revenue is the total without taxes and shipping; refunds are taken back in proportion",
        "an order in several exports is the one whose state is latest: refunded after paid after "
        "pending, the larger refund after the smaller",
        "a refund that no transaction dates counts on the day of the cancellation, else of its "
        "order: earlier than it was known",
    ),
)
