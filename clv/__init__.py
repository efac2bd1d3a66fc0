"""What your customers will be worth, and what your support service does to that worth.

The public names, in the order of their use; each is imported when it is first touched, so
that ``import clv`` costs nothing.

>>> import clv
>>> sorted(clv.__all__)[:3]
['Company', 'LifetimeValue', 'ModelOptions']
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clv import btyd as btyd
    from clv.attribution import attribute as attribute
    from clv.btyd.orders import rfm as rfm
    from clv.company import Company as Company
    from clv.contract.check import check as check
    from clv.contract.tables import Tables as Tables
    from clv.contract.tables import Terms as Terms
    from clv.engines.connect import connect as connect
    from clv.evaluation.backtest import run_backtest as run_backtest
    from clv.events.histories import make_histories as make_histories
    from clv.features.table import build_feature_table as build_feature_table
    from clv.labels.outcomes import build_outcomes as build_outcomes
    from clv.lifetime_value import LifetimeValue as LifetimeValue
    from clv.models.options import ModelOptions as ModelOptions
    from clv.models.training.panel import build_panel as build_panel
    from clv.models.training.panel import training_windows as training_windows
    from clv.registry import Registry as Registry
    from clv.report.facts import ReportInputs as ReportInputs
    from clv.report.facts import collect as collect
    from clv.report.render import render as render
    from clv.scoring import ScoringOptions as ScoringOptions
    from clv.scoring import score as score
    from clv.simulation import SimulationOptions as SimulationOptions
    from clv.simulation import simulate as simulate
    from clv.sources.reading import read_sources as read_sources
    from clv.sources.spec import SourceSpec as SourceSpec
    from clv.windows import Window as Window

__version__ = "0.1.0"

_HOMES = {
    "Company": "clv.company",
    "SimulationOptions": "clv.simulation",
    "simulate": "clv.simulation",
    "connect": "clv.engines.connect",
    "SourceSpec": "clv.sources.spec",
    "read_sources": "clv.sources.reading",
    "check": "clv.contract.check",
    "Tables": "clv.contract.tables",
    "Terms": "clv.contract.tables",
    "Window": "clv.windows",
    "make_histories": "clv.events.histories",
    "build_feature_table": "clv.features.table",
    "build_outcomes": "clv.labels.outcomes",
    "training_windows": "clv.models.training.panel",
    "build_panel": "clv.models.training.panel",
    "ModelOptions": "clv.models.options",
    "LifetimeValue": "clv.lifetime_value",
    "run_backtest": "clv.evaluation.backtest",
    "Registry": "clv.registry",
    "ScoringOptions": "clv.scoring",
    "score": "clv.scoring",
    "attribute": "clv.attribution",
    "ReportInputs": "clv.report.facts",
    "collect": "clv.report.facts",
    "render": "clv.report.render",
    "rfm": "clv.btyd.orders",
    "btyd": "clv",
}
"""Public names by the module they stand in; ``btyd`` is a module itself."""

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'clv' has no attribute {name!r}")
    if _HOMES[name] == "clv":
        return importlib.import_module(f"clv.{name}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
