"""Money later is worth less: (1 + r)^(−days / 365), in labels and predictions alike."""

from __future__ import annotations

import math

from clv.errors import UsageError
from clv.windows import YEAR_DAYS


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
    return math.log1p(discount_rate_annual) / YEAR_DAYS
