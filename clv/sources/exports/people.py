"""Who the customer is: e-mail addresses, phone numbers and ids written alike, then replaced."""

from __future__ import annotations

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
    from pathlib import Path

    import ibis.expr.types as ir

    from clv.engines.duckdb import DuckDBEngine
    from clv.sources.adapters.base import Adapter, Key, Manner, Style
    from clv.sources.exports.versions import Unique

_DIGITS = "phone_digits"
ADDRESS_SCHEME = "(?i)^(mailto|sips?):"


def with_customer(
    engine: DuckDBEngine,
    rows: ir.Table,
    key: Key,
    known: Unique | None,
    manner: Manner,
    where: str,
) -> tuple[ir.Table, tuple[Note, ...]]:
    """Replace the column that tells the customer by ``customer_id``; null where it tells none.

    Parameters
    ----------
    engine : DuckDBEngine
    rows : ibis Table
    key : Key
        Whose column is among the rows'.
    known : Unique, optional
        The company's own ids, as ``own_ids`` returns them.
    manner : Manner
    where : str
        The table, for notes.
    """
    rows, notes = written_alike(engine, rows, key.column, key.style, manner, where)
    own_id = rows[key.column] if key.style == "id" else pseudonym(rows[key.column])
    if known is not None:
        rows = lookup(rows, key.column, known, known_id="customer_id")
        by_key = rows[key.column] if key.style == "id" else pseudonym(rows[key.column])
        own_id = ibis.coalesce(rows.known_id, by_key)
        rows = rows.mutate(customer_id=own_id).drop("known_id", key.column)
        return rows, notes
    return rows.mutate(customer_id=own_id).drop(key.column), notes


def written_alike(
    engine: DuckDBEngine, rows: ir.Table, column: str, style: Style, manner: Manner, where: str
) -> tuple[ir.Table, tuple[Note, ...]]:
    """Write e-mail addresses in lower case and phone numbers internationally; null if none."""
    text = rows[column].strip()
    if style == "email":
        text = text.re_replace(ADDRESS_SCHEME, "").lower()
    if style != "phone":
        return rows.mutate(**{column: text.nullif("")}), ()
    spelled, national = spell_phones(engine, rows.select(column), manner.region)
    kept = [name for name in rows.columns if name != column]
    alike = lookup(rows, column, unique(spelled, "written"), **{_DIGITS: "digits"})
    alike = alike.select(*kept, **{column: alike[_DIGITS]})
    if not national:
        return alike, ()
    text = "phone numbers name no country, and are the same line only if dialled alike; "
    text += "--region DE says which country's they are"
    return alike, (Note("phone_national", where, national, text),)


def own_ids(
    engine: DuckDBEngine, path: Path, adapter: Adapter, key: Key, manner: Manner
) -> tuple[Unique, tuple[Note, ...]]:
    """Return the company's own ids by key, each key once.

    Parameters
    ----------
    engine : DuckDBEngine
    path : pathlib.Path
        CSV of ``key`` (an e-mail address, a phone number or an id) and ``customer_id``.
    adapter : Adapter
    key : Key
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
    rows = rows.select("key", "customer_id")
    refuse_rounded(engine, "identities", rows, rows.columns)
    if key.style == "id":
        rows = rows.mutate(key=adapter.id_form(rows.key))
    same, notes = written_alike(engine, rows, "key", key.style, manner, "identities")
    held = engine.cache(same.filter(same.key.notnull()).distinct())
    twice = held.group_by("key").aggregate(n=held.count()).filter(lambda t: t.n > 1)
    count = int(engine.to_pandas(twice.aggregate(n=twice.count()))["n"].iloc[0])
    if count:
        raise SchemaError(
            f"identities: {path} gives {count:,} keys more than one customer_id; expected one. "
            "Remove the others."
        )
    return unique(held, "key"), notes
