"""Models from one store to another: exported with their hashes, imported as data alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from clv.models.lifetime_value import LifetimeModel
from clv.registry import golden
from clv.registry.bundles import bundle, claims, signing
from clv.registry.version import DIGESTS, IMPORTED_FROM, SIGNED_BY, RunFacts
from clv.storage import TemporaryFolder

if TYPE_CHECKING:
    import datetime as dt

    from clv.registry.store import Registry
    from clv.registry.version import Version


def export_bundle(
    registry: Registry, version: Version, path: str | Path, key: str | Path | None = None
) -> None:
    """Write a version, its hashes compared, as one file that another store can import.

    Parameters
    ----------
    registry : Registry
    version : Version
    path : str or pathlib.Path
    key : str or pathlib.Path, optional
        A private Ed25519 key to sign it with.

    Raises
    ------
    RegistryError
        When a file differs from what was registered.
    UsageError
        When the key is none.
    StorageError
        When it cannot be written.
    """
    with TemporaryFolder("clv-export-") as folder:
        directory = registry.fetch(version, folder)
        given = bundle.Bundle(
            source=version.uri,
            digests=json.loads(version.tags[DIGESTS]),
            parameters=registry.parameters(version),
            metrics=claims.carried_metrics(registry.metrics(version)),
            tags=claims.carried_tags(version.tags),
            documents=registry.documents(version),
        )
        bundle.write(Path(path), directory, given, None if key is None else Path(key))


def import_bundle(
    registry: Registry,
    path: str | Path,
    trusted: str | Path | None = None,
    *,
    today: dt.date,
) -> Version:
    """Register a bundle's model, verify it in a fresh process, make it challenger.

    Its trees and JSON are taken, and first loaded in a process of its own; what MLflow runs,
    and what only this store may say of a version, are written anew.

    Parameters
    ----------
    registry : Registry
    path : str or pathlib.Path
    trusted : str or pathlib.Path, optional
        Public keys, one a line; where given, one of them must have signed.
    today : datetime.date
        The day of the import: nobody learns from what comes after it.

    Raises
    ------
    RegistryError
        When the bundle is not what it says, or is not signed by whom it should be.
    ModelError
        When its model is not one that clv fitted, or learned from days yet to come.
    UsageError
        When the file of keys is none.
    """
    keys = None if trusted is None else signing.trusted_keys(Path(trusted))
    with TemporaryFolder("clv-import-") as folder:
        given, signed_by = bundle.read(Path(path), folder, keys)
        golden.first_load(folder, f"bundle {path}")
        model = LifetimeModel.load(folder)
    model.info.require_learned_by(today, f"bundle {path}")
    own = {"feature_fingerprint": model.info.fingerprint, IMPORTED_FROM: given.source}
    if signed_by is not None:
        own[SIGNED_BY] = signed_by
    return registry.log_training(
        model,
        parameters=given.parameters,
        metrics=claims.carried_metrics(given.metrics),
        artifacts=given.documents,
        tags=claims.carried_tags(given.tags) | own,
        about=RunFacts(
            name=f"import {model.info.training_cutoff} h{model.info.horizon_days}",
            source="clv models import",
        ),
    )
