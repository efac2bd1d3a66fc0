"""Adjusted: a cross-fitted partially linear model on what was known before the contact.

Robinson (1988); Chernozhukov et al. (2018). Rows are contacts; windows after the contacts of one
customer overlap, and contacts of one agent share what the agent does, so that errors are
clustered by both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.effects.estimators.residuals import clustered

if TYPE_CHECKING:
    from clv.effects.design.exposure import Codes, Floats


@dataclass(frozen=True)
class Adjusted:
    """Coefficients of k treatment terms, with their covariance, shape (k,) and (k, k)."""

    coefficients: Floats
    covariance: Floats


def partialled_out(treatment: Floats, outcome: Floats, *clusters: Codes) -> Adjusted:
    """Regress residual outcomes on residual treatments, with clustered errors.

    Parameters
    ----------
    treatment : array, shape (N, k)
        Treatments less their out-of-fold prediction.
    outcome : array, shape (N,)
        Outcome less its out-of-fold prediction.
    *clusters : int arrays, shape (N,)
        None: errors are robust to unequal spread alone. One, or two: clustered by it, or by both
        (Cameron, Gelbach & Miller 2011).
    """
    rows, terms = treatment.shape
    bread = np.linalg.pinv(treatment.T @ treatment)
    coefficients = bread @ (treatment.T @ outcome)
    scores = treatment * (outcome - treatment @ coefficients)[:, None]
    scale = rows / max(rows - terms, 1)
    return Adjusted(coefficients, scale * bread @ clustered(scores, *clusters) @ bread)
