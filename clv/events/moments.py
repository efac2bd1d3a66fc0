"""When facts became known, in seconds, and what stands in for what never happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clv.engines.physical import missing
from clv.schema import SCHEMA
from clv.windows import DAY_SECONDS

if TYPE_CHECKING:
    import ibis.expr.types as ir

NEVER = 2**62
"""The second of what has not happened: no cutoff reaches it."""

ALWAYS = -(2**62)
"""The second of what needed nothing to happen."""


def day_number(at_s: ir.Value) -> ir.Value:
    """Return days since 1970-01-01 of a second."""
    return (at_s // DAY_SECONDS).cast("int64")


def given(rows: ir.Table, table: str, name: str) -> ir.Value:
    """Return a column of the contract, null where the company has none."""
    return rows[name] if name in rows.columns else missing(SCHEMA[table][name].kind)
