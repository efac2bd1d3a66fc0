"""Times of an export, as vendors and spreadsheets write them, each rewritten as UTC.

``2025-06-23T07:00:00Z``, ``2025-06-23 07:00``, ``6/23/25 07:00 AM``, ``23.06.2025, 07:00``
and ``2025/06/23 7:00:05 PM`` are read. A time without an offset is one of the clock on the
wall in the zone that the import names. Whether 6/7/25 is in June or July is decided for an
export as a whole, by the days above 12 that it holds: one cell decides nothing alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import ibis

from clv.errors import DataError, UsageError, listing
from clv.notes import Note
from clv.sources.exports.cells import given
from clv.sources.parsing import OFFSET_PATTERN, TIME_PATTERN

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis.expr.types as ir

    from clv.engines.base import Engine

Dates = Literal["mdy", "dmy"]
DATES: tuple[Dates, ...] = ("mdy", "dmy")
MONTHS = 12

SLASHED = r"^[0-9]{1,2}/[0-9]{1,2}[/-]([0-9]{4}|[0-9]{2})( .*)?$"
"""A date whose first two parts are the day and the month, in either order."""

UTC_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
HALF_DAY = r"[AaPp][Mm]$"

_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")


@ibis.udf.scalar.builtin(name="try_strptime", signature=(("string", "array<string>"), "timestamp"))
def _strptime(text, forms):  # type: ignore[no-untyped-def]
    """Read a time by the first of several forms that fits; null if none does."""


def time_text(text: ir.Value, zone: str, dates: Dates) -> ir.Value:
    """Rewrite times as UTC; text that is no time stays, for the contract's rules to find.

    Cells that say nothing are null.

    Parameters
    ----------
    text : ibis Value
    zone : str
        Of times without an offset, such as ``Europe/Berlin``.
    dates : {"mdy", "dmy"}
        The order of month and day in dates with slashes.
    """
    days = ("%m/%d", "%d/%m")[dates == "dmy"]
    # Years of two digits first: the long form would read 25 as the year 25.
    forms = [
        date + clock
        for date in (f"{days}/%y", f"{days}/%Y", "%d.%m.%y", "%d.%m.%Y", "%Y-%m-%d")
        for clock in _CLOCKS
    ]
    iso = text.re_extract(TIME_PATTERN, 0).re_replace(r"[.][0-9]+|\s+$", "")
    iso = iso.re_replace(r" ([Z+-])", r"\1").nullif("")
    wall = ibis.ifelse(text.re_search(OFFSET_PATTERN), None, iso).try_cast("timestamp")
    local = ibis.coalesce(wall, _strptime(_spaced(text), forms))
    at = ibis.ifelse(
        text.re_search(OFFSET_PATTERN), iso.try_cast("timestamp('UTC')"), in_zone(zone, local)
    )
    return ibis.coalesce(at.strftime(UTC_FORMAT), given(text))


@ibis.udf.scalar.builtin(name="timezone", signature=(("string", "timestamp"), "timestamp('UTC')"))
def in_zone(zone, at):  # type: ignore[no-untyped-def]
    """Read a time of the clock on the wall as a time; the later one of two."""


def _spaced(text: ir.Value) -> ir.Value:
    """Write the marks of a time alike: one space, a slash, no fraction, AM or PM."""
    # Each step names the text once: SQL repeats what an expression names twice.
    for form, alike in (
        ("[\\s\u00a0\u202f]+", " "),
        ("^ | $", ""),
        (r"^(\S+?)(,| ,|T)? ?([0-9]{1,2}:[0-9]{2}.*)$", r"\1 \3"),
        (r"(:[0-9]{2})[.][0-9]{1,9}( |$)", r"\1\2"),
        (r" ?([AaPp])[.]?[Mm][.]?$", r" \1M"),
        (r"^([0-9]{4})[/.]([0-9]{1,2})[/.]", r"\1-\2-"),
        (r"^([0-9]{1,2})-([0-9]{1,2})-", r"\1/\2/"),
    ):
        text = text.re_replace(form, alike)
    return text


def dates_order(
    engine: Engine, export: str, rows: ir.Table, columns: Sequence[str], dates: str | None
) -> tuple[Dates, tuple[Note, ...]]:
    """Tell the order of month and day in an export's dates with slashes.

    Parameters
    ----------
    engine : Engine
    export : str
        For messages.
    rows : ibis Table
    columns : sequence of str
        Those that hold times.
    dates : {"mdy", "dmy"}, optional
        What the import was told.

    Returns
    -------
    dates : {"mdy", "dmy"}
    notes : tuple of Note
        What was decided, and why.

    Raises
    ------
    DataError
        When some dates can only begin with the day, and some only with the month.
    UsageError
        When no day above 12 and no AM or PM tells.
    """
    if dates is not None or not columns:
        return ("dmy" if dates == "dmy" else "mdy"), ()
    held = engine.cache(rows.select(**{f"c{n}": _spaced(rows[c]) for n, c in enumerate(columns)}))
    texts = ibis.union(*(held.select(at=held[c]) for c in held.columns), distinct=True)
    texts = texts.filter(texts["at"].re_search(SLASHED))
    first, second = (texts["at"].split("/")[place].try_cast("int64") for place in (0, 1))
    sums = texts.aggregate(
        slashed=texts.count(),
        days=(first > MONTHS).sum(),
        months=(second > MONTHS).sum(),
        halves=texts["at"].re_search(HALF_DAY).sum(),
    )
    counts = engine.to_pandas(sums).fillna(0).iloc[0]
    engine.release(held)
    count = {name: int(counts[name]) for name in ("slashed", "days", "months", "halves")}
    if not count["slashed"]:
        return "mdy", ()
    where = f"{export}: dates such as 6/7/25 in {listing(columns)}"
    if count["days"] and count["months"]:
        raise DataError(
            f"{where} begin with the day in {count['days']:,} of them and with the month in "
            f"{count['months']:,}; expected one order. Import the files one by one, or say "
            "--dates mdy or dmy: the others go to the quarantine."
        )
    if not (count["days"] or count["months"] or count["halves"]):
        raise UsageError(
            f"{where} could begin with the day or with the month, and no row tells; expected "
            "--dates mdy or --dates dmy."
        )
    order: Dates = "dmy" if count["days"] else "mdy"
    first_word = "day" if order == "dmy" else "month"
    why = "the days above 12" if count["days"] or count["months"] else "AM and PM"
    text = f"{where} begin with the {first_word}, as {why} say; --dates says otherwise"
    return order, (Note("read_as", export, count["slashed"], text),)
