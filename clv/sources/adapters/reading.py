"""Reading a vendor's export: which files are which, and which of their columns are there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import ibis

from clv.errors import SchemaError, SourceError, listing
from clv.notes import Note
from clv.sources import bounds, csv_files, files
from clv.sources.adapters.base import Manner
from clv.sources.customers import count_rows
from clv.sources.exports.cells import refuse_rounded
from clv.sources.exports.encodings import UTF_8, as_utf_8, encoding_of
from clv.sources.exports.times import dates_order, time_text
from clv.sources.exports.versions import VERSION, newest, version_of
from clv.storage import folder

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import ibis.expr.types as ir

    from clv.engines.duckdb import DuckDBEngine
    from clv.sources.adapters.base import Adapter, Export

JSON_SUFFIXES = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
MANY = 20
_WHOLE = "whole_"
OBJECT = "whole_object"
"""The column of whole JSON objects, kept where other exports lie within them."""

CUSTOM = re.compile(r"__[a-z]+$")
"""How the names of a company's own Salesforce objects end."""


@ibis.udf.scalar.builtin(name="json_extract_string", signature=(("string", "string"), "string"))
def _extract(text, path):  # type: ignore[no-untyped-def]
    """Return what lies at a path of a JSON text."""


@ibis.udf.scalar.builtin(name="json_extract", signature=(("string", "string"), "json"))
def _extract_one(text, path):  # type: ignore[no-untyped-def]
    """Return the JSON at a path of a JSON text."""


@ibis.udf.scalar.builtin(name="json_extract", signature=(("string", "string"), "array<json>"))
def _extract_list(text, path):  # type: ignore[no-untyped-def]
    """Return all the JSON at a path with a star."""


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
    absent : dict of str to list of str
        Columns that one of the files lacks.
    notes : list of Note
    """

    inputs: dict[str, ir.Table] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    unread: dict[str, list[str]] = field(default_factory=dict)
    absent: dict[str, list[str]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)


def read_export(
    engine: DuckDBEngine,
    adapter: Adapter,
    place: Path | Mapping[str, Sequence[Path]],
    manner: Manner | None = None,
) -> Found:
    """Read every file of an export; of each record the newest version.

    Parameters
    ----------
    engine : DuckDBEngine
    adapter : Adapter
    place : pathlib.Path, or mapping of str to sequence of pathlib.Path
        A folder, or the file of an adapter that needs only one; or the files of each export.
    manner : Manner, optional
        How it is written; by default as the files tell.

    Raises
    ------
    SourceError
        When a file that is needed is not there, or cannot be read.
    SchemaError
        When a column that is needed is not there.
    DataError
        When a spreadsheet has rounded ids, or dates come in two orders.
    UsageError
        When nothing tells the order of month and day.
    """
    manner = manner or Manner()
    if isinstance(place, Path):
        owned, others = _files(adapter, place)
    else:
        owned, others = {name: list(paths) for name, paths in place.items()}, []
    found = Found()
    if others:
        text = f"files that are no part of this import: {listing(others, MANY)}"
        found.notes.append(Note("file_unread", adapter.kind, len(others), text))
    holders: dict[str, ir.Table] = {}
    for export in adapter.exports:
        parts = _parts(engine, adapter, export, owned.get(export.name, []), manner, found)
        parts += _nested(engine, adapter, export, holders, found)
        if not parts and export.needed:
            raise SourceError(
                f"{adapter.kind}: no file {export.name}*.csv or {export.name}*.json in "
                f"{place}. Expected the export described at {adapter.documentation}"
            )
        if not parts:
            text = f"no file {export.name}*: what is made from it stays unknown"
            found.notes.append(Note("export_absent", adapter.kind, 0, text))
            parts = [engine.frame(_nothing(export))]
        # Computed here once: what follows asks for these cells again and again.
        rows = engine.cache(ibis.union(*parts) if len(parts) > 1 else parts[0])
        found.rows[export.name] = count_rows(engine, rows)
        refuse_rounded(engine, export.name, rows, export.ids)
        rows = export.refine(_dated(engine, export, rows, manner, found))
        rows, repeated = newest(engine, rows, export.key)
        if repeated:
            by = " and ".join(export.versions) or "what it holds"
            text = f"older versions of a record left out; the newest is told by {by}"
            found.notes.append(Note("record_repeated", export.name, repeated, text))
        _name_columns(adapter, export, found)
        if OBJECT in rows.columns:
            holders[export.name] = rows
        apart = [name for name in rows.columns if name == OBJECT or name.startswith(VERSION)]
        found.inputs[export.name] = rows.drop(*apart)
    return found


def _files(adapter: Adapter, place: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """Sort the files by the export whose name theirs has; return the names of others too."""
    if place.is_file():
        needed = next(export for export in adapter.exports if export.needed)
        return {needed.name: [place]}, []
    if not place.is_dir():
        raise SourceError(
            f"{adapter.kind}: no folder or file at {place}. Expected the export described at "
            f"{adapter.documentation}"
        )
    owned: dict[str, list[Path]] = {}
    others: list[str] = []
    for path in sorted(place.iterdir()):
        if not path.is_file() or path.name.startswith("."):
            continue
        kind = "json" if path.name.lower().endswith(JSON_SUFFIXES) else files.format_of(path)
        names = [export.name for export in adapter.exports if is_of(path.name, export.name)]
        if kind in ("json", "csv") and names:
            owned.setdefault(max(names, key=len), []).append(path)
        else:
            others.append(path.name)
    return owned, others


def is_of(file: str, export: str) -> bool:
    """Say whether a file's name is an export's, with a number or a date behind it or not.

    Examples
    --------
    >>> [is_of(name, "Case") for name in ("Case.csv", "case_2025-06.csv", "Case (2).csv")]
    [True, True, True]
    >>> [is_of(name, "Case") for name in ("CaseComment.csv", "Case_Cost__c.csv")]
    [False, False]
    """
    stem = file.lower().partition(".")[0]
    behind = stem.removeprefix(export.lower())
    return behind != stem and not behind[:1].isalpha() and CUSTOM.search(behind) is None


def _parts(
    engine: DuckDBEngine,
    adapter: Adapter,
    export: Export,
    paths: Sequence[Path],
    manner: Manner,
    found: Found,
) -> list[ir.Table]:
    """Return the rows of an export's files."""
    for path in paths:
        bounds.unpacks(export.name, path)
    in_json = [path for path in paths if path.name.lower().endswith(JSON_SUFFIXES)]
    if in_json and len(in_json) < len(paths):
        raise SourceError(
            f"{export.name}: {listing(path.name for path in paths)} are of both kinds; "
            "expected CSV or JSON. Remove one of them."
        )
    if in_json:
        told = [(path, _encoding(export, path, manner, found)) for path in paths]
        in_utf_8 = [
            path if encoding == UTF_8 else as_utf_8(path, encoding, folder(engine.scratch()))
            for path, encoding in told
        ]
        raw = engine.read_json(in_utf_8, export.array or export.name)
        _checked_objects(engine, export, raw, found)
        holds = any(other.within and other.within[0] == export.name for other in adapter.exports)
        more = {OBJECT: raw.json} if holds else {}
        return [raw.select(**_columns(adapter, export, _of_object(export, raw.json)), **more)]
    parts = []
    for path in paths:
        encoding = _encoding(export, path, manner, found)
        raw = csv_files.read_csv(
            engine, export.name, [path], delimiter=None, encoding=encoding, mapped=False
        )
        _checked(export, raw.columns, path.name, export.required, found)
        parts.append(raw.select(**_columns(adapter, export, _of_row(raw))))
    return parts


def _encoding(export: Export, path: Path, manner: Manner, found: Found) -> str:
    """Return a file's encoding, and name one that is not UTF-8."""
    encoding = encoding_of(path, manner.encoding)
    if encoding not in (manner.encoding, UTF_8):
        text = f"{path.name} is read as {encoding} text; --encoding says otherwise"
        found.notes.append(Note("encoding", export.name, 0, text))
    return encoding


def _nested(
    engine: DuckDBEngine,
    adapter: Adapter,
    export: Export,
    holders: dict[str, ir.Table],
    found: Found,
) -> list[ir.Table]:
    """Return the objects that lie within the newest version of another export's objects."""
    if export.within is None or export.within[0] not in holders:
        return []
    parent, path, own_id = export.within
    held = holders[parent]
    objects = held[OBJECT]
    inner = _extract_list(objects, path).unnest() if "*" in path else _extract_one(objects, path)
    raw = held.select(json=inner, parent_id=held.id)
    raw = raw.mutate(json=raw.json.cast("string"), file=ibis.literal(f"{parent}, {path}"))
    raw = engine.cache(raw.filter(raw.json != "null"))
    _checked_objects(engine, export, raw, found, given=(own_id,))
    value = _of_object(export, raw.json)

    def cell(column: str) -> ir.Value:
        return ibis.coalesce(value(column), raw.parent_id) if column == own_id else value(column)

    return [raw.select(**_columns(adapter, export, cell))]


def _checked_objects(
    engine: DuckDBEngine, export: Export, raw: ir.Table, found: Found, given: Collection[str] = ()
) -> None:
    """Check the keys of JSON objects, file by file."""
    keys = raw.select(raw.file, key=_keys(raw.json).unnest()).distinct()
    frame = engine.to_pandas(keys.order_by("file", "key"))
    required = [column for column in export.required if column not in given]
    for place, names in frame.groupby("file")["key"]:
        name = str(place).rpartition("/")[2]
        _checked(export, list(names), name, required, found, in_json=True)


def _checked(
    export: Export,
    names: Sequence[str],
    file: str,
    required: Sequence[str],
    found: Found,
    *,
    in_json: bool = False,
) -> None:
    """Refuse a file without the columns that are needed; note those that nothing is made of."""
    roots = {
        column: export.paths.get(column, f"$.{column}").split(".")[1] if in_json else column
        for column in export.columns
    }
    missing = [column for column in required if roots[column] not in names]
    if missing:
        raise SchemaError(
            f"{export.name}: {listing([file])} lacks the column {listing(missing)}; found "
            f"{listing(names, MANY)}. Export these columns too, or map the file yourself under "
            "`sources` in the settings."
        )
    unread = found.unread.setdefault(export.name, [])
    unread += [name for name in names if name not in roots.values() and name not in unread]
    absent = found.absent.setdefault(export.name, [])
    absent += [c for c in export.optional if roots[c] not in names and c not in absent]


def _name_columns(adapter: Adapter, export: Export, found: Found) -> None:
    """Note the columns that nothing is made of, and those that could be made more of."""
    inside = [e.within[1].split(".")[1] for e in adapter.exports if e.within is not None]
    taken = {name.removesuffix("[*]") for name in inside}
    unread = [name for name in found.unread.get(export.name, ()) if name not in taken]
    found.unread[export.name] = unread
    if not unread:
        found.unread.pop(export.name, None)
    for code, columns, text in (
        ("column_unread", found.unread, "columns that nothing is made of"),
        ("column_absent", found.absent, "columns that a file lacks, unknown there"),
    ):
        names = columns.get(export.name)
        if names:
            message = f"{text}: {listing(names, MANY)}"
            found.notes.append(Note(code, export.name, len(names), message))


def _of_object(export: Export, json: ir.Value) -> Callable[[str], ir.Value]:
    """Return how a column is taken from a JSON object."""
    return lambda column: _extract(json, export.paths.get(column, f"$.{column}"))


def _of_row(raw: ir.Table) -> Callable[[str], ir.Value]:
    """Return how a column is taken from a row; unknown where the file lacks it."""
    return lambda column: raw[column] if column in raw.columns else ibis.null("string")


def _columns(
    adapter: Adapter, export: Export, cell: Callable[[str], ir.Value]
) -> dict[str, ir.Value]:
    """Return an export's columns, ids written alike, beside what says how new a version is."""
    made: dict[str, ir.Value] = {}
    for column in export.columns:
        text = cell(column)
        if column in export.ids:
            text = adapter.id_form(text.strip().nullif(""))
        made[column] = text
    for place, column in enumerate(export.versions):
        made[f"{VERSION}{place}"] = cell(column)
    return made


def _dated(
    engine: DuckDBEngine, export: Export, rows: ir.Table, manner: Manner, found: Found
) -> ir.Table:
    """Write times in UTC, and versions as numbers."""
    parts = range(len(export.versions))
    aged = {name: f"{VERSION}{n}" for n, name in enumerate(export.versions)}
    times = {name: rows[name] for name in export.times} | {
        name: rows[column] for name, column in aged.items()
    }
    order, notes = dates_order(engine, export.name, rows.select(**times), [*times], manner.dates)
    found.notes += notes
    read = {c: rows[c] for c in export.times} | {
        f"{_WHOLE}{n}": rows[f"{VERSION}{n}"] for n in parts
    }
    if not read:
        return rows
    dated = {name: time_text(text, manner.timezone, order) for name, text in read.items()}
    held = engine.cache(rows.mutate(**dated))
    ages = {f"{VERSION}{n}": version_of(held[f"{VERSION}{n}"], held[f"{_WHOLE}{n}"]) for n in parts}
    return held.mutate(**ages).drop(*(f"{_WHOLE}{n}" for n in parts))


def _nothing(export: Export):  # type: ignore[no-untyped-def]
    import pyarrow as pa

    fields = [(column, pa.string()) for column in export.columns]
    fields += [(f"{VERSION}{place}", pa.string()) for place in range(len(export.versions))]
    return pa.schema(fields).empty_table()
