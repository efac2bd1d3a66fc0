"""From predictions to score rows: rounding, ranges, and what is wrong with a row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from clv.errors import UsageError
from clv.sinks import SCORES

MONEY = (
    "clv",
    "clv_low",
    "clv_high",
    "purchases_only_clv",
    "typical_clv",
    "service_contribution",
    "expected_spend",
    "reason_1_amount",
    "reason_2_amount",
    "reason_3_amount",
)
MONEY_DIGITS = 4
OTHER_DIGITS = 6
"""Rounded, so that a nightly comparison shows what moved and not the last bits."""

PROBABILITIES = ("p_churn", "p_alive", "p_repeat")
VALUE = ("clv", "clv_low", "clv_high", "value_decile")
"""Never null for who has bought; for others all or none: without past ones there is no value."""

DECILES = (1, 10)
REASONS = ("reason_1", "reason_2", "reason_3")

QUARANTINE = pa.schema(
    [("customer_id", pa.string()), ("as_of", pa.date32()), ("reasons", pa.string())]
)


@dataclass(frozen=True)
class Reasons:
    """Which customers are given their reasons.

    Attributes
    ----------
    top : int or None
        The customers of highest clv, so many; None is everybody.
    """

    top: int | None = None

    @classmethod
    def parse(cls, text: str) -> Reasons:
        """Read ``all``, ``none`` or ``top:N``.

        Raises
        ------
        UsageError
            For anything else.

        Examples
        --------
        >>> Reasons.parse("top:500"), Reasons.parse("none")
        (Reasons(top=500), Reasons(top=0))
        """
        if text in ("all", "none"):
            return cls(None if text == "all" else 0)
        word, _, number = text.partition(":")
        if word != "top" or not number.isdecimal():
            raise UsageError(f"reasons is {text!r}; expected all, none or top:N.")
        return cls(int(number))


@dataclass(frozen=True)
class Rows:
    """A chunk's rows, parted.

    Attributes
    ----------
    scored : pyarrow.Table
        With the schema ``SCORES``.
    quarantined : pyarrow.Table
        With the schema ``QUARANTINE``.
    good : ndarray of bool, shape (rows,)
        Which of the chunk's rows are scored.
    """

    scored: pa.Table
    quarantined: pa.Table
    good: np.ndarray


def finished(predicted: pd.DataFrame, bought: np.ndarray, last_id: str | None) -> Rows:
    """Round a chunk's predictions, and part the rows that may be published from the others.

    Parameters
    ----------
    predicted : DataFrame
        The columns of ``SCORES``, in any order.
    bought : ndarray of bool, shape (rows,)
        Who has bought; others need no p_churn, and no value.
    last_id : str or None
        The customer before this chunk, since a second row of one may stand in the next chunk.
    """
    frame = rounded(predicted[SCORES.names])
    complaints = complaints_of(frame, bought, last_id)
    good = complaints == ""
    bad = pd.DataFrame(
        {"customer_id": frame["customer_id"], "as_of": frame["as_of"], "reasons": complaints}
    )[~good]
    return Rows(
        pa.Table.from_pandas(frame[good], SCORES, preserve_index=False),
        pa.Table.from_pandas(bad, QUARANTINE, preserve_index=False),
        good,
    )


def rounded(frame: pd.DataFrame) -> pd.DataFrame:
    """Round money to 4 decimals and every other float to 6, without a negative zero."""
    columns = {}
    for field in SCORES:
        if pa.types.is_floating(field.type):
            digits = MONEY_DIGITS if field.name in MONEY else OTHER_DIGITS
            columns[field.name] = np.round(frame[field.name].to_numpy(float), digits) + 0.0
    return frame.assign(**columns)


def complaints_of(frame: pd.DataFrame, bought: np.ndarray, last_id: str | None) -> np.ndarray:
    """Say what is wrong with each row, in codes joined by ``;``; empty where nothing is.

    Parameters
    ----------
    frame : DataFrame
        Score rows, sorted by ``customer_id``.
    bought : ndarray of bool, shape (rows,)
        Whose value and p_churn may not be null.
    last_id : str or None
        The id before the first row.

    Returns
    -------
    array of str, shape (rows,)

    Examples
    --------
    >>> row = {name: [0.5, 0.5] for name in SCORES.names} | {"customer_id": ["a", "a"]}
    >>> complaints_of(pd.DataFrame(row | {"value_decile": [11, 3]}), np.ones(2, bool),
    ...     None).tolist()
    ['value_decile:range', 'customer_id:duplicate']
    """
    ids = frame["customer_id"]
    found: dict[str, np.ndarray] = {
        "customer_id:missing": ids.isna().to_numpy() | (ids == "").to_numpy(bool),
        "customer_id:duplicate": (ids == ids.shift(fill_value=last_id or "")).to_numpy(bool)
        & ids.notna().to_numpy(),
    }
    for field in SCORES:
        if pa.types.is_floating(field.type):
            values = frame[field.name].to_numpy(float)
            found[f"{field.name}:infinite"] = np.isinf(values)
            if field.name in PROBABILITIES:
                found[f"{field.name}:range"] = (values < 0) | (values > 1)
    valued = bought | frame[list(VALUE)].notna().any(axis=1).to_numpy()
    for name in VALUE:
        found[f"{name}:missing"] = frame[name].isna().to_numpy() & valued
    found["p_churn:missing"] = frame["p_churn"].isna().to_numpy() & bought
    low, high = DECILES
    deciles = frame["value_decile"].to_numpy(float, na_value=np.nan)
    found["value_decile:range"] = (deciles < low) | (deciles > high)
    crossed = (frame["clv_low"] > frame["clv_high"]).to_numpy(bool)
    found["clv_low:above_high"] = crossed
    text = np.full(len(frame), "", dtype=object)
    for code, rows in found.items():
        text[rows] = [f"{before};{code}" if before else code for before in text[rows]]
    return text


def without_reasons(frame: pd.DataFrame, keep: np.ndarray) -> pd.DataFrame:
    """Leave out the reasons of the rows that are not to be kept."""
    names = {n: frame[n].where(keep, None) for n in REASONS}
    amounts = {f"{n}_amount": frame[f"{n}_amount"].where(keep) for n in REASONS}
    return frame.assign(**names, **amounts)
