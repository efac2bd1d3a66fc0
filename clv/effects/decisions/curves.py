"""A policy as a curve: what scaling a behaviour adds and costs, where agents already are.

The policy scales every contact's handle time by k ("ten per cent longer"), never "six
minutes for all": no agent does that today. The curve is linear in the coefficients, so its
band is exact given their covariance; the band is simultaneous over all k (sup-t).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.effects.checks.support import agent_means
from clv.effects.design.exposure import log_terms
from clv.effects.estimators.residuals import demeaned

if TYPE_CHECKING:
    from clv.effects.decisions.options import TargetOptions
    from clv.effects.design.exposure import Basis, Exposure, Floats
    from clv.effects.estimators.study import Study

SUPPORT = (0.05, 0.95)
STEP_POINTS = 11


@dataclass(frozen=True)
class Curve:
    """A policy along P points: what it adds to terms and to cost.

    Attributes
    ----------
    scales : float64 array, shape (P,)
        1 is today.
    terms : float64 array, shape (P, m)
        Added to each term over the contacts of a customer in a year.
    cost : float64 array, shape (P,)
        Added cost per customer and year.
    """

    scales: Floats
    terms: Floats
    cost: Floats

    def times(self, factor: float) -> Curve:
        """Return the same policy per another unit."""
        return Curve(self.scales, self.terms * factor, self.cost * factor)


@dataclass(frozen=True)
class Band:
    """Net gain along a curve, with its simultaneous band and the draws behind it.

    ``sure`` is the stricter lower bound that a move needs.
    """

    net: Floats
    low: Floats
    high: Floats
    sure: Floats
    best_draws: Floats


def supported_scales(study: Study, one: Basis) -> tuple[float, float]:
    """Return how far the slowest and fastest agents of a pool lie from its mean, as ratios."""
    exposure = study.exposure
    rows = np.flatnonzero(one.present & (exposure.agent >= 0))
    raw = exposure.behaviours[one.behaviour.name][rows]
    pool = np.unique(exposure.pool[rows], return_inverse=True)[1].astype(np.int64)
    if one.behaviour.transform == "log":
        pace = agent_means(
            demeaned(np.log(np.maximum(raw, 1e-9))[:, None], pool)[:, 0], exposure.agent[rows]
        )
        low, high = np.exp(np.quantile(pace, SUPPORT))
    else:
        gap = agent_means(demeaned(raw[:, None], pool)[:, 0], exposure.agent[rows])
        low, high = 1 + np.quantile(gap, SUPPORT) / raw.mean()
    if one.behaviour.unit.startswith("share"):
        low, high = max(low, 0.0), min(high, 1 / max(float(raw.mean()), 1e-9))
    return float(min(low, 1.0)), float(max(high, 1.0))


def scale_curve(
    exposure: Exposure, one: Basis, scales: Floats, cost_per_minute: float | None
) -> Curve:
    """Return what scaling a behaviour adds per customer in contact and year, point by point.

    Durations are scaled contact by contact; shares are moved by the same amount on every
    treated contact, to ``scale`` times today's mean.
    """
    raw = exposure.behaviours[one.behaviour.name][one.present]
    n = len(raw) / exposure.treated(one.behaviour.name)  # customers in contact, summed over years
    if one.behaviour.transform == "log":
        # φ(kh) − φ(h): log k, and log²k + 2 log k · log(h/h0).
        count, level = len(raw), one.values[one.present, 0].sum()
        shift = log_terms(scales)
        shift[:, 0] *= count
        shift[:, 1] = count * np.log(scales) ** 2 + 2 * np.log(scales) * level
        minutes = raw.sum() / 60.0 * (scales - 1)
    else:
        shift = ((scales - 1) * raw.mean() * len(raw))[:, None]
        minutes = np.zeros_like(scales)
    price = 0.0 if cost_per_minute is None else cost_per_minute
    given = shift[:, 0] if one.behaviour.is_money else 0.0  # a credit costs what it is
    return Curve(scales, shift / n, (price * minutes + given) / n)


def sup_t_band(
    curve: Curve,
    coefficients: Floats,
    covariance: Floats,
    options: TargetOptions,
    *,
    degrees: float = np.inf,
    together: int = 1,
) -> Band:
    """Return the curve's net gain with a band that holds for all its points at once.

    Its width is that of t with the covariance's ``degrees`` of freedom; ``together`` targets
    share the chance of a false move.
    """
    net = curve.terms @ coefficients - curve.cost
    spread = np.sqrt(np.einsum("pm,mn,pn->p", curve.terms, covariance, curve.terms))
    rng = np.random.default_rng(options.seed)
    drawn = rng.multivariate_normal(
        np.zeros(len(coefficients)), covariance, size=options.draws, method="eigh"
    )
    if np.isfinite(degrees):
        drawn *= np.sqrt(degrees / rng.chisquare(degrees, options.draws))[:, None]
    paths = drawn @ curve.terms.T
    moved = spread > 1e-12 * max(spread.max(initial=0.0), 1e-300)
    ratios = paths[:, moved] / spread[moved]
    critical = strict = 0.0
    if moved.any():
        critical = float(np.quantile(np.abs(ratios).max(axis=1), options.level))
        strict = float(np.quantile(ratios.max(axis=1), 1 - options.max_false_moves / together))
    sure = net - max(critical, strict) * spread
    best = curve.scales[np.argmax(net + paths, axis=1)]
    return Band(net, net - critical * spread, net + critical * spread, sure, best)


def recommend_at(band: Band, least_gain: float) -> int | None:
    """Return the point whose lower bound is highest, where that is a material gain."""
    at = int(np.argmax(band.sure))
    return at if band.sure[at] > least_gain else None


def step_scales(one: Basis, today: float, support: tuple[float, float], step: float) -> Floats:
    """Return the scales within reach of one step, inside the support; 1 is among them.

    Parameters
    ----------
    one : Basis
        A share moves by points, anything else in proportion.
    today : float
        The behaviour's mean.
    support : tuple of float
        Scales in which agents already are.
    step : float
        The most that is moved at once.
    """
    reach = step / max(today, 1e-9) if one.behaviour.unit.startswith("share") else step
    down = np.linspace(max(support[0], 1 - reach), 1.0, STEP_POINTS)
    up = np.linspace(1.0, min(support[1], 1 + reach), STEP_POINTS)
    return np.unique(np.concatenate([down, up]))
