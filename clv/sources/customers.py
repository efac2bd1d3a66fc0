"""Customers and agents that several records describe: one row each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from clv.notes import Note

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from clv.engines.base import Engine

SINCE = "signed_up_at"


def records_once(
    engine: Engine, rows: ir.Table, key: str = "customer_id"
) -> tuple[ir.Table, list[Note]]:
    """Make one row of the records that share an id.

    Of each column the value given first counts, in the order of sign-up, then of content.

    Parameters
    ----------
    engine : Engine
    rows : ibis Table
        Records of customers, or agents, none without the id.
    key : str
        The column of the id.

    Returns
    -------
    rows : ibis Table
    notes : list of Note
        How many records there were besides, if any.
    """
    people = rows.group_by(key).aggregate(records=rows.count())
    more = count_rows(engine, rows) - count_rows(engine, people)
    if not more:
        return rows, []
    others = [name for name in rows.columns if name != key]
    order = [name for name in (SINCE, *others) if name in others]
    by_age = ibis.window(group_by=key, order_by=[rows[name].asc() for name in order])
    placed = engine.cache(rows.mutate(place=ibis.row_number().over(by_age)))
    first = {
        name: placed[name].argmin(placed.place, where=placed[name].notnull()) for name in others
    }
    made = engine.cache(placed.group_by(key).aggregate(**first))
    unit = key.removesuffix("_id")
    text = f"records that share a {unit} made one, with what was first given of each column"
    return made.select(*rows.columns), [Note(f"{unit}_shared", f"{unit}s", more, text)]


def count_rows(engine: Engine, rows: ir.Table) -> int:
    """Return how many rows a table has."""
    return int(engine.to_pandas(rows.aggregate(n=rows.count()))["n"].iloc[0])
