"""The joint frontier of empathy and handle time: what both together would bring, net of minutes.

Warmer and slower often go together, so that the two targets are one question. Only the
region in which agents of one queue already are is shown, and the band is simultaneous over it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg, stats

from clv.effects.checks.support import agent_means
from clv.effects.decisions.curves import (
    Curve,
    recommend_at,
    scale_curve,
    sup_t_band,
    supported_scales,
)
from clv.effects.decisions.evidence import price_of
from clv.effects.decisions.posterior import Belief, prior_of, widened
from clv.effects.estimators.residuals import demeaned
from clv.effects.results import rounded

if TYPE_CHECKING:
    from clv.effects.decisions.options import TargetOptions
    from clv.effects.design.exposure import Floats
    from clv.effects.estimators.examiner import Instrumented
    from clv.effects.estimators.study import Study

STEPS = 13
REGION = 0.9
"""Share of agents inside the region that is shown."""


@dataclass(frozen=True)
class Cell:
    """One joint policy: handle times scaled, empathy moved, net gain with its band.

    ``expected`` and ``probability`` of a gain are what is believed with the prior.
    """

    scale: float
    empathy: float
    net: float
    low: float
    high: float
    expected: float
    probability: float

    def as_dict(self) -> dict[str, object]:
        """Return the cell as JSON-able values."""
        return {
            "scale": rounded(self.scale, 6),
            "empathy": rounded(self.empathy, 6),
            "net": rounded(self.net),
            "low": rounded(self.low),
            "high": rounded(self.high),
            "expected": rounded(self.expected),
            "probability": rounded(self.probability, 4),
        }


@dataclass(frozen=True)
class Frontier:
    """Net value over the supported region of empathy × handle time.

    Attributes
    ----------
    cells : tuple of Cell
        Supported policies; currency per customer and year, against today.
    best : Cell
        With the highest net gain.
    suggested : Cell or None
        With the highest lower bound, where that is a material gain.
    likely : Cell or None
        With the highest expected gain among those that are one step away and likely enough to
        pay; where none is suggested.
    today : tuple of float
        Scale 1 and today's mean empathy.
    handle_seconds : float
        Today's median, which scale 1 stands for.
    """

    cells: tuple[Cell, ...]
    best: Cell
    suggested: Cell | None
    likely: Cell | None
    today: tuple[float, float]
    handle_seconds: float

    def as_dict(self) -> dict[str, object]:
        """Return the frontier as JSON-able values."""
        return {
            "cells": [cell.as_dict() for cell in self.cells],
            "best": self.best.as_dict(),
            "suggested": None if self.suggested is None else self.suggested.as_dict(),
            "likely": None if self.likely is None else self.likely.as_dict(),
            "today": [rounded(value) for value in self.today],
            "handle_seconds": rounded(self.handle_seconds),
        }


def frontier_of(
    study: Study, fit: Instrumented, cost_per_minute: float, options: TargetOptions
) -> Frontier:
    """Return the joint frontier from the coefficients by agents as instruments."""
    slow, warm = study.basis("handle_seconds"), study.basis("empathy")
    raw = study.exposure.behaviours
    mean = float(raw["empathy"][warm.present].mean())
    scales = _grid(*supported_scales(study, slow))
    low, high = supported_scales(study, warm)
    warmths = _grid(max(low, 0.0), min(high, 1 / max(mean, 1e-9)))
    pairs = np.array([(k, m) for k in scales for m in warmths])
    pairs = pairs[_in_region(study, pairs, mean)]
    time = scale_curve(study.exposure, slow, pairs[:, 0], cost_per_minute)
    care = scale_curve(study.exposure, warm, pairs[:, 1], None)
    columns = np.r_[study.columns("handle_seconds"), study.columns("empathy")]
    places = np.arange(len(pairs), dtype=np.float64)
    joint = Curve(places, np.hstack([time.terms, care.terms]), time.cost)
    band = sup_t_band(
        joint,
        fit.coefficients[columns],
        fit.covariance[np.ix_(columns, columns)],
        options,
        degrees=max(study.degrees, 1),
    )
    seen = joint_belief(study, fit, cost_per_minute, options).outlook(joint)
    columns_of = (band.net, band.low, band.high, seen.gain, seen.probability)
    cells = tuple(
        Cell(float(k), float(m * mean), *map(float, row))
        for (k, m), *row in zip(pairs, *columns_of, strict=True)
    )
    least, rule = options.least_gain(study), options.decisions
    at = recommend_at(band, least)
    near = np.abs(pairs[:, 0] - 1) <= rule.max_step + 1e-9
    near &= np.abs(pairs[:, 1] - 1) * mean <= rule.max_step + 1e-9
    near &= (seen.probability >= rule.least_probability) & (seen.gain > least)
    likely = int(np.argmax(np.where(near, seen.gain, -np.inf))) if near.any() else None
    return Frontier(
        cells,
        cells[int(np.argmax(band.net))],
        None if at is None else cells[at],
        None if at is not None or likely is None else cells[likely],
        (1.0, mean),
        float(np.median(raw["handle_seconds"][slow.present])),
    )


def joint_belief(
    study: Study, fit: Instrumented, cost_per_minute: float, options: TargetOptions
) -> Belief:
    """Return what is believed of both behaviours' coefficients together, per contact."""
    names = ("handle_seconds", "empathy")
    priors = []
    for name in names:
        one = study.basis(name)
        price = price_of(one, cost_per_minute)
        priors.append(prior_of(study, one, supported_scales(study, one), price, options.decisions))
    columns = np.r_[study.columns(names[0]), study.columns(names[1])]
    prior = Belief(
        np.concatenate([one.mean for one in priors]),
        linalg.block_diag(*(one.covariance for one in priors)),
        priors[0].chance,
        np.concatenate([one.mean if one.flat is None else one.flat for one in priors]),
    )
    noise = widened(fit.covariance[np.ix_(columns, columns)], max(study.degrees, 1))
    return prior.learn(np.eye(len(columns)), fit.coefficients[columns], noise)


def _grid(low: float, high: float) -> Floats:
    """Return about even steps; the one nearest to today, which is 1, is moved there."""
    found: Floats = np.linspace(low, high, STEPS)
    found[np.argmin(np.abs(found - 1.0))] = 1.0
    return np.unique(found)


def _in_region(study: Study, pairs: Floats, mean: float) -> np.ndarray:
    """Say which policies lie where agents of one pool jointly are, as an ellipse."""
    exposure = study.exposure
    both = study.basis("empathy").present & (exposure.agent >= 0)
    both &= np.isfinite(exposure.behaviours["handle_seconds"])
    rows = np.flatnonzero(both)
    pool = np.unique(exposure.pool[rows], return_inverse=True)[1].astype(np.int64)
    pace = np.log(np.maximum(exposure.behaviours["handle_seconds"][rows], 1e-9))
    habits = demeaned(np.stack([pace, exposure.behaviours["empathy"][rows]], axis=1), pool)
    means = np.stack([agent_means(column, exposure.agent[rows]) for column in habits.T], axis=1)
    spread = np.linalg.pinv(np.cov(means.T))
    moved = np.stack([np.log(pairs[:, 0]), (pairs[:, 1] - 1) * mean], axis=1)
    distance = np.einsum("pi,ij,pj->p", moved, spread, moved)
    inside: np.ndarray = distance <= float(stats.chi2.ppf(REGION, 2))
    return inside
