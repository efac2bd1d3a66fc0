"""Shifted beta-geometric: customers under contract, who may cancel at the end of each period.

At each renewal a customer cancels with a probability θ of their own, which follows a beta
distribution with parameters α and β over customers. Those who cancel easily leave first, so the
share that renews rises with the age of a cohort although nobody changes.

References
----------
Fader & Hardie (2007), How to project customer retention, Journal of Interactive Marketing 21.
Fader & Hardie (2010), Customer-base valuation in a contractual setting, Marketing Science 29.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betaln, digamma, hyp2f1

from clv.errors import ModelError
from clv.models.btyd.base import Likelihood
from clv.models.btyd.optimum import judge_search, maximise
from clv.models.btyd.results import Fit, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

PARAMETERS = ("alpha", "beta")
PRIOR = (0.7, 2.0)
"""Between the two cohorts of Fader & Hardie (2007): (0.668, 3.806) and (0.704, 1.182)."""
STARTS = ((1.0, 1.0), (0.5, 4.0), (5.0, 20.0))
MIN_CANCELLATIONS = 10


@dataclass(frozen=True)
class Contracts:
    """Customers under contract, those with equal histories together.

    Attributes
    ----------
    periods : ndarray of shape (n,)
        Periods begun, the first included: 1 until the first renewal.
    cancelled : ndarray of bool, of shape (n,)
        Whether the contract ended with the last of them; else it is running.
    weight : ndarray of shape (n,)
        How many customers have this history.
    """

    periods: np.ndarray
    cancelled: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, periods: np.ndarray, cancelled: np.ndarray, weight: np.ndarray) -> Contracts:
        """Return the distinct histories, each with the number of its customers.

        Raises
        ------
        ModelError
            For histories that no contract can have.
        """
        check_periods(periods)
        counted = np.isfinite(weight) & (weight >= 0)
        if not counted.all() or not weight.sum() > 0:
            raise ModelError(
                "contracts: the customers of a row are negative or unknown, or there are none; "
                "expected how many have that history."
            )
        key = np.stack([periods, cancelled.astype(float)], axis=1)
        distinct, place = np.unique(key, axis=0, return_inverse=True)
        total = np.bincount(place.ravel(), weights=weight, minlength=len(distinct))
        return cls(distinct[:, 0], distinct[:, 1] > 0, total)

    @property
    def customers(self) -> float:
        """How many customers there are."""
        return float(self.weight.sum())

    @property
    def renewed(self) -> float:
        """How many of them renewed at least once."""
        return float(self.weight[self.periods > 1].sum())

    @property
    def renewals(self) -> float:
        """How often they renewed in all."""
        return float(self.weight @ (self.periods - 1))

    @property
    def cancellations(self) -> float:
        """How many of them cancelled."""
        return float(self.weight[self.cancelled].sum())


def check_periods(periods: np.ndarray) -> None:
    """Refuse numbers of periods that no contract can have.

    Raises
    ------
    ModelError
        For anything but whole numbers from 1.
    """
    wrong = int((~((periods >= 1) & (periods == np.floor(periods)) & (periods < np.inf))).sum())
    if wrong:
        raise ModelError(
            f"contracts: {wrong} rows have periods that are below 1, broken or unknown; expected "
            "the whole number of periods begun, the first included."
        )


def likelihood(theta: np.ndarray, rows: Contracts) -> Likelihood:
    """Return the log-likelihood and its gradient in (α, β).

    Who cancelled after n periods has B(α + 1, β + n − 1) ÷ B(α, β), and who began the nth and is
    there still B(α, β + n − 1) ÷ B(α, β) (Fader & Hardie 2007, equations 5 and 6).
    """
    alpha, beta = theta
    ended, renewals = rows.cancelled.astype(float), rows.periods - 1
    value = betaln(alpha + ended, beta + renewals) - betaln(alpha, beta)
    both = digamma(alpha + beta) - digamma(alpha + ended + beta + renewals)
    slope_alpha = digamma(alpha + ended) - digamma(alpha) + both
    slope_beta = digamma(beta + renewals) - digamma(beta) + both
    gradient = np.array([rows.weight @ slope_alpha, rows.weight @ slope_beta])
    return Likelihood(float(rows.weight @ value), gradient)


def fit_renewals(rows: Contracts) -> Fit:
    """Fit by maximum likelihood, or say why that cannot be and use a weak prior.

    The prior is normal in the logarithms of the parameters, and weighs as much as one customer.
    """

    def of(theta: np.ndarray) -> Likelihood:
        return likelihood(theta, rows)

    free = maximise(of, rows.customers, STARTS)
    verdict, detail = _judge(rows)
    if verdict is Verdict.CONVERGED:
        verdict, detail = judge_search(free, ": the customers do not differ in how they cancel")
    theta, fallback = free.theta, ""
    if verdict is not Verdict.CONVERGED:
        theta = maximise(of, rows.customers, (PRIOR,), centre=PRIOR).theta
        fallback = "weak prior"
    return Fit(
        model="shifted_beta_geo",
        parameters={name: float(v) for name, v in zip(PARAMETERS, theta, strict=True)},
        log_likelihood=of(theta).value,
        verdict=verdict,
        fallback=fallback,
        detail=detail,
        customers=rows.customers,
        repeaters=rows.renewed,
        purchases=rows.renewals,
    )


def survival(
    parameters: Mapping[str, float], renewals: np.ndarray, ahead: np.ndarray
) -> np.ndarray:
    """Return P(a running contract is renewed ``ahead`` times more), of the inputs' shape.

    Parameters
    ----------
    parameters : mapping of str to float
        ``alpha`` and ``beta``.
    renewals : ndarray
        Renewals made so far; 0 for a new customer.
    ahead : ndarray
        Renewals to come.

    Notes
    -----
    Fader & Hardie (2010), equation 4, from the posterior beta(α, β + renewals).
    """
    alpha, beta = (parameters[name] for name in PARAMETERS)
    at = beta + np.asarray(renewals, dtype=float)
    return np.asarray(np.exp(betaln(alpha, at + ahead) - betaln(alpha, at)))


def residual_lifetime(
    parameters: Mapping[str, float], renewals: np.ndarray, discount_per_period: float
) -> np.ndarray:
    """Return the discounted expected residual lifetime (DERL), in periods.

    The periods to come after the running one, the next of them at its full worth and each later
    one at 1 ÷ (1 + rate) of the one before.

    Raises
    ------
    ModelError
        Without a discount, where α ≤ 1: the expected lifetime is then infinite.

    Notes
    -----
    Fader & Hardie (2010), equation 6.
    """
    alpha, beta = (parameters[name] for name in PARAMETERS)
    if not discount_per_period > 0 and alpha <= 1:
        raise ModelError(
            f"contracts: the expected lifetime is infinite at alpha = {alpha:.3g} without a "
            "discount; expected a discount rate above 0."
        )
    n = np.asarray(renewals, dtype=float) + 1
    first = (beta + n - 1) / (alpha + beta + n - 1)
    return np.asarray(first * hyp2f1(1, beta + n, alpha + beta + n, 1 / (1 + discount_per_period)))


def _judge(rows: Contracts) -> tuple[Verdict, str]:
    """Return whether the histories can tell α from β at all."""
    if rows.cancellations == 0:
        return Verdict.NO_CANCELLATIONS, "nobody has cancelled; a weak prior stands in"
    if rows.cancellations < MIN_CANCELLATIONS:
        return (
            Verdict.TOO_FEW_CANCELLATIONS,
            f"fewer than {MIN_CANCELLATIONS} customers have cancelled; a weak prior stands in",
        )
    occasions = np.where(rows.cancelled, rows.periods, rows.periods - 1)
    if occasions.max() < 2:
        return (
            Verdict.ONE_RENEWAL,
            "nobody has come to a second renewal, so that how customers differ is not known; a "
            "weak prior stands in",
        )
    return Verdict.CONVERGED, ""
