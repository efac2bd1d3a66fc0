"""An import: a vendor's export in, tables of the contract out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis

from clv.errors import DataError, UsageError, listing
from clv.notes import Note, silent
from clv.sources.adapters.base import Manner
from clv.sources.adapters.reading import read_export
from clv.sources.adapters.tables import TableMaker, in_order
from clv.sources.customers import count_rows
from clv.sources.exports.people import own_ids
from clv.sources.identity.graph import COMPANY
from clv.sources.replacing import Replacement, earlier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import ibis.expr.types as ir

    from clv.engines.duckdb import DuckDBEngine
    from clv.notes import OnProgress
    from clv.sources.adapters.base import Adapter, TableMap
    from clv.sources.exports.people import Known


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
    record : Path
        import-<kind>.json, which says the same.
    """

    kind: str
    tables: dict[str, Path]
    rows: dict[str, int]
    read: dict[str, int]
    unread: dict[str, list[str]]
    notes: tuple[Note, ...]
    record: Path

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


@dataclass(frozen=True)
class ImportOptions(Manner):
    """How an export is written, and what is made of it.

    Attributes
    ----------
    customer_by : str or None
        One of the adapter's keys; by default its first.
    identities : str, pathlib.Path or None
        CSV of ``key`` (an e-mail address, a phone number or an id) and ``customer_id``.
    tables : sequence of str
        Only these; by default all.
    """

    customer_by: str | None = None
    identities: str | Path | None = None
    tables: Sequence[str] = ()


def convert(
    engine: DuckDBEngine,
    adapter: Adapter,
    source: str | Path | Mapping[str, Sequence[Path]],
    out: str | Path,
    *,
    options: ImportOptions | None = None,
    on_progress: OnProgress = silent,
) -> Imported:
    """Turn a vendor's export into tables of the contract.

    Parameters
    ----------
    engine : DuckDBEngine
    adapter : Adapter
    source : str, pathlib.Path, or mapping of str to sequence of pathlib.Path
        The export's folder, or its only file; or the files of each export.
    out : str or pathlib.Path
        ``out/<table>/<kind>.parquet``: imports of several kinds into one folder add up; one of
        the same kind replaces all files of the one before, in one moment.
    options : ImportOptions, optional
        How the export is written, and what is made of it.
    on_progress : OnProgress
        Called per table.

    Raises
    ------
    UsageError
        For a key, zone, encoding, country or table that is not known.
    SourceError, SchemaError
        When the export lacks a file or a column.
    LockError
        When another import of this kind writes there.
    StorageError
        When the result cannot be written; the one before stays whole.
    """
    options, out = options or ImportOptions(), Path(out)
    _check_key(adapter, options.customer_by)
    wanted = _wanted(adapter, options.tables)
    place = Path(source) if isinstance(source, str | Path) else source
    found = read_export(engine, adapter, place, options)
    known, known_notes = (
        (None, ())
        if options.identities is None
        else own_ids(engine, Path(options.identities), adapter, options)
    )
    for message, rows_refused in adapter.refusals(found.inputs).items():
        refused = count_rows(engine, rows_refused)
        if refused:
            raise DataError(message.format(n=f"{refused:,}"))
    maker = TableMaker(
        engine, adapter, adapter.prepare(found.inputs), options.customer_by, known, options
    )
    lost = {text: count_rows(engine, rows) for text, rows in adapter.losses(found.inputs).items()}
    notes = [
        *found.notes,
        *known_notes,
        *(Note("belongs_nowhere", adapter.kind, n, text) for text, n in lost.items() if n),
        *(Note("read_as", adapter.kind, 0, text) for text in adapter.remarks),
    ]
    rows: dict[str, int] = {}
    with Replacement(out, adapter.kind) as new:
        for done, table in enumerate(wanted):
            on_progress(table.table, done, len(wanted))
            made, found_there = maker.make(table)
            notes += found_there
            count = count_rows(engine, made)
            if count:
                engine.to_parquet(in_order(made, table.table), new.path(table.table))
                rows[table.table] = count
        people = _identities(maker, known)
        if people is not None:
            ordered = people.order_by(people.columns)
            engine.to_parquet(ordered, new.path("identities"))
        kept = {*rows, "identities"}
        gone = [name for name in earlier(out, adapter.kind) if name not in kept]
        if gone:
            text = f"tables of an earlier import removed, as this one makes none: {listing(gone)}"
            notes.append(Note("table_removed", adapter.kind, len(gone), text))
        paths = {name: out / name / f"{adapter.kind}.parquet" for name in rows}
        imported = Imported(
            adapter.kind, paths, rows, found.rows, found.unread, tuple(notes), new.record
        )
        new.decide(imported.as_dict())
    on_progress("tables", len(wanted), len(wanted))
    return imported


def _check_key(adapter: Adapter, word: str | None) -> None:
    if word is not None and word not in adapter.keys:
        raise UsageError(
            f"{adapter.kind}: customers cannot be told by {word!r}; "
            f"expected {listing(adapter.keys)}."
        )


def _identities(maker: TableMaker, known: Known | None) -> ir.Table | None:
    """Return the keys that people are told by, those of the company's own file among them."""
    rows = maker.identities()
    if known is None or rows is None:
        return rows
    own = known.rows.select(
        unit=ibis.literal("customer"),
        unit_id="customer_id",
        system=ibis.literal(COMPANY),
        kind="kind",
        key="key",
    )
    return rows.union(own, distinct=True)


def _wanted(adapter: Adapter, tables: Sequence[str]) -> list[TableMap]:
    made = [table.table for table in adapter.tables]
    unknown = [name for name in tables if name not in made]
    if unknown:
        raise UsageError(
            f"{adapter.kind}: makes no table {listing(unknown)}; it makes {listing(made, 10)}."
        )
    return [table for table in adapter.tables if not tables or table.table in tables]
