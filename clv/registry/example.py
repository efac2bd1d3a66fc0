"""Made-up rows that a model can score: its input example, and the rows it is verified on.

No customer's row goes into the registry; these are drawn from a fixed seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GOLDEN_ROWS = 32
_UNKNOWN_SHARE = 0.2
HISTORY = ("frequency", "recency_days", "age_days", "monetary_value")


def golden_rows(
    names: Sequence[str],
    categories: Mapping[str, Sequence[str]],
    as_of: str,
    rows: int = GOLDEN_ROWS,
) -> pd.DataFrame:
    """Return rows of a feature table that describe nobody.

    Purchase histories are possible ones (repeat buyers, one-time buyers, and every fourth a
    prospect); other numbers are small, non-negative and sometimes unknown; every category
    also meets a word it was not trained on.

    Parameters
    ----------
    names : sequence of str
        Features of the model, in its order.
    categories : mapping of str to sequence of str
        The words of those that are categories.
    as_of : str
        ISO date of the column ``as_of``.
    rows : int
        How many.

    Returns
    -------
    DataFrame
        ``customer_id``, ``as_of``, then the features; shape (rows, 2 + features).

    Examples
    --------
    >>> golden_rows(["frequency"], {}, "2025-06-30", rows=4).frequency.isna().tolist()
    [False, False, False, True]
    """
    rng = np.random.default_rng(0)
    columns: dict[str, object] = {
        "customer_id": [f"example-{row:03d}" for row in range(rows)],
        "as_of": [as_of] * rows,
    }
    age_days = rng.integers(30, 900, rows).astype(float)
    frequency = np.where(np.arange(rows) % 4 == 1, 0.0, rng.integers(1, 12, rows))
    history = {
        "frequency": frequency,
        "recency_days": np.where(frequency > 0, np.floor(age_days * rng.random(rows)), 0.0),
        "age_days": age_days,
        "monetary_value": np.where(frequency > 0, np.round(rng.gamma(2.0, 25.0, rows), 2), 0.0),
    }
    prospect = np.arange(rows) % 4 == 3
    for name in names:
        if name in categories:
            words = [*categories[name], "a word not seen in training"]
            columns[name] = [words[index] for index in rng.integers(0, len(words), rows)]
        elif name in HISTORY:
            columns[name] = np.where(prospect, np.nan, history[name])
        else:
            values = np.round(rng.gamma(1.0, 3.0, rows), 3)
            columns[name] = np.where(rng.random(rows) < _UNKNOWN_SHARE, np.nan, values)
    return pd.DataFrame(columns)
