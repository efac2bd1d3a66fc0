"""Past tests as arrays: rows that the models had not learned from, and what they can compare."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clv.models.training.sampling import HELD_OUT_OF, customer_place
from clv.models.training.steps import Step, by_cutoff

PARTS_KEY = 20_000_002
TOTAL = "|log(forecast / realised total)|"


@dataclass(frozen=True)
class PastTests:
    """Rows out of fold as arrays, and what can be compared on them.

    Attributes
    ----------
    actual, btyd, trees : ndarray of shape (rows,)
        Realised value and both forecasts; the trees' total brought to BTYD's by ``scale``.
    scale, factor : ndarray of shape (rows,)
        What the trees were multiplied by; the season's correction of each row's cutoff.
    score, p_none, churned : ndarray of shape (rows,)
        The trees' log-odds of churn, BTYD's chance of no purchase, and what happened.
    place : ndarray of int of shape (rows,)
        Each row's cutoff, a place in ``names``.
    names : tuple of str
        ISO cutoffs, oldest first.
    customer, part : ndarray of int of shape (rows,)
        Who each row is of, and one of a few parts, the same for all rows of a customer.
    reach_days : int
        Days that an outcome takes.
    in_time : bool
        Whether the rows are of tests in time; else of customers held out of the learning
        cutoffs, which share the seasons that were learned from.
    """

    actual: np.ndarray
    btyd: np.ndarray
    trees: np.ndarray
    scale: np.ndarray
    factor: np.ndarray
    score: np.ndarray
    p_none: np.ndarray
    churned: np.ndarray
    place: np.ndarray
    names: tuple[str, ...]
    customer: np.ndarray
    part: np.ndarray
    reach_days: int
    in_time: bool

    @classmethod
    def of(cls, rows: pd.DataFrame, reach_days: int, *, in_time: bool) -> PastTests:
        """Read rows of ``Fold.test`` or ``Fold.held_out``."""
        place, names = pd.factorize(rows["as_of"], sort=True)

        def read(name: str) -> np.ndarray:
            return rows[name].to_numpy(dtype=np.float64)

        return cls(
            actual=read("value"),
            btyd=read("btyd"),
            trees=read("trees"),
            scale=read("scale"),
            factor=read("factor"),
            score=read("score"),
            p_none=read("p_none"),
            churned=read("churned"),
            place=place,
            names=tuple(map(str, names)),
            customer=pd.factorize(rows["customer_id"])[0],
            # by another hash than the held-out customers, who are one part of that
            part=(HELD_OUT_OF * customer_place(rows["customer_id"], PARTS_KEY)).astype(int),
            reach_days=reach_days,
            in_time=in_time,
        )

    @property
    def cutoffs(self) -> tuple[str, ...]:
        """The tests in time, by their code; none where only customers were held out."""
        return self.names if self.in_time else ()

    def blended(self, weight: float, *, own_total: bool) -> np.ndarray:
        """Return BTYD and the trees together, with a total of their own or with BTYD's."""
        trees = self.trees / self.scale if own_total else self.trees
        return weight * self.btyd + (1 - weight) * trees

    def by_total(self, name: str, without: np.ndarray, with_step: np.ndarray) -> Step:
        """Compare how far the totals of tests in time were off."""
        kept, lost, other = [], [], []
        for code, cutoff in enumerate(self.cutoffs):
            here = self.place == code
            realised = float(self.actual[here].sum())
            totals = float(without[here].sum()), float(with_step[here].sum())
            if realised > 0 and min(totals) > 0:
                kept.append(cutoff)
                lost.append(abs(float(np.log(totals[0] / realised))))
                other.append(abs(float(np.log(totals[1] / realised))))
        return by_cutoff(name, TOTAL, kept, lost, other, self.reach_days)

    def known_at(self, cutoff: str) -> np.ndarray:
        """Return which rows were over by a cutoff."""
        day = dt.date.fromisoformat(cutoff)
        over = [(day - dt.date.fromisoformat(name)).days >= self.reach_days for name in self.names]
        return np.array(over)[self.place]
