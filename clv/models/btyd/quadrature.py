"""Nodes and weights of the integrals that purchase models need.

The textbook's hypergeometric functions overflow or cancel for many purchases and long
horizons. They are means of functions that are bounded and positive, over the dropout
probability or over time; here these means are taken as they stand.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh_tridiagonal


def unit_nodes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights on (0, 1) (Gauss-Legendre)."""
    node, weight = np.polynomial.legendre.leggauss(count)
    return (node + 1) / 2, weight / 2


def beta_nodes(a: float, b: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and probabilities of a Beta(a, b) (Golub & Welsch 1969).

    Examples
    --------
    >>> p, mass = beta_nodes(2.0, 3.0, 8)
    >>> round(float(mass @ p), 12), round(float(mass @ p**2), 12)
    (0.4, 0.2)
    """
    n = np.arange(1, count, dtype=float)
    total = a + b - 2
    middle = np.empty(count)
    middle[0] = (a - b) / (a + b)
    middle[1:] = (a - b) * total / ((2 * n + total) * (2 * n + total + 2))
    square = np.empty(count - 1)
    square[0] = 4 * a * b / ((a + b) ** 2 * (a + b + 1))
    k = n[1:]
    square[1:] = (
        4 * k * (k + b - 1) * (k + a - 1) * (k + total)
        / ((2 * k + total) ** 2 * ((2 * k + total) ** 2 - 1))
    )  # fmt: skip
    values, vectors = eigh_tridiagonal(middle, np.sqrt(square))
    return np.clip((1 + values) / 2, 1e-300, 1.0), vectors[0] ** 2
