"""The small pieces that facts are made of, and how they are read from documents.

Documents come from files that other runs wrote, so a key may be absent or of another type:
reading gives ``None`` or an empty list then, and the section says what is missing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Document: TypeAlias = Mapping[str, Any]

EVIDENCE = ("predictive", "adjusted", "quasi-experimental", "experimental")
"""How a figure was measured, weakest first."""

NAME_LIMIT = 60
"""Characters of a name that a report shows; a longer one ends in an ellipsis."""

# Controls, and the marks that turn the direction of the text around them (Unicode UAX 9).
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


@dataclass(frozen=True)
class Figure:
    """A number as the report shows it: never without its n or its interval.

    Attributes
    ----------
    value : float
        The number, in ``unit``.
    unit : str
        ``currency``, ``share``, ``count``, ``seconds``, ``score`` or ``days``.
    low, high : float or None
        Its interval.
    n : int or None
        Customers, contacts or rows behind it.
    """

    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    n: int | None = None

    @property
    def settled(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.low is not None and self.high is not None and self.low * self.high > 0


@dataclass(frozen=True)
class Missing:
    """A part that cannot be shown; the texts say what it would be and how to get it.

    Attributes
    ----------
    what : str
        A key of ``missing`` in the texts.
    why : str
        The reason that the documents give, if any.
    """

    what: str
    why: str = ""


def number(document: Document | None, *path: str) -> float | None:
    """Return the finite number at ``path``, or None.

    Examples
    --------
    >>> number({"coverage": {"customers": 0.91}}, "coverage", "customers")
    0.91
    >>> number({"coverage": "n/a"}, "coverage", "customers") is None
    True
    """
    value = lookup(document, *path)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def count(document: Document | None, *path: str) -> int | None:
    """Return the whole number at ``path``, or None."""
    value = number(document, *path)
    return None if value is None else round(value)


def records(document: Document | None, *path: str) -> list[Document]:
    """Return the list of objects at ``path``; what is no object is left out."""
    value = lookup(document, *path)
    return [item for item in value if isinstance(item, Mapping)] if _is_list(value) else []


def words(document: Document | None, *path: str, limit: int = NAME_LIMIT) -> str:
    """Return the text at ``path`` as one safe line, or an empty string."""
    value = lookup(document, *path)
    return (
        "" if value is None or isinstance(value, Mapping) or _is_list(value) else line(value, limit)
    )


def lookup(document: Document | None, *path: str) -> Any:
    """Follow ``path`` through nested objects; None where it ends early."""
    value: Any = document
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def line(value: object, limit: int = NAME_LIMIT) -> str:
    r"""Return text as one line of at most ``limit`` characters, without direction marks.

    Examples
    --------
    >>> line("a" * 99, limit=4)
    'aaa…'
    >>> line("two\nlines")
    'two lines'
    """
    # Cut first: a cell may hold megabytes.
    text = " ".join(_UNSAFE.sub(" ", str(value)[: 4 * limit]).split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def figure(
    document: Document | None,
    key: str,
    unit: str,
    *,
    low: str = "low",
    high: str = "high",
    n: int | None = None,
) -> Figure | None:
    """Return the figure at ``key`` with its interval, or None where it is absent."""
    value = number(document, key)
    if value is None:
        return None
    interval = number(document, low), number(document, high)
    bounds = interval if None not in interval else (None, None)
    return Figure(value, unit, bounds[0], bounds[1], n if n is not None else count(document, "n"))


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
