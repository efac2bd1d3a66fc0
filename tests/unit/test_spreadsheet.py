"""No text cell runs as a formula, and what was escaped is read back as it was."""

import ast
import csv
import datetime as dt
import re
import unicodedata
from pathlib import Path

import hypothesis.strategies as st
import pandas as pd
import pytest
from hypothesis import example, given

from clv.experiments.assign import Plan, assign
from clv.experiments.log import append_log, read_log
from clv.spreadsheet import escaped, unescaped

ROOT = Path(__file__).parents[2]
FORMULAS = [
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\u00a0=1", "\ufeff=1", "＝1+1", "＋1",
    "－1", "＠A1", "﹦1", "safe\n=1+1", "safe\r\n=1", "safe\n  ＝1", "a\u2028=1", "\n\n=1",
]  # fmt: skip


def runs(text):
    """Say whether a spreadsheet might take any line of a cell for a formula."""
    for line in re.split("[\n\r\v\f\x85\u2028\u2029]", text):
        first = next((c for c in line if not c.isspace() and c not in "\u200b\u2060\ufeff\0"), "")
        if unicodedata.normalize("NFKC", first) in ("=", "+", "-", "@"):
            return True
    return False


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_text(text):
    assert escaped(text) != text
    assert not runs(escaped(text))
    assert unescaped(escaped(text)) == text


@pytest.mark.parametrize("text", ["", "007", "a=1", "it's", "ok\nfine", "1-2", "é😀", "a\tb"])
def test_other_text_stays(text):
    assert escaped(text) == text


@given(st.text(st.sampled_from("=+-@＝'\n\r\t \u00a0a1") | st.characters(), max_size=12))
@example("'=1")
@example("''=")
def test_nothing_runs_and_nothing_changes_on_the_way_back(text):
    assert not runs(escaped(text))
    assert unescaped(escaped(text)) == text


def test_the_log_of_assignments_is_safe_to_open_and_read_as_it_was(tmp_path):
    ids = [*FORMULAS, "'=1", "007", "a,b"]
    plan = Plan("=cmd|' /C calc'!A0", "customer", ("control", "@arm"))
    log = tmp_path / "assignments.csv"
    at = dt.datetime(2025, 6, 30, tzinfo=dt.UTC)
    first = append_log(plan, assign(plan, ids[::2]), log, assigned_at=at).rows
    second = append_log(plan, assign(plan, ids[1::2]), log, assigned_at=at).rows
    with log.open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not any(runs(cell) for cell in cells)
    found = read_log(log)
    assert sorted(found.unit_id) == sorted(ids)
    names = ["experiment", "unit_id", "arm"]
    assert found[names].equals(pd.concat([first, second], ignore_index=True)[names])
    again = append_log(plan, assign(plan, ids[::2]), tmp_path / "b.csv", assigned_at=at).rows
    assert again.equals(first)


def test_one_function_escapes_whatever_is_written_as_csv():
    plain = {
        "clv/sinks/salesforce.py",  # a job's body: an apostrophe would be another id
        "clv/erasure/contents.py",  # writes again what stood there, escaped or not
        "clv/sources/guessing/sheets.py",  # a workbook's cells, to be read as they are
    }
    writers = {}
    for path in [*ROOT.glob("clv/**/*.py"), *ROOT.glob("pipelines/**/*.py")]:
        text = path.read_text(encoding="utf-8")
        nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        calls = {getattr(node.func, "attr", "") for node in nodes}
        written = calls & {"to_csv", "write_csv"}
        if written or ("import csv" in text and calls & {"writer", "DictWriter"}):
            writers[str(path.relative_to(ROOT))] = "escaped" in text or "spreadsheet(" in text
    assert {name for name, safe in writers.items() if not safe} == plain
