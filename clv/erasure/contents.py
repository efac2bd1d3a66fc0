"""One file without a customer: rows, list items and sentences that name them are taken out.

Every function counts what names a customer and, where asked to, writes the file anew without
it; looking and erasing are the same code, so that what one finds the other removes.
"""

from __future__ import annotations

import csv
import io
import json
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clv.foreign import json_of
from clv.sinks.files import TableWriter
from clv.storage import remove_file, whole, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from clv.erasure.people import People

CUSTOMER = ("customer_id", "unit_id", "_customer_id")
CONTACT = ("interaction_id", "unit_id")
OTHERS = ("referred_by",)
"""Columns in which somebody else's row names a customer: the cell is emptied, the row stays."""

FIELDS = frozenset((*CUSTOMER, *CONTACT, *OTHERS, "id", "external_id", "examples"))
"""Fields of documents and of CRMs' calls that hold ids."""

_BATCH_ROWS = 50_000


class UnreadableError(Exception):
    """A file that cannot be searched, since it is broken."""


def parquet(path: Path, people: People, *, write: bool, customer: Sequence[str] = ()) -> int:
    """Count the rows of a Parquet file that are a customer's, and take them out.

    Parameters
    ----------
    path : pathlib.Path
    people : People
    write : bool
        Write the file anew.
    customer : sequence of str
        Names of further columns that hold customers' ids.
    """
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            found = sum(_taken(batch, people, customer)[1] for batch in _batches(file))
            if found and write:
                with whole(path) as target, TableWriter(target, schema) as writer:
                    for batch in _batches(file):
                        writer.add(_taken(batch, people, customer)[0])
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise UnreadableError(path.name) from error
    return found


def _batches(file: pq.ParquetFile) -> Iterator[pa.Table]:
    for batch in file.iter_batches(_BATCH_ROWS):
        yield pa.Table.from_batches([batch])


def _taken(table: pa.Table, people: People, customer: Sequence[str]) -> tuple[pa.Table, int]:
    """Return a table without the customers' rows, and how many rows and cells went."""
    names = [name for name in (*CUSTOMER, *customer) if name in table.column_names]
    if not names and "_table" in table.column_names:
        names = [n for n in table.column_names if n not in ("_table", "_reasons")]
    gone = np.zeros(table.num_rows, bool)
    for name in names:
        gone |= _is_one_of(table[name], people.named)
    for name in (n for n in CONTACT if n in table.column_names and people.contacts):
        gone |= _is_one_of(table[name], people.contacts.__contains__)
    kept, emptied = table.filter(pa.array(~gone)), 0
    for name in (n for n in OTHERS if n in table.column_names):
        named = _is_one_of(kept[name], people.named)
        emptied += int(named.sum())
        cells = pc.if_else(pa.array(named), pa.scalar(None, kept.field(name).type), kept[name])
        kept = kept.set_column(kept.column_names.index(name), kept.field(name), cells)
    return kept, int(gone.sum()) + emptied


def _is_one_of(column: pa.ChunkedArray, wanted: Callable[[Any], bool]) -> np.ndarray:
    return np.fromiter((wanted(cell) for cell in column.to_pylist()), bool, len(column))


def contacts_of(path: Path, people: People, customer: Sequence[str] = ()) -> set[str]:
    """Return the ids of the customers' interactions that a Parquet file names."""
    try:
        with pq.ParquetFile(path) as file:
            names = [n for n in (*CUSTOMER, *customer) if n in file.schema_arrow.names]
            if not names or "interaction_id" not in file.schema_arrow.names:
                return set()
            rows = file.read([names[0], "interaction_id"])
    except pa.ArrowException as error:
        raise UnreadableError(path.name) from error
    pairs = zip(rows[names[0]].to_pylist(), rows["interaction_id"].to_pylist(), strict=True)
    return {str(contact) for one, contact in pairs if contact is not None and people.named(one)}


def table(path: Path, people: People, *, write: bool, customer: Sequence[str] = ()) -> int:
    """Count the rows of a CSV file that are a customer's, and take them out.

    They are told by the columns that hold ids, or by the first where none is called so.
    """
    found = sum(named for _, named in _rows(path, people, customer))
    if found and write:
        with whole(path) as target:
            text = io.TextIOWrapper(target, encoding="utf-8", newline="", write_through=True)
            out = csv.writer(text, lineterminator="\n")
            out.writerows(row for row, named in _rows(path, people, customer) if not named)
            text.detach()
    return found


def _rows(path: Path, people: People, customer: Sequence[str]) -> Iterator[tuple[list[str], bool]]:
    """Return the lines of a CSV file, its header first, and which name a customer."""
    known = (*CUSTOMER, *customer)
    try:
        with path.open(encoding="utf-8", newline="") as source:
            rows = csv.reader(source, strict=True)
            header = next(rows, [])
            places = [k for k, name in enumerate(header) if name in known] or [0]
            linked = [k for k, name in enumerate(header) if name in CONTACT]
            yield header, False
            for row in rows:
                named = any(people.named(row[k]) for k in places if k < len(row))
                named |= any(row[k] in people.contacts for k in linked if k < len(row))
                yield row, named
    except (csv.Error, UnicodeDecodeError) as error:
        raise UnreadableError(path.name) from error


def document(path: Path, people: People, *, write: bool) -> int:
    """Count the values of a JSON document that name a customer, and take them out."""
    try:
        given = json_of(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UnreadableError(path.name) from error
    kept, found = without(given, people)
    if found and write:
        write_text(path, json.dumps(kept, indent=1, ensure_ascii=False))
    return found


def lines(path: Path, people: People, *, write: bool, spare: bool = False) -> int:
    """Count the items of JSON Lines that are a customer's, and take them out.

    Parameters
    ----------
    path : pathlib.Path
    people : People
    write : bool
        Write the file anew.
    spare : bool
        Leave the calls that only empty a customer's fields.
    """
    kept, found = [], 0
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            body = json_of(line)
        except ValueError as error:
            raise UnreadableError(path.name) from error
        rest, count = without(body, people, spare=is_tombstone if spare else _never)
        found += count
        if rest and any(rest.values() if isinstance(rest, dict) else [rest]):
            kept.append(json.dumps(rest, ensure_ascii=False, separators=(",", ":")))
    if found and write:
        write_text(path, "".join(f"{line}\n" for line in kept))
    return found


def is_tombstone(item: object) -> bool:
    """Say whether an item of a call empties the fields of its customer.

    Examples
    --------
    >>> is_tombstone({"id": "c1", "properties": {"clv": ""}})
    True
    >>> is_tombstone({"id": "c1", "properties": {"clv": "12"}})
    False
    """
    fields = item.get("properties", item.get("user_fields")) if isinstance(item, dict) else None
    return isinstance(fields, dict) and all(value in (None, "") for value in fields.values())


def tombstones(path: Path, people: People) -> int:
    """Count the items of JSON Lines that are tombstones of a customer."""
    found = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        body = json_of(line)
        items: list[object] = next(iter(body.values()), []) if isinstance(body, dict) else []
        found += sum(is_tombstone(item) and _direct(item, people) for item in items)
    return found


def _never(_item: object) -> bool:
    return False


def without(
    value: Any, people: People, spare: Callable[[object], bool] = _never, field: str = ""
) -> tuple[Any, int]:
    """Return a JSON value without what names a customer, and how much that was.

    Items of lists that name one go whole; elsewhere a value becomes null, and an id in a
    sentence ``[erased]``. An id that is also a word or a short number counts only in a field
    that holds ids.

    Examples
    --------
    >>> from clv.erasure.people import People
    >>> people = People(frozenset({"c1"}))
    >>> without({"examples": [{"customer_id": "c1", "clv": 2}, {"customer_id": "c2"}]}, people)
    ({'examples': [{'customer_id': 'c2'}]}, 1)
    """
    if isinstance(value, list):
        kept, found = [], 0
        for item in value:
            if _direct(item, people, field) and not spare(item):
                found += 1
            elif spare(item):
                kept.append(item)
            else:
                rest, count = without(item, people, spare, field)
                kept.append(rest)
                found += count
        return kept, found
    if isinstance(value, dict):
        pairs = {k: without(v, people, spare, k) for k, v in value.items() if not people.told(k)}
        dropped = len(value) - len(pairs)
        return {k: v for k, (v, _) in pairs.items()}, dropped + sum(n for _, n in pairs.values())
    if isinstance(value, str):
        return (None, 1) if _names(value, people, field) else people.masked(value)
    return value, 0


def _direct(item: object, people: People, field: str = "") -> bool:
    values = item.items() if isinstance(item, dict) else [(field, item)]
    return any(_names(value, people, name) for name, value in values)


def _names(value: object, people: People, field: str) -> bool:
    if not isinstance(value, str):
        return False
    return people.named(value) if field in FIELDS else people.told(value)


class _Words(HTMLParser):
    """Gathers what a reader of a page sees."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def page(path: Path, people: People, *, write: bool) -> int:
    """Count where a report names a customer, and remove it with its PDF: it can be made again."""
    words = _Words()
    words.feed(path.read_text(encoding="utf-8", errors="replace"))
    found = people.masked(" ".join(words.parts))[1]
    if found and write:
        remove_file(path.with_suffix(".pdf"))
        remove_file(path)
    return found


def other(path: Path, people: People, *, write: bool) -> int:  # noqa: ARG001 (cannot be written)
    """Count where any other file names a customer; what it is made of is not known here."""
    return people.mentions(path.read_bytes())


KINDS: dict[str, Callable[..., int]] = {
    ".parquet": parquet,
    ".csv": table,
    ".json": document,
    ".jsonl": lines,
    ".html": page,
}
"""What erases from a file, by the end of its name; any other file is only looked at."""
