"""Erasure: what was looked through, what was taken out, and what could not be."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from clv.erasure import contents, scores
from clv.notes import Note
from clv.schema import SCHEMA
from clv.scoring import publish
from clv.sinks import CsvSink
from clv.storage import FileLocked, remove_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clv.erasure.people import People
    from clv.sinks import Sink

QUARANTINE = "quarantine"
ASSIGNED = "assignments.csv"
"""The log of experiments, which has the name of a table of the contract."""

_LINKED = tuple(
    name
    for name, table in SCHEMA.items()
    if {"interaction_id"} <= (names := {column.name for column in table.columns})
    and "customer_id" not in names
)
"""Tables whose rows name a contact and not its customer."""


@runtime_checkable
class Keeping(Protocol):
    """A sink that keeps scores outside of a run's folder."""

    @property
    def holds(self) -> tuple[Path, ...]:
        """Files and folders that it looks into itself."""

    def forget(self, ids: Sequence[str], *, write: bool, tombstones: bool) -> dict[str, int]:
        """Count what is held of customers, by place, and take it out where asked to.

        Parameters
        ----------
        ids : sequence of str
            Of the customers, as this place writes them.
        write : bool
            Take it out; otherwise only count.
        tombstones : bool
            Whether tables of scores may go on naming them as gone.
        """


@dataclass(frozen=True)
class Erased:
    """What an erasure, or the search for one, came to.

    Attributes
    ----------
    removed : dict of str to int
        Rows, items or mentions by place.
    tombstones : dict of str to int
        Ids that stay for a month of runs so that CRMs empty their fields, by place.
    left : dict of str to str
        Places that still name a customer, or cannot be searched, and why.
    searched : int
        Files and tables that were looked through.
    notes : tuple of Note
    """

    removed: dict[str, int] = field(default_factory=dict)
    tombstones: dict[str, int] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    searched: int = 0
    notes: tuple[Note, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return erasure.json: counts and places, no id."""
        return {
            "removed": self.removed,
            "tombstones": self.tombstones,
            "left": self.left,
            "searched": self.searched,
            "notes": [note.as_dict() for note in self.notes],
        }


@dataclass(frozen=True)
class Places:
    """Where clv keeps things.

    Attributes
    ----------
    workspace : pathlib.Path
    scores : tuple of Path
        Folders of published runs, inside of the workspace or not.
    also : tuple of Path
        Further files and folders that clv wrote, such as imported tables and logs.
    sinks : tuple of Sink or Keeping
        Destinations of scores, and what is known of those.
    customer_columns : tuple of str
        What the company's own tables call a customer's id, for the quarantine.
    own : Path or None
        The folder of the company's own tables: they are not clv's, wherever they lie.
    wait_seconds : float
        For other processes that hold a lock.
    """

    workspace: Path
    scores: tuple[Path, ...] = ()
    also: tuple[Path, ...] = ()
    sinks: tuple[Sink | Keeping, ...] = ()
    customer_columns: tuple[str, ...] = ()
    own: Path | None = None
    wait_seconds: float = 0.0

    def outs(self) -> list[Path]:
        """Return the folders of runs that are there."""
        named = (self.workspace / "scores", *self.scores)
        return [out for out in dict.fromkeys(named) if (out / publish.RUNS).is_dir()]

    def files(self) -> list[Path]:
        """Return every file but those of runs, sinks and the company, those without an id first.

        What ties a message to its customer is looked at last: a killed erasure can be gone on
        with.
        """
        apart = [(out / publish.RUNS).resolve() for out in self.outs()]
        apart += [p.resolve() for s in self.sinks if isinstance(s, Keeping) for p in s.holds]
        roots = [root for root in (self.workspace, *self.also) if root.exists()]
        every = {p.resolve(): p for root in roots for p in _below(root) if not self._is_own(p)}
        mine = [p for real, p in every.items() if not any(real.is_relative_to(r) for r in apart)]
        return sorted(mine, key=lambda p: (not _is_linked(p), str(p)))

    def _is_own(self, path: Path) -> bool:
        """Say whether a file is of the company's own tables: no import's, and not named itself."""
        if self.own is None or any(path.is_relative_to(place) for place in self.also):
            return False
        own, real = self.own.resolve(), path.resolve()
        if not real.is_relative_to(own) or real == (self.workspace / ASSIGNED).resolve():
            return False
        imported = (own / f"import-{path.stem}.json").exists()
        return not imported and real.relative_to(own).parts[0].partition(".")[0] in SCHEMA

    def is_unlinked(self, path: str | Path) -> bool:
        """Say whether a file's rows may be anybody's.

        Quarantined rows of a contact whose customer stands nowhere any more; they are copies,
        and all of them go. A company's own tables may well lie below a folder of that name.
        """
        path = Path(path)
        kept = (root / QUARANTINE for root in (self.workspace, *self.also))
        return path.stem in _LINKED and any(path.is_relative_to(place) for place in kept)


def _below(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
    else:
        yield from (p for p in root.rglob("*") if p.is_file() and not p.is_symlink())


def _is_linked(path: Path) -> bool:
    return path.stem in _LINKED or path.parent.name in _LINKED


def erase(places: Places, people: People, *, tombstones: bool = True) -> Erased:
    """Take customers out of everything that clv keeps; twice is once, and a killed one goes on.

    Parameters
    ----------
    places : Places
    people : People
    tombstones : bool
        Leave the ids, and nothing else, where CRMs and reverse ETL read that a customer is gone.

    Raises
    ------
    LockError
        When another run writes what is to be changed.
    SinkError, StorageError
        When a destination or a disk refuses; what was erased before stays erased.
    """
    removed: dict[str, int] = {}
    notes: list[Note] = []
    gather(places, people)
    with ExitStack() as locks:
        for out in places.outs():
            locks.enter_context(publish.locked(out, places.wait_seconds))
            if count := scores.discard_unfinished(out):
                notes.append(Note("unfinished_discarded", "scores", count, "erased with the rest"))
        for path in places.files():
            found = _erase_from(places, path, people) if path.exists() else 0
            if found and not _is_model(path):
                removed[str(path)] = found
        for out in places.outs():
            removed |= _runs(places, out, people, tombstones=tombstones)
    for sink in places.sinks:
        if isinstance(sink, Keeping):
            removed |= sink.forget(sorted(people.keys), write=True, tombstones=tombstones)
    left = verify(places, people, tombstones=tombstones)
    return Erased(removed, left.tombstones, left.left, left.searched, tuple(notes))


def verify(places: Places, people: People, *, tombstones: bool = True) -> Erased:
    """Look for customers in everything that clv keeps; nothing is changed.

    Parameters
    ----------
    places : Places
        Everything that clv keeps.
    people : People
        Who is looked for.
    tombstones : bool
        Whether tables of scores may name them as gone.
    """
    found: Counter[str] = Counter()
    waiting: Counter[str] = Counter()
    left: dict[str, str] = {}
    gather(places, people)
    files = places.files()
    for path in files:
        _look(places, path, people, found, left)
    for out in places.outs():
        current = publish.runs(out)[:1]
        for run in scores.run_folders(out):
            kept = tombstones and run.name in current
            for path in (p for p in sorted(run.iterdir()) if p.is_file()):
                files.append(path)
                count = _tombstones(path, people) if kept else 0
                if count:
                    waiting[str(path)] += count
                if not (kept and scores.is_tombstone_file(path)):
                    _look(places, path, people, found, left, spare=kept)
    keeping = [sink for sink in places.sinks if isinstance(sink, Keeping)]
    for sink in keeping:
        found.update(sink.forget(sorted(people.keys), write=False, tombstones=tombstones))
    left |= {place: f"names them {count:,} times" for place, count in found.items()}
    return Erased({}, dict(waiting), left, len(files) + len(keeping))


def gather(places: Places, people: People) -> None:
    """Note which interactions are theirs, from every table that names both."""
    for path in places.files():
        if path.suffix == ".parquet":
            try:
                people.contacts.update(contents.contacts_of(path, people, places.customer_columns))
            except contents.UnreadableError:
                continue  # said by whoever looks into it


def _runs(places: Places, out: Path, people: People, *, tombstones: bool) -> dict[str, int]:
    removed: dict[str, int] = {}
    current = publish.runs(out)[:1]
    for run in scores.run_folders(out):
        is_current = run.name in current
        sinks = [s for s in (CsvSink(), *places.sinks) if not isinstance(s, Keeping)]
        held = scores.erase_run(
            run,
            people,
            sinks if is_current and tombstones else [],
            tombstones=tombstones and is_current,
        )
        removed |= {str(run / name): count for name, count in held.items()}
    return removed


def _erase_from(places: Places, path: Path, people: People) -> int:
    """Take customers out of one file, under the lock that its writers hold."""
    kind = contents.KINDS.get(path.suffix)
    if kind is None:
        return 0  # looked at by ``verify``; nothing can be taken out of it
    if places.is_unlinked(path):
        remove_file(path)
        return 1
    further = {"customer": places.customer_columns} if path.suffix in (".parquet", ".csv") else {}
    lock = path.with_name(f".{path.name}.lock")
    try:
        with FileLocked(lock, str(path), places.wait_seconds) if lock.exists() else nullcontext():
            return kind(path, people, write=not _is_model(path), **further)
    except contents.UnreadableError:
        return 0


def _is_model(path: Path) -> bool:
    """Say whether a file belongs to a registered model, which is held to its hashes."""
    return any((parent / "MLmodel").is_file() for parent in path.parents)


def _look(
    places: Places,
    path: Path,
    people: People,
    found: Counter[str],
    left: dict[str, str],
    *,
    spare: bool = False,
) -> None:
    kind = contents.KINDS.get(path.suffix, contents.other)
    try:
        if path.suffix == ".jsonl":
            count = contents.lines(path, people, write=False, spare=spare)
        elif places.is_unlinked(path):
            left[str(path)] = "may hold words of theirs: its rows name contacts and no customer"
            return
        elif path.suffix in (".parquet", ".csv"):
            count = kind(path, people, write=False, customer=places.customer_columns)
        else:
            count = kind(path, people, write=False)
    except contents.UnreadableError:
        left[str(path)] = "cannot be read, and so not searched: mend or remove it"
        return
    if count and _is_model(path):
        left[str(path)] = "is part of a registered model: train again, and remove that version"
    elif count:
        found[str(path)] += count


def _tombstones(path: Path, people: People) -> int:
    """Count the customers whom a file of the current run names as gone."""
    try:
        if path.suffix == ".jsonl":
            return contents.tombstones(path, people)
        if scores.is_tombstone_file(path):
            return contents.KINDS[path.suffix](path, people, write=False)
    except contents.UnreadableError:
        return 0
    return 0
