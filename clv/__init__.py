"""What your customers will be worth, and what your support service does to that worth.

The public names, in the order of their use; each is imported when it is first touched, so
that ``import clv`` costs nothing.

>>> import clv
>>> dir(clv)[:4]
['AttributionOptions', 'Company', 'DataOptions', 'LifetimeValue']
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clv import btyd as btyd
    from clv import errors as errors
    from clv.answers import attribute as attribute
    from clv.answers import read_experiment as read_experiment
    from clv.answers import write_report as write_report
    from clv.btyd.orders import rfm as rfm
    from clv.company import Company as Company
    from clv.contract.tables import DataOptions as DataOptions
    from clv.effects.attribution import AttributionOptions as AttributionOptions
    from clv.engines.connect import connect as connect
    from clv.lifetime_value import LifetimeValue as LifetimeValue
    from clv.markers.explain import explain as explain
    from clv.markers.packs import load_pack as load_pack
    from clv.registry import Registry as Registry
    from clv.scoring import ScoringOptions as ScoringOptions
    from clv.scoring import score as score
    from clv.simulation import SimulationOptions as SimulationOptions
    from clv.simulation import simulate as simulate
    from clv.sources.spec import SourceSpec as SourceSpec
    from clv.windows import Window as Window

__version__ = "0.1.0"

_HOMES = {
    "Company": "clv.company",
    "LifetimeValue": "clv.lifetime_value",
    "attribute": "clv.answers",
    "AttributionOptions": "clv.effects.attribution",
    "read_experiment": "clv.answers",
    "write_report": "clv.answers",
    "btyd": "clv",
    "rfm": "clv.btyd.orders",
    "score": "clv.scoring",
    "ScoringOptions": "clv.scoring",
    "Registry": "clv.registry",
    "DataOptions": "clv.contract.tables",
    "SourceSpec": "clv.sources.spec",
    "Window": "clv.windows",
    "connect": "clv.engines.connect",
    "load_pack": "clv.markers.packs",
    "explain": "clv.markers.explain",
    "simulate": "clv.simulation",
    "SimulationOptions": "clv.simulation",
    "errors": "clv",
}
"""Public names by the module they stand in; ``btyd`` and ``errors`` are modules themselves."""

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
