"""Markers read from times and lengths: gaps, silence, talk share, promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from clv.windows import DAY_SECONDS

if TYPE_CHECKING:
    import ibis.expr.types as ir

PROMISE_DAYS = 3
"""A promise to come back that names no time is due so many days after the contact."""

_NUMBERS = ("(?:an?|one)", "two", "three", "four", "five", "six", "seven", "eight")
_GROUPS = ("count", "business", "unit")
_WITHIN = (
    r"\b(?:within|in|under|next|after|takes?|up to|than|about|between) (?:[a-z]+ ){0,3}"
    r"(?:[0-9]{1,3} (?:to |or |and )?)?([0-9]{1,3}) ?(business |working )?(?:calendar )?"
    r"(minutes?|mins?|hours?|hrs?|days?|weeks?)\b"
)
_TODAY = (
    r"\b(?:today|tonight|this (?:morning|afternoon|evening)|end of (?:the )?(?:business )?day)\b"
)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_BY = r"\b(?:by|on|before|until|this|next) {}\b"

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


def promised_by(text: ir.StringValue, sent_s: ir.IntegerValue) -> ir.IntegerValue:
    """Return the second by which a promise in normalised text is due; null where it is not said.

    "Within 24 hours", "in two business days", "3 to 5 days" (the longer), "today", "tomorrow",
    "by Friday", "by the end of the week". Days end at midnight UTC; five business days are
    seven.
    """
    plain = text
    for number, word in enumerate(_NUMBERS, start=1):
        plain = plain.re_replace(rf"\b{word}\b", str(number))
    found = {name: plain.re_extract(_WITHIN, place + 1) for place, name in enumerate(_GROUPS)}
    count = found["count"].nullif("").cast("int64")
    days = (found["business"] == "").ifelse(count, (count * 7 + 4) // 5) * DAY_SECONDS
    lasts_s = ibis.cases(
        (found["unit"].startswith("m"), count * 60),
        (found["unit"].startswith("h"), count * 3600),
        (found["unit"].startswith("w"), count * 7 * DAY_SECONDS),
        else_=days,
    )
    day = sent_s // DAY_SECONDS
    weekday = (day + 3) % 7  # 1970-01-01 was a Thursday; weeks begin on Monday
    named = [
        (text.re_search(_BY.format(name)), day + (number - weekday + 6) % 7 + 2)
        for number, name in enumerate(_WEEKDAYS)
    ]
    over = ibis.cases(
        (text.re_search(_TODAY), day + 1),
        (text.re_search(r"\btomorrow\b"), day + 2),
        *named,
        (text.re_search(r"\bend of (?:the )?(?:business |working )?week\b"), day - weekday + 7),
        else_=ibis.null("int64"),
    )
    return ibis.coalesce(sent_s + lasts_s, over * DAY_SECONDS)


def promises(interactions: ir.Table) -> ir.Table:
    """Say of each contact when company and customer were next in contact, and what is usual.

    A promise is kept by the company's next contact with the customer, if it comes by the time
    that was promised, else within ``PROMISE_DAYS``, and before the customer's own next one.

    Returns
    -------
    ibis Table
        ``interaction_id``, ``company_s`` and ``customer_s`` (the next contact that either
        side began), and ``usual_s`` (until when a promise without a time is due).
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
    return rows.select(
        "interaction_id",
        company_s=by_company.ifelse(began_s, never).min().over(later).fill_null(_NEVER),
        customer_s=by_company.ifelse(never, began_s).min().over(later).fill_null(_NEVER),
        usual_s=ended_s + PROMISE_DAYS * DAY_SECONDS,
    )
