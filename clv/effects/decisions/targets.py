"""Where to set a target: value less agents' cost along a behaviour, where agents already are.

The policy scales every contact's handle time by k ("ten per cent longer"), never "six
minutes for all": no agent does that today. The curve is linear in the coefficients, so its
band is exact given their covariance; the band is simultaneous over all k (sup-t). A move is
recommended only where a stricter lower bound gains: where nothing is to be gained, all targets
that are set together move in three companies of a hundred. With pointwise bands a fifth of the
runs in which nothing should move did, and with a 95 % band for each target a tenth.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from clv.effects.checks.support import agent_means
from clv.effects.design.exposure import EMPATHY, GOODWILL, HANDLE, log_terms
from clv.effects.estimators.residuals import demeaned
from clv.effects.results import rounded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clv.effects.design.exposure import Basis, Exposure, Floats
    from clv.effects.effects import Effects
    from clv.effects.estimators.examiner import Instrumented
    from clv.effects.estimators.study import Study

Recommendation = Literal["raise", "lower", "keep", "cannot tell"]
STEPS = 41
SUPPORT = (0.05, 0.95)


@dataclass(frozen=True)
class TargetOptions:
    """When a move is recommended.

    Attributes
    ----------
    level : float
        Of the simultaneous band.
    max_false_moves : float
        The share of companies without anything to gain in which any target may move.
    draws : int
        Of the coefficients.
    min_gain_share : float
        The least gain worth a change, as a share of the mean outcome per customer.
    seed : int
        Of the draws.
    """

    level: float = 0.95
    max_false_moves: float = 0.03
    draws: int = 2000
    min_gain_share: float = 0.003
    seed: int = 0

    def least_gain(self, study: Study) -> float:
        """Return the least gain worth a change, in currency per customer."""
        return self.min_gain_share * abs(float(study.exposure.outcome.mean()))


@dataclass(frozen=True)
class Point:
    """One point of a curve: net gain per customer, with its simultaneous band."""

    scale: float
    net: float
    low: float
    high: float

    def as_dict(self) -> dict[str, object]:
        """Return the point as JSON-able values."""
        return {
            "scale": rounded(self.scale, 6),
            "net": rounded(self.net),
            "low": rounded(self.low),
            "high": rounded(self.high),
        }


@dataclass(frozen=True)
class Target:
    """Where a behaviour's target might go.

    Attributes
    ----------
    behaviour : str
        Its name.
    current : float
        Its mean, or median for durations, over treated contacts.
    supported : tuple of float
        The range in which agents of one pool already are, in the behaviour's unit.
    best, best_low, best_high : float
        The supported value with the highest net gain, and its interval.
    gain_per_customer : float
        Net gain at ``suggested`` where a move is recommended, else at ``best``.
    suggested : float or None
        The value whose lower bound is highest, where a move is recommended.
    recommend : str
        ``raise``, ``lower``, ``keep`` (nothing in reach gains materially) or
        ``cannot tell``.
    curve : tuple of Point
        Net gain along the supported scales; 1 is today, for durations; for shares the
        scale is the new mean over today's.
    net_of_cost : bool
        Whether agents' time was priced.
    coefficients : tuple of float
        Per unit of each term's customer sum.
    covariance : tuple of tuple of float
        Of the coefficients.
    h0 : float
        The reference of logarithms; 1 for shares.
    contacts_per_customer : float
        Treated contacts per customer.
    cost_per_minute : float or None
        Of an agent.
    terms : tuple of tuple of float
        What each point of the curve adds to each term's mean customer sum: net gain is
        ``terms @ coefficients`` less cost.
    """

    behaviour: str
    current: float
    supported: tuple[float, float]
    best: float
    best_low: float
    best_high: float
    gain_per_customer: float
    suggested: float | None
    recommend: Recommendation
    curve: tuple[Point, ...]
    net_of_cost: bool
    coefficients: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    h0: float
    contacts_per_customer: float
    cost_per_minute: float | None
    terms: tuple[tuple[float, ...], ...] = field(default=())

    def as_dict(self) -> dict[str, object]:
        """Return the target as JSON-able values."""
        return {
            "behaviour": self.behaviour,
            "current": rounded(self.current),
            "supported": [rounded(value) for value in self.supported],
            "best": rounded(self.best),
            "best_low": rounded(self.best_low),
            "best_high": rounded(self.best_high),
            "gain_per_customer": rounded(self.gain_per_customer),
            "suggested": rounded(self.suggested),
            "recommend": self.recommend,
            "curve": [point.as_dict() for point in self.curve],
            "net_of_cost": self.net_of_cost,
            "coefficients": [rounded(value) for value in self.coefficients],
            "covariance": [[rounded(value) for value in row] for row in self.covariance],
            "h0": rounded(self.h0),
            "contacts_per_customer": rounded(self.contacts_per_customer),
            "cost_per_minute": rounded(self.cost_per_minute),
            "terms": [[rounded(value) for value in row] for row in self.terms],
        }


@dataclass(frozen=True)
class Curve:
    """A policy along P points: what it adds to terms and to cost.

    Attributes
    ----------
    scales : float64 array, shape (P,)
        1 is today.
    terms : float64 array, shape (P, m)
        Added to each term's mean customer sum.
    cost : float64 array, shape (P,)
        Added cost per customer.
    """

    scales: Floats
    terms: Floats
    cost: Floats


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
    return float(min(low, 1.0)), float(max(high, 1.0))


def scale_curve(
    exposure: Exposure, one: Basis, scales: Floats, cost_per_minute: float | None
) -> Curve:
    """Return what scaling a behaviour adds, point by point.

    Durations are scaled contact by contact; shares are moved by the same amount on every
    treated contact, to ``scale`` times today's mean.
    """
    raw = exposure.behaviours[one.behaviour.name][one.present]
    n = exposure.customers
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


def recommend(band: Band, scales: Floats, least_gain: float) -> tuple[Recommendation, int | None]:
    """Say which way to move, and to which point: the one whose lower bound is highest."""
    at = recommend_at(band, least_gain)
    if at is not None and scales[at] != 1:
        return ("raise" if scales[at] > 1 else "lower"), at
    if band.high.max() <= least_gain:
        return "keep", None
    return "cannot tell", None


def target_of(
    study: Study,
    fit: Instrumented,
    behaviour: str,
    cost_per_minute: float | None,
    options: TargetOptions,
    *,
    together: int = 1,
) -> Target:
    """Return the target of one behaviour, set together with others, from level 2."""
    one = study.basis(behaviour)
    columns = study.columns(behaviour)
    low, high = supported_scales(study, one)
    if one.behaviour.unit.startswith("share"):
        mean = float(study.exposure.behaviours[behaviour][one.present].mean())
        low, high = max(low, 0.0), min(high, 1 / max(mean, 1e-9))
    scales = np.unique(np.append(np.linspace(low, high, STEPS), 1.0))
    curve = scale_curve(study.exposure, one, scales, cost_per_minute)
    coefficients = fit.coefficients[columns]
    covariance = fit.covariance[columns, columns]
    band = sup_t_band(
        curve,
        coefficients,
        covariance,
        options,
        degrees=max(study.degrees, 1),
        together=together,
    )
    word, at = recommend(band, scales, options.least_gain(study))
    raw = study.exposure.behaviours[behaviour][one.present]
    current = float(np.median(raw) if one.behaviour.transform == "log" else raw.mean())
    best = int(np.argmax(band.net))
    tail = (1 - options.level) / 2
    best_low, best_high = np.quantile(band.best_draws, [tail, 1 - tail])
    return Target(
        behaviour=behaviour,
        current=current,
        supported=(low * current, high * current),
        best=float(scales[best]) * current,
        best_low=float(best_low) * current,
        best_high=float(best_high) * current,
        gain_per_customer=float(band.net[best if at is None else at]),
        suggested=None if at is None else float(scales[at]) * current,
        recommend=word,
        curve=tuple(
            Point(*map(float, row))
            for row in zip(scales, band.net, band.low, band.high, strict=True)
        ),
        net_of_cost=one.behaviour.is_money
        or (cost_per_minute is not None and one.behaviour.transform == "log"),
        coefficients=tuple(map(float, coefficients)),
        covariance=tuple(tuple(map(float, row)) for row in covariance),
        h0=one.reference,
        contacts_per_customer=float(one.present.sum() / study.exposure.customers),
        cost_per_minute=cost_per_minute,
        terms=tuple(tuple(map(float, row)) for row in curve.terms),
    )


def why_not(effects: Effects, behaviour: str, cost_per_minute: float | None) -> str | None:
    """Say why a behaviour has no target; None where it may have one."""
    effect = next((e for e in effects.effects if e.behaviour == behaviour), None)
    if effect is None:
        return f"{behaviour} is not in the data"
    level = effect.level("quasi-experimental")
    if level is None or level.estimate is None or effects.second is None:
        refused = None if level is None else level.refused
        return "no quasi-experimental effect" if refused is None else refused.why
    if behaviour == HANDLE.name and cost_per_minute is None:
        return (
            "no agent cost was given: set agents.cost_per_hour, or "
            "terms.agent_cost_per_hour in the settings"
        )
    return None


def build_targets(
    effects: Effects, cost_per_minute: float | None, options: TargetOptions | None = None
) -> tuple[tuple[Target, ...], tuple[Mapping[str, str], ...]]:
    """Return targets where level 2 is claimed and cost is known, and what is unavailable.

    Returns
    -------
    tuple
        Targets of handle time, empathy and goodwill, and ``{"what", "why"}`` of those left out.
    """
    options = options or TargetOptions()
    asked = {effect.behaviour for effect in effects.effects}
    names = (HANDLE.name, EMPATHY.name, *({GOODWILL.name} & asked))
    reasons = {name: why_not(effects, name, cost_per_minute) for name in names}
    lacking = {name: why for name, why in reasons.items() if why is not None}
    missing = tuple({"what": f"target of {name}", "why": why} for name, why in lacking.items())
    claimed = [name for name in names if name not in lacking]
    if not claimed:
        return (), missing
    assert effects.study is not None
    assert effects.second is not None
    study, fit, number = effects.study, effects.second, len(claimed)
    found = tuple(
        target_of(study, fit, name, cost_per_minute, options, together=number) for name in claimed
    )
    return found, missing
