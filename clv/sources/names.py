"""Names of columns: which are the contract's, and how the company's own are told apart from them.

A company's own columns never stand under their own names beside the contract's: no name that
clv gives a column begins like theirs (``own_column``), so that none can be meant by accident.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from clv.errors import SchemaError, listing
from clv.schema import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import ibis.expr.types as ir

OWN = "own "
"""What a company's own column begins with: no name of clv's has a space."""

UNNAMED = "unnamed"


def own_column(name: str) -> str:
    """Return what a column of the company's own is called beside the contract's.

    Examples
    --------
    >>> own_column("channel"), plain_name(own_column("channel")), plain_name("order_id")
    ('own channel', 'channel', 'order_id')
    """
    return f"{OWN}{name}"


def plain_name(column: str) -> str:
    """Return what the company calls a column."""
    return column.removeprefix(OWN)


def set_apart(table: str, rows: ir.Table) -> ir.Table:
    """Return the contract's columns of a table in its order, then the company's own by name."""
    contract = [c.name for c in SCHEMA[table].columns if c.name in rows.columns]
    own = sorted(set(rows.columns) - set(contract))
    return rows.select(*contract, **{own_column(name): rows[name] for name in own})


def kept_own(table: str, columns: Iterable[str]) -> list[str]:
    """Return the company's own columns that are of use once rows are accepted.

    Those of ``customers`` are: attributes and segments may be among them.
    """
    return [c for c in columns if c.startswith(OWN)] if table == "customers" else []


def told_apart(table: str, place: object, names: Sequence[str]) -> list[str]:
    """Return names that every engine can tell apart, though case may not tell them apart.

    A column with exactly a name of the contract keeps it. Others that are alike are numbered,
    so that a mapping that names one of them says that it is not there instead of taking any.

    Parameters
    ----------
    table : str
        The contract's name.
    place : object
        Where the columns lie, for errors.
    names : sequence of str
        As they stand there, in order.

    Raises
    ------
    SchemaError
        When two columns have the same name of the contract.

    Examples
    --------
    >>> told_apart("orders", "x.csv", ["order_id", "Order_ID", "note", "Note", "", "C1"])
    ['order_id', 'Order_ID (1)', 'note (1)', 'Note (2)', 'unnamed', 'C1']
    """
    contract = {c.name for c in SCHEMA[table].columns} if table in SCHEMA else set()
    counts = Counter(names)
    twice = sorted(name for name in contract if counts[name] > 1)
    if twice:
        raise SchemaError(
            f"{table}: {place} has the column {listing(twice)} twice; expected once. Rename or "
            "leave out one of them."
        )
    plain = [name or UNNAMED for name in names]
    alike = Counter(name.lower() for name in plain)
    taken = {name.lower() for name in plain if alike[name.lower()] == 1} | {*contract}
    found = []
    for name in plain:
        if name not in contract and (alike[name.lower()] > 1):
            number = 1
            while (told := f"{name} ({number})").lower() in taken:
                number += 1
            name = told  # noqa: PLW2901
            taken.add(name.lower())
        found.append(name)
    return found
