"""Orders in, one row per customer out: frequency, recency, age and mean spend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from clv.errors import DataError, SchemaError, UsageError, columns, listing
from clv.sources.frames import arrow_table

if TYPE_CHECKING:
    import datetime as dt

    Moment = str | dt.date | pd.Timestamp | pd.Period

PERIODS = {"W": "W", "D": "D", "h": "h", "H": "h", "min": "min", "s": "s"}
"""Lengths of a period that are the same everywhere; months and years are not."""


def rfm(
    frame: Any,
    customer: str,
    date: str,
    amount: str | None = None,
    *,
    datetime_format: str | None = None,
    observation_period_end: Moment | None = None,
    freq: str = "D",
    freq_multiplier: float = 1,
    include_first_transaction: bool = False,
) -> pd.DataFrame:
    """Summarise orders: ``lifetimes.utils.summary_data_from_transaction_data``, in one pass.

    What a customer bought within one period is one purchase. Orders after the end of the
    observation, and those without a customer or a date, are left out.

    Parameters
    ----------
    frame : DataFrame
        One row per order or invoice line: pandas, polars, or an Arrow table.
    customer, date : str
        Columns of who bought, and when: times, or text that says them.
    amount : str, optional
        Column of money; without it there is no ``monetary_value``. A missing amount is 0.
    datetime_format : str, optional
        How the text of ``date`` is written, as ``strptime`` reads it.
    observation_period_end : str or date, optional
        The last period that counts; by default that of the last order.
    freq : str
        The length of a period: ``"D"``, ``"W"``, ``"h"``, ``"min"`` or ``"s"``.
    freq_multiplier : float
        Times are in units of so many periods: ``freq="h", freq_multiplier=24`` gives days
        to the hour.
    include_first_transaction : bool
        Count the first purchase in ``frequency`` and ``monetary_value`` too. The models want
        it left out.

    Returns
    -------
    DataFrame
        Index ``customer``, sorted; ``frequency`` (purchases after the first), ``recency``
        (first to last purchase), ``T`` (first purchase to the end of the observation), and
        ``monetary_value`` (mean amount of a purchase after the first; 0 without any).

    Raises
    ------
    SchemaError
        When a column is missing.
    DataError
        When a date cannot be read, or an amount is no number.
    UsageError
        For a period whose length differs from one to the next.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"who": [7, 7, 7], "day": ["03/01/25", "03/01/25", "09/01/25"],
    ...     "paid": [20, 5, 40]})
    >>> rfm(orders, "who", "day", "paid", datetime_format="%d/%m/%y")
         frequency  recency    T  monetary_value
    who
    7          1.0      6.0  6.0            40.0
    """
    if freq not in PERIODS:
        raise UsageError(
            f"rfm: freq is {freq!r}; expected one of {', '.join(PERIODS)}. Months and years "
            "differ in length: summarise by days, and tell the models their unit."
        )
    if not freq_multiplier > 0:
        raise UsageError(f"rfm: freq_multiplier is {freq_multiplier}; expected more than 0.")
    given = _columns(frame, [name for name in (customer, date, amount) if name is not None])
    periods = _moments(given[date], datetime_format).dt.to_period(PERIODS[freq])
    end = periods.max()
    if observation_period_end is not None:
        end = pd.Period(_moment(observation_period_end, datetime_format), PERIODS[freq])
    kept = (periods.notna() & given[customer].notna() & (periods <= end)).to_numpy(bool)
    codes, people = pd.factorize(given.loc[kept, customer], sort=True)
    steps = np.asarray(periods[kept].array.asi8)
    paid = None if amount is None else _money(given.loc[kept, amount])
    found = _summarised(codes, steps, paid)
    counted = 0 if include_first_transaction else 1
    summary = {
        "frequency": found.purchases - counted,
        "recency": (found.last - found.first) / freq_multiplier,
        "T": ((end.ordinal if kept.any() else 0) - found.first) / freq_multiplier,
    }
    if paid is not None:
        total = found.paid if include_first_transaction else found.paid - found.paid_first
        count = found.purchases - counted
        summary["monetary_value"] = np.where(count > 0, total / np.maximum(count, 1), 0.0)
    return pd.DataFrame(summary, index=pd.Index(people, name=customer), dtype=float)


class _Customers(NamedTuple):
    """By customer: purchases, periods of the first and the last, money in all and at first."""

    purchases: np.ndarray
    first: np.ndarray
    last: np.ndarray
    paid: np.ndarray
    paid_first: np.ndarray


def _summarised(codes: np.ndarray, steps: np.ndarray, paid: np.ndarray | None) -> _Customers:
    """Merge what a customer bought within a period, then count by customer."""
    if not codes.size:
        return _Customers(*(np.zeros(0) for _ in _Customers._fields))
    low = steps.min()
    key = codes.astype(np.int64) * (steps.max() - low + 1) + (steps - low)
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    who, when = codes[order][starts], steps[order][starts]
    money = np.zeros(who.size) if paid is None else np.add.reduceat(paid[order], starts)
    firsts = np.flatnonzero(np.diff(who, prepend=-1))
    counts = np.diff(firsts, append=who.size)
    lasts = firsts + counts - 1
    return _Customers(
        counts, when[firsts], when[lasts], np.add.reduceat(money, firsts), money[firsts]
    )


def _columns(frame: Any, names: list[str]) -> pd.DataFrame:
    if not isinstance(frame, pd.DataFrame):
        frame = arrow_table("rfm", frame).to_pandas()
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise SchemaError(
            f"rfm: the frame has no column {listing(missing)}; it has {columns(frame.columns)}. "
            "Name the columns of the customer, the date and the amount."
        )
    return frame[list(dict.fromkeys(names))].reset_index(drop=True)


def _moments(column: pd.Series, written: str | None) -> pd.Series:
    """Return times without a zone; what is text is read."""
    if pd.api.types.is_numeric_dtype(column):
        if written is not None:
            return _moments(column.astype("Int64").astype("string"), written)
        raise DataError(
            f"rfm: column {column.name!r} holds numbers; expected times, or text that says them. "
            "Say how they are written, such as datetime_format='%Y%m%d'."
        )
    try:
        moments = pd.to_datetime(column, format=written)
    except (ValueError, TypeError):
        wrong = pd.to_datetime(column, format=written, errors="coerce").isna() & column.notna()
        raise DataError(
            f"rfm: column {column.name!r}: {int(wrong.sum())} values are no dates, the first in "
            f"row {int(wrong.to_numpy().argmax())}. Expected one way of writing; say it, such as "
            "datetime_format='%d/%m/%Y', or 'ISO8601' where only some have a time of day."
        ) from None
    return moments.dt.tz_localize(None)


def _moment(end: Moment, written: str | None) -> pd.Timestamp:
    if isinstance(end, pd.Period):
        return end.to_timestamp()
    try:
        moment = pd.to_datetime(end, format=written if isinstance(end, str) else None)
    except (ValueError, TypeError):
        raise UsageError(
            f"rfm: observation_period_end is {end!r}; expected a date"
            + ("." if written is None else f" written as {written!r}.")
        ) from None
    return pd.Timestamp(moment).tz_localize(None)


def _money(column: pd.Series) -> np.ndarray:
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        raise DataError(
            f"rfm: column {column.name!r} holds {column.dtype}; expected numbers. Turn "
            "its text into numbers first, such as with to_numeric of pandas."
        )
    return np.nan_to_num(column.to_numpy(dtype=np.float64, na_value=np.nan), nan=0.0)
