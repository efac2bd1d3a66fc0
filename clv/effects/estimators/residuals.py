"""Residuals: what pre-contact controls and the stratum do not explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from clv.effects.design.exposure import Codes, Floats

    Learner = Callable[[Floats, Floats, Codes], Floats]
    """Features (N, p), targets (N, m) and fold codes (N,) to out-of-fold predictions (N, m)."""

PENALTY = 1.0
"""Ridge penalty on standardised features, in rows: it matters only where rows are few."""


def group_sums(values: Floats, codes: Codes, size: int) -> Floats:
    """Sum the rows of each group.

    Examples
    --------
    >>> group_sums(np.array([[1.0], [2.0], [4.0]]), np.array([0, 1, 0]), 2).ravel().tolist()
    [5.0, 2.0]
    """
    columns = [np.bincount(codes, weights=column, minlength=size) for column in values.T]
    return np.stack(columns, axis=1) if columns else np.zeros((size, 0))


def demeaned(values: Floats, codes: Codes) -> Floats:
    """Subtract each group's mean.

    Examples
    --------
    >>> demeaned(np.array([[1.0], [3.0], [4.0]]), np.array([0, 0, 1])).ravel().tolist()
    [-1.0, 1.0, 0.0]
    """
    size = int(codes.max(initial=-1)) + 1
    counts = np.maximum(np.bincount(codes, minlength=size), 1)
    return values - (group_sums(values, codes, size) / counts[:, None])[codes]


def scaling(values: Floats) -> tuple[Floats, Floats]:
    """Return columns' means, and what to multiply them with for unit spread; 0 where constant."""
    scale = np.array([column.std() for column in values.T])
    inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 1e-12)
    return values.mean(axis=0), inverse


def standardised(values: Floats) -> Floats:
    """Centre and scale columns; a constant column becomes 0."""
    centre, inverse = scaling(values)
    return (values - centre) * inverse


def clustered(scores: Floats, *clusters: Codes) -> Floats:
    """Return the covariance of a sum of scores that may depend within clusters, shape (k, k).

    Without clusters scores are independent. Of two, what both share is counted once:
    ``V_one + V_other − V_row`` (Cameron, Gelbach & Miller 2011, section 2.1).

    Parameters
    ----------
    scores : array, shape (N, k)
    *clusters : int arrays, shape (N,)
        A row with a negative code is a cluster of its own.

    Examples
    --------
    >>> scores = np.array([[1.0], [1.0], [-1.0]])
    >>> clustered(scores).item(), clustered(scores, np.array([0, 0, 1])).item()
    (3.0, 5.0)
    """
    alone = scores.T @ scores
    if not clusters:
        return alone
    total = (1 - len(clusters)) * alone
    for codes in clusters:
        known = codes >= 0
        sums = group_sums(scores[known], codes[known], int(codes.max(initial=-1)) + 1)
        total = total + sums.T @ sums + scores[~known].T @ scores[~known]
    return positive(total)


def positive(matrix: Floats) -> Floats:
    """Return the nearest matrix without negative variances.

    A difference of covariances can have some in small samples (Cameron, Gelbach & Miller 2011,
    section 2.3).

    Examples
    --------
    >>> positive(np.diag([2.0, -1.0])).tolist()
    [[2.0, 0.0], [0.0, 0.0]]
    """
    values, axes = np.linalg.eigh((matrix + matrix.T) / 2)
    if values.min(initial=0.0) >= 0:
        return matrix
    held: Floats = (axes * np.maximum(values, 0.0)) @ axes.T
    return held


def customer_folds(customers: int, folds: int, seed: int) -> Codes:
    """Deal customers into folds of equal size."""
    order = np.random.default_rng(seed).permutation(customers)
    return (order % folds).astype(np.int64)


def ridge(features: Floats, targets: Floats, folds: Codes) -> Floats:
    """Predict targets out of fold by ridge regression with an intercept.

    Gram matrices add over rows, so every fold's fit is the total less that fold.

    Parameters
    ----------
    features : array, shape (N, p)
    targets : array, shape (N, m)
    folds : array of int, shape (N,)

    Returns
    -------
    array, shape (N, m)
    """
    centre, inverse = scaling(features)

    def design(rows: Codes) -> Floats:
        return np.column_stack([np.ones(len(rows)), (features[rows] - centre) * inverse])

    penalty = PENALTY * np.eye(features.shape[1] + 1)
    penalty[0, 0] = 1e-9
    members = [np.flatnonzero(folds == fold) for fold in range(int(folds.max(initial=0)) + 1)]
    grams, crosses = [], []
    for rows in members:  # one fold is standardised at a time: all of them would be copies
        block = design(rows)
        grams.append(block.T @ block)
        crosses.append(block.T @ targets[rows])
    gram, cross = sum(grams), sum(crosses)
    predicted = np.empty_like(targets)
    for rows, own_gram, own_cross in zip(members, grams, crosses, strict=True):
        coefficients = np.linalg.solve(gram - own_gram + penalty, cross - own_cross)
        predicted[rows] = design(rows) @ coefficients
    return predicted


def within_residuals(
    values: Floats, controls: Floats, stratum: Codes, folds: Codes, learner: Learner = ridge
) -> Floats:
    """Return what stratum and controls leave of contact-level values.

    Both sides are compared within the stratum, predictions are out of fold, and the rest is
    centred in the stratum once more.
    """
    inside = demeaned(values, stratum)
    rest = inside - learner(demeaned(controls, stratum), inside, folds)
    return demeaned(rest, stratum)
