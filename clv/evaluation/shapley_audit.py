"""An exact audit of contributions on a sample.

Contributions come from one pass over the trees. The audit computes the exact
interventional Shapley value of every group, in currency, from all coalitions of groups, and
says how well the two agree, and what two groups predict together beyond what each does by
itself. None of it is an effect.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import chain, combinations
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from clv.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from clv.models.lifetime_value import LifetimeModel

    Floats = NDArray[np.float64]

MAX_GROUPS = 10


@dataclass(frozen=True)
class Interaction:
    """What two groups predict together that is not one times the other, per customer.

    Counted where the trees add up, in logarithms, and turned into currency at the
    customer's own value: groups that merely multiply do not interact.

    Attributes
    ----------
    one, other : str
        The groups.
    mean, mean_abs : float
        Over the audited customers, with sign and by size.
    """

    one: str
    other: str
    mean: float
    mean_abs: float


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
    interactions : tuple of Interaction
        Of every two groups, largest first.
    """

    rows: int
    background: int
    correlation: float
    top_agreement: float
    sign_agreement: float
    same_order: bool
    interactions: tuple[Interaction, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Return the audit as JSON-able values."""
        return asdict(self)


@dataclass(frozen=True)
class Coalitions:
    """What every coalition of groups of columns predicts, the other groups as in a background.

    Attributes
    ----------
    worth : dict of frozenset of int to array, shape (n,)
        Mean over the background, by the groups that are the customer's own.
    groups : int

    Examples
    --------
    >>> rows, typical = np.array([[2.0, 3.0]]), np.array([[1.0, 1.0]])
    >>> found = Coalitions.of(lambda m, i: m[:, 0] * m[:, 1], rows, typical, [[0], [1]])
    >>> base, parts = found.shapley()
    >>> base.tolist(), parts.tolist(), found.interactions()[:, 0, 1].tolist()
    ([1.0], [[2.0, 3.0]], [2.0])
    """

    worth: dict[frozenset[int], Floats]
    groups: int

    @classmethod
    def of(
        cls,
        value: Callable[[Floats, NDArray[np.int64]], Floats],
        rows: Floats,
        background: Floats,
        groups: Sequence[Sequence[int]],
    ) -> Coalitions:
        """Ask a model about all coalitions.

        Parameters
        ----------
        value : callable
            A matrix and, for each of its rows, the number of the audited row it belongs to
            (so that its own offset applies), to currency.
        rows : array, shape (n, columns)
            Customers to explain.
        background : array, shape (b, columns)
            Customers to compare with.
        groups : sequence of sequences of int
            Columns of each group.

        Raises
        ------
        UsageError
            With more groups than coalitions can be counted for.
        """
        if len(groups) > MAX_GROUPS:
            raise UsageError(
                f"audit: {len(groups)} groups; at most {MAX_GROUPS} can be enumerated."
            )
        owner = np.repeat(np.arange(len(rows)), len(background))
        typical = np.tile(background, (len(rows), 1))
        worth: dict[frozenset[int], Floats] = {}
        for members in _subsets(range(len(groups))):
            mixed = typical.copy()
            for member in members:
                columns = list(groups[member])
                mixed[:, columns] = rows[owner][:, columns]
            values = value(mixed, owner).reshape(len(rows), len(background))
            worth[frozenset(members)] = values.mean(axis=1)
        return cls(worth, len(groups))

    def shapley(self) -> tuple[Floats, Floats]:
        """Return exact interventional Shapley values of the groups.

        Returns
        -------
        base : array, shape (n,)
            Mean value with all groups taken from the background.
        parts : array, shape (n, groups)
            base + Σ parts is the value.
        """
        base = self.worth[frozenset()]
        parts = np.zeros((len(base), self.groups))
        for joined, before in self.worth.items():
            for group in set(range(self.groups)) - joined:
                weight = 1 / (self.groups * comb(self.groups - 1, len(joined)))
                parts[:, group] += weight * (self.worth[joined | {group}] - before)
        return base, parts

    def interactions(self) -> Floats:
        """Return what each two groups predict together beyond the sum of both.

        The Shapley interaction index (Grabisch & Roubens 1999, International Journal of Game
        Theory 28, equation 4), of shape (n, groups, groups), symmetric, 0 on the diagonal.
        """
        found = np.zeros((len(self.worth[frozenset()]), self.groups, self.groups))
        for one, other in combinations(range(self.groups), 2):
            for joined in _subsets(set(range(self.groups)) - {one, other}):
                rest = frozenset(joined)
                weight = 1 / ((self.groups - 1) * comb(self.groups - 2, len(rest)))
                both, alone = self.worth[rest | {one, other}], self.worth[rest]
                beyond = both - self.worth[rest | {one}] - self.worth[rest | {other}] + alone
                found[:, one, other] += weight * beyond
            found[:, other, one] = found[:, one, other]
        return found


def _subsets(items: Collection[int]) -> Iterator[tuple[int, ...]]:
    return chain.from_iterable(combinations(items, size) for size in range(len(items) + 1))


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


def audit_model(
    model: LifetimeModel, features: pd.DataFrame, *, rows: int = 100, background: int = 20
) -> Audit | None:
    """Compare a value model's contributions with exact group Shapley values on a sample.

    Parameters
    ----------
    model : LifetimeModel
        As fitted.
    features : DataFrame
        Of the portfolio; every n-th row is taken.
    rows, background : int
        Customers to audit, and to compare them with.

    Returns
    -------
    Audit or None
        None where the model holds no trees, or they have no say.
    """
    bought = features[features["frequency"].notna()]
    trees = model.value.trees
    if trees is None or model.calibration.weight == 1.0 or len(bought) < 2 * background:
        return None
    asked = bought.iloc[np.linspace(0, len(bought) - 1, min(rows, len(bought))).astype(int)]
    typical = bought.iloc[np.linspace(0, len(bought) - 1, background).astype(int)]
    encoding, value = model.value.encoding, model.value
    names = list(dict.fromkeys(encoding.groups))
    columns = [[k for k, group in enumerate(encoding.groups) if group == name] for name in names]
    info = model.info
    forecast = model.purchases.forecast(asked, info.horizon_days, info.discount_rate_annual)
    season = np.nan_to_num(forecast["season"].to_numpy(), nan=1.0)
    btyd = np.nan_to_num(forecast["value"].to_numpy()) / season
    scale = (1 - model.calibration.weight) * model.seasonal.factor(asked["as_of"]) * season

    def worth(matrix: Floats, owner: NDArray[np.int64]) -> Floats:
        return scale[owner] * value.predict(matrix, btyd[owner])

    matrix = encoding.matrix(asked)
    _, exact = Coalitions.of(worth, matrix, encoding.matrix(typical), columns).shapley()
    found = model.contributions(asked)[names].to_numpy(np.float64)
    together = Coalitions.of(
        lambda rows, _: trees.raw(rows), matrix, encoding.matrix(typical), columns
    ).interactions()
    worth_now = worth(matrix, np.arange(len(matrix)))
    # Material is a hundredth of what a customer is worth.
    material = 0.01 * float(np.abs(model.predict(asked)["clv"]).mean())
    audit = agreement(found, exact, background, material)
    return replace(audit, interactions=_named(names, together * worth_now[:, None, None]))


def _named(names: Sequence[str], values: Floats) -> tuple[Interaction, ...]:
    """Return the interactions of every two groups, largest first."""
    found = [
        Interaction(
            names[one],
            names[other],
            float(values[:, one, other].mean()),
            float(np.abs(values[:, one, other]).mean()),
        )
        for one, other in combinations(range(len(names)), 2)
    ]
    return tuple(sorted(found, key=lambda pair: -pair.mean_abs))


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
