"""From raw tables to accepted ones: the contract's rules, the quarantine, the verdict.

Every raw row ends in exactly one place: among the accepted rows, or in the quarantine with
every rule that it breaks. great-expectations then judges the same raw rows by the same
declaration, in pandas, and must count alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis

from clv.contract import expectations
from clv.contract import quarantine as quarantines
from clv.contract.currencies import converted, currency_of, rates_of
from clv.contract.fingerprint import content_fingerprint
from clv.contract.flags import flag_rows
from clv.contract.matching import LEAST_MATCH, match_notes, measure_matches
from clv.contract.ranges import range_measures, require_range
from clv.contract.rules import (
    Rule,
    can_break,
    expected,
    parse,
    parsed_name,
    physical_values,
    require_type,
    rules_of,
)
from clv.contract.tables import DataOptions, Tables
from clv.contract.validation import LIMIT_SHARE, Checked, TableResult, ValidationResult
from clv.errors import DataError, SchemaError, UsageError, listing
from clv.notes import Note, OnProgress, silent
from clv.schema import SCHEMA, Kind
from clv.sources.names import kept_own, plain_name, set_apart
from clv.sources.parsing import OFFSET_PATTERN, given
from clv.windows import day_of, day_start_s

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    import ibis.expr.types as ir

    from clv.contract.expectations import SuiteResult
    from clv.engines.base import Engine
    from clv.sources.reading import RawTables


HELD_ROWS = 2_000_000


@dataclass
class _Run:
    """What the tables that were examined so far leave for the ones after them."""

    engine: Engine
    loaded_s: int
    folder: Path
    seed: int
    present: tuple[str, ...]
    second_reading: bool
    accepted: dict[str, ir.Table] = field(default_factory=dict)
    results: dict[str, TableResult] = field(default_factory=dict)
    suites: dict[str, SuiteResult] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    naive: dict[str, int] = field(default_factory=dict)


def check(
    raw: RawTables,
    terms: DataOptions,
    *,
    quarantine: str | Path,
    loaded_at: dt.datetime,
    limit_share: float = LIMIT_SHARE,
    least_match: float = LEAST_MATCH,
    on_progress: OnProgress = silent,
) -> Checked:
    """Split raw tables into accepted rows and quarantined ones, and stop where too many broke.

    Parameters
    ----------
    raw : RawTables
        As the sources have them.
    terms : DataOptions
        How they are to be read; the currency ``units`` gives way to the column's.
    quarantine : str or pathlib.Path
        Folder for quarantined rows, one Parquet file per table, readable by its owner only.
    loaded_at : datetime.datetime
        With its time zone; nothing may have happened after it.
    limit_share : float
        Share of a table's rows that may be quarantined.
    least_match : float
        Share of the ids of contacts, surveys and orders that other tables must know.
    on_progress : callable
        Told after each table.

    Raises
    ------
    SchemaError
        When a column is missing or of another type as a whole, or currencies are mixed.
    DataError
        When orders has no row, or contacts are of nobody who is a customer.
    QuarantineError
        When more rows break the contract than allowed.
    """
    checked = examine(
        raw,
        terms,
        quarantine=quarantine,
        loaded_at=loaded_at,
        on_progress=on_progress,
    )
    checked.validation.require(limit_share)
    checked.validation.require_matches(least_match)
    return checked


def examine(
    raw: RawTables,
    terms: DataOptions,
    *,
    quarantine: str | Path,
    loaded_at: dt.datetime,
    seed: int = 0,
    second_reading: bool = True,
    on_progress: OnProgress = silent,
) -> Checked:
    """Do what ``check`` does, however many rows break the contract.

    ``seed`` is of the sample that great-expectations sees of tables above a million rows;
    without ``second_reading`` it sees none and is not loaded. The rules judge every row.
    """
    quarantine = Path(quarantine)
    if loaded_at.tzinfo is None:
        raise UsageError("loaded_at has no time zone; expected one, such as datetime.UTC.")
    run = _Run(
        raw.engine,
        int(loaded_at.timestamp()),
        quarantine,
        seed,
        tuple(name for name in SCHEMA if name in raw.frames),
        second_reading,
        notes=list(raw.notes),
    )
    frames = {name: _typed(set_apart(name, raw.frames[name])) for name in run.present}
    for name, rows in frames.items():
        _require_columns(name, rows)
    currency = _currency(run.engine, frames["orders"], terms)
    for done, (name, rows) in enumerate(frames.items(), start=1):
        _examine_table(run, name, rows)
        on_progress("validate", done, len(run.present))
    if run.naive:
        run.notes.append(
            Note(
                "naive_time",
                ", ".join(run.naive),
                sum(run.naive.values()),
                "times without an offset, read as UTC",
            )
        )
    _convert(run, terms, currency)
    accepted = _within(Tables(run.engine, run.accepted, replace(terms, currency=currency)), run)
    matches = measure_matches(accepted)
    run.notes += match_notes(matches)
    validation = ValidationResult(
        run.results,
        run.suites,
        tuple(name for name in SCHEMA if name not in run.results),
        tuple(run.notes),
        quarantine,
        matches,
    )
    return Checked(replace(accepted, notes=validation.notes), validation)


def _within(tables: Tables, run: _Run) -> Tables:
    """Leave out orders far before all others, and name all that do not say when data begin or end.

    One of them would make its customer's history decades long, and purchase models with it.
    """
    if "orders" not in tables or not len(run.engine.to_pandas(tables["orders"].limit(1))):
        return tables  # too many are broken, which stops the run by its own message
    span = tables.order_span
    for days, text in (
        (span.stray_before, f"far before all others are left out: the data begin on {span.first}"),
        (span.stray_after, f"far after all others do not say when the data end: on {span.last}"),
    ):
        if days:
            message = (
                f"orders such as on {days[0][0]} {text}. Mend them, or set terms.stray_share to 0 "
                "if they are right"
            )
            count = sum(orders for _, orders in days)
            run.notes.append(Note("stray_orders", "orders.ordered_at", count, message))
    if not span.stray_before:
        return tables
    orders = tables["orders"]
    kept = orders.filter(orders.ordered_at >= day_start_s(span.first))
    return tables.replaced(orders=run.engine.cache(kept))


def _typed(rows: ir.Table) -> ir.Table:
    """Give columns that hold nothing at all, and so have no type, that of text."""
    bare = [
        name
        for name, kind in rows.schema().items()
        if kind.is_null() or (kind.is_unknown() and "NULL" in str(kind))
    ]
    return rows.mutate(**{name: ibis.null("string") for name in bare}) if bare else rows


def _require_columns(name: str, rows: ir.Table) -> None:
    """Refuse a table that lacks a required column, or whose types cannot be meant."""
    missing = [c.name for c in SCHEMA[name].columns if c.required and c.name not in rows.columns]
    if missing:
        raise SchemaError.missing_columns(name, missing, list(map(plain_name, rows.columns)))
    for column in SCHEMA[name].columns:
        if column.name in rows.columns:
            require_type(name, column, rows[column.name])


def _currency(engine: Engine, orders: ir.Table, terms: DataOptions) -> str:
    """Return the currency: the configured one, else the column's, else ``units``."""
    if "currency" not in orders.columns:
        return terms.currency
    column = orders.currency.cast("string").strip().upper()
    named = orders.select(currency=column).filter(given(column)).distinct()
    found = sorted(engine.to_pandas(named).currency)
    return currency_of(found, terms.currency, rates_of(terms.rates))


def _convert(run: _Run, terms: DataOptions, currency: str) -> None:
    """Bring accepted orders into one currency; their fingerprint is of what they become."""
    orders, notes = converted(run.engine, run.accepted["orders"], currency, rates_of(terms.rates))
    if notes:
        run.notes += notes
        run.accepted["orders"] = orders
        run.results["orders"] = replace(
            run.results["orders"], fingerprint=content_fingerprint(run.engine, orders)
        )


def _examine_table(run: _Run, name: str, raw: ir.Table) -> None:
    """Judge one table, write its quarantine, and hold what is accepted."""
    columns = [column for column in SCHEMA[name].columns if column.name in raw.columns]
    rows = raw.mutate(**{parsed_name(c.name): parse(c, raw[c.name]) for c in columns})
    count = _survey_columns(run, name, rows)
    if not count:
        return
    rules = [
        rule
        for rule in rules_of(name, [c.name for c in columns], run.present)
        if can_break(rule, raw[rule.column])
    ]
    # Every later step reads the flags: small tables hold them, large ones compute them anew.
    held = count <= HELD_ROWS
    flagged, flags = flag_rows(run.engine, name, rows, rules, run.accepted, run.loaded_s)
    flagged = run.engine.cache(flagged) if held else flagged
    summary = _summary(run.engine, name, flagged, flags)
    counts = {rule: int(summary[flag]) for rule, flag in flags.items() if summary[flag]}
    bad = int(summary["bad"])
    require_range(name, [c.name for c in columns], summary)
    clean = flagged.filter(~flagged.any_broken)
    own = {column: clean[column] for column in kept_own(name, raw.columns)}
    accepted = run.engine.cache(clean.select(**physical_values(name, clean), **own))
    quarantines.write(
        run.engine, flagged, {rule.id: flag for rule, flag in flags.items()},
        raw.columns, name, run.folder, bad,
    )  # fmt: skip
    first, last = (
        None if summary[end] is None else day_of(int(summary[end])) for end in ("first", "last")
    )
    if run.second_reading:
        run.suites[name] = expectations.compare(
            run.engine,
            expectations.Flagged(name, flagged, flags, int(summary["rows"])),
            run.accepted | {name: accepted},
            loaded_s=run.loaded_s,
            seed=run.seed,
        )
    run.accepted[name] = accepted
    run.results[name] = TableResult(
        int(summary["rows"]),
        int(summary["rows"]) - bad,
        bad,
        counts,
        first,
        last,
        content_fingerprint(run.engine, accepted),
    )
    if held:
        run.engine.release(flagged)
    if bad:
        run.notes.append(
            Note("quarantined", name, bad, f"rows break the contract, left out: {_causes(counts)}")
        )


def _causes(counts: Mapping[Rule, int]) -> str:
    return ", ".join(f"{rule.column} {rule.message} {n:,}" for rule, n in counts.items())


def _survey_columns(run: _Run, name: str, rows: ir.Table) -> int:
    """Refuse empty tables and columns that are wrong as a whole; say which times are naive.

    Returns the number of rows.
    """
    measures: dict[str, Any] = {"rows": rows.count()}
    columns = [c for c in SCHEMA[name].columns if c.name in rows.columns]
    for column in columns:
        raw, value = rows[column.name], rows[parsed_name(column.name)]
        if not column.required and not can_break(Rule(name, column.name, "unparsable", ""), raw):
            continue
        cell = given(raw)
        measures[f"{column.name}__given"] = cell.sum()
        measures[f"{column.name}__read"] = (cell & value.notnull()).sum()
        if column.kind is Kind.TIME:
            measures[f"{column.name}__naive"] = (value.notnull() & _naive(raw)).sum()
    row = run.engine.to_pandas(rows.aggregate(**measures)).fillna(0).iloc[0]
    if not row["rows"]:
        if SCHEMA[name].required:
            raise DataError(
                f"{name}: the table is empty; expected rows. Nothing can be modelled without "
                f"{name}; check the export, or sources.{name} in the settings."
            )
        run.notes.append(Note("empty_table", name, 0, "the table has no row; read as not given"))
        return 0
    for column in (c for c in columns if f"{c.name}__given" in measures):
        cells, read = (int(row[f"{column.name}__{k}"]) for k in ("given", "read"))
        if column.required and not cells:
            raise SchemaError(
                f"{name}.{column.name}: none of {int(row['rows']):,} rows has a value; expected "
                f"{expected(column.kind)}. Map the right column under sources.{name}.columns."
            )
        if cells and not read:
            raise SchemaError(
                f"{name}.{column.name}: none of {cells:,} values is a {expected(column.kind)}; "
                f"found {_shapes(run.engine, rows[column.name])}. Map it with "
                f"{'parse_time' if column.kind is Kind.TIME else 'cast_number'}(…) under "
                f"sources.{name}.columns.{column.name} in the settings."
            )
    naive = sum(int(row.get(f"{c.name}__naive", 0)) for c in columns)
    if naive:
        run.naive[name] = naive
    return int(row["rows"])


def _naive(raw: ir.Value) -> ir.Value:
    """Say which times name no offset from UTC."""
    kind = raw.type()
    if kind.is_string():
        return ~raw.re_search(OFFSET_PATTERN) & raw.contains(":")
    return ibis.literal(kind.is_timestamp() and kind.timezone is None)


def _shapes(engine: Engine, raw: ir.Value) -> str:
    """Describe a few values without showing them: 9 for digits, a for letters."""
    text = raw.cast("string").substr(0, 24).re_replace("[0-9]", "9").re_replace(r"\p{L}", "a")
    shapes = text.name("shape").as_table().filter(lambda t: t["shape"].notnull()).distinct()
    return listing(sorted(engine.to_pandas(shapes.order_by("shape").limit(3))["shape"]))


def _summary(
    engine: Engine, name: str, flagged: ir.Table, flags: Mapping[Rule, str]
) -> dict[str, Any]:
    """Count rows, broken rules, and the span of accepted times, in one pass."""
    measures: dict[str, Any] = {flag: flagged[flag].sum() for flag in flags.values()}
    measures |= {"rows": flagged.count(), "bad": flagged.any_broken.sum()}
    measures |= range_measures(name, flagged)
    time = SCHEMA[name].time
    if time is not None:
        at = flagged[parsed_name(time)]
        measures["first"] = at.min(where=~flagged.any_broken)
        measures["last"] = at.max(where=~flagged.any_broken)
    found = engine.to_pandas(flagged.aggregate(**measures)).iloc[0]
    row: dict[str, Any] = {str(key): value for key, value in found.items()}
    ends = {end: row.get(end) for end in ("first", "last")}
    row |= {end: None if at is None or at != at else at for end, at in ends.items()}
    return row
