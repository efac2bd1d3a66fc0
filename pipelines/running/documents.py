"""Documents of the workspace as they are read back: what no run of clv wrote is known.

Commands compute with documents that others may have edited. Whatever then fails is about the
document and not a defect, if its bytes are none that a run left behind.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from clv.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from clv.registry import Registry, Version

IMPORTED_FROM = "imported_from"
"""The tag of a version that came as a bundle; clv.registry is loaded by those who need it."""
MAX_INTEGER_DIGITS = 18
RUNS = "runs"
REGISTERED = "registered.json"
"""In a training's own folder: the digests of the documents that it gave to the registry."""
MAX_VALUES = 100_000
"""In a settings file, aliases counted as often as they stand."""


class Documents:
    """The documents that a command has read."""

    def __init__(self) -> None:
        self._read: list[tuple[Path, bytes]] = []
        self._claimed: list[str] = []

    def read(self, path: Path) -> dict[str, Any]:
        """Return a JSON document.

        Raises
        ------
        DataError
            When it is no JSON object, or holds a number that no computer reckons with.
        """
        text = path.read_bytes()
        self._read.append((path, text))
        try:
            document = json.loads(text, parse_int=_integer)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise DataError(
                f"{path}: is not a document of clv; expected one JSON object, its whole numbers of "
                f"{MAX_INTEGER_DIGITS} digits at most. Make it again with the command that writes "
                "it, or copy it from the newest folder under runs/."
            )
        return document

    def of_version(
        self, registry: Registry, version: Version, name: str, workspace: Path
    ) -> dict[str, Any]:
        """Return a document of a version's training.

        It is a claim where it came with a bundle, or where no training of this workspace says
        that it wrote it: a store is shared, and others can write to it.
        """
        document = registry.document(version, name)
        if IMPORTED_FROM in version.tags or not _registered(workspace, document):
            self._claimed.append(f"{name} of {version.uri}")
        return document

    def forget(self) -> None:
        """Begin anew: what an earlier command of the same process read says nothing of the next."""
        self._read.clear()
        self._claimed.clear()

    def claimed(self) -> list[str]:
        """Return those that no training of this workspace wrote."""
        return list(self._claimed)

    def changed(self) -> list[Path]:
        """Return those whose bytes no run left behind, in the order they were read."""
        return [path for path, text in self._read if not _written(path, text)]


def digests_of(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return what a training writes down of the documents that it registers."""
    return {name: _digest(document) for name, document in documents.items()}


def _digest(document: object) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _registered(workspace: Path, document: object) -> bool:
    """Say whether a training's own folder has the digest of a document."""
    wanted = _digest(document).encode()
    return any(wanted in path.read_bytes() for path in workspace.glob(f"{RUNS}/*/{REGISTERED}"))


def finite(document: object) -> None:
    """Refuse aliases that name themselves, or each other to more values than any settings have.

    Raises
    ------
    OverflowError
        When there are too many.
    """
    waiting, seen = [document], 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if seen > MAX_VALUES:
            raise OverflowError
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list | set | tuple):
            waiting.extend(value)


def _written(path: Path, text: bytes) -> bool:
    """Say whether a run's own folder holds the same document."""
    copies = path.parent.glob(f"{RUNS}/*/{path.name}")
    return any(c.stat().st_size == len(text) and c.read_bytes() == text for c in copies)


def _integer(digits: str) -> int:
    if len(digits) > MAX_INTEGER_DIGITS + 1:
        raise ValueError(digits[:MAX_INTEGER_DIGITS])
    return int(digits)


READ = Documents()
"""Those of the command that runs."""
