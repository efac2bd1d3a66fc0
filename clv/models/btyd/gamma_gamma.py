"""Gamma-Gamma: what customers spend per purchase.

References
----------
Fader & Hardie (2013), The Gamma-Gamma model of monetary value (note 025).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import digamma, gammaln

from clv.models.btyd.base import Likelihood
from clv.models.btyd.optimum import SEARCH_ROWS, Optimum, judge_repeaters, judge_search, maximise
from clv.models.btyd.purchase_histories import ByCount
from clv.models.btyd.results import Fit, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

PARAMETERS = ("p", "q", "gamma")
PRIOR = (4.0, 3.0, 1.0)
STARTS = ((1.0, 2.0, 1.0), (6.0, 4.0, 0.5), (0.5, 8.0, 8.0))


@dataclass(frozen=True)
class Spending:
    """Customers who bought again, and what they spent per purchase.

    Attributes
    ----------
    purchases, mean_spend : ndarray of shape (n,)
        Repeat purchases and their mean amount, both above 0.
    """

    purchases: np.ndarray
    mean_spend: np.ndarray

    @cached_property
    def by_count(self) -> ByCount:
        """What evaluates a function of the purchases once per distinct number."""
        return ByCount(self.purchases)

    @cached_property
    def total(self) -> np.ndarray:
        """What each customer spent on repeat purchases."""
        return self.purchases * self.mean_spend

    @cached_property
    def log_total(self) -> np.ndarray:
        """Its logarithm."""
        return np.log(self.total)

    @cached_property
    def sum_log_mean(self) -> float:
        """The sum of the logarithms of the means, which no parameter changes."""
        return float(np.log(self.mean_spend).sum())


def gamma_gamma(parameters: np.ndarray, rows: Spending) -> Likelihood:
    """Gamma-Gamma (Fader & Hardie note 025, equation 1a), in (p, q, γ)."""
    p, q, gamma = parameters
    x, steps = rows.purchases, rows.by_count
    spent = rows.total + gamma
    log_share = rows.log_total - np.log(spent)
    log_spent = rows.log_total - log_share
    log_beta = steps(lambda n: gammaln(p * n + q) - gammaln(p * n)) - gammaln(q)
    psi_pq, psi_p = steps(lambda n: digamma(p * n + q)), steps(lambda n: digamma(p * n))
    n = float(x.size)
    value = float((log_beta + p * x * log_share).sum())
    value += n * q * np.log(gamma) - q * float(log_spent.sum()) - rows.sum_log_mean
    slope_p = float(x @ (psi_pq - psi_p + log_share))
    slope_q = float((psi_pq - log_spent).sum()) + n * (np.log(gamma) - digamma(q))
    slope_gamma = n * q / gamma - float(((p * x + q) / spent).sum())
    return Likelihood(float(value), np.array([slope_p, slope_q, slope_gamma]))


def conditional_spend(
    parameters: Mapping[str, float], purchases: np.ndarray, mean_spend: np.ndarray
) -> np.ndarray:
    """Return the expected amount of the next purchase (note 025, equation 5), of shape (n,).

    A weighted mean of the population's and the customer's own; a customer whose own is
    negative, by refunds, counts as 0, and one without any is expected to be like the others.
    """
    p, q, gamma = (parameters[name] for name in PARAMETERS)
    own = np.where(purchases > 0, np.maximum(np.nan_to_num(mean_spend), 0.0), 0.0)
    return p * (gamma + purchases * own) / (p * purchases + q - 1)


def fit_spend(purchases: np.ndarray, mean_spend: np.ndarray, *, pooled: float = 0.0) -> Fit:
    """Fit Gamma-Gamma to the customers with at least one repeat purchase of positive value.

    Parameters
    ----------
    purchases, mean_spend : ndarray of shape (n,)
        Repeat purchases and their mean amount; rows without either are left out.
    pooled : float
        Mean amount of a purchase, used where nobody has bought again.
    """
    counted = (purchases > 0) & np.isfinite(mean_spend) & (mean_spend > 0)
    x, z = purchases[counted].astype(float), mean_spend[counted].astype(float)
    counts = {"customers": float(purchases.size), "repeaters": float(x.size)}
    if x.size == 0 or np.ptp(z) == 0.0:
        return _pooled_spend(x, float(z[0]) if x.size else pooled, counts)
    unit = float(np.average(z))
    step = max(x.size // SEARCH_ROWS, 1)

    rows, thin = Spending(x, z / unit), Spending(x[::step], z[::step] / unit)

    def likelihood(theta: np.ndarray) -> Likelihood:
        return gamma_gamma(theta, rows)

    def search(theta: np.ndarray) -> Likelihood:
        return gamma_gamma(theta, thin)

    start = maximise(search, x.size / step, STARTS).theta
    free = maximise(likelihood, float(x.size), (tuple(start),))
    verdict, detail = _judge_spend(free, x.size)
    theta, fallback = free.theta, ""
    if verdict is not Verdict.CONVERGED:
        # a prior on q − 1 keeps the population mean pγ/(q − 1) finite
        theta = maximise(
            likelihood,
            float(x.size),
            (PRIOR,),
            centre=PRIOR,
            floor=(0.0, 1.0, 0.0),
        ).theta
        fallback = "weak prior"
    value = likelihood(theta).value - float(x.size * np.log(unit))
    p, q, gamma = (float(v) for v in theta)
    return Fit(
        model="gamma_gamma",
        parameters={"p": p, "q": q, "gamma": gamma * unit},
        log_likelihood=value,
        verdict=verdict,
        fallback=fallback,
        detail=detail,
        purchases=float(x.sum()),
        **counts,
    )


def _pooled_spend(x: np.ndarray, mean: float, counts: dict[str, float]) -> Fit:
    """Return a Gamma-Gamma that expects the same of everyone."""
    why = "all repeat customers spend the same" if x.size else "nobody has bought again"
    return Fit(
        model="gamma_gamma",
        parameters={"p": 1.0, "q": 1e9, "gamma": mean * (1e9 - 1)},
        log_likelihood=0.0,
        verdict=Verdict.TOO_FEW_REPEATERS if x.size else Verdict.NO_REPEATERS,
        fallback="pooled mean",
        detail=f"{why}; everyone is expected to spend the pooled mean",
        purchases=float(x.sum()),
        **counts,
    )


def _judge_spend(optimum: Optimum, repeaters: int) -> tuple[Verdict, str]:
    few = judge_repeaters(repeaters)
    if few:
        return few
    if optimum.theta[1] <= 1.0:
        return Verdict.Q_BELOW_1, "q is below 1, so the mean spend is infinite; a prior keeps q > 1"
    return judge_search(optimum, "")
