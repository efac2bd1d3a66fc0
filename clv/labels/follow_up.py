"""What a customer did in the days after each contact: outcomes in the contact's own time.

Like outcomes after a cutoff, they look ahead, and are never features. Every row counts on its
own date, refunds among them: money moves when it moves, so months add up to the horizon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import pandas as pd

from clv.engines.physical import in_currency, in_units, significant
from clv.errors import SchemaError, UsageError
from clv.events.contacts import followed
from clv.events.moments import ALWAYS, NEVER
from clv.events.spans import Events, Span, sums_around
from clv.schema import SURVEY_RANGES
from clv.windows import DAY_SECONDS, FollowUp

if TYPE_CHECKING:
    import datetime as dt

    import ibis.expr.types as ir

    from clv.events.histories import Histories, Part

MONTH_DAYS = 30
SATISFACTION = {"csat": "satisfaction"}
"""Mean answers are called by their kind, but for this one."""


def build_follow_up(
    histories: Histories,
    horizon_days: int,
    *,
    since: dt.date | None = None,
    until: dt.date | None = None,
    months: bool = True,
) -> pd.DataFrame:
    """Return what followed each agents' contact in the horizon after it.

    Parameters
    ----------
    histories : Histories
        Of a company with contacts.
    horizon_days : int
        Days of 86,400 seconds after each contact, its own second excluded, the last included.
    since, until : datetime.date, optional
        The first and the last day that are used; by default all up to the last order's day.
    months : bool
        Whether to return money by month too.

    Returns
    -------
    DataFrame, sorted by ``interaction_id``, one row per contact with its whole horizon known
        ``value_undiscounted`` (margin, or revenue where there is none, in currency, refunds
        given in the horizon taken off), ``orders`` (purchases that still stand at its end),
        ``churned`` (1.0 where there is none), ``repeat_purchase`` (1.0 where there is one),
        ``refunds`` (currency given back), ``contacts_after`` (begun by the customer),
        ``satisfaction`` (mean CSAT), ``nps``, ``ces`` and ``review`` (where given; mean
        answers in the horizon that are not about this or an earlier contact, NaN without
        one), ``value_before`` (money as many days before the contact) and
        ``value_month_01`` … (months of 30 days; the last one reaches to the horizon's end).

    Raises
    ------
    SchemaError
        Without a table of interactions.
    UsageError
        With a horizon under a day.
    """
    if horizon_days < 1:
        raise UsageError(f"horizon_days is {horizon_days}; expected 1 or more.")
    if histories.contacts is None:
        raise SchemaError(
            "interactions: the table was not given, and outcomes after contacts were asked for. "
            "Add a file interactions.parquet, or map one under sources.interactions."
        )
    follow = FollowUp(since, until or histories.tables.span()[1], horizon_days)
    engine = histories.tables.engine
    frames = [
        engine.to_pandas(follow_up_rows(part, follow, months=months)) for part in histories.parts
    ]
    frame = pd.concat(frames, ignore_index=True) if frames[1:] else frames[0]
    return frame.sort_values("interaction_id", ignore_index=True)


def follow_up_rows(part: Part, follow: FollowUp, *, months: bool = True) -> ir.Table:
    """Return the expression of the outcomes, one row per contact of some customers."""
    contacts, orders, surveys = part.contacts, part.orders, part.surveys
    assert contacts is not None
    asked = followed(contacts, follow)
    horizon = Span(0, follow.horizon_s)
    before = Span(-follow.horizon_s - 1, -1)
    edges = month_edges(follow.horizon_days) if months else []
    spans = {
        "margin": horizon,
        "value_before": before,
        "orders": horizon,
        "refunds": horizon,
        "contacts_after": horizon,
    }
    measures = {"margin": "margin", "value_before": "margin", "orders": "purchases"}
    sums = {name: (measures.get(name, name), span) for name, span in spans.items()}
    by_month = {
        f"value_month_{number:02d}": ("margin", Span(low * DAY_SECONDS, high * DAY_SECONDS))
        for number, (low, high) in enumerate(edges, start=1)
    }
    kinds = sorted(SURVEY_RANGES) if surveys is not None else []
    answers = {f"{kind}_{part}": horizon for kind in kinds for part in ("sum", "count")}
    sums |= by_month | {name: (name, span) for name, span in answers.items()}
    found = sums_around(asked, _events(orders, contacts, surveys), sums)
    return found.select(
        "interaction_id",
        value_undiscounted=in_currency(found.margin),
        orders=found.orders.cast("float64"),
        churned=(found.orders == 0).cast("float64"),
        repeat_purchase=(found.orders > 0).cast("float64"),
        refunds=in_currency(found.refunds),
        contacts_after=found.contacts_after.cast("float64"),
        **{
            SATISFACTION.get(kind, kind): significant(
                in_units(found[f"{kind}_sum"], found[f"{kind}_count"])
            )
            for kind in kinds
        },
        value_before=in_currency(found.value_before),
        **{name: in_currency(found[name]) for name in by_month},
    )


def month_edges(horizon_days: int) -> list[tuple[int, int]]:
    """Return months of 30 days after a contact; the last one reaches to the horizon's end.

    Examples
    --------
    >>> month_edges(100)
    [(0, 30), (30, 60), (60, 100)]
    >>> month_edges(20)
    [(0, 20)]
    """
    count = max(1, horizon_days // MONTH_DAYS)
    ends = [MONTH_DAYS * number for number in range(1, count)] + [horizon_days]
    return list(zip([0, *ends[:-1]], ends, strict=True))


def _events(orders: ir.Table, contacts: ir.Table, surveys: ir.Table | None) -> list[Events]:
    """Return what may follow a contact, each on its own date."""
    moved = orders.select(
        "customer_id",
        "margin",
        at_s=orders.own_s,
        purchases=orders.is_purchase.cast("int64"),
        refunds=ibis.greatest(-orders.amount, 0),
    )
    bought = orders.filter(orders.is_purchase & (orders.void_s > ALWAYS) & (orders.void_s < NEVER))
    returned = bought.select(
        "customer_id", at_s=bought.own_s, known_s=bought.void_s, purchases=ibis.literal(-1, "int64")
    )
    begun = contacts.filter(contacts.by_customer)
    found = [
        Events(moved, ("margin", "purchases", "refunds")),
        Events(returned, ("purchases",), revised=True),
        Events(
            begun.select("customer_id", "at_s", contacts_after=ibis.literal(1, "int64")),
            ("contacts_after",),
        ),
    ]
    if surveys is not None:
        measures = {}
        for kind in sorted(SURVEY_RANGES):
            mine = surveys.kind == kind
            measures[f"{kind}_sum"] = mine.ifelse(surveys.score_m, 0)
            measures[f"{kind}_count"] = mine.cast("int64")
        answered = surveys.select(
            "customer_id", at_s=surveys.about_s, known_s=surveys.at_s, **measures
        )
        found.append(Events(answered, tuple(measures), revised=True))
    return found
