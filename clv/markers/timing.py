"""Markers read from times and lengths: gaps, silence, talk share, promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from clv.windows import DAY_SECONDS

if TYPE_CHECKING:
    import ibis.expr.types as ir

PROMISE_DAYS = 3
"""A promise to come back is due so many days after the contact, unless the customer comes first."""

_NEVER = 2**62


def with_gaps(turns: ir.Table) -> ir.Table:
    """Add ``gap_s`` since the turn before, and ``response_s`` where it answers the customer."""
    here = ibis.window(group_by=turns.interaction_id, order_by=turns.position)
    both = turns.timed & turns.timed.lag().over(here).fill_null(ibis.literal(value=False))
    gap = turns.sent_s - turns.sent_s.lag().over(here)
    gap_s = both.ifelse(ibis.greatest(gap, 0), ibis.null("int64"))
    answers = (turns.speaker == "agent") & (turns.speaker.lag().over(here) == "customer")
    return turns.mutate(gap_s=gap_s, response_s=answers.ifelse(gap_s, ibis.null("int64")))


def durations(turns: ir.Table) -> dict[str, ir.Value]:
    """Return what times and lengths say of a contact, as aggregates of its turns."""
    agent, customer = turns.speaker == "agent", turns.speaker == "customer"
    return {
        "agent_turns": turns.count(where=agent),
        "customer_turns": turns.count(where=customer),
        "agent_words": turns.words.sum(where=agent).fill_null(0).cast("int64"),
        "customer_words": turns.words.sum(where=customer).fill_null(0).cast("int64"),
        "longest_silence_s": turns.response_s.max(),
        "longest_gap_s": turns.gap_s.max(),
        "response_s": turns.response_s.sum().cast("int64"),
        "responses": turns.response_s.count(),
    }


def promises(interactions: ir.Table) -> ir.Table:
    """Say of each contact by when a promise to come back would have been kept or broken.

    A promise is kept by the company's next contact with the customer, if it comes within
    ``PROMISE_DAYS`` and before the customer's own next one.

    Returns
    -------
    ibis Table
        ``interaction_id``, ``promise_kept`` (were one given) and ``promise_settled_s``, the
        second from which that is known.
    """
    rows = interactions
    began_s = rows.started_at
    ended_s = ibis.coalesce(rows.ended_at, began_s) if "ended_at" in rows.columns else began_s
    by_company = (rows.initiated_by == "company").fill_null(ibis.literal(value=False))
    later = ibis.window(
        group_by=rows.customer_id,
        order_by=[rows.started_at, rows.interaction_id],
        between=(1, None),
    )
    never = ibis.literal(_NEVER, "int64")
    company_s = by_company.ifelse(began_s, never).min().over(later).fill_null(_NEVER)
    customer_s = by_company.ifelse(never, began_s).min().over(later).fill_null(_NEVER)
    due_s = ended_s + PROMISE_DAYS * DAY_SECONDS
    return rows.select(
        "interaction_id",
        promise_kept=(company_s <= due_s) & (company_s <= customer_s),
        promise_settled_s=ibis.least(company_s, customer_s, due_s),
    )
