"""One physical type per kind, the same on every engine, and numbers that come out alike.

Ids and words are strings, times are int64 seconds since 1970-01-01 UTC (truncated, since
engines round differently), money is int64 ten-thousandths of the currency unit (exact in any
order of summing), other numbers float64, whole numbers int64.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from clv.schema import Kind

MONEY_SCALE = 10_000
THOUSANDTHS = 1_000
PHYSICAL: dict[Kind, str] = {
    Kind.ID: "string",
    Kind.TEXT: "string",
    Kind.CATEGORY: "string",
    Kind.TIME: "int64",
    Kind.MONEY: "int64",
    Kind.NUMBER: "float64",
    Kind.INTEGER: "int64",
}
SIGNIFICANT_DIGITS = 9
_EXACT = ibis.dtype("decimal(38, 0)")
LARGEST, SMALLEST = 1.0e290, 1.0e-290
"""What lies beyond cannot be scaled: it is as good as infinite, or as zero."""
_SHIFT = 1.5 * 2.0**52


def seconds(at: ir.Value) -> ir.Value:
    """Turn a timestamp into whole seconds since 1970-01-01 UTC, truncated."""
    return at.truncate("s").epoch_seconds().cast("int64")


def money(amount: ir.Value) -> ir.Value:
    """Turn an amount of money into int64 ten-thousandths, rounded half away from zero."""
    if amount.type().is_floating():
        return (amount * MONEY_SCALE).round().cast("int64")
    return (amount.cast("decimal(38, 4)") * MONEY_SCALE).cast("int64")


def thousandths(number: ir.Value) -> ir.Value:
    """Turn a number into int64 thousandths, so that sums are exact in any order."""
    return (number * THOUSANDTHS).round().cast("int64")


def missing(kind: Kind) -> ir.Value:
    """Return a null of a kind's physical type: a column that was not given."""
    return ibis.null(PHYSICAL[kind])


def ratio(part: ir.Value, whole: ir.Value) -> ir.Value:
    """Divide exact sums; null where the whole is zero."""
    return part.cast("float64") / whole.cast("float64").nullif(0.0)


def exact(whole: ir.Value) -> ir.Value:
    """Return a whole number that may be multiplied and summed to 38 digits, on every engine.

    Engines differ in what they make of a product that no longer fits into 64 bits: an error, a
    null, or a wrong number.
    """
    return whole.cast(_EXACT)


def in_currency(total: ir.Value) -> ir.Value:
    """Turn an exact sum of ten-thousandths into currency."""
    return total.cast("float64") / float(MONEY_SCALE)


def in_units(total: ir.Value, count: ir.Value) -> ir.Value:
    """Turn an exact sum of thousandths into a mean."""
    return ratio(total, count) / float(THOUSANDTHS)


def significant(value: ir.Value, digits: int = SIGNIFICANT_DIGITS) -> ir.Value:
    """Round a float to significant digits on the engine; NaN and infinities become null.

    The scale is a power of ten, exact from 1e-14 up to the largest whole number of so many
    digits; the result there is the double nearest to the decimal on every engine.
    """
    # Greatest and least put NaN last, so the size is a number that has a logarithm.
    size = ibis.greatest(ibis.least(value.abs(), LARGEST), SMALLEST)
    scale = ibis.literal(10.0).pow(float(digits - 1) - size.log10().floor())
    finite = (value.abs() < LARGEST).ifelse(ibis.literal(0.0), ibis.null("float64"))
    return _whole(value * scale) / scale + finite


def decimals(value: ir.Value, digits: int = SIGNIFICANT_DIGITS) -> ir.Value:
    """Round a share: so many decimals are no more significant digits, and cost less."""
    scale = 10.0**digits
    return _whole(value * scale) / scale


def _whole(value: ir.Value) -> ir.Value:
    """Round to a whole number, halves to even: beyond 2^52 a double holds nothing finer."""
    return value + _SHIFT - _SHIFT
