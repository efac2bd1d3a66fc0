"""Any SQL database by URL: a current table and a history, in one transaction.

``<table>_current`` holds one row per customer, ``<table>_history`` one per customer and
as_of. Writing the same scores again changes nothing, so tools that compare last night with
tonight see only what moved. A customer who has no score any more stays in the current table
as an emptied row with ``active`` 0, whose ``as_of`` is the day of the last score; scoring an
earlier day again changes the history only.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from clv.errors import SinkError, UsageError
from clv.foreign import reason
from clv.masking import masked
from clv.sinks.base import SCORES, WriteReport, accepted, report
from clv.sinks.options import Checked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import sqlalchemy as sa

KEY = ("customer_id", "as_of")
ID_CHARACTERS = 255
INSERT_ROWS = 5_000
ERASED_IDS = 500
_COLUMNS = [name for name in SCORES.names if name != "customer_id"]


@dataclass(frozen=True)
class SqlSink(Checked):
    """Two tables in a database.

    Attributes
    ----------
    url : str
        SQLAlchemy's; a password belongs in the environment.
    table : str
        What the tables' names begin with.
    schema : str or None
        The database's schema; None is its default.
    """

    url: str
    table: str = "clv_scores"
    schema: str | None = None
    kind: ClassVar[str] = "sql"
    apart_by: ClassVar[str] = "table"

    @property
    def places(self) -> tuple[str, ...]:
        """The tables."""
        return (f"{self.url} {self.schema} {self.table}",)

    def write(self, scores: Path, directory: Path, gone: Path | None = None) -> WriteReport:  # noqa: ARG002 (no files; the table knows who is gone)
        """Write both tables; readers see all of it or nothing.

        Raises
        ------
        SinkError
            When the database refuses or goes away; the transaction is then rolled back.
        """
        import sqlalchemy as sa

        rejects: Counter[str] = Counter()
        with _refusals(self.url) as place:
            engine = sa.create_engine(self.url)
            try:
                with engine.begin() as connection:
                    history, current, given = self._tables(connection)
                    written = _load(connection, given, scores, rejects)
                    merge(connection, history, given, KEY)
                    if not superseded(connection, current, given):
                        merge(connection, current, given, ("customer_id",))
                        retire(connection, current, given)
                    cleared = _count(connection, current, current.c.active == 0)
                    given.drop(connection)
            finally:
                engine.dispose()
        return report(self.kind, f"{place} {self.table}_current", written, rejects, cleared=cleared)

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
        """Count customers in both tables, and take them out where asked to, all or none.

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
            When the database refuses.
        """
        import sqlalchemy as sa

        held: dict[str, int] = {}
        with _refusals(self.url) as place:
            engine = sa.create_engine(self.url)
            try:
                with engine.begin() as connection:
                    for table in self._lasting():
                        emptied = tombstones and "active" in table.c
                        count = _forget(connection, table, ids, write=write, emptied=emptied)
                        held[f"{place} {table.name}"] = count
                if write and any(held.values()):
                    _overwrite(engine)
            finally:
                engine.dispose()
        return {name: count for name, count in held.items() if count}

    def _lasting(self) -> tuple[sa.Table, sa.Table]:
        """Return history and current, as they are declared."""
        import sqlalchemy as sa

        metadata = sa.MetaData()
        active = sa.Column("active", sa.SmallInteger, nullable=False, server_default="1")
        name, schema = self.table, self.schema
        history = sa.Table(f"{name}_history", metadata, *_columns(KEY), schema=schema)
        key = _columns(("customer_id",))
        return history, sa.Table(f"{name}_current", metadata, *key, active, schema=schema)

    def _tables(self, connection: sa.Connection) -> tuple[sa.Table, sa.Table, sa.Table]:
        """Create what is not there: history, current, and tonight's rows for this session."""
        import sqlalchemy as sa

        history, current = self._lasting()
        given = sa.Table(
            f"{self.table}_given", sa.MetaData(), *_columns(KEY), prefixes=["TEMPORARY"]
        )
        history.metadata.create_all(connection)
        given.create(connection)
        return history, current, given


def merge(
    connection: sa.Connection, target: sa.Table, given: sa.Table, key: tuple[str, ...]
) -> None:
    """Make the given rows the target's, touching only those that differ.

    Deleting what changed and inserting it anew is the form of an upsert that every database
    understands, and within a transaction nobody sees the state between.
    """
    import sqlalchemy as sa

    def matching(other: sa.Table, *names: str) -> Any:
        return sa.and_(*(target.c[n].is_not_distinct_from(other.c[n]) for n in names))

    same_key = sa.and_(*(target.c[name] == given.c[name] for name in key))
    equal = matching(given, *SCORES.names)
    if "active" in target.c:
        equal = sa.and_(equal, target.c.active == 1)
    changed = sa.exists().where(same_key, sa.not_(equal))
    connection.execute(sa.delete(target).where(changed))
    there = sa.exists().where(sa.and_(*(target.c[name] == given.c[name] for name in key)))
    rows = sa.select(*(given.c[name] for name in SCORES.names)).where(~there.correlate(given))
    connection.execute(sa.insert(target).from_select(list(SCORES.names), rows))


def superseded(connection: sa.Connection, current: sa.Table, given: sa.Table) -> bool:
    """Say whether the current table is of a later day than the given rows."""
    import sqlalchemy as sa

    there = connection.execute(sa.select(sa.func.max(current.c.as_of))).scalar()
    new = connection.execute(sa.select(sa.func.max(given.c.as_of))).scalar()
    return there is not None and (new is None or new < there)


def retire(connection: sa.Connection, current: sa.Table, given: sa.Table) -> None:
    """Empty and mark the rows of customers who have no score any more."""
    import sqlalchemy as sa

    there = sa.exists().where(given.c.customer_id == current.c.customer_id)
    connection.execute(_emptied(current, sa.and_(_full(current), ~there)))


def _overwrite(engine: sa.Engine) -> None:
    """Write an SQLite file anew: what is deleted from it stays in its free pages."""
    if engine.dialect.name == "sqlite":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("vacuum")


def _forget(
    connection: sa.Connection, table: sa.Table, ids: Sequence[str], *, write: bool, emptied: bool
) -> int:
    """Count customers' rows, and empty or delete them."""
    import sqlalchemy as sa

    if not sa.inspect(connection).has_table(table.name, schema=table.schema):
        return 0
    found = 0
    for at in range(0, len(ids), ERASED_IDS):
        rows: Any = table.c.customer_id.in_(ids[at : at + ERASED_IDS])
        rows = sa.and_(rows, _full(table)) if emptied else rows
        found += _count(connection, table, rows)
        if write:
            connection.execute(_emptied(table, rows) if emptied else sa.delete(table).where(rows))
    return found


def _full(current: sa.Table) -> Any:
    import sqlalchemy as sa

    return sa.or_(current.c.active == 1, current.c.clv.is_not(None))


def _emptied(current: sa.Table, rows: Any) -> Any:
    """Return the statement that leaves nothing in rows but the id and the day."""
    import sqlalchemy as sa

    empty = {name: sa.null() for name in _COLUMNS if name not in KEY}
    return sa.update(current).where(rows).values(active=0, **empty)


def _count(connection: sa.Connection, table: sa.Table, rows: Any) -> int:
    import sqlalchemy as sa

    return int(
        connection.execute(sa.select(sa.func.count()).select_from(table).where(rows)).scalar_one()
    )


def _load(connection: sa.Connection, given: sa.Table, scores: Path, rejects: Counter[str]) -> int:
    import sqlalchemy as sa

    names = ["customer_id", *_COLUMNS]
    rows: list[dict[str, Any]] = []
    written = 0
    for row in accepted(scores, _COLUMNS, ID_CHARACTERS, rejects):
        rows.append(
            {n: None if value != value else value for n, value in zip(names, row, strict=True)}
        )
        if len(rows) == INSERT_ROWS:
            connection.execute(sa.insert(given), rows)
            written, rows = written + len(rows), []
    if rows:
        connection.execute(sa.insert(given), rows)
    return written + len(rows)


def _columns(key: tuple[str, ...]) -> Iterator[sa.Column[Any]]:
    import sqlalchemy as sa

    kinds: dict[pa.DataType, Any] = {
        pa.int64(): sa.BigInteger(),
        pa.float64(): sa.Double(),
        pa.bool_(): sa.Boolean(),
        pa.date32(): sa.Date(),
    }
    for field in SCORES:
        kind = kinds.get(field.type, sa.String(ID_CHARACTERS))
        yield sa.Column(field.name, kind, primary_key=field.name in key, autoincrement=False)


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
