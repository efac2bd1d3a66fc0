"""The documents of three companies, their facts, and their pages rendered once."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clv.report.facts import ReportFacts, collect
from clv.report.render import to_html

if TYPE_CHECKING:
    from types import ModuleType


def _builder() -> ModuleType:
    # Tests are imported by path, so a neighbour is not on sys.path.
    name = "report_inputs"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "inputs.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def builder() -> ModuleType:
    return _builder()


@pytest.fixture(scope="session")
def facts(builder: ModuleType) -> ReportFacts:
    return collect(builder.complete())


@pytest.fixture(scope="session")
def page(facts: ReportFacts) -> str:
    return to_html(facts)


@pytest.fixture(scope="session")
def hostile_page(builder: ModuleType) -> str:
    return to_html(collect(builder.hostile()))


@pytest.fixture(scope="session")
def short_page(builder: ModuleType) -> str:
    return to_html(collect(builder.purchases_only()))
