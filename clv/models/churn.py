"""The chance that a customer buys nothing in the horizon: BTYD, corrected and calibrated.

Trees start from the log-odds of BTYD's P(no purchase in the horizon), so that they learn
only what purchases alone do not say. Their log-odds are then calibrated by a line fitted to
predictions of customers or times that the trees had not seen (Platt 1999).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from clv.models.trees.boosting import Booster, Encoding, Growth, grow

if TYPE_CHECKING:
    import pandas as pd

EDGE = 1e-3
MIN_CALIBRATION = 100
PRIOR_GROUPS = 2.0
NEWTON_STEPS = 25


def log_odds(probability: np.ndarray) -> np.ndarray:
    """Return log(p / (1 − p)), with p held within (0.001, 0.999)."""
    return np.asarray(logit(np.clip(probability, EDGE, 1 - EDGE)))


@dataclass(frozen=True)
class ChurnModel:
    """Trees over BTYD's log-odds; without trees (one class only) it is BTYD's.

    Attributes
    ----------
    trees : Booster or None
    encoding : Encoding
    """

    trees: Booster | None
    encoding: Encoding

    @classmethod
    def fit(
        cls, rows: pd.DataFrame, p_none: np.ndarray, encoding: Encoding, growth: Growth
    ) -> ChurnModel:
        """Learn from ``rows["churned"]``, 1 where nothing was bought in the horizon."""
        label = rows["churned"].to_numpy(float)
        if np.ptp(label) == 0.0:
            return cls(None, encoding)
        matrix = encoding.matrix(rows)
        trees = grow(matrix, label, encoding, growth, objective="binary", offset=log_odds(p_none))
        return cls(trees, encoding)

    def score(self, matrix: np.ndarray, p_none: np.ndarray) -> np.ndarray:
        """Return uncalibrated log-odds of shape (rows,)."""
        offset = log_odds(p_none)
        return offset if self.trees is None else offset + self.trees.raw(matrix)


@dataclass(frozen=True)
class Platt:
    """Calibrated probability = expit(intercept + slope · log-odds + own · BTYD's log-odds).

    Two slopes, since the trees may be worth less on new customers than they believed.
    """

    intercept: float = 0.0
    slope: float = 1.0
    own: float = 0.0

    @classmethod
    def learn(
        cls, score: np.ndarray, p_none: np.ndarray, label: np.ndarray, group: np.ndarray
    ) -> Platt:
        """Fit both slopes to out-of-fold log-odds; too few or one class leave BTYD's as they are.

        Every group (cutoff) has an intercept of its own, so that the slopes say how
        customers differ and not how busy a season was; they are drawn to BTYD alone while
        there are few groups. The line itself has none: what past cutoffs say of the next
        one's level is another question (``carried_level``).
        """
        if label.size < MIN_CALIBRATION or np.ptp(label) == 0.0:
            return PURCHASES_ALONE
        names, place = np.unique(group, return_inverse=True)
        inputs = np.column_stack([score, log_odds(p_none)])
        alone = np.append(np.zeros(names.size), [PURCHASES_ALONE.slope, PURCHASES_ALONE.own])

        def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
            z = theta[place] + inputs @ theta[names.size :]
            # a weak pull towards BTYD alone
            away = (theta - alone) / label.size
            wrong = (expit(z) - label) / label.size
            slope = np.append(np.bincount(place, wrong, names.size), inputs.T @ wrong)
            return float(log_loss(z, label).mean() + away @ (theta - alone) / 2), slope + away

        found = minimize(loss, alone, jac=True, method="L-BFGS-B").x
        kept = names.size / (names.size + PRIOR_GROUPS)
        slope, own = kept * found[-2:] + (1 - kept) * alone[-2:]
        return cls(0.0, float(slope), float(own))

    def log_odds(self, score: np.ndarray, p_none: np.ndarray) -> np.ndarray:
        """Return calibrated log-odds."""
        return self.intercept + self.slope * score + self.own * log_odds(p_none)

    def apply(self, score: np.ndarray, p_none: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities."""
        return np.asarray(expit(self.log_odds(score, p_none)))


PURCHASES_ALONE = Platt(slope=0.0, own=1.0)


def log_loss(z: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return each row's log loss at log-odds ``z``."""
    return np.asarray(np.logaddexp(0.0, z) - label * z)


def realised_shifts(z: np.ndarray, label: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return by group what log-odds must be shifted by until as many churn as did.

    Parameters
    ----------
    z, label : ndarray of shape (rows,)
    place : ndarray of int of shape (rows,)
        The group of each row, from 0.

    Returns
    -------
    ndarray of shape (groups,)
        Pulled to 0 as if by one customer, so that a group in which nobody churns has one.
    """
    groups = int(place.max()) + 1 if place.size else 0
    shift = np.zeros(groups)
    for _ in range(NEWTON_STEPS):
        p = expit(z + shift[place])
        off = np.bincount(place, label - p, groups) - shift
        shift = shift + np.clip(off / (np.bincount(place, p * (1 - p), groups) + 1), -1, 1)
    return shift


def carried_level(z: np.ndarray, label: np.ndarray, group: np.ndarray) -> float:
    """Return the shift of log-odds that past groups give the next: their mean, shrunk."""
    if label.size < MIN_CALIBRATION or np.ptp(label) == 0.0:
        return 0.0
    names, place = np.unique(group, return_inverse=True)
    shifts = realised_shifts(z, label, place)
    return float(shifts.mean()) * names.size / (names.size + PRIOR_GROUPS)
