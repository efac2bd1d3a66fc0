"""Versions of one record, of which the newest counts; and joins that add no rows.

Incremental exports and monthly files hold a record once for each time it changed. Which
version is newest is what the vendor says (``updated_at``), and what is equally new is told
by content, so that the order of files and rows decides nothing. A join in an adapter goes
through ``lookup``, whose right side has each key once by construction: twice is once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

from clv.sources.parsing import parse_number, parse_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis.expr.types as ir

    from clv.engines.base import Engine

VERSION = "version_"
"""Columns of this prefix and a number say which version is newest, the lowest number first."""

_RANK, _KEY = "rank_of_version", "key_of_lookup"


@dataclass(frozen=True)
class Unique:
    """A table with each value of a column once, and never null: what ``lookup`` looks up in.

    Made by ``unique`` and ``by_group`` only.

    Attributes
    ----------
    rows : ibis Table
    key : str
    """

    rows: ir.Table
    key: str


def version_of(text: ir.Value, whole: ir.Value) -> ir.Value:
    """Return when a version was made, in seconds with their fraction, or its number.

    Parameters
    ----------
    text : ibis Value
        The vendor's, such as ``2025-03-02T10:00:00.125Z`` or a Unix time.
    whole : ibis Value
        The same time in UTC, without a fraction.
    """
    fraction = ("0." + text.re_extract(r"[.]([0-9]{1,6})", 1) + "0").try_cast("float64")
    return ibis.coalesce(parse_seconds(whole).cast("float64") + fraction, parse_number(text))


def newest(engine: Engine, rows: ir.Table, key: Sequence[str]) -> tuple[ir.Table, int]:
    """Return the newest version of each record, and how many older ones there were.

    Parameters
    ----------
    engine : Engine
    rows : ibis Table
        With columns that begin with ``VERSION``, unless content alone decides.
    key : sequence of str
        What names a record; rows without it are told by their content. Nothing: rows that
        are no records, and stay.

    Returns
    -------
    rows : ibis Table
    repeated : int
    """
    if not key or _each_once(engine, rows, key):
        return rows, 0
    named = rows.filter([rows[column].notnull() for column in key])
    counts = named.group_by(list(key)).aggregate(versions=named.count())
    several = engine.cache(counts.filter(counts.versions > 1))
    nameless = rows.filter(ibis.or_(*(rows[column].isnull() for column in key)))
    alike = nameless.distinct()
    older = _sum(engine, several, several.versions - 1)
    repeated = older + _sum(engine, nameless, 1)
    if repeated:
        repeated -= _sum(engine, alike, 1)
    if not repeated:
        engine.release(several)
        return rows, 0
    same = [named[column] == several[column] for column in key]
    kept = _first(named.semi_join(several, same), key)
    made = engine.cache(named.anti_join(several, same).union(kept).union(alike))
    engine.release(several)
    return made, repeated


def _each_once(engine: Engine, rows: ir.Table, key: Sequence[str]) -> bool:
    """Say whether every row has a key of its own, in the cheapest way."""
    named = ibis.and_(*(rows[column].notnull() for column in key))
    counts = rows.group_by(list(key)).aggregate(rows=rows.count(), named=named.any())
    whole = counts.aggregate(most=counts.rows.max(), nameless=(~counts.named).sum())
    found = engine.to_pandas(whole).fillna(0).iloc[0]
    return bool(found.most <= 1 and found.nameless == 0)


def _sum(engine: Engine, rows: ir.Table, value: ir.Value | int) -> int:
    total = rows.mutate(part=value).aggregate(total=lambda t: t.part.sum())
    return int(engine.to_pandas(total).total.fillna(0).iloc[0])


def unique(rows: ir.Table, key: str) -> Unique:
    """Return a table with one row for each value of a column; content tells which."""
    known = rows.filter(rows[key].notnull())
    return Unique(_first(known, [key]), key)


def by_group(rows: ir.Table, key: str, **results: ir.Value) -> Unique:
    """Return one row for each value of a column, with aggregates over its rows."""
    known = rows.filter(rows[key].notnull())
    return Unique(known.group_by(key).aggregate(**results), key)


def lookup(rows: ir.Table, by: str, table: Unique, **columns: str) -> ir.Table:
    """Add columns of another table, found by its key; each row stays one row.

    Parameters
    ----------
    rows : ibis Table
    by : str
        The column whose value is looked up.
    table : Unique
    **columns : str
        New names, and the table's columns; null where the key is not found.
    """
    other = table.rows.select(
        **{_KEY: table.rows[table.key]}, **{new: table.rows[old] for new, old in columns.items()}
    )
    joined = rows.left_join(other, rows[by] == other[_KEY])
    return joined.select(*rows.columns, *columns)


def _first(rows: ir.Table, key: Sequence[str]) -> ir.Table:
    """Keep the newest row of each key; of equally new ones the last by content."""
    versions = sorted(name for name in rows.columns if name.startswith(VERSION))
    content = [name for name in rows.columns if name not in versions and name not in key]
    order = [ibis.desc(name, nulls_first=False) for name in (*versions, *content)]
    window = ibis.window(group_by=list(key), order_by=order or None)
    ranked = rows.mutate(**{_RANK: ibis.row_number().over(window)})
    return ranked.filter(ranked[_RANK] == 0).drop(_RANK)
