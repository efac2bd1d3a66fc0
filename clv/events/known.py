"""Rows as they were known at a cutoff: the only rows that a feature ever sees.

Each function takes prepared rows and a window and gives what was known by the end of the
cutoff's day: later rows are gone, later facts are null, and ``days_ago`` and ``in_90d`` stand
in for times, so that no feature can look past the cutoff.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import ibis

from clv.events.moments import ALWAYS, day_number
from clv.windows import DAY_SECONDS, YEAR_DAYS

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from clv.windows import Window


_THURSDAY, _SATURDAY = 3, 5  # 1970-01-01 was a Thursday; Monday is 0

Spans = tuple[int, ...]
"""The windows, in days up to the cutoff, that features of a table use."""


def orders_known(rows: ir.Table, window: Window, spans: Spans) -> ir.Table:
    """Return orders and refunds: ``is_bought`` where a purchase stands, ``net`` of refunds."""
    rows = orders_standing(rows, window)
    standing, bought = ~window.seen(rows.void_s), rows.is_bought
    rows = rows.mutate(
        new_day=bought & window.seen(rows.day_from_s),
        on_first_day=standing & window.seen(rows.first_from_s),
        own_days_ago=cutoff_day(window) - day_number(rows.own_s),
        at_weekend=(day_number(rows.at_s) + _THURSDAY) % 7 >= _SATURDAY,
        quarter=rows.at_s.as_timestamp("s").quarter(),
        **_new_categories(rows, window, spans),
        **_seasons(rows, window, spans),
    )
    return _dated(rows, window, spans)


def orders_standing(rows: ir.Table, window: Window) -> ir.Table:
    """Return orders and refunds that were known, and which purchases stand."""
    rows = rows.filter(window.seen(rows.known_s))
    standing = ~window.seen(rows.void_s)
    return rows.mutate(
        is_bought=rows.is_purchase & standing,
        # Money of purchases that stand, net of their refunds; the rest is void or unlinked.
        net=standing.ifelse(rows.amount, 0),
        net_margin=standing.ifelse(rows.margin, 0),
    )


def _new_categories(rows: ir.Table, window: Window, spans: Spans) -> dict[str, ir.Value]:
    """Say where a category is bought for the first time: ever, or within a window."""
    named = rows.is_purchase & rows.category.notnull()
    new = {"new_category": named & (rows.category_before_s == ALWAYS)}
    for days in spans:
        again = window.within(rows.category_before_s, days)
        new[f"new_category_{days}d"] = named & window.within(rows.at_s, days) & ~again
    return new


def _seasons(rows: ir.Table, window: Window, spans: Spans) -> dict[str, ir.Value]:
    """Say what lies in the days that began a year before the cutoff."""
    year_ago = window.shifted(-YEAR_DAYS)
    return {
        f"season_{days}d": replace(year_ago, horizon_days=days).ahead(rows.at_s) for days in spans
    }


def contacts_known(rows: ir.Table, window: Window, spans: Spans, peers: ir.Table) -> ir.Table:
    """Return contacts that had begun, with what had become known of them.

    ``peers`` is ``peer_means`` of the contacts of all customers.
    """
    return _dated(_with_peers(_contacts(rows, window), peers), window, spans)


def _contacts(rows: ir.Table, window: Window) -> ir.Table:
    rows = rows.filter(window.seen(rows.at_s))
    ended, settled = window.seen(rows.end_s), window.seen(rows.settle_s)
    return rows.mutate(
        handle_ms=_if(ended, rows.handle_ms),
        hold_ms=_if(ended, rows.hold_ms),
        wrap_ms=_if(ended, rows.wrap_ms),
        hand_offs=_if(ended, rows.hand_offs),
        wait_ms=_if(window.seen(rows.wait_known_s), rows.wait_ms),
        first_response_ms=_if(window.seen(rows.first_response_known_s), rows.first_response_ms),
        resolve_s=_if(window.seen(rows.resolved_s), rows.resolved_s - rows.at_s),
        resolved=window.seen(rows.resolved_s),
        reopened=window.seen(rows.reopened_s),
        settled=settled,
        first_contact_resolved=_if(settled, rows.first_contact_resolved),
        repeated=_if(settled, rows.repeated),
        unresolved=window.seen(rows.unresolved_s),
        sla_missed=_if(window.seen(rows.sla_known_s), window.seen(rows.sla_miss_s)),
        bad=window.seen(rows.bad_s),
    )


def surveys_known(rows: ir.Table, window: Window, spans: Spans) -> ir.Table:
    """Return the answers that had come in."""
    return _dated(rows.filter(window.seen(rows.at_s)), window, spans)


def customers_known(rows: ir.Table, window: Window) -> ir.Table:
    """Return customers who were known: signed up by then, or without a date of it."""
    if "signed_up_at" not in rows.columns:
        return rows
    known = window.seen(rows.signed_up_at) | rows.signed_up_at.isnull()
    return rows.filter(known).mutate(days_ago=cutoff_day(window) - day_number(rows.signed_up_at))


def callers(ids: ir.Table, customers: ir.Table | None) -> ir.Table:
    """Return the ids of contacts that are somebody's: where customers are listed, theirs.

    Contacts of others are of unknown callers. They are read for what is usual in a channel,
    and nobody is scored for them.
    """
    return ids if customers is None else ids.semi_join(customers, "customer_id")


def _dated(rows: ir.Table, window: Window, spans: Spans) -> ir.Table:
    """Replace times by days before the cutoff, and by one flag for each window in use."""
    flags = {
        f"in_{days}d": window.within(rows.at_s, days)
        for days in sorted({*spans, *(2 * days for days in spans)})
    }
    return rows.mutate(days_ago=cutoff_day(window) - day_number(rows.at_s), **flags)


def peer_means(rows: ir.Table, window: Window) -> ir.Table:
    """Return what contacts of a channel and issue took on average, as known by then."""
    rows = _contacts(rows, window)
    return rows.group_by(peer_channel=rows.channel, peer_issue=rows.issue).aggregate(
        expected_handle_ms=_mean_ms(rows.handle_ms), expected_wait_ms=_mean_ms(rows.wait_ms)
    )


def _with_peers(rows: ir.Table, peers: ir.Table) -> ir.Table:
    joined = rows.left_join(
        peers, [rows.channel == peers.peer_channel, rows.issue == peers.peer_issue]
    )
    return joined.drop("peer_channel", "peer_issue")


def _mean_ms(value: ir.Value) -> ir.Value:
    """Return a mean in whole thousandths, so that sums of it stay exact."""
    mean = value.sum().cast("float64") / value.count().cast("float64").nullif(0.0)
    return mean.round().cast("int64")


def _if(known: ir.BooleanValue, value: ir.Value) -> ir.Value:
    return known.ifelse(value, ibis.null(value.type()))


def cutoff_day(window: Window) -> int:
    """Return the cutoff's day, counted from 1970-01-01."""
    return window.ahead_s // DAY_SECONDS - 1
