"""A second reading of raw cells, by pandas and Python, for great-expectations to judge.

It shares with the rules the declaration and the patterns of what a number and a time are,
but none of the engine's casts, comparisons or joins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from clv.contract.rules import NUMERIC, Rule
from clv.schema import SCHEMA, Column, Kind
from clv.sources.parsing import EARLIEST_S, LATEST_S, NOT_FINITE, NUMBER_PATTERN, TIME_PATTERN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SPACES = " \t\n\r\v\f"
_NUMBER = re.compile(NUMBER_PATTERN, re.ASCII)
_FRACTION = re.compile(r"[.][0-9]+")
_TIME = re.compile(TIME_PATTERN, re.ASCII)
_Floats = npt.NDArray[np.float64]
_Answers = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Cells:
    """What the cells of one column say.

    Attributes
    ----------
    given : array of bool
        Whether there is anything in the cell.
    parsed : array of bool
        Whether it is what the contract says: a number (NaN and infinities too), a time, an id.
    numbers : array of float
        Numbers and times (seconds); NaN where there is no finite one.
    finite : array of bool
        Whether a number is finite.
    words : pyarrow array of string
        Ids and words; null where there is none.
    """

    given: _Answers
    parsed: _Answers
    numbers: _Floats
    finite: _Answers
    words: pa.ChunkedArray


def read_cells(column: Column, cells: pa.ChunkedArray) -> Cells:
    """Read a column of raw cells."""
    is_text = pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)
    present = cells
    if is_text:
        blank = pc.equal(pc.utf8_trim(cells, _SPACES), "")
        present = pc.if_else(blank, pa.scalar(None, cells.type), cells)
    given = _bools(pc.is_valid(present))
    nothing = np.full(len(cells), np.nan)
    if column.kind in NUMERIC:
        if is_text:
            numbers, parsed = _from_text(present, _number)
        else:
            numbers, parsed = _floats(cells), given
        finite = np.isfinite(numbers)
        return Cells(given, parsed, np.where(finite, numbers, np.nan), finite, present)
    if column.kind is Kind.TIME:
        seconds = _seconds(present, is_text=is_text)
        parsed = (seconds >= EARLIEST_S) & (seconds <= LATEST_S)
        return Cells(given, parsed, np.where(parsed, seconds, np.nan), parsed, present)
    if pa.types.is_floating(cells.type) or pa.types.is_decimal(cells.type):
        numbers = _floats(cells)
        whole = (np.abs(numbers) < 2.0**53) & (numbers == np.floor(numbers))
        plain = pd.Series(np.where(whole, numbers, 0).astype("int64").astype(str), dtype="str")
        words = pa.chunked_array([pa.array(plain.where(whole), pa.string(), from_pandas=True)])
        known = given & ~np.isnan(numbers) if column.kind is Kind.ID else given
        return Cells(known, whole, nothing, whole, words)
    words = present if is_text else present.cast(pa.string())
    return Cells(given, given, nothing, given, words)


def raw_frame(table: str, raw: pa.Table, rules: Sequence[Rule]) -> pd.DataFrame:
    """Return what each rule's expectation looks at, one column per question.

    Answers are 1 and 0, NaN where the question does not arise; see ``subject`` for names.

    Parameters
    ----------
    table : str
        The contract's name.
    raw : pyarrow Table
        Raw columns, in the types of the source.
    rules : sequence of Rule
        Those to be judged; references to other rows are ``raw_references``'s part.
    """
    read = {
        column.name: read_cells(column, raw[column.name])
        for column in SCHEMA[table].columns
        if column.name in raw.column_names
    }
    frame: dict[str, Any] = {}
    for rule in rules:
        cells = read[rule.column]
        if rule.kind == "missing":
            frame[subject(rule)] = np.where(cells.given, 1.0, np.nan)
        elif rule.kind == "unparsable":
            frame[subject(rule)] = np.where(cells.given, cells.parsed, np.nan)
        elif rule.kind == "not_finite":
            frame[subject(rule)] = np.where(cells.parsed, cells.finite, np.nan)
        elif rule.kind == "not_whole":
            asked = cells.parsed & cells.finite
            whole = np.floor(cells.numbers) == cells.numbers
            frame[subject(rule)] = np.where(asked, whole, np.nan)
        elif rule.kind == "allowed":
            frame[subject(rule)] = cells.words.to_pandas().astype(object)
        elif rule.kind == "duplicate":
            frame[subject(rule)] = _copies([read[key] for key in rule.members], SCHEMA[table])
        elif rule.kind == "positive_refund":
            refund = _bools(pc.is_valid(cells.words))
            frame[subject(rule)] = np.where(refund, read["amount"].numbers, np.nan)
        elif rule.kind in ("range", "too_large", "future", "at_least", "at_most"):
            frame[subject(rule)] = cells.numbers
            if rule.kind in ("at_least", "at_most"):
                frame[f"{rule.other}__value"] = read[str(rule.other)].numbers
            elif rule.other:
                frame["kind"] = read["kind"].words.to_pandas().astype(object)
    return pd.DataFrame(frame, index=pd.RangeIndex(raw.num_rows))


def subject(rule: Rule) -> str:
    """Return the column of the frame that a rule's expectation looks at."""
    question = {
        "missing": "given",
        "unparsable": "parsed",
        "not_finite": "finite",
        "not_whole": "whole",
        "allowed": "word",
        "duplicate": "copies_before",
        "positive_refund": "refunded",
        "unknown_reference": "known",
        "unknown_refund": "known",
    }
    return f"{rule.column}__{question.get(rule.kind, 'value')}"


def _copies(keys: Sequence[Cells], contract: Any) -> _Floats:
    """Return how many rows of the same key stand before each row; NaN without a key."""
    columns = {
        str(n): cells.numbers
        if contract[name].kind in (*NUMERIC, Kind.TIME)
        else cells.words.to_pandas()
        for n, (name, cells) in enumerate(zip(contract.key, keys, strict=True))
    }
    frame = pd.DataFrame(columns)
    whole = frame.notna().all(axis=1)
    copies = frame[whole].groupby(list(frame.columns), sort=False).cumcount()
    return np.asarray(copies.reindex(frame.index), dtype=np.float64)


def _from_text(
    cells: pa.ChunkedArray, read: Callable[[str], float | None]
) -> tuple[_Floats, _Answers]:
    """Read each distinct text once."""
    codes, distinct = pd.factorize(cells.to_pandas().astype(object))
    found = [read(text) for text in distinct] + [None]
    numbers = np.array([np.nan if n is None else n for n in found], dtype="float64")
    return numbers[codes], np.array([n is not None for n in found], dtype=bool)[codes]


def _number(text: str) -> float | None:
    if _NUMBER.search(text):
        return float(text)
    word = text.strip(_SPACES).lower().removeprefix("+").replace("infinity", "inf")
    return NOT_FINITE.get(word)


def _seconds(cells: pa.ChunkedArray, *, is_text: bool) -> _Floats:
    """Return seconds since 1970-01-01 UTC, NaN where there is no time."""
    if is_text:
        # Without fractions, since nanoseconds would not reach beyond the year 2262.
        texts = cells.to_pandas().astype(object)
        fits = [isinstance(t, str) and _TIME.search(t) is not None for t in texts]
        plain = [
            _FRACTION.sub("", t).strip(_SPACES) if f else None
            for t, f in zip(texts, fits, strict=True)
        ]
        moments = pd.to_datetime(
            pd.Series(plain, dtype=object), utc=True, format="ISO8601", errors="coerce"
        )
    else:
        moments = pd.to_datetime(cells.cast(pa.timestamp("us")).to_pandas(), utc=True)
    whole = moments.dt.floor("s").dt.tz_localize(None).astype("datetime64[s]")
    known = whole.notna().to_numpy()
    seconds: _Floats = whole.astype("int64").to_numpy().astype("float64")
    return np.where(known, seconds, np.nan)


def _floats(cells: pa.ChunkedArray) -> _Floats:
    return cells.cast(pa.float64()).to_numpy().astype("float64")


def _bools(answers: pa.ChunkedArray) -> _Answers:
    return answers.to_numpy().astype(bool)
