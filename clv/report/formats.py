"""Numbers, money, dates and durations as a reader of the language writes them."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clv.report.figures import Figure

SYMBOLS = {
    "units": "",
    "EUR": "€",
    "USD": "$",
    "GBP": "£",
    "JPY": "¥",
    "INR": "₹",
    "PLN": "zł",
    "CNY": "¥",
}
"""Signs of currencies; any other is shown by its code, an unknown one by none."""

GAP = "\u00a0"
MINUS = "−"

_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
}
_MARKS = {"en": (",", "."), "de": (".", ",")}
_SCALES = {
    "en": ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")),
    "de": ((1e12, "Bio."), (1e9, "Mrd."), (1e6, "Mio.")),
}

LANGUAGES = tuple(_MARKS)
SMALLEST_DIGITS = 6


@dataclass(frozen=True)
class Formats:
    r"""How figures are written.

    Attributes
    ----------
    language : str
        A member of ``LANGUAGES``.
    currency : str
        ISO 4217 code, or ``units``.

    Examples
    --------
    >>> english, german = Formats("en", "EUR"), Formats("de", "EUR")
    >>> english.money(3_418_220.0), german.money(1234.5)
    ('€3.42 million', '1.234\xa0€')
    >>> english.money(-7.9, signed=True), german.share(0.413), english.seconds(372)
    ('−€7.90', '41\xa0%', '6:12\xa0min')
    """

    language: str
    currency: str

    def number(self, value: float, digits: int = 0) -> str:
        """Write a number with the language's marks."""
        text = f"{abs(value):,.{digits}f}"
        thousands, decimal = _MARKS[self.language]
        text = text.translate({ord(","): thousands, ord("."): decimal})
        negative = value < 0 and any(character in "123456789" for character in text)
        return f"{MINUS}{text}" if negative else text

    def money(self, value: float, *, signed: bool = False) -> str:
        """Write an amount: from 10,000 on three digits matter, and cents only below 100.

        In a currency whose cents are not known here, amounts below them have two digits.
        """
        size = abs(value)
        if size >= 9_999.5:
            size = round(size, 2 - math.floor(math.log10(size)))
        scales = _SCALES[self.language]
        scale, unit = next(((s, word) for s, word in scales if size >= 0.9995 * s), (1.0, ""))
        digits = 2 if unit or 0 < size < 99.995 else 0
        if 0 < size < 0.01 and SYMBOLS.get(self.currency, "") == "":
            digits = min(1 - math.floor(math.log10(size)), SMALLEST_DIGITS)
        text = self.number(size / scale, digits)
        zero = not any(character in "123456789" for character in text)
        sign = "" if zero else MINUS if value < 0 else "+" if signed else ""
        symbol = SYMBOLS.get(self.currency, self.currency)
        if self.language == "en" and self.currency in SYMBOLS:
            return f"{sign}{symbol}{text}" + (f" {unit}" if unit else "")
        return sign + GAP.join(part for part in (text, unit, symbol) if part)

    def share(self, value: float, *, signed: bool = False) -> str:
        """Write a share in per cent; below 10 % with a decimal."""
        size = abs(value) * 100
        text = self.number(size, 1 if size < 9.95 and abs(size - round(size)) >= 0.05 else 0)
        sign = MINUS if value < 0 else "+" if signed and value > 0 else ""
        return f"{sign}{text}{GAP if self.language == 'de' else ''}%"

    def points(self, value: float, *, signed: bool = True) -> str:
        """Write a difference of shares in percentage points, without the word."""
        size = abs(value) * 100
        text = self.number(size, 0 if abs(size - round(size)) < 0.05 else 1)
        return (MINUS if value < 0 else "+" if signed else "") + text

    def seconds(self, value: float, *, signed: bool = False) -> str:
        """Write a duration as minutes and seconds, or as hours above two of them."""
        sign = MINUS if value < 0 else "+" if signed else ""
        whole = round(abs(value))
        if whole >= 7200:
            return f"{sign}{self.number(whole / 3600, 1)}{GAP}h"
        return f"{sign}{whole // 60}:{whole % 60:02d}{GAP}min"

    def date(self, iso: str) -> str:
        """Write an ISO date in words; what is no date stays as it is."""
        try:
            day = dt.date.fromisoformat(iso)
        except ValueError:
            return iso
        month = _MONTHS[self.language].split()[day.month - 1]
        dot = "." if self.language == "de" else ""
        return f"{day.day}{dot}{GAP}{month}{GAP}{day.year}"

    def value(self, value: float, unit: str, *, signed: bool = False) -> str:
        """Write a value of any unit of ``Figure``."""
        if unit == "currency":
            return self.money(value, signed=signed)
        if unit == "share":
            return self.share(value, signed=signed)
        if unit == "seconds":
            return self.seconds(value, signed=signed)
        if unit == "score":
            sign = "+" if signed and value >= 0.0005 else ""
            return f"{sign}{self.number(value, 3)}"
        return self.number(value)

    def figure(self, figure: Figure, *, signed: bool = False) -> str:
        """Write a figure without its interval."""
        return self.value(figure.value, figure.unit, signed=signed)

    def interval(self, figure: Figure, *, signed: bool = False) -> str:
        """Write the interval of a figure as ``low to high``; empty where there is none."""
        if figure.low is None or figure.high is None:
            return ""
        low = self.value(figure.low, figure.unit, signed=signed)
        high = self.value(figure.high, figure.unit, signed=signed)
        return f"{low} {'bis' if self.language == 'de' else 'to'} {high}"

    def d3_locale(self) -> dict[str, object]:
        """Return the same marks for the axes of charts (d3-format's locale)."""
        thousands, decimal = _MARKS[self.language]
        symbol = SYMBOLS.get(self.currency, self.currency)
        before = self.language == "en" and self.currency in SYMBOLS
        currency = [symbol, ""] if before or not symbol else ["", GAP + symbol]
        percent = "%" if self.language == "en" else GAP + "%"
        return {
            "decimal": decimal,
            "thousands": thousands,
            "grouping": [3],
            "currency": currency,
            "percent": percent,
            "minus": MINUS,
        }
