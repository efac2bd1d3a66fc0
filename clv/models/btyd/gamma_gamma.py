"""Gamma-Gamma: what customers spend per purchase.

References
----------
Fader & Hardie (2013), The Gamma-Gamma model of monetary value (note 025).
"""

from __future__ import annotations

import numpy as np
from scipy.special import digamma, gammaln

from clv.models.btyd.base import Likelihood
from clv.models.btyd.histories import ByCount
from clv.models.btyd.optimum import SEARCH_ROWS, Optimum, judge_repeaters, judge_search, maximise
from clv.models.btyd.results import Fit, Verdict

PARAMETERS = ("p", "q", "gamma")
PRIOR = (4.0, 3.0, 1.0)
STARTS = ((1.0, 2.0, 1.0), (6.0, 4.0, 0.5), (0.5, 8.0, 8.0))


def gamma_gamma(
    parameters: np.ndarray, purchases: np.ndarray, mean_spend: np.ndarray, weight: np.ndarray
) -> Likelihood:
    """Gamma-Gamma (Fader & Hardie note 025, equation 1a), in (p, q, γ)."""
    p, q, gamma = parameters
    x = purchases
    total = x * mean_spend + gamma
    log_total = np.log(total)
    steps = ByCount(x)
    g_pq, g_p = steps(lambda n: gammaln(p * n + q)), steps(lambda n: gammaln(p * n))
    psi_pq, psi_p = steps(lambda n: digamma(p * n + q)), steps(lambda n: digamma(p * n))
    log_sum = np.log(mean_spend) + np.log(x)
    value = g_pq - g_p - gammaln(q) + q * np.log(gamma)
    value = value + p * x * log_sum - np.log(mean_spend) - (p * x + q) * log_total
    slope_p = x * (psi_pq - psi_p + log_sum - log_total)
    slope_q = psi_pq - digamma(q) + np.log(gamma) - log_total
    slope_gamma = q / gamma - (p * x + q) / total
    slopes = (slope_p, slope_q, slope_gamma)
    return Likelihood(float(weight @ value), np.array([weight @ slope for slope in slopes]))


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

    def likelihood(theta: np.ndarray) -> Likelihood:
        return gamma_gamma(theta, x, z / unit, np.ones(x.size))

    def search(theta: np.ndarray) -> Likelihood:
        thin = x[::step]
        return gamma_gamma(theta, thin, z[::step] / unit, np.ones(thin.size))

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
