"""People who have not bought: never, or everything they bought was returned.

Their value is the chance of a first kept purchase in the horizon, times what such a purchase
and what follows it bring, both learned from people who stood there at past cutoffs. Where
there were none there is no value.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clv.models.intervals import Intervals
from clv.models.prospects.first_purchase import RATE, FirstPurchase, digits
from clv.models.prospects.people import KINDS, kinds, known_days, numbers_of
from clv.models.training.sampling import HELD_OUT_OF, customer_part, sampled
from clv.notes import Note

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clv.features.base import Feature
    from clv.models.options import ModelOptions
    from clv.models.training.panel import Panel
    from clv.windows import Window

FORECASTS = ("clv", "clv_low", "clv_high", "p_first", "expected_purchases", "expected_spend")

PAST = ("customer_id", "as_of", "kind", "value", "revenue", "purchases", *FORECASTS)

PRIOR_BUYERS = 5.0
"""Weight of a first order of today's customers against what past first purchases brought."""


@dataclass(frozen=True)
class Prospects:
    """What people who have not bought are expected to bring.

    Attributes
    ----------
    chance : FirstPurchase
    people, rows, buyers : int
        Past people, their rows over all cutoffs, and rows with a first purchase.
    value, purchases, spend : dict of str to float
        By kind, per person who buys: value over the horizon; purchases; amount of each.
    intervals : Intervals
        Of their realised value.
    """

    chance: FirstPurchase
    people: int
    rows: int
    buyers: int
    value: dict[str, float]
    purchases: dict[str, float]
    spend: dict[str, float]
    intervals: Intervals

    @classmethod
    def fit(
        cls,
        rows: pd.DataFrame,
        buyers: pd.DataFrame,
        features: Mapping[str, Feature],
        level: float,
    ) -> Prospects | None:
        """Learn from people who had not bought at past cutoffs; None where there were none.

        Parameters
        ----------
        rows : DataFrame
            Of ``Panel.prospects``: features, and what they went on to do.
        buyers : DataFrame
            Customers of the last of these cutoffs: what a first order is worth for want of
            first orders of past prospects.
        features : mapping of str to Feature
            Declarations of the columns.
        level : float
            Nominal coverage of the intervals.
        """
        if rows.empty:
            return None
        chance, held_out = FirstPurchase.fit(rows, features)
        kind, bought = kinds(rows), rows["purchases"].to_numpy(float) > 0
        brings = _brings(rows, kind, bought, buyers)
        each = np.array([brings["value"][k] for k in kind])
        return cls(
            chance=chance,
            people=int(rows["customer_id"].nunique()),
            rows=len(rows),
            buyers=int(bought.sum()),
            intervals=Intervals.learn(rows["value"].to_numpy(float), held_out * each, level),
            **brings,
        )

    def forecast(self, features: pd.DataFrame) -> pd.DataFrame:
        """Return ``FORECASTS`` of people who have not bought, same index.

        All nan for a person whom no date shows to be known: nobody of the past compares.
        """
        kind, dated = kinds(features), known_days(features).notna().to_numpy()
        p_first = np.where(dated, self.chance.chance(features), np.nan)
        value, purchases, spend = (
            np.array([per[k] for k in kind], dtype=float)
            for per in (self.value, self.purchases, self.spend)
        )
        clv = p_first * value
        low, high = self.intervals.apply(clv)
        found = {
            "clv": clv,
            "clv_low": low,
            "clv_high": high,
            "p_first": p_first,
            "expected_purchases": p_first * purchases,
            "expected_spend": np.where(dated, spend, np.nan),
        }
        return pd.DataFrame(found, index=features.index)

    def notes(self) -> Sequence[Note]:
        """Say how the chance of a first purchase is told."""
        if self.chance.used != RATE:
            return []
        text = (
            f"{self.people:,} past people were yet to buy at {self.rows:,} looks, and "
            f"{self.buyers:,} of these led to a purchase in the horizon: everybody of a kind is "
            "given its rate"
        )
        return [Note("prospects_pooled", "prospects", self.people, text)]

    def as_dict(self) -> dict[str, Any]:
        """Return the model as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Prospects:
        """Restore what ``as_dict`` returned."""
        parts = {
            "chance": FirstPurchase.from_dict(saved["chance"]),
            "intervals": Intervals.from_dict(saved["intervals"]),
        }
        return cls(**{**saved, **parts})


def learn_prospects(
    panel: Panel, windows: Sequence[Window], options: ModelOptions
) -> Prospects | None:
    """Learn from the people who had not bought at some cutoffs of a panel."""
    rows = sampled(panel.prospects_of(windows), options)
    return Prospects.fit(rows, panel.at(max(windows)), panel.features, options.level)


def past_forecast(
    panel: Panel, earlier: Sequence[Window], window: Window, options: ModelOptions
) -> pd.DataFrame:
    """Return ``PAST`` of the people who had not bought at a cutoff.

    As forecast from earlier cutoffs; nan where these held nobody to learn from.
    """
    return _beside(panel.prospects_of([window]), learn_prospects(panel, earlier, options))


def unseen_forecast(panel: Panel, options: ModelOptions) -> pd.DataFrame:
    """Return ``PAST`` of the last cutoff, as forecast from other people of all cutoffs."""
    *_, last = panel.windows
    rows = panel.prospects_of([last])
    if rows.empty:
        return _beside(rows, None)
    everyone, part = sampled(panel.prospects, options), customer_part(rows)
    parts = []
    for held in range(HELD_OUT_OF):
        others = everyone[customer_part(everyone) != held]
        learned = Prospects.fit(others, panel.at(last), panel.features, options.level)
        parts.append(_beside(rows[part == held], learned))
    return pd.concat(parts).sort_index()


def _beside(rows: pd.DataFrame, learned: Prospects | None) -> pd.DataFrame:
    """Return what people did, with what was forecast of them."""
    if rows.empty:
        return pd.DataFrame(columns=list(PAST)).astype(dict.fromkeys(PAST[3:], float))
    if learned is None:
        forecast = pd.DataFrame(np.nan, index=rows.index, columns=list(FORECASTS))
    else:
        forecast = learned.forecast(rows)
    return rows.assign(kind=kinds(rows), **{n: forecast[n] for n in FORECASTS})[list(PAST)]


def _brings(
    rows: pd.DataFrame, kind: np.ndarray, bought: np.ndarray, buyers: pd.DataFrame
) -> dict[str, dict[str, float]]:
    """Return what a person who buys brings, by kind.

    All money of the kind over those who bought, so that chance times this is the kind's
    total: what the others cost, such as refunds, is in it. Few buyers are drawn to all
    prospects', and these to a first order of today's customers.
    """
    order = numbers_of(buyers, "first_order")["first_order"]
    ratio = numbers_of(buyers, "margin_ratio")["margin_ratio"].fillna(1.0)
    first = np.array([_mean(order * ratio), 1.0, _mean(order)])
    mine = rows[["value", "purchases", "revenue"]].to_numpy(float)
    overall = _drawn(mine.sum(axis=0), float(bought.sum()), first)
    found: dict[str, dict[str, float]] = {"value": {}, "purchases": {}, "spend": {}}
    for name in KINDS:
        here = kind == name
        value, purchases, revenue = _drawn(
            mine[here].sum(axis=0), float(bought[here].sum()), overall
        )
        found["value"][name] = digits(max(value, 0.0))
        found["purchases"][name] = digits(purchases)
        found["spend"][name] = digits(max(revenue, 0.0) / purchases)
    return found


def _drawn(total: np.ndarray, buyers: float, start: np.ndarray) -> np.ndarray:
    return (total + PRIOR_BUYERS * start) / (buyers + PRIOR_BUYERS)


def _mean(values: pd.Series) -> float:
    return float(values.mean()) if values.notna().any() else 0.0
