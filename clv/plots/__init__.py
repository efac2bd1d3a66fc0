"""Pictures: functions from a frame of facts to a chart; results make the facts.

Each name is imported when it is first touched, and with it the libraries that draw.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clv.plots.customers import customer_curve as customer_curve
    from clv.plots.customers import frequency_recency as frequency_recency
    from clv.plots.customers import p_alive as p_alive
    from clv.plots.customers import values as values
    from clv.plots.customers import waterfall as waterfall
    from clv.plots.effects import contributions as contributions
    from clv.plots.effects import effect_curve as effect_curve
    from clv.plots.effects import forest as forest
    from clv.plots.effects import target_curve as target_curve
    from clv.plots.forecasts import calibration as calibration
    from clv.plots.forecasts import deciles as deciles
    from clv.plots.forecasts import gains as gains
    from clv.plots.forecasts import lift as lift
    from clv.plots.forecasts import skill as skill
    from clv.plots.forecasts import tracking as tracking
    from clv.plots.picture import Picture as Picture

_HOMES = {
    "calibration": "forecasts",
    "deciles": "forecasts",
    "gains": "forecasts",
    "lift": "forecasts",
    "skill": "forecasts",
    "tracking": "forecasts",
    "customer_curve": "customers",
    "frequency_recency": "customers",
    "p_alive": "customers",
    "values": "customers",
    "waterfall": "customers",
    "contributions": "effects",
    "effect_curve": "effects",
    "forest": "effects",
    "target_curve": "effects",
    "Picture": "picture",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a picture's function when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"clv.plots.{_HOMES[name]}"), name)
