"""Who has bought how often, and of those who have not, what is known of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

REPEAT, FIRST_TIME, YET_TO_BUY = "repeat", "first-time", "yet to buy"
PEOPLE = (REPEAT, FIRST_TIME, YET_TO_BUY)

NEVER, RETURNED = "never bought", "returned everything"
KINDS = (NEVER, RETURNED)
"""Of people yet to buy."""


def people_of(frequency: np.ndarray) -> dict[str, np.ndarray]:
    """Return, by who has bought how often, which rows those are.

    Parameters
    ----------
    frequency : ndarray of shape (rows,)
        Purchase days after the first one; nan for who has not bought.

    Examples
    --------
    >>> {name: rows.tolist() for name, rows in people_of(np.array([0.0, np.nan])).items()}
    {'repeat': [False, False], 'first-time': [True, False], 'yet to buy': [False, True]}
    """
    return {REPEAT: frequency > 0, FIRST_TIME: frequency == 0, YET_TO_BUY: np.isnan(frequency)}


def known_days(features: pd.DataFrame) -> pd.Series:
    """Return the days since a person who has not bought was first seen, nan where undated.

    By sign-up, first contact, or the last refund, whichever came first.

    Examples
    --------
    >>> known_days(pd.DataFrame({"signed_up_days": [5.0, None], "contacts_ever": [1.0, 0.0],
    ...     "days_since_first_contact": [9.0, None]})).tolist()
    [9.0, nan]
    """
    seen = ("signed_up_days", "days_since_first_contact", "days_since_last_refund")
    return numbers_of(features, *seen).max(axis=1)


def kinds(features: pd.DataFrame) -> np.ndarray:
    """Return for each row ``NEVER`` or ``RETURNED``; a refund is of something bought."""
    returned = numbers_of(features, "refunds_ever")["refunds_ever"].to_numpy() > 0
    return np.where(returned, RETURNED, NEVER).astype(object)


def numbers_of(features: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Return number columns, nan where the company's tables do not give one."""
    given = {
        name: features[name].to_numpy(float)
        if name in features.columns
        else np.full(len(features), np.nan)
        for name in names
    }
    return pd.DataFrame(given, index=features.index)
