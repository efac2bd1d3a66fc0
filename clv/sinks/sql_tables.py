"""The tables that the SQL sink keeps, and the statements that change them.

A statement touches only rows that differ: deleting what changed and inserting it anew is the form
of an upsert that every database understands, and within a transaction nobody sees the state
between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from clv.sinks.base import SCORES

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterator, Sequence

    import sqlalchemy as sa

ID_CHARACTERS = 255
ERASED_IDS = 500
KEY = ("customer_id", "as_of")
CURRENT = tuple(name for name in SCORES.names if name != "as_of")
"""Columns of the current table: the day stands once, in the table of the run."""


@dataclass(frozen=True)
class Tables:
    """What a sink keeps in a database.

    Attributes
    ----------
    history : sqlalchemy.Table
        One row per customer and as_of.
    current : sqlalchemy.Table
        One row per customer, with ``active``.
    run : sqlalchemy.Table
        One row: which run the current table holds.
    """

    history: sa.Table
    current: sa.Table
    run: sa.Table

    @classmethod
    def of(cls, name: str, schema: str | None) -> Tables:
        """Declare the tables whose names begin with ``name``."""
        import sqlalchemy as sa

        metadata = sa.MetaData()
        active = sa.Column("active", sa.SmallInteger, nullable=False, server_default="1")
        told = (
            sa.Column("scores_sha256", sa.String(64), nullable=False),
            *_columns(("as_of", "horizon_days", "currency"), ()),
        )
        return cls(
            sa.Table(f"{name}_history", metadata, *_columns(SCORES.names, KEY), schema=schema),
            sa.Table(f"{name}_current", metadata, *_columns(CURRENT, KEY), active, schema=schema),
            sa.Table(f"{name}_run", metadata, *told, schema=schema),
        )

    def create(self, connection: sa.Connection) -> None:
        """Create what is not there.

        A current table of before, with a day in each row, is made anew; who stood there without a
        score stands there still.
        """
        import sqlalchemy as sa

        looked = sa.inspect(connection)
        name, schema = self.current.name, self.current.schema
        if looked.has_table(name, schema=schema):
            there = {column["name"] for column in looked.get_columns(name, schema=schema)}
            if "as_of" in there:
                gone = sa.select(self.current.c.customer_id).where(self.current.c.active == 0)
                ids = connection.execute(gone).scalars().all()
                self.current.drop(connection)
                self.current.create(connection)
                if ids:
                    rows = [{"customer_id": customer, "active": 0} for customer in ids]
                    connection.execute(sa.insert(self.current), rows)
        self.history.metadata.create_all(connection)


def given_tables(name: str) -> tuple[sa.Table, sa.Table]:
    """Declare tonight's rows, for this session: as they are, and as the current table has them."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    return (
        sa.Table(f"{name}_given", metadata, *_columns(SCORES.names, KEY), prefixes=["TEMPORARY"]),
        sa.Table(f"{name}_rounded", metadata, *_columns(CURRENT, KEY), prefixes=["TEMPORARY"]),
    )


def merge(
    connection: sa.Connection, target: sa.Table, given: sa.Table, key: tuple[str, ...]
) -> None:
    """Make the given rows the target's, touching only those that differ."""
    import sqlalchemy as sa

    names = [column.name for column in given.columns]
    same_key = sa.and_(*(target.c[name] == given.c[name] for name in key))
    equal = sa.and_(*(target.c[n].is_not_distinct_from(given.c[n]) for n in names))
    if "active" in target.c:
        equal = sa.and_(equal, target.c.active == 1)
    changed = sa.exists().where(same_key, sa.not_(equal))
    connection.execute(sa.delete(target).where(changed))
    there = sa.exists().where(same_key)
    rows = sa.select(*(given.c[name] for name in names)).where(~there.correlate(given))
    connection.execute(sa.insert(target).from_select(names, rows))


def day_held(connection: sa.Connection, tables: Tables) -> dt.date | None:
    """Return the day that the current table is of, or None where it holds none."""
    import sqlalchemy as sa

    day: dt.date | None = connection.execute(sa.select(sa.func.max(tables.run.c.as_of))).scalar()
    return day


def hold(connection: sa.Connection, tables: Tables, given: sa.Table, sha256: str) -> None:
    """Say which run the current table holds; a row that says so already is left alone."""
    import sqlalchemy as sa

    names = ("as_of", "horizon_days", "currency")
    first = connection.execute(sa.select(*(given.c[n] for n in names)).limit(1)).mappings().first()
    if first is None:
        return
    wanted = {"scores_sha256": sha256, **first}
    held = connection.execute(sa.select(tables.run)).mappings().all()
    if [dict(row) for row in held] != [wanted]:
        connection.execute(sa.delete(tables.run))
        connection.execute(sa.insert(tables.run), [wanted])


def retire(connection: sa.Connection, current: sa.Table, given: sa.Table) -> None:
    """Empty and mark the rows of customers who have no score any more."""
    import sqlalchemy as sa

    there = sa.exists().where(given.c.customer_id == current.c.customer_id)
    connection.execute(_emptied(current, sa.and_(_full(current), ~there)))


def replace_day(connection: sa.Connection, history: sa.Table, given: sa.Table) -> None:
    """Make the history of the given rows' day those rows, touching only what differs."""
    import sqlalchemy as sa

    merge(connection, history, given, KEY)
    there = sa.exists().where(given.c.customer_id == history.c.customer_id)
    that_day = history.c.as_of.in_(sa.select(given.c.as_of).distinct())
    connection.execute(sa.delete(history).where(that_day, ~there))


def take_back(
    connection: sa.Connection, tables: Tables, days: Collection[dt.date], gone: Collection[str]
) -> None:
    """Take the runs of these days out of the history, and who came only with them.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    tables : Tables
    days : collection of datetime.date
    gone : collection of str
        Customers who stood in the current table before, without a score.
    """
    import sqlalchemy as sa

    history, current = tables.history, tables.current
    connection.execute(sa.delete(history).where(history.c.as_of.in_(sorted(days))))
    before = sa.exists().where(history.c.customer_id == current.c.customer_id)
    came = sa.select(current.c.customer_id).where(current.c.active == 1, ~before)
    going = sorted(set(connection.execute(came).scalars()) - set(gone))
    for at in range(0, len(going), ERASED_IDS):
        some = going[at : at + ERASED_IDS]
        connection.execute(sa.delete(current).where(current.c.customer_id.in_(some)))


def forget(
    connection: sa.Connection, table: sa.Table, ids: Sequence[str], *, write: bool, emptied: bool
) -> int:
    """Count customers' rows, and empty or delete them."""
    import sqlalchemy as sa

    if not sa.inspect(connection).has_table(table.name, schema=table.schema):
        return 0
    rows_held = 0
    for at in range(0, len(ids), ERASED_IDS):
        rows: Any = table.c.customer_id.in_(ids[at : at + ERASED_IDS])
        rows = sa.and_(rows, _full(table)) if emptied else rows
        rows_held += count(connection, table, rows)
        if write:
            connection.execute(_emptied(table, rows) if emptied else sa.delete(table).where(rows))
    return rows_held


def count(connection: sa.Connection, table: sa.Table, rows: Any) -> int:
    """Count the rows of a table for which something holds."""
    import sqlalchemy as sa

    return int(
        connection.execute(sa.select(sa.func.count()).select_from(table).where(rows)).scalar_one()
    )


def overwrite(engine: sa.Engine) -> None:
    """Write an SQLite file anew: what is deleted from it stays in its free pages."""
    if engine.dialect.name == "sqlite":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("vacuum")


def _full(current: sa.Table) -> Any:
    import sqlalchemy as sa

    return sa.or_(current.c.active == 1, current.c.clv.is_not(None))


def _emptied(current: sa.Table, rows: Any) -> Any:
    """Return the statement that leaves nothing in rows but the id."""
    import sqlalchemy as sa

    empty = {name: sa.null() for name in CURRENT if name not in KEY}
    return sa.update(current).where(rows).values(active=0, **empty)


def _columns(names: Sequence[str], key: tuple[str, ...]) -> Iterator[sa.Column[Any]]:
    import sqlalchemy as sa

    kinds: dict[pa.DataType, Any] = {
        pa.int64(): sa.BigInteger(),
        pa.float64(): sa.Double(),
        pa.bool_(): sa.Boolean(),
        pa.date32(): sa.Date(),
    }
    for name in names:
        kind = kinds.get(SCORES.field(name).type, sa.String(ID_CHARACTERS))
        yield sa.Column(name, kind, primary_key=name in key, autoincrement=False)
