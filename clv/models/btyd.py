"""Fit the buy-till-you-die models, and say how it went: the door to lifetimes.

The fits here maximise our own likelihoods (btyd_likelihood.py): the same numbers as
``lifetimes``, with analytic gradients. ``lifetimes`` is the reference: ``cross_check``
fits the same sample with it at every training. A fit never raises for want of
convergence and never degenerates in silence: it returns a verdict and, where the data do
not identify the model, the fit under a weak prior that took its place.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from clv.errors import ModelError
from clv.models.btyd_fit import Fit, Verdict
from clv.models.btyd_forecast import FLIPS, PARAMETERS
from clv.models.btyd_likelihood import (
    Histories,
    Likelihood,
    compress,
    gamma_gamma,
    geometric_dropout,
    pareto,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PURCHASE_MODELS", "Fit", "Verdict", "cross_check", "fit_purchases", "fit_spend"]

PURCHASE_MODELS = tuple(PARAMETERS)
SPEND_PARAMETERS = ("p", "q", "gamma")
MIN_REPEATERS = 10
BOUND = 1e3
_PRIOR_SD = 1.0
# Weak priors on logarithms of (r, α / mean age, dropout parameters), centred where retail
# data of the literature lie; they weigh as much as one customer.
_PRIOR = {
    "bg_nbd": (0.5, 0.2, 0.8, 2.5),
    "mbg_nbd": (0.5, 0.2, 0.8, 1.6),
    "pareto_nbd": (0.5, 0.3, 0.6, 0.4),
}
_SPEND_PRIOR = (4.0, 3.0, 1.0)
_SPEND_STARTS = ((1.0, 2.0, 1.0), (6.0, 4.0, 0.5), (0.5, 8.0, 8.0))
_STARTS = ((1.0, 1.0, 1.0, 1.0), (0.3, 0.5, 0.5, 3.0), (3.0, 3.0, 0.2, 0.5))
CHECK_CUSTOMERS = 2_000
# Starting points are tried on this many distinct histories; the best is polished on all.
SEARCH_ROWS = 4_000


def purchase_likelihood(model: str, theta: np.ndarray, rows: Histories) -> Likelihood:
    """Return the log-likelihood of a purchase model, parameters in ``PARAMETERS`` order."""
    if model == "pareto_nbd":
        return pareto(theta, rows)
    return geometric_dropout(theta, rows, flips=FLIPS[model])


def fit_purchases(
    model: str, frequency: np.ndarray, recency_days: np.ndarray, age_days: np.ndarray
) -> Fit:
    """Fit a purchase model to one row per customer.

    Parameters
    ----------
    model : {"bg_nbd", "mbg_nbd", "pareto_nbd"}
    frequency, recency_days, age_days : ndarray of shape (n,)
        Repeat purchase days, first to last and first purchase to the cutoff.

    Raises
    ------
    ModelError
        For an unknown model, or histories that no purchase process can have.
    """
    if model not in PARAMETERS:
        raise ModelError(
            f"purchase model {model!r} is not known; expected one of {', '.join(PARAMETERS)}."
        )
    _check_histories(frequency, recency_days, age_days)
    rows = compress(frequency, recency_days, age_days)
    unit = max(float(rows.weight @ rows.age) / rows.customers, 1.0)
    scaled = rows.scaled(unit)
    thin = scaled.thinned(SEARCH_ROWS)
    times = [name in ("alpha", "beta") for name in PARAMETERS[model]]

    def likelihood(theta: np.ndarray) -> Likelihood:
        return purchase_likelihood(model, theta, scaled)

    def search(theta: np.ndarray) -> Likelihood:
        return purchase_likelihood(model, theta, thin)

    start = _maximise(search, thin.customers, _STARTS).theta
    free = _maximise(likelihood, rows.customers, (tuple(start),))
    verdict, detail = _judge_purchases(model, free, rows)
    theta, fallback = free.theta, ""
    if verdict is not Verdict.CONVERGED:
        theta = _maximise(likelihood, rows.customers, (_PRIOR[model],), centre=_PRIOR[model]).theta
        fallback = "weak prior"
    value = likelihood(theta).value - rows.purchases * float(np.log(unit))
    return Fit(
        model=model,
        parameters={
            name: float(v * unit if is_time else v)
            for name, v, is_time in zip(PARAMETERS[model], theta, times, strict=True)
        },
        log_likelihood=value,
        verdict=verdict,
        fallback=fallback,
        detail=detail,
        customers=rows.customers,
        repeaters=rows.repeaters,
        purchases=rows.purchases,
    )


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

    start = _maximise(search, x.size / step, _SPEND_STARTS).theta
    free = _maximise(likelihood, float(x.size), (tuple(start),))
    verdict, detail = _judge_spend(free, x.size)
    theta, fallback = free.theta, ""
    if verdict is not Verdict.CONVERGED:
        # a prior on q − 1 keeps the population mean pγ/(q − 1) finite
        theta = _maximise(
            likelihood,
            float(x.size),
            (_SPEND_PRIOR,),
            centre=_SPEND_PRIOR,
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


class CrossCheck(NamedTuple):
    """The same sample fitted by ``lifetimes`` and by us.

    ``gap`` is (our log-likelihood − theirs) per customer, each at its own optimum and both
    evaluated by our likelihood; ``same`` is the largest difference per customer of the two
    likelihood functions at our optimum. Both are nan where lifetimes did not converge.
    """

    model: str
    customers: int
    gap: float
    same: float
    reference: str

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-able values; what lifetimes could not fit is null."""
        return {name: None if value != value else value for name, value in self._asdict().items()}


def cross_check(
    model: str,
    frequency: np.ndarray,
    recency_days: np.ndarray,
    age_days: np.ndarray,
    *,
    seed: int = 0,
    customers: int = CHECK_CUSTOMERS,
) -> CrossCheck:
    """Fit a seeded sample with ``lifetimes`` and with our likelihood, and compare."""
    sample = np.random.default_rng(seed).permutation(frequency.size)[:customers]
    sample.sort()
    x, t_x, t = (np.asarray(c, float)[sample] for c in (frequency, recency_days, age_days))
    rows = compress(x, t_x, t)
    ours = fit_purchases(model, x, t_x, t)
    theta = np.array([ours.parameters[name] for name in PARAMETERS[model]])
    fitter, message = _lifetimes_fit(model, rows)
    if fitter is None:
        return CrossCheck(model, x.size, float("nan"), float("nan"), message)
    theirs = np.array([float(fitter.params_[name]) for name in PARAMETERS[model]])
    # Compared at their optimum: ours may sit under a prior, where they have none.
    at_theirs = purchase_likelihood(model, theirs, rows).value
    own = float(fitter.log_likelihood_)
    gap = purchase_likelihood(model, theta, rows).value - at_theirs
    n = rows.customers
    return CrossCheck(model, x.size, gap / n, abs(at_theirs - own) / n, message)


def _lifetimes_fit(model: str, rows: Histories) -> tuple[Any, str]:
    with warnings.catch_warnings():
        # the import silences FutureWarnings of the whole process; this undoes it
        warnings.simplefilter("ignore")
        import lifetimes
        from lifetimes.utils import ConvergenceError

        kinds = {
            "bg_nbd": lifetimes.BetaGeoFitter,
            "mbg_nbd": lifetimes.ModifiedBetaGeoFitter,
            "pareto_nbd": lifetimes.ParetoNBDFitter,
        }
        fitter = kinds[model]()
        try:
            fitter.fit(rows.frequency, rows.recency, rows.age, weights=rows.weight)
        except ConvergenceError:
            return None, f"lifetimes {lifetimes.__version__}: did not converge on the sample"
        fitter.log_likelihood_ = _their_likelihood(fitter, model, rows)
        return fitter, f"lifetimes {lifetimes.__version__}"


def _their_likelihood(fitter: Any, model: str, rows: Histories) -> float:
    if model == "pareto_nbd":
        theta = fitter.params_.to_numpy()
        each = fitter._conditional_log_likelihood(theta, rows.frequency, rows.recency, rows.age)
        return float(rows.weight @ each)
    # lifetimes keeps the mean negative log-likelihood, of time scaled to its maximum
    shift = rows.purchases * float(np.log(fitter._scale))
    return shift - float(fitter._negative_log_likelihood_) * rows.customers


class _Optimum(NamedTuple):
    theta: np.ndarray
    converged: bool
    at_bound: bool


def _maximise(
    likelihood: Callable[[np.ndarray], Likelihood],
    customers: float,
    starts: tuple[tuple[float, ...], ...],
    *,
    centre: tuple[float, ...] | None = None,
    floor: tuple[float, ...] | None = None,
) -> _Optimum:
    """Maximise over log(θ − floor) by L-BFGS-B from several starts; the best one wins."""
    low = np.array(floor if floor is not None else (0.0,) * len(starts[0]))

    def negative(z: np.ndarray) -> tuple[float, np.ndarray]:
        inner = np.exp(z)
        found = likelihood(low + inner)
        value, gradient = found.value, found.gradient * inner
        if centre is not None:
            away = z - np.log(np.array(centre))
            value -= 0.5 * float(away @ away) / _PRIOR_SD**2
            gradient = gradient - away / _PRIOR_SD**2
        return -value / customers, -gradient / customers

    edge = float(np.log(BOUND))
    best = None
    # four parameters: threads of the linear algebra cost a hundred times what they save
    with threadpool_limits(1, user_api="blas"):
        for start in starts:
            found = minimize(
                negative,
                np.log(np.clip(np.array(start), 2 / BOUND, BOUND / 2)),
                jac=True,
                method="L-BFGS-B",
                bounds=[(-edge, edge)] * len(start),
                options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-8},
            )
            if best is None or found.fun < best.fun - 1e-12:
                best = found
    assert best is not None
    flat = float(np.abs(np.where(np.abs(best.x) < edge - 1e-9, best.jac, 0.0)).max()) < 1e-4
    at_bound = bool((np.abs(best.x) > edge - 0.01).any())
    return _Optimum(low + np.exp(best.x), bool(flat), at_bound)


def _judge_purchases(model: str, found: _Optimum, rows: Histories) -> tuple[Verdict, str]:
    if rows.repeaters == 0:
        return Verdict.NO_REPEATERS, "nobody has bought again; a weak prior stands in"
    if rows.repeaters < MIN_REPEATERS:
        return (
            Verdict.TOO_FEW_REPEATERS,
            f"fewer than {MIN_REPEATERS} customers have bought again; a weak prior stands in",
        )
    if found.at_bound:
        shape = found.theta
        lost = shape[2] / (shape[2] + shape[3]) if model in FLIPS else shape[2] / BOUND
        what = "no dropout identifiable" if lost < 0.01 else "the customers do not differ enough"
        return Verdict.AT_BOUND, f"a parameter ran to its bound: {what}; a weak prior stands in"
    if not found.converged:
        return Verdict.NOT_CONVERGED, "the gradient did not vanish; a weak prior stands in"
    return Verdict.CONVERGED, "maximum likelihood"


def _judge_spend(found: _Optimum, repeaters: int) -> tuple[Verdict, str]:
    if repeaters < MIN_REPEATERS:
        return (
            Verdict.TOO_FEW_REPEATERS,
            f"fewer than {MIN_REPEATERS} customers have bought again; a weak prior stands in",
        )
    if found.theta[1] <= 1.0:
        return Verdict.Q_BELOW_1, "q is below 1, so the mean spend is infinite; a prior keeps q > 1"
    if found.at_bound:
        return Verdict.AT_BOUND, "a parameter ran to its bound; a weak prior stands in"
    if not found.converged:
        return Verdict.NOT_CONVERGED, "the gradient did not vanish; a weak prior stands in"
    return Verdict.CONVERGED, "maximum likelihood"


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
