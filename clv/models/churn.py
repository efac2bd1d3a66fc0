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

from clv.models.boosting import Booster, Encoding, Growth, grow

if TYPE_CHECKING:
    import pandas as pd

EDGE = 1e-3
MIN_CALIBRATION = 100
PRIOR_GROUPS = 2.0


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
        """Fit to out-of-fold log-odds; too few or one class leave them as they are.

        Every group (cutoff) has an intercept of its own, so that the slopes say how
        customers differ and not how busy a season was. What carries over to the next
        cutoff is their mean, shrunk while there are few.
        """
        if label.size < MIN_CALIBRATION or np.ptp(label) == 0.0:
            return cls()
        names, place = np.unique(group, return_inverse=True)
        inputs = np.column_stack([score, log_odds(p_none)])
        calibrated = np.append(np.zeros(names.size), [1.0, 0.0])

        def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
            z = theta[place] + inputs @ theta[names.size :]
            # a weak pull towards "calibrated as it is"
            away = (theta - calibrated) / label.size
            value = (np.logaddexp(0.0, z) - label * z).mean()
            wrong = (expit(z) - label) / label.size
            slope = np.append(np.bincount(place, wrong, names.size), inputs.T @ wrong)
            return float(value + away @ (theta - calibrated) / 2), slope + away

        found = minimize(loss, calibrated, jac=True, method="L-BFGS-B").x
        learned = np.array([found[:-2].mean(), *found[-2:]])
        kept = names.size / (names.size + PRIOR_GROUPS)
        intercept, slope, own = kept * learned + (1 - kept) * np.array([0.0, 1.0, 0.0])
        return cls(float(intercept), float(slope), float(own))

    def apply(self, score: np.ndarray, p_none: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities."""
        z = self.intercept + self.slope * score + self.own * log_odds(p_none)
        return np.asarray(expit(z))
