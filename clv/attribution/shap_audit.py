"""An exact audit of contributions on a sample, and the plots people know.

This is the door to shap.

Contributions come from one pass over the trees. The audit computes the exact
interventional Shapley value of every group, in currency, from all coalitions of groups, and
says how well the two agree. Neither is an effect.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from clv.models.lifetime_value import LifetimeValue

    Floats = NDArray[np.float64]

MAX_GROUPS = 10


@dataclass(frozen=True)
class Audit:
    """How well contributions agree with exact group Shapley values.

    Attributes
    ----------
    rows, background : int
        Customers audited, and customers they were compared with.
    correlation : float
        Over all cells, both sides centred by group.
    top_agreement : float
        Share of customers whose largest group by size is the same.
    sign_agreement : float
        Share of cells above ``material`` with the same sign.
    same_order : bool
        Whether groups have the same order by mean size.
    """

    rows: int
    background: int
    correlation: float
    top_agreement: float
    sign_agreement: float
    same_order: bool

    def as_dict(self) -> dict[str, object]:
        """Return the audit as JSON-able values."""
        return asdict(self)


def group_shapley(
    value: Callable[[Floats, NDArray[np.int64]], Floats],
    rows: Floats,
    background: Floats,
    groups: Sequence[Sequence[int]],
) -> tuple[Floats, Floats]:
    """Return exact interventional Shapley values of groups of columns.

    Parameters
    ----------
    value : callable
        A matrix and, for each of its rows, the number of the audited row it belongs to (so
        that its own offset applies), to currency.
    rows : array, shape (n, columns)
        Customers to explain.
    background : array, shape (b, columns)
        Customers to compare with.
    groups : sequence of sequences of int
        Columns of each group.

    Returns
    -------
    base : array, shape (n,)
        Mean value with all groups taken from the background.
    parts : array, shape (n, groups)
        base + Σ parts is the value.

    Raises
    ------
    UsageError
        With more groups than coalitions can be counted for.

    Examples
    --------
    >>> rows, typical = np.array([[2.0, 3.0]]), np.array([[1.0, 1.0]])
    >>> base, parts = group_shapley(lambda m, i: m[:, 0] * m[:, 1], rows, typical, [[0], [1]])
    >>> base.tolist(), parts.tolist()
    ([1.0], [[2.0, 3.0]])
    """
    count = len(groups)
    if count > MAX_GROUPS:
        raise UsageError(f"audit: {count} groups; at most {MAX_GROUPS} can be enumerated.")
    owner = np.repeat(np.arange(len(rows)), len(background))
    typical = np.tile(background, (len(rows), 1))
    worth: dict[frozenset[int], Floats] = {}
    for size in range(count + 1):
        for members in combinations(range(count), size):
            mixed = typical.copy()
            for member in members:
                columns = list(groups[member])
                mixed[:, columns] = rows[owner][:, columns]
            values = value(mixed, owner).reshape(len(rows), len(background))
            worth[frozenset(members)] = values.mean(axis=1)
    parts = np.zeros((len(rows), count))
    for joined, before in worth.items():
        for group in set(range(count)) - joined:
            weight = 1 / (count * comb(count - 1, len(joined)))
            parts[:, group] += weight * (worth[joined | {group}] - before)
    return worth[frozenset()], parts


def agreement(
    contributions: Floats, exact: Floats, background: int, material: float = 1.0
) -> Audit:
    """Compare contributions with exact values of the same customers and groups."""
    one, other = (values - values.mean(axis=0) for values in (contributions, exact))
    large = (np.abs(one) > material) & (np.abs(other) > material)
    order = [np.argsort(-np.abs(values).mean(axis=0)).tolist() for values in (one, other)]
    moved = one.std() > 0 and other.std() > 0
    correlation = np.corrcoef(one.ravel(), other.ravel())[0, 1] if moved else 1.0
    top = np.abs(one).argmax(axis=1) == np.abs(other).argmax(axis=1)
    same = np.sign(one[large]) == np.sign(other[large])
    return Audit(
        rows=len(one),
        background=background,
        correlation=float(correlation),
        top_agreement=float(top.mean()),
        sign_agreement=float(same.mean()) if large.any() else 1.0,
        same_order=order[0] == order[1],
    )


def explanation(base: Floats, parts: Floats, shown: Floats, names: Sequence[str]) -> Any:
    """Return contributions as a ``shap.Explanation``, for beeswarm, waterfall and scatter."""
    import shap

    return shap.Explanation(values=parts, base_values=base, data=shown, feature_names=list(names))


def audit_model(
    model: LifetimeValue, features: pd.DataFrame, *, rows: int = 100, background: int = 20
) -> Audit | None:
    """Compare a value model's contributions with exact group Shapley values on a sample.

    Parameters
    ----------
    model : LifetimeValue
        As fitted.
    features : DataFrame
        Of the portfolio; every n-th row is taken.
    rows, background : int
        Customers to audit, and to compare them with.

    Returns
    -------
    Audit or None
        None where the model holds no trees to explain.
    """
    bought = features[features["frequency"].notna()]
    if model.value.trees is None or len(bought) < 2 * background:
        return None
    asked = bought.iloc[np.linspace(0, len(bought) - 1, min(rows, len(bought))).astype(int)]
    typical = bought.iloc[np.linspace(0, len(bought) - 1, background).astype(int)]
    encoding, value = model.value.encoding, model.value
    names = list(dict.fromkeys(encoding.groups))
    columns = [[k for k, group in enumerate(encoding.groups) if group == name] for name in names]
    info = model.info
    forecast = model.purchases.forecast(asked, info.horizon_days, info.discount_rate_annual)
    btyd = np.nan_to_num(forecast["value"].to_numpy())

    def worth(matrix: Floats, owner: NDArray[np.int64]) -> Floats:
        return value.predict(matrix, btyd[owner])

    matrix = encoding.matrix(asked)
    _, exact = group_shapley(worth, matrix, encoding.matrix(typical), columns)
    found = model.contributions(asked)[names].to_numpy(np.float64)
    # Material is a hundredth of what a customer is worth.
    material = 0.01 * float(np.abs(model.predict(asked)["clv"]).mean())
    return agreement(found, exact, background, material)


def share_intervals(
    contributions: pd.DataFrame, groups: Sequence[str], *, draws: int = 200, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Return 95 % intervals of the groups' shares of the contributions, by redrawing customers.

    Examples
    --------
    >>> import pandas as pd
    >>> one = pd.DataFrame({"tone": [1.0, -1.0, 1.0], "waits": [3.0, 3.0, -3.0]})
    >>> share_intervals(one, ["tone", "waits"])["tone"]
    (0.25, 0.25)
    """
    sizes = np.abs(contributions[list(groups)].to_numpy(np.float64))
    rng = np.random.default_rng(seed)
    shares = np.empty((draws, len(groups)))
    for draw in range(draws):
        weights = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)))
        total = weights @ sizes
        shares[draw] = total / max(float(total.sum()), 1e-300)
    low, high = np.quantile(shares, [0.025, 0.975], axis=0)
    return {group: (float(low[place]), float(high[place])) for place, group in enumerate(groups)}
