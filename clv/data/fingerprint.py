"""A hash of content: the same for the same rows, in any order, from any source."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from clv.data.engine import Engine


def content_fingerprint(engine: Engine, rows: ir.Table) -> str:
    """Return a hash of a table's content that no order of rows changes.

    Each row's MD5, as a number of 60 bits, is summed.
    """
    text = ibis.literal("")
    for name, kind in sorted(rows.schema().items()):
        if kind.is_primitive() or kind.is_string() or kind.is_temporal() or kind.is_decimal():
            text = text + rows[name].cast("string").fill_null("\x00") + "\x1f"
    digest = rows.select(digest=text.hexdigest("md5"))
    number = (ibis.literal("0x") + digest.digest.substr(0, 15)).cast("int64")
    total = number.cast("decimal(38, 0)").sum().cast("string")
    found = engine.to_pandas(digest.aggregate(total=total, rows=digest.count())).iloc[0]
    plain = f"{sorted(rows.columns)}{found['rows']}:{found['total']}"
    return hashlib.sha256(plain.encode()).hexdigest()[:16]
