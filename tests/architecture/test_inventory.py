"""The documents name what is there."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]


def modules():
    for package in ("clv", "pipelines"):
        for path in (ROOT / package).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if path.name != "__init__.py":
                yield name


def test_architecture_lists_every_module_and_no_other():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"`((?:clv|pipelines)/[\w/]+\.py)`", text))
    assert listed == set(modules())


def test_what_make_runs_is_there():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = re.findall(r"(?<![\w/.])(?:tests|clv|pipelines)/[\w/.*]*[\w*]", text)
    assert len(named) > 10
    assert [name for name in named if not any(ROOT.glob(name))] == []


def test_no_module_is_named_after_nothing():
    assert not {Path(name).stem for name in modules()} & {"utils", "common", "helpers", "constants"}


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebooks_hold_no_logic(path):
    book = nbformat.read(path, as_version=4)
    for cell in book.cells:
        if cell.cell_type == "code":
            tree = ast.parse(cell.source)
            assert not [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)]
