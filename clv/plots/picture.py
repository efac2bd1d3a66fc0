"""A picture: the facts that it shows, and the chart that shows them.

This is the door to vl_convert, which turns Vega-Lite into SVG and PNG without a browser and
without a network. Charts are drawn in colours that stand for the parts of a theme, so that the
same chart serves a light page, a dark one, and a page that follows its reader's choice.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from clv.display import table
from clv.errors import UsageError
from clv.storage import whole, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    import altair as alt
    import pandas as pd

Theme = Literal["auto", "light", "dark"]

# Colours that stand for a part of the theme: Vega wants colours, and pages have themes.
ACCENT, SECOND, SOFT, INK, MUTED, LINE, CARD = (f"#0a0a0{place}" for place in range(1, 8))
SHADES = tuple(f"#0b0b0{place}" for place in range(1, 8))
"""Classes of a map, from the page's colour to the accent."""

_PARTS: dict[str, dict[str, str]] = {
    "light": {
        ACCENT: "#0b6a70", SECOND: "#b4501a", SOFT: "#cde3e1", INK: "#17212b",
        MUTED: "#56626e", LINE: "#e3e0d8", CARD: "#ffffff",
    },
    "dark": {
        ACCENT: "#4fc3bc", SECOND: "#f0a064", SOFT: "#1d4b4c", INK: "#e8edef",
        MUTED: "#9cabb4", LINE: "#28323a", CARD: "#151c20",
    },
}  # fmt: skip


def _mixed(page: str, accent: str, share: float) -> str:
    ends = [[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in (page, accent)]
    mixed = (round(a + share * (b - a)) for a, b in zip(*ends, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


THEMES: Mapping[str, Mapping[str, str]] = {
    name: parts
    | {
        shade: _mixed(parts[CARD], parts[ACCENT], 0.06 + 0.94 * place / (len(SHADES) - 1))
        for place, shade in enumerate(SHADES)
    }
    for name, parts in _PARTS.items()
}
_NAMES = {ACCENT: "accent", SECOND: "second", SOFT: "soft", INK: "ink", MUTED: "muted"}
_NAMES |= {LINE: "line", CARD: "card"}
_NAMES |= {shade: f"shade-{place}" for place, shade in enumerate(SHADES)}
FORMATS = (".svg", ".png", ".html", ".json")


@dataclass(frozen=True)
class Picture:
    """A chart beside its facts; a notebook shows it, and `save` writes it.

    Attributes
    ----------
    title, description : str
        What it shows: the second for readers who cannot see it.
    facts : DataFrame
        Every number that is drawn.
    specification : dict
        Vega-Lite, its colours standing for the parts of a theme.
    """

    title: str
    description: str
    facts: pd.DataFrame = field(repr=False)
    specification: Mapping[str, Any] = field(repr=False)

    def __repr__(self) -> str:
        return f"<Picture {self.title!r}: {len(self.facts):,} facts>"

    def to_frame(self) -> pd.DataFrame:
        """Return the facts that are drawn."""
        return self.facts.copy()

    def to_altair(self, theme: Literal["light", "dark"] = "light") -> alt.TopLevelMixin:
        """Return the chart for Altair, to be changed or layered with others.

        Parameters
        ----------
        theme : str
            ``light`` or ``dark``: Altair knows colours, and no themes.
        """
        import altair as alt

        return alt.Chart.from_dict(_painted({**self.specification, "config": config()}, theme))

    def svg(self, theme: Theme = "auto") -> str:
        """Return the chart as SVG.

        Parameters
        ----------
        theme : str
            ``light``, ``dark``, or ``auto``: as the reader's system is set.
        """
        _require_theme(theme)
        drawn = to_svg(dict(self.specification), config())
        return _dressed(drawn, self.title, self.description, theme)

    def png(self, theme: Literal["light", "dark"] = "light", scale: float = 2.0) -> bytes:
        """Return the chart as PNG.

        Parameters
        ----------
        theme : str
            ``light`` or ``dark``.
        scale : float
            Pixels per CSS pixel.
        """
        import vl_convert

        painted = _painted({**self.specification, "config": config()}, theme)
        return bytes(vl_convert.vegalite_to_png(painted, scale=scale, allowed_base_urls=[]))

    def save(self, path: str | Path, theme: Theme | None = None) -> Path:
        """Write the chart to a file; its ending says how.

        Parameters
        ----------
        path : str or pathlib.Path
            ``.svg``, ``.png``, ``.html`` (with the facts as a table) or ``.json`` (Vega-Lite).
        theme : str, optional
            ``light``, ``dark`` or ``auto``; by default ``light`` for PNG and JSON, which cannot
            follow their reader, and ``auto`` for the others.

        Returns
        -------
        pathlib.Path
            What was written.

        Raises
        ------
        UsageError
            When the ending or the theme is another.
        """
        place = Path(path)
        fixed = place.suffix in (".png", ".json")
        theme = theme or ("light" if fixed else "auto")
        if place.suffix not in FORMATS:
            raise UsageError(
                f"{place}: a picture cannot be written as {place.suffix or 'no ending'!r}; "
                f"expected one of {', '.join(FORMATS)}."
            )
        if fixed and theme == "auto":
            raise UsageError(f"{place}: theme 'auto' is for .svg and .html; say light or dark.")
        _require_theme(theme)
        if place.suffix == ".png":
            with whole(place) as file:
                file.write(self.png("dark" if theme == "dark" else "light"))
        elif place.suffix == ".svg":
            write_text(place, self.svg(theme))
        elif place.suffix == ".html":
            write_text(place, self._page(theme))
        else:
            painted = _painted({**self.specification, "config": config()}, theme)
            write_text(place, json.dumps(painted, indent=1, sort_keys=True))
        return place

    def _page(self, theme: Theme) -> str:
        scheme = {"auto": "light dark"}.get(theme, theme)
        return (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(self.title)}'
            '</title><meta name="viewport" content="width=device-width">'
            f"<style>:root{{color-scheme:{scheme}}}body{{font:15px/1.5 system-ui,sans-serif;"
            "max-width:60rem;margin:2rem auto;padding:0 1rem}td,th{padding:.2rem .8rem;"
            "text-align:right}</style>"
            f"<main><h1>{escape(self.title)}</h1>{self.svg(theme)}"
            f"<details><summary>The numbers</summary>{table(self.facts)}</details></main></html>"
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:  # noqa: ARG002
        """Show the chart in a notebook."""
        return {"image/svg+xml": self.svg(), "text/plain": repr(self)}


def drawn(chart: alt.TopLevelMixin, facts: pd.DataFrame, title: str, description: str) -> Picture:
    """Return a chart with its title as a picture.

    Parameters
    ----------
    chart : altair chart
        In the colours of this module.
    facts : DataFrame
        What it draws.
    title, description : str
        A heading, and a sentence that says what is seen.
    """
    heading = {"text": title, "subtitle": description, "anchor": "start", "offset": 14}
    specification = {**chart.to_dict(validate=False), "title": heading}
    specification.pop("config", None)
    return Picture(title, description, facts.reset_index(drop=True), specification)


def to_svg(
    specification: dict[str, Any],
    settings: dict[str, Any],
    locale: Mapping[str, object] | None = None,
) -> str:
    """Turn Vega-Lite into SVG, offline.

    Parameters
    ----------
    specification : dict
        Vega-Lite with its data inside.
    settings : dict
        Vega-Lite's ``config``.
    locale : mapping, optional
        Of numbers, as d3-format has it.
    """
    # The converter embeds a JavaScript engine; what draws nothing need not start it.
    import vl_convert

    given: dict[str, Any] = {} if locale is None else {"format_locale": locale}
    return str(
        vl_convert.vegalite_to_svg(specification, config=settings, allowed_base_urls=[], **given)
    )


def renumbered(svg: str, key: str) -> str:
    """Give an SVG ids of its own.

    The converter numbers them on and on within a process: the same facts are to give the same
    bytes, and pictures stand beside others on one page.

    Examples
    --------
    >>> renumbered('<g id="clip7"><path clip-path="url(#clip7)"/></g>', "a")
    '<g id="a-0"><path clip-path="url(#a-0)"/></g>'
    """
    for number, name in enumerate(dict.fromkeys(re.findall(r'\bid="([^"]*)"', svg))):
        svg = svg.replace(f'id="{name}"', f'id="{key}-{number}"')
        svg = svg.replace(f"url(#{name})", f"url(#{key}-{number})")
    return svg


def _require_theme(theme: str) -> None:
    if theme not in ("auto", *THEMES):
        raise UsageError(f"theme {theme!r} is not known; expected auto, light or dark.")


def _painted(specification: Mapping[str, Any], theme: str) -> dict[str, Any]:
    if theme not in THEMES:
        raise UsageError(f"theme {theme!r} is not known here; expected light or dark.")
    text = json.dumps(specification)
    for stand_in, colour in THEMES[theme].items():
        text = text.replace(stand_in, colour)
    return dict(json.loads(text))


def _dressed(svg: str, title: str, description: str, theme: Theme) -> str:
    """Give an SVG colours that follow the theme, its own ids, and words for screen readers."""
    key = "clv-" + re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    svg = renumbered(svg, key)
    style = ""
    if theme == "auto":
        for stand_in, name in _NAMES.items():
            svg = svg.replace(stand_in, f"var(--clv-{name})")
        light, dark = (
            "".join(f"--clv-{_NAMES[s]}:{colour};" for s, colour in THEMES[name].items())
            for name in ("light", "dark")
        )
        style = (
            f"<style>.clv-picture{{{light}}}"
            f"@media (prefers-color-scheme:dark){{.clv-picture{{{dark}}}}}</style>"
        )
    else:
        for stand_in, colour in THEMES[theme].items():
            svg = svg.replace(stand_in, colour)
    head, body = svg.split(">", 1)
    head = re.sub(r' (?:class|role|aria-[a-z]+)="[^"]*"', "", head)
    return (
        f'{head} class="clv-picture" role="img" aria-labelledby="{key}-title {key}-text">'
        f'<title id="{key}-title">{escape(title)}</title>'
        f'<desc id="{key}-text">{escape(description)}</desc>{style}{body}'
    )


def config() -> dict[str, Any]:
    """Return Vega-Lite's settings of every picture."""
    axis = {
        "domain": False, "ticks": False, "grid": True, "gridColor": LINE, "labelColor": MUTED,
        "titleColor": MUTED, "labelFontSize": 12, "titleFontSize": 12,
        "titleFontWeight": "normal", "labelPadding": 8, "titlePadding": 12, "tickCount": 5,
        "labelLimit": 220,
    }  # fmt: skip
    return {
        "aria": False,
        "background": CARD,
        "font": "sans-serif",
        "padding": 18,
        "view": {"stroke": None},
        "axis": axis,
        "axisX": {"grid": False},
        "text": {"fontSize": 12, "color": INK},
        "title": {
            "color": INK, "fontSize": 16, "fontWeight": 600, "subtitleColor": MUTED,
            "subtitleFontSize": 12.5, "subtitlePadding": 6, "subtitleLineHeight": 17,
        },
        "legend": {
            "labelColor": INK, "titleColor": MUTED, "labelFontSize": 12, "titleFontSize": 12,
            "titleFontWeight": "normal", "symbolStrokeWidth": 3, "orient": "top",
            "padding": 0, "offset": 10,
        },
    }  # fmt: skip
