"""Lifecycle: which version scores the customers, decided by the gate and kept on record."""

from __future__ import annotations

import datetime as dt
import getpass
from typing import TYPE_CHECKING

from clv.errors import GateError

from ..running.documents import IMPORTED_FROM
from ..running.run import Result, Run

if TYPE_CHECKING:
    from clv.registry import GateResult, Registry, Version

ATTEMPTS = 10


def promote(
    ctx: Run, *, version: str | None = None, why: str = "", trust_metrics: bool = False
) -> Result:
    """Make a version champion, if the gate passes; by default the challenger.

    The figures of a version that came as a bundle are its sender's, on its sender's data. The
    gate takes them only where the user says so.

    Raises
    ------
    GateError
        When the gate says no, or has only a sender's word to go by.
    ModelError
        When the version is no model that clv fitted, or learned from days yet to come.
    RegistryError
        When there is no such version, or another process promoted meanwhile.
    """
    registry = ctx.registry()
    candidate = registry.resolve(
        f"models:/{registry.name}/{version}" if version else f"models:/{registry.name}@challenger"
    )
    if IMPORTED_FROM in candidate.tags:
        _require_trust(ctx, registry, candidate, trust_metrics=trust_metrics)
    gate = _promoted(ctx, registry, candidate, why)
    return Result(
        "promote",
        (f"{candidate.uri} is champion: {len(gate.checks)} gate checks passed",),
        {"gate": ctx.workspace / "gate.json"},
        facts=gate.as_dict(),
    )


def _require_trust(
    ctx: Run, registry: Registry, candidate: Version, *, trust_metrics: bool
) -> None:
    """Look at an imported model again, and ask whether its sender's figures are believed."""
    registry.load(candidate.uri).model.info.require_learned_by(ctx.started_at.date(), candidate.uri)
    if not trust_metrics:
        raise GateError(
            f"{candidate.uri}: came as a bundle, and the figures that the gate would read are its "
            "sender's, measured on other data. The champion stays. Score an earlier day with it "
            f"(`clv score --model {candidate.uri} --as-of DAY --out trial`), see how it did on "
            "yours (`clv monitor --scores trial`), then run `clv promote --trust-metrics`; or "
            "train here."
        )


def _promoted(ctx: Run, registry: Registry, candidate: Version, why: str) -> GateResult:
    """Ask the gate and move the name; where another promotion came first, ask again."""
    from clv.registry import ChampionMovedError

    for attempt in range(1, ATTEMPTS + 1):
        gate, standing = asked(ctx, registry, candidate)
        registry.note_gate(candidate, gate)
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


def asked(ctx: Run, registry: Registry, candidate: Version) -> tuple[GateResult, Version | None]:
    """Return what the gate says of a version, and the champion it was held against."""
    from clv.registry import GateLimits, promotion_gate

    chosen, level = registry.trained(candidate)
    standing = registry.alias("champion")
    gate = promotion_gate(
        registry.metrics(candidate),
        None if standing is None else registry.metrics(standing),
        model=chosen,
        champion_model="" if standing is None else registry.trained(standing)[0],
        loads=candidate.verified,
        limits=GateLimits(**ctx.settings.gate.model_dump(), level=level),
    )
    return gate, standing


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
