"""Flags: one boolean column per rule beside the raw rows of a table.

Rules that need no other row are plain expressions; duplicates, references to other tables
and refunds look at other rows, and are flagged one after the other, so that a sound row is
never refused for the sake of a broken one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ibis

from clv.contract.rules import Rule, broken, parsed_name
from clv.schema import SCHEMA
from clv.sources.parsing import is_finite

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import ibis.expr.types as ir

    from clv.engines.base import Engine

ANY_BROKEN = "any_broken"
_APART = ("duplicate", "unknown_reference", "unknown_refund")


def flag_rows(
    engine: Engine,
    name: str,
    rows: ir.Table,
    rules: Sequence[Rule],
    accepted: Mapping[str, ir.Table],
    loaded_s: int,
) -> tuple[ir.Table, dict[Rule, str]]:
    """Add a boolean column for every rule, and ``any_broken``.

    Parameters
    ----------
    engine : Engine
        Holds what must be computed once.
    name : str
        The table.
    rows : ibis Table
        Raw columns, and parsed ones beside them.
    rules : sequence of Rule
        The table's.
    accepted : mapping of str to ibis Table
        Tables that rows may refer to.
    loaded_s : int
        When the tables were loaded, in seconds since 1970-01-01 UTC.

    Returns
    -------
    flagged : ibis Table
        The same rows with the flags.
    flags : dict of Rule to str
        The flags' names.
    """
    flags = {rule: f"broken_{n}" for n, rule in enumerate(rules)}
    local = {flags[r]: broken(r, rows, loaded_s) for r in rules if r.kind not in _APART}
    flagged = rows.mutate(**local)
    for rule in (r for r in rules if r.kind == "unknown_reference"):
        flagged = _flag_references(accepted, flagged, rule, flags[rule])
    for rule in (r for r in rules if r.kind == "duplicate"):
        before = [f for r, f in flags.items() if r.kind not in ("duplicate", "unknown_refund")]
        flagged = _flag_duplicates(engine, name, flagged, rule, flags[rule], before)
    for rule in (r for r in rules if r.kind == "unknown_refund"):
        before = [f for r, f in flags.items() if r.kind != "unknown_refund"]
        flagged = _flag_refunds(engine, flagged, flags[rule], before)
    return flagged.mutate(**{ANY_BROKEN: _any(flagged, flags.values())}), flags


def _any(rows: ir.Table, flags: Iterable[str]) -> ir.Value:
    result = ibis.literal(value=False)
    for flag in flags:
        result = result | rows[flag]
    return result


def _flag_references(
    accepted: Mapping[str, ir.Table], rows: ir.Table, rule: Rule, flag: str
) -> ir.Table:
    """Flag rows whose value names no accepted row of another table."""
    table, _, column = str(rule.other).partition(".")
    if table not in accepted:
        return rows.mutate(**{flag: ibis.literal(value=False)})
    known = accepted[table].select(reference_id=column).distinct().mutate(reference_ok=True)
    value = parsed_name(rule.column)
    joined = rows.left_join(known, rows[value] == known.reference_id)
    unknown = joined[value].notnull() & joined.reference_ok.isnull()
    return joined.mutate(**{flag: unknown}).drop("reference_id", "reference_ok")


def _flag_duplicates(
    engine: Engine, name: str, rows: ir.Table, rule: Rule, flag: str, before: Sequence[str]
) -> ir.Table:
    """Flag all but the first row of a key: sound rows first, then by time, then content."""
    keys = [parsed_name(column) for column in rule.members]
    whole = rows.filter([_names(rows[key]) for key in keys])
    twice = whole.group_by(keys).aggregate(copies=whole.count()).filter(lambda t: t.copies > 1)
    twice = engine.cache(twice.drop("copies"))
    if not len(engine.to_pandas(twice.limit(1))):
        engine.release(twice)
        return rows.mutate(**{flag: ibis.literal(value=False)})
    alone = rows.anti_join(twice, keys).mutate(**{flag: ibis.literal(value=False)})
    copies = rows.semi_join(twice, keys)
    time = SCHEMA[name].time
    order: list[Any] = [_any(copies, before)]
    if time is not None and parsed_name(time) in rows.columns:
        order.append(copies[parsed_name(time)])
    # The contract's columns stand first: the company's own break no tie that matters.
    order += [copies[c].cast("string") for c in rows.columns if c not in before]
    rank = ibis.row_number().over(group_by=[copies[key] for key in keys], order_by=order)
    # Held, since the second and later copies must be the same rows in every later query.
    ranked = engine.cache(copies.mutate(**{flag: rank > 0}))
    return alone.select(*ranked.columns).union(ranked)


def _names(key: ir.Value) -> ir.Value:
    """Say whether a key names a row: null and NaN name none."""
    return key.notnull() & (is_finite(key) if key.type().is_floating() else True)


def _flag_refunds(engine: Engine, rows: ir.Table, flag: str, before: Sequence[str]) -> ir.Table:
    """Flag refunds that name no sound order of the same customer."""
    value, customer = parsed_name("refund_of"), parsed_name("customer_id")
    named = engine.cache(rows.filter(rows[value].notnull()).select(named_id=value).distinct())
    if not len(engine.to_pandas(named.limit(1))):
        engine.release(named)
        return rows.mutate(**{flag: ibis.literal(value=False)})
    order_id, amount = parsed_name("order_id"), parsed_name("amount")
    orders = rows.filter(~_any(rows, before) & rows[value].isnull() & (rows[amount].round(4) >= 0))
    orders = orders.select(of_order=order_id, of_customer=customer).distinct()
    known = orders.semi_join(named, orders.of_order == named.named_id).mutate(order_ok=True)
    known = engine.cache(known)
    engine.release(named)
    joined = rows.left_join(
        known, [rows[value] == known.of_order, rows[customer] == known.of_customer]
    )
    unknown = joined[value].notnull() & joined.order_ok.isnull()
    return joined.mutate(**{flag: unknown}).drop("of_order", "of_customer", "order_ok")
