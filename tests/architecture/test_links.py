"""Every link from one document of the project to another leads somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in (ROOT, ROOT / "docs", ROOT / ".github")
    for path in folder.glob("*.md")
)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchor(heading):
    """Return the anchor that GitHub and the documentation give a heading."""
    text = re.sub(r"[`*_]|\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(path):
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return {anchor(line.lstrip("#")) for line in text.splitlines() if re.match(r"#{1,6} ", line)}


def dead_links(path):
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, place = target.partition("#")
        other = path if not name else (path.parent / name).resolve()
        if not other.exists() or (place and place not in anchors(other)):
            yield target


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_between_documents_lead_somewhere(name):
    assert list(dead_links(ROOT / name)) == []


def test_a_dead_link_and_a_dead_anchor_are_seen(tmp_path):
    page = tmp_path / "a.md"
    page.write_text("# One & two\n[x](b.md) [y](#one--two) [z](#three) [w](https://x.org)\n")
    assert list(dead_links(page)) == ["b.md", "#three"]


def test_every_page_stands_in_the_documentation():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"}
    assert pages <= set(index.split())


def test_workflows_call_targets_that_make_has():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    flows = list((ROOT / ".github" / "workflows").glob("*.yml"))
    called = {t for flow in flows for t in re.findall(r"\bmake ([a-z-]+)", flow.read_text())}
    assert called >= {"setup", "check", "test", "docs"}
    assert called <= targets
