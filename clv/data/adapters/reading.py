"""Reading a vendor's export: which files are which, and which of their columns are there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import ibis

from clv.data import csv_files, files
from clv.errors import SchemaError, SourceError, listing
from clv.notes import Note

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import ibis.expr.types as ir

    from clv.data.adapters.base import Adapter, Export
    from clv.data.duckdb_engine import DuckDBEngine

JSON_SUFFIXES = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz")
JSON_COLUMNS = ("json", "parent_id")
MANY = 20


@ibis.udf.scalar.builtin(name="json_extract_string", signature=(("string", "string"), "string"))
def _extract(text, path):  # type: ignore[no-untyped-def]
    """Return what lies at a path of a JSON text."""


@ibis.udf.scalar.builtin(name="json_keys", signature=(("string",), "array<string>"))
def _keys(text):  # type: ignore[no-untyped-def]
    """Return the keys of a JSON object."""


@dataclass
class Found:
    """What was found of an export.

    Attributes
    ----------
    inputs : dict of str to ibis Table
        By the exports' names, all columns text.
    rows : dict of str to int
    unread : dict of str to list of str
        Columns of the files that nothing is made of.
    notes : list of Note
    """

    inputs: dict[str, ir.Table] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    unread: dict[str, list[str]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)


def read_export(engine: DuckDBEngine, adapter: Adapter, place: Path) -> Found:
    """Read every file of an export.

    Parameters
    ----------
    engine : DuckDBEngine
    adapter : Adapter
    place : pathlib.Path
        A folder, or the file of an adapter that needs only one.

    Raises
    ------
    SourceError
        When a file that is needed is not there, or cannot be read.
    SchemaError
        When a column that is needed is not there.
    """
    sorted_files = _files(adapter, place)
    found = Found()
    for export in adapter.exports:
        raw, paths = _raw(engine, export, sorted_files)
        if raw is None:
            if export.needed:
                raise SourceError(
                    f"{adapter.kind}: no file {export.name}*.csv or {export.name}*.json in "
                    f"{place}. Expected the export described at {adapter.documentation}"
                )
            text = f"no file {export.name}*: what is made from it stays unknown"
            found.notes.append(Note("export_absent", adapter.kind, 0, text))
            raw = engine.frame(_nothing(export))
        else:
            _checked(engine, export, raw, paths, found)
        found.inputs[export.name] = _selected(export, raw)
        count = engine.to_pandas(raw.aggregate(rows=raw.count()))
        found.rows[export.name] = int(count["rows"].iloc[0])
    return found


def _files(adapter: Adapter, place: Path) -> dict[str, list[Path]]:
    """Sort the files by the export whose name theirs begins with, the longest name first."""
    if place.is_file():
        needed = next(export for export in adapter.exports if export.needed)
        return {needed.name: [place]}
    if not place.is_dir():
        raise SourceError(
            f"{adapter.kind}: no folder or file at {place}. Expected the export described at "
            f"{adapter.documentation}"
        )
    names = sorted((export.name for export in adapter.exports), key=len, reverse=True)
    sorted_files: dict[str, list[Path]] = {}
    for path in sorted(place.iterdir()):
        word = path.name.lower()
        kind = "json" if word.endswith(JSON_SUFFIXES) else files.format_of(path)
        owner = next((name for name in names if word.startswith(name.lower())), None)
        if kind in ("json", "csv") and owner is not None and path.is_file():
            sorted_files.setdefault(owner, []).append(path)
    return sorted_files


def _raw(
    engine: DuckDBEngine, export: Export, sorted_files: dict[str, list[Path]]
) -> tuple[ir.Table | None, Sequence[Path]]:
    """Return an export's rows as the files have them: text columns, or ``json``."""
    paths = sorted_files.get(export.name, [])
    if paths:
        if all(path.name.lower().endswith(JSON_SUFFIXES) for path in paths):
            return engine.read_json(paths, export.array or export.name), paths
        if any(path.name.lower().endswith(JSON_SUFFIXES) for path in paths):
            raise SourceError(
                f"{export.name}: {listing(path.name for path in paths)} are of both kinds; "
                "expected CSV or JSON. Remove one of them."
            )
        return csv_files.read_csv(
            engine, export.name, paths, delimiter=None, encoding="utf-8"
        ), paths
    if export.within is not None:
        parent, path, _ = export.within
        parents = sorted_files.get(parent, [])
        if parents and all(p.name.lower().endswith(JSON_SUFFIXES) for p in parents):
            return engine.read_json(parents, parent, path), parents
    return None, ()


def _checked(
    engine: DuckDBEngine, export: Export, raw: ir.Table, paths: Sequence[Path], found: Found
) -> None:
    """Refuse an export without its columns, and name those that nothing is made of."""
    if raw.columns == JSON_COLUMNS:
        keys = raw.select(key=_keys(raw.json).unnest()).distinct().order_by("key")
        names = engine.to_pandas(keys)["key"].tolist()
        roots = {c: export.paths.get(c, f"$.{c}").split(".")[1] for c in export.columns}
        if not names:
            return
    else:
        names = list(raw.columns)
        roots = {column: column for column in export.columns}
    missing = [c for c in export.required if roots[c] not in names]
    if export.within is not None and not paths[0].name.lower().startswith(export.name.lower()):
        missing = [column for column in missing if column != export.within[2]]
    if missing:
        raise SchemaError(
            f"{export.name}: {listing(path.name for path in paths)} lack the column "
            f"{listing(missing)}; found {listing(names, MANY)}. Export these columns too, or map "
            "the file yourself under `sources` in the settings."
        )
    unread = [name for name in names if name not in roots.values()]
    if unread:
        found.unread[export.name] = unread
        text = f"columns that nothing is made of: {listing(unread, MANY)}"
        found.notes.append(Note("column_unread", export.name, len(unread), text))


def _selected(export: Export, raw: ir.Table) -> ir.Table:
    """Return the export's columns, unknown where the files lack them."""
    if raw.columns == JSON_COLUMNS:
        made = {c: _extract(raw.json, export.paths.get(c, f"$.{c}")) for c in export.columns}
        if export.within is not None:
            own_id = export.within[2]
            made[own_id] = ibis.coalesce(made[own_id], raw.parent_id)
        return raw.select(**made)
    return raw.select(
        **{c: raw[c] if c in raw.columns else ibis.null("string") for c in export.columns}
    )


def _nothing(export: Export):  # type: ignore[no-untyped-def]
    import pyarrow as pa

    return pa.table({column: pa.array([], pa.string()) for column in export.columns})
