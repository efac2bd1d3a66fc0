"""Rows made ready once, before any cutoff: what happened, and when it became known.

Nothing here depends on a cutoff. Whatever a later fact changes is written as the second at
which it changed (``void_s``, ``settle_s``, ``bad_s``), so that a cutoff enters later by
comparison alone, and several cutoffs share the work.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import ibis

from clv.events.contacts import contact_rows, survey_rows
from clv.events.orders import order_rows
from clv.sources.names import plain_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType

    import ibis.expr.types as ir

    from clv.contract.tables import Tables
    from clv.markers.contacts import ContactMarkers

PARTS_READ = 4
"""Parts that share one reading of the sources, which is over all rows whatever it asks for."""

_EVENTS = ("orders", "interactions", "surveys")


@dataclass(frozen=True)
class CustomerRange:
    """Customers from ``low`` (included) to ``high`` (not), in order of their ids.

    None is no bound. Ids compare by their UTF-8 bytes, on every engine.
    """

    low: str | None
    high: str | None

    def of(self, rows: ir.Table) -> ir.Table:
        """Return the rows of these customers."""
        if self.low is not None:
            rows = rows.filter(rows.customer_id >= self.low)
        if self.high is not None:
            rows = rows.filter(rows.customer_id < self.high)
        return rows


@dataclass(frozen=True)
class Part:
    """Rows of some customers; see ``Histories`` for their columns."""

    range: CustomerRange
    orders: ir.Table
    contacts: ir.Table | None
    surveys: ir.Table | None


@dataclass(frozen=True)
class Histories:
    """A company's histories, held by its engine, free of any cutoff.

    Whoever made them closes them: a context manager, or ``close``.

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
        One row per interaction: its keys and words, ``at_s``, ``sequence``, ``by_customer``,
        ``attended``, ``end_s``, ``settle_s``, ``repeated``, ``first_contact_resolved``,
        ``unresolved_s``, ``sla_miss_s``, ``bad_s`` and more, and the times in thousandths
        (``handle_ms`` …).
    surveys : ibis Table or None
        One row per answer: ``at_s``, ``kind``, ``score_m`` (thousandths), ``sequence``, and
        ``about_s`` (when the customer's contact that it names began, before anything where
        that is unknown; ``at_s`` where it names none).
    customers : ibis Table or None
        As given.
    columns : mapping of str to frozenset of str
        The columns that were given, by table; what markers counted as ``behaviours``.
    held : tuple of ibis Table
        What ``close`` releases.
    markers : ContactMarkers or None
        Markers of the contacts; whoever made them closes them.
    parts : tuple of Part
        The same rows in parts of whole customers, so that a large company is built part by
        part, in bounded memory; one part where it is not large.
    """

    tables: Tables
    orders: ir.Table
    contacts: ir.Table | None
    surveys: ir.Table | None
    customers: ir.Table | None
    columns: Mapping[str, frozenset[str]]
    held: tuple[ir.Table, ...]
    markers: ContactMarkers | None
    parts: tuple[Part, ...]

    def close(self) -> None:
        """Let the engine forget the rows."""
        for rows in self.held:
            self.tables.engine.release(rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def make_histories(
    tables: Tables, *, markers: ContactMarkers | None = None, part_rows: int | None = None
) -> Histories:
    """Make a company's rows ready for any number of cutoffs.

    Parameters
    ----------
    tables : Tables
        Accepted tables.
    markers : ContactMarkers, optional
        Markers of contacts; as known at a cutoff they become features.
    part_rows : int, optional
        Orders and contacts that are worked on at a time, in whole customers; by default as many
        as suit the engine. It changes time and memory, never a result.

    Returns
    -------
    Histories
        What features, outcomes, contacts, effects and scores are asked of. The caller closes it.
    """
    columns = {
        name: frozenset(map(plain_name, frame.columns)) for name, frame in tables.frames.items()
    }
    if tables.value_is_margin:
        columns["orders"] |= {"margin"}
    if markers is not None and "interactions" in tables:
        columns["behaviours"] = markers.columns
    ranges = customer_ranges(tables, part_rows or tables.engine.part_rows)
    made = [part for few in _batches(ranges) for part in _parts(tables, few)]
    parts = tuple(part for part, _ in made)
    return Histories(
        tables,
        _all(part.orders for part in parts),
        _all(part.contacts for part in parts if part.contacts is not None),
        _all(part.surveys for part in parts if part.surveys is not None),
        tables.frames.get("customers"),
        columns,
        tuple(rows for _, held in made for rows in held),
        markers,
        parts,
    )


def _batches(ranges: tuple[CustomerRange, ...]) -> Iterator[tuple[CustomerRange, ...]]:
    for start in range(0, len(ranges), PARTS_READ):
        yield ranges[start : start + PARTS_READ]


def _parts(
    tables: Tables, ranges: tuple[CustomerRange, ...]
) -> list[tuple[Part, tuple[ir.Table, ...]]]:
    """Prepare neighbouring parts; where there are others too, from rows read for all of them."""
    span = CustomerRange(ranges[0].low, ranges[-1].high)
    if span == CustomerRange(None, None):
        return [_part(tables, customers) for customers in ranges]
    engine = tables.engine
    read = {name: engine.cache(span.of(tables[name])) for name in _EVENTS if name in tables}
    made = [_part(tables.replaced(**read), customers) for customers in ranges]
    for rows in read.values():
        engine.release(rows)
    return made


def _part(tables: Tables, customers: CustomerRange) -> tuple[Part, tuple[ir.Table, ...]]:
    """Prepare the rows of some customers; also return what the engine holds."""
    engine = tables.engine
    mine = tables.replaced(
        **{name: customers.of(tables[name]) for name in _EVENTS if name in tables}
    )
    surveys = engine.cache(survey_rows(mine)) if "surveys" in mine else None
    contacts = None
    if "interactions" in mine:
        contacts = engine.cache(contact_rows(mine))
    orders, held = order_rows(mine)
    held += tuple(rows for rows in (contacts, surveys) if rows is not None)
    return Part(customers, orders, contacts, surveys), held


def _all(rows: Iterable[ir.Table]) -> ir.Table | None:
    tables = list(rows)
    if not tables:
        return None
    return tables[0] if len(tables) == 1 else ibis.union(*tables)


def customer_ranges(tables: Tables, part_rows: int) -> tuple[CustomerRange, ...]:
    """Cut the customers, in order of their ids, where so many rows have come together."""
    named = [tables[name] for name in ("orders", "interactions") if name in tables]
    ids = ibis.union(*(rows.select("customer_id") for rows in named)) if named[1:] else named[0]
    total = tables.engine.to_pandas(ids.aggregate(rows=ids.count())).rows.iloc[0]
    if total <= part_rows:
        return (CustomerRange(None, None),)
    counts = ids.group_by("customer_id").aggregate(rows=ids.count())
    order = ibis.window(order_by=counts.customer_id, preceding=None, following=0)
    running = counts.mutate(part=counts["rows"].sum().over(order) // part_rows)
    starts = running.group_by("part").aggregate(start=running.customer_id.min())
    found = sorted(tables.engine.to_pandas(starts).start)
    edges = [None, *found[1:], None]
    return tuple(CustomerRange(low, high) for low, high in itertools.pairwise(edges))
