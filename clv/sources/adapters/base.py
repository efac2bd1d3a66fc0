"""What an adapter is: a vendor's documented export, and how it maps to the contract.

An adapter is data: which files, which of their columns, one expression per column of the
contract (``clv.sources.expressions``), and who the customer is. What cannot be said so, such
as a join, is one function over Ibis tables. Everything is read as text and written as
text; what is a number or a time is decided by the contract's rules when the result is
validated, row by row, so nothing becomes null in passing.
"""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from clv.errors import UsageError, listing
from clv.sources.exports.cells import whole_number
from clv.sources.exports.encodings import check_encoding
from clv.sources.exports.phones import check_region
from clv.sources.exports.times import DATES, UTC_FORMAT
from clv.sources.parsing import parse_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import ibis.expr.types as ir

Style = Literal["email", "phone", "id"]
Inputs = dict[str, "ir.Table"]

DIGEST = 16
"""Hexadecimal digits of a pseudonym: 64 bits."""


@dataclass(frozen=True)
class Export:
    """One kind of file of a vendor's export.

    Attributes
    ----------
    name : str
        Files whose names begin with it are of this kind.
    required : tuple of str
        Columns without which it cannot be read.
    optional : tuple of str
        Further columns that are read; unknown where they are absent.
    paths : mapping of str to str
        Where a column lies in a JSON object, if not under its own name.
    within : tuple of str, str and str, or None
        Another export whose objects hold these, the JSONPath to them, and the column that is
        then that object's id.
    array : str
        The name of the array in JSON pages, if not the export's.
    key : tuple of str
        What names a record: of several versions the newest counts. Without it, files hold
        something else than records, such as lines.
    versions : tuple of str
        Times or numbers by which the vendor says which version is newer, the weightiest first.
    ids : tuple of str
        Columns of ids, which are written alike (the adapter's ``id_form``).
    times : tuple of str
        Columns of times, which are written in UTC.
    refine : callable
        Adds columns to the rows as they were read, such as the key of a record, and which of its
        versions is newer where the vendor names no time of a change (``versions.VERSION``).
    needed : bool
        No import without it.
    """

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    paths: Mapping[str, str] = field(default_factory=dict)
    within: tuple[str, str, str] | None = None
    array: str = ""
    key: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    refine: Callable[[ir.Table], ir.Table] = lambda rows: rows
    needed: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read."""
        return (*self.required, *self.optional)


@dataclass(frozen=True)
class TableMap:
    """How a table of the contract comes about.

    Attributes
    ----------
    table : str
        The contract's.
    source : str
        An export, or what ``prepare`` made.
    columns : mapping of str to str
        The contract's columns, as expressions over the source.
    words : mapping of str to mapping
        For a column, the vendor's words and the contract's; other words are lowered and
        stay, for the contract's rules to find.
    left_out : mapping of str to str
        Names to conditions: rows that are no rows of this table, counted.
    customer : bool
        Whether the table names customers; ``customer_id`` is then made by the import.
    """

    table: str
    source: str
    columns: Mapping[str, str]
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    customer: bool = True


@dataclass(frozen=True)
class Key:
    """A way to tell who the customer is.

    Attributes
    ----------
    column : str
        Of every source that names customers.
    style : {"email", "phone", "id"}
        E-mail addresses and phone numbers are written alike, then replaced by a pseudonym.
    kind : str
        What of other systems it joins (``clv.sources.identity``): ``external`` an id that the
        company gives, a vendor's name an id of that vendor; by default the style's, and of other
        ids none.
    many : bool
        Whether it tells a group of people, such as an account: who is in none is told alone.
    """

    column: str
    style: Style
    kind: str = ""
    many: bool = False

    @property
    def joins(self) -> str:
        """The kind of key that it is in the graph of identities; empty: none."""
        return self.kind or ("" if self.style == "id" else self.style)


@dataclass(frozen=True)
class Adapter:
    """A vendor's export and its mapping.

    Attributes
    ----------
    kind, title : str
        For the command line, and for people.
    documentation : str
        Where the vendor describes the export.
    exports : tuple of Export
    tables : tuple of TableMap
    keys : mapping of str to Key
        By the word of ``--customer-by``; the first is the default.
    fallback : tuple of str
        Further keys, in this order, of records that lack the first.
    staff : str
        The column of ``agents``' source with their e-mail address, if there is one.
    prepare : callable
        Adds sources made from several exports.
    refusals : callable
        Messages to the rows that stop the import with them; ``{n}`` is how many they are.
    losses : callable
        Messages to rows that are read and belong to nothing: counted in notes.
    remarks : tuple of str
        What a reader of the result must know.
    id_form : callable
        Writes the vendor's ids alike, so that they join however a file has them.
    """

    kind: str
    title: str
    documentation: str
    exports: tuple[Export, ...]
    tables: tuple[TableMap, ...]
    keys: Mapping[str, Key]
    fallback: tuple[str, ...] = ()
    staff: str = ""
    prepare: Callable[[Inputs], Inputs] = lambda inputs: inputs
    refusals: Callable[[Inputs], Mapping[str, ir.Table]] = lambda _inputs: {}
    losses: Callable[[Inputs], Mapping[str, ir.Table]] = lambda _inputs: {}
    remarks: tuple[str, ...] = ()
    id_form: Callable[[ir.Value], ir.Value] = whole_number


@dataclass(frozen=True)
class Manner:
    """How an export is written, as far as its files do not tell.

    Attributes
    ----------
    timezone : str
        Of times without an offset, such as ``Europe/Berlin``.
    dates : {"mdy", "dmy"}, optional
        The order of month and day in dates with slashes; otherwise told by the dates.
    encoding : str, optional
        Of its files; otherwise UTF-8, UTF-16 and cp1252 are tried.
    region : str, optional
        The country of phone numbers that name none, such as ``DE``.
    """

    timezone: str = "UTC"
    dates: str | None = None
    encoding: str | None = None
    region: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is not known, before any file is read."""
        if self.timezone not in zoneinfo.available_timezones():
            raise UsageError(
                f"timezone {self.timezone!r} is not known; expected one as Europe/Berlin."
            )
        if self.dates not in (None, *DATES):
            raise UsageError(f"dates {self.dates!r} are not known; expected {listing(DATES)}.")
        check_encoding(self.encoding)
        check_region(self.region)


def pseudonym(value: ir.Value) -> ir.Value:
    """Return the first digits of a text's SHA-256: the same for the same text, not the text."""
    return value.hexdigest("sha256")[:DIGEST]


def after(start: ir.Value, minutes: ir.Value) -> ir.Value:
    """Return the time so many minutes after another, as text; null where either is none."""
    later = parse_seconds(start) + (minutes * 60).cast("int64")
    return later.as_timestamp("s").strftime(UTC_FORMAT)
