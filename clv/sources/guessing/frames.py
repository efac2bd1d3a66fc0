"""Frames that a program holds, recognised as tables of the contract by their columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from clv.errors import SchemaError, listing
from clv.sources.frames import arrow_table
from clv.sources.guessing.proposal import propose
from clv.sources.guessing.sheets import SAMPLE_ROWS, Sheet, texts

if TYPE_CHECKING:
    from collections.abc import Mapping


def guessed(frames: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Mapping[str, str]]]:
    """Return frames by the contract's tables, and how their columns are mapped.

    Parameters
    ----------
    frames : mapping of str to DataFrame or Arrow table
        Under names of one's own.

    Raises
    ------
    SchemaError
        For a frame that is no table of the contract, or a table that two frames are.

    Examples
    --------
    >>> import pandas as pd
    >>> sales = pd.DataFrame({"Invoice No": [1], "Customer": ["a"], "Date": ["2025-01-02"],
    ...     "Net": [9.5]})
    >>> tables, columns = guessed({"sales": sales})
    >>> columns["orders"]["amount"], columns["orders"]["order_id"]
    ('Net', 'Invoice No')
    """
    sheets = []
    for name, frame in frames.items():
        head = arrow_table(name, frame).slice(0, SAMPLE_ROWS)
        rows = tuple(texts(row) for row in head.to_pylist())
        sheets.append(Sheet(name, Path(name), "parquet", tuple(head.column_names), rows))
    tables: dict[str, Any] = {}
    columns: dict[str, Mapping[str, str]] = {}
    for each in propose(sheets).sheets:
        if not each.what or each.why:
            why = each.why or "has the required columns of no table"
            raise SchemaError(
                f"{listing([each.sheet.name])} {why}; found {listing(each.sheet.columns, 12)}. "
                "Expected orders, customers, interactions, messages, surveys or agents; leave it "
                "out, or name its columns yourself with Company.from_frames."
            )
        tables[each.what] = frames[each.sheet.name]
        constant = {column: f'"{value}"' for column, value in each.constants.items()}
        columns[each.what] = {**each.columns, **constant}
    return tables, columns
