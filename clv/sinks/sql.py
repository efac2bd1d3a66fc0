"""Any SQL database by URL: a current table, the run it holds, and a history, in one transaction.

``<table>_current`` holds one row per customer, with values rounded to ``digits``; ``<table>_run``
one row, the day of the current table and the hash of its run's scores; ``<table>_history`` one row
per customer and as_of, not rounded. Only what changed is touched, so tools that compare last night
with tonight see only what moved. A customer who has no score any more stays in the current table
as an emptied row with ``active`` 0; scoring an earlier day again changes the history only.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from clv.errors import SinkError, UsageError
from clv.foreign import reason
from clv.masking import masked
from clv.sinks import sql_tables
from clv.sinks.base import (
    DIGITS,
    MOST_DIGITS,
    WriteReport,
    customers_of,
    day_of,
    frames,
    report,
    significant,
    split,
)
from clv.sinks.options import Checked, whole_number
from clv.sinks.sql_tables import CURRENT, ID_CHARACTERS, Tables
from clv.storage import sha256_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    import pandas as pd
    import sqlalchemy as sa

INSERT_ROWS = 5_000


@dataclass(frozen=True)
class SqlSink(Checked):
    """Three tables in a database.

    Attributes
    ----------
    url : str
        SQLAlchemy's; a password belongs in the environment.
    table : str
        What the tables' names begin with.
    schema : str or None
        The database's schema; None is its default.
    digits : int
        Significant digits of the current table's values: a value that moves by less touches
        nothing.
    """

    url: str
    table: str = "clv_scores"
    schema: str | None = None
    digits: int = whole_number(DIGITS, 1, MOST_DIGITS)
    kind: ClassVar[str] = "sql"
    apart_by: ClassVar[str] = "table"

    @property
    def places(self) -> tuple[str, ...]:
        """The tables."""
        return (f"{self.url} {self.schema} {self.table}",)

    def write(self, scores: Path, directory: Path, gone: Path | None = None) -> WriteReport:  # noqa: ARG002 (no files; the table knows who is gone)
        """Write all tables; readers see all of it or nothing.

        Raises
        ------
        SinkError
            When the database refuses or goes away; the transaction is then rolled back.
        """
        return self._write(scores)

    def restore(
        self, scores: Path, days: Collection[dt.date], gone: Path | None = None
    ) -> WriteReport:
        """Hold an earlier run again, as if those after it had not been.

        Parameters
        ----------
        scores : pathlib.Path
            Of the run that counts again.
        days : collection of datetime.date
            Days of the runs that are taken back.
        gone : pathlib.Path, optional
            Tombstones of the run that counts again.

        Raises
        ------
        SinkError
            When the database refuses or goes away; it then holds what it held.
        """
        return self._write(scores, days, gone)

    def _write(
        self, scores: Path, days: Collection[dt.date] = (), gone: Path | None = None
    ) -> WriteReport:
        rejects: Counter[str] = Counter()
        with self._connected() as (place, connection):
            tables = Tables.of(self.table, self.schema)
            tables.create(connection)
            if days:
                sql_tables.take_back(connection, tables, days, customers_of(gone))
            given, shown = sql_tables.given_tables(self.table)
            given.metadata.create_all(connection)
            written = _load(connection, given, shown, scores, self.digits, rejects)
            sql_tables.replace_day(connection, tables.history, given)
            held = sql_tables.day_held(connection, tables)
            if days or held is None or (written and day_of(scores) >= held):
                sql_tables.merge(connection, tables.current, shown, ("customer_id",))
                sql_tables.retire(connection, tables.current, shown)
                sql_tables.hold(connection, tables, given, sha256_of(scores))
            cleared = sql_tables.count(connection, tables.current, tables.current.c.active == 0)
            given.metadata.drop_all(connection)
        return report(self.kind, f"{place} {self.table}_current", written, rejects, cleared=cleared)

    def run_held(self) -> str | None:
        """Return the hash of the scores that the current table holds, or None where it has none.

        Raises
        ------
        SinkError
            When the database refuses.
        """
        import sqlalchemy as sa

        run = Tables.of(self.table, self.schema).run
        with self._connected() as (_, connection):
            if not sa.inspect(connection).has_table(run.name, schema=run.schema):
                return None
            held: str | None = connection.execute(sa.select(run.c.scores_sha256)).scalar()
            return held

    @property
    def holds(self) -> tuple[Path, ...]:
        """The database's files, where it is SQLite."""
        from pathlib import Path

        from sqlalchemy.engine import make_url

        with _refusals(self.url):
            address = make_url(self.url)
        if address.get_backend_name() != "sqlite" or not address.database:
            return ()
        return tuple(Path(f"{address.database}{end}") for end in ("", "-wal", "-shm", "-journal"))

    def forget(self, ids: Sequence[str], *, write: bool, tombstones: bool) -> dict[str, int]:
        """Count customers in both tables of customers, and take them out where asked to.

        Parameters
        ----------
        ids : sequence of str
        write : bool
            Delete their history; empty their rows of the current table, or delete them.
        tombstones : bool
            Leave emptied rows, as of anybody who has no score any more.

        Raises
        ------
        SinkError
            When the database refuses; nobody is taken out then.
        """
        held: dict[str, int] = {}
        with self._connected() as (place, connection):
            tables = Tables.of(self.table, self.schema)
            for table in (tables.history, tables.current):
                emptied = tombstones and "active" in table.c
                count = sql_tables.forget(connection, table, ids, write=write, emptied=emptied)
                held[f"{place} {table.name}"] = count
        if write and any(held.values()):
            with self._engine() as (_, engine):
                sql_tables.overwrite(engine)
        return {name: count for name, count in held.items() if count}

    @contextmanager
    def _connected(self) -> Iterator[tuple[str, sa.Connection]]:
        """Return the masked address, and a connection in one transaction."""
        with self._engine() as (place, engine), engine.begin() as connection:
            yield place, connection

    @contextmanager
    def _engine(self) -> Iterator[tuple[str, sa.Engine]]:
        import sqlalchemy as sa

        with _refusals(self.url) as place:
            engine = sa.create_engine(self.url)
            try:
                yield place, engine
            finally:
                engine.dispose()


def _load(
    connection: sa.Connection,
    given: sa.Table,
    shown: sa.Table,
    scores: Path,
    digits: int,
    rejects: Counter[str],
) -> int:
    """Load a score file twice: as it is, and as the current table shows it."""
    written = 0
    for frame in frames(scores, INSERT_ROWS):
        kept, refused = split(frame, ID_CHARACTERS)
        rejects.update(refused)
        written += len(kept)
        _insert(connection, given, kept)
        _insert(connection, shown, significant(kept[list(CURRENT)], digits))
    return written


def _insert(connection: sa.Connection, table: sa.Table, frame: pd.DataFrame) -> None:
    import sqlalchemy as sa

    names = list(frame.columns)
    rows = [
        {n: None if value != value else value for n, value in zip(names, row, strict=True)}
        for row in frame.itertuples(index=False, name=None)
    ]
    if rows:
        connection.execute(sa.insert(table), rows)


@contextmanager
def _refusals(url: str) -> Iterator[str]:
    """Turn what the database raises into one line without its password and our rows."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    try:
        make_url(url)
        place = masked(url)
    except (ArgumentError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(
            "sink sql: url is not a database URL; expected such as "
            "postgresql+psycopg://user@host/database."
        ) from error
    try:
        yield place
    except (SQLAlchemyError, ImportError) as error:
        raise SinkError(
            f"sink sql {place}: {reason(error)} Nothing was written there. Check the database "
            "and the rights on it, then score again; rows that are there already do no harm."
        ) from error
