"""Stop a training whose features know the answer.

Two signs of a leak: a feature that separates the outcome almost by itself, and a jump when it
enters: alone it beats all unsuspected features together, and with it most of their error is
gone. The second catches scores that some other model wrote from the outcome, long before
they are perfect, and two of them that would hide each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from clv.errors import DataError, ModelError, listing
from clv.models.trees.boosting import Encoding, Growth, Input, grow, vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

SINGLE_LIMIT = 0.99
SUSPECT = 0.85
JUMP = 0.25
GUARD_ROWS = 8_000
PARTS = 3
_GROWTH = Growth(trees=60, learning_rate=0.1, feature_fraction=0.7)


@dataclass(frozen=True)
class Leak:
    """A feature that knows too much.

    Attributes
    ----------
    feature : str
    alone : float
        AUC of the feature by itself (of value: of being above the median).
    others : float or None
        AUC of all unsuspected features together, out of fold; None where ``alone`` settles it.
    """

    feature: str
    alone: float
    others: float | None


def find_leaks(
    frame: pd.DataFrame, label: np.ndarray, *, allow: Sequence[str] = (), seed: int = 0
) -> tuple[Leak, ...]:
    """Return the features that predict the label too well, worst first.

    Parameters
    ----------
    frame : DataFrame of shape (rows, features)
        Numbers, or categories as strings.
    label : ndarray of shape (rows,)
        0 and 1; any other numbers are split at their median.
    allow : sequence of str
        Features that were looked at and found innocent.
    seed : int
        Of the sample of at most 8,000 rows.
    """
    label = np.asarray(label, float)
    if len(np.unique(label)) > 2:
        label = (label > np.median(label)).astype(float)
    if len(label) > GUARD_ROWS:
        keep = np.random.default_rng(seed).permutation(len(label))[:GUARD_ROWS]
        frame, label = frame.iloc[keep], label[keep]
    if np.ptp(label) == 0.0:
        return ()
    part = np.arange(len(label)) % PARTS
    scores = {
        name: _single(frame[name], label, part) for name in frame.columns if name not in allow
    }
    suspects = sorted((n for n in scores if scores[n] >= SUSPECT), key=lambda n: (-scores[n], n))
    rest = [name for name in frame.columns if name not in suspects]
    leaks = [Leak(name, scores[name], None) for name in suspects if scores[name] > SINGLE_LIMIT]
    unclear = suspects[len(leaks) :]
    if not unclear:
        return tuple(leaks)
    others = _joint(frame[rest], label, part) if rest else 0.5
    for name in unclear:
        together = _joint(frame[[*rest, name]], label, part)
        if scores[name] > others and 1 - together < JUMP * (1 - others):
            leaks.append(Leak(name, scores[name], others))
    return tuple(leaks)


def guard_leaks(
    frame: pd.DataFrame, label: np.ndarray, *, allow: Sequence[str] = (), seed: int = 0
) -> None:
    """Raise when a feature predicts the label too well; see ``find_leaks``.

    Raises
    ------
    ModelError
        Naming the features, how well they do alone, and the option that lets them pass.
    """
    leaks = find_leaks(frame, label, allow=allow, seed=seed)
    if leaks:
        told = "; ".join(
            f"{leak.feature!r} alone has AUC {leak.alone:.3f}"
            + ("" if leak.others is None else f", all unsuspected ones together {leak.others:.3f}")
            for leak in leaks[:5]
        )
        raise ModelError(
            f"features: {listing([leak.feature for leak in leaks])} may know the outcome: {told}. "
            "Remove it, or name it under training.allow_leaks if it is known before the cutoff."
        )


def guard_value(value: np.ndarray) -> None:
    """Raise when what customers brought is a loss as a whole: there is no share of it to forecast.

    Parameters
    ----------
    value : array
        Of every customer and training cutoff, in currency.

    Raises
    ------
    DataError
        With the sum.
    """
    total = float(value.sum())
    if total < 0 or (total == 0 and bool((value != 0).any())):
        raise DataError(
            f"orders: what customers brought after the training cutoffs adds up to {total:,.2f}; "
            "expected more than 0. Check the sign of orders.margin and of refunds, or leave the "
            "margin out and set terms.margin_rate."
        )


def auc(score: np.ndarray, label: np.ndarray) -> float:
    """Return the chance that a positive scores above a negative; ties count half."""
    positive = label > 0
    n1, n0 = int(positive.sum()), int((~positive).sum())
    ranks = rankdata(score)
    return float((ranks[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def _single(column: pd.Series, label: np.ndarray, part: np.ndarray) -> float:
    if pd.api.types.is_numeric_dtype(column):
        values = column.to_numpy(float)
        unknown = np.isnan(values)
        present = auc(unknown.astype(float), label)
        # unknown values stand apart at either end, whichever separates better
        low = auc(np.where(unknown, -np.inf, values), label)
        high = auc(np.where(unknown, np.inf, values), label)
        return max(max(s, 1 - s) for s in (present, low, high))
    words = column.astype(object).where(column.notna(), "\0unknown").astype(str).to_numpy()
    score = np.empty(len(label))
    for held in range(PARTS):
        rows = pd.DataFrame({"word": words[part != held], "y": label[part != held]})
        mean = float(rows["y"].mean())
        rates = rows.groupby("word")["y"].agg(["sum", "count"])
        rate = (rates["sum"] + mean) / (rates["count"] + 1)
        found = pd.Series(words[part == held]).map(rate).fillna(mean)
        score[part == held] = found.to_numpy(float)
    return auc(score, label)


def _joint(frame: pd.DataFrame, label: np.ndarray, part: np.ndarray) -> float:
    # LightGBM refuses some characters in names; positions are safe
    inputs = [_input(f"f{k}", frame[name]) for k, name in enumerate(frame.columns)]
    encoding = Encoding(tuple(inputs))
    matrix = encoding.matrix(frame.set_axis(list(encoding.names), axis=1))
    score = np.zeros(len(label))
    for held in range(PARTS):
        here = part == held
        trees = grow(matrix[~here], label[~here], encoding, _GROWTH, objective="binary")
        score[here] = trees.raw(matrix[here])
    return auc(score, label)


def _input(name: str, column: pd.Series) -> Input:
    if pd.api.types.is_numeric_dtype(column):
        return Input(name, "customer", "number")
    return Input(name, "customer", "category", categories=vocabulary(column))
