"""Models: carried from one registry to another as one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.run import Result, Run

if TYPE_CHECKING:
    from pathlib import Path


def export(ctx: Run, *, out: Path, model: str | None = None) -> Result:
    """Write a version, by default the champion, as one file with the hashes of its parts."""
    registry = ctx.registry()
    version = registry.resolve(model or f"models:/{registry.name}@champion")
    registry.export_bundle(version, out)
    return Result("models export", (f"{version.uri} exported",), {"bundle": out})


def import_(ctx: Run, *, bundle: Path) -> Result:
    """Register a bundle's model as challenger, once its hashes and its predictions agree."""
    version = ctx.registry().import_bundle(bundle)
    line = (
        f"{version.uri} imported from {version.tags['imported_from']}; promote it to score with it"
    )
    return Result("models import", (line,))
