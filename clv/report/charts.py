"""Facts as charts: Vega-Lite by Altair, turned into static SVG that follows the page's colours.

Every chart is drawn twice, for a wide and for a narrow page, because a scaled-down chart
cannot be read on a phone. Colours are written as CSS variables, so the same SVG serves the
light page, the dark page and paper.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from clv.plots.picture import renumbered, to_svg

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import altair as alt

    from clv.report.sentences import Texts

FULL, HALF, NARROW = 980, 430, 250
WHOLE_PAGE = ("trends",)
"""Keys of charts that take the width of the page."""
"""Widths of a chart's plot in CSS pixels: across the page, half of it, on a phone."""

# Placeholder colours and the CSS variables they stand for: Vega wants colours, the page themes.
PAINT = {
    "#0a0a01": "var(--accent)",
    "#0a0a02": "var(--second)",
    "#0a0a03": "var(--soft)",
    "#0a0a04": "var(--ink)",
    "#0a0a05": "var(--muted)",
    "#0a0a06": "var(--line)",
    "#0a0a07": "var(--card)",
}
ACCENT, SECOND, SOFT, INK, MUTED, LINE, CARD = PAINT


@dataclass(frozen=True)
class Chart:
    """A chart as the page shows it.

    Attributes
    ----------
    key : str
        Unique on the page.
    title, description : str
        For readers who cannot see it.
    wide, narrow : str
        SVG without width and height, for wide and narrow pages.
    columns : tuple of str
        Head of the table behind the chart.
    rows : tuple of tuple of str
        Its rows, as the page writes them.
    """

    key: str
    title: str
    description: str
    wide: str
    narrow: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def chart(
    key: str,
    title: str,
    description: str,
    draw: Callable[[int], alt.TopLevelMixin],
    texts: Texts,
    columns: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
) -> Chart:
    """Draw a chart at both widths.

    Parameters
    ----------
    key : str
        The chart's name in the page.
    title, description : str
        What readers of the picture, and of its text, are told.
    draw : callable
        Width in CSS pixels to an Altair chart.
    texts : Texts
        Sentences and formats of the report's language.
    columns : tuple of str
        Heads of the table behind the picture.
    rows : sequence of tuple of str
        The table behind the picture.
    """
    large = svg(draw(FULL if key in WHOLE_PAGE else HALF), f"{key}-w", title, description, texts)
    small = svg(draw(NARROW), f"{key}-s", title, description, texts)
    return Chart(key, title, description, large, small, columns, tuple(rows))


def svg(drawn: alt.TopLevelMixin, key: str, title: str, description: str, texts: Texts) -> str:
    """Turn an Altair chart into an SVG that can stand beside others on one page."""
    # Altair checks every part as it is made; checking the whole again costs as much as drawing.
    specification: dict[str, Any] = drawn.to_dict(validate=False)
    text = to_svg(specification, _config(), texts.formats.d3_locale())
    return dress(text, key, title, description)


def dress(text: str, key: str, title: str, description: str) -> str:
    """Give an SVG its own ids, the page's colours and words, and a title for screen readers."""
    for colour, variable in PAINT.items():
        text = text.replace(colour, variable)
    text = renumbered(text, key)
    for useless in _USELESS:
        text = useless.sub("", text)
    text = re.sub(r"-?\d+\.\d{3,}", lambda found: f"{float(found.group()):.2f}", text)
    opening = re.search(r'<svg\b[^>]*?\bviewBox="(0 0 ([\d.]+) [\d.]+)"[^>]*>', text)
    if opening is None:
        raise ValueError(f"chart {key!r}: expected an svg element with a viewBox")
    head = (
        f'<svg role="img" aria-labelledby="{key}-t {key}-d" viewBox="{opening.group(1)}" '
        f'style="max-width:{float(opening.group(2)):.0f}px"><title id="{key}-t">{escape(title)}'
        f'</title><desc id="{key}-d">{escape(description)}</desc>'
    )
    return head + text[opening.end() :]


# What the converter writes for other viewers: empty paths, roles inside an image, its font.
_USELESS = (
    re.compile(r'<path class="(?:background|foreground)"[^>]*/>'),
    re.compile(r' aria-[a-z]+="[^"]*"'),
    re.compile(r' (?:role|class|pointer-events|font-family)="[^"]*"'),
)


def _config() -> dict[str, Any]:
    axis = {
        "domain": False,
        "ticks": False,
        "labelColor": MUTED,
        "titleColor": MUTED,
        "gridColor": LINE,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelPadding": 8,
        "titlePadding": 12,
        "labelLimit": 150,
        "tickCount": 5,
    }
    return {
        "aria": False,
        "background": None,
        "font": "sans-serif",
        "padding": 2,
        "view": {"stroke": None},
        "axis": axis,
        "axisX": {"grid": False},
        "text": {"fontSize": 12, "color": INK},
        "bar": {"color": ACCENT},
    }
