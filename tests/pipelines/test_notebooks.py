"""Notebooks run from top to bottom, and their stored outputs are those of a run."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path):
    book = nbformat.read(path, as_version=4)
    client = NotebookClient(book, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
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
