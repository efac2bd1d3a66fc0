"""The one builder of customer features, for training and for scoring.

One aggregation per table over the rows as known at the cutoff, joined on the customers known
by then, what follows from other features, and the rounding: every engine computes the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa

from clv.data.tables import MONEY_SCALE
from clv.errors import UsageError
from clv.features import customers as customer_attributes
from clv.features import purchases, service
from clv.features.base import FEATURES, Feature, decimals, significant
from clv.features.prepared import Prepared, prepare
from clv.features.rows import contacts_known, customers_known, orders_known, surveys_known
from clv.notes import Note
from clv.windows import Window

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    import ibis.expr.types as ir

    from clv.data.engine import Engine
    from clv.data.tables import Tables

__all__ = ["FeatureTable", "Prepared", "build_feature_table", "prepare"]

DECLARING = (purchases, service, customer_attributes)
"""The modules whose import declares features, in the order of columns."""

CHUNK_ROWS = 100_000


@dataclass(frozen=True)
class FeatureTable:
    """Features of every known customer at one cutoff, held by the engine.

    Attributes
    ----------
    engine : Engine
        What holds the rows.
    rows : ibis Table
        ``customer_id``, ``as_of`` and one column per feature.
    cutoff : datetime.date
        The last day that is known.
    features : dict of str to Feature
        What is available, in the order of columns.
    notes : tuple of Note
        What is not, and why.
    """

    engine: Engine
    rows: ir.Table
    cutoff: dt.date
    features: dict[str, Feature]
    notes: tuple[Note, ...]

    def to_pandas(self) -> pd.DataFrame:
        """Return all rows, sorted by ``customer_id``."""
        return _frame(pa.Table.from_batches(self._batches(CHUNK_ROWS), self._schema()))

    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator[pd.DataFrame]:
        """Return the rows in frames of exactly ``rows`` (the last one less), same order.

        Raises
        ------
        UsageError
            When ``rows`` is not positive.
        """
        if rows < 1:
            raise UsageError(f"rows is {rows}; expected 1 or more.")
        held: list[pa.RecordBatch] = []
        for batch in self._batches(rows):
            held.append(batch)
            while (table := pa.Table.from_batches(held)).num_rows >= rows:
                yield _frame(table.slice(0, rows))
                held = table.slice(rows).to_batches()
        if held and sum(batch.num_rows for batch in held):
            yield _frame(pa.Table.from_batches(held))

    def close(self) -> None:
        """Let the engine forget the rows."""
        self.engine.release(self.rows)

    def _batches(self, rows: int) -> Iterator[pa.RecordBatch]:
        return self.engine.batches(self.rows.order_by("customer_id"), rows)

    def _schema(self) -> pa.Schema:
        return self.rows.schema().to_pyarrow()


def _frame(table: pa.Table) -> pd.DataFrame:
    """Return a frame of strings and float64, whatever is null in it."""
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_floating(column.type):
            values = column.to_numpy(zero_copy_only=False)
            columns[name] = np.asarray(values, dtype=np.float64)
        else:
            columns[name] = column.to_pandas()
    return pd.DataFrame(columns)


def build_feature_table(
    tables: Tables,
    cutoff: dt.date,
    *,
    prepared: Prepared | None = None,
    customers: Sequence[str] | None = None,
) -> FeatureTable:
    """Build the features of a company's customers as known at the end of a day.

    Parameters
    ----------
    tables : Tables
        Accepted tables.
    cutoff : datetime.date
        The last day that is known.
    prepared : Prepared, optional
        The same tables made ready, where several cutoffs share them.
    customers : sequence of str, optional
        Restricts whose rows come out, never which events are read.

    Returns
    -------
    FeatureTable
        One row per customer known at the cutoff, prospects among them. The caller closes it.

    Examples
    --------
    >>> import datetime as dt, pandas as pd
    >>> from clv.data.engine import connect
    >>> from clv.data.tables import Tables
    >>> orders = pd.DataFrame({"order_id": ["o1", "o2"], "customer_id": ["a", "a"],
    ...     "ordered_at": pd.to_datetime(["2025-01-02", "2025-01-12"]), "amount": [8.0, 5.0]})
    >>> with connect(threads=1) as engine:
    ...     tables = Tables.from_frames(engine, {"orders": orders})
    ...     table = build_feature_table(tables, dt.date(2025, 1, 31))
    ...     table.to_pandas()[["frequency", "recency_days", "age_days", "spend_30d"]].values
    array([[ 1., 10., 29., 13.]])
    """
    window = Window(cutoff)
    ready = prepared or prepare(tables)
    features, notes = available(ready)
    rows = _built(ready, window, features, customers)
    if prepared is None:
        ready.close()
    return FeatureTable(tables.engine, rows, cutoff, features, notes)


def available(prepared: Prepared) -> tuple[dict[str, Feature], tuple[Note, ...]]:
    """Return the features that the given tables and columns allow, and a note per table."""
    kept: dict[str, Feature] = {}
    lost: dict[str, list[tuple[str, str]]] = {}
    declared = {**FEATURES, **customer_attributes.attribute_features(prepared)}
    for feature in declared.values():
        absent = [need for need in feature.needs if not _given(need, prepared, kept)]
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


def _given(need: str, prepared: Prepared, kept: dict[str, Feature]) -> bool:
    table, _, column = need.partition(".")
    if table == "features":
        return column in kept
    return table in prepared.columns and (not column or column in prepared.columns[table])


def _built(
    prepared: Prepared,
    window: Window,
    features: dict[str, Feature],
    customers: Sequence[str] | None,
) -> ir.Table:
    """Aggregate each table, join the results and hold what leaves.

    The aggregates are held before they are joined and rounded: one statement for all of it
    would repeat every expression wherever its column is used.
    """
    engine = prepared.tables.engine
    known = _known_rows(prepared, window)
    spine = _spine(known)
    company = _company(known["orders"])
    held = []
    if customers is not None:
        wanted = engine.frame(pd.DataFrame({"customer_id": list(customers)}, dtype="str"))
        held.append(wanted)
        spine = spine.semi_join(wanted, "customer_id")
        known = {name: rows.semi_join(wanted, "customer_id") for name, rows in known.items()}
    for name, rows in known.items():
        mine = [f for f in features.values() if f.table == name]
        if mine:
            held.append(engine.cache(_aggregated(rows, mine)))
            spine = spine.left_join(held[-1], "customer_id").drop("customer_id_right")
    joined = spine.mutate(
        **{f.name: spine[f.name].fill_null(f.fill) for f in features.values() if f.fill is not None}
    ).cross_join(company)
    derived = {
        f.name: _leaving(f.expression(joined), f)
        for f in features.values()
        if f.table == "features"
    }
    columns = {n: derived[n] if n in derived else joined[n] for n in features}
    as_of = ibis.literal(window.cutoff.isoformat())
    built = engine.cache(joined.select("customer_id", as_of=as_of, **columns))
    for table in held:
        engine.release(table)
    return built


def _known_rows(prepared: Prepared, window: Window) -> dict[str, ir.Table]:
    known = {"orders": orders_known(prepared.orders, window)}
    if prepared.contacts is not None:
        known["interactions"] = contacts_known(prepared.contacts, window)
    if prepared.surveys is not None:
        known["surveys"] = surveys_known(prepared.surveys, window)
    if prepared.customers is not None:
        known["customers"] = customers_known(prepared.customers, window)
    return known


def _spine(known: dict[str, ir.Table]) -> ir.Table:
    """Return the ids of everyone known: buyers, and prospects of customers and interactions."""
    ids = [
        (rows.filter(rows.known) if name == "customers" else rows).select("customer_id")
        for name, rows in known.items()
        if name != "surveys"
    ]
    return ids[0].distinct() if len(ids) == 1 else ibis.union(*ids, distinct=True)


def _company(orders: ir.Table) -> ir.Table:
    """Return the company's own margin ratio and order value, as known at the cutoff."""
    totals = orders.aggregate(
        net=orders.net.sum(), margin=orders.net_margin.sum(), count=orders.is_bought.sum()
    )
    net = totals.net.cast("float64")
    return totals.select(
        company_margin_ratio=totals.margin.cast("float64") / net.nullif(0.0),
        company_order_value=net / totals["count"].cast("float64").nullif(0.0) / float(MONEY_SCALE),
    )


def _aggregated(rows: ir.Table, features: list[Feature]) -> ir.Table:
    totals = rows.group_by("customer_id").aggregate(
        **{f.name: f.expression(rows) for f in features}
    )
    return totals.select("customer_id", **{f.name: _leaving(totals[f.name], f) for f in features})


def _leaving(value: ir.Value, feature: Feature) -> ir.Value:
    """Round to nine significant digits and hold a feature to its physical type."""
    if feature.kind == "category":
        return value.cast("string")
    if value.type().is_integer():
        return value.cast("float64")
    return decimals(value) if feature.unit == "share" else significant(value)
