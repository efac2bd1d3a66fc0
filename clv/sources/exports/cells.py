"""Reading cells of an export: durations, money, counts and flags, as vendors write them.

A cell is absent, read, or unreadable, and stays so through every calculation. Absent is
null. What is unreadable keeps the vendor's text, so that the row meets the contract's rule
and goes to the quarantine with that text: it is never 0 and never false. ::

    talked = duration(calls.talk_time, "s")
    held = duration(calls.hold_time, "s")
    calls.mutate(hold_s=held.text, handle_s=added(talked, held).text)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Literal

import ibis

from clv.errors import DataError
from clv.schema import LONGEST_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import ibis.expr.types as ir

    from clv.engines.base import Engine

Unit = Literal["s", "ms"]

NOTHING = ("n/a", "na", "n.a.", "#n/a", "nan", "null", "none", "-", "--", "–", "—")
"""Words, after lowering, by which systems and spreadsheets say that there is no value."""

YES, NO = ("true", "yes", "y", "t", "1"), ("false", "no", "n", "f", "0")

BLANK = " \t\r\n\u00a0\u202f"
APART = "[,'’ \u00a0\u202f]"
"""What sets thousands apart. A point does not: the vendors' documents have it for decimals."""

NUMBER = (
    rf"^[+-]?(([0-9]+|[0-9]{{1,3}}({APART}[0-9]{{3}})+)([.][0-9]*)?|[.][0-9]+)"
    r"([eE][+-]?[0-9]{1,2})?$"
)
WHOLE = rf"^[+-]?([0-9]+|[0-9]{{1,3}}({APART}[0-9]{{3}})+)$"
CLOCK = r"^(?:([0-9]+):([0-5]?[0-9])|([0-9]+)):([0-5][0-9](?:[.][0-9]+)?)$"
"""``h:mm:ss`` or ``mm:ss``, with or without a fraction; hours and lone minutes have no limit."""

ROUNDED = r"^[0-9]([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$"
"""An id that a spreadsheet took for a number too long to show; 6e10 may be a hexadecimal id."""

MILLI = 3
"""Decimals of a second that are kept: reports give no more than milliseconds."""


@dataclass(frozen=True)
class Cell:
    """One column's cells, read.

    Attributes
    ----------
    value : ibis Value
        What the cell says; null where it is absent or unreadable.
    unread : ibis Value
        The vendor's text where it cannot be read, else null.
    """

    value: ir.Value
    unread: ir.Value

    @property
    def text(self) -> ir.Value:
        """What the contract is given: the value, the vendor's text if unreadable, else null."""
        return ibis.coalesce(self.value.cast("string"), self.unread)

    @property
    def absent(self) -> ir.Value:
        """Whether the cell holds nothing."""
        return self.value.isnull() & self.unread.isnull()

    def only(self, where: ir.Value) -> Cell:
        """Return the cells where a condition holds, absent elsewhere."""
        return Cell(
            ibis.ifelse(where, self.value, ibis.null(self.value.type())),
            ibis.ifelse(where, self.unread, ibis.null("string")),
        )

    def otherwise(self, value: ir.Value | float) -> Cell:
        """Return the cells with a value for those that are absent; unreadable ones stay."""
        return Cell(ibis.ifelse(self.absent, value, self.value), self.unread)

    def or_else(self, other: Cell) -> Cell:
        """Return these cells, and another's where these are absent."""
        return Cell(
            ibis.ifelse(self.absent, other.value, self.value),
            ibis.ifelse(self.absent, other.unread, self.unread),
        )


def computed(result: Callable[..., ir.Value], *cells: Cell) -> Cell:
    """Calculate with cells: one that is unreadable makes the result so, with its text.

    Parameters
    ----------
    result : callable
        Of the cells' values, each null where the cell is absent.
    *cells : Cell
        The first unreadable one gives its text.
    """
    unread = ibis.coalesce(*(cell.unread for cell in cells))
    value = result(*(cell.value for cell in cells))
    return Cell(ibis.ifelse(unread.isnull(), value, ibis.null(value.type())), unread)


def added(*cells: Cell) -> Cell:
    """Return the sum, rounded to milliseconds; absent where any of them is."""
    return computed(lambda *values: reduce(add, values).round(MILLI), *cells)


@ibis.udf.scalar.builtin(name="trim", signature=(("string", "string"), "string"))
def _trim(text, letters):  # type: ignore[no-untyped-def]
    """Take letters off both ends of a text."""


_WORDS = "|".join(word.replace(".", "[.]") for word in NOTHING)


def given(text: ir.Value) -> ir.Value:
    """Return the text of a cell without white space around it; null where it says nothing."""
    return _trim(text, BLANK).re_replace(f"(?i)^({_WORDS})$", "").nullif("")


def _cell(text: ir.Value, value: ir.Value) -> Cell:
    return Cell(value, ibis.ifelse(value.isnull(), text, ibis.null("string")))


def _plain(text: ir.Value) -> ir.Value:
    """Read a number, thousands set apart or not; null where it is none."""
    # Each of these names the cell once: SQL repeats what an expression names twice.
    return text.re_extract(NUMBER, 0).re_replace(APART, "").nullif("").try_cast("float64")


def number(text: ir.Value, *, between: tuple[float, float] | None = None) -> Cell:
    """Read a number, such as ``1,234.50`` of money: a point for decimals, thousands apart.

    Other text, such as ``incl.``, ``€ 5`` or ``1.234,50``, is unreadable, and so is a number
    that is not between two.
    """
    bare = given(text)
    value = _plain(bare)
    return _cell(bare, value if between is None else _within(value, *between))


def _within(value: ir.Value, least: float, most: float) -> ir.Value:
    return ibis.ifelse(value.between(least, most), value, ibis.null("float64"))


def count(text: ir.Value) -> Cell:
    """Read a whole number; a flag counts as one or none."""
    bare = given(text)
    whole = bare.re_replace("[.]0*$", "").re_extract(WHOLE, 0).re_replace(APART, "").nullif("")
    return _cell(bare, ibis.coalesce(whole.try_cast("int64"), _said(bare).cast("int64")))


def flag(text: ir.Value) -> Cell:
    """Read yes or no, true or false, 1 or 0; a remark in brackets changes nothing."""
    bare = given(text)
    return _cell(bare, _said(bare))


def _said(text: ir.Value) -> ir.Value:
    word = text.lower().re_replace(r"\s*\([^()]*\)$", "")
    return ibis.cases((word.isin(YES), True), (word.isin(NO), False), else_=ibis.null("boolean"))


def duration(text: ir.Value, unit: Unit) -> Cell:
    """Read a duration as seconds.

    Parameters
    ----------
    text : ibis Value
        ``h:mm:ss``, ``mm:ss``, either with a fraction of a second; or a number, thousands
        set apart or not.
    unit : {"s", "ms"}
        What a number counts, by the report's documentation.

    Notes
    -----
    A negative duration, and one of more than ten years, is unreadable: a sum would hide it.
    """
    bare = given(text)
    hours, minutes, lone_minutes, seconds = (
        bare.re_extract(CLOCK, part).nullif("").try_cast("float64") for part in (1, 2, 3, 4)
    )
    clock = ibis.coalesce(hours * 3600 + minutes * 60, lone_minutes * 60) + seconds
    plain = _plain(bare) / (1000 if unit == "ms" else 1)
    return _cell(bare, _within(ibis.coalesce(clock, plain), 0, LONGEST_S).round(MILLI))


def whole_number(text: ir.Value) -> ir.Value:
    """Write an id or a telephone number that passed through floats, such as 9001.0, as it was."""
    return text.re_replace("^([+-]?[0-9]+)[.]0+$", r"\1")


ENTITIES = (
    ("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#34;", '"'), ("&#39;", "'"),
    ("&apos;", "'"), ("&#x27;", "'"), ("&#x2F;", "/"), ("&amp;", "&"),
)  # fmt: skip
"""What HTML writes for marks; the ampersand last, or ``&amp;lt;`` would be read twice."""


def unescaped(text: ir.Value) -> ir.Value:
    """Write words that passed through HTML as they were said: ``Smith &amp; Sons``."""
    return reduce(lambda value, pair: value.replace(pair[0], pair[1]), ENTITIES, text)


def filled(rows: ir.Table) -> ir.Value:
    """Count the cells of each row that hold something: a later export of a record says more."""
    held = [given(rows[name]).notnull().cast("int64") for name in rows.columns]
    return reduce(add, held)


def refuse_rounded(engine: Engine, export: str, rows: ir.Table, columns: Sequence[str]) -> None:
    """Refuse ids and phone numbers that a spreadsheet has written as 4.9E+12, digits lost.

    Raises
    ------
    DataError
        Naming the column.
    """
    if not columns:
        return
    sums = {name: rows[name].strip().re_search(ROUNDED).sum() for name in columns}
    counts = engine.to_pandas(rows.aggregate(**sums)).fillna(0).iloc[0]
    for name in columns:
        if counts[name]:
            raise DataError(
                f"{export}: {int(counts[name]):,} cells of {name!r} are numbers that a spreadsheet "
                "has rounded, such as 3.6E+11; expected whole ids. Export again, and do not save "
                "the file from a spreadsheet."
            )
