"""The page in a real browser; skipped where Chromium is not installed."""

from __future__ import annotations

import shutil
from importlib import resources
from typing import TYPE_CHECKING

import pytest

from clv.report.facts import collect
from clv.report.render import to_html

if TYPE_CHECKING:
    from collections.abc import Iterator

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
sync_api = pytest.importorskip("playwright.sync_api")

AXE = resources.files(pytest.importorskip("axe_playwright_python")).joinpath("axe.min.js")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, builder, page, short_page, hostile_page):
    place = tmp_path_factory.mktemp("report")
    turned = to_html(collect(builder.hostile(first=1)))
    pages = {"full": page, "short": short_page, "hostile": hostile_page, "turned": turned}
    for name, text in pages.items():
        (place / f"{name}.html").write_text(text, "utf-8")
    return place


@pytest.fixture
def open_page(browser, folder):
    opened = []

    def go(name: str, width: int = 1440, scheme: str = "light") -> sync_api.Page:
        tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        tab.heard = []
        tab.on("console", lambda message: tab.heard.append(message.text))
        tab.on("pageerror", lambda error: tab.heard.append(str(error)))
        tab.on("dialog", lambda dialog: (tab.heard.append(dialog.message), dialog.dismiss()))
        tab.on("request", lambda request: tab.heard.append(request.url))
        tab.goto((folder / f"{name}.html").as_uri())
        opened.append(tab)
        return tab

    yield go
    for tab in opened:
        tab.close()


@pytest.mark.parametrize("name", ["full", "short", "hostile", "turned"])
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (375, "dark")])
def test_it_fits_asks_nothing_and_stays_quiet(open_page, folder, name, width, scheme):
    tab = open_page(name, width, scheme)
    assert tab.heard == [(folder / f"{name}.html").as_uri()]
    widths = tab.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths == [width, width]
    # Nothing inside a card may stick out of it either, but for what scrolls by itself.
    outside = tab.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => e.getClientRects().length"
        " && !e.closest('.scroll, .clip, svg, .sr')"
        " && e.getBoundingClientRect().right > innerWidth + 1)"
        ".map(e => e.className || e.tagName)"
    )
    assert outside == []


def test_every_chart_shows_once(open_page):
    for width in (1440, 375):
        tab = open_page("full", width)
        shown = tab.evaluate(
            "[...document.querySelectorAll('figure')].map(f => [...f.querySelectorAll('svg')]"
            ".filter(s => s.getClientRects().length).length)"
        )
        # The three curves are drawn live instead.
        assert sorted(shown) == [0, 0, 0] + [1] * 13
        assert tab.locator(".canvas svg").count() == 3


def read(tab: sync_api.Page) -> tuple[str, str, str, str]:
    names = ("live-value", "live-band", "live-sentence", "live-stop")
    return tuple(tab.text_content(f"#{name}") for name in names)


def slide(tab: sync_api.Page, name: str, value: float) -> None:
    tab.evaluate(
        "([id, value]) => { const input = document.getElementById(id); input.value = value;"
        " input.dispatchEvent(new Event('input')); }",
        [name, value],
    )


def test_sliders_move_value_band_and_sentence(open_page, facts):
    tab = open_page("full")
    first = read(tab)
    tab.click("#reset")
    today = read(tab)
    assert today[0] == "€0.00"
    assert "today's setting" in today[2]
    slide(tab, "in-empathy", 0.462)
    value, band, sentence, stop = read(tab)
    point = next(p for p in facts.levers.levers[1].curve if abs(p.at - 0.462) < 1e-9)
    assert value == f"+€{point.net:.2f}"
    assert band == f"+€{point.low:.2f} – +€{point.high:.2f}"
    assert f"brings €{point.net:.2f} more" in sentence
    assert stop == ""
    tab.click("#recommended")
    assert read(tab) == first


def test_another_cost_moves_the_curve_by_the_minutes_it_adds(open_page, facts):
    tab = open_page("full")
    tab.click("#reset")
    lever = facts.levers.levers[0]
    point = next(p for p in lever.curve if abs(p.at - 1.2 * lever.current) < 1e-6)
    slide(tab, "in-handle_seconds", round(point.at))
    slide(tab, "in-cost", 1.75)
    added = (lever.cost_per_minute - 1.75) * lever.minutes_per_customer * 0.2
    shown = float(read(tab)[0].replace("€", "").replace("−", "-").replace("+", ""))
    assert shown == pytest.approx(point.net + added, abs=0.05)
    before = tab.inner_html("#lever-0")
    slide(tab, "in-cost", 0.5)
    assert tab.inner_html("#lever-0") != before


@pytest.mark.parametrize(("value", "limit"), [(270, "4:50"), (545, "8:40")])
def test_outside_the_support_it_says_so_and_stops(open_page, value, limit):
    tab = open_page("full")
    slide(tab, "in-handle_seconds", value)
    assert limit in read(tab)[3]
    assert limit in tab.text_content("#out-handle_seconds")


def test_the_keyboard_reaches_and_moves_the_sliders(open_page):
    tab = open_page("full")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.focus("#in-empathy")
    before = read(tab)
    for _ in range(5):
        tab.keyboard.press("ArrowLeft")
    assert read(tab) != before
    assert "%" in tab.get_attribute("#in-empathy", "aria-valuetext")


def test_without_scripts_the_static_curves_stand(browser, folder):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((folder / "full.html").as_uri())
    assert tab.locator("#try").is_hidden()
    assert tab.locator("#chart-lever-0 .wide svg").is_visible()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_card(open_page, scheme):
    """WCAG AA: 4.5 to 1 for the page's text colours on its surfaces."""
    tab = open_page("full", 1440, scheme)
    colours = tab.evaluate(
        "['ink','muted','accent','second'].flatMap(t => ['card','paper'].map(s =>"
        " [t, s].map(n => getComputedStyle(document.documentElement).getPropertyValue('--' + n))))"
    )
    for text, surface in colours:
        assert contrast(text.strip(), surface.strip()) >= 4.5, (text, surface)


def contrast(one: str, two: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_it_prints_to_a4(open_page):
    pdf = open_page("full").pdf(format="A4", prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")
    assert 4 <= pdf.count(b"/Type /Page\n") <= 14


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        ("full", 1440, "light"),
        ("full", 1440, "dark"),
        ("full", 375, "dark"),
        ("hostile", 375, "light"),
    ],
)
def test_axe_finds_nothing_serious(open_page, name, width, scheme):
    """axe-core's rules of WCAG 2.2 A and AA and its best practices, as its package ships them."""
    tab = open_page(name, width, scheme)
    tab.evaluate(AXE.read_text("utf-8"))
    found = tab.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = {
        violation["id"]: [node["html"][:90] for node in violation["nodes"][:3]]
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    }
    assert serious == {}
    assert len(found["passes"]) > 20
