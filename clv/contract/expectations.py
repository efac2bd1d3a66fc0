"""great-expectations suites from the same declaration, on the same raw rows, in pandas.

A second, independent reading of the contract: pandas parses the raw cells, the suite
counts what breaks each rule, and every count must equal that of the rules. A difference is
a defect of clv, never of the data.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from clv.contract.raw_frame import raw_frame, read_cells, subject
from clv.contract.rules import LARGEST, Rule, parsed_name
from clv.errors import DataError
from clv.schema import SCHEMA, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir
    import pandas as pd

    from clv.engines.base import Engine

SAMPLE_ROWS = 1_000_000
_BUCKETS = 16**6


class DisagreementError(DataError):
    """great-expectations and the rules count differently: a defect of clv."""


@dataclass(frozen=True)
class SuiteResult:
    """What great-expectations says of a table.

    Attributes
    ----------
    rows_checked : int
        Rows it saw.
    sampled : bool
        Whether they were a sample.
    success : bool
        Whether every expectation was met.
    counts : mapping of str to int
        Rows that broke each rule, by the rule's name; equal to the rules' own counts.
    """

    rows_checked: int
    sampled: bool
    success: bool
    counts: Mapping[str, int]

    def as_dict(self) -> dict[str, object]:
        """Return JSON-able values."""
        return {
            "rows_checked": self.rows_checked,
            "sampled": self.sampled,
            "success": self.success,
            "expectations": len(self.counts),
            "agrees": True,
        }


@dataclass(frozen=True)
class Flagged:
    """A table's raw rows, each with a flag per rule.

    Attributes
    ----------
    table : str
    rows : ibis Table
        Raw columns, and the flag of each rule.
    flags : mapping of Rule to str
        The flags' columns.
    count : int
        Rows of the table.
    """

    table: str
    rows: ir.Table
    flags: Mapping[Rule, str]
    count: int


def compare(
    engine: Engine,
    flagged: Flagged,
    accepted: Mapping[str, ir.Table],
    *,
    loaded_s: int,
    seed: int,
    sample_rows: int = SAMPLE_ROWS,
) -> SuiteResult:
    """Judge a table's raw rows by great-expectations, and hold its counts to the rules'.

    Parameters
    ----------
    engine : Engine
        Holds the rows.
    flagged : Flagged
        The table.
    accepted : mapping of str to ibis Table
        Accepted tables so far, this one included.
    loaded_s : int
        When the tables were loaded.
    seed, sample_rows : int
        Of a table with more rows a sample of keys, drawn by the seed, is seen.

    Raises
    ------
    DisagreementError
        When the counts differ.
    """
    table, flags, seen = flagged.table, flagged.flags, flagged.rows
    columns = sorted({rule.column for rule in flags} | _others(table, flags))
    sampled = flagged.count > sample_rows
    if sampled:
        seen = seen.filter(_drawn(engine, table, seen, sample_rows / flagged.count, seed))
    wanted = seen.select(*columns, *flags.values())
    raw = pa.Table.from_batches(engine.batches(wanted), wanted.schema().to_pyarrow())
    frame = raw_frame(table, raw, tuple(flags))
    for rule in flags:
        if rule.kind in ("unknown_reference", "unknown_refund"):
            frame[subject(rule)] = _known(engine, rule, raw, accepted)
    counts, success = run_suite(table, frame, tuple(flags), loaded_s)
    own = {rule.id: _count(raw[flag]) for rule, flag in flags.items()}
    if counts != own:
        first = next(rule for rule in own if own[rule] != counts.get(rule))
        raise DisagreementError(
            f"{first}: great-expectations counts {counts.get(first)} rows, the rules {own[first]}. "
            "This is a defect of clv, not of the data; please report it with the column's type."
        )
    return SuiteResult(raw.num_rows, sampled, success, counts)


def _others(table: str, flags: Mapping[Rule, str]) -> set[str]:
    """Return the further columns that rules read."""
    names = {name for rule in flags for name in SCHEMA[table].key if rule.kind == "duplicate"}
    names |= {rule.other for rule in flags if rule.kind in ("at_least", "at_most") and rule.other}
    if table == "orders":
        names |= {"amount", "customer_id"}
    return names | ({"kind"} if table == "surveys" else set())


def _drawn(engine: Engine, table: str, rows: ir.Table, share: float, seed: int) -> ir.Value:
    """Say which rows are in the sample: by key, so that duplicates are seen together."""
    contract = SCHEMA[table]
    parts = [rows[parsed_name(c)].cast("string") for c in contract.key]
    key = parts[0]
    for part in parts[1:]:
        key = key + "\x1f" + part
    # Rows without a key are drawn by their other columns, lest all or none be seen.
    rest = ibis.literal("")
    for column in contract.columns:
        if column.name in rows.columns and column.kind is not Kind.TEXT:
            rest = rest + rows[column.name].cast("string").fill_null("") + "\x1f"
    text = ibis.literal(f"{seed}:") + ibis.coalesce(key, rest)
    bucket = engine.hex_number(text.hexdigest("md5").substr(0, 6))
    return bucket < int(share * _BUCKETS)


def _count(flags: pa.ChunkedArray) -> int:
    return int(flags.to_numpy().sum()) if len(flags) else 0


def _known(
    engine: Engine, rule: Rule, raw: pa.Table, accepted: Mapping[str, ir.Table]
) -> npt.NDArray[np.float64]:
    """Say which references name a row of the table they point to; NaN where there is none."""
    words = read_cells(SCHEMA[rule.table][rule.column], raw[rule.column]).words
    asked = pc.is_valid(words).to_numpy().astype(bool)
    if rule.kind == "unknown_refund":
        customers = read_cells(SCHEMA["orders"]["customer_id"], raw["customer_id"]).words
        named = engine.frame(pa.table({"named_id": pc.unique(words.drop_null())}))
        orders = accepted["orders"]
        # Ibis, not pandas: rows that return nothing themselves.
        orders = orders.filter(~orders.refund_of.notnull() & (orders.amount >= 0))  # noqa: PD004
        known = orders.semi_join(named, orders.order_id == named.named_id)
        found = engine.to_pandas(known.select("order_id", "customer_id"))
        engine.release(named)
        pairs = set(found.itertuples(index=False, name=None))
        rows = zip(words.to_pylist(), customers.to_pylist(), strict=True)
        answers = np.array([pair in pairs for pair in rows], dtype=bool)
    else:
        table, _, column = str(rule.other).partition(".")
        if table not in accepted:
            return np.where(asked, 1.0, np.nan)
        batches = engine.batches(accepted[table].select(column))
        ids = pa.Table.from_batches(batches, pa.schema([(column, pa.string())]))[column]
        answers = pc.is_in(words.cast(pa.string()), value_set=ids).to_numpy().astype(bool)
    return np.where(asked, answers, np.nan)


def run_suite(
    table: str, frame: pd.DataFrame, rules: tuple[Rule, ...], loaded_s: int
) -> tuple[dict[str, int], bool]:
    """Run a table's suite on a prepared frame; return the count of each rule, and the verdict."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        asset = context.data_sources.add_pandas("clv").add_dataframe_asset(table)
        batch = asset.add_batch_definition_whole_dataframe("all")
        suite = gx.ExpectationSuite(
            name=table, expectations=[expectation(rule, loaded_s) for rule in rules]
        )
        definition = gx.ValidationDefinition(
            name=table, data=batch, suite=context.suites.add(suite)
        )
        result = context.validation_definitions.add(definition).run(
            batch_parameters={"dataframe": frame}, result_format={"result_format": "BASIC"}
        )
    counts = {}
    for outcome in result.results:
        rule = outcome.expectation_config.meta["rule"]
        if outcome.exception_info.get("raised_exception", False):
            raise DisagreementError(
                f"{rule}: great-expectations could not judge it. This is a defect of clv; please "
                "report it with the column's type."
            )
        counts[rule] = int(outcome.result["unexpected_count"])
    return {rule.id: counts[rule.id] for rule in rules}, bool(result.success)


def expectation(rule: Rule, loaded_s: int) -> Any:
    """Return the expectation of a rule, on the columns of ``raw_frame``."""
    import great_expectations.expectations as gxe

    column, meta = subject(rule), {"rule": rule.id}
    if rule.kind == "missing":
        return gxe.ExpectColumnValuesToNotBeNull(column=column, meta=meta)
    if rule.kind == "allowed":
        return gxe.ExpectColumnValuesToBeInSet(
            column=column, value_set=list(rule.members), meta=meta
        )
    if rule.kind in ("at_least", "at_most"):
        pair = (column, f"{rule.other}__value")
        above, below = pair if rule.kind == "at_least" else pair[::-1]
        return gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A=above, column_B=below, or_equal=True,
            ignore_row_if="either_value_is_missing", meta=meta,
        )  # fmt: skip
    bounds: dict[str, tuple[float | None, float | None]] = {
        "range": (rule.low, rule.high),
        "too_large": (-LARGEST, LARGEST),
        "future": (None, loaded_s),
        "positive_refund": (None, 0),
        "duplicate": (None, 0),
    }
    if rule.kind in bounds:
        low, high = bounds[rule.kind]
        only = {}
        if rule.kind == "range" and rule.other:
            only = {"row_condition": f"kind == '{rule.other}'", "condition_parser": "pandas"}
        return gxe.ExpectColumnValuesToBeBetween(
            column=column, min_value=low, max_value=high, meta=meta, **only
        )
    return gxe.ExpectColumnValuesToBeInSet(column=column, value_set=[1.0], meta=meta)
