"""Axes, formats and checks that every picture wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np

from clv.errors import DataError
from clv.plots.picture import ACCENT, MUTED, SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

WIDTH, HEIGHT = 560, 320
"""Of the plotting area, in CSS pixels."""
SHARE, COUNT = ".0%", ",.2~f"
"""Formats of an axis; counts have no decimals but where ticks lie between whole numbers."""


def checked(facts: pd.DataFrame, picture: str, columns: Sequence[str]) -> pd.DataFrame:
    """Return facts that can be drawn.

    Raises
    ------
    DataError
        When there are none, or a column is missing.
    """
    missing = [name for name in columns if name not in facts.columns]
    if missing:
        raise DataError(
            f"{picture}: the facts have no column {', '.join(missing)}; expected "
            f"{', '.join(columns)}."
        )
    if facts.empty:
        raise DataError(f"{picture}: there is no row to draw; expected at least one.")
    return facts


def data(facts: pd.DataFrame) -> alt.Chart:
    """Return a chart over rows, whatever is unknown left out as null."""
    return alt.Chart(alt.Data(values=records(facts)))


def records(facts: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as JSON-able values."""
    rows = facts.astype(object).where(facts.notna(), None).to_dict("records")
    return [{str(name): _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | str | int | float):
        return value
    return value.item() if isinstance(value, np.generic) else str(value)


def amounts(*columns: Iterable[float]) -> str:
    """Return the format of an axis of money: cents only where amounts are small.

    Examples
    --------
    >>> amounts([0.5, 3.0]), amounts([120.0]), amounts([2.5e6])
    (',.2f', ',.0f', '.3~s')
    """
    largest = max((abs(v) for c in columns for v in c if np.isfinite(v)), default=0.0)
    if largest < 10:
        return ",.2f"
    return ",.0f" if largest < 1e5 else ".3~s"


def across(
    name: str,
    title: str | None,
    form: str = COUNT,
    *,
    zero: bool = False,
    ends: tuple[float, float] | None = None,
    padding: int = 0,
) -> alt.X:
    """Return a horizontal axis of numbers.

    Parameters
    ----------
    name, title : str
        Of the column, and of the axis.
    form : str
        Of its numbers, as d3-format has it.
    zero : bool
        Whether 0 must be on it.
    ends : tuple of float, optional
        Where it begins and ends.
    padding : int
        Pixels left free beyond the data.
    """
    scale = _scale(ends, zero=zero, padding=padding)
    return alt.X(f"{name}:Q", title=title, scale=scale, axis=alt.Axis(format=form))


def up(
    name: str,
    title: str | None,
    form: str = COUNT,
    *,
    zero: bool = False,
    ends: tuple[float, float] | None = None,
    grid: bool = True,
) -> alt.Y:
    """Return a vertical axis of numbers.

    Parameters
    ----------
    name, title : str
        Of the column, and of the axis.
    form : str
        Of its numbers, as d3-format has it.
    zero : bool
        Whether 0 must be on it.
    ends : tuple of float, optional
        Where it begins and ends.
    grid : bool
        Whether lines lead across from its numbers.
    """
    axis = alt.Axis(format=form, grid=grid)
    return alt.Y(f"{name}:Q", title=title, scale=_scale(ends, zero=zero), axis=axis)


def _scale(ends: tuple[float, float] | None, *, zero: bool, padding: int = 0) -> alt.Scale:
    if ends:
        return alt.Scale(domain=list(ends), nice=False)
    return alt.Scale(zero=zero, padding=padding) if padding else alt.Scale(zero=zero)


def names(name: str, order: str | None = None) -> alt.Y:
    """Return a vertical axis of names, in the order of the rows or of a column.

    Parameters
    ----------
    name : str
        Of the column.
    order : str, optional
        Of the column that they are sorted by.
    """
    sort = None if order is None else alt.SortField(order)
    return alt.Y(f"{name}:N", sort=sort, title=None, axis=alt.Axis(labelLimit=320, grid=False))


def series(names: Sequence[str], title: str | None = None) -> tuple[alt.Color, alt.StrokeDash]:
    """Return colour and dashes of named lines: told apart without colour too.

    Parameters
    ----------
    names : sequence of str
        At most three.
    title : str, optional
        Of the legend.
    """
    colours = [ACCENT, SECOND, MUTED][: len(names)]
    dashes = [[1, 0], [6, 3], [2, 3]][: len(names)]
    sort = list(names)
    keys = alt.Scale(domain=sort, range=colours)
    legend = alt.Legend(symbolType="stroke", symbolSize=500)
    colour = alt.Color("series:N", title=title, sort=sort, scale=keys, legend=legend)
    dash = alt.StrokeDash(
        "series:N", title=title, sort=sort, scale=alt.Scale(domain=sort, range=dashes)
    )
    return colour, dash
