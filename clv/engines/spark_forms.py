"""What Spark is given, in the forms that it takes: frames, sizes and places."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from clv.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame

LOCAL = "file://"
_PYTHON_ERROR = re.compile(r"[A-Za-z_.]+(Error|Exception): ")


def java_size(limit: str) -> str:
    """Write a size such as ``1.5 GB`` the way Java reads it: ``1536m``.

    Examples
    --------
    >>> java_size("4GB"), java_size("1.5 GiB")
    ('4096m', '1536m')
    """
    found = re.fullmatch(r"\s*([0-9.]+)\s*([KMGT])i?B?\s*", limit, re.IGNORECASE)
    if found is None:
        raise UsageError(f"engine.memory_limit is {limit!r}; expected a size such as 4GB.")
    kibibytes = float(found[1]) * 1024 ** "KMGT".index(found[2].upper())
    return f"{max(1, round(kibibytes / 1024))}m"


def located(path: str) -> str:
    """Return a path as a URI: a bare one is of this machine, whatever Spark's own storage is."""
    return path if "://" in path else f"{LOCAL}{path}"


def plain(rows: pa.Table) -> pa.Table:
    """Hold a frame to the types that Spark takes."""
    columns = {}
    for field, column in zip(rows.schema, rows.columns, strict=True):
        kind = field.type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        if pa.types.is_null(kind) or pa.types.is_large_string(kind):
            kind = pa.string()
        elif pa.types.is_timestamp(kind):
            kind = pa.timestamp("us", kind.tz)
        columns[field.name] = column.cast(kind, safe=False)
    return pa.table(columns)


def without_nanoseconds(rows: DataFrame, paths: Sequence[str]) -> DataFrame:
    """Turn columns of nanoseconds, read as integers, into times of microseconds."""
    fine: dict[str, str] = {}
    for path in paths:
        for field in pq.read_schema(path):
            if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
                at = f"timestamp_micros({quoted(field.name)} div 1000)"
                whole = at if field.type.tz else f"cast({at} as timestamp_ntz)"
                fine[field.name] = f"{whole} as {quoted(field.name)}"
    return rows.selectExpr(*(fine.get(name, quoted(name)) for name in rows.columns))


def quoted(name: str) -> str:
    """Write a column's name as Spark's SQL does: a point in it is no path.

    Examples
    --------
    >>> quoted("a.b"), quoted("a`b")
    ('`a.b`', '`a``b`')
    """
    return "`" + name.replace("`", "``") + "`"


def first_line(error: Exception) -> str:
    r"""Return what went wrong: of a Python process on a node, its error and not that it had one.

    Examples
    --------
    >>> first_line(ValueError("From the Python worker:\n  File x\nKeyError: 'a'\n\n at java"))
    "KeyError: 'a'"
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if _PYTHON_ERROR.match(line)]
    return named[-1] if named and "Python worker" in lines[0] else lines[0]
