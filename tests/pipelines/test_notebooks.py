"""Notebooks run from top to bottom, and their stored outputs are those of a run."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import clv

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


LONG = ("02_what_service_is_worth", "03_your_own_data")
"""Longer than 15 s of one core: make test-slow."""


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] * (path.stem in LONG))
        for path in NOTEBOOKS
    ],
)
def test_a_notebook_runs(path, tmp_path):
    book = nbformat.read(path, as_version=4)
    client = NotebookClient(book, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    codes = [cell for cell in book.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in codes)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_its_outputs_and_no_machine(path):
    book = nbformat.read(path, as_version=4)
    text = path.read_text(encoding="utf-8")
    assert any(cell.get("outputs") for cell in book.cells)
    assert "/home/" not in text
    assert "/tmp/" not in text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_defines_nothing(path):
    book = nbformat.read(path, as_version=4)
    lines = [
        line for cell in book.cells if cell.cell_type == "code" for line in cell.source.split("\n")
    ]
    assert not [line for line in lines if line.lstrip().startswith(("def ", "class "))]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_a_picture(path):
    outputs = [
        o for cell in nbformat.read(path, as_version=4).cells for o in cell.get("outputs", [])
    ]
    shown = [o["data"] for o in outputs if "data" in o]
    assert any(
        name.startswith(("image/", "application/vnd.vega")) or "<svg" in str(data[name])
        for data in shown
        for name in data
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_types_public_names_only(path):
    cells = nbformat.read(path, as_version=4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    assert not re.findall(r"^\s*(?:from clv\b.*|import clv\..*)", code, re.MULTILINE)
    assert set(re.findall(r"\bclv\.(\w+)", code)) <= set(clv.__all__)
