"""The changes whose truth is stated, and the points of a frontier of handle time."""

from __future__ import annotations

SCALES = tuple(round(0.5 + 0.05 * step, 2) for step in range(23))
EMPATHY_CHANGE, HANDLE_CHANGE_SECONDS, FCR_CHANGE = 0.1, 60.0, 0.1


def frontier_point(scale: float, direct: float, total: float, cost: float) -> dict[str, float]:
    """Return a setting of the frontier: value with resolution held and left to follow, net."""
    return {
        "scale": scale,
        "value": direct,
        "value_total": total,
        "cost": cost,
        "net": direct - cost,
        "net_total": total - cost,
    }
