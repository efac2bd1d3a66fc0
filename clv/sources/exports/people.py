"""Who the customer is: e-mail addresses, phone numbers and ids written alike, then replaced."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import ibis

from clv.errors import SchemaError, listing
from clv.notes import Note
from clv.sources import csv_files
from clv.sources.adapters.base import pseudonym
from clv.sources.exports.cells import refuse_rounded
from clv.sources.exports.encodings import encoding_of
from clv.sources.exports.phones import spell_phones
from clv.sources.exports.versions import lookup, unique

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import ibis.expr.types as ir

    from clv.engines.base import Engine
    from clv.engines.duckdb import DuckDBEngine
    from clv.sources.adapters.base import Adapter, Key, Manner, Style
    from clv.sources.exports.versions import Unique

_DIGITS = "phone_digits"
ADDRESS_SCHEME = "(?i)^(mailto|sips?):"
ADDRESS = r"^[^@\s]+@[^@\s]+$"
NOBODYS = (
    "no-?_?reply|do-?_?not-?_?reply|noemail|no-?_?email|mailer-daemon|postmaster|anonymous|unknown|"
    "none|null|na|notprovided|not-?provided"
)
"""What stands before the @ of addresses that are nobody's."""

TYPED = r"^([0-9]{0,4}(0{6,}|1{6,}|9{6,})|0?1234567(8(90?)?)?)$"
"""Numbers that people type where they give none."""


@dataclass(frozen=True)
class Known:
    """The company's own ids, by the style of the key that tells them.

    Attributes
    ----------
    by_style : mapping of str to Unique
        ``key`` and ``customer_id``; keys are written alike.
    rows : ibis Table
        ``customer_id``, ``kind`` and ``key`` for the graph of identities.
    """

    by_style: Mapping[str, Unique]
    rows: ir.Table


def with_customer(
    engine: DuckDBEngine,
    rows: ir.Table,
    keys: Sequence[Key],
    known: Known | None,
    manner: Manner,
    where: str,
) -> tuple[ir.Table, tuple[Note, ...]]:
    """Add ``customer_id``, by the first key that a row knows; null where it knows none.

    Parameters
    ----------
    engine : DuckDBEngine
    rows : ibis Table
    keys : sequence of Key
        Whose columns are among the rows'; written alike, and pseudonyms, in what comes out.
    known : Known, optional
        The company's own ids, as ``own_ids`` returns them.
    manner : Manner
    where : str
        The table, for notes.
    """
    notes: list[Note] = []
    own: list[ir.Value] = []
    for key in keys:
        rows, said = written_alike(engine, rows, key.column, key.style, manner, where)
        notes += said
        if known is not None:
            found = f"known by {key.column}"
            rows = lookup(rows, key.column, known.by_style[key.style], **{found: "customer_id"})
            own.append(found)
        if key.style != "id":
            rows = rows.mutate(**{key.column: pseudonym(rows[key.column])})
    told = [rows[name] for name in own]
    for place, key in enumerate(keys):
        # Ids of several vendors, or of a vendor and the company, are not of one numbering.
        alone = place and key.style == "id"
        told.append(key.joins + "-" + rows[key.column] if alone else rows[key.column])
    return rows.mutate(customer_id=ibis.coalesce(*told)).drop(*own), tuple(notes)


def written_alike(
    engine: Engine, rows: ir.Table, column: str, style: Style, manner: Manner, where: str
) -> tuple[ir.Table, tuple[Note, ...]]:
    """Write e-mail addresses in lower case and phone numbers internationally; null if none."""
    text = rows[column].strip()
    if style == "email":
        text = text.re_replace(ADDRESS_SCHEME, "").lower()
        nobody = ~text.re_search(ADDRESS) | text.re_search(f"^({NOBODYS})([+.][^@]*)?@")
        text = ibis.ifelse(nobody, ibis.null("string"), text)
    if style != "phone":
        return rows.mutate(**{column: text.nullif("")}), ()
    spelled, national = spell_phones(engine, rows.select(column), manner.region)
    nobody = spelled.digits.re_search(TYPED)
    spelled = spelled.mutate(digits=ibis.ifelse(nobody, ibis.null("string"), spelled.digits))
    kept = [name for name in rows.columns if name != column]
    alike = lookup(rows, column, unique(spelled, "written"), **{_DIGITS: "digits"})
    alike = alike.select(*kept, **{column: alike[_DIGITS]})
    if not national:
        return alike, ()
    text = "phone numbers name no country, and are the same line only if dialled alike; "
    text += "--region DE says which country's they are"
    return alike, (Note("phone_national", where, national, text),)


def own_ids(
    engine: DuckDBEngine, path: Path, adapter: Adapter, manner: Manner
) -> tuple[Known, tuple[Note, ...]]:
    """Return the company's own ids by key, each key once.

    Parameters
    ----------
    engine : DuckDBEngine
    path : pathlib.Path
        CSV of ``key`` (an e-mail address, a phone number or an id), ``customer_id``, and
        optionally ``kind``: ``email``, ``phone``, ``external``, or a vendor's name for its ids.
        Without it an address is told by its ``@``; digits alone are a number and an id.
    adapter : Adapter
    manner : Manner

    Raises
    ------
    SchemaError
        When a column is missing, or a key has several ids.
    """
    encoding = encoding_of(path)
    rows = csv_files.read_csv(
        engine, "identities", [path], delimiter=None, encoding=encoding, mapped=False
    )
    missing = [name for name in ("key", "customer_id") if name not in rows.columns]
    if missing:
        raise SchemaError(
            f"identities: {path} lacks the column {listing(missing)}; found "
            f"{listing(rows.columns)}. Expected key and customer_id."
        )
    kind = rows.kind.strip().lower().nullif("") if "kind" in rows.columns else ibis.null("string")
    rows = rows.select("key", "customer_id", kind=kind)
    refuse_rounded(engine, "identities", rows, ("key", "customer_id"))
    as_email = rows.key.contains("@")
    parts = {
        "email": rows.filter((rows.kind == "email") | (rows.kind.isnull() & as_email)),
        "phone": rows.filter((rows.kind == "phone") | (rows.kind.isnull() & ~as_email)),
        "id": rows.filter(
            rows.kind.notin(("email", "phone")) | (rows.kind.isnull() & ~as_email)
        ).mutate(key=lambda t: adapter.id_form(t.key.strip())),
    }
    by_style: dict[str, Unique] = {}
    graph: list[ir.Table] = []
    notes: list[Note] = []
    for style, some in parts.items():
        same, said = written_alike(engine, some, "key", style, manner, "identities")  # type: ignore[arg-type]
        notes += said
        held = engine.cache(same.filter(same.key.notnull()).distinct())
        _require_one(engine, path, held)
        by_style[style] = unique(held, "key")
        told = held.mutate(key=held.key if style == "id" else pseudonym(held.key))
        graph.append(told.mutate(kind=held.kind if style == "id" else ibis.literal(style)))
    every = rows.select("customer_id", kind=ibis.literal("external"), key="customer_id")
    united = ibis.union(*(t.select("customer_id", "kind", "key") for t in graph), every)
    return Known(by_style, united.filter(united.kind.notnull()).distinct()), tuple(notes)


def _require_one(engine: Engine, path: Path, held: ir.Table) -> None:
    once = held.select("key", "customer_id").distinct()
    twice = once.group_by("key").aggregate(n=once.count()).filter(lambda t: t.n > 1)
    count = int(engine.to_pandas(twice.aggregate(n=twice.count()))["n"].iloc[0])
    if count:
        raise SchemaError(
            f"identities: {path} gives {count:,} keys more than one customer_id; expected one. "
            "Remove the others."
        )


def keys_of(adapter: Adapter, word: str | None) -> tuple[list[Key], list[Key]]:
    """Return the keys that tell the customer, in order, and the others that join.

    Who is in no account is told as a person. A key that is asked for by name, and tells a
    person, is the only one.
    """
    chosen = word or next(iter(adapter.keys))
    first = adapter.keys[chosen]
    further = adapter.fallback if word is None or first.many else ()
    told = [first, *(adapter.keys[name] for name in further if name != chosen)]
    others = [key for key in adapter.keys.values() if key not in told and key.joins]
    return told, others


def apart(keys: Sequence[Key], prefix: str) -> tuple[list[Key], dict[str, str]]:
    """Return the keys under columns of their own, beside what those are columns of."""
    renamed = [replace(key, column=f"{prefix} {n}") for n, key in enumerate(keys)]
    return renamed, {new.column: old.column for new, old in zip(renamed, keys, strict=True)}
