"""What the scored customers are worth together, counted while the rows stream by.

Money is added as integers of ten-thousandths, so that no order of chunks changes a sum.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clv.engines.physical import MONEY_SCALE
from clv.models.prospects.people import PEOPLE, YET_TO_BUY, people_of

if TYPE_CHECKING:
    from collections.abc import Sequence

AT_RISK = 0.5
"""From this p_churn on a customer counts as at risk."""

NO_VALUE = np.int64(np.iinfo(np.int64).min)
"""Stands for the value of who has none, below every other."""

HISTOGRAM_BINS = 20
SEGMENTS_SHOWN = 20
_PROBABILITY_SCALE = 1_000_000


@dataclass
class Sums:
    """Customers, and their values in ten-thousandths."""

    customers: int = 0
    value: int = 0

    def add(self, values: np.ndarray) -> None:
        """Take scaled values."""
        self.customers += values.size
        self.value += int(values.sum())


def scaled(money: np.ndarray) -> np.ndarray:
    """Return money as int64 ten-thousandths."""
    return np.rint(money * MONEY_SCALE).astype(np.int64)


def histogram_edges(cuts: Sequence[float]) -> np.ndarray:
    """Return the lower edges of the histogram's bins, round numbers fixed by the training.

    Equal widths from 0 to about the double of the highest training decile; the last bin is
    open above, the first below.

    Examples
    --------
    >>> histogram_edges([1, 2, 3, 4, 5, 6, 7, 8, 95.0])[:3].tolist()
    [0.0, 10.0, 20.0]
    """
    top = max(cuts, default=0.0)
    top = top if top > 0 else 1.0
    raw = 2 * top / HISTOGRAM_BINS
    power = 10.0 ** math.floor(math.log10(raw))
    width = next(step * power for step in (1, 2, 5, 10) if step * power >= raw * 0.999)
    return np.round(np.arange(HISTOGRAM_BINS) * width, 10)


@dataclass
class Portfolio:
    """Running totals over score rows.

    Attributes
    ----------
    cuts : sequence of float
        Nine value cut-points of the training.
    columns : sequence of str
        Category columns of the feature table to break values down by.
    """

    cuts: Sequence[float]
    columns: Sequence[str] = ()
    people: dict[str, Sums] = field(default_factory=lambda: defaultdict(Sums))
    unvalued: int = 0
    churn: Sums = field(default_factory=Sums)
    repeat: Sums = field(default_factory=Sums)
    at_risk: Sums = field(default_factory=Sums)
    deciles: dict[int, Sums] = field(default_factory=lambda: defaultdict(Sums))
    segments: dict[tuple[str, str], Sums] = field(default_factory=lambda: defaultdict(Sums))
    values: list[np.ndarray] = field(default_factory=list)
    bins: np.ndarray = field(default_factory=lambda: np.zeros(HISTOGRAM_BINS, np.int64))

    def add(self, scores: pd.DataFrame, features: pd.DataFrame) -> None:
        """Take a chunk's score rows and the same customers' feature rows, in the same order."""
        has_value = scores["clv"].notna().to_numpy()
        self.unvalued += int((~has_value).sum())
        by_row = np.full(len(scores), NO_VALUE)
        scores, features = scores[has_value], features[has_value]
        values = scaled(scores["clv"].to_numpy(float))
        by_row[has_value] = values
        self.values.append(by_row)
        bought = features["frequency"].to_numpy(float)
        for name, here in people_of(bought).items():
            self.people[name].add(values[here])
        for name, sums in (("p_churn", self.churn), ("p_repeat", self.repeat)):
            known = scores[name].to_numpy(float)
            known = known[~np.isnan(known)]
            sums.add(np.rint(known * _PROBABILITY_SCALE).astype(np.int64))
        self.at_risk.add(values[(scores["p_churn"] >= AT_RISK).to_numpy(bool)])
        deciles = scores["value_decile"].to_numpy()
        for decile in np.unique(deciles):
            self.deciles[int(decile)].add(values[deciles == decile])
        for name in self.columns:
            codes, words = pd.factorize(features[name].fillna("(unknown)"), sort=True)
            for code, word in enumerate(words):
                self.segments[name, str(word)].add(values[codes == code])
        edges = histogram_edges(self.cuts)
        where = np.searchsorted(edges, scores["clv"].to_numpy(float), side="right") - 1
        self.bins += np.bincount(np.maximum(where, 0), minlength=HISTOGRAM_BINS)

    @property
    def by_row(self) -> np.ndarray:
        """Every row's value so far, in ten-thousandths; ``NO_VALUE`` where there is none."""
        return np.concatenate(self.values) if self.values else np.zeros(0, np.int64)

    def summary(self) -> dict[str, Any]:
        """Return the document ``portfolio.json``, without its heading.

        ``customers`` are all who have a value, ``prospects`` those among them who have not
        bought, ``unvalued`` who are in no total; ``people`` parts the total by who has bought
        how often. ``share`` is of the total, null where the total is not positive.
        """
        values = self.by_row
        values = values[values != NO_VALUE]
        total = int(values.sum())
        count = values.size
        return {
            "customers": count,
            "prospects": self.people[YET_TO_BUY].customers,
            "prospects_clv": money(self.people[YET_TO_BUY].value),
            "unvalued": self.unvalued,
            "people": [_people(name, self.people[name], total) for name in PEOPLE],
            "total_clv": money(total),
            "mean_clv": money(total / count) if count else None,
            "median_clv": money(float(np.median(values))) if count else None,
            "deciles": [_decile(k, self.deciles.get(k, Sums()), total) for k in range(1, 11)],
            "p_churn_mean": _mean(self.churn),
            "at_risk_threshold": AT_RISK,
            "at_risk_customers": self.at_risk.customers,
            "at_risk_value": money(self.at_risk.value),
            "first_time_customers": self.repeat.customers,
            "p_repeat_mean": _mean(self.repeat),
            "segments": self._segments(),
            "histogram": self._histogram(),
        }

    def _segments(self) -> list[dict[str, Any]]:
        """Return the largest segments of each column; what is beyond them as one row."""
        rows = []
        for column in self.columns:
            found = [(word, sums) for (name, word), sums in self.segments.items() if name == column]
            found.sort(key=lambda item: (-item[1].customers, item[0]))
            shown, rest = found[:SEGMENTS_SHOWN], found[SEGMENTS_SHOWN:]
            if rest:
                other = Sums(sum(s.customers for _, s in rest), sum(s.value for _, s in rest))
                shown.append((f"({len(rest)} others)", other))
            rows += [
                {
                    "column": column,
                    "value": word,
                    "customers": sums.customers,
                    "clv": money(sums.value),
                }
                for word, sums in shown
            ]
        return rows

    def _histogram(self) -> list[dict[str, Any]]:
        edges = histogram_edges(self.cuts).tolist()
        lows, highs = [None, *edges[1:]], [*edges[1:], None]
        return [
            {"low": low, "high": high, "customers": int(count)}
            for low, high, count in zip(lows, highs, self.bins, strict=True)
        ]


def money(scaled_value: float) -> float:
    """Return ten-thousandths as money, rounded to 4 decimals."""
    return round(scaled_value / MONEY_SCALE, 4)


def _mean(sums: Sums) -> float | None:
    return round(sums.value / sums.customers / _PROBABILITY_SCALE, 6) if sums.customers else None


def _people(name: str, sums: Sums, total: int) -> dict[str, Any]:
    return {"people": name, **_share(sums, total)}


def _share(sums: Sums, total: int) -> dict[str, Any]:
    return {
        "customers": sums.customers,
        "clv": money(sums.value),
        "share": round(sums.value / total, 6) if total > 0 else None,
    }


def _decile(decile: int, sums: Sums, total: int) -> dict[str, Any]:
    return {"decile": decile, **_share(sums, total)}
