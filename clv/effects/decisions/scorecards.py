"""Scorecards: which items of quality assurance are worth money, and which show nothing.

Items are priced by two samples (``clv.effects.estimators.two_sample``), all of them in one system
with the core behaviours: an item's price is what it adds at equal empathy, handle time and
resolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from clv.effects.estimators.two_sample import two_sample
from clv.effects.results import rounded

if TYPE_CHECKING:
    import pandas as pd

    from clv.contract.tables import Tables
    from clv.effects.design.exposure import Floats
    from clv.effects.effects import Effects
    from clv.effects.estimators.study import EffectOptions, Study
    from clv.windows import Window

CHANGE = 0.1
"""Of an item's points: what a price is stated for."""

MIN_EVALUATED = 200
"""Fewer contacts than that with an item have no price."""

MIN_FIRST_STAGE_F = 10.0
"""Agents have to differ that strongly in an item, given all else. Each item has one instrument,
whose intervals hold from there on (Angrist & Kolesár 2024); the core behaviours' own gate is
stricter since targets are set by them."""

MAX_ITEMS = 15
"""More would leave agents too little that is an item's own; the most evaluated ones stand."""

Unpriced = list[Mapping[str, str]]


@dataclass(frozen=True)
class ItemPrice:
    """What an item of the scorecard is worth.

    Attributes
    ----------
    item : str
        As the scorecard calls it.
    evaluated : int
        Contacts with a score of it.
    mean : float
        Of the points that could be had, the share that was given.
    first_stage_f : float
        How strongly agents differ in it, given all else.
    estimate, low, high : float or None
        Currency over the days of follow-up, per contact, for a tenth of its points more; None
        where agents differ too little.
    settled : bool
        Whether the sign stands when all items are looked at together (Bonferroni).
    """

    item: str
    evaluated: int
    mean: float
    first_stage_f: float
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    settled: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the row as JSON-able values."""
        return {
            "item": self.item,
            "evaluated": self.evaluated,
            "mean": rounded(self.mean),
            "change": CHANGE,
            "unit": "share of points",
            "per": "contact",
            "first_stage_f": rounded(self.first_stage_f),
            "estimate": _rounded(self.estimate),
            "low": _rounded(self.low),
            "high": _rounded(self.high),
            "settled": self.settled,
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else rounded(value)


def item_prices(
    tables: Tables,
    contacts: pd.DataFrame,
    effects: Effects,
    window: Window,
    options: EffectOptions,
) -> tuple[tuple[ItemPrice, ...], Unpriced]:
    """Price the items of the scorecards, where agents stand as instruments.

    Parameters
    ----------
    tables : Tables
        With ``evaluations``, or there is nothing to price.
    contacts : DataFrame
        Those of the effects, in their order.
    effects : Effects
        Of value.
    window : Window
        What was evaluated by the end of its horizon counts.
    options : EffectOptions
        Confidence of the intervals.

    Returns
    -------
    tuple
        Prices, the best first, and ``{"what", "why"}`` of what could not be priced.
    """
    if "evaluations" not in tables:
        return (), []
    what = "prices of scorecard items"
    study = effects.study
    if study is None or effects.second is None:
        why = "agents do not stand as instruments; see why under the effects"
        return (), [{"what": what, "why": why}]
    shares = evaluated_shares(tables, window).reindex(contacts["interaction_id"])
    counts = shares.notna().sum()
    varied = shares.max() > shares.min()
    kept = counts[(counts >= MIN_EVALUATED) & varied].nlargest(MAX_ITEMS).index
    left: Unpriced = [
        {
            "what": f"price of {item}",
            "why": f"{counts[item]} contacts were scored on it, with the same share of points in "
            f"all of them or fewer than {MIN_EVALUATED}; at most {MAX_ITEMS} items are priced",
        }
        for item in sorted(shares.columns.difference(kept))
    ]
    if not len(kept):
        return (), left
    names = sorted(kept)
    try:
        rows = priced(study, shares[names], options)
    except np.linalg.LinAlgError:
        why = "items move together in every agent, so that none has a price of its own"
        return (), [*left, {"what": what, "why": why}]
    weak: Unpriced = [
        {
            "what": f"price of {row.item}",
            "why": f"agents differ too little in it: first-stage F = {row.first_stage_f:.1f}, "
            f"{MIN_FIRST_STAGE_F:.0f} is needed; evaluate more contacts per agent",
        }
        for row in rows
        if row.estimate is None
    ]
    return rows, [*left, *weak]


def evaluated_shares(tables: Tables, window: Window) -> pd.DataFrame:
    """Return the share of its points that each evaluated contact was given, by item.

    Of several evaluations of one item of a contact, points are added up.
    """
    rows = tables["evaluations"]
    rows = rows.filter(rows.evaluated_at < window.beyond_s)
    points = rows.select("evaluation_id", "interaction_id", "item", "score", "score_max")
    frame = tables.engine.to_pandas(points.order_by("evaluation_id"))
    sums = frame.groupby(["interaction_id", "item"])[["score", "score_max"]].sum()
    given = (sums["score"] / sums["score_max"]).rename("share").reset_index()
    return given.pivot_table(index="interaction_id", columns="item", values="share")


def priced(study: Study, shares: pd.DataFrame, options: EffectOptions) -> tuple[ItemPrice, ...]:
    """Return a price per column of shares, which has a row per contact of the study.

    Raises
    ------
    numpy.linalg.LinAlgError
        When agents do not move every item.
    """
    scores: Floats = shares.to_numpy(np.float64)
    fit = two_sample(study, scores)
    degrees = max(fit.agents - study.pools - len(study.bases) - len(shares.columns), 1)
    reach, joint = (
        float(stats.t.ppf(1 - (1 - options.level) / 2 / count, degrees))
        for count in (1, len(shares.columns))
    )
    found = []
    for n, item in enumerate(shares.columns):
        known = scores[np.isfinite(scores[:, n]), n]
        facts = str(item), len(known), float(known.mean()), float(fit.first_stage_f[n])
        if fit.first_stage_f[n] < MIN_FIRST_STAGE_F:
            found.append(ItemPrice(*facts))
            continue
        value = CHANGE * float(fit.coefficients[n])
        error = CHANGE * float(np.sqrt(fit.covariance[n, n]))
        half = reach * error
        settled = abs(value) > joint * error
        found.append(ItemPrice(*facts, value, value - half, value + half, settled))
    return tuple(sorted(found, key=lambda row: -(row.estimate or 0.0)))
