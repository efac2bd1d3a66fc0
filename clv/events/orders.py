"""Orders and refunds made ready before any cutoff: what stands first, and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from clv.events.moments import ALWAYS, NEVER, day_number, given

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from clv.contract.tables import Tables

_ORDER_COLUMNS = (
    "order_id",
    "customer_id",
    "at_s",
    "known_s",
    "own_s",
    "amount",
    "margin",
    "category",
    "is_purchase",
    "void_s",
    "day_from_s",
    "first_from_s",
    "category_before_s",
    "sequence",
    "gap_days",
)


def margin_of(orders: ir.Table, tables: Tables) -> ir.Value:
    """Return the value of each order row: margin, else amount × rate, else amount."""
    rate = tables.terms.margin_rate
    plain = orders.amount
    if rate is not None:
        plain = (orders.amount.cast("float64") * rate).round().cast("int64")
    return ibis.coalesce(orders.margin, plain) if "margin" in orders.columns else plain


def order_rows(tables: Tables) -> tuple[ir.Table, tuple[ir.Table, ...]]:
    """Prepare orders and refunds; see ``Histories.orders``. Also return what the engine holds."""
    raw, engine = tables["orders"], tables.engine
    selected = raw.select(
        order_id=raw.order_id,
        customer_id=raw.customer_id,
        own_s=raw.ordered_at,
        amount=raw.amount,
        margin=margin_of(raw, tables),
        category=given(raw, "orders", "category"),
        refund_of=given(raw, "orders", "refund_of"),
        is_purchase=raw.amount >= 0,
    )
    # Read and converted once; what follows goes over the rows several times. The sort by
    # category comes first, so that the rows end up together by customer.
    rows = engine.cache(_repeated(selected, named=tables.has("orders", "category")))
    bought = rows.filter(rows.is_purchase).drop("refund_of", "is_purchase")
    refunds = rows.filter(~rows.is_purchase).drop("category", "category_before_s", "is_purchase")
    if not tables.has("orders", "refund_of"):
        never_void = bought.mutate(void_s=ibis.literal(NEVER, "int64"))
        held = engine.cache(_purchases(_standing(never_void)))
        returned = engine.cache(_unlinked(refunds))
        engine.release(rows)
        return ibis.union(held, returned), (held, returned)
    linked = engine.cache(_links(refunds, bought))
    voids = engine.cache(_voids(linked))
    touched = engine.cache(_touched(bought, voids))
    simple = _standing(_with_voids(bought.anti_join(touched, "customer_id"), voids))
    revised = _restanding(_with_voids(bought.semi_join(touched, "customer_id"), voids))
    standing = ibis.union(simple, revised.select(*simple.columns))
    held = engine.cache(_purchases(standing))
    parents = held.select("void_s", "first_from_s", parent_order=held.order_id)
    known = linked.inner_join(parents, linked.parent_id == parents.parent_order)
    loose = refunds.anti_join(linked, "order_id")
    returned = engine.cache(ibis.union(_linked(known), _unlinked(loose)))
    for table in (rows, linked, voids, touched):
        engine.release(table)
    return ibis.union(held, returned), (held, returned)


def _links(refunds: ir.Table, bought: ir.Table) -> ir.Table:
    """Return the refunds of a purchase of the same customer, with that purchase."""
    link = bought.select(
        parent_id=bought.order_id,
        parent_customer=bought.customer_id,
        parent_s=bought.own_s,
        parent_amount=bought.amount,
    )
    return refunds.filter(refunds.refund_of.notnull()).inner_join(
        link, [refunds.refund_of == link.parent_id, refunds.customer_id == link.parent_customer]
    )


def _voids(linked: ir.Table) -> ir.Table:
    """Return, by order, the second at which its refunds reached its amount."""
    running = linked.mutate(
        known_s=ibis.greatest(linked.own_s, linked.parent_s),
    )
    window = ibis.window(
        group_by=running.parent_id,
        order_by=[running.known_s, running.order_id],
        preceding=None,
        following=0,
    )
    running = running.mutate(left=running.parent_amount + running.amount.sum().over(window))
    return (
        running.filter(running.left <= 0)
        .group_by("parent_id", "customer_id")
        .aggregate(
            void_s=lambda t: t.known_s.min(), void_day=lambda t: day_number(t.parent_s.min())
        )
    )


def _with_voids(bought: ir.Table, voids: ir.Table) -> ir.Table:
    times = voids.select("parent_id", "void_s")
    rows = bought.left_join(times, bought.order_id == times.parent_id).drop("parent_id")
    return rows.mutate(void_s=rows.void_s.fill_null(NEVER))


def _touched(bought: ir.Table, voids: ir.Table) -> ir.Table:
    """Return the customers of whom a void purchase changes what is first.

    It does where it lies on the customer's first day, or on a day with other purchases.
    """
    dated = bought.select("customer_id", day=day_number(bought.own_s))
    first = dated.group_by("customer_id").aggregate(first_day=dated.day.min())
    at_first = voids.inner_join(
        first, [voids.customer_id == first.customer_id, voids.void_day == first.first_day]
    )
    days = dated.inner_join(
        voids.select("customer_id", "void_day").distinct(),
        [dated.customer_id == voids.customer_id, dated.day == voids.void_day],
    )
    shared = days.group_by("customer_id", "day").having(days.count() > 1).aggregate(n=days.count())
    return ibis.union(at_first.select("customer_id"), shared.select("customer_id"), distinct=True)


def _standing(purchases: ir.Table) -> ir.Table:
    """Say which purchases are the first of their day, and of the customer's first day.

    For customers of whom no void purchase changes that.
    """
    rows = purchases.mutate(day=day_number(purchases.own_s))
    mine = ibis.window(group_by=rows.customer_id, order_by=[rows.own_s, rows.order_id])
    before, first = rows.day.lag().over(mine), rows.day.first().over(mine)
    rows = rows.mutate(
        sequence=ibis.row_number().over(mine) + 1,
        gap_days=(rows.day - before).nullif(0),
        first_day=rows.day == first,
        new_day=before.isnull() | (before != rows.day),
    )
    return _since(rows, rows.new_day, rows.first_day)


def _since(rows: ir.Table, new_day: ir.BooleanValue, first_day: ir.BooleanValue) -> ir.Table:
    never, always = ibis.literal(NEVER, "int64"), ibis.literal(ALWAYS, "int64")
    return rows.mutate(
        day_from_s=new_day.ifelse(always, never), first_from_s=first_day.ifelse(always, never)
    ).drop("new_day", "first_day", "day")


def _restanding(purchases: ir.Table) -> ir.Table:
    """Say from when on each purchase stands first in its day, and its day in the customer's.

    A purchase is the first standing one of its day once all earlier ones of that day are
    void, and its day is the customer's first once those of all earlier days are.
    """
    rows = purchases.mutate(day=day_number(purchases.own_s))
    order = [rows.own_s, rows.order_id]
    mine = ibis.window(group_by=rows.customer_id, order_by=order)
    so_far_today = ibis.window(
        group_by=[rows.customer_id, rows.day], order_by=order, preceding=(None, 1)
    )
    earlier_days = ibis.range_window(
        group_by=rows.customer_id, order_by=rows.day, preceding=(None, 1)
    )
    return rows.mutate(
        sequence=ibis.row_number().over(mine) + 1,
        gap_days=(rows.day - rows.day.lag().over(mine)).nullif(0),
        day_from_s=rows.void_s.max().over(so_far_today).fill_null(ALWAYS),
        first_from_s=rows.void_s.max().over(earlier_days).fill_null(ALWAYS),
    ).drop("day")


def _repeated(rows: ir.Table, *, named: bool) -> ir.Table:
    """Say when the customer had bought of the same category before."""
    if not named:
        return rows.mutate(category_before_s=ibis.literal(NEVER, "int64"))
    same = ibis.window(
        group_by=[rows.customer_id, rows.category, rows.is_purchase],
        order_by=[rows.own_s, rows.order_id],
    )
    return rows.mutate(category_before_s=rows.own_s.lag().over(same).fill_null(ALWAYS))


def _purchases(rows: ir.Table) -> ir.Table:
    return rows.select(
        "order_id",
        "customer_id",
        "own_s",
        "amount",
        "margin",
        "category",
        "void_s",
        "day_from_s",
        "first_from_s",
        "category_before_s",
        "sequence",
        "gap_days",
        at_s=rows.own_s,
        known_s=rows.own_s,
        is_purchase=ibis.literal(value=True),
    ).select(*_ORDER_COLUMNS)


def _linked(rows: ir.Table) -> ir.Table:
    return _refunds(
        rows,
        at_s=rows.parent_s,
        known_s=ibis.greatest(rows.own_s, rows.parent_s),
        void_s=rows.void_s,
        first_from_s=rows.first_from_s,
    )


def _unlinked(rows: ir.Table) -> ir.Table:
    never = ibis.literal(NEVER, "int64")
    # Void from the start: it belongs to no purchase, and counts as money alone.
    always = ibis.literal(ALWAYS, "int64")
    return _refunds(rows, at_s=rows.own_s, known_s=rows.own_s, void_s=always, first_from_s=never)


def _refunds(rows: ir.Table, **times: ir.Value) -> ir.Table:
    return rows.select(
        "order_id",
        "customer_id",
        "own_s",
        "amount",
        "margin",
        category=ibis.null("string"),
        day_from_s=ibis.literal(NEVER, "int64"),
        category_before_s=ibis.literal(NEVER, "int64"),
        sequence=ibis.null("int64"),
        gap_days=ibis.null("int64"),
        is_purchase=ibis.literal(value=False),
        **times,
    ).select(*_ORDER_COLUMNS)
