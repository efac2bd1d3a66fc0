"""Rows made ready once, before any cutoff: what happened, and when it became known.

Nothing here depends on a cutoff. Whatever a later fact changes is written as the second at
which it changed (``void_s``, ``settle_s``, ``bad_s``), so that a cutoff enters later by
comparison alone, and several cutoffs share the work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clv.features.contact_rows import contact_rows, survey_rows
from clv.features.order_rows import order_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

    from clv.data.tables import Tables
    from clv.markers.contacts import PreparedMarkers


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
            rows = rows.left_join(behaviours.contacts(None), "interaction_id").drop(
                "interaction_id_right"
            )
        contacts = engine.cache(rows)
    customers = tables.frames.get("customers")
    orders, held = order_rows(tables)
    held += tuple(rows for rows in (contacts, surveys) if rows is not None)
    return Prepared(tables, orders, contacts, surveys, customers, columns, held, behaviours)
