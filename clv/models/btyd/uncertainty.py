"""How well the data hold the parameters: standard errors from the curvature of the likelihood."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clv.models.btyd.base import Likelihood

STEP = 1e-4
FLAT = 1e-8
"""Curvature, as a share of the largest, below which a direction is not identified."""


def standard_errors(
    likelihood: Callable[[np.ndarray], Likelihood], parameters: Mapping[str, float]
) -> dict[str, float]:
    """Return standard errors at a maximum, from the observed information.

    The analytic gradient is differenced in the logarithms of the parameters, which are all
    positive and of any size; the error of θ is θ times that of ln θ.

    Parameters
    ----------
    likelihood : callable
        Log-likelihood of all customers, in the order of ``parameters``.
    parameters : mapping of str to float
        Where it is largest.

    Returns
    -------
    dict of str to float
        nan where the likelihood is flat or is no maximum there.

    Notes
    -----
    Efron & Hinkley (1978), Biometrika 65.

    Examples
    --------
    >>> from clv.models.btyd.base import Likelihood
    >>> def poisson(theta):  # 100 customers, 4 purchases each
    ...     return Likelihood(400 * np.log(theta[0]) - 100 * theta[0], 400 / theta - 100)
    >>> round(standard_errors(poisson, {"rate": 4.0})["rate"], 6)  # √(4 ÷ 100)
    0.2
    """
    theta = np.array(list(parameters.values()))
    z = np.log(theta)
    rows = []
    for step in np.eye(z.size) * STEP:
        above, below = np.exp(z + step), np.exp(z - step)
        rows.append(likelihood(above).gradient * above - likelihood(below).gradient * below)
    curvature = np.array(rows) / (2 * STEP)
    information = -(curvature + curvature.T) / 2
    if not np.isfinite(information).all():
        return dict.fromkeys(parameters, float("nan"))
    values, vectors = np.linalg.eigh(information)
    if values[0] <= FLAT * values[-1]:
        return dict.fromkeys(parameters, float("nan"))
    variance = ((vectors**2) / values).sum(axis=1)
    errors = theta * np.sqrt(variance)
    return {name: float(error) for name, error in zip(parameters, errors, strict=True)}
