"""Pictures of a backtest: facts of its rows, and the charts that they are given to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clv import plots
from clv.evaluation.metrics import bins_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clv.evaluation.metrics import Estimate
    from clv.plots import Picture

NORMAL_95 = 1.959963984540054
POINTS = 101
ORDERS = {"blend": "model", "btyd": "purchases alone", "value": "perfect order"}
"""Whose order of customers gains are of, by the column that orders them."""


@dataclass(frozen=True)
class BacktestPlots:
    """The pictures of a backtest, each beside the facts that it draws.

    Attributes
    ----------
    rows : DataFrame
        One row per customer and fold: realised and predicted.
    deciles_of, bins, totals : list of dict
        The backtest's ``deciles``, ``calibration`` and ``tracking``.
    models : dict of str to dict of str to Estimate
        Metrics by model.
    horizon_days, currency : int, str
        What values are over, and in.
    """

    rows: pd.DataFrame
    deciles_of: list[dict[str, Any]]
    bins: list[dict[str, Any]]
    totals: list[dict[str, Any]]
    models: Mapping[str, Mapping[str, Estimate]]
    horizon_days: int
    currency: str

    def calibration(self) -> Picture:
        """Draw what share of customers bought nothing, against the forecast of it."""
        return plots.calibration(calibration_facts(self.bins))

    def tracking(self) -> Picture:
        """Draw the totals that were forecast at past cutoffs beside what came."""
        rows = pd.DataFrame(self.totals).rename(columns={"as_of": "day"})
        unit = f" ({self.currency})" if self.currency else ""
        what = f"value in the {self.horizon_days} days from each date{unit}"
        return plots.tracking(rows, what)

    def gains(self) -> Picture:
        """Draw which share of all value the customers hold whom the model puts first."""
        return plots.gains(gains_facts(self.rows))

    def lift(self) -> Picture:
        """Draw how many times the mean each tenth of customers brought, by their forecast."""
        return plots.lift(lift_facts(self.rows))

    def deciles(self) -> Picture:
        """Draw what each tenth of customers brought beside what was forecast of it."""
        return plots.deciles(pd.DataFrame(self.deciles_of), self.currency)

    def skill(self) -> Picture:
        """Draw the normalised Gini of the model beside baselines that anyone could use."""
        return plots.skill(skill_facts(self.models))


def calibration_facts(bins: list[dict[str, Any]]) -> pd.DataFrame:
    """Return a backtest's calibration with intervals of what was observed.

    Wilson's interval of a share (1927, Journal of the American Statistical Association 22), at
    95 %.

    Examples
    --------
    >>> facts = calibration_facts([{"predicted": 0.2, "observed": 0.0, "customers": 100}])
    >>> facts[["low", "high"]].round(3).to_numpy().tolist()
    [[0.0, 0.037]]
    """
    facts = pd.DataFrame(bins)
    n, share, z = facts["customers"], facts["observed"], NORMAL_95
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return facts.assign(low=(centre - half).clip(lower=0), high=(centre + half).clip(upper=1))


def gains_facts(rows: pd.DataFrame) -> pd.DataFrame:
    """Return cumulative shares of customers and of their realised value, by who ordered them.

    Parameters
    ----------
    rows : DataFrame
        A backtest's: ``value`` and predictions by column.

    Returns
    -------
    DataFrame
        ``customers``, ``value`` and ``series``; at most ``POINTS`` rows each.
    """
    value = rows["value"].to_numpy(float)
    whole = float(value.sum())
    at = np.unique(np.linspace(0, len(rows), POINTS).astype(int))
    parts = []
    for column, name in ORDERS.items():
        order = np.argsort(-rows[column].to_numpy(float), kind="stable")
        reached = np.concatenate([[0.0], np.cumsum(value[order])]) / whole if whole else at * 0.0
        parts.append(
            pd.DataFrame({"customers": at / len(rows), "value": reached[at], "series": name})
        )
    return pd.concat(parts, ignore_index=True)


def lift_facts(rows: pd.DataFrame) -> pd.DataFrame:
    """Return each tenth's realised mean over everybody's, by forecast; 10 is the best.

    Parameters
    ----------
    rows : DataFrame
        A backtest's: ``value`` and ``blend``.
    """
    value = rows["value"].to_numpy(float)
    tenths = bins_of(rows["blend"].to_numpy(float))
    mean = float(value.mean())
    lifted = [float(value[part].mean()) / mean if mean else float("nan") for part in tenths]
    return pd.DataFrame({"decile": range(1, len(lifted) + 1), "lift": lifted})


def skill_facts(models: Mapping[str, Mapping[str, Estimate]], metric: str = "gini") -> pd.DataFrame:
    """Return a metric of every model with its interval.

    Parameters
    ----------
    models : mapping of str to mapping of str to Estimate
        Metrics by model.
    metric : str
        Which.
    """
    rows = [
        {"model": ORDERS.get(name, name), **estimates[metric].as_dict()}
        for name, estimates in models.items()
        if metric in estimates and name != "zero"
    ]
    return pd.DataFrame(rows).assign(metric="normalised Gini" if metric == "gini" else metric)
