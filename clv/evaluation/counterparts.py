"""What of a score table was measured on the past, column by column and kind of people.

The law: nothing is published that was not tested on the same kinds of people. A column of the
score table is a fact known at the cutoff, a prediction with a measure here, or a part of one
that adds up to it; a kind of people for whom a column was never measured gets null there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from clv.evaluation.metrics import coverage, normalised_gini
from clv.models.prospects.people import people_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Pair = tuple[float | None, float]

FACTS = (
    "customer_id",
    "as_of",
    "horizon_days",
    "currency",
    "cold_start",
    "model_name",
    "model_version",
    "feature_fingerprint",
)
"""Columns that are known and not forecast."""

PARTS = {
    "typical_clv": "clv",
    "service_contribution": "clv",
    **{f"reason_{k}": "clv" for k in (1, 2, 3)},
    **{f"reason_{k}_amount": "clv" for k in (1, 2, 3)},
}
"""Columns that say how the model came to another one, row by row."""


class Measure(NamedTuple):
    """How a column is held against what came true.

    Attributes
    ----------
    measure : str
        ``mean`` (of the column, and of what came), ``inside`` (the nominal and the realised
        share), ``at least`` (what came may not exceed it), ``per purchase``, ``gini``.
    compare : callable
        Rows and the nominal level to (predicted, actual).
    """

    measure: str
    compare: Callable[[pd.DataFrame, float], Pair]


def _mean(column: str, outcome: str) -> Measure:
    def compare(rows: pd.DataFrame, level: float) -> Pair:  # noqa: ARG001 (one signature)
        return float(rows[column].mean()), float(rows[outcome].mean())

    return Measure("mean", compare)


def _inside(rows: pd.DataFrame, level: float) -> Pair:
    return level, coverage(*(rows[n].to_numpy(float) for n in ("value", "clv_low", "clv_high")))


def _alive(rows: pd.DataFrame, level: float) -> Pair:  # noqa: ARG001
    return float(rows["p_alive"].mean()), float(rows["bought"].mean())


def _spend(rows: pd.DataFrame, level: float) -> Pair:  # noqa: ARG001
    """Weigh the forecast by the purchases that were made, as the realised mean is."""
    count = rows["purchases"].to_numpy(float)
    made = float(count.sum())
    if not made:
        return None, float("nan")
    return float(rows["expected_spend"] @ count) / made, float(rows["revenue"].sum()) / made


def _order(rows: pd.DataFrame, level: float) -> Pair:  # noqa: ARG001
    return None, normalised_gini(rows["value"].to_numpy(float), rows["clv"].to_numpy(float))


MEASURES: dict[str, Measure] = {
    "clv": _mean("clv", "value"),
    "clv_low": Measure("inside", _inside),
    "clv_high": Measure("inside", _inside),
    "purchases_only_clv": _mean("purchases_only_clv", "value"),
    "p_churn": _mean("p_churn", "churned"),
    "p_alive": Measure("at least", _alive),
    "expected_purchases": _mean("expected_purchases", "purchases"),
    "expected_spend": Measure("per purchase", _spend),
    "p_repeat": _mean("p_repeat", "bought"),
    "value_decile": Measure("gini", _order),
}
"""Every prediction of the score table, and how it is measured."""


def as_scored(rows: pd.DataFrame, prospects: pd.DataFrame) -> pd.DataFrame:
    """Return a backtest's rows under the names of the score table, beside what came true.

    Parameters
    ----------
    rows : DataFrame
        Customers, of ``backtest.predict_fold``.
    prospects : DataFrame
        People who had not bought, of ``Fold.prospects``; those without a value are left out,
        as they are from every total.
    """
    customers = rows.assign(
        clv=rows["blend"],
        purchases_only_clv=rows["btyd"],
        p_repeat=(1 - rows["p_churn"]).where(rows["frequency"] == 0),
        value_decile=rows["blend"],
    )
    valued = prospects[prospects["clv"].notna()]
    others = valued.assign(value_decile=valued["clv"], frequency=np.nan)
    outcomes = ["value", "revenue", "purchases"]
    names = ["customer_id", "as_of", "frequency", "kind", *outcomes, *MEASURES]
    parts = [part.reindex(columns=names) for part in (customers, others) if len(part)]
    scored = pd.concat(parts, ignore_index=True)
    bought = (scored["purchases"] > 0).astype(float)
    return scored.assign(bought=bought, churned=1 - bought)


def measured(scored: pd.DataFrame, level: float) -> list[dict[str, Any]]:
    """Return every column's prediction beside what came true, by kind of people.

    Parameters
    ----------
    scored : DataFrame
        Of ``as_scored``.
    level : float
        Nominal coverage of the intervals.
    """
    found = []
    people = people_of(scored["frequency"].to_numpy(float))
    for column, measure in MEASURES.items():
        for name, here in people.items():
            rows = scored[here & scored[column].notna().to_numpy()]
            if rows.empty:
                continue
            predicted, actual = measure.compare(rows, level)
            found.append(
                {
                    "column": column,
                    "people": name,
                    "customers": len(rows),
                    "measure": measure.measure,
                    "predicted": predicted,
                    "actual": None if np.isnan(actual) else actual,
                }
            )
    return found
