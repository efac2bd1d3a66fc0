"""Money later is worth less: (1 + r)^(−days / 365), in labels and predictions alike."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from clv.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

DAYS_PER_YEAR = 365


def log_discount_per_day(discount_rate_annual: float) -> float:
    """Return δ = ln(1 + r) / 365, so that e^(−δ·days) is the present value of 1.

    Raises
    ------
    UsageError
        For a rate below 0.

    Examples
    --------
    >>> round(math.exp(-365 * log_discount_per_day(0.10)), 6)
    0.909091
    """
    if not discount_rate_annual >= 0:
        raise UsageError(f"discount_rate_annual is {discount_rate_annual}; expected 0 or more.")
    return math.log1p(discount_rate_annual) / DAYS_PER_YEAR


def present_value(days_ahead: np.ndarray, discount_rate_annual: float) -> np.ndarray:
    """Return today's value of 1, paid after that many days.

    Examples
    --------
    >>> import numpy as np
    >>> present_value(np.array([0.0, 730.0]), 0.25).tolist()
    [1.0, 0.64]
    """
    factor: np.ndarray = (1.0 + discount_rate_annual) ** (-days_ahead / DAYS_PER_YEAR)
    return factor
