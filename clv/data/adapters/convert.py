"""An import: a vendor's export in, tables of the contract out."""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis

from clv.data import csv_files
from clv.data.adapters.base import alike, pseudonym, utc
from clv.data.adapters.reading import read_export
from clv.data.expressions import compile_expression
from clv.data.lines import LinePolicy, apply_policies
from clv.errors import SchemaError, UsageError, listing, storing
from clv.notes import Note, silent
from clv.schema import SCHEMA, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import ibis.expr.types as ir

    from clv.data.adapters.base import Adapter, Key, TableMap
    from clv.data.duckdb_engine import DuckDBEngine
    from clv.notes import OnProgress

PRIVATE = 0o600
RAW_KEY = "customer_key"


@dataclass(frozen=True)
class Imported:
    """What an import made.

    Attributes
    ----------
    kind : str
    tables : dict of str to Path
        The files, by the contract's names.
    rows : dict of str to int
        In them.
    read : dict of str to int
        Rows of the export's files.
    unread : dict of str to list of str
        Columns of the export that nothing is made of.
    notes : tuple of Note
        What was left out, absent, or read in one of several possible ways.
    """

    kind: str
    tables: dict[str, Path]
    rows: dict[str, int]
    read: dict[str, int]
    unread: dict[str, list[str]]
    notes: tuple[Note, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return import.json."""
        return {
            "kind": self.kind,
            "tables": {name: str(path) for name, path in self.tables.items()},
            "rows": self.rows,
            "read": self.read,
            "unread": self.unread,
            "notes": [note.as_dict() for note in self.notes],
        }


def convert(
    engine: DuckDBEngine,
    adapter: Adapter,
    source: Path,
    out: Path,
    *,
    customer_by: str | None = None,
    identities: Path | None = None,
    timezone: str = "UTC",
    tables: Sequence[str] = (),
    on_progress: OnProgress = silent,
) -> Imported:
    """Turn a vendor's export into tables of the contract.

    Parameters
    ----------
    engine : DuckDBEngine
    adapter : Adapter
    source : pathlib.Path
        The export's folder, or its only file.
    out : pathlib.Path
        ``out/<table>/<kind>.parquet``: several imports into one folder add up, the same one
        again replaces its own files.
    customer_by : str, optional
        One of the adapter's keys.
    identities : pathlib.Path, optional
        CSV of ``key`` (an e-mail address, a phone number or an id) and ``customer_id``.
    timezone : str
        Of times without an offset, such as ``Europe/Berlin``.
    tables : sequence of str
        Only these; by default all.
    on_progress : OnProgress
        Called per table.

    Raises
    ------
    UsageError
        For a key, zone or table that is not known.
    SourceError, SchemaError
        When the export lacks a file or a column.
    StorageError
        When the result cannot be written.
    """
    key = _key(adapter, customer_by)
    wanted = _wanted(adapter, tables)
    if timezone not in zoneinfo.available_timezones():
        raise UsageError(f"timezone {timezone!r} is not known; expected one as Europe/Berlin.")
    found = read_export(engine, adapter, source)
    known = None if identities is None else _identities(engine, identities, key)
    inputs = adapter.prepare(found.inputs)
    written: dict[str, Path] = {}
    rows: dict[str, int] = {}
    notes = [*found.notes, *(Note("read_as", adapter.kind, 0, text) for text in adapter.remarks)]
    for done, table in enumerate(wanted):
        on_progress(table.table, done, len(wanted))
        own, left_out = apply_policies(
            engine,
            inputs[table.source],
            [LinePolicy(name, when) for name, when in table.left_out.items()],
            table.table,
        )
        notes += [note for note in left_out if note.count]
        mapped = engine.cache(_mapped(own, table, adapter, key, known, timezone))
        kept, count, nameless = _owned(engine, mapped, table, key)
        notes += nameless
        if count:
            written[table.table] = _write(engine, kept, out / table.table, adapter.kind)
            rows[table.table] = count
        engine.release(mapped)
    on_progress("tables", len(wanted), len(wanted))
    return Imported(adapter.kind, written, rows, found.rows, found.unread, tuple(notes))


def _owned(
    engine: DuckDBEngine, mapped: ir.Table, table: TableMap, key: Key
) -> tuple[ir.Table, int, tuple[Note, ...]]:
    """Return the rows that belong to a customer, their count, and how many do not."""
    kept = mapped.filter(mapped.customer_id.notnull()) if table.customer else mapped
    count = _count(engine, kept)
    nameless = _count(engine, mapped) - count
    if not nameless:
        return kept, count, ()
    text = f"rows left out: no {key.column} that says whose they are"
    return kept, count, (Note("no_customer", table.table, nameless, text),)


def _count(engine: DuckDBEngine, rows: ir.Table) -> int:
    return int(engine.to_pandas(rows.aggregate(n=rows.count()))["n"].iloc[0])


def _key(adapter: Adapter, word: str | None) -> Key:
    chosen = word or next(iter(adapter.keys))
    if chosen not in adapter.keys:
        raise UsageError(
            f"{adapter.kind}: customers cannot be told by {chosen!r}; "
            f"expected {listing(adapter.keys)}."
        )
    return adapter.keys[chosen]


def _wanted(adapter: Adapter, tables: Sequence[str]) -> list[TableMap]:
    made = [table.table for table in adapter.tables]
    unknown = [name for name in tables if name not in made]
    if unknown:
        raise UsageError(
            f"{adapter.kind}: makes no table {listing(unknown)}; it makes {listing(made, 10)}."
        )
    return [table for table in adapter.tables if not tables or table.table in tables]


def _identities(engine: DuckDBEngine, path: Path, key: Key) -> ir.Table:
    """Return the company's own ids by key, each key once."""
    rows = csv_files.read_csv(engine, "identities", [path], delimiter=None, encoding="utf-8")
    missing = [name for name in ("key", "customer_id") if name not in rows.columns]
    if missing:
        raise SchemaError(
            f"identities: {path} lacks the column {listing(missing)}; found "
            f"{listing(rows.columns)}. Expected key and customer_id."
        )
    same = rows.select(known_key=alike(rows.key, key.style), known_id=rows.customer_id)
    held = engine.cache(same.filter(same.known_key.notnull()).distinct())
    twice = held.group_by("known_key").aggregate(n=held.count()).filter(lambda t: t.n > 1)
    count = _count(engine, twice)
    if count:
        raise SchemaError(
            f"identities: {path} gives {count:,} keys more than one customer_id; expected one. "
            "Remove the others."
        )
    return held


def _mapped(
    own: ir.Table,
    table: TableMap,
    adapter: Adapter,
    key: Key,
    known: ir.Table | None,
    zone: str,
) -> ir.Table:
    """Return the rows of one table of the contract, all of them text."""
    where = f"{adapter.kind}.{table.table}"
    made: dict[str, ir.Value] = {}
    for name, text in table.columns.items():
        value = compile_expression(text, own, where=f"{where}.{name}").cast("string")
        if name in table.words:
            value = _worded(value, table.words[name])
        is_time = SCHEMA[table.table][name].kind is Kind.TIME
        made[name] = utc(value, zone) if is_time else value
    if not table.customer:
        return own.select(**made)
    rows = own.select(**made, **{RAW_KEY: alike(own[key.column], key.style)})
    own_id = rows[RAW_KEY] if key.style == "id" else pseudonym(rows[RAW_KEY])
    if known is not None:
        rows = rows.left_join(known, rows[RAW_KEY] == known.known_key)
        own_id = ibis.coalesce(
            rows.known_id, rows[RAW_KEY] if key.style == "id" else pseudonym(rows[RAW_KEY])
        )
    return rows.select(customer_id=own_id, **{name: rows[name] for name in made})


def _worded(value: ir.Value, words: Mapping[str, str]) -> ir.Value:
    """Translate a vendor's words; others are lowered."""
    low = value.strip().lower()
    return ibis.cases(*((low == word, text) for word, text in words.items()), else_=low)


def _write(engine: DuckDBEngine, rows: ir.Table, folder: Path, kind: str) -> Path:
    """Write a table so that it appears whole, for this user only."""
    target = folder / f"{kind}.parquet"
    staged = folder / f".{kind}.parquet"
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        staged.touch(PRIVATE)
        engine.to_parquet(rows, staged)
        staged.chmod(PRIVATE)
        staged.replace(target)
    return target
