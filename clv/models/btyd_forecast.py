"""What a fitted purchase model says about the future: numpy and scipy only.

A customer who is alive at the cutoff has, after it, a purchase rate and a dropout that
depend on the number of purchases x and the age T alone; the last purchase decides only
whether the customer is alive. Everything that costs an integral is therefore computed once
per distinct (x, T), of which there are thousands where there are millions of customers.

The textbook's hypergeometric functions overflow or cancel for many purchases and long
horizons. They are means over the dropout probability p (BG/NBD, MBG/NBD: a beta
distribution, by Gauss-Jacobi quadrature) of functions that are bounded and positive; here
these means are taken as they stand.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import eigh_tridiagonal
from scipy.special import betainc, betaln, gammaln

from clv.models.btyd_likelihood import death_ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FLIPS = {"bg_nbd": 0, "mbg_nbd": 1}
PARAMETERS = {
    "bg_nbd": ("r", "alpha", "a", "b"),
    "mbg_nbd": ("r", "alpha", "a", "b"),
    "pareto_nbd": ("r", "alpha", "s", "beta"),
}
DROPOUT_NODES = 48
TIME_NODES = 32


def probability_alive(
    model: str,
    parameters: Mapping[str, float],
    frequency: np.ndarray,
    recency: np.ndarray,
    age: np.ndarray,
) -> np.ndarray:
    """Return P(alive at the cutoff).

    Parameters
    ----------
    model : str
        A key of ``PARAMETERS``.
    parameters : mapping
        In the unit of time of the rows.
    frequency, recency, age : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n,)
        BG/NBD gives 1 to whoever never bought again, by construction.
    """
    if model == "pareto_nbd":
        theta = np.array([parameters[name] for name in PARAMETERS[model]])
        log_odds = death_ratio(theta, frequency, recency, age).log_ratio
        return np.exp(-np.logaddexp(0.0, log_odds))
    r, alpha, a, b = (parameters[name] for name in PARAMETERS[model])
    m = frequency + FLIPS[model]
    log_odds = np.log(a / np.maximum(b + m - 1, 1e-300)) + (r + frequency) * (
        np.log(alpha + age) - np.log(alpha + recency)
    )
    return np.where(m > 0, np.exp(-np.logaddexp(0.0, log_odds)), 1.0)


def purchases_if_alive(
    model: str,
    parameters: Mapping[str, float],
    frequency: np.ndarray,
    age: np.ndarray,
    horizon: float,
    log_discount: float = 0.0,
) -> np.ndarray:
    """Return the purchases expected of a customer alive at the cutoff, each discounted.

    E ∫₀ᴴ λ e^(−δs) P(alive at s) ds, where P(alive at s) given p is e^(−λps); with λ
    integrated out analytically (FHL 2005 equation 10 is the case δ = 0).

    Parameters
    ----------
    model, parameters, frequency, age
        As in ``probability_alive``.
    horizon : float
        In the unit of time of the rows.
    log_discount : float
        δ, continuous, per unit of time.
    """

    def of_pairs(x: np.ndarray, t: np.ndarray) -> np.ndarray:
        if model == "pareto_nbd":
            return _pareto_flow(parameters, x, t, horizon, log_discount)
        return _geometric_flow(model, parameters, x, t, horizon, log_discount)

    return _per_pair(frequency, age, of_pairs)


def probability_none_if_alive(
    model: str,
    parameters: Mapping[str, float],
    frequency: np.ndarray,
    age: np.ndarray,
    horizon: float,
) -> np.ndarray:
    """Return P(no purchase in the horizon) of a customer alive at the cutoff.

    BG/NBD and MBG/NBD: nobody dies but by buying, so it is E e^(−λH), closed. Pareto/NBD:
    1 − ∫₀ᴴ E[λe^(−λs)] E[e^(−μs)] ds.
    """
    r, alpha = parameters["r"], parameters["alpha"]
    if model != "pareto_nbd":
        return np.exp((r + frequency) * (np.log(alpha + age) - np.log(alpha + age + horizon)))

    def of_pairs(x: np.ndarray, t: np.ndarray) -> np.ndarray:
        s, beta = parameters["s"], parameters["beta"]
        shape = (r + x)[:, None]
        bought = 1 - np.exp(shape * np.log((alpha + t) / (alpha + t + horizon))[:, None])
        node, weight = _unit_nodes(TIME_NODES)
        at = (alpha + t)[:, None] * np.expm1(-np.log1p(-node * bought) / shape)
        living = np.exp(-s * np.log1p(at / (beta + t)[:, None]))
        return 1 - bought[:, 0] * (weight * living).sum(axis=1)

    return _per_pair(frequency, age, of_pairs)


def expected_new_customer(
    model: str, parameters: Mapping[str, float], elapsed: np.ndarray
) -> np.ndarray:
    """Return E[X(t)], the repeat purchases of a customer within t of the first purchase."""
    zero = np.zeros(1)
    alive = probability_alive(model, parameters, zero, zero, zero)[0]
    flows = [purchases_if_alive(model, parameters, zero, zero, float(t))[0] for t in elapsed]
    return alive * np.array(flows)


def count_probability(
    parameters: Mapping[str, float], count: np.ndarray, elapsed: float
) -> np.ndarray:
    """Return BG/NBD's P(X(t) = n), finite for any n (FHL 2005 equation 8, in logarithms)."""
    r, alpha, a, b = (parameters[name] for name in PARAMETERS["bg_nbd"])
    n = np.asarray(count, float)
    z = elapsed / (alpha + elapsed)
    log_z = np.log(z) if z > 0 else -np.inf
    stay = betaln(a, b + n) - betaln(a, b)
    with np.errstate(invalid="ignore"):
        powers = np.where(n > 0, n * log_z, 0.0)
    exactly = gammaln(r + n) - gammaln(r) - gammaln(n + 1) + r * np.log1p(-z) + powers
    at_least = betainc(np.maximum(n, 1), r, z)
    dropped = np.exp(betaln(a + 1, np.maximum(b + n - 1, 1e-300)) - betaln(a, b)) * at_least
    return np.exp(stay + exactly) + np.where(n > 0, dropped, 0.0)


def residual_purchases(
    parameters: Mapping[str, float],
    frequency: np.ndarray,
    recency: np.ndarray,
    age: np.ndarray,
    log_discount: float,
) -> np.ndarray:
    """Return Pareto/NBD's DERT: discounted expected purchases over all time to come.

    Fader, Hardie & Lee (2005), "RFM and CLV", equation 2; continuous discounting. The flow
    is integrated over s = tan-like nodes, since its tail is only a power of time.
    """
    alive = probability_alive("pareto_nbd", parameters, frequency, recency, age)
    r, alpha, s, beta = (parameters[name] for name in PARAMETERS["pareto_nbd"])
    node, weight = np.polynomial.laguerre.laggauss(64)
    # ∫₀^∞ e^(−δs) (1 + s/(β+T))^(−σ) ds, in y = s/(β+T): Tricomi's Ψ(1, 2−σ; δ(β+T))
    scale = (beta + age)[:, None]
    cuts = np.array([0.0, 0.1, 1.0, 10.0, 100.0])
    total = np.zeros(age.size)
    unit, unit_weight = _unit_nodes(TIME_NODES)
    for low, high in pairwise(cuts):
        y = low + (high - low) * unit
        term = np.exp(-log_discount * scale * y - s * np.log1p(y))
        total += (high - low) * (unit_weight * term).sum(axis=1)
    tail = cuts[-1] + node / (log_discount * scale)
    rest = weight * np.exp(-s * np.log1p(tail)) * np.exp(-log_discount * scale * cuts[-1])
    total += rest.sum(axis=1) / (log_discount * scale[:, 0])
    return alive * (r + frequency) / (alpha + age) * scale[:, 0] * total


def _per_pair(
    frequency: np.ndarray,
    age: np.ndarray,
    function: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Evaluate a function of (x, T) once per distinct pair."""
    keys = np.empty(frequency.size, dtype=[("x", float), ("t", float)])
    keys["x"], keys["t"] = frequency, age
    whole = (age == np.floor(age)).all() and frequency.max(initial=0.0) < 2**30
    if whole and age.max(initial=0.0) < 2**30:
        code = frequency.astype(np.int64) * 2**30 + age.astype(np.int64)
        distinct, where = np.unique(code, return_inverse=True)
        x, t = np.divmod(distinct, 2**30)
        return function(x.astype(float), t.astype(float))[where]
    pairs, where = np.unique(keys, return_inverse=True)
    return function(np.ascontiguousarray(pairs["x"]), np.ascontiguousarray(pairs["t"]))[where]


def _geometric_flow(
    model: str,
    parameters: Mapping[str, float],
    x: np.ndarray,
    t: np.ndarray,
    horizon: float,
    log_discount: float,
) -> np.ndarray:
    r, alpha, a, b = (parameters[name] for name in PARAMETERS[model])
    flow = np.empty(x.size)
    time, time_weight = _unit_nodes(TIME_NODES)
    for count in np.unique(x):
        here = x == count
        p, mass = _beta_nodes(a, b + count + FLIPS[model], DROPOUT_NODES)
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


def _pareto_flow(
    parameters: Mapping[str, float],
    x: np.ndarray,
    t: np.ndarray,
    horizon: float,
    log_discount: float,
) -> np.ndarray:
    r, alpha, s, beta = (parameters[name] for name in PARAMETERS["pareto_nbd"])
    node, weight = _unit_nodes(TIME_NODES)
    scale = (beta + t)[:, None]
    # s = scale·(e^v − 1) turns the power law of survival into an exponential
    stretch = np.log1p(horizon / scale)
    v = node * stretch
    living = np.exp((1 - s) * v - log_discount * scale * np.expm1(v))
    return (r + x) / (alpha + t) * (scale * stretch)[:, 0] * (weight * living).sum(axis=1)


def _unit_nodes(count: int) -> tuple[np.ndarray, np.ndarray]:
    node, weight = np.polynomial.legendre.leggauss(count)
    return (node + 1) / 2, weight / 2


def _beta_nodes(a: float, b: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and probabilities of a Beta(a, b) (Golub & Welsch 1969).

    Examples
    --------
    >>> p, mass = _beta_nodes(2.0, 3.0, 8)
    >>> round(float(mass @ p), 12), round(float(mass @ p**2), 12)
    (0.4, 0.2)
    """
    n = np.arange(1, count, dtype=float)
    total = a + b - 2
    middle = np.empty(count)
    middle[0] = (a - b) / (a + b)
    middle[1:] = (a - b) * total / ((2 * n + total) * (2 * n + total + 2))
    square = np.empty(count - 1)
    square[0] = 4 * a * b / ((a + b) ** 2 * (a + b + 1))
    k = n[1:]
    square[1:] = (
        4 * k * (k + b - 1) * (k + a - 1) * (k + total)
        / ((2 * k + total) ** 2 * ((2 * k + total) ** 2 - 1))
    )  # fmt: skip
    values, vectors = eigh_tridiagonal(middle, np.sqrt(square))
    return np.clip((1 + values) / 2, 1e-300, 1.0), vectors[0] ** 2
