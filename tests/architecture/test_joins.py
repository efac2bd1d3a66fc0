"""Importers join through ``lookup`` alone, whose right side has each key once."""

import ast
from pathlib import Path

ROOMS = [Path(__file__).parents[2] / "clv" / "sources" / room for room in ("adapters", "exports")]
DOOR = "versions.py"
JOINS = {"join", "left_join", "inner_join", "outer_join", "right_join", "cross_join", "asof_join"}


def joins(source):
    return [
        node.func.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in JOINS
        and not isinstance(node.func.value, ast.Constant)  # ", ".join(words)
    ]


def test_no_importer_joins_by_itself():
    paths = [path for room in ROOMS for path in room.glob("*.py")]
    assert DOOR in {path.name for path in paths}
    found = {path.name: joins(path.read_text(encoding="utf-8")) for path in paths}
    assert {name for name, calls in found.items() if calls} == {DOOR}


def test_a_join_is_seen():
    assert joins("tickets.left_join(users, 'id')") == ["left_join"]
    assert joins("', '.join(words)") == []
