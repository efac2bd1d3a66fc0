"""The registry of models: log, register, verify, promote, roll back, load."""

from clv.registry.bundles.carrying import export_bundle, import_bundle
from clv.registry.gate import GateCheck, GateLimits, GateResult, promotion_gate
from clv.registry.store import Registry
from clv.registry.version import ChampionMovedError, LoadedModel, Version

__all__ = [
    "ChampionMovedError",
    "GateCheck",
    "GateLimits",
    "GateResult",
    "LoadedModel",
    "Registry",
    "Version",
    "export_bundle",
    "import_bundle",
    "promotion_gate",
]
