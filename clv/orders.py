"""A frame of orders as a company, for whoever has nothing else; and what is no such frame."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from clv.company import Company
from clv.errors import ModelError, SchemaError, UsageError, columns, listing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ORDER_COLUMNS = {name: name for name in ("customer_id", "ordered_at", "amount")}
"""What a frame of orders must have, by the contract's names."""


@contextmanager
def opened(company: Any, named: Mapping[str, str]) -> Iterator[Company]:
    """Give the company as it is, or one made of a frame of orders, which is closed again.

    Each row is an order of its own where the frame has no ``order_id``.

    Parameters
    ----------
    company : Company or frame of orders
    named : mapping of str to str
        The frame's columns by the contract's, where they differ.

    Raises
    ------
    UsageError
        When columns are named for a company, or the value is neither.
    SchemaError
        When the frame lacks a column.
    DataError
        As ``Company.from_frames``.

    Examples
    --------
    >>> frame = pd.DataFrame({"who": ["anna"], "day": ["2025-01-02"], "total": [9.99]})
    >>> names = {"customer_id": "who", "ordered_at": "day", "amount": "total"}
    >>> with opened(frame, names) as company:
    ...     company
    Company(1 orders; 2025-01-02 to 2025-01-02; in units)
    """
    if isinstance(company, Company):
        if named:
            raise UsageError(
                "orders: customer, date and amount name columns of a frame of orders; a Company "
                "has the contract's. Leave them out."
            )
        yield company
        return
    frame = company if isinstance(company, pd.DataFrame) else _arrow(company)
    there = list(frame.columns if isinstance(frame, pd.DataFrame) else frame.column_names)
    wanted = {**ORDER_COLUMNS, **named}
    missing = [name for name in wanted.values() if name not in there]
    if missing:
        raise SchemaError(
            f"orders: the frame has no column {listing(missing)}; it has {columns(there)}. Say "
            "which is which: fit(orders, customer=…, date=…, amount=…)."
        )
    mapping = {column: name for column, name in wanted.items() if column != name}
    if "order_id" not in there:
        mapping["order_id"] = "row_id()"
    with Company.from_frames(orders=frame, columns={"orders": mapping}) as held:
        yield held


def _arrow(frame: Any) -> pa.Table:
    if isinstance(frame, pa.Table):
        return frame
    if not hasattr(frame, "__arrow_c_stream__"):
        raise UsageError(
            f"orders: a {type(frame).__name__} is neither a Company nor a frame; expected a "
            "pandas or polars DataFrame, an Arrow table, or clv.Company.open(folder)."
        )
    return pa.table(frame)


def are_features(frame: Any, features: Sequence[str], named: Mapping[str, str]) -> bool:
    """Say whether what was given is a frame of features rather than of orders.

    Parameters
    ----------
    frame : object
    features : sequence of str
        Those that the model was trained with.
    named : mapping of str to str
        The frame's columns of orders by the contract's, where they differ.

    Raises
    ------
    ModelError
        When it holds some of the features.
    """
    if not isinstance(frame, pd.DataFrame):
        return False
    needed = {"as_of", "frequency", "recency_days", "age_days", *features}
    there = needed & set(frame.columns)
    orders = {**ORDER_COLUMNS, **named}
    if not there or set(orders.values()) <= set(frame.columns):
        return False
    missing = sorted(needed - there)
    if missing:
        raise ModelError(
            f"features: missing column {listing(missing)}; the model was trained with "
            f"{len(features)} features. Make the frame with company.features(day)"
            ".to_pandas(), or give the company itself."
        )
    return True
