"""Facts and pictures of a fitted purchase model: maps, one customer's curve, tracking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv import plots
from clv.errors import UsageError
from clv.models.btyd import BTYD
from clv.models.btyd.base import expected_new_customer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clv.plots import Picture

CELLS = 40
"""Of a map, along the days."""


@dataclass(frozen=True)
class PurchasePlots:
    """The pictures of a fitted purchase model.

    Attributes
    ----------
    model : str
        A key of ``BTYD``.
    parameters : mapping of str to float
        By the literature's names; time in days.
    """

    model: str
    parameters: Mapping[str, float]

    def frequency_recency(
        self, horizon_days: int = 90, max_frequency: int = 20, max_recency_days: int = 365
    ) -> Picture:
        """Draw how many purchases are expected in a horizon, by how often and how lately.

        Parameters
        ----------
        horizon_days : int
        max_frequency : int
            Repeat purchases of the map's upper end.
        max_recency_days : int
            Age of the customers, and so the right end: a purchase there was today.
        """
        facts = map_facts(
            self.model, self.parameters, horizon_days, max_frequency, max_recency_days
        )
        return plots.frequency_recency(facts)

    def p_alive(self, max_frequency: int = 20, max_recency_days: int = 365) -> Picture:
        """Draw how likely customers are still there, by how often and how lately they bought.

        Parameters
        ----------
        max_frequency : int
            Repeat purchases of the map's upper end.
        max_recency_days : int
            Age of the customers, and so the right end: a purchase there was today.
        """
        return plots.p_alive(
            map_facts(self.model, self.parameters, 1, max_frequency, max_recency_days)
        )

    def customer(
        self,
        purchase_days: Sequence[float],
        age_days: int,
        horizon_days: int = 90,
        title: str = "One customer",
    ) -> Picture:
        """Draw a customer's purchases, P(alive) on every day, and what is expected.

        Parameters
        ----------
        purchase_days : sequence of float
            Days of the purchases since the first one, which is 0.
        age_days : int
            Days from the first purchase to today.
        horizon_days : int
            How far ahead.
        title : str
            Whose.
        """
        facts = customer_facts(self.model, self.parameters, purchase_days, age_days, horizon_days)
        return plots.customer_curve(facts, title)

    def tracking(self, first_days: Sequence[float], repeat_days: Sequence[float]) -> Picture:
        """Draw cumulative repeat purchases of a group of customers beside what the model expects.

        Parameters
        ----------
        first_days : sequence of float
            Day of each customer's first purchase, counted from any day.
        repeat_days : sequence of float
            Day of every repeat purchase of theirs, counted from the same.
        """
        facts = tracking_facts(self.model, self.parameters, first_days, repeat_days)
        return plots.tracking(facts, "cumulative repeat purchases")


def map_facts(
    model: str,
    parameters: Mapping[str, float],
    horizon_days: int,
    max_frequency: int,
    max_recency_days: int,
) -> pd.DataFrame:
    """Return what is expected of customers of one age, over a grid of histories.

    Who never bought again has a recency of 0, and who did has one above it: other cells are
    unknown.

    Parameters
    ----------
    model : str
        A key of ``BTYD``.
    parameters : mapping of str to float
    horizon_days, max_frequency, max_recency_days : int

    Returns
    -------
    DataFrame
        ``frequency``, ``recency_days``, ``expected_purchases`` and ``p_alive``.
    """
    if max_frequency < 1 or max_recency_days < 1 or horizon_days < 1:
        raise UsageError(
            f"map: horizon {horizon_days}, frequency {max_frequency}, recency "
            f"{max_recency_days} days; expected each to be at least 1."
        )
    days = np.linspace(0, max_recency_days, min(CELLS, max_recency_days) + 1)
    recency, frequency = np.meshgrid(days, np.arange(max_frequency + 1.0))
    recency, frequency = recency.ravel(), frequency.ravel()
    age = np.full(recency.size, float(max_recency_days))
    fitted = BTYD[model]
    alive = fitted.p_alive(parameters, frequency, recency, age)
    expected = alive * fitted.purchases_if_alive(parameters, frequency, age, float(horizon_days))
    possible = (frequency == 0) == (recency == 0)
    return pd.DataFrame(
        {
            "frequency": frequency,
            "recency_days": recency,
            "expected_purchases": np.where(possible, expected, np.nan),
            "p_alive": np.where(possible, alive, np.nan),
        }
    )


def customer_facts(
    model: str,
    parameters: Mapping[str, float],
    purchase_days: Sequence[float],
    age_days: int,
    horizon_days: int,
) -> pd.DataFrame:
    """Return a customer's purchases and P(alive) day by day, and what is expected after today.

    Parameters
    ----------
    model : str
        A key of ``BTYD``.
    parameters : mapping of str to float
    purchase_days : sequence of float
        Since the first purchase, which is 0; several of one day count once.
    age_days : int
        Today.
    horizon_days : int

    Returns
    -------
    DataFrame
        ``day``, ``purchases`` (cumulative, up to today), ``expected`` (from today on),
        ``p_alive`` (up to today) and ``bought``.

    Raises
    ------
    UsageError
        When a purchase lies before the first one or after today.
    """
    bought_on = np.unique(np.floor(np.asarray([0, *purchase_days], dtype=float)))
    if bought_on[0] < 0 or bought_on[-1] > age_days or horizon_days < 1:
        raise UsageError(
            f"customer: purchases on days {bought_on[0]:g} to {bought_on[-1]:g}, today is day "
            f"{age_days}, horizon {horizon_days} days; expected days from 0 to today, and a "
            "horizon of at least 1."
        )
    day = np.arange(age_days + horizon_days + 1, dtype=float)
    past = day <= age_days
    count = np.searchsorted(bought_on, day, side="right").astype(float)
    last = bought_on[count.astype(int) - 1]
    fitted = BTYD[model]
    alive = np.full(day.size, np.nan)
    alive[past] = fitted.p_alive(parameters, count[past] - 1, last[past], day[past])
    ahead = np.full(day.size, np.nan)
    x, t = np.array([count[-1] - 1]), np.array([float(age_days)])
    flows = [
        float(fitted.purchases_if_alive(parameters, x, t, float(h))[0]) if h else 0.0
        for h in range(horizon_days + 1)
    ]
    ahead[age_days:] = count[age_days] + alive[age_days] * np.array(flows)
    return pd.DataFrame(
        {
            "day": day,
            "purchases": np.where(past, count, np.nan),
            "expected": ahead,
            "p_alive": alive,
            "bought": np.isin(day, bought_on),
        }
    )


def tracking_facts(
    model: str,
    parameters: Mapping[str, float],
    first_days: Sequence[float],
    repeat_days: Sequence[float],
) -> pd.DataFrame:
    """Return cumulative repeat purchases of a group, day by day, beside what is expected.

    Expected is the sum over customers of E[X(t)] since their first purchase (Fader, Hardie &
    Lee 2005, Marketing Science 24, equation 9 and figure 2).

    Parameters
    ----------
    model : str
        A key of ``BTYD``.
    parameters : mapping of str to float
    first_days, repeat_days : sequence of float
        Counted from the same day.

    Returns
    -------
    DataFrame
        ``day`` since the first purchase of the first customer, ``predicted`` and ``actual``.
    """
    first, repeats = np.asarray(first_days, float), np.asarray(repeat_days, float)
    if not first.size:
        raise UsageError("tracking: no customer; expected the day of at least one first purchase.")
    start = float(first.min())
    days = np.arange(int(max(first.max(), repeats.max(initial=start)) - start) + 1, dtype=float)
    births = np.bincount((first - start).astype(int), minlength=days.size)
    expected = expected_new_customer(BTYD[model], parameters, np.maximum(days, 1e-9))
    expected[0] = 0.0
    predicted = np.convolve(births, expected)[: days.size]
    actual = np.searchsorted(np.sort(repeats - start), days, side="right")
    return pd.DataFrame({"day": days, "predicted": predicted, "actual": actual})
