from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser

import pytest

from clv.errors import UsageError
from clv.report.facts import SECTIONS, ReportInputs, collect
from clv.report.figures import Figure
from clv.report.render import Track, render, rich, to_html, to_pdf

VOID = {"meta", "input", "br", "img", "link", "hr"}
LIMIT_BYTES = 1_500_000


class Outline(HTMLParser):
    """Tags, ids and visible text of a page; complains when tags do not close in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)

    def count(self, tag: str) -> int:
        return sum(1 for name, _ in self.tags if name == tag)

    @property
    def ids(self) -> list[str]:
        return [attrs["id"] for _, attrs in self.tags if attrs.get("id")]


@pytest.fixture(scope="module", params=["page", "hostile_page", "short_page"])
def any_page(request):
    return request.getfixturevalue(request.param)


def test_golden_structure(page):
    outline = Outline(page)
    assert [name for name in outline.ids if name in SECTIONS] == list(SECTIONS)
    assert outline.count("h1") == 1
    assert outline.count("h2") == len(SECTIONS)
    assert outline.count("figure") == 16
    assert outline.count("svg") == 2 * outline.count("figure")


def test_tags_close_and_ids_are_unique(any_page):
    ids = Outline(any_page).ids
    assert len(ids) == len(set(ids))


def test_references_inside_the_page_resolve(any_page):
    outline = Outline(any_page)
    ids = set(outline.ids)
    for _, attrs in outline.tags:
        for name in (attrs.get("aria-labelledby") or "").split():
            assert name in ids
        if (attrs.get("href") or "").startswith("#"):
            assert attrs["href"][1:] in ids
    svg = re.sub(r"<script>.*", "", any_page, flags=re.DOTALL)
    assert set(re.findall(r"url\(#([^)]+)\)", svg)) <= ids


def test_every_chart_has_title_description_and_its_numbers(page):
    charts = re.findall(r"<figure.*?</figure>", page, flags=re.S)
    assert len(charts) == 16
    for chart in charts:
        assert re.search(r"<svg role=\"img\" aria-labelledby=\"[^\"]+\"", chart)
        assert re.search(
            r"<title id=\"[^\"]+\">[^<]+</title><desc id=\"[^\"]+\">[^<]+</desc>", chart
        )
        assert "<details" in chart
        assert '<th scope="row">' in chart


def test_it_asks_nothing_of_a_network(any_page):
    loads = [
        (tag, attrs)
        for tag, attrs in Outline(any_page).tags
        if tag in ("link", "img", "iframe", "object", "embed", "base", "image", "use")
        or "src" in attrs
        or (attrs.get("href") or "#")[0] != "#"
        or any(name.startswith("on") for name in attrs)
    ]
    assert loads == []
    assert not re.search(r"@import|url\((?!#)", any_page)
    ours = any_page.replace("http://www.w3.org/2000/svg", "").replace("http://evil.example", "")
    assert not re.search(r"https?://|[\"'(]//", ours)


def test_hostile_text_is_text(hostile_page):
    outline = Outline(hostile_page)
    assert outline.count("script") == 2
    assert outline.count("style") == 1
    text = "".join(outline.text)
    assert "<script>alert(1)</script>" in text
    assert "{{7*7}}" in text
    assert "Mean value by {{7*7}}" in text
    assert "x" * 241 not in hostile_page
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00]", hostile_page)


def test_size_and_no_chart_colour_left_behind(any_page):
    assert len(any_page.encode()) < 400_000 < LIMIT_BYTES
    assert "#0a0a0" not in any_page


def test_same_facts_same_bytes(facts, page):
    assert to_html(facts) == page


def test_purchases_only_is_shorter_and_complete(page, short_page):
    assert len(short_page) < 0.6 * len(page)
    text = "".join(Outline(short_page).text)
    assert "With an interactions table" in text
    assert "in revenue." in text
    assert 'id="levers"' not in short_page
    assert 'href="#levers"' not in short_page


def test_nothing_at_all_still_renders():
    text = "".join(Outline(to_html(collect(ReportInputs()))).text)
    assert "The value of the customer base has not been predicted yet." in text
    assert "run clv train" in text


def test_in_german(facts):
    german = to_html(facts, language="de")
    assert '<html lang="de">' in german
    assert "3,42\xa0Mio.\xa0€" in german
    assert "What service" not in german


def test_no_agent_is_named_unless_asked(builder, page):
    assert "a11" not in "".join(Outline(page).text)
    inputs = builder.complete()
    asked = ReportInputs(**{**vars(inputs), "individuals": True})
    assert "a11" in "".join(Outline(to_html(collect(asked))).text)


def test_the_file_and_its_facts(tmp_path, builder):
    facts = collect(builder.purchases_only())
    render(facts, tmp_path / "report.html")
    assert json.loads((tmp_path / "report.json").read_text("utf-8")) == json.loads(
        json.dumps(facts.as_dict())
    )
    assert (tmp_path / "report.html").read_text("utf-8").startswith("<!doctype html>")
    assert (tmp_path / "report.html").stat().st_mode & 0o777 == 0o600
    render(facts, tmp_path / "absent" / "report.html")
    assert (tmp_path / "absent" / "report.json").exists()
    with pytest.raises(UsageError, match="is a folder; expected the name of a file"):
        render(facts, tmp_path / "absent")


def test_interval_bars_share_a_scale_that_holds_zero():
    track = Track.of([Figure(5, "currency", 2, 8), Figure(-1, "currency", n=3)])
    assert 0 < track.at(-1) < track.at(0) < track.at(8) < 100
    assert Track.of([]).at(0) == 50


def test_rich_text_escapes_before_it_marks():
    assert str(rich("<b>**x**")) == "&lt;b&gt;<strong>x</strong>"
    assert '<span class="nb">+€2.40</span>' in rich("(+€2.40 to +€3.00)")


def test_a_pdf_needs_its_extra(monkeypatch, tmp_path, short_page):
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(UsageError, match=r"pip install 'clv\[pdf\]'"):
        to_pdf(short_page, tmp_path / "report.pdf")


@pytest.mark.slow
def test_a_pdf_is_the_same_twice(tmp_path, short_page):
    pytest.importorskip("weasyprint", exc_type=ImportError)
    for name in ("a.pdf", "b.pdf"):
        to_pdf(short_page, tmp_path / name)
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_a_page_that_asks_for_a_file_is_refused_in_pdf(tmp_path):
    pytest.importorskip("weasyprint", exc_type=ImportError)
    from clv.report.render import _no_fetch

    with pytest.raises(UsageError, match="needs nothing"):
        _no_fetch("file:///etc/passwd")


def test_words_that_look_like_a_colour_stay_words():
    from clv.report.render import _settled

    page = (
        "<style>:root { --ink: #111111; } @media (prefers-color-scheme: dark) {}</style>"
        '<path fill="var(--ink)" stroke="var(--x)"/><text>="var(--x)" and ="var(--ink)"</text>'
    )
    assert _settled(page).endswith(
        '<path fill="#111111" stroke="currentColor"/><text>="var(--x)" and ="var(--ink)"</text>'
    )
