"""An import: a vendor's export in, tables of the contract out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import ibis

from clv.data.adapters.base import Manner
from clv.data.adapters.people import own_ids, with_customer
from clv.data.adapters.reading import read_export
from clv.data.expressions import compile_expression
from clv.data.lines import LinePolicy, apply_policies
from clv.errors import DataError, UsageError, listing
from clv.notes import Note, silent
from clv.schema import SCHEMA, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import ibis.expr.types as ir

    from clv.data.adapters.base import Adapter, Key, TableMap
    from clv.data.adapters.versions import Unique
    from clv.data.duckdb_engine import DuckDBEngine
    from clv.notes import OnProgress

RAW_KEY = "customer_key"
CONTACTS = "interactions.interaction_id"


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
    dates: str | None = None,
    encoding: str | None = None,
    region: str | None = None,
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
    timezone, dates, encoding, region : str, optional
        How the export is written (``Manner``).
    tables : sequence of str
        Only these; by default all.
    on_progress : OnProgress
        Called per table.

    Raises
    ------
    UsageError
        For a key, zone, encoding, country or table that is not known.
    SourceError, SchemaError
        When the export lacks a file or a column.
    StorageError
        When the result cannot be written.
    """
    key = _key(adapter, customer_by)
    wanted = _wanted(adapter, tables)
    manner = Manner(timezone, dates, encoding, region)
    found = read_export(engine, adapter, source, manner)
    known, known_notes = (
        (None, ()) if identities is None else own_ids(engine, identities, adapter, key, manner)
    )
    for message, rows_refused in adapter.refusals(found.inputs).items():
        refused = _count(engine, rows_refused)
        if refused:
            raise DataError(message.format(n=f"{refused:,}"))
    inputs = adapter.prepare(found.inputs)
    written: dict[str, Path] = {}
    rows: dict[str, int] = {}
    notes = [
        *found.notes,
        *known_notes,
        *(Note("read_as", adapter.kind, 0, text) for text in adapter.remarks),
    ]
    contacts: ir.Table | None = None
    for done, table in enumerate(_in_need(adapter, wanted)):
        on_progress(table.table, done, len(wanted))
        own, left_out = apply_policies(
            engine,
            inputs[table.source],
            [LinePolicy(name, when) for name, when in table.left_out.items()],
            table.table,
        )
        left_out = [note for note in left_out if note.count]
        made, spelled = _mapped(engine, own, table, adapter, key, known, manner)
        mapped = engine.cache(made)
        kept, nameless = _owned(engine, mapped, table, key)
        kept, loose = _of_contacts(engine, kept, table, contacts)
        kept, shared = _once(engine, kept, table)
        if table.table == "interactions":
            contacts = engine.cache(kept.select("interaction_id").distinct())
        if table in wanted:
            notes += [*left_out, *spelled, *nameless, *loose, *shared]
            count = _count(engine, kept)
            if count:
                written[table.table] = _write(
                    engine, _in_order(kept, table.table), out / table.table, adapter.kind
                )
                rows[table.table] = count
        engine.release(mapped)
    on_progress("tables", len(wanted), len(wanted))
    return Imported(adapter.kind, written, rows, found.rows, found.unread, tuple(notes))


def _in_need(adapter: Adapter, wanted: Sequence[TableMap]) -> list[TableMap]:
    """Return the tables to make, the contacts before what refers to them."""
    refers = any(CONTACTS in _references(table) for table in wanted)
    made = [t for t in adapter.tables if t in wanted or (refers and t.table == "interactions")]
    return sorted(made, key=lambda table: CONTACTS in _references(table))


def _references(table: TableMap) -> list[str | None]:
    return [SCHEMA[table.table][name].references for name in table.columns]


def _owned(
    engine: DuckDBEngine, mapped: ir.Table, table: TableMap, key: Key
) -> tuple[ir.Table, list[Note]]:
    """Return the rows that belong to a customer, and how many do not."""
    if not table.customer:
        return mapped, []
    kept = mapped.filter(mapped.customer_id.notnull())
    nameless = _count(engine, mapped) - _count(engine, kept)
    text = f"rows left out: no {key.column} that says whose they are"
    return kept, [Note("no_customer", table.table, nameless, text)] if nameless else []


def _of_contacts(
    engine: DuckDBEngine, rows: ir.Table, table: TableMap, contacts: ir.Table | None
) -> tuple[ir.Table, list[Note]]:
    """Return the rows of contacts that are imported, and how many are of others."""
    if contacts is None or CONTACTS not in _references(table):
        return rows, []
    kept = rows.semi_join(contacts, "interaction_id")
    loose = _count(engine, rows) - _count(engine, kept)
    text = "rows left out: their contact is left out, or not in the export"
    return kept, [Note("no_contact", table.table, loose, text)] if loose else []


def _once(engine: DuckDBEngine, rows: ir.Table, table: TableMap) -> tuple[ir.Table, list[Note]]:
    """Make one customer of the records that share a key, such as the contacts of an account.

    Of each column the value given first counts, in the order of sign-up, then of content.
    """
    if table.table != "customers":
        return rows, []
    people = rows.group_by("customer_id").aggregate(records=rows.count())
    more = _count(engine, rows) - _count(engine, people)
    if not more:
        return rows, []
    others = [name for name in rows.columns if name != "customer_id"]
    order = [name for name in ("signed_up_at", *others) if name in others]
    by_age = ibis.window(group_by="customer_id", order_by=[rows[name].asc() for name in order])
    placed = engine.cache(rows.mutate(place=ibis.row_number().over(by_age)))
    first = {
        name: placed[name].argmin(placed.place, where=placed[name].notnull()) for name in others
    }
    made = engine.cache(placed.group_by("customer_id").aggregate(**first))
    text = "records that share a customer made one, with what was first given of each column"
    return made.select(*rows.columns), [Note("customer_shared", table.table, more, text)]


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


def _mapped(
    engine: DuckDBEngine,
    own: ir.Table,
    table: TableMap,
    adapter: Adapter,
    key: Key,
    known: Unique | None,
    manner: Manner,
) -> tuple[ir.Table, tuple[Note, ...]]:
    """Return the rows of one table of the contract, all of them text."""
    where = f"{adapter.kind}.{table.table}"
    made: dict[str, ir.Value] = {}
    for name, text in table.columns.items():
        value = compile_expression(text, own, where=f"{where}.{name}").cast("string")
        made[name] = _worded(value, table.words[name]) if name in table.words else value
    if not table.customer:
        return own.select(**made), ()
    rows = own.select(**made, **{RAW_KEY: own[key.column]})
    rows, notes = with_customer(
        engine, rows, replace(key, column=RAW_KEY), known, manner, table.table
    )
    return rows.select("customer_id", *made), notes


def _worded(value: ir.Value, words: Mapping[str, str]) -> ir.Value:
    """Translate a vendor's words; others are lowered."""
    low = value.strip().lower()
    return ibis.cases(*((low == word, text) for word, text in words.items()), else_=low)


def _in_order(rows: ir.Table, table: str) -> ir.Table:
    """Sort rows by their key, then by content: the same rows are the same bytes."""
    own_key = [name for name in SCHEMA[table].key if name in rows.columns]
    order: list[ir.Value] = []
    for name in (*own_key, *(name for name in rows.columns if name not in own_key)):
        whole = SCHEMA[table][name].kind is Kind.INTEGER  # 2 before 10
        order += [rows[name].length(), rows[name]] if whole else [rows[name]]
    return rows.order_by(order)


def _write(engine: DuckDBEngine, rows: ir.Table, folder: Path, kind: str) -> Path:
    """Write a table so that it appears whole, for this user only."""
    target = folder / f"{kind}.parquet"
    engine.to_parquet(rows, target)
    return target
