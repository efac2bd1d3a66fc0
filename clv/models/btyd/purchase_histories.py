"""Distinct purchase histories: what is equal is computed once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class PurchaseHistories:
    """Distinct purchase histories and how many customers share each.

    Attributes
    ----------
    frequency, recency, age : ndarray of shape (n,)
        Repeat purchases, first to last purchase, first purchase to the cutoff.
    weight : ndarray of shape (n,)
        Customers with that history.
    """

    frequency: np.ndarray
    recency: np.ndarray
    age: np.ndarray
    weight: np.ndarray

    @cached_property
    def by_count(self) -> ByCount:
        """What evaluates a function of the frequency once per distinct one."""
        return ByCount(self.frequency)

    @property
    def customers(self) -> float:
        """Customers in all."""
        return float(self.weight.sum())

    @property
    def repeaters(self) -> float:
        """Customers who bought again."""
        return float(self.weight[self.frequency > 0].sum())

    @property
    def purchases(self) -> float:
        """Repeat purchases in all."""
        return float(self.weight @ self.frequency)

    def scaled(self, unit: float) -> PurchaseHistories:
        """Return the same histories in a unit of time ``unit`` times as long."""
        return PurchaseHistories(self.frequency, self.recency / unit, self.age / unit, self.weight)

    def thinned(self, rows: int) -> PurchaseHistories:
        """Return every k-th distinct history, about ``rows`` of them."""
        step = max(self.weight.size // rows, 1)
        columns = (self.frequency, self.recency, self.age, self.weight)
        x, t_x, t, weight = (column[::step] for column in columns)
        return PurchaseHistories(x, t_x, t, weight)


def compress(frequency: np.ndarray, recency: np.ndarray, age: np.ndarray) -> PurchaseHistories:
    """Merge equal histories; whole days merge by one integer key, which sorts fastest.

    Examples
    --------
    >>> import numpy as np
    >>> compress(np.array([0, 2, 0]), np.array([0, 9, 0]), np.array([7, 9, 7])).weight.tolist()
    [2.0, 1.0]
    """
    columns = [np.asarray(column, float) for column in (frequency, recency, age)]
    span = int(columns[2].max(initial=0.0)) + 2
    whole = all(bool((column == np.floor(column)).all()) for column in columns)
    if whole and columns[0].max(initial=0.0) * span * span < 2**62:
        x, t_x, t = (column.astype(np.int64) for column in columns)
        key, weight = np.unique((x * span + t_x) * span + t, return_counts=True)
        rest, t = np.divmod(key, span)
        x, t_x = np.divmod(rest, span)
        merged = np.column_stack([x, t_x, t]).astype(float)
    else:
        merged, weight = np.unique(np.column_stack(columns), axis=0, return_counts=True)
    return PurchaseHistories(merged[:, 0], merged[:, 1], merged[:, 2], weight.astype(float))


def per_pair(
    frequency: np.ndarray,
    age: np.ndarray,
    function: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Evaluate a function of (x, T) once per distinct pair."""
    keys = np.empty(frequency.size, dtype=[("x", float), ("t", float)])
    keys["x"], keys["t"] = frequency, age
    whole = (age == np.floor(age)).all() and frequency.max(initial=0.0) < 2**30
    if whole and age.max(initial=0.0) < 2**30:
        code = frequency.astype(np.int64) * 2**30 + age.astype(np.int64)
        distinct, where = np.unique(code, return_inverse=True)
        x, t = np.divmod(distinct, 2**30)
        return function(x.astype(float), t.astype(float))[where]
    pairs, where = np.unique(keys, return_inverse=True)
    return function(np.ascontiguousarray(pairs["x"]), np.ascontiguousarray(pairs["t"]))[where]


class ByCount:
    """Evaluate a function of the count once per distinct count: gamma functions are dear."""

    def __init__(self, counts: np.ndarray) -> None:
        self.distinct, self.where = np.unique(counts, return_inverse=True)

    def __call__(self, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return the function's values of shape (n,)."""
        return np.asarray(function(self.distinct))[self.where]
