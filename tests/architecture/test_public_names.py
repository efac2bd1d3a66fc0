"""The public names exist, and type checkers see the same ones."""

import ast
from importlib.metadata import version
from pathlib import Path

import pytest

import clv


@pytest.mark.parametrize("name", clv.__all__)
def test_a_public_name_can_be_imported_and_is_documented(name):
    assert getattr(clv, name).__doc__


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(clv.__file__).read_text(encoding="utf-8"))
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in guarded.body if isinstance(node, ast.ImportFrom)]
    typed = {a.asname for node in imports for a in node.names}
    assert typed == set(clv.__all__)


def test_a_name_that_is_not_public_is_refused():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        clv.nothing  # noqa: B018


def test_the_front_door_is_small_and_says_its_version():
    assert len(clv.__all__) <= 20
    assert dir(clv) == sorted(clv.__all__)
    assert clv.__version__ == version("clv")
