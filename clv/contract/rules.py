"""The contract's rules, derived from the schema: which rows break which, on any engine.

A rule is data; ``broken`` turns it into an Ibis expression over raw rows, and
``clv.contract.expectations`` turns it into a great-expectations expectation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import ibis

from clv.engines.physical import PHYSICAL, money
from clv.errors import SchemaError
from clv.schema import SCHEMA, SURVEY_RANGES, Column, Kind
from clv.sources.parsing import given, is_finite, parse_number, parse_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis.expr.types as ir

LARGEST = 1e12
"""Numbers beyond this are mistakes; sums of what remains fit into 64 bits."""

NUMERIC = (Kind.MONEY, Kind.NUMBER, Kind.INTEGER)
PARSED = (*NUMERIC, Kind.TIME, Kind.ID)
BLANK_IS_NULL = (Kind.ID, Kind.CATEGORY)

RuleKind = Literal[
    "missing", "unparsable", "not_finite", "not_whole", "too_large", "range", "at_least", "at_most",
    "allowed", "future", "unknown_reference", "duplicate", "positive_refund", "unknown_refund",
]  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """One rule that every accepted row keeps.

    Attributes
    ----------
    table, column : str
        What it is about; for keys of several columns, the last one.
    kind : str
        What kind of rule it is.
    message : str
        What is wrong with a row that breaks it.
    low, high : float or None
        Inclusive bounds, for ``range``.
    members : tuple of str
        For ``allowed``; for ``duplicate`` and ``unknown_refund`` the columns of the key.
    other : str or None
        The column that bounds this one (``at_least``, ``at_most``), the referenced one
        (``unknown_reference``), or the kind of survey (``range`` of scores).
    """

    table: str
    column: str
    kind: RuleKind
    message: str
    low: float | None = None
    high: float | None = None
    members: tuple[str, ...] = ()
    other: str | None = None

    @property
    def id(self) -> str:
        """The rule's name in records, such as ``orders.amount:missing``."""
        suffix = f"_{self.other}" if self.kind == "range" and self.other else ""
        return f"{self.table}.{self.column}:{self.kind}{suffix}"


def rules_of(table: str, columns: Sequence[str], present: Sequence[str]) -> tuple[Rule, ...]:
    """Derive a table's rules.

    Parameters
    ----------
    table : str
        The contract's name.
    columns : sequence of str
        The columns that were given.
    present : sequence of str
        The tables that were given.

    Examples
    --------
    >>> [rule.id for rule in rules_of("agent_days", ["agent_id"], ["agent_days"])]
    ['agent_days.agent_id:missing', 'agent_days.agent_id:unparsable']
    """
    contract = SCHEMA[table]
    rules: list[Rule] = []
    for column in contract.columns:
        if column.name in columns:
            rules += _column_rules(table, column, columns, present)
    if set(contract.key) <= set(columns):
        key = " and ".join(contract.key)
        rules.append(
            Rule(table, contract.key[-1], "duplicate", f"a row with this {key} stands before",
                 members=contract.key)
        )  # fmt: skip
    if table == "orders" and "refund_of" in columns:
        rules.append(Rule(table, "refund_of", "positive_refund", "a refund has a positive amount"))
        rules.append(
            Rule(table, "refund_of", "unknown_refund", "names no accepted order of that customer",
                 members=("refund_of", "customer_id"))
        )  # fmt: skip
    if table == "surveys" and {"kind", "score"} <= set(columns):
        for kind, (low, high) in SURVEY_RANGES.items():
            rules.append(
                Rule(table, "score", "range", f"a {kind} score lies outside {low} to {high}",
                     low=low, high=high, other=kind)
            )  # fmt: skip
    return tuple(rules)


def _column_rules(
    table: str, column: Column, columns: Sequence[str], present: Sequence[str]
) -> list[Rule]:
    """Derive the rules of one column, in the order in which reasons are listed."""
    name = column.name
    rules = []
    if column.required:
        rules.append(Rule(table, name, "missing", "is missing"))
    if column.kind in PARSED:
        rules.append(Rule(table, name, "unparsable", f"is no {expected(column.kind)}"))
    if column.kind in NUMERIC:
        rules.append(Rule(table, name, "not_finite", "is NaN or infinite"))
        rules.append(Rule(table, name, "too_large", "is beyond 1e12"))
    if column.kind is Kind.INTEGER:
        rules.append(Rule(table, name, "not_whole", "is not a whole number"))
    if column.minimum is not None or column.maximum is not None:
        low, high = column.minimum, column.maximum
        span = f"lies outside {low} to {high}" if high is not None else f"is below {low}"
        rules.append(Rule(table, name, "range", span, low=low, high=high))
    if column.at_least in columns:
        rules.append(
            Rule(table, name, "at_least", f"is before {column.at_least}", other=column.at_least)
        )
    if column.at_most in columns:
        rules.append(
            Rule(table, name, "at_most", f"is more than {column.at_most}", other=column.at_most)
        )
    if column.allowed:
        rules.append(
            Rule(table, name, "allowed", f"is none of {', '.join(column.allowed)}",
                 members=column.allowed)
        )  # fmt: skip
    if column.past:
        rules.append(Rule(table, name, "future", "lies after the time of loading"))
    if column.references and column.references.partition(".")[0] in present:
        target = column.references.partition(".")[0]
        rules.append(
            Rule(table, name, "unknown_reference", f"names no accepted row of {target}",
                 other=column.references)
        )  # fmt: skip
    return rules


def expected(kind: Kind) -> str:
    """Say in words what a column of a kind must hold."""
    return {
        Kind.TIME: "time (ISO 8601, such as 2025-06-30T12:00:00Z, years 1900 to 2999)",
        Kind.ID: "id (text or whole number)",
        Kind.INTEGER: "whole number",
        Kind.MONEY: "number (no separators, no unit)",
        Kind.NUMBER: "number (no separators, no unit)",
    }.get(kind, "text")


def require_type(table: str, column: Column, value: ir.Value) -> None:
    """Refuse a column whose type cannot hold what the contract says.

    Raises
    ------
    SchemaError
        Naming the column, its type, and what to do.
    """
    kind = value.type()
    fits = kind.is_string() or {
        Kind.TIME: kind.is_timestamp() or kind.is_date(),
        Kind.ID: kind.is_integer() or kind.is_floating() or kind.is_decimal() or kind.is_uuid(),
    }.get(
        column.kind,
        kind.is_numeric() and not kind.is_boolean()
        if column.kind in NUMERIC
        else kind.is_numeric() or kind.is_uuid(),
    )
    if fits:
        return
    hint = "cast_time(…) or parse_time(…)" if column.kind is Kind.TIME else "an expression"
    raise SchemaError(
        f"{table}.{column.name}: the column is {kind}; expected {expected(column.kind)}. "
        f"Map it with {hint} under sources.{table}.columns.{column.name} in the settings."
    )


def parsed_name(column: str) -> str:
    """Return the name under which a column's parsed value stands beside the raw one."""
    return f"{column}__value"


def parse(column: Column, value: ir.Value) -> ir.Value:
    """Return a raw cell's value: seconds, a float, or a string; null where it is none."""
    if column.kind is Kind.TIME:
        return parse_seconds(value)
    if column.kind in NUMERIC:
        return parse_number(value)
    if value.type().is_string():
        if column.kind in BLANK_IS_NULL or column.allowed:
            return ibis.ifelse(given(value), value, ibis.null("string"))
        return value
    if value.type().is_floating() or value.type().is_decimal():
        # Ids that passed through a float, such as 13085.0, are the whole number they were.
        number = value.cast("float64")
        whole = is_finite(number) & (number.abs() < 2.0**53) & (number % 1 == 0)
        return ibis.ifelse(whole, number.try_cast("int64").cast("string"), ibis.null("string"))
    return value.cast("string")


def can_break(rule: Rule, raw: ir.Value) -> bool:
    """Say whether a column's type leaves room for breaking a rule at all."""
    kind = raw.type()
    loose = kind.is_string() or kind.is_floating()
    held = SCHEMA[rule.table][rule.column].kind
    if rule.kind == "unparsable" and held is Kind.ID:
        return kind.is_floating() or kind.is_decimal()
    if rule.kind == "unparsable":
        return held is Kind.TIME or (held in NUMERIC and kind.is_string())
    if rule.kind == "not_finite":
        return loose
    return rule.kind != "not_whole" or loose or kind.is_decimal()


def broken(rule: Rule, rows: ir.Table, loaded_s: int) -> ir.Value:
    """Return whether each row breaks a rule that needs no other row.

    Parameters
    ----------
    rule : Rule
        Any but ``duplicate``, ``unknown_reference`` and ``unknown_refund``.
    rows : ibis Table
        Raw columns, and parsed ones beside them.
    loaded_s : int
        When the tables were loaded, in seconds since 1970-01-01 UTC.
    """
    raw, value = rows[rule.column], rows[parsed_name(rule.column)]
    # Engines rank NaN above every number; only finite values are compared.
    finite = is_finite(value) if value.type().is_floating() else ibis.literal(value=True)
    if rule.kind == "missing":
        result = ~_given(rule, raw)
    elif rule.kind == "unparsable":
        result = _given(rule, raw) & value.isnull()
    elif rule.kind == "not_finite":
        result = ~finite
    elif rule.kind == "too_large":
        result = finite & (value.abs() > LARGEST)
    elif rule.kind == "not_whole":
        # Not by floor, which Ibis casts to int64: infinity would not fit.
        result = finite & (value % 1 != 0)
    elif rule.kind == "range":
        low = -LARGEST if rule.low is None else rule.low
        outside = value < low if rule.high is None else (value < low) | (value > rule.high)
        result = finite & outside
        if rule.other:
            result = result & (rows[parsed_name("kind")] == rule.other)
    elif rule.kind in ("at_least", "at_most"):
        other = rows[parsed_name(str(rule.other))]
        both = finite & is_finite(other) if other.type().is_floating() else finite
        result = both & (value < other if rule.kind == "at_least" else value > other)
    elif rule.kind == "allowed":
        result = _given(rule, raw) & value.notin(rule.members)
    elif rule.kind == "future":
        result = value > loaded_s
    elif rule.kind == "positive_refund":
        amount = rows[parsed_name("amount")]
        result = value.notnull() & is_finite(amount) & (amount > 0)
    else:
        raise AssertionError(rule.kind)
    return result.fill_null(ibis.literal(value=False))


def _given(rule: Rule, raw: ir.Value) -> ir.Value:
    if SCHEMA[rule.table][rule.column].kind is Kind.ID and raw.type().is_floating():
        return raw.notnull() & ~raw.isnan()
    return given(raw)


def physical_values(table: str, rows: ir.Table) -> dict[str, ir.Value]:
    """Return the contract's columns of accepted rows in the types that Tables holds."""
    values: dict[str, ir.Value] = {}
    for column in SCHEMA[table].columns:
        if column.name in rows.columns:
            value = rows[parsed_name(column.name)]
            held = money(value) if column.kind is Kind.MONEY else value.cast(PHYSICAL[column.kind])
            values[column.name] = held
    return values
