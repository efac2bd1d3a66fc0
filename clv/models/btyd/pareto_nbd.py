"""Pareto/NBD: customers stop at any time.

References
----------
Schmittlein, Morrison & Colombo (1987), Management Science 33.
Fader, Hardie & Lee (2005), "RFM and CLV", Journal of Marketing Research 42.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
from scipy.special import digamma, gammaln

from clv.models.btyd.base import Likelihood
from clv.models.btyd.purchase_histories import per_pair
from clv.models.btyd.quadrature import unit_nodes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clv.models.btyd.purchase_histories import PurchaseHistories

PARAMETERS = ("r", "alpha", "s", "beta")
DEATH_NODES = 32
TIME_NODES = 32


class ParetoNBD:
    """A gamma-distributed purchase rate, and a gamma-distributed rate of stopping."""

    name: ClassVar[str] = "pareto_nbd"
    parameters: ClassVar[tuple[str, ...]] = PARAMETERS
    times: ClassVar[tuple[str, ...]] = ("alpha", "beta")
    prior: ClassVar[tuple[float, ...]] = (0.5, 0.3, 0.6, 0.4)
    one_time_buyers_alive: ClassVar[bool] = False
    reference: ClassVar[str] = "ParetoNBDFitter"

    def likelihood(self, theta: np.ndarray, rows: PurchaseHistories) -> Likelihood:
        """Return the log-likelihood in (r, α, s, β), and its gradient.

        The death time between the last purchase and the cutoff is integrated numerically, all
        terms positive, where the textbook's difference of two hypergeometric functions cancels.
        """
        r, alpha, s, beta = theta
        x, weight = rows.frequency, rows.weight
        log_ratio, died, share = death_ratio(theta, rows.frequency, rows.recency, rows.age)
        log_sum = np.logaddexp(0.0, log_ratio)
        alive = np.exp(-log_sum)
        log_t, log_bt = np.log(alpha + rows.age), np.log(beta + rows.age)
        steps = rows.by_count
        gamma_x, psi_x = steps(lambda n: gammaln(r + n)), steps(lambda n: digamma(r + n))
        value = gamma_x - gammaln(r) + r * np.log(alpha) - (r + x) * log_t
        value = value + s * (np.log(beta) - log_bt) + log_sum

        def mean(at_death: np.ndarray) -> np.ndarray:
            return (share * at_death).sum(axis=1)

        gone = 1 - alive
        slope_r = psi_x - digamma(r) + np.log(alpha)
        slope_r = slope_r - alive * log_t - gone * mean(np.log(alpha + died))
        slope_alpha = r / alpha - (r + x) * (
            alive / (alpha + rows.age) + gone * mean(1 / (alpha + died))
        )
        slope_s = np.log(beta) - alive * log_bt + gone * (1 / s - mean(np.log(beta + died)))
        slope_beta = s / beta - alive * s / (beta + rows.age)
        slope_beta = slope_beta - gone * (s + 1) * mean(1 / (beta + died))
        slopes = (slope_r, slope_alpha, slope_s, slope_beta)
        return Likelihood(float(weight @ value), np.array([weight @ slope for slope in slopes]))

    def p_alive(
        self,
        parameters: Mapping[str, float],
        frequency: np.ndarray,
        recency: np.ndarray,
        age: np.ndarray,
    ) -> np.ndarray:
        """Return P(alive at the cutoff), of shape (n,)."""
        theta = np.array([parameters[name] for name in PARAMETERS])
        log_odds = death_ratio(theta, frequency, recency, age).log_ratio
        return np.exp(-np.logaddexp(0.0, log_odds))

    def purchases_if_alive(
        self,
        parameters: Mapping[str, float],
        frequency: np.ndarray,
        age: np.ndarray,
        horizon: float,
        log_discount: float = 0.0,
    ) -> np.ndarray:
        """Return E ∫₀ᴴ λ e^(−δs) e^(−μs) ds, of shape (n,)."""
        return per_pair(frequency, age, lambda x, t: _flow(parameters, x, t, horizon, log_discount))

    def p_none_if_alive(
        self,
        parameters: Mapping[str, float],
        frequency: np.ndarray,
        age: np.ndarray,
        horizon: float,
    ) -> np.ndarray:
        """Return 1 − ∫₀ᴴ E[λe^(−λs)] E[e^(−μs)] ds, of shape (n,)."""
        return per_pair(frequency, age, lambda x, t: _none(parameters, x, t, horizon))

    def residual_purchases(
        self,
        parameters: Mapping[str, float],
        frequency: np.ndarray,
        recency: np.ndarray,
        age: np.ndarray,
        log_discount: float,
    ) -> np.ndarray:
        """Return DERT: discounted expected purchases over all time to come.

        FHL 2005 ("RFM and CLV"), equation 2; continuous discounting. The flow is integrated
        over pieces that grow tenfold, since its tail is only a power of time.

        Parameters
        ----------
        parameters : mapping of str to float
            By name.
        frequency, recency, age : ndarray of shape (n,)
            Repeat purchases; first to last purchase and first purchase to the cutoff.
        log_discount : float
            δ, per unit of time.
        """
        alive = self.p_alive(parameters, frequency, recency, age)
        r, alpha, s, beta = (parameters[name] for name in PARAMETERS)
        node, weight = np.polynomial.laguerre.laggauss(64)
        # ∫₀^∞ e^(−δs) (1 + s/(β+T))^(−σ) ds, in y = s/(β+T): Tricomi's Ψ(1, 2−σ; δ(β+T))
        scale = (beta + age)[:, None]
        cuts = np.array([0.0, 0.1, 1.0, 10.0, 100.0])
        total = np.zeros(age.size)
        unit, unit_weight = unit_nodes(TIME_NODES)
        for low, high in pairwise(cuts):
            y = low + (high - low) * unit
            term = np.exp(-log_discount * scale * y - s * np.log1p(y))
            total += (high - low) * (unit_weight * term).sum(axis=1)
        tail = cuts[-1] + node / (log_discount * scale)
        rest = weight * np.exp(-s * np.log1p(tail)) * np.exp(-log_discount * scale * cuts[-1])
        total += rest.sum(axis=1) / (log_discount * scale[:, 0])
        return alive * (r + frequency) / (alpha + age) * scale[:, 0] * total

    def dropout_share(self, theta: np.ndarray, bound: float) -> float:
        """Return the shape of the stopping rate as a share of its bound."""
        return float(theta[2] / bound)


class DeathRatio(NamedTuple):
    """Density of having died before the cutoff over that of being alive at it."""

    log_ratio: np.ndarray
    died_at: np.ndarray
    share: np.ndarray


def death_ratio(
    theta: np.ndarray, frequency: np.ndarray, recency: np.ndarray, age: np.ndarray
) -> DeathRatio:
    """Integrate Pareto/NBD's death time y over (t_x, T), against the likelihood of life.

    With A = r + x the integrand is ((α+T)/(α+y))^A · s(β+T)^s/(β+y)^(s+1). The first factor
    may span hundreds of orders of magnitude; y is therefore placed at Gauss-Legendre
    quantiles of that factor, and only the tame second one is averaged.

    Returns
    -------
    DeathRatio
        ``log_ratio`` of shape (n,); ``died_at`` and ``share`` of shape (n, 32): nodes of
        the death time and their posterior shares.
    """
    r, alpha, s, beta = theta
    shape = (r + frequency)[:, None]
    u, node_weight = unit_nodes(DEATH_NODES)
    steep = shape * np.log((alpha + age) / (alpha + recency))[:, None]
    q = np.logaddexp(np.log(u) + steep, np.log1p(-u)) / shape
    died = (alpha + age)[:, None] * np.exp(-q) - alpha
    died = np.clip(died, recency[:, None], age[:, None])
    log_rest = (
        np.log(alpha + died)
        - np.log(beta + died)
        + s * (np.log(beta + age)[:, None] - np.log(beta + died))
    )
    top = log_rest.max(axis=1, keepdims=True)
    mass = node_weight * np.exp(log_rest - top)
    total = mass.sum(axis=1)
    with np.errstate(divide="ignore"):
        log_front = steep[:, 0] + np.log(-np.expm1(-steep[:, 0])) - np.log(shape[:, 0])
    log_ratio = np.log(s) + log_front + top[:, 0] + np.log(total)
    return DeathRatio(log_ratio, died, mass / total[:, None])


def _flow(
    parameters: Mapping[str, float],
    x: np.ndarray,
    t: np.ndarray,
    horizon: float,
    log_discount: float,
) -> np.ndarray:
    r, alpha, s, beta = (parameters[name] for name in PARAMETERS)
    node, weight = unit_nodes(TIME_NODES)
    scale = (beta + t)[:, None]
    # s = scale·(e^v − 1) turns the power law of survival into an exponential
    stretch = np.log1p(horizon / scale)
    v = node * stretch
    living = np.exp((1 - s) * v - log_discount * scale * np.expm1(v))
    return (r + x) / (alpha + t) * (scale * stretch)[:, 0] * (weight * living).sum(axis=1)


def _none(
    parameters: Mapping[str, float], x: np.ndarray, t: np.ndarray, horizon: float
) -> np.ndarray:
    r, alpha, s, beta = (parameters[name] for name in PARAMETERS)
    shape = (r + x)[:, None]
    bought = 1 - np.exp(shape * np.log((alpha + t) / (alpha + t + horizon))[:, None])
    node, weight = unit_nodes(TIME_NODES)
    at = (alpha + t)[:, None] * np.expm1(-np.log1p(-node * bought) / shape)
    living = np.exp(-s * np.log1p(at / (beta + t)[:, None]))
    return 1 - bought[:, 0] * (weight * living).sum(axis=1)
