"""Ibis' Spark SQL, mended where numbers would come out otherwise than from DuckDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlglot.expressions as sge
from ibis.backends.sql.compilers.pyspark import PySparkCompiler

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt


class SparkCompiler(PySparkCompiler):
    """Floats as in DuckDB.

    Ibis 12 reads NaN as null, compares infinity with the expression instead of in it, and
    writes 86400.0, which is a decimal to Spark: a division by it keeps seven digits.
    """

    __slots__ = ()

    def visit_IsNull(self, _op: Any, *, arg: sge.Expression) -> sge.Expression:
        """Say whether a value is null."""
        return sge.Is(this=arg, expression=sge.Null())

    def visit_NotNull(self, _op: Any, *, arg: sge.Expression) -> sge.Expression:
        """Say whether a value is not null."""
        return sge.Not(this=sge.Is(this=arg, expression=sge.Null()))

    def visit_IsInf(self, _op: Any, *, arg: sge.Expression) -> sge.Expression:
        """Say whether a float is infinite."""
        return sge.EQ(this=self.f.abs(arg), expression=self.POS_INF)

    def visit_NonNullLiteral(self, op: Any, *, value: Any, dtype: dt.DataType) -> Any:
        """Write a constant; a float is a double."""
        written = super().visit_NonNullLiteral(op, value=value, dtype=dtype)
        if written is None or not dtype.is_floating():
            return written
        return self.cast(written, dtype)
