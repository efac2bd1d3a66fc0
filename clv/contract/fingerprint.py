"""A hash of content: the same for the same rows, in any order, from any source."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from clv.engines.base import Engine


def content_fingerprint(engine: Engine, rows: ir.Table) -> str:
    """Return a hash of a table's content that no order of rows changes.

    Each row's MD5, as a number of 60 bits, is summed.
    """
    cells = []
    for name, kind in sorted(rows.schema().items()):
        if kind.is_primitive() or kind.is_string() or kind.is_temporal() or kind.is_decimal():
            text = _digits(rows[name]) if kind.is_floating() else rows[name].cast("string")
            cells.append(text.fill_null("\x00") + "\x1f")
    text = ibis.literal("").join(cells) if cells else ibis.literal("")
    digest = rows.select(digest=text.hexdigest("md5"))
    number = engine.hex_number(digest.digest.substr(0, 15))
    total = number.cast("decimal(38, 0)").sum().cast("string")
    found = engine.to_pandas(digest.aggregate(total=total, rows=digest.count())).iloc[0]
    plain = f"{sorted(rows.columns)}{found['rows']}:{found['total']}"
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def _digits(number: ir.Value) -> ir.Value:
    """Write a float as whole numbers, since engines write fractions differently.

    Scaling by powers of two is exact: the whole millionths or so, and what is left of them.
    """
    scaled = number * _SCALE
    whole = scaled.round()
    left = ((scaled - whole) * _SCALE_LEFT).round()
    plain = whole.cast("int64").cast("string") + ":" + left.cast("int64").cast("string")
    # Beyond the contract's numbers, and NaN: as the engine writes them.
    return ibis.ifelse(number.abs() < _LARGE, plain, number.cast("string"))


_SCALE, _SCALE_LEFT, _LARGE = 2.0**20, 2.0**52, 2.0**42
