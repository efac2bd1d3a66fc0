"""The one builder of customer features, for training and for scoring.

One aggregation per table over the rows as known at the cutoff, joined on the customers known
by then, what follows from other features, and the rounding: every engine computes the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import ibis
import pandas as pd
import pyarrow as pa

from clv.engines.physical import MONEY_SCALE, decimals, significant
from clv.errors import SettingsError, UsageError, listing
from clv.events.known import (
    callers,
    contacts_known,
    customers_known,
    orders_known,
    orders_standing,
    peer_means,
    surveys_known,
)
from clv.features.base import Feature, declared, spans
from clv.features.behaviours import behaviours_known, marker_features
from clv.features.customers import attribute_features
from clv.notes import Note
from clv.windows import Window

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    import ibis.expr.types as ir

    from clv.engines.base import Engine
    from clv.events.histories import Histories, Part

__all__ = ["FeatureTable", "build_feature_table"]

CHUNK_ROWS = 100_000


@dataclass(frozen=True)
class FeatureTable:
    """Features of every known customer at one cutoff, held by the engine.

    Attributes
    ----------
    engine : Engine
        What holds the rows.
    parts : tuple of ibis Table
        ``customer_id``, ``as_of`` and one column per feature: all customers of a part come
        before those of the next one.
    cutoff : datetime.date
        The last day that is known.
    features : dict of str to Feature
        What is available, in the order of columns.
    notes : tuple of Note
        What is not, and why.
    """

    engine: Engine
    parts: tuple[ir.Table, ...]
    cutoff: dt.date
    features: dict[str, Feature]
    notes: tuple[Note, ...]

    @property
    def rows(self) -> ir.Table:
        """All parts as one table, in no order."""
        return self.parts[0] if len(self.parts) == 1 else ibis.union(*self.parts)

    def to_pandas(self) -> pd.DataFrame:
        """Return all rows, sorted by ``customer_id``."""
        return pa.Table.from_batches(self._batches(CHUNK_ROWS), self._schema()).to_pandas()

    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator[pd.DataFrame]:
        """Return the rows in frames of exactly ``rows`` (the last one less), same order.

        Raises
        ------
        UsageError
            When ``rows`` is not positive.
        """
        if rows < 1:
            raise UsageError(f"rows is {rows}; expected 1 or more.")
        held = self._schema().empty_table()
        for batch in self._batches(rows):
            held = pa.concat_tables([held, pa.Table.from_batches([batch])])
            while held.num_rows >= rows:
                yield held.slice(0, rows).to_pandas()
                held = held.slice(rows)
        if held.num_rows:
            yield held.to_pandas()

    def close(self) -> None:
        """Let the engine forget the rows."""
        for part in self.parts:
            self.engine.release(part)

    def _batches(self, rows: int) -> Iterator[pa.RecordBatch]:
        for part in self.parts:
            yield from self.engine.batches(part.order_by("customer_id"), rows)

    def _schema(self) -> pa.Schema:
        return self.parts[0].schema().to_pyarrow()


def build_feature_table(
    histories: Histories, cutoff: dt.date, *, customers: Sequence[str] | None = None
) -> FeatureTable:
    """Build the features of a company's customers as known at the end of a day.

    Parameters
    ----------
    histories : Histories
        A company's; several cutoffs share them.
    cutoff : datetime.date
        The last day that is known.
    customers : sequence of str, optional
        Restricts whose rows come out, never which events are read.

    Returns
    -------
    FeatureTable
        One row per customer known at the cutoff, prospects among them. The caller closes it.

    Examples
    --------
    >>> import datetime as dt, pandas as pd
    >>> from clv.engines.connect import connect
    >>> from clv.contract.tables import Tables
    >>> from clv.events.histories import make_histories
    >>> orders = pd.DataFrame({"order_id": ["o1", "o2"], "customer_id": ["a", "a"],
    ...     "ordered_at": pd.to_datetime(["2025-01-02", "2025-01-12"]), "amount": [8.0, 5.0]})
    >>> with connect(threads=1) as engine:
    ...     tables = Tables.from_frames(engine, {"orders": orders})
    ...     table = build_feature_table(make_histories(tables), dt.date(2025, 1, 31))
    ...     table.to_pandas()[["frequency", "recency_days", "age_days", "spend_30d"]].values
    array([[ 1., 10., 29., 13.]])
    """
    window = Window(cutoff)
    features, notes = available(histories)
    parts = _built(histories, window, features, customers)
    return FeatureTable(histories.tables.engine, parts, cutoff, features, notes)


def available(histories: Histories) -> tuple[dict[str, Feature], tuple[Note, ...]]:
    """Return the features that the given tables and columns allow, and a note per table."""
    kept: dict[str, Feature] = {}
    lost: dict[str, list[tuple[str, str]]] = {}
    markers, attributes = marker_features(histories), attribute_features(histories)
    same = sorted(set(markers) & set(attributes))
    if same:
        raise SettingsError(
            f"terms.attributes: {listing(same)} is called like a feature that markers make; "
            "expected another name. Map the column to one under sources.customers.columns."
        )
    for feature in (declared() | markers | attributes).values():
        absent = [need for need in feature.needs if not _given(need, histories, kept)]
        if absent:
            lost.setdefault(feature.table, []).append((feature.name, absent[0]))
        else:
            kept[feature.name] = feature
    notes = [
        Note(
            "feature_unavailable",
            table,
            len(missed),
            f"features left out for want of {', '.join(sorted({need for _, need in missed}))}",
        )
        for table, missed in lost.items()
    ]
    return kept, tuple(notes)


def _given(need: str, histories: Histories, kept: dict[str, Feature]) -> bool:
    table, _, column = need.partition(".")
    if table == "features":
        return column in kept
    return table in histories.columns and (not column or column in histories.columns[table])


def _built(
    histories: Histories,
    window: Window,
    features: dict[str, Feature],
    customers: Sequence[str] | None,
) -> tuple[ir.Table, ...]:
    """Build the parts of the table, in the order of their customers' ids."""
    engine = histories.tables.engine
    shared = {"company": engine.cache(_company(histories, window))}
    if histories.contacts is not None:
        shared["peers"] = engine.cache(peer_means(histories.contacts, window))
    if histories.markers is not None:
        shared["said"] = engine.cache(behaviours_known(histories, window))
    if customers is not None:
        ids = pd.DataFrame({"customer_id": list(customers)}, dtype="str")
        shared["wanted"] = engine.frame(ids)
    built = []
    for part in histories.parts:
        known = _known_rows(histories, part, window, shared)
        if customers is not None:
            wanted = shared["wanted"]
            known = {name: rows.semi_join(wanted, "customer_id") for name, rows in known.items()}
        listed = None if histories.customers is None else part.range.of(histories.customers)
        built.append(_part_built(engine, known, listed, shared["company"], features))
    for table in shared.values():
        engine.release(table)
    return tuple(built)


def _part_built(
    engine: Engine,
    known: dict[str, ir.Table],
    listed: ir.Table | None,
    company: ir.Table,
    features: dict[str, Feature],
) -> ir.Table:
    """Aggregate each table, join the results and hold what leaves.

    Everything after the rows as known is an expression over unbound tables, the same at
    every cutoff, so that it is compiled once.
    """
    totals = {}
    for name, rows in known.items():
        mine = tuple(f for f in features.values() if f.table == name)
        totals[name] = engine.cache(_aggregated(rows.schema(), mine), {"rows": rows})
    inputs = {"spine": _spine(totals, listed), "company": company, **totals}
    schemas = tuple((name, rows.schema()) for name, rows in inputs.items())
    built = engine.cache(_together(schemas, tuple(features.values())), inputs)
    for table in totals.values():
        engine.release(table)
    return built


def _known_rows(
    histories: Histories, part: Part, window: Window, shared: dict[str, ir.Table]
) -> dict[str, ir.Table]:
    known = {"orders": orders_known(part.orders, window, spans("orders"))}
    if part.contacts is not None:
        known["interactions"] = contacts_known(
            part.contacts, window, spans("interactions"), shared["peers"]
        )
        if histories.markers is not None:
            known["behaviours"] = part.range.of(shared["said"])
    if part.surveys is not None:
        known["surveys"] = surveys_known(part.surveys, window, spans("surveys"))
    if histories.customers is not None:
        known["customers"] = customers_known(part.range.of(histories.customers), window)
    return known


@lru_cache(maxsize=16)
def _aggregated(schema: ibis.Schema, features: tuple[Feature, ...]) -> ir.Table:
    """Return one row per customer of the table ``rows``, with its features."""
    rows = ibis.table(schema, name="rows")
    totals = rows.group_by("customer_id").aggregate(
        **{f.name: f.expression(rows) for f in features}
    )
    return totals.select("customer_id", **{f.name: _leaving(totals[f.name], f) for f in features})


@lru_cache(maxsize=16)
def _together(
    schemas: tuple[tuple[str, ibis.Schema], ...], features: tuple[Feature, ...]
) -> ir.Table:
    """Join the aggregates on the spine, fill, and add what follows from other features."""
    inputs = {name: ibis.table(schema, name=name) for name, schema in schemas}
    joined = inputs.pop("spine")
    company = inputs.pop("company")
    for totals in inputs.values():
        joined = joined.left_join(totals, "customer_id").drop("customer_id_right")
    fills = {f.name: f.fill for f in features if f.fill is not None}
    joined = joined.mutate(**{name: joined[name].fill_null(fill) for name, fill in fills.items()})
    joined = joined.cross_join(company)
    columns = {
        f.name: _leaving(f.expression(joined), f) if f.table == "features" else joined[f.name]
        for f in features
    }
    return joined.select("customer_id", "as_of", **columns)


def _spine(totals: dict[str, ir.Table], listed: ir.Table | None) -> ir.Table:
    """Return the ids of everyone known: buyers, and prospects of customers and interactions."""
    ids = [totals[name].select("customer_id") for name in ("orders", "customers") if name in totals]
    if "interactions" in totals:
        ids.append(callers(totals["interactions"].select("customer_id"), listed))
    return ids[0].distinct() if len(ids) == 1 else ibis.union(*ids, distinct=True)


def _company(histories: Histories, window: Window) -> ir.Table:
    """Return the company's own margin ratio and order value, as known at the cutoff."""
    orders = orders_standing(histories.orders, window)
    totals = orders.aggregate(
        net=orders.net.sum(), margin=orders.net_margin.sum(), count=orders.is_bought.sum()
    )
    net = totals.net.cast("float64")
    return totals.select(
        as_of=ibis.literal(window.cutoff.isoformat()),
        company_margin_ratio=totals.margin.cast("float64") / net.nullif(0.0),
        company_order_value=net / totals["count"].cast("float64").nullif(0.0) / float(MONEY_SCALE),
    )


def _leaving(value: ir.Value, feature: Feature) -> ir.Value:
    """Round to nine significant digits and hold a feature to its physical type."""
    if feature.kind == "category":
        return value.cast("string")
    if value.type().is_integer():
        return value.cast("float64")
    return decimals(value) if feature.unit == "share" else significant(value)
