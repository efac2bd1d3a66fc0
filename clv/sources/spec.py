"""Sources: where a company's tables lie, and how its own columns map to the contract's.

In the settings::

    sources:
      folder: ./data                 # orders.parquet, customers.csv, messages/… as they are
      database: shop.duckdb          # instead: a DuckDB file, or a SQL database's URL
      orders:                        # a table that needs a mapping
        path: invoices.csv           # under the folder; or  table: shop.invoices
        columns:
          order_id: Invoice          # the contract's column: the own column, or an expression
          amount: cast_number(Quantity) * cast_number(Price)
        constants: {currency: GBP}

The language of expressions is described in ``clv.sources.expressions``, policies and
cancellations of invoice lines in ``clv.sources.lines``.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import ibis

from clv import masking
from clv.errors import SettingsError, SourceError, listing
from clv.schema import SCHEMA
from clv.sources import csv_files, files, replacing
from clv.sources.customers import customers_once
from clv.sources.expressions import compile_expression
from clv.sources.lines import Cancellations, LinePolicy, apply_policies, match_cancellations
from clv.sources.names import own_column

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from clv.engines.base import Engine
    from clv.notes import Note

Format = Literal["auto", "parquet", "csv", "whitespace"]
DUCKDB_SUFFIXES = (".duckdb", ".ddb")
CATALOG = "spark"


@dataclass(frozen=True)
class TableSpec:
    """Where one table lies and how it maps to the contract.

    Attributes
    ----------
    path : str or None
        A file, a folder of parts, a pattern, or ``package:NAME/FILE``; relative to the
        source's folder. With Spark also a URI, such as ``s3a://bucket/orders``, of Parquet.
    table : str or None
        The table's name in the database; by default the contract's.
    format : {"auto", "parquet", "csv", "whitespace"}
        By default read off the file's name.
    delimiter : str or None
        Of CSV; by default read off the header.
    encoding : str
        Of CSV and whitespace-separated text.
    names : tuple of str
        Column names by position, for whitespace-separated text.
    skip_rows : int
        Lines before the first row, for whitespace-separated text.
    columns : mapping of str to str
        The contract's (or an attribute's) name to an own column or an expression.
    constants : mapping
        Names to values that hold for every row.
    policies : tuple of LinePolicy
        What to do with rows of certain kinds, each with a count.
    cancellations : Cancellations or None
        How cancelling lines find the lines that they cancel.
    group_by : tuple of str
        Own columns or expressions; rows that agree in them become one.
    """

    path: str | None = None
    table: str | None = None
    format: Format = "auto"
    delimiter: str | None = None
    encoding: str = "utf-8"
    names: tuple[str, ...] = ()
    skip_rows: int = 0
    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str | float | int] = field(default_factory=dict)
    policies: tuple[LinePolicy, ...] = ()
    cancellations: Cancellations | None = None
    group_by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.delimiter is not None and not (
            len(self.delimiter) == 1 and self.delimiter.isascii()
        ):
            raise SettingsError(
                f"sources: delimiter is {self.delimiter!r}; expected one ASCII character, such as "
                "';', or \"\\t\" in double quotes for a tab."
            )


@dataclass(frozen=True)
class SourceSpec:
    """Where a company's tables lie.

    Attributes
    ----------
    folder : str or None
        Holds files or folders with the contract's names; ``path`` of tables starts here.
    database : str or None
        A DuckDB file, a SQL database's URL, or ``spark``: the catalog of the Spark engine.
    tables : mapping of str to TableSpec
        Tables that need a mapping, by the contract's names.

    Examples
    --------
    >>> SourceSpec.from_mapping({"folder": "data", "orders": {"pth": "o.csv"}})
    Traceback (most recent call last):
    clv.errors.SettingsError: sources.orders.pth is not a setting. Did you mean 'path'?
    """

    folder: str | None = None
    database: str | None = None
    tables: Mapping[str, TableSpec] = field(default_factory=dict)

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any], where: str = "sources") -> SourceSpec:
        """Build the spec from plain settings, as YAML gives them.

        Raises
        ------
        SettingsError
            With the key's path, for keys and values that mean nothing.
        """
        known = ("folder", "database", *SCHEMA)
        for key in settings:
            _known_key(key, known, where)
        tables = {
            name: _build(TableSpec, settings[name], f"{where}.{name}")
            for name in SCHEMA
            if settings.get(name) is not None
        }
        places = {name: settings.get(name) for name in ("folder", "database")}
        for name, place in places.items():
            if place is not None and not isinstance(place, str | Path):
                raise SettingsError(f"{where}.{name} is {masking.kind_of(place)}; expected text.")
        texts = {name: None if place is None else str(place) for name, place in places.items()}
        return cls(**texts, tables=tables)


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
    """

    engine: Engine
    frames: Mapping[str, ir.Table]
    notes: tuple[Note, ...] = ()


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
    if spec.folder and len(replacing.imports_of(base, "customers")) > 1:
        # Two vendors know the same people: their records add up to one row.
        frames["customers"], shared = customers_once(engine, frames["customers"])
        notes.extend(shared)
    if "orders" not in frames:
        place = str(base) if spec.folder else (spec.tables and "sources") or "sources.database"
        held = sorted(p.name for p in base.iterdir()) if spec.folder else sorted(frames)
        raise SourceError(
            f"orders: no such table in {place}; found {listing(held) or 'nothing'}. "
            "Expected orders.parquet, orders.csv, a folder orders/, or a mapping under "
            "sources.orders in the settings."
        )
    return RawTables(engine, frames, tuple(notes))


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
    return own.select(**{c: own[c] for c in kept}, **made), notes


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


def _known_key(key: str, known: tuple[str, ...], where: str) -> None:
    if key in known:
        return
    near = difflib.get_close_matches(str(key), known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known here: {', '.join(known)}."
    raise SettingsError(f"{where}.{key} is not a setting. {hint}")


def _build(kind: type[Any], settings: Any, where: str) -> Any:
    """Build a spec from plain values, field by field."""
    if not isinstance(settings, Mapping):
        raise SettingsError(f"{where} is {masking.kind_of(settings)}; expected keys and values.")
    fields = {f.name: f for f in dataclasses.fields(kind)}
    values: dict[str, Any] = {}
    for key, value in settings.items():
        _known_key(key, tuple(fields), where)
        if value is not None:
            values[key] = _value(str(fields[key].type), value, f"{where}.{key}")
    required = [
        name
        for name, f in fields.items()
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    for name in required:
        if name not in values:
            raise SettingsError(f"{where}.{name} is missing.")
    return kind(**values)


def _value(kind: str, value: Any, where: str) -> Any:
    """Hold a plain value to a field's type, given as its annotation."""
    if "LinePolicy" in kind:
        if not isinstance(value, list | tuple):
            raise SettingsError(f"{where} is {masking.kind_of(value)}; expected a list.")
        return tuple(_build(LinePolicy, v, f"{where}[{n}]") for n, v in enumerate(value))
    if "Cancellations" in kind:
        return _build(Cancellations, value, where)
    if kind.startswith("tuple"):
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list | tuple) or not all(isinstance(v, str) for v in items):
            raise SettingsError(f"{where} is {masking.kind_of(value)}; expected a list of texts.")
        return tuple(items)
    if kind.startswith("Mapping"):
        if not isinstance(value, Mapping) or any(
            isinstance(v, Mapping | list) for v in value.values()
        ):
            raise SettingsError(f"{where} is {masking.kind_of(value)}; expected names and values.")
        return {str(k): v if "float" in kind else str(v) for k, v in value.items()}
    if kind == "int":
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise SettingsError(
                f"{where} is {masking.kind_of(value)}; expected a whole number, 0 or more."
            )
        return value
    if not isinstance(value, str | Path):
        raise SettingsError(f"{where} is {masking.kind_of(value)}; expected text.")
    choices = get_args({"Format": Format, "Action": Literal["drop", "keep"]}.get(kind))
    if choices and value not in choices:
        raise SettingsError(
            f"{where} is {masking.kind_of(value)}; expected one of {', '.join(choices)}."
        )
    return str(value)
