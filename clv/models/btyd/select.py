"""Which purchase model suits a company: the one that forecast best what came after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.models.btyd import BTYD
from clv.models.btyd.fit import fit_purchases
from clv.models.btyd.histories import histories
from clv.models.btyd.results import Fit, Verdict

if TYPE_CHECKING:
    import pandas as pd

CHOICE_CUSTOMERS = 20_000


@dataclass(frozen=True)
class Choice:
    """How one purchase model forecast the customers it had not seen buying.

    Attributes
    ----------
    model : str
    fit : Fit
        On the histories up to the cutoff.
    log_likelihood : float
        Held-out, mean per customer, of having bought in the horizon or not.
    standard_error : float
        Of that mean.
    tracking : float
        Purchases forecast over purchases made in the horizon.
    """

    model: str
    fit: Fit
    log_likelihood: float
    standard_error: float
    tracking: float


def compare_purchase_models(
    rows: pd.DataFrame, horizon_days: int, *, seed: int = 0, models: tuple[str, ...] = ()
) -> tuple[Choice, ...]:
    """Fit every purchase model at one cutoff and hold it against what came after.

    Parameters
    ----------
    rows : DataFrame
        Histories as of the cutoff, with the outcome ``purchases`` of the horizon.
    horizon_days : int
    seed : int
        Of the sample of at most 20,000 customers.
    models : tuple of str
        By default all.

    Returns
    -------
    tuple of Choice
        The best first: converged before degenerate, then held-out likelihood; models within
        one standard error of the best are ordered by how well they track the total.
    """
    rows = rows[rows["frequency"].notna()]
    if len(rows) > CHOICE_CUSTOMERS:
        keep = np.random.default_rng(seed).permutation(len(rows))[:CHOICE_CUSTOMERS]
        rows = rows.iloc[np.sort(keep)]
    x, t_x, t, _ = histories(rows)
    bought = rows["purchases"].to_numpy(float)
    choices = []
    for model in models or tuple(BTYD):
        kind, fit = BTYD[model], fit_purchases(model, x, t_x, t)
        living = kind.p_alive(fit.parameters, x, t_x, t)
        none = kind.p_none_if_alive(fit.parameters, x, t, horizon_days)
        p_none = np.clip(1 - living + living * none, 1e-9, 1 - 1e-9)
        score = np.where(bought > 0, np.log1p(-p_none), np.log(p_none))
        forecast = (living * kind.purchases_if_alive(fit.parameters, x, t, horizon_days)).sum()
        tracking = float(forecast / max(bought.sum(), 1.0))
        error = float(score.std() / np.sqrt(score.size))
        choices.append(Choice(model, fit, float(score.mean()), error, tracking))
    best = max(choices, key=lambda c: (c.fit.verdict is Verdict.CONVERGED, c.log_likelihood))
    floor = best.log_likelihood - best.standard_error

    def rank(choice: Choice) -> tuple[bool, bool, float]:
        close = choice.log_likelihood >= floor
        off = abs(float(np.log(max(choice.tracking, 1e-9))))
        return (
            choice.fit.verdict is not Verdict.CONVERGED,
            not close,
            off if close else -choice.log_likelihood,
        )

    return tuple(sorted(choices, key=rank))
