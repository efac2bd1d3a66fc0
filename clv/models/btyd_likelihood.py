"""Likelihoods of the buy-till-you-die family, with their gradients.

Every function takes one row per distinct history and its weight, and returns the weighted
log-likelihood and its gradient in the parameters. Time is in whatever unit the rows have;
a likelihood is a density in the purchase times, so that in a unit u times as long it is
larger by Σx·ln(u).

Where purchases stop with probability p after each purchase, BG/NBD lets the coin fall
after each repeat purchase (x flips), MBG/NBD after the first purchase too (x + 1 flips):
one likelihood with ``flips`` = 0 or 1 more than x serves both.

References
----------
Fader, Hardie & Lee (2005), "Counting your customers" the easy way, Marketing Science 24.
Batislam, Denizel & Filiztekin (2007), Int. J. of Research in Marketing 24.
Schmittlein, Morrison & Colombo (1987), Management Science 33.
Fader & Hardie (2013), The Gamma-Gamma model of monetary value (note 025).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import digamma, gammaln

if TYPE_CHECKING:
    from collections.abc import Callable

NODES = 32


class Likelihood(NamedTuple):
    """A weighted log-likelihood and its gradient in the parameters."""

    value: float
    gradient: np.ndarray


@dataclass(frozen=True)
class Histories:
    """Distinct purchase histories and how many customers share each.

    Attributes
    ----------
    frequency, recency, age : ndarray of shape (n,)
        Repeat purchases, first to last purchase, first purchase to the cutoff.
    weight : ndarray of shape (n,)
        Customers with that history.
    """

    frequency: np.ndarray
    recency: np.ndarray
    age: np.ndarray
    weight: np.ndarray

    @property
    def customers(self) -> float:
        """Customers in all."""
        return float(self.weight.sum())

    @property
    def repeaters(self) -> float:
        """Customers who bought again."""
        return float(self.weight[self.frequency > 0].sum())

    @property
    def purchases(self) -> float:
        """Repeat purchases in all."""
        return float(self.weight @ self.frequency)

    def scaled(self, unit: float) -> Histories:
        """Return the same histories in a unit of time ``unit`` times as long."""
        return Histories(self.frequency, self.recency / unit, self.age / unit, self.weight)

    def thinned(self, rows: int) -> Histories:
        """Return every k-th distinct history, about ``rows`` of them."""
        step = max(self.weight.size // rows, 1)
        columns = (self.frequency, self.recency, self.age, self.weight)
        x, t_x, t, weight = (column[::step] for column in columns)
        return Histories(x, t_x, t, weight)


def compress(frequency: np.ndarray, recency: np.ndarray, age: np.ndarray) -> Histories:
    """Merge equal histories; whole days merge by one integer key, which sorts fastest.

    Examples
    --------
    >>> import numpy as np
    >>> compress(np.array([0, 2, 0]), np.array([0, 9, 0]), np.array([7, 9, 7])).weight.tolist()
    [2.0, 1.0]
    """
    columns = [np.asarray(column, float) for column in (frequency, recency, age)]
    span = int(columns[2].max(initial=0.0)) + 2
    whole = all(bool((column == np.floor(column)).all()) for column in columns)
    if whole and columns[0].max(initial=0.0) * span * span < 2**62:
        x, t_x, t = (column.astype(np.int64) for column in columns)
        key, weight = np.unique((x * span + t_x) * span + t, return_counts=True)
        rest, t = np.divmod(key, span)
        x, t_x = np.divmod(rest, span)
        merged = np.column_stack([x, t_x, t]).astype(float)
    else:
        merged, weight = np.unique(np.column_stack(columns), axis=0, return_counts=True)
    return Histories(merged[:, 0], merged[:, 1], merged[:, 2], weight.astype(float))


def geometric_dropout(parameters: np.ndarray, rows: Histories, *, flips: int) -> Likelihood:
    """BG/NBD (``flips=0``, FHL 2005 equation 6) and MBG/NBD (``flips=1``), in (r, α, a, b)."""
    r, alpha, a, b = parameters
    x, weight = rows.frequency, rows.weight
    m = x + flips
    log_t, log_tx = np.log(alpha + rows.age), np.log(alpha + rows.recency)
    with np.errstate(divide="ignore"):
        log_odds = np.where(m > 0, np.log(a / np.maximum(b + m - 1, 1e-300)), -np.inf)
    log_odds = log_odds + (r + x) * (log_t - log_tx)
    log_sum = np.logaddexp(0.0, log_odds)
    alive = np.exp(-log_sum)
    gone = np.where(m > 0, 1.0 - alive, 0.0)
    steps = _by_count(x)
    gamma_x, psi_x = steps(lambda n: gammaln(r + n)), steps(lambda n: digamma(r + n))
    beta_x = steps(lambda n: gammaln(b + n + flips) - gammaln(a + b + n + flips))
    psi_b = steps(lambda n: digamma(b + n + flips))
    psi_ab = steps(lambda n: digamma(a + b + n + flips))
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
    slope_b = digamma(a + b) - digamma(b) + psi_b - psi_ab - gone / np.maximum(b + m - 1, 1e-300)
    slopes = (slope_r, slope_alpha, slope_a, slope_b)
    return Likelihood(float(weight @ value), np.array([weight @ slope for slope in slopes]))


def pareto(parameters: np.ndarray, rows: Histories) -> Likelihood:
    """Pareto/NBD (Schmittlein et al. 1987), in (r, α, s, β).

    The death time between the last purchase and the cutoff is integrated numerically, all
    terms positive, where the textbook's difference of two hypergeometric functions cancels.
    """
    r, alpha, s, beta = parameters
    x, weight = rows.frequency, rows.weight
    log_ratio, died, share = death_ratio(parameters, rows.frequency, rows.recency, rows.age)
    log_sum = np.logaddexp(0.0, log_ratio)
    alive = np.exp(-log_sum)
    log_t, log_bt = np.log(alpha + rows.age), np.log(beta + rows.age)
    steps = _by_count(x)
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
    slope_beta = s / beta - alive * s / (beta + rows.age) - gone * (s + 1) * mean(1 / (beta + died))
    slopes = (slope_r, slope_alpha, slope_s, slope_beta)
    return Likelihood(float(weight @ value), np.array([weight @ slope for slope in slopes]))


class DeathRatio(NamedTuple):
    """Density of having died before the cutoff over that of being alive at it."""

    log_ratio: np.ndarray
    died_at: np.ndarray
    share: np.ndarray


def death_ratio(
    parameters: np.ndarray, frequency: np.ndarray, recency: np.ndarray, age: np.ndarray
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
    r, alpha, s, beta = parameters
    shape = (r + frequency)[:, None]
    node, node_weight = np.polynomial.legendre.leggauss(NODES)
    u, node_weight = (node + 1) / 2, node_weight / 2
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


def gamma_gamma(
    parameters: np.ndarray, purchases: np.ndarray, mean_spend: np.ndarray, weight: np.ndarray
) -> Likelihood:
    """Gamma-Gamma (Fader & Hardie note 025, equation 1a), in (p, q, γ)."""
    p, q, gamma = parameters
    x = purchases
    total = x * mean_spend + gamma
    log_total = np.log(total)
    steps = _by_count(x)
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


class _by_count:
    """Evaluate a function of the count once per distinct count: gamma functions are dear."""

    def __init__(self, counts: np.ndarray) -> None:
        self.distinct, self.where = np.unique(counts, return_inverse=True)

    def __call__(self, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        return np.asarray(function(self.distinct))[self.where]
