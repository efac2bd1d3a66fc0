"""Models: carried from one registry to another as one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..running.run import Result, Run

if TYPE_CHECKING:
    from pathlib import Path


def export(ctx: Run, *, out: Path, model: str | None = None, sign: Path | None = None) -> Result:
    """Write a version, by default the champion, as one file with the hashes of its parts.

    Raises
    ------
    RegistryError
        When a part differs from what was registered.
    UsageError
        When the key to sign with is none.
    """
    from clv.registry import export_bundle

    registry = ctx.registry()
    version = registry.resolve(model or f"models:/{registry.name}@champion")
    export_bundle(registry, version, out, sign)
    line = f"{version.uri} exported" + ("" if sign is None else f", signed with {sign}")
    return Result("models export", (line,), {"bundle": out})


def import_(ctx: Run, *, bundle: Path, trusted: Path | None = None) -> Result:
    """Register a bundle's model as challenger, once its hashes and its predictions agree.

    Raises
    ------
    RegistryError
        When the bundle is not what it says, or nobody signed it who should have.
    ModelError
        When its model is not one that clv fitted.
    """
    from clv.registry import import_bundle

    keys = trusted or ctx.settings.registry.trusted_keys
    version = import_bundle(ctx.registry(), bundle, keys, today=ctx.started_at.date())
    source = version.tags["imported_from"]
    signed = version.tags.get("signed_by")
    whose = f"signed by {signed}" if signed else "not held to a signature (--trusted)"
    lines = (
        f"{version.uri} imported from {source}, {whose}",
        "its backtest is its sender's: score an earlier day with it, and `clv monitor` says how it "
        "did on your data; then `clv promote --trust-metrics`",
    )
    return Result("models import", lines)
