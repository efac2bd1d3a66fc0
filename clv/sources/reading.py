"""Reading a company's tables as its sources have them, mapped to the contract's columns."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis

from clv.errors import SettingsError, SourceError, listing
from clv.schema import SCHEMA
from clv.sources import bounds, csv_files, files, replacing
from clv.sources.customers import records_once
from clv.sources.expressions import compile_expression
from clv.sources.identity.options import IdentityOptions
from clv.sources.identity.resolve import IDENTITIES, Identities, resolve
from clv.sources.lines import apply_policies, match_cancellations
from clv.sources.names import own_column
from clv.sources.spec import CATALOG, DUCKDB_SUFFIXES, SourceSpec, TableSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

    from clv.engines.base import Engine
    from clv.notes import Note


@dataclass(frozen=True)
class RawTables:
    """A company's tables under the contract's names, not yet checked.

    Attributes
    ----------
    engine : Engine
        Holds them.
    frames : mapping of str to ibis Table
        In whatever types the source has.
    notes : tuple of Note
        What policies dropped or kept on the way here.
    identities : Identities, optional
        Whose records were joined by what.
    """

    engine: Engine
    frames: Mapping[str, ir.Table]
    notes: tuple[Note, ...] = ()
    identities: Identities | None = None


def read_sources(engine: Engine, spec: SourceSpec, *, root: str | Path = Path()) -> RawTables:
    """Read every table of the contract that the source has.

    Parameters
    ----------
    engine : Engine
        Where to hold them.
    spec : SourceSpec
        Where they are.
    root : str or pathlib.Path
        Where relative paths start; by default the working directory.

    Raises
    ------
    SourceError
        When a file or database is missing or cannot be read.
    SettingsError
        When an expression of the mapping means nothing.
    """
    root = Path(root)
    if not (spec.folder or spec.database or spec.tables):
        raise SourceError(
            "sources: none is given; expected a folder of tables, a database, or mapped tables. "
            "Pass --data DIR, or set sources.folder in the settings."
        )
    base = root / spec.folder if spec.folder else root
    if spec.folder and not base.is_dir():
        raise SourceError(
            f"sources.folder: no folder at {base}. Expected one with orders.parquet, orders.csv or "
            "orders/; mend the path in the settings, or pass --data."
        )
    if spec.folder:
        replacing.complete(base)
    frames: dict[str, ir.Table] = {}
    notes: list[Note] = []
    for name, table_spec in _resolved(spec, base).items():
        own = _read(engine, name, table_spec, spec, base)
        frames[name], found = mapped(engine, own, table_spec, name)
        notes.extend(found)
    identities = None
    keys = _keys(engine, base) if spec.folder else None
    if (spec.identity or IdentityOptions(join=keys is not None)).join:
        options = spec.identity or IdentityOptions()
        frames, identities, found = resolve(engine, frames, keys, options)
        notes.extend(found)
    elif spec.folder and len(replacing.imports_of(base, "customers")) > 1:
        # Two vendors know the same people: their records add up to one row.
        frames["customers"], shared = records_once(engine, frames["customers"])
        notes.extend(shared)
    if "orders" not in frames:
        place = str(base) if spec.folder else (spec.tables and "sources") or "sources.database"
        held = sorted(p.name for p in base.iterdir()) if spec.folder else sorted(frames)
        raise SourceError(
            f"orders: no such table in {place}; found {listing(held) or 'nothing'}. "
            "Expected orders.parquet, orders.csv, a folder orders/, or a mapping under "
            "sources.orders in the settings."
        )
    return RawTables(engine, frames, tuple(notes), identities)


def _keys(engine: Engine, base: Path) -> ir.Table | None:
    """Return the keys by which people are told, as imports wrote them beside their tables."""
    folder = base / IDENTITIES
    if not replacing.imports_of(base, IDENTITIES):
        return None
    paths = sorted(folder.glob("*.parquet"))
    return files.read_parquet(engine, IDENTITIES, paths, folder)


def _resolved(spec: SourceSpec, base: Path) -> dict[str, TableSpec]:
    """Return the spec of every table that the source has, in the contract's order."""
    if spec.database and spec.database != CATALOG and not spec.database.endswith(DUCKDB_SUFFIXES):
        held = files.sql_tables(spec.database)
    else:
        held = set()
    resolved = {}
    for name in SCHEMA:
        mapped = spec.tables.get(name)
        if mapped is not None and (mapped.path or mapped.table):
            resolved[name] = mapped
            continue
        plain = mapped or TableSpec()
        path = _in_folder(base, name) if spec.folder else None
        if path:
            resolved[name] = dataclasses.replace(plain, path=path)
        elif name in held:
            resolved[name] = dataclasses.replace(plain, table=name)
        elif mapped is not None:
            raise SourceError(
                f"{name}: sources.{name} says how to map it, but neither the folder nor the "
                f"database has it. Set sources.{name}.path or .table."
            )
    return resolved


def _in_folder(base: Path, name: str) -> str | None:
    """Return the file or folder of a table by the contract's name."""
    found = sorted(
        p.name
        for p in base.iterdir()
        if (p.is_dir() and p.name == name)
        or (p.is_file() and files.format_of(p) and p.name.split(".")[0] == name)
    )
    if len(found) > 1:
        raise SourceError(
            f"{name}: {base} holds it {len(found)} times: {listing(found)}. "
            f"Remove one, or name the one to read under sources.{name}.path."
        )
    return found[0] if found else None


def _read(engine: Engine, name: str, table: TableSpec, spec: SourceSpec, base: Path) -> ir.Table:
    """Return a table as its source has it."""
    if table.path is None:
        database, own = spec.database, table.table or name
        if database is None:
            raise SourceError(f"{name}: sources.{name}.table needs sources.database.")
        if database == CATALOG:
            return engine.read_shared(own)
        if database.endswith(DUCKDB_SUFFIXES):
            rows = engine.read_database(base / database, own)
            files.not_too_wide(name, f"{database}, {own}", rows.columns)
            return rows
        return files.read_sql(engine, name, database, own)
    if "://" in table.path:
        return engine.read_shared(table.path)
    paths = files.locate(table.path, base, name)
    kinds = {table.format if table.format != "auto" else files.format_of(p) for p in paths}
    if len(kinds) > 1 or None in kinds:
        raise SourceError(
            f"{name}: {table.path} holds files of several or unknown kinds: "
            f"{listing(p.name for p in paths)}. Set sources.{name}.format."
        )
    kind = kinds.pop()
    whole = base / table.path
    folder = whole if whole.is_dir() else None
    if kind == "parquet":
        return files.read_parquet(engine, name, paths, folder)
    if kind == "csv":
        for path in paths:
            bounds.unpacks(name, path)
        return csv_files.read_csv(
            engine,
            name,
            paths,
            delimiter=table.delimiter,
            encoding=table.encoding,
            folder=folder,
        )
    if not table.names:
        raise SettingsError(f"sources.{name}.names is missing; whitespace needs column names.")
    return files.read_whitespace(
        engine,
        name,
        paths,
        names=table.names,
        skip_rows=table.skip_rows,
        encoding=table.encoding,
    )


def mapped(
    engine: Engine, own: ir.Table, spec: TableSpec, name: str
) -> tuple[ir.Table, list[Note]]:
    """Turn a company's own table into the contract's, and say what was dropped.

    Policies, cancellations, grouping and columns are applied in this order.

    Parameters
    ----------
    engine : Engine
    own : ibis Table
        As its source has it.
    spec : TableSpec
    name : str
        The contract's table.
    """
    where = f"sources.{name}"
    own, notes = apply_policies(engine, own, spec.policies, name)
    if spec.cancellations:
        own, found = match_cancellations(engine, own, spec.cancellations, name)
        notes += found
    if spec.group_by:
        return engine.cache(_grouped(own, spec, where)), notes
    made = _columns(own, spec, where, aggregate=False)
    taken = {key.lower() for key in made} | {text.lower() for text in spec.columns.values()}
    kept = [column for column in own.columns if column.lower() not in taken]
    # By position: a company may have a column called self.
    values = [value.name(key) for key, value in made.items()]
    return own.select(*(own[column] for column in kept), *values), notes


def _columns(own: ir.Table, spec: TableSpec, where: str, *, aggregate: bool) -> dict[str, Any]:
    made = {
        key: compile_expression(text, own, where=f"{where}.columns.{key}", aggregate=aggregate)
        for key, text in spec.columns.items()
    }
    return made | {key: ibis.literal(value) for key, value in spec.constants.items()}


def _grouped(own: ir.Table, spec: TableSpec, where: str) -> ir.Table:
    """Turn rows that agree in the keys into one; keys may be used in other columns."""
    # Under names that no column of the result can have.
    keys = {
        own_column(f"key {n}"): compile_expression(text, own, where=f"{where}.group_by[{n}]")
        for n, text in enumerate(spec.group_by)
    }
    known = dict(zip(spec.group_by, keys, strict=True))
    made: dict[str, ir.Value] = {}
    after: dict[str, str] = {}
    for key, text in spec.columns.items():
        if text in known:
            after[key] = known[text]
        else:
            made[key] = compile_expression(
                text, own, where=f"{where}.columns.{key}", aggregate=True
            )
    groups = own.group_by(**keys).aggregate(**made)
    chosen = {key: groups[after.get(key, key)] for key in spec.columns}
    constants = {key: ibis.literal(value) for key, value in spec.constants.items()}
    return groups.select(**chosen, **constants)
