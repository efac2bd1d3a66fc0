"""The chance that people who have not bought do so in the horizon.

The rate of past people of their kind, or a logistic regression on how long they have been
known, their last sign of life, contacts and attributes, shrunk to the rate by a ridge.
Which of them, and how strongly drawn, is chosen on people it had not seen; few past people
leave the rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.special import expit

from clv.models.prospects.people import KINDS, RETURNED, kinds, known_days, numbers_of
from clv.models.training.sampling import HELD_OUT_OF, customer_part
from clv.models.trees.boosting import vocabulary

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from clv.features.base import Feature

KIND_PRIOR_ROWS = 50.0
"""Weight of the rate of both kinds against a kind's own."""
NO_BUYER_ROWS = 10.0
"""Made-up past people who did not buy, so that one buyer among few is no rate of all."""
SLOPE_PEOPLE, SLOPE_BUYERS = 50, 20
"""From so many past people, and buyers among them, on the chance may differ within a kind."""
WORD_ROWS = 20
"""A word of a category with fewer rows is one of the others."""
DIGITS = 9
RATE = "rate"
_STEPS = 50


class _Candidate(NamedTuple):
    """Which columns a logistic regression may use, and how strongly it is drawn to the rate."""

    columns: str
    ridge: float


CANDIDATES = (
    _Candidate("time", 10.0),
    _Candidate("all", 100.0),
    _Candidate("all", 10.0),
    _Candidate("all", 1.0),
)
"""Beside the pooled rate of the kind, from the fewest degrees of freedom to the most."""

_TIME = ("returned", "known", "silent")
_NUMBERS = (*_TIME, "contacts", "contacts_90d", "signed_up", "referred")


def _numbers(features: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return what the chance depends on, before standardising; unknown is as if none."""
    signs = ("days_since_last_contact", "days_since_last_refund", "signed_up_days")
    more = numbers_of(features, "contacts_ever", "contacts_90d", "signed_up_days", "was_referred")
    return {
        "returned": (kinds(features) == RETURNED).astype(float),
        "known": np.log1p(known_days(features).to_numpy()),
        "silent": np.log1p(numbers_of(features, *signs).min(axis=1).to_numpy()),
        "contacts": np.log1p(np.nan_to_num(more["contacts_ever"].to_numpy())),
        "contacts_90d": np.log1p(np.nan_to_num(more["contacts_90d"].to_numpy())),
        "signed_up": more["signed_up_days"].notna().to_numpy(float),
        "referred": np.nan_to_num(more["was_referred"].to_numpy()),
    }


@dataclass(frozen=True)
class Inputs:
    """How a feature frame becomes the columns of the regression.

    Attributes
    ----------
    words : tuple of (str, str)
        Category column and word, each a column of 0 and 1.
    centre, scale : tuple of float
        Of ``_NUMBERS``, then of the words.
    """

    words: tuple[tuple[str, str], ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def learn(cls, rows: pd.DataFrame, features: Mapping[str, Feature]) -> Inputs:
        """Take the words that are frequent enough, and the means and spreads of columns."""
        words = [
            (name, word)
            for name, declared in features.items()
            if declared.kind == "category" and declared.group == "customer"
            for word in sorted(vocabulary(rows[name]))
            if (rows[name].astype(str) == word).sum() >= WORD_ROWS
        ]
        columns = cls(tuple(words), (), ())._columns(rows)
        spread = [float(column.std()) for column in columns]
        return cls(
            tuple(words),
            tuple(digits(column.mean()) for column in columns),
            tuple(digits(s) if s > 1e-9 else 0.0 for s in spread),
        )

    @staticmethod
    def count(words: int) -> int:
        """Return how many columns there are with so many words."""
        return len(_NUMBERS) + words

    @property
    def is_time(self) -> np.ndarray:
        """Which columns belong to the candidate ``time``."""
        names = [*_NUMBERS, *("" for _ in self.words)]
        return np.array([name in _TIME for name in names])

    def matrix(self, features: pd.DataFrame) -> np.ndarray:
        """Return standardised columns, of shape (rows, columns); a constant one is 0."""
        columns = self._columns(features)
        places = zip(columns, self.centre, self.scale, strict=True)
        found = [(x - mean) / s if s else np.zeros(x.size) for x, mean, s in places]
        return np.column_stack(found)

    def _columns(self, features: pd.DataFrame) -> list[np.ndarray]:
        numbers = _numbers(features)
        found = [numbers[name] for name in _NUMBERS]
        for name, word in self.words:
            found.append((features[name].astype(str) == word).to_numpy(float))
        return found


@dataclass(frozen=True)
class FirstPurchase:
    """The chance of a first purchase in the horizon.

    Attributes
    ----------
    inputs : Inputs
    slopes : tuple of float
        Of the log-odds; empty where the rate of the kind is used.
    intercept : float
    rates : dict of str to float
        Share of past people who bought, by kind.
    used : str
        ``rate``, ``time`` or ``all``: what the chance depends on.
    ridge : float
        0 with ``rate``.
    losses : dict of str to float
        Mean log loss of each candidate on people it had not seen.
    """

    inputs: Inputs
    slopes: tuple[float, ...]
    intercept: float
    rates: dict[str, float]
    used: str
    ridge: float
    losses: dict[str, float]

    @classmethod
    def fit(
        cls, rows: pd.DataFrame, features: Mapping[str, Feature]
    ) -> tuple[FirstPurchase, np.ndarray]:
        """Learn from people who had not bought at past cutoffs.

        Returns
        -------
        FirstPurchase
        ndarray of shape (rows,)
            The chance of each of them: as told by the others, or by the rate of all.
        """
        inputs = Inputs.learn(rows, features)
        matrix, kind = inputs.matrix(rows), kinds(rows)
        bought = (rows["purchases"].to_numpy(float) > 0).astype(float)
        part = customer_part(rows)
        held_out = {_Candidate(RATE, 0.0): _held_out_rates(kind, bought, part)}
        allowed = {"time": inputs.is_time, "all": np.ones(matrix.shape[1], bool)}
        if rows["customer_id"].nunique() >= SLOPE_PEOPLE and bought.sum() >= SLOPE_BUYERS:
            for candidate in CANDIDATES:
                columns = matrix[:, allowed[candidate.columns]]
                held_out[candidate] = _held_out(columns, bought, part, candidate.ridge)
        losses = {candidate: _log_loss(bought, p) for candidate, p in held_out.items()}
        best = min(losses, key=lambda candidate: losses[candidate])
        slopes, intercept = np.zeros(0), 0.0
        if best.columns != RATE:
            used = allowed[best.columns]
            slopes = np.zeros(matrix.shape[1])
            intercept, slopes[used] = _logistic(matrix[:, used], bought, best.ridge)
        found = cls(
            inputs=inputs,
            slopes=tuple(digits(slope) for slope in slopes),
            intercept=digits(intercept),
            rates={name: digits(rate) for name, rate in _rates(kind, bought).items()},
            used=best.columns,
            ridge=best.ridge,
            losses={f"{c.columns} {c.ridge:g}": digits(loss) for c, loss in losses.items()},
        )
        # a rate is no fit to anybody, and that of few others may be none
        return found, found.chance(rows) if best.columns == RATE else held_out[best]

    def chance(self, features: pd.DataFrame) -> np.ndarray:
        """Return the chance of shape (rows,); a person alone has the bits of the batch."""
        if not self.slopes:
            return np.array([self.rates[k] for k in kinds(features)], dtype=float)
        score = np.full(len(features), self.intercept)
        for column, slope in zip(self.inputs.matrix(features).T, self.slopes, strict=True):
            score = score + column * slope
        return np.asarray(expit(score))

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> FirstPurchase:
        """Restore what ``dataclasses.asdict`` returned."""
        given = saved["inputs"]
        words = tuple((str(name), str(word)) for name, word in given["words"])
        inputs = Inputs(words, tuple(given["centre"]), tuple(given["scale"]))
        return cls(**{**saved, "inputs": inputs, "slopes": tuple(saved["slopes"])})


def digits(number: float) -> float:
    """Round to nine significant digits: sums over many rows differ in the last bits."""
    return float(f"{float(number):.{DIGITS - 1}e}")


def _rates(kind: np.ndarray, bought: np.ndarray) -> dict[str, float]:
    """Return the rate of each kind, drawn to that of both, and both to nobody buying."""
    overall = float(bought.sum()) / (bought.size + NO_BUYER_ROWS)
    found = {}
    for name in KINDS:
        here = kind == name
        prior = KIND_PRIOR_ROWS * overall
        found[name] = (float(bought[here].sum()) + prior) / (int(here.sum()) + KIND_PRIOR_ROWS)
    return found


def _held_out_rates(kind: np.ndarray, bought: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Return each person's chance by the rates of the others."""
    found = np.zeros(bought.size)
    for held in range(HELD_OUT_OF):
        here = part == held
        rates = _rates(kind[~here], bought[~here])
        found[here] = [rates[k] for k in kind[here]]
    return found


def _held_out(matrix: np.ndarray, bought: np.ndarray, part: np.ndarray, ridge: float) -> np.ndarray:
    """Return each person's chance by a regression on the others."""
    found = np.zeros(bought.size)
    for held in range(HELD_OUT_OF):
        here = part == held
        intercept, slopes = _logistic(matrix[~here], bought[~here], ridge)
        found[here] = expit(intercept + matrix[here] @ slopes)
    return found


def _log_loss(bought: np.ndarray, chance: np.ndarray) -> float:
    p = np.clip(chance, 1e-6, 1 - 1e-6)
    return float(-(bought * np.log(p) + (1 - bought) * np.log1p(-p)).mean())


def _logistic(matrix: np.ndarray, bought: np.ndarray, ridge: float) -> tuple[float, np.ndarray]:
    """Fit by Newton's method; the intercept is not drawn anywhere, so that totals agree.

    With nobody, or everybody, among those who bought, it is drawn to half a row of the other.
    """
    rows, columns = matrix.shape
    x = np.column_stack([np.ones(rows), matrix])
    share = (bought.sum() + 0.5) / (rows + 1.0)
    theta = np.append(np.log(share / (1 - share)), np.zeros(columns))
    if not 0 < bought.sum() < rows:
        return float(theta[0]), theta[1:]
    drawn = np.append(0.0, np.full(columns, ridge))
    for _ in range(_STEPS):
        p = expit(x @ theta)
        slope = x.T @ (p - bought) + drawn * theta
        curve = (x * (p * (1 - p))[:, None]).T @ x + np.diag(drawn + 1e-9)
        step = np.linalg.solve(curve, slope)
        # a step of more than one in log-odds may overshoot
        step /= max(1.0, float(np.abs(step).max()))
        theta = theta - step
        if np.abs(step).max() < 1e-10:
            break
    return float(theta[0]), theta[1:]
