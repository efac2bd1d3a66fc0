"""Text that people open in a spreadsheet: cells that would run as a formula are escaped.

Excel, LibreOffice and Google Sheets run what begins with one of ``= + - @``, also full-width
or behind blanks, and some run what follows a line break within a cell. An apostrophe before
it makes it text. What we wrote so, we read back as it was.
"""

from __future__ import annotations

import re

_MARKS = "=+\\-@\t\r＝＋－＠﹦﹢﹣﹫⁼⁺⁻₌₊₋﬩"
_BLANKS = " \u00a0\u2000-\u200b\u202f\u205f\u2060\u3000\ufeff\0"
_START = "(?:^|(?<=[\n\r\v\f\x85\u2028\u2029]))"
_FORMULA = f"(?='*[{_BLANKS}]*[{_MARKS}])"
_ESCAPE, _UNESCAPE = re.compile(_START + _FORMULA), re.compile(f"{_START}'{_FORMULA}")


def escaped(text: str) -> str:
    r"""Put an apostrophe before each line of a text that a spreadsheet would run as a formula.

    Examples
    --------
    >>> escaped("=HYPERLINK(1)"), escaped("007"), escaped("two\n=1+1"), escaped("＝1")
    ("'=HYPERLINK(1)", '007', "two\n'=1+1", "'＝1")
    """
    return _ESCAPE.sub("'", text)


def unescaped(text: str) -> str:
    """Return a text that ``escaped`` wrote as it was.

    Examples
    --------
    >>> unescaped("'=1"), unescaped(escaped("'=1")), unescaped("it's")
    ('=1', "'=1", "it's")
    """
    return _UNESCAPE.sub("", text)
