"""great-expectations suites from the same declaration, on the same raw rows, in pandas.

A second, independent reading of the contract: pandas parses the raw cells, the suite
counts what breaks each rule, and every count must equal that of the rules. A difference is
a defect of clv, never of the data.
"""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from clv.data.parsing import EARLIEST_S, LATEST_S, NOT_FINITE, NUMBER_PATTERN, TIME_PATTERN
from clv.data.rules import LARGEST, NUMERIC, Rule, parsed_name
from clv.errors import DataError
from clv.schema import SCHEMA, Column, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

    from clv.data.engine import Engine

SAMPLE_ROWS = 1_000_000
_BUCKETS = 16**6
_SPACES = " \t\n\r\v\f"
_NUMBER = re.compile(NUMBER_PATTERN, re.ASCII)
_TIME = re.compile(TIME_PATTERN, re.ASCII)
_Floats = npt.NDArray[np.float64]
_Answers = npt.NDArray[np.bool_]


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


def compare(
    engine: Engine,
    table: str,
    flagged: ir.Table,
    flags: Mapping[Rule, str],
    accepted: Mapping[str, ir.Table],
    *,
    loaded_s: int,
    rows: int,
    seed: int,
    sample_rows: int = SAMPLE_ROWS,
) -> SuiteResult:
    """Judge a table's raw rows by great-expectations, and hold its counts to the rules'.

    Parameters
    ----------
    flagged : ibis Table
        Raw columns, and the flag of each rule.
    flags : mapping of Rule to str
        The flags' columns.
    accepted : mapping of str to ibis Table
        Accepted tables so far, this one included.
    loaded_s : int
        When the tables were loaded.
    rows : int
        Rows of the table; above ``sample_rows`` a sample of keys, drawn by ``seed``, is seen.

    Raises
    ------
    DisagreementError
        When the counts differ.
    """
    columns = sorted({rule.column for rule in flags} | _others(table, flags))
    sampled = rows > sample_rows
    seen = flagged
    if sampled:
        seen = flagged.filter(_drawn(table, flagged, sample_rows / rows, seed))
    wanted = seen.select(*columns, *flags.values())
    raw = pa.Table.from_batches(engine.batches(wanted), wanted.schema().to_pyarrow())
    frame = prepare(table, raw)
    for rule in flags:
        if rule.kind in ("unknown_reference", "unknown_refund"):
            frame[_flag(rule)] = _found(engine, rule, frame, accepted)
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
    names = {name for rule in flags for name in rule.values if rule.kind == "duplicate"}
    names |= {rule.other for rule in flags if rule.kind in ("at_least", "at_most") and rule.other}
    if table == "orders":
        names |= {"amount", "customer_id"}
    return names | ({"kind"} if table == "surveys" else set())


def _drawn(table: str, rows: ir.Table, share: float, seed: int) -> ir.Value:
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
    bucket = (ibis.literal("0x") + text.hexdigest("md5").substr(0, 6)).cast("int64")
    return bucket < int(share * _BUCKETS)


def _count(flags: pa.ChunkedArray) -> int:
    return int(flags.to_numpy().sum()) if len(flags) else 0


def prepare(table: str, raw: pa.Table) -> pd.DataFrame:
    """Parse raw cells in pandas, beside the raw columns.

    For a column ``c``: ``c`` is text, None where nothing is given; ``c__value`` is what it
    says (a float, seconds, or text; NaN where it says nothing finite); ``c__parsed``,
    ``c__finite`` and ``c__whole`` are true, false, or None where the question does not arise.
    """
    frame = pd.DataFrame(index=pd.RangeIndex(raw.num_rows))
    for column in SCHEMA[table].columns:
        if column.name not in raw.column_names:
            continue
        cells = raw[column.name]
        text = _text(column, cells)
        frame[column.name] = text
        if column.kind in NUMERIC:
            value, parsed = _numbers(cells, text)
            finite = np.isfinite(value)
            frame[f"{column.name}__finite"] = _answer(finite, parsed)
            whole = finite & (np.floor(np.where(finite, value, 0.5)) == value)
            frame[f"{column.name}__whole"] = _answer(whole, parsed & finite)
            frame[f"{column.name}__value"] = np.where(finite, value, np.nan)
        elif column.kind is Kind.TIME:
            seconds, parsed = _times(cells, text)
            frame[f"{column.name}__value"] = seconds
        else:
            value, parsed = _words(cells, text)
            frame[f"{column.name}__value"] = value
        frame[f"{column.name}__parsed"] = _answer(parsed, text.notna().to_numpy())
    keys = [f"{key}__value" for key in SCHEMA[table].key]
    if set(keys) <= set(frame.columns):
        whole_key = frame[keys].notna().all(axis=1)
        copies = frame[whole_key].groupby(keys, sort=False).cumcount().reindex(frame.index)
        frame["copies_before"] = copies
    if {"refund_of", "amount"} <= set(frame.columns):
        refund = frame["refund_of"].notna() & frame["amount__value"].notna()
        frame["amount__refunded"] = frame["amount__value"].where(refund)
    return frame


def _answer(answers: Any, asked: Any) -> pd.Series:
    """Return booleans as objects, None where the question does not arise."""
    result = pd.Series(np.asarray(answers, dtype=bool), dtype=object)
    return result.where(np.asarray(asked, dtype=bool), None)


def _text(column: Column, cells: pa.ChunkedArray) -> pd.Series:
    """Return cells as text, None where nothing is given; a float's NaN is given, an id's not."""
    plain = cells.to_pylist()
    if _is_text(cells):
        found = [cell if cell and cell.strip(_SPACES) else None for cell in plain]
    elif column.kind is Kind.ID:
        found = [None if cell is None or cell != cell else str(cell) for cell in plain]
    else:
        found = [None if cell is None else str(cell) for cell in plain]
    return pd.Series(found, dtype=object)


def _is_text(cells: pa.ChunkedArray) -> bool:
    return pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)


def _numbers(cells: pa.ChunkedArray, text: pd.Series) -> tuple[_Floats, _Answers]:
    """Return floats, and which cells are numbers at all."""
    if _is_text(cells):
        found = [_number(cell) for cell in text]
    else:
        found = [None if cell is None else float(cell) for cell in cells.to_pylist()]
    parsed = np.array([value is not None for value in found], dtype=bool)
    return np.array([np.nan if v is None else v for v in found], dtype="float64"), parsed


def _number(cell: str | None) -> float | None:
    if cell is None:
        return None
    if _NUMBER.search(cell):
        return float(cell)
    word = cell.strip(_SPACES).lower().removeprefix("+").replace("infinity", "inf")
    return NOT_FINITE.get(word)


def _times(cells: pa.ChunkedArray, text: pd.Series) -> tuple[_Floats, _Answers]:
    """Return seconds since 1970-01-01 UTC (NaN where there is no time), and which are times."""
    if _is_text(cells):
        shaped = [cell.strip(_SPACES) if cell and _TIME.search(cell) else None for cell in text]
        plain = pd.Series(shaped, dtype=object)
        moments = pd.to_datetime(plain, utc=True, format="ISO8601", errors="coerce")
    else:
        moments = pd.to_datetime(cells.cast(pa.timestamp("us")).to_pandas(), utc=True)
    whole = moments.dt.floor("s").dt.tz_localize(None).astype("datetime64[s]")
    seconds = whole.astype("int64").astype("float64").where(whole.notna(), np.nan).to_numpy()
    seconds = np.where((seconds >= EARLIEST_S) & (seconds <= LATEST_S), seconds, np.nan)
    return seconds, ~np.isnan(seconds)


def _words(cells: pa.ChunkedArray, text: pd.Series) -> tuple[pd.Series, _Answers]:
    """Return ids and words, and which cells are one: a float must be a whole number."""
    if not (pa.types.is_floating(cells.type) or pa.types.is_decimal(cells.type)):
        return text, text.notna().to_numpy()
    numbers = [None if cell is None else float(cell) for cell in cells.to_pylist()]
    found = [
        str(int(n)) if n is not None and abs(n) < 2.0**53 and n == int(n) else None for n in numbers
    ]
    return pd.Series(found, dtype=object), np.array([word is not None for word in found])


def _flag(rule: Rule) -> str:
    """Return the column that says whether a reference was found."""
    return f"{rule.column}__{rule.kind}"


def _found(
    engine: Engine, rule: Rule, frame: pd.DataFrame, accepted: Mapping[str, ir.Table]
) -> pd.Series:
    """Say in pandas which references name a row of the table they point to."""
    value = frame[f"{rule.column}__value"]
    asked = value.notna().to_numpy()
    if rule.kind == "unknown_refund":
        named = engine.frame(pd.DataFrame({"named_id": value.dropna().unique()}, dtype="str"))
        orders = accepted["orders"]
        orders = orders.filter(orders.refund_of.isnull() & (orders.amount >= 0))
        known = orders.select("order_id", "customer_id").semi_join(
            named, orders.order_id == named.named_id
        )
        pairs = set(engine.to_pandas(known).itertuples(index=False, name=None))
        engine.release(named)
        given = zip(value, frame["customer_id__value"], strict=True)
        return _answer([pair in pairs for pair in given], asked)
    table, _, column = str(rule.other).partition(".")
    if table not in accepted:
        return _answer(asked, asked)
    ids = engine.to_pandas(accepted[table].select(column))[column]
    return _answer(value.isin(set(ids)), asked)


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
    """Return the expectation of a rule, on the columns of ``prepare``."""
    import great_expectations.expectations as gxe

    column, meta = rule.column, {"rule": rule.id}
    value = f"{column}__value"
    if rule.kind == "missing":
        return gxe.ExpectColumnValuesToNotBeNull(column=column, meta=meta)
    if rule.kind == "allowed":
        return gxe.ExpectColumnValuesToBeInSet(
            column=column, value_set=list(rule.values), meta=meta
        )
    if rule.kind in ("at_least", "at_most"):
        pair = (value, f"{rule.other}__value")
        above, below = pair if rule.kind == "at_least" else pair[::-1]
        return gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A=above, column_B=below, or_equal=True,
            ignore_row_if="either_value_is_missing", meta=meta,
        )  # fmt: skip
    if rule.kind in ("range", "too_large", "future", "positive_refund", "duplicate"):
        low, high = {
            "range": (rule.low, rule.high),
            "too_large": (-LARGEST, LARGEST),
            "future": (None, loaded_s),
            "positive_refund": (None, 0),
            "duplicate": (None, 0),
        }[rule.kind]
        subject = {"positive_refund": "amount__refunded", "duplicate": "copies_before"}
        only = {}
        if rule.kind == "range" and rule.other:
            only = {
                "row_condition": f"kind__value == '{rule.other}'",
                "condition_parser": "pandas",
            }
        return gxe.ExpectColumnValuesToBeBetween(
            column=subject.get(rule.kind, value), min_value=low, max_value=high, meta=meta, **only
        )
    asked = {
        "unparsable": f"{column}__parsed",
        "not_finite": f"{column}__finite",
        "not_whole": f"{column}__whole",
    }.get(rule.kind, _flag(rule))
    return gxe.ExpectColumnValuesToBeInSet(column=asked, value_set=[True], meta=meta)
