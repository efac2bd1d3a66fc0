"""Text as numbers and times: which text is one, and what it says.

What counts is a regular expression that RE2, Java and Python read alike, so that every
engine, and pandas, agree; the engine's own cast then reads only what fits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from clv.engines.physical import seconds
from clv.errors import UsageError

if TYPE_CHECKING:
    import ibis.expr.types as ir

TIME_PATTERN = (
    r"^[ \t\r\n]*(19|2[0-9])[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,9})?)?"
    r" ?(Z|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?)?[ \t\r\n]*$"
)
"""ISO 8601 text, years 1900 to 2999, with or without a time of day and an offset."""

OFFSET_PATTERN = r":[0-9]{2}([.][0-9]+)? ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)[ \t\r\n]*$"
"""ISO 8601 text that names its offset from UTC."""

NUMBER_PATTERN = r"^[ \t\r\n]*[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]{1,3})?[ \t\r\n]*$"
"""Text that is a number: no thousands separators, no units, a point for decimals."""

NOT_FINITE = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}
"""Words for what is no number, after lowering; ``infinity`` and ``+`` are read as well."""

EARLIEST_S, LATEST_S = -2_208_988_800, 32_503_679_999  # the years 1900 to 2999

_MINUTES = len("2025-01-02T10:00")

_PARTS = {
    "Y": r"(\d{4})",
    "y": r"(\d{2})",
    "m": r"(\d{1,2})",
    "d": r"(\d{1,2})",
    "b": r"([A-Za-z]{3})",
    "H": r"(\d{1,2})",
    "M": r"(\d{2})",
    "S": r"(\d{2})",
    "z": r"(Z|[+-]\d{2}:?\d{2})",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SPECIAL = set(".^$*+?()[]{}|\\")


def parse_number(value: ir.Value) -> ir.Value:
    """Read a value as float64; null where it is null, blank, or text that is no number."""
    if not value.type().is_string():
        return value.cast("float64")
    word = value.strip().lower().re_replace(r"^[+]", "").re_replace("infinity", "inf")
    return ibis.cases(
        (value.re_search(NUMBER_PATTERN), value.strip().try_cast("float64")),
        *((word == name, ibis.literal(number)) for name, number in NOT_FINITE.items()),
        else_=ibis.null("float64"),
    )


def parse_seconds(value: ir.Value) -> ir.Value:
    """Read a value as whole seconds since 1970-01-01 UTC; null where it is no such time.

    Times without an offset are UTC; fractions of a second are cut off.
    """
    if value.type().is_string():
        # Engines round fractions differently, so they are cut off before the cast.
        whole = value.strip().re_replace(r"[.][0-9]+", "")
        for sign in "+-Z":
            whole = whole.replace(f" {sign}", sign)
        # Spark reads no offset behind minutes alone; only what no cast reads is mended.
        timed = whole.substr(0, _MINUTES) + ":00" + whole.substr(_MINUTES)
        at = ibis.coalesce(*(text.try_cast("timestamp('UTC')") for text in (whole, timed)))
        at_s = seconds(at.cast("timestamp"))
        known = value.re_search(TIME_PATTERN) & at_s.between(EARLIEST_S, LATEST_S)
    else:
        at_s = seconds(value.cast("timestamp"))
        known = at_s.between(EARLIEST_S, LATEST_S)
    return ibis.ifelse(known, at_s, ibis.null("int64"))


def is_finite(value: ir.Value) -> ir.Value:
    """Say whether a float is neither NaN nor infinite."""
    return ~(value.isnan() | value.isinf())


def given(value: ir.Value) -> ir.Value:
    """Say whether a cell holds anything: not null, not blank, not a missing float."""
    if value.type().is_string():
        # Text from "!" on begins with no white space; only the rest is worth trimming.
        filled = ibis.ifelse(value >= "!", ibis.literal(value=True), value.strip() != "")
        return filled.fill_null(ibis.literal(value=False))
    return value.notnull()


def time_regex(pattern: str) -> tuple[str, list[str]]:
    r"""Return the regular expression of a time format, and its parts in order.

    Raises
    ------
    UsageError
        When the format has an unknown part, or no year, month and day.

    Examples
    --------
    >>> time_regex("%d/%m/%Y")
    ('^\\s*(\\d{1,2})/(\\d{1,2})/(\\d{4})\\s*$', ['d', 'm', 'Y'])
    """
    regex, parts = "", []
    letters = iter(pattern)
    for letter in letters:
        if letter != "%":
            regex += f"\\{letter}" if letter in _SPECIAL else letter
            continue
        part = next(letters, "")
        if part not in _PARTS or part in parts:
            raise UsageError(f"%{part} is not a part of a time; expected {', '.join(_PARTS)} once.")
        # A year followed directly by digits, as in 19970101, has two-digit months and days.
        regex += _PARTS[part].replace("{1,2}", "{2}") if regex.endswith(")") else _PARTS[part]
        parts.append(part)
    if not ({"Y", "y"} & set(parts) and {"m", "b"} & set(parts) and "d" in parts):
        raise UsageError(f"{pattern!r} lacks a year, a month or a day.")
    return rf"^\s*{regex}\s*$", parts


def iso_text(text: ir.Value, pattern: str) -> ir.Value:
    """Rewrite text of a format as ISO 8601; text of another form stays as it is.

    ``%y`` is 1969 to 2068, as in POSIX. A day that the calendar lacks is rewritten too;
    the contract's rules find it.
    """
    regex, parts = time_regex(pattern)
    found = {part: text.re_extract(regex, number) for number, part in enumerate(parts, start=1)}
    year = found["Y"] if "Y" in found else _century(found["y"]) + found["y"]
    if "m" in found:
        month = found["m"].lpad(2, "0")
    else:
        name = found["b"].lower()
        month = ibis.cases(*((name == m, f"{n:02}") for n, m in enumerate(_MONTHS, 1)), else_="00")
    clock = [found[part].lpad(2, "0") if part in found else ibis.literal("00") for part in "HMS"]
    iso = year + "-" + month + "-" + found["d"].lpad(2, "0")
    iso = iso + "T" + clock[0] + ":" + clock[1] + ":" + clock[2]
    if "z" in found:
        iso = iso + found["z"]
    return ibis.ifelse(text.re_search(regex), iso, text)


def _century(year: ir.Value) -> ir.Value:
    return ibis.ifelse(year >= "69", "19", "20")
