"""Markers by agent, queue, customer or period: rates with their n, shrunk, and how reliable.

Measured on one contact a marker says little; over fifty it correlates with the true rate at .7.
So every aggregate carries its occasions, a rate shrunk towards its peers', and the share of its
spread that is signal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from clv.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Shrunk:
    """Rates of units, shrunk towards their mean.

    Attributes
    ----------
    rate : ndarray of shape (n,)
        Hits over occasions; NaN without an occasion.
    shrunk : ndarray of shape (n,)
        The posterior mean of a beta prior fitted to all units; the prior's mean without an
        occasion.
    mean : float
        The rate of all units together.
    strength : float
        Occasions that the prior is worth; infinite where units do not differ beyond chance.
    """

    rate: NDArray[np.float64]
    shrunk: NDArray[np.float64]
    mean: float
    strength: float


def shrink(hits: NDArray[np.float64], occasions: NDArray[np.float64]) -> Shrunk:
    """Shrink rates by empirical Bayes: a beta prior by moments (Kleinman 1973).

    Parameters
    ----------
    hits, occasions : ndarray of shape (n,)
        By unit.

    Examples
    --------
    >>> found = shrink(np.array([8.0, 2.0, 0.0]), np.array([10.0, 10.0, 0.0]))
    >>> found.shrunk.round(2).tolist()
    [0.78, 0.22, 0.5]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.where(occasions > 0, hits / occasions, np.nan)
    total = occasions.sum()
    mean = float(hits.sum() / total) if total > 0 else float("nan")
    units, noise = int((occasions > 0).sum()), mean * (1 - mean)
    spread = float(np.nansum(occasions * (rate - mean) ** 2))
    weight = total - float((occasions**2).sum()) / total if total > 0 else 0.0
    between = (spread - (units - 1) * noise) / weight if weight > 0 else 0.0
    if not between > 0:
        return Shrunk(rate, np.full(len(rate), mean), mean, float("inf"))
    strength = max(noise / between - 1, 0.0)
    whole = np.where(occasions > 0, occasions + strength, 1.0)
    shrunk = np.where(occasions > 0, (hits + strength * mean) / whole, mean)
    return Shrunk(rate, shrunk, mean, strength)


CELLS = ("channel", "issue_type")
CALLS = ("called", "answer", "mood")
"""What says how much empathy an answer called for; see ``dialogue.answers_by_call``."""


def by_unit(
    contacts: pd.DataFrame, marker: str, unit: Sequence[str], *, within: Sequence[str] = CELLS
) -> pd.DataFrame:
    """Return a marker's rate by unit, standardised within channel × issue.

    Where a unit meets one issue alone, as agents of a queue may, standardising within issues
    takes the difference between queues off as well: name other columns then.

    Parameters
    ----------
    contacts : DataFrame
        One row per contact: the unit's columns, ``channel``, optionally ``issue_type``,
        ``<marker>_hits`` and ``<marker>_occasions``. Rows may stand for several contacts.
    marker : str
        Whose rate.
    unit : sequence of str
        Such as ``["agent_id"]`` or ``["queue", "month"]``.
    within : sequence of str
        Columns to standardise within; ``issue_type`` may be missing.

    Returns
    -------
    DataFrame, sorted by unit
        ``contacts`` (rows), ``occasions``, ``rate``, ``shrunk``, ``expected`` (the rate that
        its mix of channels and issues would give) and ``standardised`` (rate less expected).

    Raises
    ------
    SchemaError
        When a column is missing.
    """
    hits, occasions = f"{marker}_hits", f"{marker}_occasions"
    cells = [name for name in within if name in contacts.columns or name != "issue_type"]
    missing = [c for c in (*unit, *cells, hits, occasions) if c not in contacts.columns]
    if missing:
        raise SchemaError.missing_columns("contacts", missing, contacts.columns)
    rows = contacts.dropna(subset=[*unit, occasions])
    sums = rows.groupby(cells, dropna=False)[[hits, occasions]].transform("sum")
    expected = rows[occasions] * sums[hits] / sums[occasions].replace(0, np.nan)
    return _rates(
        rows,
        unit,
        rows[hits].to_numpy(float),
        rows[occasions].to_numpy(float),
        expected.fillna(0.0).to_numpy(float),
    ).astype({"occasions": np.int64})


def _rates(
    rows: pd.DataFrame,
    unit: Sequence[str],
    hits: NDArray[np.float64],
    occasions: NDArray[np.float64],
    expected: NDArray[np.float64],
    squares: NDArray[np.float64] | None = None,
) -> pd.DataFrame:
    """Sum by unit, and take what was expected off the rates.

    Weighed occasions are worth fewer: (Σ w)² / Σ w², w² being ``squares`` (Kish 1965).
    """
    parts = {"contacts": 1, "hits": hits, "occasions": occasions, "expected": expected}
    parts["squares"] = occasions if squares is None else squares
    keys = [rows[name].rename(None) for name in unit]
    totals = pd.DataFrame(parts, index=rows.index).groupby(keys).sum()
    totals.index.names = list(unit)
    worth = (totals["occasions"] / totals["squares"].replace(0, np.nan)).fillna(1.0).to_numpy(float)
    found = shrink(worth * totals["hits"].to_numpy(float), worth * totals["occasions"].to_numpy())
    share = (totals["expected"] / totals["occasions"].replace(0, np.nan)).to_numpy(float)
    return pd.DataFrame(
        {
            "contacts": totals["contacts"],
            "occasions": worth * totals["occasions"],
            "rate": found.rate,
            "shrunk": found.shrunk,
            "expected": share,
            "standardised": found.rate - share,
        },
        index=totals.index,
    ).reset_index()


def by_opportunity(
    answers: pd.DataFrame, marker: str, unit: Sequence[str], *, mix: Sequence[str] = ()
) -> pd.DataFrame:
    """Return a marker's rate by unit, each answer weighing what it called for.

    Signs of an upset customer are missed, and seen where there are none. So answers are not
    taken or left: each weighs as much as answers of its kind (``CALLS``), by whomever, show the
    marker, against the kind that shows it most. Warm words where nobody else has any weigh
    next to nothing. What a unit's mix of answers would give is then taken off, by a logistic
    regression on the kinds and on ``mix`` (indirect standardisation, as of hospitals' rates).

    Parameters
    ----------
    answers : DataFrame
        ``ContactMarkers.answers``, joined with the unit's columns and the mix. Rows may stand
        for several answers.
    marker : str
        ``"empathy"`` or ``"empathy_unique"``.
    unit : sequence of str
        Such as ``["agent_id"]``.
    mix : sequence of str
        Categories known before the agent acts, such as ``channel`` and ``priority``. Not those
        that part the units, as the issues of a queue do.

    Returns
    -------
    DataFrame, sorted by unit
        As of ``by_unit``; ``contacts`` counts rows, ``occasions`` their weights.

    Raises
    ------
    SchemaError
        When a column is missing.
    """
    hits, occasions = f"{marker}_hits", f"{marker}_occasions"
    missing = [c for c in (*unit, *CALLS, *mix, hits, occasions) if c not in answers.columns]
    if missing:
        raise SchemaError.missing_columns("answers", missing, answers.columns)
    rows = answers.dropna(subset=[*unit, occasions])
    kind = np.asarray(rows.groupby(list(CALLS), dropna=False).ngroup(), dtype=np.int64)
    hit, asked = rows[hits].to_numpy(float), rows[occasions].to_numpy(float)
    usual = shrink(_summed(kind, hit), _summed(kind, asked)).shrunk
    weight = usual[kind] / usual.max(initial=np.finfo(float).tiny)
    columns = [kind, *(pd.factorize(rows[name], sort=True)[0].astype(np.int64) for name in mix)]
    expected = weight * asked * _share(columns, hit, asked)
    return _rates(rows, unit, weight * hit, weight * asked, expected, weight**2 * asked)


def _summed(codes: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.bincount(codes, values).astype(np.float64)


def _share(
    columns: Sequence[NDArray[np.int64]], hits: NDArray[np.float64], occasions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return each row's share of hits by a logistic regression on categories."""
    codes, rows = np.unique(np.column_stack(columns), axis=0, return_inverse=True)
    rows = rows.reshape(-1)
    met = _summed(rows, hits)
    missed = _summed(rows, occasions) - met
    if not met.sum() > 0 or not missed.sum() > 0:
        return np.full(len(rows), float(met.sum() > 0))
    dummies = pd.get_dummies(pd.DataFrame(codes).astype(str), dtype=float).to_numpy()
    model = LogisticRegression(max_iter=1_000)
    model.fit(
        np.concatenate([dummies, dummies]),
        np.repeat([1, 0], len(codes)),
        sample_weight=np.concatenate([met, np.maximum(missed, 0.0)]),
    )
    share: NDArray[np.float64] = model.predict_proba(dummies)[:, 1]
    return share[rows]


def split_half(contacts: pd.DataFrame, marker: str, unit: Sequence[str], *, seed: int = 0) -> float:
    """Return how reliable units' rates are: the halves' correlation, stepped up.

    Each unit's contacts are split at random; the correlation r of the halves' rates becomes
    2r / (1 + r) (Spearman 1910; Brown 1910). NaN with fewer than three units.

    Parameters
    ----------
    contacts, marker, unit
        As in ``by_unit``.
    seed : int
        Of the split.
    """
    rng = np.random.default_rng(seed)
    rows = contacts.dropna(subset=[*unit, f"{marker}_occasions"]).sort_values("interaction_id")
    half = rng.permutation(len(rows)) % 2
    sums = rows.groupby([*unit, half])[[f"{marker}_hits", f"{marker}_occasions"]].sum()
    rate = sums[f"{marker}_hits"] / sums[f"{marker}_occasions"].replace(0, np.nan)
    halves = rate.unstack().dropna()  # noqa: PD010 (one column for each half)
    if len(halves) < 3 or halves.shape[1] < 2 or (halves.std() == 0).any():
        return float("nan")
    r = float(np.corrcoef(halves[0], halves[1])[0, 1])
    return 2 * r / (1 + r)
