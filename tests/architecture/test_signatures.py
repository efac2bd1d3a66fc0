"""Signatures of the library: what a function may ask for."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]


def functions(folder="clv"):
    """Return every function with the place where it stands."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                yield f"{path.relative_to(ROOT)}:{node.name}", node


def named(function):
    """Return the names of types that the parameters are annotated with."""
    given = function.args
    arguments = (*given.posonlyargs, *given.args, *given.kwonlyargs)
    names = [arg.annotation for arg in arguments if arg.annotation is not None]
    return {getattr(node, "attr", getattr(node, "id", "")) for a in names for node in ast.walk(a)}


def test_nothing_takes_tables_beside_the_histories_made_of_them():
    both = [where for where, f in functions() if named(f) >= {"Tables", "Histories"}]
    assert both == []


def test_a_signature_with_both_is_seen():
    text = "def f(tables: Tables, *, histories: Histories | None = None): ..."
    (function,) = ast.parse(text).body
    assert named(function) >= {"Tables", "Histories"}
