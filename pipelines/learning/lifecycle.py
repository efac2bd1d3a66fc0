"""Lifecycle: which version scores the customers, decided by the gate and kept on record."""

from __future__ import annotations

import datetime as dt
import getpass
from typing import TYPE_CHECKING

from ..running.run import Result, Run

if TYPE_CHECKING:
    from clv.registry import GateResult, Registry, Version

ATTEMPTS = 10


def promote(ctx: Run, *, version: str | None = None, why: str = "") -> Result:
    """Make a version champion, if the gate passes; by default the challenger.

    Raises
    ------
    GateError
        When the gate says no.
    RegistryError
        When there is no such version, or another process promoted meanwhile.
    """
    registry = ctx.registry()
    candidate = registry.resolve(
        f"models:/{registry.name}/{version}" if version else f"models:/{registry.name}@challenger"
    )
    gate = _promoted(ctx, registry, candidate, why)
    return Result(
        "promote",
        (f"{candidate.uri} is champion: {len(gate.checks)} gate checks passed",),
        {"gate": ctx.workspace / "gate.json"},
        facts=gate.as_dict(),
    )


def _promoted(ctx: Run, registry: Registry, candidate: Version, why: str) -> GateResult:
    """Ask the gate and move the name; where another promotion came first, ask again."""
    from clv.registry import ChampionMovedError, GateLimits, promotion_gate

    chosen, level = registry.trained(candidate)
    for attempt in range(1, ATTEMPTS + 1):
        standing = registry.alias("champion")
        gate = promotion_gate(
            registry.metrics(candidate),
            None if standing is None else registry.metrics(standing),
            model=chosen,
            champion_model="" if standing is None else registry.trained(standing)[0],
            loads=candidate.verified,
            limits=GateLimits(**ctx.settings.gate.model_dump(), level=level),
        )
        ctx.save("gate.json", {"version": candidate.number, **gate.as_dict()})
        now = dt.datetime.now(dt.UTC)
        try:
            registry.promote(candidate, gate, champion=standing, who=_who(), when=now, why=why)
        except ChampionMovedError:
            if attempt == ATTEMPTS:
                raise
        else:
            break
    return gate


def rollback(ctx: Run, *, why: str = "") -> Result:
    """Restore the champion before the present one.

    Raises
    ------
    RegistryError
        When there was none before it.
    """
    registry = ctx.registry()
    restored = registry.rollback(who=_who(), when=dt.datetime.now(dt.UTC), why=why)
    return Result("rollback", (f"{restored.uri} is champion again",))


def _who() -> str:
    """Name the user of this process, or say that the system does not know them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown user"
