"""Sums over spans of time around contacts, in one pass over a customer's events.

Contacts and events are put in one order of time, customer by customer, and a span's sum is the
difference of two running sums: the cost is linear in events however many a customer has, where
a join of contacts with events is their product. Sums are of integers, so they are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import ibis.expr.types as ir


@dataclass(frozen=True)
class Span:
    """Times from more than ``after_s`` up to ``until_s`` seconds after a contact's.

    Attributes
    ----------
    after_s : int or None
        Not included; negative lies before the contact, None is ever.
    until_s : int
        Included.
    """

    after_s: int | None
    until_s: int


@dataclass(frozen=True)
class Events:
    """Rows that can be summed.

    Attributes
    ----------
    rows : ibis Table
        ``customer_id``, ``at_s`` and int64 measures; ``known_s`` too where ``revised``.
    measures : tuple of str
        The columns to sum.
    revised : bool
        Whether the rows count in a span only from a later time on, ``known_s``: a refund lies
        on its order's day, and is known when it is given. Such a row counts while its ``at_s``
        lies after the span's beginning and its ``known_s`` by the span's end.
    """

    rows: ir.Table
    measures: tuple[str, ...]
    revised: bool = False


def sums_around(
    contacts: ir.Table,
    events: Sequence[Events],
    sums: Mapping[str, tuple[str, Span]],
    latest: Mapping[str, tuple[str, int]] | None = None,
) -> ir.Table:
    """Return sums of events over spans around each contact.

    Parameters
    ----------
    contacts : ibis Table
        ``interaction_id``, ``customer_id`` and ``at_s``; one row per contact asked about.
    events : sequence of Events
        A measure's rows may come from several.
    sums : mapping of str to (str, Span)
        By the name of the result: the measure, and the span.
    latest : mapping of str to (str, int), optional
        By the name of the result: the measure whose largest value is wanted, and up to how
        many seconds after the contact. Null where there is none.

    Returns
    -------
    ibis Table, keyed by ``interaction_id``
        int64 columns of those names.
    """
    latest = latest or {}
    plain = {name for kind in events if not kind.revised for name in kind.measures}
    late = {
        f"late_{name}": (measure, span)
        for name, (measure, span) in sums.items()
        if any(kind.revised and measure in kind.measures for kind in events)
    }
    asked = {measure for measure, _ in sums.values()} | {measure for measure, _ in latest.values()}
    columns = (*sorted(asked & plain), *sorted(late))
    points = contacts.select("interaction_id", "customer_id", at_s=contacts.at_s)
    stream = ibis.union(
        _posted(points, columns, {}),
        *(posted for kind in events for posted in _postings(kind, late, columns)),
    )
    upto = {
        measure: {
            end
            for asked_measure, span in sums.values()
            if asked_measure == measure
            for end in (span.after_s, span.until_s)
            if end is not None
        }
        for measure in asked & plain
    }
    running = {
        _running(measure, end): _upto(stream, end, stream[measure].sum())
        for measure, ends in upto.items()
        for end in sorted(ends)
    }
    running |= {name: _upto(stream, 0, stream[name].sum()) for name in late}
    running |= {
        name: stream[measure].max().over(_frame(stream, end))
        for name, (measure, end) in latest.items()
    }
    rows = stream.select("interaction_id", **running)
    rows = rows.filter(rows.interaction_id.notnull())
    return rows.select(
        "interaction_id",
        **{name: _difference(rows, name, measure, span) for name, (measure, span) in sums.items()},
        **{name: rows[name] for name in latest},
    )


def _postings(
    kind: Events, late: Mapping[str, tuple[str, Span]], columns: tuple[str, ...]
) -> Iterator[ir.Table]:
    """Give what enters the order of time for some events.

    A revised row counts for contacts from when it is known by a span's end until it is older
    than the span's beginning: it is added at the one time, and taken away at the other.
    """
    rows = kind.rows
    if not kind.revised:
        yield _posted(rows, columns, {name: rows[name] for name in kind.measures})
        return
    spans = {span for measure, span in late.values() if measure in kind.measures}
    for span in sorted(spans, key=lambda one: (one.until_s, one.after_s is None, one.after_s or 0)):
        mine = {
            name: rows[measure]
            for name, (measure, of) in late.items()
            if of == span and measure in kind.measures
        }
        begins_s = rows.known_s - span.until_s
        yield _posted(rows.mutate(at_s=begins_s), columns, mine)
        if span.after_s is not None:
            ends_s = ibis.greatest(rows.at_s - span.after_s, begins_s)
            back = {name: -value for name, value in mine.items()}
            yield _posted(rows.mutate(at_s=ends_s), columns, back)


def _posted(rows: ir.Table, columns: tuple[str, ...], measures: Mapping[str, ir.Value]) -> ir.Table:
    """Return rows in the common form: null where they have nothing of a measure."""
    nothing = ibis.null("int64")
    return rows.select(
        "customer_id",
        "at_s",
        interaction_id=rows.interaction_id
        if "interaction_id" in rows.columns
        else ibis.null("string"),
        **{name: measures.get(name, nothing).cast("int64") for name in columns},
    )


def _frame(stream: ir.Table, end_s: int) -> ibis.expr.builders.WindowBuilder:
    """Return the customer's events up to so many seconds after the row's time, included."""
    mine = {"group_by": stream.customer_id, "order_by": stream.at_s}
    if end_s < 0:
        return ibis.range_window(preceding=(None, -end_s), **mine)
    return ibis.range_window(preceding=None, following=end_s, **mine)


def _upto(stream: ir.Table, end_s: int, total: ir.Value) -> ir.Value:
    return total.over(_frame(stream, end_s)).fill_null(0).cast("int64")


def _running(measure: str, end_s: int) -> str:
    return f"{measure}_{'before' if end_s < 0 else 'after'}_{abs(end_s)}"


def _difference(rows: ir.Table, name: str, measure: str, span: Span) -> ir.Value:
    """Return a span's sum: what lies by its end less what lies by its beginning, and revised."""
    value, by_end = ibis.literal(0, "int64"), _running(measure, span.until_s)
    if by_end in rows.columns:
        value = rows[by_end]
        if span.after_s is not None:
            value = value - rows[_running(measure, span.after_s)]
    late = f"late_{name}"
    return value + rows[late] if late in rows.columns else value
