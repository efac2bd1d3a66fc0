"""Advice that is true: what messages tell a user to set or to run exists.

Every text of the code that a reader could see is walked, f-strings with their gaps: each dotted
path of a setting is looked up in the settings' schema, each ``clv …`` command and flag in the
command line.
"""

from __future__ import annotations

import ast
import importlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from clv.pipelines.cli import app
from clv.pipelines.running.settings import Settings
from pydantic import BaseModel

from clv.schema import SCHEMA
from clv.sources.spec import TableSpec

ROOT = Path(__file__).parents[2]
GAP = "\x00"
"""Stands where an f-string is filled in."""
FILES = ("json", "html", "toml", "yaml", "csv", "parquet", "txt", "db", "py", "md", "jsonl", "gz")
PATH = re.compile(rf"(?<![\w./-])`?([a-z_]+(?:\.(?:[A-Za-z_0-9]+|{GAP}|\*))+)`?(?![\w(/])")
COMMAND = re.compile(r"(?:^|`|[:.,] )clv ((?:[a-z]+ ?)*)((?:--[a-z-]+ ?\S* ?)*)")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
ELSEWHERE = ("datetime", "clv")
NO_TEXT = ("source", "information_schema", "datum", "task")
"""Heads of names in SQL, in charts and in progress bars, which nobody reads."""
ADVICE = re.compile(r"\b(?:[Ss]et|[Rr]aise|[Ll]ower|[Ss]horten) `?([a-z]+(?:_[a-z]+)+)\b")


def texts() -> list[tuple[str, str]]:
    """Return every text with a space in it that is no docstring, with where it stands."""
    found = []
    for path in sorted([*(ROOT / "clv").rglob("*.py"), *(ROOT / "pipelines").rglob("*.py")]):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            for child in ast.iter_child_nodes(node):
                child.parent = node  # type: ignore[attr-defined]
        for node in ast.walk(tree):
            text = _text(node)
            if text is not None and " " in text:
                found.append((f"{path.relative_to(ROOT)}:{node.lineno}", text))
    return found


def _text(node: ast.AST) -> str | None:
    parent = getattr(node, "parent", None)
    if isinstance(parent, ast.JoinedStr | ast.Expr):
        return None  # a part of an f-string, or a docstring
    if isinstance(node, ast.JoinedStr):
        return "".join(p.value if isinstance(p, ast.Constant) else GAP for p in node.values)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return None


def is_setting(path: str) -> bool:
    """Say whether a dotted path names a setting; gaps stand for any name."""
    model: Any = Settings
    parts = path.split(".")
    for place, part in enumerate(parts):
        if part not in model.model_fields:
            return False
        kind = model.model_fields[part].annotation
        if part == "sources":
            return _is_source(parts[place + 1 :])
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return place == len(parts) - 1
        model = kind
    return True


def _is_source(parts: list[str]) -> bool:
    if not parts or parts in (["folder"], ["database"]):
        return True
    known = {*SCHEMA, GAP}
    fields = {*TableSpec.__dataclass_fields__}
    return parts[0] in known and (len(parts) == 1 or parts[1] in fields)


def exists_elsewhere(path: str) -> bool:
    """Say whether a dotted name is a file, a column of the contract, or a name of Python."""
    head, *rest = path.split(".")
    if rest[-1] in FILES:
        return True
    if head in SCHEMA:
        return rest[0] in {GAP, "customer_id", *(c.name for c in SCHEMA[head].columns)}
    if head in ELSEWHERE:
        found: Any = importlib.import_module(head)
        for part in rest:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@cache
def commands() -> dict[tuple[str, ...], set[str]]:
    """Return every command with its flags."""
    found: dict[tuple[str, ...], set[str]] = {}

    def walk(command: Any, name: tuple[str, ...]) -> None:
        found[name] = {flag for p in command.params for flag in (*p.opts, *p.secondary_opts)}
        for child, inner in getattr(command, "commands", {}).items():
            walk(inner, (*name, child))

    walk(typer.main.get_command(app), ())
    return found


TEXTS = texts()


def test_texts_are_found():
    assert len(TEXTS) > 800
    assert any("quality.least_match" in text for _, text in TEXTS)


def test_every_setting_that_a_message_names_exists():
    wrong, checked = [], 0
    sections = set(Settings.model_fields)
    for where, text in TEXTS:
        for path in PATH.findall(text):
            path = path.rstrip(".")
            head = path.split(".")[0]
            if "." not in path or head in NO_TEXT or exists_elsewhere(path):
                continue
            if GAP in path and head not in sections:
                continue
            if is_setting(path):
                checked += 1
            else:
                wrong.append((where, path.replace(GAP, "{}")))
    assert not wrong, wrong
    assert checked > 25


def test_every_command_that_a_message_recommends_exists():
    wrong, checked = [], 0
    for where, text in TEXTS:
        for words, flags in COMMAND.findall(text):
            names = tuple(words.split())
            if not names:
                continue
            known = max((c for c in commands() if c == names[: len(c)]), key=len)
            if not known:
                wrong.append((where, f"clv {words}"))
                continue
            checked += 1
            missing = [flag for flag in FLAG.findall(flags) if flag not in commands()[known]]
            wrong += [(where, f"clv {' '.join(known)} {flag}") for flag in missing]
    assert not wrong, wrong
    assert checked > 20


def test_every_flag_that_a_message_names_is_one_of_some_command():
    every = set.union(*commands().values()) | {"--help", "--debug"}
    said = {
        (where, flag)
        for where, text in TEXTS
        if not text.startswith("mlflow ")
        for flag in FLAG.findall(text)
    }
    assert {(where, flag) for where, flag in said if flag not in every} == set()


def test_every_setting_that_is_to_be_set_raised_or_lowered_exists():
    """Also where a message leaves its section out, as the library does."""
    last = {name for model in _sections() for name in model.model_fields}
    last |= {*TableSpec.__dataclass_fields__}
    said = {
        (where, name)
        for where, text in TEXTS
        if not text.lower().startswith("set ")  # SQL
        for name in ADVICE.findall(text)
    }
    assert said
    assert {(where, name) for where, name in said if name not in last} == set()


def _sections() -> list[type[BaseModel]]:
    kinds = [field.annotation for field in Settings.model_fields.values()]
    return [Settings, *(k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel))]


@pytest.mark.parametrize("path", ["models.allow", "scoring.no_such", "sources.Case.encoding"])
def test_a_setting_that_does_not_exist_is_noticed(path):
    assert PATH.findall(f"raise it, or set {path}.") == [path]
    assert not is_setting(path)
    assert not exists_elsewhere(path)
