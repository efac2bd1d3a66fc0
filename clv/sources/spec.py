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
from typing import Any, Literal, get_args

from clv import masking
from clv.errors import SettingsError
from clv.schema import SCHEMA
from clv.sources.identity.options import IdentityOptions
from clv.sources.lines import Cancellations, LinePolicy

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
    identity : IdentityOptions, optional
        How records of one person are joined; by default where an import wrote their keys.

    Examples
    --------
    >>> SourceSpec.from_mapping({"folder": "data", "orders": {"pth": "o.csv"}})
    Traceback (most recent call last):
    clv.errors.SettingsError: sources.orders.pth is not a setting. Did you mean 'path'?
    """

    folder: str | None = None
    database: str | None = None
    tables: Mapping[str, TableSpec] = field(default_factory=dict)
    identity: IdentityOptions | None = None

    @classmethod
    def of(cls, place: str | Path | Mapping[str, Any] | SourceSpec) -> SourceSpec:
        """Return the spec that a folder, a database or plain settings mean."""
        if isinstance(place, SourceSpec):
            return place
        if not isinstance(place, str | Path):
            return cls.from_mapping(place)
        text = str(place)
        database = "://" in text or text.endswith(DUCKDB_SUFFIXES)
        return cls(database=text) if database else cls(folder=text)

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any], where: str = "sources") -> SourceSpec:
        """Build the spec from plain settings, as YAML gives them.

        Parameters
        ----------
        settings : mapping
            What stands under ``sources`` in a settings file.
        where : str
            What messages call the place.

        Raises
        ------
        SettingsError
            With the key's path, for keys and values that mean nothing.
        """
        known = ("folder", "database", "identity", *SCHEMA)
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
        identity = settings.get("identity")
        how = None if identity is None else _build(IdentityOptions, identity, f"{where}.identity")
        return cls(**texts, tables=tables, identity=how)


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
    if kind == "bool":
        if not isinstance(value, bool):
            raise SettingsError(f"{where} is {masking.kind_of(value)}; expected true or false.")
        return value
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
