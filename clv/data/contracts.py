"""From raw tables to accepted ones: the contract's rules, the quarantine, the verdict.

Every raw row ends in exactly one place: among the accepted rows, or in the quarantine with
every rule that it breaks. great-expectations then judges the same raw rows by the same
declaration, in pandas, and must count alike.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import ibis

from clv.data import expectations
from clv.data import quarantine as quarantines
from clv.data.parsing import OFFSET_PATTERN, given
from clv.data.rules import (
    Rule,
    broken,
    expected,
    parse,
    parsed_name,
    physical_values,
    require_type,
    rules_of,
)
from clv.data.tables import Tables, Terms
from clv.errors import DataError, QuarantineError, SchemaError, UsageError, listing
from clv.notes import Note, OnProgress, silent
from clv.schema import SCHEMA, Kind
from clv.windows import day_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import ibis.expr.types as ir

    from clv.data.engine import Engine
    from clv.data.expectations import SuiteResult
    from clv.data.sources import RawTables

LIMIT_SHARE = 0.05


@dataclass(frozen=True)
class TableResult:
    """What became of a table's rows.

    Attributes
    ----------
    rows, accepted, quarantined : int
        ``rows`` is the sum of the others.
    rules : mapping of Rule to int
        Every rule that rows broke, with how many; a row may break several.
    first, last : datetime.date or None
        Days of the first and last accepted row, where rows have a time.
    fingerprint : str
        Of the accepted rows' content, in any order.
    """

    rows: int
    accepted: int
    quarantined: int
    rules: Mapping[Rule, int]
    first: dt.date | None
    last: dt.date | None
    fingerprint: str

    @property
    def share(self) -> float:
        """Quarantined rows, as a share of all."""
        return self.quarantined / self.rows if self.rows else 0.0

    def as_dict(self) -> dict[str, object]:
        """Return JSON-able values."""
        return {
            "rows": self.rows,
            "accepted": self.accepted,
            "quarantined": self.quarantined,
            "share": self.share,
            "rules": [
                {"rule": rule.id, "count": count, "message": f"{rule.column} {rule.message}"}
                for rule, count in self.rules.items()
            ],
            "first": self.first.isoformat() if self.first else None,
            "last": self.last.isoformat() if self.last else None,
            "fingerprint": self.fingerprint,
        }


@dataclass(frozen=True)
class ValidationResult:
    """How the tables kept the contract.

    Attributes
    ----------
    tables : mapping of str to TableResult
        By the contract's names.
    gx : mapping of str to SuiteResult
        What great-expectations says of the same rows.
    absent : tuple of str
        Tables of the contract that were not given.
    notes : tuple of Note
        Whatever was left out or read in one of several possible ways.
    quarantine : pathlib.Path
        The folder of quarantined rows.
    """

    tables: Mapping[str, TableResult]
    gx: Mapping[str, SuiteResult]
    absent: tuple[str, ...]
    notes: tuple[Note, ...]
    quarantine: Path

    @property
    def fingerprint(self) -> str:
        """Of the content of all accepted tables, in any order of rows."""
        text = ";".join(f"{name}={t.fingerprint}" for name, t in sorted(self.tables.items()))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def as_dict(self) -> dict[str, object]:
        """Return validation.json."""
        return {
            "tables": {name: table.as_dict() for name, table in self.tables.items()},
            "gx": {name: suite.as_dict() for name, suite in self.gx.items()},
            "absent": list(self.absent),
            "fingerprint": self.fingerprint,
            "notes": [note.as_dict() for note in self.notes],
        }

    def require(self, limit_share: float = LIMIT_SHARE) -> None:
        """Stop where more rows are quarantined than allowed.

        Raises
        ------
        QuarantineError
            Naming the table, the rules, and where the rows are.
        """
        for name, table in self.tables.items():
            if table.share > limit_share:
                most = sorted(table.rules.items(), key=lambda item: (-item[1], item[0].id))
                causes = [f"{rule.column} {rule.message} ({n:,})" for rule, n in most[:5]]
                raise QuarantineError(
                    f"{name}: {table.quarantined:,} of {table.rows:,} rows ({table.share:.1%}) "
                    f"break the contract; at most {limit_share:.1%} may: {'; '.join(causes)}. "
                    f"See {quarantines.target(self.quarantine, name)}; mend or map the rows, or "
                    "raise quality.quarantine_limit_share."
                )


@dataclass(frozen=True)
class Checked:
    """Accepted tables, and how they were found.

    Attributes
    ----------
    tables : Tables
        Only rows that keep every rule.
    validation : ValidationResult
        What became of all rows.
    """

    tables: Tables
    validation: ValidationResult


@dataclass
class _Run:
    """What the tables that were examined so far leave for the ones after them."""

    engine: Engine
    loaded_s: int
    folder: Path
    seed: int
    present: tuple[str, ...]
    accepted: dict[str, ir.Table] = field(default_factory=dict)
    results: dict[str, TableResult] = field(default_factory=dict)
    suites: dict[str, SuiteResult] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)


def check(
    raw: RawTables,
    terms: Terms,
    *,
    quarantine: Path,
    loaded_at: dt.datetime,
    limit_share: float = LIMIT_SHARE,
    seed: int = 0,
    on_progress: OnProgress = silent,
) -> Checked:
    """Split raw tables into accepted rows and quarantined ones, and stop where too many broke.

    Parameters
    ----------
    raw : RawTables
        As the sources have them.
    terms : Terms
        How they are to be read; the currency ``units`` gives way to the column's.
    quarantine : pathlib.Path
        Folder for quarantined rows, one Parquet file per table, readable by its owner only.
    loaded_at : datetime.datetime
        With its time zone; nothing may have happened after it.
    limit_share : float
        Share of a table's rows that may be quarantined.
    seed : int
        Of the sample that great-expectations sees of tables above a million rows.
    on_progress : callable
        Told after each table.

    Raises
    ------
    SchemaError
        When a column is missing or of another type as a whole, or currencies are mixed.
    DataError
        When orders has no row.
    QuarantineError
        When more rows break the contract than allowed.
    """
    checked = examine(
        raw,
        terms,
        quarantine=quarantine,
        loaded_at=loaded_at,
        seed=seed,
        on_progress=on_progress,
    )
    checked.validation.require(limit_share)
    return checked


def examine(
    raw: RawTables,
    terms: Terms,
    *,
    quarantine: Path,
    loaded_at: dt.datetime,
    seed: int = 0,
    on_progress: OnProgress = silent,
) -> Checked:
    """Do what ``check`` does, however many rows break the contract."""
    if loaded_at.tzinfo is None:
        raise UsageError("loaded_at has no time zone; expected one, such as datetime.UTC.")
    run = _Run(
        raw.engine,
        int(loaded_at.timestamp()),
        quarantine,
        seed,
        tuple(name for name in SCHEMA if name in raw.frames),
        notes=list(raw.notes),
    )
    for name in run.present:
        _require_columns(name, raw.frames[name])
    currency = _currency(run.engine, raw.frames["orders"], terms)
    for done, name in enumerate(run.present, start=1):
        _examine_table(run, name, raw.frames[name])
        on_progress("validate", done, len(run.present))
    validation = ValidationResult(
        run.results,
        run.suites,
        tuple(name for name in SCHEMA if name not in run.results),
        tuple(run.notes),
        quarantine,
    )
    accepted = Tables(run.engine, run.accepted, replace(terms, currency=currency), validation.notes)
    return Checked(accepted, validation)


def _require_columns(name: str, rows: ir.Table) -> None:
    """Refuse a table that lacks a required column, or whose types cannot be meant."""
    missing = [c.name for c in SCHEMA[name].columns if c.required and c.name not in rows.columns]
    if missing:
        raise SchemaError.missing_columns(name, missing, rows.columns)
    for column in SCHEMA[name].columns:
        if column.name in rows.columns:
            require_type(name, column, rows[column.name])


def _currency(engine: Engine, orders: ir.Table, terms: Terms) -> str:
    """Return the currency: the configured one, else the column's, else ``units``."""
    configured = terms.currency
    if "currency" not in orders.columns:
        return configured
    column = orders.currency.cast("string").strip().upper()
    named = orders.select(currency=column).filter(given(column)).distinct()
    found = sorted(engine.to_pandas(named).currency)
    if configured != Terms().currency:
        found = sorted({*found, configured.upper()})
    if len(found) > 1:
        raise SchemaError(
            f"orders.currency: {len(found)} currencies: {listing(c[:12] for c in found)}; expected "
            "one in the column and in terms.currency. Convert the amounts to one currency, or map "
            "sources.orders.constants.currency if the column is wrong."
        )
    return configured if configured != Terms().currency or not found else found[0]


def _examine_table(run: _Run, name: str, raw: ir.Table) -> None:
    """Judge one table, write its quarantine, and hold what is accepted."""
    columns = [column for column in SCHEMA[name].columns if column.name in raw.columns]
    rows = raw.mutate(**{parsed_name(c.name): parse(c, raw[c.name]) for c in columns})
    if not _survey_columns(run, name, rows):
        return
    rules = rules_of(name, [c.name for c in columns], run.present)
    flagged, flags = _flagged(run, name, rows, rules)
    summary = _summary(run.engine, name, flagged, flags)
    counts = {rule: int(summary[flag]) for rule, flag in flags.items() if summary[flag]}
    bad = int(summary["bad"])
    clean = flagged.filter(~flagged.any_broken)
    kept = [c for c in raw.columns if c not in SCHEMA[name]]
    accepted = run.engine.cache(
        clean.select(**physical_values(name, clean), **{c: clean[c] for c in kept}).select(
            *raw.columns
        )
    )
    quarantines.write(
        run.engine, flagged, {rule.id: flag for rule, flag in flags.items()},
        raw.columns, name, run.folder, bad,
    )  # fmt: skip
    first, last = (
        None if summary[end] is None else day_of(int(summary[end])) for end in ("first", "last")
    )
    run.suites[name] = expectations.compare(
        run.engine, name, flagged, flags, run.accepted | {name: accepted},
        loaded_s=run.loaded_s, rows=int(summary["rows"]), seed=run.seed,
    )  # fmt: skip
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
    if bad:
        run.notes.append(
            Note("quarantined", name, bad, f"rows break the contract, left out: {_causes(counts)}")
        )


def _causes(counts: Mapping[Rule, int]) -> str:
    return ", ".join(f"{rule.column} {rule.message} {n:,}" for rule, n in counts.items())


def _survey_columns(run: _Run, name: str, rows: ir.Table) -> bool:
    """Refuse empty tables and columns that are wrong as a whole; say which times are naive.

    Returns whether the table has rows.
    """
    measures: dict[str, Any] = {"rows": rows.count()}
    columns = [c for c in SCHEMA[name].columns if c.name in rows.columns]
    for column in columns:
        raw, value = rows[column.name], rows[parsed_name(column.name)]
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
        return False
    for column in columns:
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
        run.notes.append(Note("naive_time", name, naive, "times without an offset, read as UTC"))
    return True


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


def _flagged(
    run: _Run, name: str, rows: ir.Table, rules: Sequence[Rule]
) -> tuple[ir.Table, dict[Rule, str]]:
    """Add a boolean column for every rule, and ``any_broken``."""
    flags = {rule: f"broken_{n}" for n, rule in enumerate(rules)}
    apart = ("duplicate", "unknown_reference", "unknown_refund")
    local = {flags[r]: broken(r, rows, run.loaded_s) for r in rules if r.kind not in apart}
    flagged = rows.mutate(**local)
    for rule in (r for r in rules if r.kind == "unknown_reference"):
        flagged = _flag_references(run, flagged, rule, flags[rule])
    for rule in (r for r in rules if r.kind == "duplicate"):
        before = [f for r, f in flags.items() if r.kind not in ("duplicate", "unknown_refund")]
        flagged = _flag_duplicates(run, name, flagged, rule, flags[rule], before)
    for rule in (r for r in rules if r.kind == "unknown_refund"):
        before = [f for r, f in flags.items() if r.kind != "unknown_refund"]
        flagged = _flag_refunds(run, flagged, flags[rule], before)
    return flagged.mutate(any_broken=_any(flagged, flags.values())), flags


def _any(rows: ir.Table, flags: Any) -> ir.Value:
    result = ibis.literal(value=False)
    for flag in flags:
        result = result | rows[flag]
    return result


def _flag_references(run: _Run, rows: ir.Table, rule: Rule, flag: str) -> ir.Table:
    """Flag rows whose value names no accepted row of another table."""
    table, _, column = str(rule.other).partition(".")
    if table not in run.accepted:
        return rows.mutate(**{flag: ibis.literal(value=False)})
    known = run.accepted[table].select(reference_id=column).distinct().mutate(reference_ok=True)
    value = parsed_name(rule.column)
    joined = rows.left_join(known, rows[value] == known.reference_id)
    unknown = joined[value].notnull() & joined.reference_ok.isnull()
    return joined.mutate(**{flag: unknown}).drop("reference_id", "reference_ok")


def _flag_duplicates(
    run: _Run, name: str, rows: ir.Table, rule: Rule, flag: str, before: Sequence[str]
) -> ir.Table:
    """Flag all but the first row of a key: sound rows first, then by time, then content."""
    keys = [parsed_name(column) for column in rule.values]
    whole = rows.filter([rows[key].notnull() for key in keys])
    twice = whole.group_by(keys).aggregate(copies=whole.count()).filter(lambda t: t.copies > 1)
    twice = run.engine.cache(twice.drop("copies"))
    if not len(run.engine.to_pandas(twice.limit(1))):
        run.engine.release(twice)
        return rows.mutate(**{flag: ibis.literal(value=False)})
    alone = rows.anti_join(twice, keys).mutate(**{flag: ibis.literal(value=False)})
    copies = rows.semi_join(twice, keys)
    time = SCHEMA[name].time
    order: list[Any] = [_any(copies, before)]
    if time is not None and parsed_name(time) in rows.columns:
        order.append(copies[parsed_name(time)])
    order += [copies[c].cast("string") for c in rows.columns if c not in before]
    rank = ibis.row_number().over(group_by=[copies[key] for key in keys], order_by=order)
    # Held, since the second and later copies must be the same rows in every later query.
    ranked = run.engine.cache(copies.mutate(**{flag: rank > 0}))
    return alone.select(*ranked.columns).union(ranked)


def _flag_refunds(run: _Run, rows: ir.Table, flag: str, before: Sequence[str]) -> ir.Table:
    """Flag refunds that name no sound order of the same customer."""
    value, customer = parsed_name("refund_of"), parsed_name("customer_id")
    named = rows.filter(rows[value].notnull()).select(named_id=value).distinct()
    order_id, amount = parsed_name("order_id"), parsed_name("amount")
    orders = rows.filter(~_any(rows, before) & rows[value].isnull() & (rows[amount] >= 0))
    orders = orders.select(of_order=order_id, of_customer=customer).distinct()
    known = orders.semi_join(named, orders.of_order == named.named_id).mutate(order_ok=True)
    known = run.engine.cache(known)
    joined = rows.left_join(
        known, [rows[value] == known.of_order, rows[customer] == known.of_customer]
    )
    unknown = joined[value].notnull() & joined.order_ok.isnull()
    return joined.mutate(**{flag: unknown}).drop("of_order", "of_customer", "order_ok")


def _summary(
    engine: Engine, name: str, flagged: ir.Table, flags: Mapping[Rule, str]
) -> dict[str, Any]:
    """Count rows, broken rules, and the span of accepted times, in one pass."""
    measures: dict[str, Any] = {flag: flagged[flag].sum() for flag in flags.values()}
    measures |= {"rows": flagged.count(), "bad": flagged.any_broken.sum()}
    time = SCHEMA[name].time
    if time is not None:
        at = flagged[parsed_name(time)]
        measures["first"] = at.min(where=~flagged.any_broken)
        measures["last"] = at.max(where=~flagged.any_broken)
    row = engine.to_pandas(flagged.aggregate(**measures)).iloc[0].to_dict()
    ends = {end: row.get(end) for end in ("first", "last")}
    row |= {end: None if at is None or at != at else at for end, at in ends.items()}
    return row


def content_fingerprint(engine: Engine, rows: ir.Table) -> str:
    """Return a hash of a table's content that no order of rows changes.

    Each row's MD5, as a number of 60 bits, is summed.
    """
    text = ibis.literal("")
    for name, kind in sorted(rows.schema().items()):
        if kind.is_primitive() or kind.is_string() or kind.is_temporal() or kind.is_decimal():
            text = text + rows[name].cast("string").fill_null("\x00") + "\x1f"
    digest = rows.select(digest=text.hexdigest("md5"))
    number = (ibis.literal("0x") + digest.digest.substr(0, 15)).cast("int64")
    total = number.cast("decimal(38, 0)").sum().cast("string")
    found = engine.to_pandas(digest.aggregate(total=total, rows=digest.count())).iloc[0]
    plain = f"{sorted(rows.columns)}{found['rows']}:{found['total']}"
    return hashlib.sha256(plain.encode()).hexdigest()[:16]
