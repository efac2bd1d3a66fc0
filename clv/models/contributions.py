"""What the value model used, in currency: additive, grouped, against a typical customer.

A contribution says what a prediction is associated with. It is not an effect: what
changing a behaviour would do is estimated elsewhere, from how contacts were assigned.

The value model is BTYD × exp(sum of leaves). TreeSHAP splits the exponent; the log-mean
split turns it into currency exactly: with base = BTYD·exp(E raw),
d_j = φ_j · L(value, base), L(a, b) = (a − b) / ln(a / b), which is the Aumann-Shapley value
along the path that is straight in logarithms. Centring on the training portfolio then makes
every group sum to zero there, so that a contribution compares with a typical customer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.errors import ModelError
from clv.features.base import GROUPS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

PATH_NODES = 8


def log_mean(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the logarithmic mean of positive numbers; between equals, their value.

    Examples
    --------
    >>> import numpy as np
    >>> log_mean(np.array([2.0, np.e]), np.array([2.0, 1.0])).round(6).tolist()
    [2.0, 1.718282]
    """
    gap = np.log(a) - np.log(b)
    near = np.abs(gap) < 1e-4
    series = np.sqrt(a) * np.sqrt(b) * (1 + gap**2 / 24)
    return np.where(near, series, (a - b) / np.where(near, 1.0, gap))


def split_log(shap: np.ndarray, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split offset·exp(Σφ) over columns, in currency.

    Parameters
    ----------
    shap : ndarray of shape (rows, columns + 1)
        TreeSHAP on the log scale; the last column is the base.
    offset : ndarray of shape (rows,)
        In currency, above 0.

    Returns
    -------
    base : ndarray of shape (rows,)
        offset·exp(base of shap).
    parts : ndarray of shape (rows, columns)
        base + Σ parts is the value.
    """
    base = offset * np.exp(shap[:, -1])
    value = base * np.exp(shap[:, :-1].sum(axis=1))
    return base, shap[:, :-1] * log_mean(value, base)[:, None]


def split_path(
    shaps: Sequence[np.ndarray],
    value: Callable[[Sequence[np.ndarray]], np.ndarray],
    slopes: Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]],
    nodes: int = PATH_NODES,
) -> tuple[np.ndarray, np.ndarray]:
    """Split any smooth function of several sub-models' scores (a hurdle, say) over columns.

    The Aumann-Shapley value along the straight path of the scores, by Gauss-Legendre.

    Parameters
    ----------
    shaps : sequence of ndarray of shape (rows, columns + 1)
        TreeSHAP of each sub-model over the same columns.
    value : callable
        The sub-models' scores to currency.
    slopes : callable
        The scores to the partial derivatives of ``value``, one per sub-model.
    nodes : int
        Of the quadrature along the path.
    """
    at, weight = np.polynomial.legendre.leggauss(nodes)
    at, weight = (at + 1) / 2, weight / 2
    start = [shap[:, -1] for shap in shaps]
    reach = [shap[:, :-1].sum(axis=1) for shap in shaps]
    mean = [np.zeros(len(first)) for first in start]
    for t, w in zip(at, weight, strict=True):
        points = [a + t * b for a, b in zip(start, reach, strict=True)]
        for k, slope in enumerate(slopes(points)):
            mean[k] = mean[k] + w * slope
    parts = sum(shap[:, :-1] * m[:, None] for shap, m in zip(shaps, mean, strict=True))
    return value(start), np.asarray(parts)


@dataclass(frozen=True)
class Centring:
    """The typical customer of the training portfolio.

    Attributes
    ----------
    ratios : tuple of float
        Σ contributions / Σ base of each group, in the order of ``GROUPS``.
    features : tuple of float
        The same of each feature, in the order of the model's; those of a group sum to the
        group's. Empty in models of the first versions, which were centred by group alone.
    """

    ratios: tuple[float, ...]
    features: tuple[float, ...] = ()

    @classmethod
    def learn(
        cls, base: np.ndarray, parts: np.ndarray, by_feature: np.ndarray | None = None
    ) -> Centring:
        """Fix the ratios on the training portfolio.

        Parameters
        ----------
        base : ndarray of shape (rows,)
            Before centring, in currency.
        parts : ndarray of shape (rows, groups)
            Contributions of groups before centring, in currency.
        by_feature : ndarray of shape (features,), optional
            Total contribution of each feature over the same rows.
        """
        whole = float(base.sum())
        features = () if by_feature is None else tuple(float(part) / whole for part in by_feature)
        return cls(tuple(float(total) / whole for total in parts.sum(axis=0)), features)

    def apply(self, base: np.ndarray, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return centred bases and contributions; their sum per row is unchanged."""
        ratios = np.array(self.ratios)
        return base * (1 + ratios.sum()), parts - base[:, None] * ratios

    def apply_features(self, base: np.ndarray, parts: np.ndarray) -> np.ndarray:
        """Return centred contributions of features; those of a group sum to the group's.

        Raises
        ------
        ModelError
            When the model was centred by group alone.
        """
        if len(self.features) != parts.shape[1]:
            raise ModelError(
                "model: it was trained before contributions were centred by feature, so that "
                "they would not sum to a customer's value. Train again with `clv train`; "
                "contributions() by group do sum."
            )
        return parts - base[:, None] * np.array(self.features)


def summarise(contributions: pd.DataFrame, predictions: pd.DataFrame) -> list[dict[str, object]]:
    """Return one row per group for the report: sizes, shares, and both ends of the portfolio.

    Parameters
    ----------
    contributions : DataFrame
        One column per group, in currency.
    predictions : DataFrame
        The same customers in the same order, with ``clv``.

    Returns
    -------
    list of dict
        ``mean_top`` and ``mean_bottom`` are the group's means over the tenth of customers
        it lifts, and lowers, most.
    """
    sizes = {group: float(contributions[group].abs().mean()) for group in GROUPS}
    whole = sum(sizes.values())
    rows: list[dict[str, object]] = []
    for group, label in GROUPS.items():
        ordered = np.sort(contributions[group].to_numpy())
        tenth = max(len(ordered) // 10, 1)
        rows.append(
            {
                "group": group,
                "label": label,
                "mean_abs": sizes[group],
                "share": sizes[group] / whole if whole else 0.0,
                "mean_top": float(ordered[-tenth:].mean()) if len(ordered) else 0.0,
                "mean_bottom": float(ordered[:tenth].mean()) if len(ordered) else 0.0,
                "customers": len(predictions),
            }
        )
    return rows
