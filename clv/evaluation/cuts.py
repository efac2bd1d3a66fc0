"""A backtest cut into tenths, cutoffs, segments and kinds of people: forecast beside realised."""

from __future__ import annotations

from typing import Any

import pandas as pd

from clv.evaluation.metrics import bins_of, bootstrap, coverage, normalised_gini, total_bias
from clv.models.prospects.people import KINDS, people_of


def covered(rows: pd.DataFrame) -> float:
    """Return the share of customers whose realised value lay in the interval."""
    return coverage(*(rows[name].to_numpy() for name in ("value", "clv_low", "clv_high")))


def deciles(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return forecast and realised value by tenth of the forecast."""
    predicted, actual = rows["blend"].to_numpy(), rows["value"].to_numpy()
    return [
        {
            "decile": k + 1,
            "predicted": float(predicted[part].mean()),
            "actual": float(actual[part].mean()),
            "customers": len(part),
        }
        for k, part in enumerate(bins_of(predicted))
    ]


def reliability(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the chance of churn beside its share, by tenth of the chance."""
    predicted, observed = rows["p_churn"].to_numpy(), rows["churned"].to_numpy(float)
    return [
        {
            "predicted": float(predicted[part].mean()),
            "observed": float(observed[part].mean()),
            "customers": len(part),
        }
        for part in bins_of(predicted)
    ]


def tracking(rows: pd.DataFrame, scored: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the totals of everybody by fold; ``btyd`` is of customers."""
    btyd = rows.groupby("as_of")["btyd"].sum()
    return [
        {
            "as_of": str(as_of),
            "predicted": float(part["clv"].sum()),
            "actual": float(part["value"].sum()),
            "btyd": float(btyd[as_of]),
        }
        for as_of, part in scored.groupby("as_of")
    ]


def segments(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the customers by purchases, and by silence in their own rhythm."""
    frequency = rows["frequency"]
    silence = rows["age_days"] - rows["recency_days"]
    own_rhythm = (rows["recency_days"] / frequency.where(frequency > 0)).clip(lower=1)
    parts = {
        ("purchases", "1"): frequency == 0,
        ("purchases", "2 or 3"): frequency.between(1, 2),
        ("purchases", "4 or more"): frequency >= 3,
        ("silence", "within twice their own rhythm"): silence <= 2 * own_rhythm,
        ("silence", "beyond twice their own rhythm"): silence > 2 * own_rhythm,
    }
    found = []
    for (column, value), here in parts.items():
        part = rows[here.to_numpy(bool)]
        if len(part):
            found.append(_segment(column, value, part))
    return found


def people(scored: pd.DataFrame) -> list[dict[str, Any]]:
    """Return everybody by how often they had bought, and those who had not by why."""
    kinds = people_of(scored["frequency"].to_numpy(float))
    parts = {("people", name): here for name, here in kinds.items()}
    parts |= {("yet to buy", kind): (scored["kind"] == kind).to_numpy(bool) for kind in KINDS}
    renamed = scored.rename(columns={"clv": "blend"})
    return [
        _segment(column, value, renamed[here])
        for (column, value), here in parts.items()
        if here.any()
    ]


def _segment(column: str, value: str, part: pd.DataFrame) -> dict[str, Any]:
    actual, predicted = part["value"].to_numpy(), part["blend"].to_numpy()
    customer = pd.factorize(part["customer_id"])[0]
    gini, bias = (
        bootstrap(metric, actual, predicted, customer) for metric in (normalised_gini, total_bias)
    )
    return {
        "column": column,
        "value": value,
        "customers": len(part),
        "predicted": float(predicted.mean()),
        "actual": float(actual.mean()),
        "gini": gini.as_dict()["mean"],
        "gini_interval": [gini.as_dict()["low"], gini.as_dict()["high"]],
        "total_bias": bias.as_dict()["mean"],
        "total_bias_interval": [bias.as_dict()["low"], bias.as_dict()["high"]],
        "coverage": covered(part),
        "p_churn": float(part["p_churn"].mean()) if part["p_churn"].notna().any() else None,
        "churned": float(part["churned"].mean()),
    }
