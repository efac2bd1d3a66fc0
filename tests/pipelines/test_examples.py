"""Examples in the application's docstrings, run under the name that it is installed by."""

import doctest
import importlib
import pkgutil

import clv.pipelines
import pytest

MODULES = [m.name for m in pkgutil.walk_packages(clv.pipelines.__path__, "clv.pipelines.")]


def test_modules_are_found():
    assert "clv.pipelines.running.settings" in MODULES


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    assert doctest.testmod(importlib.import_module(name), optionflags=flags).failed == 0
