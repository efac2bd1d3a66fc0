"""Casts and arithmetic of mapped columns that no cell can stop: what cannot be is left to be found.

A number that is none is NaN, a time that is none the year 9999: the contract's rules then
quarantine the row, where an engine's own cast would have ended the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import pyarrow as pa
import pyarrow.compute as re2

from clv.errors import UsageError
from clv.sources.parsing import EARLIEST_S, LATEST_S, given, parse_number, parse_seconds

if TYPE_CHECKING:
    import ibis.expr.types as ir

NO_TIME_S = 253_402_300_799
"""The end of the year 9999: stands for what is no time, for the rules to find."""

_WHOLE_FROM = 2.0**52


def number(value: ir.Value) -> ir.Value:
    """Read a value as a float: null stays null, text that is no number becomes NaN."""
    parsed = parse_number(value)
    return ibis.ifelse(value.notnull() & parsed.isnull(), float("nan"), parsed)


def marked_number(text: ir.Value, mark: str) -> ir.Value:
    """Read text as a float by its decimal mark; thousands may be set apart, three by three.

    Null stays null; text that is no number by this mark is NaN.

    Raises
    ------
    UsageError
        For a mark that is neither a point nor a comma.
    """
    if mark not in (".", ","):
        raise UsageError(f"a decimal mark is {mark!r}; expected '.' or ','.")
    apart = f"[ '\u00a0\u202f{'.' if mark == ',' else ','}]"
    whole = rf"(\d+|\d{{1,3}}({apart}\d{{3}})+)"
    fits = text.strip().re_search(rf"^[+-]?{whole}([{mark}]\d*)?$")
    point = text.strip().re_replace(apart, "").replace(mark, ".")
    return number(ibis.ifelse(text.isnull() | fits, point, "no number"))


def wide(value: ir.Value) -> ir.Value:
    """Return a number as a float: whole numbers and decimals can overflow."""
    return value if value.type().is_floating() else value.cast("float64")


def rounded(value: ir.Value) -> ir.Value:
    """Return the nearest whole number, halves away from zero, as a float."""
    # Ibis makes int64 of it, which what is beyond 2^52, and whole already, may not fit.
    whole = wide(value)
    small = whole.abs() < _WHOLE_FROM
    return ibis.ifelse(small, ibis.ifelse(small, whole, 0.0).round().cast("float64"), whole)


def as_time(value: ir.Value) -> ir.Value:
    """Read seconds since 1970-01-01 UTC, as numbers or text, as a time; fractions are cut off.

    Times, and text that is one, stay; a cell without anything is null.
    """
    if not (value.type().is_numeric() or value.type().is_string()):
        return value
    at_s = parse_number(value)
    known = at_s.between(EARLIEST_S, LATEST_S)
    # Cut before it is a time, since engines round differently.
    whole = ibis.ifelse(known, at_s, 0.0).floor().cast("int64")
    if value.type().is_string():
        iso = parse_seconds(value)
        whole, known = ibis.ifelse(at_s.notnull(), whole, iso), known | iso.notnull()
    no_time = ibis.ifelse(given(value), NO_TIME_S, ibis.null("int64"))
    seconds = ibis.ifelse(known.fill_null(ibis.literal(value=False)), whole, no_time)
    return seconds.as_timestamp("s")


def time_part(value: ir.Value, part: str) -> ir.Value:
    """Return the year, month or day of a time; of text that is no time, NaN."""
    if not value.type().is_string():
        return getattr(value, part)()
    at_s = parse_seconds(value)
    found = getattr(at_s.as_timestamp("s"), part)().cast("float64")
    return ibis.ifelse(given(value) & at_s.isnull(), float("nan"), found)


def require_pattern(words: str) -> None:
    """Refuse a pattern that not every engine reads.

    Raises
    ------
    UsageError
        With RE2's own complaint.

    Examples
    --------
    >>> require_pattern("(?=a)b")
    Traceback (most recent call last):
    clv.errors.UsageError: is no pattern of RE2: invalid perl operator: (?=. See ...
    """
    try:
        re2.match_substring_regex(pa.array([""]), words)
    except (pa.ArrowInvalid, UnicodeEncodeError) as error:
        problem = str(error).partition("regular expression: ")[2] or "not UTF-8 text"
        raise UsageError(
            f"is no pattern of RE2: {problem}. See github.com/google/re2/wiki/Syntax."
        ) from None
    if "(?P" in words or "\0" in words:
        raise UsageError("has a name or a NUL, which not every engine reads; leave it out.")
