"""The ledger of a push: what a CRM is known to hold, so that only changes are sent.

A row is written when the CRM has taken a record, never before: a push that is killed sends that
record once more, with the same values. Who has no score any more is known from the ledger too.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clv.errors import StorageError, storing
from clv.push.base import Change
from clv.storage import FileLocked, folder, whole

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

APPLICATION = 0x636C76
"""In the header of the file: ours."""

_TABLES = """
create table if not exists about (place text not null);
create table if not exists held (customer_id text primary key, compared text) without rowid;
"""
_CHANGES = """
create temporary table todo (step integer primary key, customer_id text, fields text);
insert into todo (customer_id, fields)
  select customer_id, fields from wanted
    where (customer_id, compared) not in
      (select customer_id, compared from held where compared is not null)
  union all
  select customer_id, null from held where customer_id not in (select customer_id from wanted)
  order by 1;
"""
ERASED_IDS = 500


@dataclass(frozen=True)
class Counts:
    """What a push has to do.

    Attributes
    ----------
    wanted : int
        Records that the CRM should hold.
    changed : int
        Records to write: new ones, and those whose values moved.
    gone : int
        Records to empty: customers who have no score any more.
    """

    wanted: int
    changed: int
    gone: int


class Ledger:
    """What one CRM holds, in an SQLite file of this user; open it with ``ledger``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def plan(self, wanted: Iterable[tuple[str, str, str]]) -> Counts:
        """Set what the CRM should hold beside what it holds.

        Parameters
        ----------
        wanted : iterable of (str, str, str)
            Customer, the fields to send, and those of them by which a change is told: JSON each.
        """
        run = self._connection
        run.execute("drop table if exists wanted")
        run.execute("drop table if exists todo")
        run.execute(
            "create temporary table wanted "
            "(customer_id text primary key, fields text, compared text) without rowid"
        )
        run.executemany("insert into wanted values (?, ?, ?)", wanted)
        run.executescript(_CHANGES)
        (total,) = run.execute("select count(*) from wanted").fetchone()
        changed, gone = run.execute(
            "select count(fields), count(*) - count(fields) from todo"
        ).fetchone()
        return Counts(total, changed, gone)

    def batches(self, size: int, empty: dict[str, None]) -> Iterator[list[Change]]:
        """Return the changes that are planned, sorted by customer, in batches.

        Parameters
        ----------
        size : int
            Records of a batch.
        empty : dict of str to None
            The fields of a customer who has no score any more.
        """
        step = 0
        while True:
            rows = self._connection.execute(
                "select step, customer_id, fields from todo where step > ? order by step limit ?",
                (step, size),
            ).fetchall()
            if not rows:
                return
            step = rows[-1][0]
            yield [Change(c, empty if text is None else json.loads(text)) for _, c, text in rows]

    def keep(self, customers: Collection[str]) -> None:
        """Note that the CRM now holds what was planned for these customers."""
        ids = [(customer,) for customer in customers]
        with self._connection as run:
            run.executemany(
                "insert or replace into held select customer_id, compared from wanted "
                "where customer_id = ?",
                ids,
            )
            run.executemany(
                "delete from held where customer_id = ? "
                "and customer_id not in (select customer_id from wanted)",
                ids,
            )

    def forget_all(self) -> None:
        """Know nothing of what the CRM holds, so that everything is sent again."""
        with self._connection as run:
            run.execute("update held set compared = null")


@dataclass(frozen=True)
class Ledgers:
    """All ledgers of a workspace, as an erasure sees them.

    Attributes
    ----------
    root : pathlib.Path
        The folder in which they lie.
    """

    root: Path

    @property
    def holds(self) -> tuple[Path, ...]:
        """Their files."""
        return tuple(sorted(self.root.glob("*.db*")))

    def forget(self, ids: Sequence[str], *, write: bool, tombstones: bool) -> dict[str, int]:
        """Count customers in every ledger, and take them out where asked to.

        Parameters
        ----------
        ids : sequence of str
        write : bool
            Empty their rows, or delete them.
        tombstones : bool
            Leave the ids, so that the next push empties their fields in the CRM.
        """
        held = {}
        for path in sorted(self.root.glob("*.db")):
            with _opened(path) as run:
                count = sum(
                    _forget(run, ids[at : at + ERASED_IDS], write=write, tombstones=tombstones)
                    for at in range(0, len(ids), ERASED_IDS)
                )
                if count and write:
                    run.execute("vacuum")  # what is deleted stays in free pages
            if count:
                held[str(path)] = count
        return held


@contextmanager
def ledger(path: Path, place: str, wait_seconds: float = 0.0) -> Iterator[Ledger]:
    """Open the ledger of a CRM, or begin it; one push at a time.

    Parameters
    ----------
    path : pathlib.Path
        Its file.
    place : str
        Which CRM, object and id it is about.
    wait_seconds : float
        For another push.

    Raises
    ------
    LockError
        When another push is under way.
    StorageError
        When the file is of another CRM, or cannot be read or written.
    """
    lock = FileLocked(path.with_name(f".{path.name}.lock"), str(path), wait_seconds)
    with lock, _opened(path) as run:
        run.executescript(_TABLES)
        told = [row[0] for row in run.execute("select place from about")]
        if told and told != [place]:
            raise StorageError(
                f"{path}: tells what {told[0]} holds, and the settings name {place}. Move it away "
                "to send everything there, or push to the CRM that it is about."
            )
        if not told:
            with run:
                run.execute("insert into about values (?)", (place,))
        yield Ledger(run)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a ledger's file, for this user only; a failure of SQLite is one line."""
    with storing(path):
        folder(path.parent)
        if not path.exists():
            with whole(path):
                pass  # an empty file, for this user only, is an empty database
        try:
            with closing(sqlite3.connect(path, isolation_level="IMMEDIATE")) as run:
                (ours,) = run.execute("pragma application_id").fetchone()
                (tables,) = run.execute("select count(*) from sqlite_master").fetchone()
                if tables and ours != APPLICATION:
                    raise StorageError(
                        f"{path}: is no ledger of clv; expected one that `clv push` made. Move it "
                        "away, and everything is sent again."
                    )
                run.execute(f"pragma application_id = {APPLICATION}")
                yield run
        except sqlite3.Error as error:
            raise StorageError(
                f"{path}: {error}. Free some space, or move it away, and everything is sent again."
            ) from error


def _forget(run: sqlite3.Connection, ids: Sequence[str], *, write: bool, tombstones: bool) -> int:
    marks = ", ".join("?" * len(ids))
    rows = f"customer_id in ({marks})" + (" and compared is not null" if tombstones else "")
    (count,) = run.execute(f"select count(*) from held where {rows}", ids).fetchone()  # noqa: S608 (marks only)
    if write and count:
        change = "update held set compared = null" if tombstones else "delete from held"
        with run:
            run.execute(f"{change} where {rows}", ids)
    return int(count)
