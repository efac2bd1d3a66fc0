"""Rows made ready once, before any cutoff: what happened, and when it became known.

Nothing here depends on a cutoff. Whatever a later fact changes is written as the second at
which it changed (``void_s``, ``settle_s``, ``bad_s``), so that a cutoff enters later by
comparison alone, and several cutoffs share the work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

from clv.data.tables import Tables, missing, thousandths
from clv.schema import INTERACTIONS, ORDERS
from clv.windows import DAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

    from clv.markers.contacts import PreparedMarkers

NEVER = 2**62
"""The second of what has not happened: no cutoff reaches it."""

ALWAYS = -(2**62)
"""The second of what needed nothing to happen."""

UNATTENDED = ("bot", "self_service")
"""Channels without an agent: first-contact resolution is unknown there."""

LOW_CSAT = 2
MANY_TRANSFERS = 2


@dataclass(frozen=True)
class Prepared:
    """Rows held by the engine, free of any cutoff.

    Attributes
    ----------
    tables : Tables
        Where they came from.
    orders : ibis Table
        One row per order and refund: ``customer_id``, ``at_s`` (the day it counts on: a
        linked refund counts on its order's), ``known_s``, ``own_s`` (its own time),
        ``amount``, ``margin``, ``is_purchase``, ``void_s`` (fully refunded), ``day_from_s``
        (from when on it is the first standing purchase of its day), ``first_from_s`` (from
        when on its day is the customer's first), ``sequence``, ``gap_days`` and more.
    contacts : ibis Table or None
        One row per interaction with all its own columns, ``at_s``, ``sequence``,
        ``by_customer``, ``attended``, ``end_s``, ``settle_s``, ``next_s``, ``repeated``,
        ``first_contact_resolved``, ``unresolved_s``, ``sla_miss_s``, ``bad_s``, the times
        in thousandths (``handle_ms`` …) and the columns of ``behaviours``.
    surveys : ibis Table or None
        One row per answer: ``at_s``, ``kind``, ``score_m`` (thousandths), ``sequence``.
    customers : ibis Table or None
        As given.
    columns : mapping of str to frozenset of str
        The columns that were given, by table; ``behaviours`` among them.
    held : tuple of ibis Table
        What ``close`` releases.
    behaviours : PreparedMarkers or None
        Markers of the contacts; whoever prepared them closes them.
    """

    tables: Tables
    orders: ir.Table
    contacts: ir.Table | None
    surveys: ir.Table | None
    customers: ir.Table | None
    columns: Mapping[str, frozenset[str]]
    held: tuple[ir.Table, ...]
    behaviours: PreparedMarkers | None = None

    def close(self) -> None:
        """Let the engine forget the rows."""
        for rows in self.held:
            self.tables.engine.release(rows)


def prepare(tables: Tables, *, behaviours: PreparedMarkers | None = None) -> Prepared:
    """Make a company's rows ready for any number of cutoffs.

    Parameters
    ----------
    tables : Tables
        Accepted tables.
    behaviours : PreparedMarkers, optional
        Markers of contacts: counted in whole they become columns of the contacts, and as
        known at a cutoff they become features.
    """
    engine = tables.engine
    columns = {name: frozenset(frame.columns) for name, frame in tables.frames.items()}
    if tables.value_is_margin:
        columns["orders"] |= {"margin"}
    surveys = engine.cache(survey_rows(tables)) if "surveys" in tables else None
    contacts = None
    if "interactions" in tables:
        rows = contact_rows(tables)
        if behaviours is not None:
            columns["behaviours"] = behaviours.columns
            rows = rows.left_join(behaviours.contacts(None), "interaction_id").drop("interaction_id_right")
        contacts = engine.cache(rows)
    customers = tables.frames.get("customers")
    orders, held = order_rows(tables)
    held += tuple(rows for rows in (contacts, surveys) if rows is not None)
    return Prepared(tables, orders, contacts, surveys, customers, columns, held, behaviours)


def given(rows: ir.Table, contract_name: str, name: str) -> ir.Value:
    """Return a column of the contract, null where the company has none."""
    contract = ORDERS if contract_name == "orders" else INTERACTIONS
    return rows[name] if name in rows.columns else missing(contract[name].kind)


def margin_of(orders: ir.Table, tables: Tables) -> ir.Value:
    """Return the value of each order row: margin, else amount × rate, else amount."""
    rate = tables.terms.margin_rate
    plain = orders.amount
    if rate is not None:
        plain = (orders.amount.cast("float64") * rate).round().cast("int64")
    return ibis.coalesce(orders.margin, plain) if "margin" in orders.columns else plain


def day_number(at_s: ir.Value) -> ir.Value:
    """Return days since 1970-01-01 of a second."""
    return (at_s // DAY_SECONDS).cast("int64")


def order_rows(tables: Tables) -> tuple[ir.Table, tuple[ir.Table, ...]]:
    """Prepare orders and refunds; see ``Prepared.orders``. Also return what the engine holds."""
    raw, engine = tables["orders"], tables.engine
    rows = raw.select(
        order_id=raw.order_id,
        customer_id=raw.customer_id,
        own_s=raw.ordered_at,
        amount=raw.amount,
        margin=margin_of(raw, tables),
        category=given(raw, "orders", "category"),
        refund_of=given(raw, "orders", "refund_of"),
        is_purchase=raw.amount >= 0,
    )
    named = tables.has("orders", "category")
    bought = rows.filter(rows.is_purchase).drop("refund_of", "is_purchase")
    refunds = rows.filter(~rows.is_purchase).drop("category", "is_purchase")
    if not tables.has("orders", "refund_of"):
        never_void = bought.mutate(void_s=ibis.literal(NEVER, "int64"))
        held = engine.cache(_purchases(_repeated(_standing(never_void), named=named)))
        returned = engine.cache(_unlinked(refunds))
        return ibis.union(held, returned), (held, returned)
    linked = engine.cache(_links(refunds, bought))
    voids = engine.cache(_voids(linked))
    touched = voids.select("customer_id").distinct()
    untouched = bought.anti_join(touched, "customer_id")
    revised = bought.semi_join(touched, "customer_id").left_join(
        voids.drop("customer_id"), bought.order_id == voids.parent_id
    )
    revised = revised.mutate(void_s=revised.void_s.fill_null(NEVER)).drop("parent_id")
    simple = _standing(untouched.mutate(void_s=ibis.literal(NEVER, "int64")))
    standing = ibis.union(simple, _restanding(revised).select(*simple.columns))
    held = engine.cache(_purchases(_repeated(standing, named=named)))
    parents = held.select("void_s", "first_from_s", parent_order=held.order_id)
    known = linked.inner_join(parents, linked.parent_id == parents.parent_order)
    loose = refunds.anti_join(linked, "order_id")
    returned = engine.cache(ibis.union(_linked(known), _unlinked(loose)))
    engine.release(linked)
    engine.release(voids)
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
        .aggregate(void_s=lambda t: t.known_s.min())
    )


def _standing(purchases: ir.Table) -> ir.Table:
    """Say which purchases are the first of their day, and of the customer's first day.

    For customers without a void purchase: nothing ever changes it.
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


def _repeated(purchases: ir.Table, *, named: bool) -> ir.Table:
    """Say when the customer had bought of the same category before."""
    if not named:
        return purchases.mutate(category_before_s=ibis.literal(NEVER, "int64"))
    same = ibis.window(
        group_by=[purchases.customer_id, purchases.category],
        order_by=[purchases.own_s, purchases.order_id],
    )
    return purchases.mutate(category_before_s=purchases.own_s.lag().over(same).fill_null(ALWAYS))


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


def contact_rows(tables: Tables) -> ir.Table:
    """Prepare interactions; see ``Prepared.contacts``."""
    raw = tables["interactions"]
    rows = raw.mutate(
        at_s=raw.started_at,
        by_customer=given(raw, "interactions", "initiated_by").fill_null("customer") == "customer",
        attended=~raw.channel.isin(UNATTENDED),
        issue=given(raw, "interactions", "issue_type").fill_null(""),
        **{
            f"{name}_ms": thousandths(given(raw, "interactions", f"{name}_seconds"))
            for name in ("wait", "first_response", "handle", "hold", "wrap", "sla")
        },
        hand_offs=given(raw, "interactions", "transfers"),
    )
    ended_s = given(raw, "interactions", "ended_at")
    rows = rows.mutate(
        end_s=ibis.coalesce(ended_s, _after(rows.at_s, rows.handle_ms), rows.at_s),
        settle_s=_settled(rows.at_s, ended_s, tables.terms.fcr_days * DAY_SECONDS),
        resolved_s=given(raw, "interactions", "resolved_at").fill_null(NEVER),
        reopened_s=given(raw, "interactions", "reopened_at").fill_null(NEVER),
        wait_known_s=_after(rows.at_s, rows.wait_ms).fill_null(NEVER),
        first_response_known_s=_after(rows.at_s, rows.first_response_ms).fill_null(NEVER),
    )
    rows = _followed(rows, tables)
    rows = _outcomes(rows, resolution=tables.has("interactions", "resolved_at"))
    rows = _complaints(rows, tables)
    return rows.mutate(
        bad_s=ibis.least(
            rows.unresolved_s, rows.reopened_s, rows.sla_miss_s, rows.handed_on_s, rows.low_csat_s
        )
    )


def _settled(at_s: ir.Value, ended_s: ir.Value, after_s: int) -> ir.Value:
    """Return when a contact is decided: some days after its end, else after its beginning.

    One that had not ended by then was decided from its beginning, and that never changes.
    """
    return ibis.coalesce((ended_s <= at_s + after_s).ifelse(ended_s, at_s), at_s) + after_s


def _after(at_s: ir.Value, thousandths_s: ir.Value) -> ir.Value:
    """Return the second by which so many thousandths of a second have passed."""
    return at_s + ((thousandths_s + 999) // 1000).cast("int64")


def _followed(rows: ir.Table, tables: Tables) -> ir.Table:
    """Count the contacts off, and find the next one of the customer's own on the same issue."""
    order = [rows.at_s, rows.interaction_id]
    mine = ibis.window(group_by=rows.customer_id, order_by=order)
    keys = [rows.customer_id, rows.by_customer]
    if tables.has("interactions", "issue_type"):
        keys.append(rows.issue)
    same = ibis.window(group_by=keys, order_by=order)
    return rows.mutate(
        sequence=ibis.row_number().over(mine) + 1,
        next_s=rows.by_customer.ifelse(rows.at_s.lead().over(same), ibis.null("int64")).fill_null(
            NEVER
        ),
    )


def _outcomes(rows: ir.Table, *, resolution: bool) -> ir.Table:
    """Settle each contact, for good, ``fcr_days`` after its end."""
    judged = rows.by_customer & rows.attended
    answer_ms = ibis.least(rows.first_response_ms, rows.wait_ms)
    answered_s = _after(rows.at_s, answer_ms).fill_null(NEVER)
    missed = (answer_ms > rows.sla_ms).fill_null(ibis.literal(value=False))
    never = ibis.literal(NEVER, "int64")
    rows = rows.mutate(
        repeated=rows.by_customer.ifelse(rows.next_s <= rows.settle_s, ibis.null("boolean")),
        sla_known_s=rows.sla_ms.notnull().ifelse(answered_s, never),
        sla_miss_s=missed.ifelse(answered_s, never),
        handed_on_s=(rows.hand_offs >= MANY_TRANSFERS)
        .fill_null(ibis.literal(value=False))
        .ifelse(rows.end_s, never),
    )
    if not resolution:
        return rows.mutate(first_contact_resolved=ibis.null("boolean"), unresolved_s=never)
    resolved = rows.resolved_s <= rows.settle_s
    held = resolved & (rows.reopened_s > rows.settle_s) & (rows.next_s > rows.settle_s)
    return rows.mutate(
        first_contact_resolved=judged.ifelse(held, ibis.null("boolean")),
        unresolved_s=(judged & ~resolved).ifelse(rows.settle_s, never),
    )


def _complaints(rows: ir.Table, tables: Tables) -> ir.Table:
    """Say when a low satisfaction score about the contact came in."""
    if not tables.has("surveys", "interaction_id"):
        return rows.mutate(low_csat_s=ibis.literal(NEVER, "int64"))
    answers = tables["surveys"]
    low = (
        answers.filter((answers.kind == "csat") & (answers.score <= LOW_CSAT))
        .group_by(about=answers.interaction_id)
        .aggregate(low_csat_s=answers.responded_at.min())
    )
    joined = rows.left_join(low, rows.interaction_id == low.about).drop("about")
    return joined.mutate(low_csat_s=joined.low_csat_s.fill_null(NEVER))


def survey_rows(tables: Tables) -> ir.Table:
    """Prepare survey answers; see ``Prepared.surveys``."""
    raw = tables["surveys"]
    mine = ibis.window(
        group_by=[raw.customer_id, raw.kind], order_by=[raw.responded_at, raw.survey_id]
    )
    return raw.select(
        "survey_id",
        "customer_id",
        "kind",
        at_s=raw.responded_at,
        score_m=thousandths(raw.score),
        sequence=ibis.row_number().over(mine) + 1,
    )
