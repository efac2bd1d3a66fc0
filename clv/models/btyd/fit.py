"""Fit a purchase model, and say how it went.

The fits maximise our own likelihoods: the same numbers as ``lifetimes``, with analytic
gradients. A fit never raises for want of convergence and never degenerates in silence: it
returns a verdict and, where the data do not identify the model, the fit under a weak prior
that took its place. The prior weighs as much as one customer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clv.errors import ModelError
from clv.models.btyd import BTYD
from clv.models.btyd.optimum import (
    BOUND,
    SEARCH_ROWS,
    Optimum,
    judge_repeaters,
    judge_search,
    maximise,
)
from clv.models.btyd.purchase_histories import PurchaseHistories, compress
from clv.models.btyd.results import Fit, Verdict

if TYPE_CHECKING:
    from clv.models.btyd.base import Likelihood, PurchaseModel

STARTS = ((1.0, 1.0, 1.0, 1.0), (0.3, 0.5, 0.5, 3.0), (3.0, 3.0, 0.2, 0.5))


def fit_purchases(
    model: str, frequency: np.ndarray, recency_days: np.ndarray, age_days: np.ndarray
) -> Fit:
    """Fit a purchase model to one row per customer.

    Parameters
    ----------
    model : str
        A key of ``BTYD``.
    frequency, recency_days, age_days : ndarray of shape (n,)
        Repeat purchase days, first to last and first purchase to the cutoff.

    Raises
    ------
    ModelError
        For an unknown model, or histories that no purchase process can have.
    """
    if model not in BTYD:
        raise ModelError(
            f"purchase model {model!r} is not known; expected one of {', '.join(BTYD)}."
        )
    kind = BTYD[model]
    _check_histories(frequency, recency_days, age_days)
    rows = compress(frequency, recency_days, age_days)
    unit = max(float(rows.weight @ rows.age) / rows.customers, 1.0)
    scaled = rows.scaled(unit)
    thin = scaled.thinned(SEARCH_ROWS)

    def likelihood(theta: np.ndarray) -> Likelihood:
        return kind.likelihood(theta, scaled)

    def search(theta: np.ndarray) -> Likelihood:
        return kind.likelihood(theta, thin)

    start = maximise(search, thin.customers, STARTS).theta
    free = maximise(likelihood, rows.customers, (tuple(start),))
    verdict, detail = _judge(kind, free, rows)
    theta, fallback = free.theta, ""
    if verdict is not Verdict.CONVERGED:
        theta = maximise(likelihood, rows.customers, (kind.prior,), centre=kind.prior).theta
        fallback = "weak prior"
    value = likelihood(theta).value - rows.purchases * float(np.log(unit))
    return Fit(
        model=model,
        parameters={
            name: float(v * unit if name in kind.times else v)
            for name, v in zip(kind.parameters, theta, strict=True)
        },
        log_likelihood=value,
        verdict=verdict,
        fallback=fallback,
        detail=detail,
        customers=rows.customers,
        repeaters=rows.repeaters,
        purchases=rows.purchases,
    )


def _judge(kind: PurchaseModel, optimum: Optimum, rows: PurchaseHistories) -> tuple[Verdict, str]:
    few = judge_repeaters(rows.repeaters)
    if few:
        return few
    lost = kind.dropout_share(optimum.theta, BOUND)
    what = "no dropout identifiable" if lost < 0.01 else "the customers do not differ enough"
    return judge_search(optimum, f": {what}")


def _check_histories(frequency: np.ndarray, recency: np.ndarray, age: np.ndarray) -> None:
    columns = {"frequency": frequency, "recency_days": recency, "age_days": age}
    if frequency.size == 0:
        raise ModelError("btyd: no customer has a purchase before the cutoff; nothing to fit.")
    for name, column in columns.items():
        if not np.isfinite(column).all() or (column < 0).any():
            raise ModelError(
                f"btyd: {name} holds {int((~(np.asarray(column) >= 0)).sum())} values that are "
                "negative or unknown; expected 0 or more. Leave prospects out of the fit."
            )
    wrong = int(((recency > age) | ((frequency == 0) & (recency > 0))).sum())
    if wrong:
        raise ModelError(
            f"btyd: {wrong} customers have recency_days above age_days, or a recency without a "
            "repeat purchase; expected days from the first purchase. Check the units."
        )
