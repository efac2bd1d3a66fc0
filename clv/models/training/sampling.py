"""Which customers are learned from: drawn by a hash of their id, whole, always the same ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from clv.models.options import ModelOptions

HELD_OUT_OF = 4
"""Parts that customers are divided into, one of which is held out."""


def customer_part(rows: pd.DataFrame, parts: int = HELD_OUT_OF) -> np.ndarray:
    """Return a part in 0 … parts − 1 per row, the same for every row of a customer."""
    ids = rows["customer_id"].astype(str).to_numpy(dtype=object)
    hashed: np.ndarray = pd.util.hash_array(ids) % np.uint64(parts)
    return hashed.astype(int)


def sampled(rows: pd.DataFrame, options: ModelOptions) -> pd.DataFrame:
    """Return at most about ``options.rows`` rows, of whole customers, always the same ones."""
    if len(rows) <= options.rows:
        return rows
    # another key than the panel's, or a sample of a sample would be all of it
    place = customer_place(rows["customer_id"], options.seed + 1)
    return rows[place < options.rows / len(rows)]


def customer_place(ids: pd.Series, seed: int) -> np.ndarray:
    """Return a number in [0, 1) per row, the same for every row of a customer."""
    words = ids.astype(str).to_numpy(dtype=object)
    hashed = pd.util.hash_array(words, hash_key=f"{seed % 10**16:016d}")
    return np.asarray(hashed.astype(float) / 2.0**64)
