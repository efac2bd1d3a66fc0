"""What support did for them: features of contacts and surveys, as known at the cutoff.

Rows are those of ``rows.contacts_known`` and ``rows.surveys_known``: what was not known yet is
null, so a rate is over the contacts of which it was known. A customer without contacts has
counts of 0 and unknown rates. Signs are given to rates alone: counts also tell how active a
customer is. First-contact resolution is settled for good some days after a contact
(``terms.fcr_days``), and unknown until then.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import ibis

from clv.engines.physical import THOUSANDTHS, in_units, ratio
from clv.features.base import feature, inside, previous
from clv.schema import CHANNELS, SURVEY_RANGES

if TYPE_CHECKING:
    import ibis.expr.types as ir

ALL = (30, 90, 365, None)
LONG = (90, 365, None)
YEAR = (365, None)

contact = partial(feature, "interactions", group="customer")
resolution = partial(feature, "interactions", group="resolution")
efficiency = partial(feature, "interactions", group="efficiency")
waits = partial(feature, "interactions", group="waits")


@contact(unit="count", windows=ALL, fill=0)
def contacts(rows: ir.Table, days: int | None) -> ir.Value:
    """Support contacts."""
    return rows.count(where=inside(rows, days))


def _declare_channels() -> None:
    for channel in CHANNELS:

        @contact(
            unit="count",
            windows=(365,),
            fill=0,
            name=f"contacts_{channel}",
            doc=f"Support contacts by {channel.replace('_', ' ')}.",
        )
        def contacts_by(rows: ir.Table, days: int | None, channel: str = channel) -> ir.Value:
            return rows.count(where=(rows.channel == channel) & inside(rows, days))


_declare_channels()


@contact(unit="days")
def days_since_last_contact(rows: ir.Table) -> ir.Value:
    """Days since the last support contact began."""
    return rows.days_ago.min()


@contact(unit="days")
def days_since_first_contact(rows: ir.Table) -> ir.Value:
    """Days since the first support contact began."""
    return rows.days_ago.max()


@contact(unit="ratio", windows=(90, 365))
def contacts_trend(rows: ir.Table, days: int) -> ir.Value:
    """Support contacts against the same time before, from -1 (none now) to 1 (none then)."""
    now, then = rows.count(where=inside(rows, days)), rows.count(where=previous(rows, days))
    return ratio(now - then, now + then)


@contact(unit="share", windows=(365,), needs=("interactions.initiated_by",))
def company_contact_share(rows: ir.Table, days: int | None) -> ir.Value:
    """Share of contacts that the company began."""
    here = inside(rows, days)
    return ratio(rows.count(where=~rows.by_customer & here), rows.count(where=here))


@contact(unit="share", windows=(365,))
def unattended_share(rows: ir.Table, days: int | None) -> ir.Value:
    """Share of contacts with a bot or self-service."""
    here = inside(rows, days)
    return ratio(rows.count(where=~rows.attended & here), rows.count(where=here))


@contact(unit="share", needs=("interactions.priority",))
def urgent_share(rows: ir.Table) -> ir.Value:
    """Share of contacts of high or urgent priority."""
    return ratio(rows.count(where=rows.priority.isin(("high", "urgent"))), rows.count())


@contact(unit="category")
def last_channel(rows: ir.Table) -> ir.Value:
    """Channel of the last contact."""
    return rows.channel.argmax(rows.sequence)


@contact(unit="category", needs=("interactions.issue_type",))
def last_issue(rows: ir.Table) -> ir.Value:
    """Issue of the last contact."""
    return rows.issue.argmax(rows.sequence).nullif("")


def _declare_per_order() -> None:
    for span, words in (("365d", "in the last 365 days"), ("ever", "ever")):

        @feature(
            "features",
            group="customer",
            unit="ratio",
            needs=(f"features.contacts_{span}", f"features.orders_{span}"),
            name=f"contacts_per_order_{span}",
            doc=f"Support contacts per purchase, {words}.",
        )
        def contacts_per_order(customers: ir.Table, span: str = span) -> ir.Value:
            contacts = customers[f"contacts_{span}"].fill_null(0)
            return ratio(contacts, customers[f"orders_{span}"].fill_null(0))


_declare_per_order()


@resolution(unit="share", windows=LONG, monotone=1, needs=("interactions.resolved_at",))
def fcr(rows: ir.Table, days: int | None) -> ir.Value:
    """First-contact resolution: share of settled contacts resolved at first."""
    return _share(rows.first_contact_resolved, inside(rows, days))


@resolution(unit="share", windows=LONG, monotone=-1)
def repeat_contact(rows: ir.Table, days: int | None) -> ir.Value:
    """Share of settled contacts that the customer followed by another on the same issue."""
    return _share(rows.repeated, inside(rows, days))


@resolution(unit="count", windows=LONG, fill=0, needs=("interactions.resolved_at",))
def unresolved(rows: ir.Table, days: int | None) -> ir.Value:
    """Contacts not resolved by the time they settled."""
    return rows.count(where=rows.unresolved & inside(rows, days))


@resolution(unit="count", windows=(365,), fill=0, needs=("interactions.resolved_at",))
def open_contacts(rows: ir.Table, days: int | None) -> ir.Value:
    """Contacts with an agent that were still not resolved at the cutoff."""
    return rows.count(where=~rows.resolved & rows.attended & inside(rows, days))


@resolution(unit="hours", windows=YEAR, monotone=-1, needs=("interactions.resolved_at",))
def resolve_hours(rows: ir.Table, days: int | None) -> ir.Value:
    """Mean hours from the beginning of a contact to its resolution, of resolved ones."""
    here = inside(rows, days)
    return ratio(rows.resolve_s.sum(where=here), rows.resolve_s.count(where=here)) / 3600.0


@resolution(unit="count", windows=YEAR, fill=0, needs=("interactions.reopened_at",))
def reopened(rows: ir.Table, days: int | None) -> ir.Value:
    """Contacts opened again."""
    return rows.count(where=rows.reopened & inside(rows, days))


@resolution(unit="share", windows=YEAR, monotone=-1, needs=("interactions.reopened_at",))
def reopened_share(rows: ir.Table, days: int | None) -> ir.Value:
    """Share of contacts opened again."""
    here = inside(rows, days)
    return ratio(rows.count(where=rows.reopened & here), rows.count(where=here))


@resolution(unit="count", windows=YEAR, monotone=-1, needs=("interactions.transfers",))
def transfers_mean(rows: ir.Table, days: int | None) -> ir.Value:
    """Mean times that a contact was handed on."""
    here = inside(rows, days)
    return ratio(rows.hand_offs.sum(where=here), rows.hand_offs.count(where=here))


@resolution(unit="count", windows=LONG, fill=0)
def bad_experiences(rows: ir.Table, days: int | None) -> ir.Value:
    """Contacts unresolved when settled, reopened, late, handed on twice, or scored 2 or less."""
    return rows.count(where=rows.bad & inside(rows, days))


@resolution(unit="share", windows=YEAR, monotone=-1)
def bad_experience_share(rows: ir.Table, days: int | None) -> ir.Value:
    """Share of contacts that were a bad experience."""
    here = inside(rows, days)
    return ratio(rows.count(where=rows.bad & here), rows.count(where=here))


@resolution(unit="days")
def days_since_bad_experience(rows: ir.Table) -> ir.Value:
    """Days since the last contact that was a bad experience began."""
    return rows.days_ago.min(where=rows.bad)


@efficiency(unit="seconds", windows=LONG, needs=("interactions.handle_seconds",))
def handle_seconds(rows: ir.Table, days: int | None) -> ir.Value:
    """Mean handle time of a contact."""
    return _mean(rows.handle_ms, inside(rows, days))


@efficiency(unit="seconds", needs=("interactions.handle_seconds",))
def handle_seconds_last(rows: ir.Table) -> ir.Value:
    """Handle time of the last contact that had one."""
    return _last(rows.handle_ms, rows)


@efficiency(unit="ratio", windows=YEAR, needs=("interactions.handle_seconds",))
def handle_relative(rows: ir.Table, days: int | None) -> ir.Value:
    """Handle time relative to the mean of the same channel and issue."""
    return _relative(rows.handle_ms, rows.expected_handle_ms, inside(rows, days))


@efficiency(
    unit="share",
    windows=YEAR,
    needs=("interactions.hold_seconds", "interactions.handle_seconds"),
)
def hold_share(rows: ir.Table, days: int | None) -> ir.Value:
    """Time on hold, as a share of handle time."""
    return _part(rows.hold_ms, rows.handle_ms, inside(rows, days))


@efficiency(
    unit="share",
    windows=YEAR,
    needs=("interactions.wrap_seconds", "interactions.handle_seconds"),
)
def wrap_share(rows: ir.Table, days: int | None) -> ir.Value:
    """Wrap-up, as a share of handle time."""
    return _part(rows.wrap_ms, rows.handle_ms, inside(rows, days))


@waits(unit="seconds", windows=LONG, monotone=-1, needs=("interactions.wait_seconds",))
def wait_seconds(rows: ir.Table, days: int | None) -> ir.Value:
    """Mean wait before the first agent."""
    return _mean(rows.wait_ms, inside(rows, days))


@waits(unit="seconds", windows=(365,), monotone=-1, needs=("interactions.wait_seconds",))
def wait_seconds_max(rows: ir.Table, days: int | None) -> ir.Value:
    """Longest wait before the first agent."""
    return rows.wait_ms.max(where=inside(rows, days)).cast("float64") / float(THOUSANDTHS)


@waits(unit="seconds", needs=("interactions.wait_seconds",))
def wait_seconds_last(rows: ir.Table) -> ir.Value:
    """Wait before the first agent, of the last contact that had one."""
    return _last(rows.wait_ms, rows)


@waits(unit="ratio", windows=YEAR, monotone=-1, needs=("interactions.wait_seconds",))
def wait_relative(rows: ir.Table, days: int | None) -> ir.Value:
    """Wait relative to the mean of the same channel and issue."""
    return _relative(rows.wait_ms, rows.expected_wait_ms, inside(rows, days))


@waits(unit="seconds", windows=LONG, monotone=-1, needs=("interactions.first_response_seconds",))
def first_response_seconds(rows: ir.Table, days: int | None) -> ir.Value:
    """Mean time to the first answer, written channels."""
    return _mean(rows.first_response_ms, inside(rows, days))


@waits(unit="count", windows=YEAR, fill=0, needs=("interactions.sla_seconds",))
def sla_misses(rows: ir.Table, days: int | None) -> ir.Value:
    """Contacts whose first answer came later than the target that applied."""
    return rows.count(where=rows.sla_missed & inside(rows, days))


@waits(unit="share", windows=YEAR, monotone=-1, needs=("interactions.sla_seconds",))
def sla_miss_share(rows: ir.Table, days: int | None) -> ir.Value:
    """Share of contacts with a target whose first answer missed it."""
    return _share(rows.sla_missed, inside(rows, days))


# A high score is good in every kind: ces is asked as "it was easy".
def _declare_surveys() -> None:
    for kind in SURVEY_RANGES:
        answer = partial(feature, "surveys", group="resolution", unit="score")

        @answer(monotone=1, name=f"{kind}_mean", doc=f"Mean {kind} score.")
        def survey_mean(rows: ir.Table, kind: str = kind) -> ir.Value:
            return _mean(rows.score_m, rows.kind == kind)

        @answer(monotone=1, name=f"{kind}_last", doc=f"Last {kind} score.")
        def survey_last(rows: ir.Table, kind: str = kind) -> ir.Value:
            last = rows.score_m.argmax(rows.sequence, where=rows.kind == kind)
            return last.cast("float64") / float(THOUSANDTHS)

        @answer(name=f"{kind}_change", doc=f"Last {kind} score less the first.")
        def survey_change(rows: ir.Table, kind: str = kind) -> ir.Value:
            mine = rows.kind == kind
            last = rows.score_m.argmax(rows.sequence, where=mine)
            first = rows.score_m.argmin(rows.sequence, where=mine)
            several = rows.count(where=mine) > 1
            change = (last - first).cast("float64") / float(THOUSANDTHS)
            return several.ifelse(change, ibis.null("float64"))

        @feature(
            "surveys",
            group="customer",
            unit="count",
            fill=0,
            name=f"{kind}_answers",
            doc=f"Answers to a {kind} survey.",
        )
        def survey_answers(rows: ir.Table, kind: str = kind) -> ir.Value:
            return rows.count(where=rows.kind == kind)


_declare_surveys()


def _share(known: ir.BooleanValue, here: ir.BooleanValue) -> ir.Value:
    """Return the share of true among the rows where it is known."""
    return ratio(known.cast("int64").sum(where=here), known.count(where=here))


def _mean(thousandths: ir.Value, here: ir.BooleanValue) -> ir.Value:
    return in_units(thousandths.sum(where=here), thousandths.count(where=here))


def _last(thousandths: ir.Value, rows: ir.Table) -> ir.Value:
    last = thousandths.argmax(rows.sequence, where=thousandths.notnull())
    return last.cast("float64") / float(THOUSANDTHS)


def _relative(actual: ir.Value, expected: ir.Value, here: ir.BooleanValue) -> ir.Value:
    """Return a ratio of sums over the rows that have both."""
    both = here & actual.notnull() & expected.notnull()
    return ratio(actual.sum(where=both), expected.sum(where=both))


def _part(part: ir.Value, whole: ir.Value, here: ir.BooleanValue) -> ir.Value:
    both = here & part.notnull() & whole.notnull()
    return ratio(part.sum(where=both), whole.sum(where=both))
