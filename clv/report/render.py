"""Facts as one self-contained HTML file, or a PDF."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup, escape

from clv.errors import UsageError
from clv.report import advice, sentences
from clv.report.drawings import draw_all
from clv.storage import whole, write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clv.report.facts import ReportFacts
    from clv.report.figures import Figure
    from clv.report.sentences import Texts


@dataclass(frozen=True)
class Track:
    """The common scale of a column of interval bars, in per cent of its width.

    Examples
    --------
    >>> Track(-5.0, 15.0).at(0.0)
    25.0
    """

    low: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[Figure]) -> Track:
        """Return the scale that holds zero and every interval, with a little air."""
        ends = [0.0]
        for figure in figures:
            bounds = (figure.value, figure.low, figure.high)
            ends += [bound for bound in bounds if bound is not None]
        air = 0.04 * (max(ends) - min(ends)) or 1.0
        return cls(min(ends) - air, max(ends) + air)

    def at(self, value: float) -> float:
        """Return where a value lies."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)


def render(facts: ReportFacts, path: str | Path, *, language: str = "en") -> None:
    """Write the report as one HTML file that needs nothing else, and report.json beside it.

    Parameters
    ----------
    facts : ReportFacts
        What it says.
    path : str or pathlib.Path
        The HTML file. The facts go beside it, as ``.json``.
    language : str
        ``en`` or ``de``.

    Raises
    ------
    UsageError
        No texts exist in the language.
    StorageError
        The files cannot be written.
    """
    path = Path(path)
    page = to_html(facts, language=language)
    document = json.dumps(facts.as_dict(), ensure_ascii=False, indent=1, allow_nan=False)
    write_text(path.with_suffix(".json"), document + "\n")
    write_text(path, page)


def to_html(facts: ReportFacts, *, language: str = "en") -> str:
    """Return the report as HTML; the same facts give the same bytes."""
    texts = sentences.load(language, facts.currency)
    environment = _environment()
    assets = resources.files("clv.report").joinpath("templates")
    return environment.get_template("report.html.j2").render(
        facts=facts,
        sections=facts.sections,
        charts=draw_all(facts, texts),
        words=texts,
        say=texts.say,
        name=texts.name,
        write=texts.formats,
        sentence=_Sentences(texts),
        live=live(facts, texts),
        track=Track.of,
        css=Markup(assets.joinpath("report.css").read_text("utf-8")),  # noqa: S704 our own file
        script=Markup(assets.joinpath("report.js").read_text("utf-8")),  # noqa: S704 our own file
    )


def to_pdf(html: str, path: str | Path) -> None:
    """Write a rendered report as PDF; the same page gives the same bytes.

    Raises
    ------
    UsageError
        The extra ``pdf`` is not installed.
    """
    path = Path(path)
    try:
        import weasyprint
    except ImportError as error:
        raise UsageError(
            "report: a PDF needs weasyprint, which is not installed; expected the extra 'pdf'. "
            "Run: pip install 'clv[pdf]'"
        ) from error
    # A stylesheet handed over would count as the user's, which the page's own overrules.
    paper = resources.files("clv.report").joinpath("templates", "paper.css").read_text("utf-8")
    page = _settled(html).replace("</style>", f"{paper}</style>", 1)
    with whole(path) as file:
        weasyprint.HTML(string=page, url_fetcher=_no_fetch).write_pdf(file)


def live(facts: ReportFacts, texts: Texts) -> dict[str, Any]:
    """Return what the page's sliders need: the stored curves and the sentences' templates."""
    shown = [
        {
            "id": f"lever-{place}",
            "behaviour": item.behaviour,
            "unit": item.unit,
            "current": item.current,
            "best": item.best.value if item.best and item.move in ("raise", "lower") else None,
            "low": item.supported_low,
            "high": item.supported_high,
            "cost": item.cost_per_minute,
            "minutes": item.minutes_per_customer,
            "contacts": item.contacts_per_customer,
            "year": item.contacts_a_year,
            "curve": [[point.at, point.net, point.low, point.high] for point in item.curve],
        }
        for place, item in enumerate(facts.levers.levers)
    ]
    keys = ("gain", "loss", "unclear", "same", "stop_low", "stop_high", "both", "today", "for_all")
    return {
        "language": texts.formats.language,
        "money": texts.formats.d3_locale()["currency"],
        "customers": facts.customers,
        "levers": shown,
        "texts": {key: texts.catalogue["levers"][key] for key in keys},
    }


class _Sentences:
    """The functions of ``sentences`` and ``advice`` with the catalogue filled in."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def __getattr__(self, name: str) -> Any:
        home = advice if hasattr(advice, name) else sentences
        return lambda item: getattr(home, name)(item, self._texts)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("clv.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["rich"] = rich
    environment.filters["svg"] = Markup
    return environment


def rich(text: str) -> Markup:
    """Escape a sentence, set off what stands between stars, keep a sign with its amount.

    Examples
    --------
    >>> str(rich("**1 < 2** holds"))
    '<strong>1 &lt; 2</strong> holds'
    """
    escaped = str(escape(text))
    kept = re.sub(r"[+−][^\s()\w&;]?[\d.,]*\d", r'<span class="nb">\g<0></span>', escaped)
    marked = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", kept)
    return Markup(marked)  # noqa: S704 escaped above


def _settled(html: str) -> str:
    """Replace the CSS variables inside SVG by the light page's colours, which PDF needs."""
    css = html[: html.index("</style>")]
    light = dict(re.findall(r"--(\w+): (#\w+);", css[: css.index("prefers-color-scheme: dark")]))

    def coloured(tag: re.Match[str]) -> str:
        return re.sub(
            r'="var\(--(\w+)\)"', lambda name: f'="{light.get(name[1], "currentColor")}"', tag[0]
        )

    # In tags alone: a segment may be called anything.
    return re.sub(r"<[^<>]+>", coloured, html)


def _no_fetch(url: str, *_: object, **__: object) -> dict[str, Any]:
    raise UsageError(f"report: the page asks for {url[:60]!r}; expected a page that needs nothing.")
