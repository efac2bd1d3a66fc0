"""What a reader is told of a function's parameters, read by numpydoc's own parser.

Public is what a package exports (``__all__``), and the methods of its classes: each tells its
parameters, unless there is but one, which the sentence tells. Of all other functions the
docstring may be one line; a section of parameters, wherever it stands, is whole and true.
"""

import ast
import importlib
import importlib.util
import inspect
import pkgutil
import textwrap
from pathlib import Path

from numpydoc.docscrape import NumpyDocString

import clv

ROOT = Path(__file__).parents[2]


def packages():
    yield "clv"
    for module in pkgutil.walk_packages(clv.__path__, "clv."):
        if module.ispkg and not module.name.startswith("clv.pipelines"):
            yield module.name


def exported():
    """Return public functions by name, each with its docstring or the one that it implements."""
    for package in packages():
        module = importlib.import_module(package)
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if inspect.isfunction(value):
                yield f"{package}.{name}", value, value.__doc__
            elif inspect.isclass(value):
                for method, member in vars(value).items():
                    plain = getattr(member, "__func__", member)
                    if inspect.isfunction(plain) and not method.startswith("_"):
                        yield f"{package}.{name}.{method}", plain, told_by(value, method)


def protocols(owner):
    """Return the interfaces of a class's room, which classes keep without inheriting."""
    base = f"{owner.__module__.rpartition('.')[0]}.base"
    held = vars(importlib.import_module(base)) if importlib.util.find_spec(base) else {}
    return [value for value in held.values() if getattr(value, "_is_protocol", False)]


def told_by(owner, method):
    """Return the docstring that tells a method's parameters: its own, or what it implements."""
    owners = (*owner.__mro__, *protocols(owner))
    texts = [getattr(vars(each).get(method), "__doc__", None) for each in owners]
    return next((text for text in texts if text and documented(text)), None)


def documented(text):
    """Return the names in the section of parameters, in order."""
    rows = NumpyDocString(inspect.cleandoc(text or ""))["Parameters"]
    return [name.strip().lstrip("*") for row in rows for name in row.name.split(",")]


def arguments(function):
    given = inspect.signature(function).parameters.values()
    return [parameter.name for parameter in given if parameter.name not in ("self", "cls")]


def silent(functions):
    """Return public functions with two arguments or more that do not tell them."""
    return [
        name for name, function, text in functions
        if len(arguments(function)) > 1 and documented(text) != arguments(function)
    ]  # fmt: skip


def sections(tree):
    """Return the functions of a module that have a section of parameters, and their names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and (names := documented(ast.get_docstring(node))):
            given = node.args
            loose = [one for one in (given.vararg, given.kwarg) if one]
            every = (*given.posonlyargs, *given.args, *given.kwonlyargs, *loose)
            taken = [argument.arg for argument in every if argument.arg not in ("self", "cls")]
            yield node.name, names, taken


def test_every_public_function_tells_its_parameters():
    public = list(exported())
    assert len(public) > 150
    assert silent(public) == []


def test_a_section_of_parameters_is_whole_and_in_order():
    seen, wrong = 0, []
    for folder in ("clv", "pipelines"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for name, names, taken in sections(ast.parse(path.read_text(encoding="utf-8"))):
                seen += 1
                wrong += [] if names == taken else [(str(path), name, names, taken)]
    assert seen > 300
    assert wrong == []


def test_what_is_not_told_is_seen():
    def told(first, second):
        """Do it.

        Parameters
        ----------
        first, second : int
            Two numbers.
        """

    def half(first, second):
        """Do it.

        Parameters
        ----------
        first : int
            A number.
        """

    def lone(first):
        """Do it."""

    given = [(f.__name__, f, f.__doc__) for f in (told, half, lone)]
    assert silent(given) == ["half"]
    tree = ast.parse(textwrap.dedent(inspect.getsource(half)))
    assert list(sections(tree)) == [("half", ["first"], ["first", "second"])]
