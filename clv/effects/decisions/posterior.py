"""What is believed of an effect curve: a weak stated prior, updated by estimates and read-outs.

The prior is about net gain, before any data. With a chance of ``prior_nothing`` there is nothing
to gain: each step brings what it costs. Else today's setting is as likely too high as too low;
moving to the edge of what agents already do changes what follows a contact by ``prior_share``
of it (one standard deviation); and a duration's curve bends down rather than up, by half of
that at the edge, give or take as much. So its optimum is likelier within the support (.58 of
draws) than beyond (.26; more than twice as far out .12), or than no optimum at all (.16). Beside
the chance of nothing all is Gaussian, so that beliefs are exact (Bishop 2006, Pattern Recognition
and Machine Learning, eq. 2.113 to 2.117; the chance follows by Bayes' rule from what each side
predicts), and what they say of a setting follows in closed form. Without that chance three in
four companies in which nothing acts would be told of a likely step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special, stats

if TYPE_CHECKING:
    from clv.effects.decisions.curves import Curve
    from clv.effects.decisions.options import DecisionOptions
    from clv.effects.design.exposure import Basis, Floats
    from clv.effects.estimators.study import Study

WORST = 0.05
"""The worst case that is told: one in twenty is worse."""

WIDTHS = (0.5, 2.0)
"""The prior is halved and doubled to say how far a probability rests on it."""


@dataclass(frozen=True)
class Outlook:
    """What is believed of P settings, in the curve's unit; each array has shape (P,).

    Attributes
    ----------
    gain : float64 array
        Expected net gain.
    deviation : float64 array
        Its standard deviation where there is anything to gain or to lose.
    probability : float64 array
        That the net gain is above 0.
    loss : float64 array
        Expected loss: the mean of what is lost, counting 0 where something is gained.
    worst : float64 array
        The 5 % quantile of the net gain.
    """

    gain: Floats
    deviation: Floats
    probability: Floats
    loss: Floats
    worst: Floats


@dataclass(frozen=True)
class Belief:
    """A Gaussian over m coefficients, and the chance that it is so rather than flat.

    Attributes
    ----------
    mean : float64 array, shape (m,)
    covariance : float64 array, shape (m, m)
    chance : float
        That there is anything to gain or to lose.
    flat : float64 array or None, shape (m,)
        The coefficients at which every step brings what it costs; None: that cannot be.

    Examples
    --------
    >>> prior = Belief(np.zeros(1), np.eye(1))
    >>> prior.learn(np.eye(1), np.ones(1), np.eye(1)).mean.tolist()
    [0.5]
    """

    mean: Floats
    covariance: Floats
    chance: float = 1.0
    flat: Floats | None = None

    def learn(self, design: Floats, observed: Floats, noise: Floats) -> Belief:
        """Return the belief after seeing ``observed = design @ coefficients`` with noise.

        Parameters
        ----------
        design : array, shape (q, m)
        observed : array, shape (q,)
        noise : array, shape (q, q)
            Covariance of the observation.
        """
        seen = design @ self.covariance @ design.T + noise
        weight = np.linalg.solve(seen, design @ self.covariance).T
        mean = self.mean + weight @ (observed - design @ self.mean)
        left = self.covariance - weight @ design @ self.covariance
        chance = self.chance
        if self.flat is not None and 0 < chance < 1:
            predicted = stats.multivariate_normal.logpdf(
                observed, design @ self.mean, seen, allow_singular=True
            )
            flat = stats.multivariate_normal.logpdf(
                observed, design @ self.flat, noise, allow_singular=True
            )
            odds = np.log(chance) - np.log1p(-chance) + predicted - flat
            chance = float(special.expit(odds))
        return Belief(mean, (left + left.T) / 2, chance, self.flat)

    def outlook(self, curve: Curve) -> Outlook:
        """Return what is believed of each point of a curve."""
        gain = curve.terms @ self.mean - curve.cost
        variance = np.einsum("pm,mn,pn->p", curve.terms, self.covariance, curve.terms)
        deviation = np.sqrt(np.maximum(variance, 0.0))
        sure = deviation <= 1e-12 * max(deviation.max(initial=0.0), 1e-300)
        z = np.divide(gain, deviation, out=np.zeros_like(gain), where=~sure)
        below = np.where(sure, (gain < 0).astype(np.float64), stats.norm.cdf(-z))
        above = np.where(sure, (gain > 0).astype(np.float64), stats.norm.cdf(z))
        loss = np.where(
            sure, np.maximum(-gain, 0.0), deviation * stats.norm.pdf(z) - gain * stats.norm.cdf(-z)
        )
        # The quantile of a mixture: the losing part of the Gaussian, what is flat, and the rest.
        share = np.where(below * self.chance > WORST, WORST, WORST - (1 - self.chance))
        quantile = stats.norm.ppf(np.clip(share / max(self.chance, 1e-300), 1e-12, 1 - 1e-12))
        worst = gain + np.where(sure, 0.0, quantile) * deviation
        nothing = (below * self.chance <= WORST) & (below * self.chance + 1 - self.chance >= WORST)
        worst = np.where(nothing, 0.0, worst)
        return Outlook(
            self.chance * gain, deviation, self.chance * above, self.chance * loss, worst
        )


def prior_of(
    study: Study,
    one: Basis,
    support: tuple[float, float],
    price: float,
    options: DecisionOptions,
    width: float = 1.0,
) -> Belief:
    """Return the prior of a behaviour's coefficients, per contact.

    Parameters
    ----------
    study : Study
        With the behaviour.
    one : Basis
        Of the behaviour.
    support : tuple of float
        The scales in which agents already are; 1 is today.
    price : float
        Currency that a unit of the behaviour costs: of a second, or of a unit of money given.
    options : DecisionOptions
        ``prior_share``, and ``max_step``, which the support is at least as wide as.
    width : float
        Times the usual prior's standard deviations.
    """
    raw = study.exposure.behaviours[one.behaviour.name][one.present]
    today, size = float(raw.mean()), abs(float(np.nanmean(study.exposure.outcome)))
    sigma = max(width * options.prior_share * size, 1e-300)
    if one.behaviour.transform == "linear":
        step = options.max_step * (today if one.behaviour.is_money else 1.0)
        half = max(today * max(1 - support[0], support[1] - 1), step)
        flat = np.array([price])
        return Belief(flat, np.array([[(sigma / half) ** 2]]), 1 - options.prior_nothing, flat)
    half = max(-np.log(support[0]), np.log(support[1]), float(np.log1p(options.max_step)))
    level = float(one.values[one.present, 0].mean())
    # From slope and bend at the edge of the support to the terms log and squared log.
    turned = np.array([[1 / half, -2 * level / half**2], [0.0, 1 / half**2]])
    mean = np.array([price * today * half, -sigma / 2])
    spread = np.diag([sigma**2, (sigma / 2) ** 2])
    flat = turned @ np.array([price * today * half, 0.0])
    return Belief(turned @ mean, turned @ spread @ turned.T, 1 - options.prior_nothing, flat)


def widened(covariance: Floats, degrees: float) -> Floats:
    """Return a covariance as a Gaussian must have it to vary as t with so many degrees does."""
    if not np.isfinite(degrees):
        return covariance
    return covariance * degrees / max(degrees - 2.0, 1.0)
