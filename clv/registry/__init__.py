"""The registry of models: log, register, verify, promote, roll back, load."""

from clv.registry.bundles.carrying import export_bundle, import_bundle
from clv.registry.gate import GateCheck, GateLimits, GateResult, promotion_gate
from clv.registry.store import Registry
from clv.registry.version import HEADLINE, ChampionMovedError, LoadedModel, RunFacts, Version

__all__ = [
    "HEADLINE",
    "ChampionMovedError",
    "GateCheck",
    "GateLimits",
    "GateResult",
    "LoadedModel",
    "Registry",
    "RunFacts",
    "Version",
    "export_bundle",
    "import_bundle",
    "promotion_gate",
]
