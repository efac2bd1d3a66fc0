"""What a training logged, read back from a store and held to the kinds that a training logs.

A store is shared, and its database and files can be changed by others: what is not of its
kind ends with the registry's error where it is read, and not as a defect where it is used.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from clv.errors import RegistryError
from clv.registry import downloads, tracking
from clv.registry.bundles import claims
from clv.storage import TemporaryFolder

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from clv.registry.version import Version


class Logged:
    """The runs of a store, by the versions that came of them.

    Parameters
    ----------
    client : MlflowClient
    uri : str
        Of the store.
    """

    def __init__(self, client: MlflowClient, uri: str) -> None:
        self._client, self._uri = client, uri

    def metrics(self, version: Version) -> dict[str, float]:
        """Return what a version's training logged.

        Raises
        ------
        RegistryError
            When one is no number.
        """
        metrics = self._run(version).data.metrics
        if strange := [name for name, value in metrics.items() if not _is_number(value)]:
            raise _strange(f"metric {strange[0][:60]!r}", version)
        return dict(metrics)

    def parameters(self, version: Version) -> dict[str, str]:
        """Return the settings that a version's training logged."""
        return {str(name): str(text) for name, text in self._run(version).data.params.items()}

    def documents(self, version: Version) -> dict[str, dict[str, Any]]:
        """Return all JSON documents of a version's training, by file name."""
        names = [name for name in self._artefacts(version).entries("") if name.endswith(".json")]
        return {name: self.document(version, name) for name in names}

    def document(self, version: Version, name: str) -> dict[str, Any]:
        """Return one of the JSON documents of a version's training.

        Raises
        ------
        RegistryError
            When it is none that clv writes.
        """
        if not claims.is_document(name):
            raise _strange(f"document {name[:60]!r}", version)
        with TemporaryFolder("clv-document-") as folder:
            path = folder / name
            self._artefacts(version).copy(name, path, downloads.MAX_DOCUMENT_BYTES)
            try:
                return dict(json.loads(path.read_text(encoding="utf-8")))
            except (ValueError, TypeError, RecursionError):
                raise _strange(name, version) from None

    def _artefacts(self, version: Version) -> downloads.Source:
        """Return where a training left its documents."""
        return downloads.source(str(self._run(version).info.artifact_uri), self._uri)

    def _run(self, version: Version) -> Any:
        with tracking.refusals(self._uri):
            return self._client.get_run(version.run_id)


def _is_number(value: object) -> bool:
    """Say whether something may be a metric; MLflow keeps what is none as the largest float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def _strange(what: str, version: Version) -> RegistryError:
    return RegistryError(
        f"registry: {what} of {version.uri} is not what a training logs. Restore the store and its "
        "artefacts from a backup, or choose another version."
    )
