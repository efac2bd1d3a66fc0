"""Models of customers who may stop after a purchase: what BG/NBD and MBG/NBD share.

BG/NBD lets a coin fall after each repeat purchase (x flips), MBG/NBD after the first purchase
too (x + 1 flips): one set of formulas with ``flips`` = 0 or 1 more than x serves both.

References
----------
Fader, Hardie & Lee (2005), "Counting your customers" the easy way, Marketing Science 24.
Batislam, Denizel & Filiztekin (2007), Int. J. of Research in Marketing 24.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.special import digamma, gammaln

from clv.models.btyd.base import Likelihood
from clv.models.btyd.purchase_histories import per_pair
from clv.models.btyd.quadrature import beta_nodes, unit_nodes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clv.models.btyd.purchase_histories import PurchaseHistories

PARAMETERS = ("r", "alpha", "a", "b")
DROPOUT_NODES = 48
TIME_NODES = 32


class GeometricDropout:
    """A gamma-distributed purchase rate, and a beta-distributed chance to stop at a purchase.

    Attributes
    ----------
    flips : int
        How often the coin falls beyond the repeat purchases.
    """

    flips: ClassVar[int]
    parameters: ClassVar[tuple[str, ...]] = PARAMETERS
    times: ClassVar[tuple[str, ...]] = ("alpha",)

    def likelihood(self, theta: np.ndarray, rows: PurchaseHistories) -> Likelihood:
        """Return the log-likelihood (FHL 2005 equation 6) in (r, α, a, b), and its gradient."""
        r, alpha, a, b = theta
        x, weight = rows.frequency, rows.weight
        m = x + self.flips
        log_t, log_tx = np.log(alpha + rows.age), np.log(alpha + rows.recency)
        with np.errstate(divide="ignore"):
            log_odds = np.where(m > 0, np.log(a / np.maximum(b + m - 1, 1e-300)), -np.inf)
        log_odds = log_odds + (r + x) * (log_t - log_tx)
        log_sum = np.logaddexp(0.0, log_odds)
        alive = np.exp(-log_sum)
        gone = np.where(m > 0, 1.0 - alive, 0.0)
        steps = rows.by_count
        gamma_x, psi_x = steps(lambda n: gammaln(r + n)), steps(lambda n: digamma(r + n))
        beta_x = steps(lambda n: gammaln(b + n + self.flips) - gammaln(a + b + n + self.flips))
        psi_b = steps(lambda n: digamma(b + n + self.flips))
        psi_ab = steps(lambda n: digamma(a + b + n + self.flips))
        value = (
            gamma_x
            - gammaln(r)
            + r * np.log(alpha)
            + (gammaln(a + b) - gammaln(b) + beta_x)
            - (r + x) * log_t
            + log_sum
        )
        slope_r = psi_x - digamma(r) + np.log(alpha) - alive * log_t - (1 - alive) * log_tx
        slope_alpha = r / alpha - (r + x) * (
            alive / (alpha + rows.age) + (1 - alive) / (alpha + rows.recency)
        )
        slope_a = digamma(a + b) - psi_ab + gone / a
        slope_b = digamma(a + b) - digamma(b) + psi_b - psi_ab
        slope_b = slope_b - gone / np.maximum(b + m - 1, 1e-300)
        slopes = (slope_r, slope_alpha, slope_a, slope_b)
        return Likelihood(float(weight @ value), np.array([weight @ slope for slope in slopes]))

    def p_alive(
        self,
        parameters: Mapping[str, float],
        frequency: np.ndarray,
        recency: np.ndarray,
        age: np.ndarray,
    ) -> np.ndarray:
        """Return P(alive at the cutoff), of shape (n,)."""
        r, alpha, a, b = (parameters[name] for name in PARAMETERS)
        m = frequency + self.flips
        log_odds = np.log(a / np.maximum(b + m - 1, 1e-300)) + (r + frequency) * (
            np.log(alpha + age) - np.log(alpha + recency)
        )
        return np.where(m > 0, np.exp(-np.logaddexp(0.0, log_odds)), 1.0)

    def purchases_if_alive(
        self,
        parameters: Mapping[str, float],
        frequency: np.ndarray,
        age: np.ndarray,
        horizon: float,
        log_discount: float = 0.0,
    ) -> np.ndarray:
        """Return E ∫₀ᴴ λ e^(−δs) e^(−λps) ds, of shape (n,).

        λ is integrated out analytically (FHL 2005 equation 10 is the case δ = 0), p by
        Gauss-Jacobi quadrature.
        """
        return per_pair(
            frequency,
            age,
            lambda x, t: _flow(parameters, x, t, horizon, log_discount, self.flips),
        )

    def p_none_if_alive(
        self,
        parameters: Mapping[str, float],
        frequency: np.ndarray,
        age: np.ndarray,
        horizon: float,
    ) -> np.ndarray:
        """Return E e^(−λH): nobody dies but by buying."""
        r, alpha = parameters["r"], parameters["alpha"]
        return np.exp((r + frequency) * (np.log(alpha + age) - np.log(alpha + age + horizon)))

    def dropout_share(self, theta: np.ndarray, bound: float) -> float:  # noqa: ARG002
        """Return the mean chance to stop at a purchase."""
        return float(theta[2] / (theta[2] + theta[3]))


def _flow(
    parameters: Mapping[str, float],
    x: np.ndarray,
    t: np.ndarray,
    horizon: float,
    log_discount: float,
    flips: int,
) -> np.ndarray:
    r, alpha, a, b = (parameters[name] for name in PARAMETERS)
    flow = np.empty(x.size)
    time, time_weight = unit_nodes(TIME_NODES)
    for count in np.unique(x):
        here = x == count
        p, mass = beta_nodes(a, b + count + flips, DROPOUT_NODES)
        shape, scale = r + count, (alpha + t[here])[:, None]
        if log_discount == 0.0:
            ratio = -np.expm1(-shape * np.log1p(p * horizon / scale)) / p
            flow[here] = (mass * ratio).sum(axis=1)
            continue
        # place the times at the quantiles of the undiscounted flow, so that few are needed
        total = np.zeros(scale.size)
        for p_k, mass_k in zip(p, mass, strict=True):
            died = -np.expm1(-shape * np.log1p(p_k * horizon / scale))
            at = scale / p_k * np.expm1(-np.log1p(-time * died) / shape)
            present = (time_weight * np.exp(-log_discount * at)).sum(axis=1)
            total += mass_k * died[:, 0] / p_k * present
        flow[here] = total
    return flow
