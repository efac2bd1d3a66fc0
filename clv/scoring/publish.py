"""Published score runs: readers see one whole run, the old or the new.

A folder of runs and one small file, ``_CURRENT``, whose first line names the run that
counts and whose further lines the ones before it, newest first. A run is written under
another name, made durable, renamed, and only then named; nothing is removed before.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from clv.errors import LockError, StorageError, UsageError, storing
from clv.sinks.files import folder, whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POINTER = "_CURRENT"
MANIFEST = "manifest.json"
STAGING = ".staging"
RUNS = "runs"
_MONTH = len("2025-06")


@contextmanager
def locked(out: Path, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the folder's lock.

    Raises
    ------
    LockError
        When another run holds it for longer than ``wait_seconds``.
    """
    lock = FileLock(str(folder(out) / ".lock"), mode=0o600)
    with storing(out):
        try:
            lock.acquire(timeout=wait_seconds)
        except Timeout as error:
            raise LockError(
                f"{out}: another scoring run holds the lock. Wait for it to end, or write to "
                "another folder."
            ) from error
    try:
        yield
    finally:
        lock.release()


def staged(out: Path) -> Path:
    """Return an empty directory to write a run into; what a killed run left is removed.

    Only the holder of the lock may call it.
    """
    path = out / STAGING
    with storing(path):
        shutil.rmtree(path, ignore_errors=True)
    return folder(path)


def publish(out: Path, name: str, keep: int, keep_months: int = 0) -> Path:
    """Make the staged run the current one.

    Parameters
    ----------
    out : pathlib.Path
        The folder of runs.
    name : str
        The run's; it follows from its content, so the same run again has the same name.
    keep : int
        Runs to keep, this one among them.
    keep_months : int
        Months of which the newest run is kept beyond them.

    Returns
    -------
    pathlib.Path
        Where it lies now.
    """
    staging, target = out / STAGING, folder(out / RUNS) / name
    with storing(target):
        for path in sorted(staging.iterdir()):
            _sync(path)
        _sync(staging)
        if target.exists():
            (staging / MANIFEST).replace(target / MANIFEST)
            shutil.rmtree(staging)
        else:
            staging.rename(target)
        _sync(target.parent)
        older = [run for run in runs(out) if run != name]
        _point(out, kept([name, *older], keep, keep_months))
        for path in target.parent.iterdir():
            if path.name not in runs(out):
                shutil.rmtree(path, ignore_errors=True)
    return target


def kept(names: list[str], keep: int, keep_months: int) -> list[str]:
    """Return the runs to keep: the newest ones, and of each month before them the newest.

    Parameters
    ----------
    names : list of str
        Newest first; a name begins with the day that it is of.
    keep, keep_months : int
        How many of each.

    Examples
    --------
    >>> kept(["2025-03-02_a", "2025-03-01_b", "2025-02-28_c", "2025-02-27_d"], 1, 2)
    ['2025-03-02_a', '2025-03-01_b', '2025-02-28_c']
    """
    months: dict[str, str] = {}
    for name in names[keep:]:
        months.setdefault(name[:_MONTH], name)
    return names[:keep] + list(months.values())[:keep_months]


def runs(out: Path) -> list[str]:
    """Return the names of the published runs: the current one, then the ones before it."""
    pointer = out / POINTER
    return pointer.read_text(encoding="utf-8").split() if pointer.exists() else []


def current(out: Path) -> Path | None:
    """Return the directory of the current run, or None where nothing was published.

    Raises
    ------
    StorageError
        When the pointer names a run that is not there.
    """
    names = runs(out)
    if not names:
        return None
    path = out / RUNS / names[0]
    if not path.is_dir():
        raise StorageError(
            f"{out / POINTER}: names {names[0]}, which is not there; expected a directory under "
            f"{out / RUNS}. Restore it, or score again."
        )
    return path


def rollback(out: Path) -> Path:
    """Make the run before the current one current again.

    The run that was taken back is removed when the next one is published.

    Raises
    ------
    UsageError
        When there is none before it.
    LockError
        When a scoring run is under way.
    """
    with locked(out):
        names = runs(out)
        if len(names) < 2:
            raise UsageError(
                f"{out}: {len(names)} published score runs; expected at least 2 to roll back. "
                "Score again instead."
            )
        _point(out, names[1:])
    return out / RUNS / names[1]


def manifest(run: Path) -> dict[str, Any]:
    """Read a run's manifest."""
    return dict(json.loads((run / MANIFEST).read_text(encoding="utf-8")))


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document whole, with sorted keys, for this user only."""
    text = json.dumps(document, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    with whole(path) as file:
        file.write(f"{text}\n".encode())


def _point(out: Path, names: list[str]) -> None:
    with whole(out / POINTER) as file:
        file.write("".join(f"{name}\n" for name in names).encode())
    _sync(out)


def _sync(path: Path) -> None:
    """Make a file or a directory's entries durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
