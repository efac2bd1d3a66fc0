"""What a column of numbers can hold as a whole: totals that stay exact, and amounts not too small.

Money is held as whole ten-thousandths and other numbers as whole thousandths, of 64 bits. No sum
over any of a column's rows is larger than the sum of their sizes, so that one measure says for
every later sum, product and difference that it is exact, on every engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from clv.contract.rules import parsed_name
from clv.engines.physical import MONEY_SCALE, THOUSANDTHS
from clv.errors import SchemaError
from clv.schema import SCHEMA, Column, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import ibis.expr.types as ir

SCALES = {Kind.MONEY: MONEY_SCALE, Kind.NUMBER: THOUSANDTHS}
LARGEST_SUM = 4e18
"""In the units that are held: differences of two sums fit into 64 bits too."""

MOST_LOST = 0.001
"""The share of a column's total that rounding to what is held may take or add."""


def range_measures(table: str, rows: ir.Table) -> dict[str, ir.Value]:
    """Return aggregates over accepted rows, for ``require_range``."""
    found: dict[str, ir.Value] = {}
    for column, scale in _columns(table, rows.columns):
        size, sound = rows[parsed_name(column.name)].abs(), ~rows["any_broken"]
        # Not by round, which Ibis casts to int64: the infinity of a broken row would not fit.
        part = (size * float(scale)) % 1.0
        lost = ibis.least(part, 1.0 - part) / float(scale)
        found[f"{column.name}__sum"] = size.sum(where=sound)
        found[f"{column.name}__lost"] = lost.sum(where=sound)
    return found


def require_range(table: str, columns: list[str], measured: Mapping[str, float]) -> None:
    """Refuse a column whose total is too large to be exact, or whose numbers are too small to hold.

    Raises
    ------
    SchemaError
        Naming the column, its total, and the unit to give it in.
    """
    for column, scale in _columns(table, columns):
        total, lost = (float(measured[f"{column.name}__{k}"] or 0.0) for k in ("sum", "lost"))
        where = f"{table}.{column.name}"
        setting = f"sources.{table}.columns.{column.name}"
        if total > LARGEST_SUM / scale:
            raise SchemaError(
                f"{where}: the column adds up to {total:.3g} in size; expected at most "
                f"{LARGEST_SUM / scale:.0e}, beyond which sums are not exact. Give it in "
                f"thousands, or look for a wrong row: {setting}: cast_number({column.name}) / 1000."
            )
        if column.kind is Kind.MONEY and lost > MOST_LOST * total:
            raise SchemaError(
                f"{where}: rounding to {1 / scale:g} changes {lost / total:.1%} of what the column "
                f"adds up to; expected at most {MOST_LOST:.1%}. Give it in a smaller unit: "
                f"{setting}: cast_number({column.name}) * 1000."
            )


def _columns(table: str, given: list[str] | tuple[str, ...]) -> Iterator[tuple[Column, int]]:
    for column in SCHEMA[table].columns:
        if column.kind in SCALES and column.name in given:
            yield column, SCALES[column.kind]
