"""What can be held in the head: signatures, bodies, modules and rooms of bounded size."""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import clv

ROOT = Path(__file__).parents[2]
MOST_PARAMETERS, MOST_LINES, MOST_BODY_LINES, MOST_MODULES = 7, 400, 60, 14
TAKEN_OVER = {
    "clv/btyd/orders.py:rfm": "the arguments of lifetimes' summary, in its order",
    "clv/features/base.py:feature": "a feature is declared in one place",
}
BY_NAME = {
    "clv/company.py:Company.from_frames": "frames of any library, by the contract's names",
    "clv/markers/base.py:Pack.of": "fields of a marker, by their values",
    "clv/report/sentences.py:Texts.say": "what a sentence of the catalogue has gaps for",
    "pipelines/commands/options.py:run_of": "flags, checked as settings by pydantic",
    "pipelines/running/run.py:Run.event": "the fields of a line of JSON",
    "pipelines/running/settings_file.py:load_settings": "flags, checked as settings by pydantic",
}


def modules():
    for folder in ("clv", "pipelines"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def functions(node, name="", public=True):
    """Return every function with its qualified name, and whether others may call it."""
    for child in ast.iter_child_nodes(node):
        inner = getattr(child, "name", None)
        if isinstance(child, ast.FunctionDef):
            mine = f"{name}{inner}"
            yield mine, child, public and not inner.startswith("_")
            yield from functions(child, f"{mine}.", public=False)
        elif isinstance(child, ast.ClassDef):
            yield from functions(child, f"{name}{inner}.", public and not inner.startswith("_"))
        else:
            yield from functions(child, name, public)


def everything():
    for path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for name, function, public in functions(tree):
            yield f"{path.relative_to(ROOT).as_posix()}:{name}", function, public


EVERYTHING = list(everything())
PUBLIC = [(where, function) for where, function, public in EVERYTHING if public]


def parameters(function):
    given = function.args
    every = (*given.posonlyargs, *given.args, *given.kwonlyargs)
    return [arg for arg in every if arg.arg not in ("self", "cls")]


def types_of(function):
    """Return the names of types that the parameters are annotated with."""
    notes = [arg.annotation for arg in parameters(function) if arg.annotation is not None]
    return {getattr(n, "attr", getattr(n, "id", "")) for note in notes for n in ast.walk(note)}


def body_lines(function):
    """Count the lines of a body without its docstring."""
    first = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return first[-1].end_lineno - first[0].lineno + 1 if first else 0


def is_command(where):
    """Say whether a function's parameters are the flags of a command."""
    return where.startswith("pipelines/commands/") or where.startswith("pipelines/cli.py")


def test_functions_are_found():
    assert len(PUBLIC) > 900
    assert {*TAKEN_OVER, *BY_NAME} <= {where for where, _ in PUBLIC}


def test_nothing_takes_tables_beside_the_histories_made_of_them():
    both = [where for where, f, _ in EVERYTHING if types_of(f) >= {"Tables", "Histories"}]
    assert both == []


def test_no_signature_has_more_than_seven_parameters():
    long = {where for where, f in PUBLIC if len(parameters(f)) > MOST_PARAMETERS}
    assert {where for where in long if not is_command(where)} == {*TAKEN_OVER}


def test_no_signature_takes_anything_by_any_name():
    loose = {where for where, f in PUBLIC if f.args.kwarg and not named_type(f.args.kwarg)}
    assert loose == {*BY_NAME}


def named_type(argument):
    """Say whether a catch-all says what it catches."""
    return argument.annotation is not None and ast.unparse(argument.annotation) not in (
        "Any", "object",
    )  # fmt: skip


def test_bodies_modules_and_rooms_are_of_a_size_that_is_read_at_once():
    assert [(w, body_lines(f)) for w, f, _ in EVERYTHING if body_lines(f) >= MOST_BODY_LINES] == []
    lines = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in modules()}
    assert {str(p): n for p, n in lines.items() if n > MOST_LINES} == {}
    rooms = [p.parent for p in modules() if p.name != "__init__.py"]
    assert {
        str(room): rooms.count(room) for room in rooms if rooms.count(room) > MOST_MODULES
    } == {}


PACKAGES = ["clv", *(m.name for m in pkgutil.walk_packages(clv.__path__, "clv.") if m.ispkg)]


def exported():
    """Return what packages export, methods of classes too."""
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if not inspect.isclass(value):
                yield f"{package}.{name}", value
                continue
            for method, found in vars(value).items():
                if not method.startswith("_") and not name.endswith("Sink"):
                    yield f"{package}.{name}.{method}", found


def test_a_path_is_text_or_a_path():
    """Sinks aside, which a run hands its own folder."""
    strict, seen = [], 0
    for name, function in exported():
        plain = getattr(function, "__func__", function)  # of a class method
        if not inspect.isfunction(plain):
            continue
        for parameter in inspect.signature(plain).parameters.values():
            if "Path" in str(parameter.annotation):
                seen += 1
                strict += [] if "str" in str(parameter.annotation) else [f"{name}:{parameter.name}"]
    assert seen > 15
    assert strict == []


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("def f(tables: Tables, *, histories: Histories | None = None): ...", True),
        ("def f(tables: Tables, window: Window): ...", False),
    ],
)
def test_a_signature_with_both_is_seen(code, seen):
    (function,) = ast.parse(code).body
    assert (types_of(function) >= {"Tables", "Histories"}) == seen
