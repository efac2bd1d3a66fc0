"""Drift: how far what the model reads, and what it says, has moved since its training.

Drift is an effect size, the population stability index over bins fixed at training, with a
bin for unknown values and one for words that training never saw; a p-value would call every
large table drifted. PSI below 0.1 is read as stable, above 0.25 as another population
(Siddiqi, *Credit Risk Scorecards*, 2006).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clv.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCORES = ("clv", "p_churn", "expected_purchases")
"""What the model says, profiled beside what it reads."""

BINS = 10
WORDS = 50
WARN_PSI = 0.1
ACT_PSI = 0.25
SHARE_FLOOR = 1e-4
"""Stands for an empty bin, so that its logarithm is finite."""

ROWS_ENOUGH = 200
"""Below so many rows a PSI says more about chance than about drift."""


@dataclass(frozen=True)
class Bins:
    """How one column was distributed at training.

    Attributes
    ----------
    name : str
        The column.
    edges : tuple of float
        Inner cut-points of a number; empty for a category.
    words : tuple of str
        Values of a category; empty for a number.
    shares : tuple of float
        Of rows: each bin or word, then words not listed, then unknown. They sum to 1.
    """

    name: str
    edges: tuple[float, ...]
    words: tuple[str, ...]
    shares: tuple[float, ...]

    def counts(self, values: pd.Series) -> np.ndarray:
        """Count a column's rows in these bins; shape (bins,)."""
        if self.words:
            codes = pd.Index(self.words).get_indexer(pd.Index(values.astype("string").fillna("")))
            codes = np.where(codes < 0, len(self.words), codes)
            codes = np.where(values.isna().to_numpy(), len(self.words) + 1, codes)
        else:
            numbers = values.to_numpy(float)
            codes = np.searchsorted(np.array(self.edges), numbers, side="left")
            codes = np.where(np.isnan(numbers), len(self.edges) + 2, codes)
        return np.bincount(codes, minlength=len(self.shares))


@dataclass(frozen=True)
class Profile:
    """The training population: what drift is measured against.

    Attributes
    ----------
    rows : int
        Behind the shares.
    columns : tuple of Bins
    """

    rows: int
    columns: tuple[Bins, ...]

    @classmethod
    def learn(cls, frame: pd.DataFrame, names: Sequence[str]) -> Profile:
        """Bin the training rows: numbers by deciles, categories by their commonest words.

        Parameters
        ----------
        frame : DataFrame
            The training rows.
        names : sequence of str
            The columns to keep a profile of.

        Examples
        --------
        >>> profile = Profile.learn(pd.DataFrame({"x": [1.0, 2.0, np.nan, 4.0]}), ["x"])
        >>> profile.columns[0].shares[-1]
        0.25
        """
        return cls(len(frame), tuple(_bins(frame[name]) for name in names))

    def as_dict(self) -> dict[str, Any]:
        """Return the profile as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Profile:
        """Restore what ``as_dict`` returned."""
        columns = [
            Bins(c["name"], tuple(c["edges"]), tuple(c["words"]), tuple(c["shares"]))
            for c in saved["columns"]
        ]
        return cls(int(saved["rows"]), tuple(columns))


def _bins(values: pd.Series) -> Bins:
    name = str(values.name)
    if not pd.api.types.is_numeric_dtype(values):
        counted = values.dropna().astype(str).value_counts()
        ordered = sorted(counted.items(), key=lambda item: (-item[1], str(item[0])))
        words = tuple(str(word) for word, _ in ordered[:WORDS]) or ("",)
        bins = Bins(name, (), words, (0.0,) * (len(words) + 2))
    else:
        numbers = values.to_numpy(float)
        known = numbers[np.isfinite(numbers)]
        cuts = np.quantile(known, np.arange(1, BINS) / BINS) if known.size else np.zeros(0)
        edges = tuple(map(float, np.unique(cuts)))
        bins = Bins(name, edges, (), (0.0,) * (len(edges) + 3))
    shares = bins.counts(values) / max(len(values), 1)
    return Bins(name, bins.edges, bins.words, tuple(map(float, shares)))


@dataclass(frozen=True)
class ColumnDrift:
    """How far one column has moved.

    Attributes
    ----------
    name : str
    psi : float
        Population stability index.
    elsewhere : float
        Share of customers who would have to be in another bin for the training's shares.
    unknown, unknown_before : float
        Share of rows without a value, now and at training.
    unseen : float
        Share of rows with a word that training never saw.
    verdict : {"stable", "moved", "other population", "too few rows"}
    """

    name: str
    psi: float
    elsewhere: float
    unknown: float
    unknown_before: float
    unseen: float
    verdict: str


@dataclass(frozen=True)
class DriftReport:
    """How far a population has moved, the furthest column first.

    Attributes
    ----------
    rows : int
    columns : tuple of ColumnDrift
    """

    rows: int
    columns: tuple[ColumnDrift, ...]

    @property
    def drifted(self) -> tuple[str, ...]:
        """Columns that hold another population than at training."""
        return tuple(c.name for c in self.columns if c.verdict == "other population")

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-able values."""
        return asdict(self) | {"drifted": list(self.drifted)}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> DriftReport:
        """Restore what ``as_dict`` returned."""
        return cls(int(saved["rows"]), tuple(ColumnDrift(**c) for c in saved["columns"]))

    @property
    def inputs(self) -> tuple[ColumnDrift, ...]:
        """What the model reads."""
        return tuple(c for c in self.columns if c.name not in SCORES)

    @property
    def scores(self) -> tuple[ColumnDrift, ...]:
        """What the model says."""
        return tuple(c for c in self.columns if c.name in SCORES)


class DriftCounter:
    """Counts rows into a profile's bins, chunk by chunk.

    Parameters
    ----------
    profile : Profile
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.rows = 0
        self._counts = [np.zeros(len(c.shares), np.int64) for c in profile.columns]

    def add(self, frame: pd.DataFrame) -> None:
        """Take rows.

        Raises
        ------
        ModelError
            When a column of the profile is missing.
        """
        absent = [c.name for c in self.profile.columns if c.name not in frame]
        if absent:
            raise ModelError(
                f"drift: column {absent[0]!r} is missing; expected the columns of the training. "
                "Train again."
            )
        self.rows += len(frame)
        self._counts = [
            counts + column.counts(frame[column.name])
            for column, counts in zip(self.profile.columns, self._counts, strict=True)
        ]

    def report(self) -> DriftReport:
        """Compare what was counted with the profile."""
        columns = [
            _drift(column, counts, self.rows)
            for column, counts in zip(self.profile.columns, self._counts, strict=True)
        ]
        return DriftReport(self.rows, tuple(sorted(columns, key=lambda c: (-c.psi, c.name))))


def psi(expected: np.ndarray, actual: np.ndarray) -> float:
    """Return the population stability index Σ (a − e) ln(a / e) of two distributions.

    Parameters
    ----------
    expected, actual : ndarray of shape (bins,)
        Shares; an empty bin counts as ``SHARE_FLOOR``.

    Examples
    --------
    >>> round(psi(np.array([0.5, 0.5]), np.array([0.6, 0.4])), 4)
    0.0405
    """
    e, a = np.maximum(expected, SHARE_FLOOR), np.maximum(actual, SHARE_FLOOR)
    return float(((a - e) * np.log(a / e)).sum())


def _drift(column: Bins, counts: np.ndarray, rows: int) -> ColumnDrift:
    shares = counts / max(rows, 1)
    index = psi(np.array(column.shares), shares)
    verdict = "stable" if index < WARN_PSI else "moved"
    if index >= ACT_PSI:
        verdict = "other population"
    if rows < ROWS_ENOUGH:
        verdict = "too few rows"
    elsewhere = float(np.abs(shares - np.array(column.shares)).sum()) / 2
    return ColumnDrift(
        name=column.name,
        psi=round(index, 6),
        elsewhere=round(elsewhere, 6),
        unknown=float(shares[-1]),
        unknown_before=column.shares[-1],
        unseen=float(shares[-2]),
        verdict=verdict,
    )
