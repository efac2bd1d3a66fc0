"""Contacts and survey answers made ready before any cutoff: what became known of them when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from clv.engines.physical import thousandths
from clv.events.moments import ALWAYS, NEVER, given
from clv.windows import DAY_SECONDS

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from clv.contract.tables import Tables
    from clv.windows import FollowUp

UNATTENDED = ("bot", "self_service")
"""Channels without an agent: first-contact resolution is unknown there."""

LOW_CSAT = 2
MANY_TRANSFERS = 2

_TIMES = ("wait", "first_response", "handle", "hold", "wrap", "sla")
_AS_GIVEN = (
    "agent_id",
    "queue",
    "priority",
    "transfers",
    "goodwill",
    "ended_at",
    "resolved_at",
    "reopened_at",
    *(f"{name}_seconds" for name in _TIMES),
)


_CONTACT_COLUMNS = (
    "interaction_id",
    "customer_id",
    "agent_id",
    "channel",
    "queue",
    "issue",
    "priority",
    "by_customer",
    "attended",
    "sequence",
    "at_s",
    "end_s",
    "settle_s",
    "resolved_s",
    "reopened_s",
    "wait_known_s",
    "first_response_known_s",
    "sla_known_s",
    "sla_miss_s",
    "unresolved_s",
    "bad_s",
    "repeated",
    "first_contact_resolved",
    "hand_offs",
    "goodwill",
    "wait_ms",
    "first_response_ms",
    "handle_ms",
    "hold_ms",
    "wrap_ms",
)


def contact_rows(tables: Tables) -> ir.Table:
    """Prepare interactions; see ``Histories.contacts``."""
    raw = tables["interactions"]
    rows = raw.select(
        "interaction_id",
        "customer_id",
        "channel",
        at_s=raw.started_at,
        by_customer=given(raw, "interactions", "initiated_by").fill_null("customer") == "customer",
        issue=given(raw, "interactions", "issue_type").fill_null(""),
        **{name: given(raw, "interactions", name) for name in _AS_GIVEN},
    )
    # The sorts come first, over the fewest columns.
    rows = _followed(rows, tables)
    rows = rows.mutate(
        attended=~rows.channel.isin(UNATTENDED),
        hand_offs=rows.transfers,
        **{f"{name}_ms": thousandths(rows[f"{name}_seconds"]) for name in _TIMES},
    )
    rows = rows.mutate(
        end_s=ibis.coalesce(rows.ended_at, _after(rows.at_s, rows.handle_ms), rows.at_s),
        settle_s=_settled(rows.at_s, rows.ended_at, tables.terms.fcr_days * DAY_SECONDS),
        resolved_s=rows.resolved_at.fill_null(NEVER),
        reopened_s=rows.reopened_at.fill_null(NEVER),
        wait_known_s=_after(rows.at_s, rows.wait_ms).fill_null(NEVER),
        first_response_known_s=_after(rows.at_s, rows.first_response_ms).fill_null(NEVER),
    )
    rows = _outcomes(rows, resolution=tables.has("interactions", "resolved_at"))
    rows = _complaints(rows, tables)
    rows = rows.mutate(
        bad_s=ibis.least(
            rows.unresolved_s, rows.reopened_s, rows.sla_miss_s, rows.handed_on_s, rows.low_csat_s
        )
    )
    return rows.select(*_CONTACT_COLUMNS)


def followed(contacts: ir.Table, follow: FollowUp) -> ir.Table:
    """Return contacts that customers began and agents answered, whose horizon is known whole."""
    return contacts.filter(
        contacts.by_customer & contacts.attended & follow.complete(contacts.at_s)
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
        .group_by(about=answers.interaction_id, whose=answers.customer_id)
        .aggregate(low_csat_s=answers.responded_at.min())
    )
    same = [rows.interaction_id == low.about, rows.customer_id == low.whose]
    joined = rows.left_join(low, same).drop("about", "whose")
    return joined.mutate(low_csat_s=joined.low_csat_s.fill_null(NEVER))


def survey_rows(tables: Tables) -> ir.Table:
    """Prepare survey answers; see ``Histories.surveys``."""
    raw = tables["surveys"]
    mine = ibis.window(
        group_by=[raw.customer_id, raw.kind], order_by=[raw.responded_at, raw.survey_id]
    )
    rows = raw.select(
        "survey_id",
        "customer_id",
        "kind",
        asked=given(raw, "surveys", "interaction_id"),
        at_s=raw.responded_at,
        score_m=thousandths(raw.score),
        sequence=ibis.row_number().over(mine) + 1,
    )
    if "interactions" not in tables or not tables.has("surveys", "interaction_id"):
        return rows.drop("asked").mutate(about_s=rows.at_s)
    contacts = tables["interactions"]
    begun = contacts.select(
        about=contacts.interaction_id, whose=contacts.customer_id, about_s=contacts.started_at
    )
    same = [rows.asked == begun.about, rows.customer_id == begun.whose]
    joined = rows.left_join(begun, same)
    known_s = joined.about_s.fill_null(ibis.literal(ALWAYS, "int64"))
    return joined.mutate(
        about_s=joined.asked.isnull().ifelse(joined.at_s, ibis.least(known_s, joined.at_s))
    ).drop("asked", "about", "whose")
