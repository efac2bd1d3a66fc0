"""Published score runs: readers see one whole run, the old or the new.

A folder of runs and one small file, ``_CURRENT``, whose first line names the run that
counts and whose further lines the ones before it, newest first. A run is written under
another name, made durable, renamed, and only then named. Only what this index names, and
what holds our manifest of that name, is ever removed; the index itself can be made again
from the manifests.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clv.errors import StorageError, UsageError, storing
from clv.foreign import json_of
from clv.notes import Note
from clv.storage import (
    MARK,
    FileLocked,
    folder,
    marked,
    publish_folder,
    remove_file,
    remove_folder,
    replace_file,
    sha256_of,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clv.sinks.base import Sink

POINTER = "_CURRENT"
MANIFEST = "manifest.json"
SCORE_FILE = "scores.parquet"
TOMBSTONE_FILE = "tombstones.parquet"
STAGING = ".staging"
RUNS = "runs"
WITHDRAWN = "withdrawn"
MODEL_NAME = re.compile(r"\w[\w.-]{0,99}")
"""What a registered model may be called, since its name stands in those of runs."""

_MONTH, _DAY = len("2025-06"), len("2025-06-30")
_RUN_NAME = re.compile(rf"\d{{4}}-\d\d-\d\d_{MODEL_NAME.pattern}_[0-9a-f]{{12}}")


@contextmanager
def locked(out: Path, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the folder's lock.

    Raises
    ------
    LockError
        When another run holds it for longer than ``wait_seconds``.
    """
    with FileLocked(out / ".lock", str(out), wait_seconds):
        yield


def staged(out: Path) -> Path:
    """Return an empty directory to write a run into; what a killed run left is removed.

    Only the holder of the lock may call it.

    Raises
    ------
    StorageError
        When a folder stands there that is not ours.
    """
    path = out / STAGING
    if path.exists() and not discard_staged(out):
        raise StorageError(
            f"{path}: is there and was not made by clv; it is left as it is. Move it away, or "
            "write to another folder."
        )
    return marked(path)


def discard_staged(out: Path) -> bool:
    """Remove what was staged, if it is ours, and say whether it was."""
    path = out / STAGING
    return remove_folder(path, MARK) or (
        # Its mark goes just before it is renamed; then the manifest says whose it is.
        _named(path) is not None and remove_folder(path, MANIFEST)
    )


@dataclass(frozen=True)
class Index:
    """Which runs count.

    Attributes
    ----------
    counted : tuple of str
        Names: the current run, then the ones before it.
    withdrawn : tuple of str
        Runs of ours that do not count any more, or not yet; the next publication removes them.
    notes : tuple of Note
        What was wrong with the file that says so.
    """

    counted: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


def index(out: Path) -> Index:
    """Read which runs count; where nothing says so, the manifests do.

    A run that is not there, or without its manifest, is left out with a note.
    """
    pointer = out / POINTER
    try:
        lines = [line.split() for line in pointer.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError):
        lines = []
    lines = [words for words in lines if words and _RUN_NAME.fullmatch(words[0])]
    withdrawn = tuple(words[0] for words in lines if words[1:] == [WITHDRAWN])
    listed = [words[0] for words in lines if len(words) == 1]
    counted = tuple(name for name in listed if _named(out / RUNS / name) == name)
    notes = [_absent(len(listed) - len(counted))] if len(counted) < len(listed) else []
    if not counted:
        counted = tuple(name for name in _by_manifests(out) if name not in withdrawn)
        if counted:
            text = f"{POINTER} named no run; the runs' manifests do: {counted[0]} is current"
            notes.append(Note("index_rebuilt", "scores", len(counted), text))
    return Index(counted, withdrawn, tuple(notes))


def _absent(count: int) -> Note:
    text = f"runs that {POINTER} names are not there, or without their manifest; left out"
    return Note("run_missing", "scores", count, text)


def _by_manifests(out: Path) -> list[str]:
    """Return the runs that hold our manifest, the one finished last first."""
    found = []
    places = (out / RUNS).iterdir() if (out / RUNS).is_dir() else ()
    for path in places:
        if _RUN_NAME.fullmatch(path.name) and _named(path) == path.name:
            found.append((str(manifest(path).get("finished_at") or ""), path.name))
    return [name for _, name in sorted(found, reverse=True)]


def _named(run: Path) -> str | None:
    """Return the name that a folder's manifest gives it, or None where it has none of ours."""
    try:
        said = manifest(run)
    except (OSError, ValueError):
        return None
    name = said.get("run")
    return name if isinstance(name, str) and isinstance(said.get("files"), dict) else None


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
    before = index(out)
    older = [run for run in before.counted if run != name]
    if target.exists():
        _mend(staging, target)
    else:
        if before.counted:
            _point(out, before.counted, (*before.withdrawn, name))
        remove_file(staging / MARK)
        publish_folder(staging, target)
    keeping = kept([name, *older], keep, keep_months)
    going = [run for run in (*older, *before.withdrawn) if run not in keeping]
    _point(out, keeping, going)
    for run in going:
        if _named(out / RUNS / run) == run:
            remove_folder(out / RUNS / run, MANIFEST)
    _point(out, keeping)
    return target


def _mend(staging: Path, target: Path) -> None:
    """Give a run that is there the files it should have, each whole; the manifest comes last."""
    said = manifest(staging)["files"]
    for name in said:
        if not (target / name).is_file() or sha256_of(target / name) != said[name]["sha256"]:
            replace_file(staging / name, target / name)
    replace_file(staging / MANIFEST, target / MANIFEST)
    remove_folder(staging)


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


def runs(out: str | Path) -> list[str]:
    """Return the names of the published runs: the current one, then the ones before it."""
    return list(index(Path(out)).counted)


def current(out: str | Path) -> Path | None:
    """Return the directory of the current run, or None where nothing was published.

    Raises
    ------
    StorageError
        When runs are named and none of them is there.
    """
    out = Path(out)
    found = index(out)
    if found.counted:
        return out / RUNS / found.counted[0]
    if found.notes:
        raise StorageError(
            f"{out / POINTER}: names runs, and none is there; expected directories under "
            f"{out / RUNS}. Restore them, or score again."
        )
    return None


@dataclass(frozen=True)
class Published:
    """The runs of a folder that can be read.

    Attributes
    ----------
    runs : tuple of Path
        Those that count, the current one first.
    withdrawn : tuple of Path
        Those that were taken back.
    notes : tuple of Note
        What is missing or damaged, and so left out.
    """

    runs: tuple[Path, ...]
    withdrawn: tuple[Path, ...]
    notes: tuple[Note, ...]


def survey(out: str | Path) -> Published:
    """Return the published runs whose files are what their manifests say."""
    out = Path(out)
    found = index(out)
    there = [out / RUNS / name for name in found.counted]
    gone = [out / RUNS / name for name in found.withdrawn]
    damaged = [run for run in (*there, *gone) if run.exists() and not intact(run)]
    notes = list(found.notes)
    if damaged:
        text = f"runs are damaged (files are not what {MANIFEST} says) and left out"
        notes.append(Note("run_damaged", "scores", len(damaged), text))
    return Published(
        tuple(run for run in there if run not in damaged),
        tuple(run for run in gone if run.exists() and run not in damaged),
        tuple(notes),
    )


def intact(run: Path) -> bool:
    """Say whether a run's files have the sizes, and its scores the hash, of its manifest."""
    if _named(run) != run.name:
        return False
    said = manifest(run)["files"]
    try:
        sizes = all((run / name).stat().st_size == entry["bytes"] for name, entry in said.items())
        return sizes and sha256_of(run / SCORE_FILE) == said[SCORE_FILE]["sha256"]
    except (OSError, KeyError, TypeError):
        return False


def rollback(out: str | Path, wait_seconds: float = 0.0, sinks: Sequence[Sink] = ()) -> Path:
    """Make the newest whole run before the current one current again, in every sink too.

    The sinks go first: where one refuses, or the rollback is killed, the current run stays
    current, and the rollback can be repeated. The run that was taken back is removed when the
    next one is published.

    Parameters
    ----------
    out : str or pathlib.Path
        The folder of runs.
    wait_seconds : float
        How long to wait for a scoring run that is under way.
    sinks : sequence of Sink
        Destinations that hold the run which is taken back.

    Raises
    ------
    UsageError
        When there is none before it.
    LockError
        When a scoring run is under way.
    SinkError
        When a destination refuses.
    """
    out = Path(out)
    with locked(out, wait_seconds):
        found = index(out)
        older = [name for name in found.counted[1:] if intact(out / RUNS / name)]
        if not older:
            raise UsageError(
                f"{out}: {len(found.counted)} published score runs, and none before the current "
                "one that is whole; expected at least 2 to roll back. Score again instead."
            )
        back = found.counted[: found.counted.index(older[0])]
        scores = out / RUNS / older[0] / SCORE_FILE
        days = {day_of_run(name) for name in back}
        gone = scores.with_name(TOMBSTONE_FILE)
        for sink in sinks:
            sink.restore(scores, days, gone if gone.exists() else None)
        _point(out, found.counted[len(back) :], (*found.withdrawn, *back))
    return out / RUNS / older[0]


def day_of_run(name: str) -> dt.date:
    """Return the day that a run is of, which its name begins with.

    Examples
    --------
    >>> day_of_run("2025-06-30_clv-v1_0123456789ab")
    datetime.date(2025, 6, 30)
    """
    return dt.date.fromisoformat(name[:_DAY])


def manifest(run: str | Path) -> dict[str, Any]:
    """Read a run's manifest; what is none is a ValueError."""
    said = json_of((Path(run) / MANIFEST).read_text(encoding="utf-8"))
    if not isinstance(said, dict):
        raise ValueError(MANIFEST)
    return said


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document whole, with sorted keys, for this user only."""
    text = json.dumps(document, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    with whole(path) as file:
        file.write(f"{text}\n".encode())


def _point(out: Path, counted: Sequence[str], withdrawn: Sequence[str] = ()) -> None:
    lines = [*counted, *(f"{name} {WITHDRAWN}" for name in dict.fromkeys(withdrawn))]
    with storing(out), whole(out / POINTER) as file:
        file.write("".join(f"{line}\n" for line in lines).encode())
