"""Content hashes of a model's files, and which files a model may consist of."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from clv.errors import RegistryError, listing
from clv.registry.wheel import is_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

DATA_SUFFIXES = (".txt", ".json", ".parquet")
"""What a model is made of: LightGBM text, JSON, Parquet. Nothing that runs when read."""

PARTS = "artifacts/clv"
"""Where, in a saved pyfunc, the model's own files lie."""

ENTRY = "entry.py"
ENVELOPE = (
    "MLmodel",
    "conda.yaml",
    "python_env.yaml",
    "requirements.txt",
    "input_example.json",
    "serving_input_example.json",
    ENTRY,
)
"""What MLflow puts around it."""


def is_envelope(name: str) -> bool:
    """Say whether a file of a saved pyfunc is what MLflow puts around a model.

    Examples
    --------
    >>> is_envelope("MLmodel"), is_envelope("wheels/clv-0.1.0-py3-none-any.whl"), is_envelope("x")
    (True, True, False)
    """
    return name in ENVELOPE or is_wheel(name)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests_of(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a directory, by its relative path."""
    files = sorted(path for path in directory.rglob("*") if not path.is_dir())
    return {path.relative_to(directory).as_posix(): sha256_of(path) for path in files}


def is_data(name: str) -> bool:
    """Say whether a file of a saved pyfunc is the model's own data.

    Examples
    --------
    >>> is_data("artifacts/clv/value.txt"), is_data("entry.py"), is_data("artifacts/clv/x.pkl")
    (True, False, False)
    """
    folder, _, own = name.rpartition("/")
    return folder == PARTS and own.endswith(DATA_SUFFIXES) and not own.startswith(".")


def check_types(directory: Path) -> None:
    """Refuse a model with a file that is neither data nor MLflow's envelope.

    Raises
    ------
    RegistryError
        Naming the files: a pickle, code besides the entry, a link.
    """
    strangers = []
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if path.is_symlink() or not (path.is_dir() or is_data(name) or is_envelope(name)):
            strangers.append(name)
    if strangers:
        raise RegistryError(
            f"model: file {listing(strangers)} is not of a type a model may have; expected "
            f"{', '.join(DATA_SUFFIXES)} below artifacts/. Train the model again with clv."
        )


def verify(directory: Path, expected: Mapping[str, str]) -> None:
    """Compare a model's files with the hashes that were recorded when it was logged.

    Raises
    ------
    RegistryError
        When a file is missing, was changed or was added.
    """
    found = digests_of(directory)
    names = found.keys() | expected.keys()
    if differing := [name for name in names if found.get(name) != expected.get(name)]:
        raise changed(differing)
    check_types(directory)


def changed(names: Iterable[str]) -> RegistryError:
    """Return the error to raise for files that are not those that were registered."""
    return RegistryError(
        f"model: file {listing(sorted(names))} is missing, added or differs from what was "
        "registered. Restore the artefacts from a backup, or roll back to another version."
    )
