"""The registry of models: log, register, verify, promote, roll back, load."""

from clv.registry.gate import GateCheck, GateLimits, GateResult, promotion_gate
from clv.registry.store import LoadedModel, Registry, Version

__all__ = [
    "GateCheck",
    "GateLimits",
    "GateResult",
    "LoadedModel",
    "Registry",
    "Version",
    "promotion_gate",
]
