"""The arithmetic of reading an experiment: differences of means, adjusted and robust."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.int64]
    Predictor = Callable[[Floats, Floats, Codes], Floats]


@dataclass(frozen=True)
class Difference:
    """A difference in means with its error, and the degrees of freedom of its t."""

    estimate: float
    standard_error: float
    degrees: float

    def interval(self, level: float) -> tuple[float, float]:
        """Return the interval at a level."""
        half = float(stats.t.ppf(0.5 + level / 2, self.degrees)) * self.standard_error
        return self.estimate - half, self.estimate + half

    @property
    def p_value(self) -> float:
        """Two-sided, against no difference."""
        if self.standard_error <= 0:
            return 1.0
        return float(2 * stats.t.sf(abs(self.estimate) / self.standard_error, self.degrees))


def sample_ratio_p(counts: Floats, shares: Floats) -> float:
    """Return the chi² p-value that arms are as large as planned.

    Examples
    --------
    >>> sample_ratio_p(np.array([5000.0, 5000.0]), np.array([0.5, 0.5]))
    1.0
    >>> sample_ratio_p(np.array([5000.0, 5400.0]), np.array([0.5, 0.5])) < 0.001
    True
    """
    expected = counts.sum() * shares / shares.sum()
    return float(stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), len(counts) - 1))


def robust(
    design: Floats, outcome: Floats, cluster: Codes | None = None
) -> tuple[Floats, Floats, float]:
    """Return coefficients, their robust covariance and degrees of freedom.

    HC2 over rows (Neyman's variance in a simple difference), or CR1 over clusters.
    """
    bread = np.linalg.pinv(design.T @ design)
    coefficients = bread @ (design.T @ outcome)
    error = outcome - design @ coefficients
    rows, columns = design.shape
    if cluster is None:
        leverage = np.einsum("ij,jk,ik->i", design, bread, design)
        scores = design * (error / np.sqrt(np.maximum(1 - leverage, 1e-9)))[:, None]
        return coefficients, bread @ (scores.T @ scores) @ bread, float(rows - columns)
    _, codes = np.unique(cluster, return_inverse=True)
    groups = int(codes.max()) + 1
    weighted = design * error[:, None]
    sums = np.stack([np.bincount(codes, weights=column, minlength=groups) for column in weighted.T])
    scale = groups / (groups - 1) * (rows - 1) / (rows - columns)
    return coefficients, scale * bread @ (sums @ sums.T) @ bread, float(groups - 2)


def difference(
    outcome: Floats,
    treated: Floats,
    covariates: Floats | None = None,
    cluster: Codes | None = None,
) -> Difference:
    """Compare two arms, with covariates known before assignment (CUPED; Deng et al. 2013).

    Covariates enter centred and interacted with the arm (Lin 2013): never less precise than
    the plain difference.

    Parameters
    ----------
    outcome, treated : arrays, shape (n,)
        ``treated`` is 1 or 0.
    covariates : array, shape (n, q), optional
    cluster : array of int, shape (n,), optional
        What was randomised, where it was not the row.
    """
    columns = [np.ones_like(outcome), treated]
    if covariates is not None:
        centred = covariates - covariates.mean(axis=0)
        columns += [*centred.T, *(centred * treated[:, None]).T]
    coefficients, covariance, degrees = robust(np.column_stack(columns), outcome, cluster)
    return Difference(float(coefficients[1]), float(np.sqrt(covariance[1, 1])), max(degrees, 1.0))


def cross_fitted(
    features: Floats, outcome: Floats, predictor: Predictor, folds: int, seed: int
) -> Floats:
    """Return out-of-fold predictions of the outcome, the covariate of MLRATE (Guo et al. 2021).

    Arms take no part in the prediction, so that it stays a pre-assignment covariate.
    """
    order = np.random.default_rng(seed).permutation(len(outcome))
    return predictor(features, outcome[:, None], (order % folds).astype(np.int64))[:, 0]


def influence(outcome: Floats, treated: Floats, covariate: Floats | None = None) -> Floats:
    """Return one value per customer whose mean is the difference of the arms."""
    rest = outcome
    if covariate is not None:
        centred = covariate - covariate.mean()
        slope = (centred @ outcome) / max(centred @ centred, 1e-300)
        rest = outcome - slope * centred
    share = treated.mean()
    ones, zeros = rest[treated == 1].mean(), rest[treated == 0].mean()
    return (
        treated / share * (rest - ones)
        - (1 - treated) / (1 - share) * (rest - zeros)
        + ones
        - zeros
    )


def always_valid_half_width(values: Floats, level: float, planned: int) -> float:
    """Return the half-width of an interval that holds at every look (sub-normal mixture).

    Asymptotic confidence sequence of Waudby-Smith et al. (2024, Annals of Statistics 52,
    eq. 2.6), tightest near the planned number of customers.
    """
    n, alpha = len(values), 1 - level
    tuning = (-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / planned
    grown = n * tuning + 1
    return float(
        values.std() * np.sqrt(2 * grown / (n**2 * tuning) * np.log(np.sqrt(grown) / alpha))
    )


def holm(p_values: Floats) -> Floats:
    """Return p-values adjusted for their number (Holm 1979).

    Examples
    --------
    >>> holm(np.array([0.01, 0.04])).tolist()
    [0.02, 0.04]
    """
    order = np.argsort(p_values)
    count = len(p_values)
    raised = np.maximum.accumulate(p_values[order] * (count - np.arange(count)))
    found = np.empty_like(p_values)
    found[order] = np.minimum(raised, 1.0)
    return found


def wald(
    outcome: Floats,
    moved: Floats,
    treated: Floats,
    covariates: Floats | None = None,
    cluster: Codes | None = None,
) -> Difference:
    """Return the outcome's change per unit of behaviour that the arm moved.

    Parameters
    ----------
    outcome, moved, treated : arrays, shape (n,)
        ``moved`` is the behaviour's sum over the customer's contacts.
    covariates : array, shape (n, p), optional
        Known before the arms, taken off out of fold.
    cluster : int array, shape (n,), optional
        What was randomised together.
    """
    first = difference(moved, treated, covariates, cluster)
    second = difference(outcome, treated, covariates, cluster)
    slope = second.estimate / first.estimate
    rest = difference(outcome - slope * moved, treated, covariates, cluster)
    return Difference(slope, rest.standard_error / abs(first.estimate), rest.degrees)
