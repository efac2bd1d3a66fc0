"""Axes, sizes and rows as every chart of the report wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

if TYPE_CHECKING:
    from clv.report.sentences import Texts

MONEY, SHARE, COUNT = "$,.0f", ".0%", ",.0f"
"""Formats of axis labels."""


def say_all(texts: Texts, section: str, *keys: str) -> tuple[str, ...]:
    """Return several texts of a section."""
    return tuple(texts.say(f"{section}.{key}") for key in keys)


def data(rows: list[dict[str, Any]]) -> alt.Chart:
    """Return a chart over rows."""
    return alt.Chart(alt.Data(values=rows))


def sized(drawn: alt.LayerChart | alt.Chart, width: int, height: int = 220) -> alt.TopLevelMixin:
    """Give a chart its size in pixels."""
    return drawn.properties(width=width, height=height)


def ends_of(rows: list[dict[str, Any]], key: str) -> tuple[float, float]:
    """Return the smallest and the largest value of a column."""
    return min(row[key] for row in rows), max(row[key] for row in rows)


def x_axis(
    field: str, title: str | None = None, form: str = COUNT, *, zero: bool = True,
    ends: tuple[float, float] | None = None,
) -> alt.X:  # fmt: skip
    """Return a horizontal axis of numbers."""
    scale = alt.Scale(domain=list(ends), nice=False) if ends else alt.Scale(zero=zero)
    return alt.X(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(format=form))


def y_axis(
    field: str, title: str | None = None, form: str = COUNT, *, zero: bool = True,
    ends: tuple[float, float] | None = None,
) -> alt.Y:  # fmt: skip
    """Return a vertical axis of numbers."""
    scale = alt.Scale(domain=list(ends), nice=False) if ends else alt.Scale(zero=zero)
    return alt.Y(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(format=form))


def steps(field: str, title: str) -> alt.X:
    """Return a horizontal axis of steps in the rows' order."""
    return alt.X(f"{field}:O", title=title, sort=None, axis=alt.Axis(labelAngle=0))


def apart(names: list[str]) -> list[str]:
    """Tell equal names apart by a number: shortened names may have become equal.

    Examples
    --------
    >>> apart(["a…", "b", "a…"])
    ['a…', 'b', 'a… (2)']
    """
    counted: dict[str, int] = {}
    found = []
    for name in names:
        counted[name] = counted.get(name, 0) + 1
        found.append(name if counted[name] == 1 else f"{name} ({counted[name]})")
    return found
