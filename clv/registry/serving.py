"""What a registered model answers where MLflow serves it: some features, JSON without nan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from clv.models.lifetime_value import LifetimeModel


def served(model: LifetimeModel, rows: pd.DataFrame) -> pd.DataFrame:
    """Score what a server was sent: what may be unknown may be left out.

    Unknown numbers are None and not nan, for which JSON has no word.

    Parameters
    ----------
    model : LifetimeValue
    rows : DataFrame
        ``customer_id``, ``as_of``, the purchase history, and whichever features are known.
    """
    scores = model.predict(completed(model, rows))
    unknown = [str(name) for name in scores if scores[name].isna().any()]
    return scores.assign(
        **{name: scores[name].astype(object).where(scores[name].notna(), None) for name in unknown}
    )


def completed(model: LifetimeModel, rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with every feature of the model; what was left out is unknown."""
    info = model.info
    absent = {
        name: pd.Series(None if name in info.categories else np.nan, rows.index, dtype=kind)
        for name in info.features
        if name not in rows
        for kind in (object if name in info.categories else np.float64,)
    }
    return pd.concat([rows, pd.DataFrame(absent, index=rows.index)], axis=1)
