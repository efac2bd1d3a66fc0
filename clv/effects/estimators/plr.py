"""Level 1: a cross-fitted partially linear model on what was known before the contact.

Robinson (1988); Chernozhukov et al. (2018). Behaviours and controls are summed over a
customer's contacts, so that rows are customers and clusters are rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from clv.effects.design.exposure import Floats


@dataclass(frozen=True)
class Adjusted:
    """Coefficients of k treatment terms, with their covariance, shape (k,) and (k, k)."""

    coefficients: Floats
    covariance: Floats


def partialled_out(treatment: Floats, outcome: Floats) -> Adjusted:
    """Regress residual outcomes on residual treatments, robust to unequal spread.

    Parameters
    ----------
    treatment : array, shape (n, k)
        Treatment sums less their out-of-fold prediction.
    outcome : array, shape (n,)
        Outcome less its out-of-fold prediction.
    """
    rows, terms = treatment.shape
    bread = np.linalg.pinv(treatment.T @ treatment)
    coefficients = bread @ (treatment.T @ outcome)
    scores = treatment * (outcome - treatment @ coefficients)[:, None]
    scale = rows / max(rows - terms, 1)
    return Adjusted(coefficients, scale * bread @ (scores.T @ scores) @ bread)
