"""Every outcome that can be asked about: money, churn, repeat purchase, refunds, reputation.

The estimators are those of value; only the outcome and its unit change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from clv.effects.design.exposure import CHANNELS
from clv.effects.effects import estimate_effects, with_outcome
from clv.effects.results import rounded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from clv.effects.design.encode import Studied
    from clv.effects.design.exposure import Codes, Floats
    from clv.effects.effects import Effects
    from clv.effects.estimators.study import EffectOptions
    from clv.effects.results import Effect

MIN_KNOWN = 200
"""Fewer customers than that with a known outcome are not compared."""


@dataclass(frozen=True)
class Outcome:
    """One thing that service may move.

    Attributes
    ----------
    name : str
        As the settings ask for it.
    column : str
        Where it is found.
    unit : str
        Of it, and so of its effects, per customer; ``currency`` stands for the company's.
    better : {"more", "less"}
        Which direction is good.
    needs : str
        What to bring where it is missing.
    """

    name: str
    column: str
    unit: str
    better: Literal["more", "less"]
    needs: str


OUTCOMES = {
    one.name: one
    for one in (
        Outcome("value", "value_undiscounted", "currency", "more", "orders"),
        Outcome("churn", "churned", "probability", "less", "orders"),
        Outcome("repeat_purchase", "repeat_purchase", "probability", "more", "orders"),
        Outcome("purchases", "purchases", "purchase days", "more", "orders"),
        Outcome("refunds", "refunds", "currency", "less", "orders with negative amounts"),
        Outcome("next_contacts", "next_contacts", "contacts", "less", "interactions"),
        Outcome("csat", "csat", "points of 1 to 5", "more", "surveys of the kind csat"),
        Outcome("nps", "nps", "points of 0 to 10", "more", "surveys of the kind nps"),
        Outcome("ces", "ces", "points of 1 to 7", "more", "surveys of the kind ces"),
        Outcome("review", "review", "points of 1 to 5", "more", "surveys of the kind review"),
    )
}
"""By name. Churn is no purchase in the horizon; a repeat purchase is one."""


@dataclass(frozen=True)
class OutcomeEffects:
    """The effects of the channels on one outcome.

    Attributes
    ----------
    outcome : Outcome
        Which.
    mean : float
        Of the customers in whom it is known.
    customers : int
        How many they are.
    effects : tuple of Effect
        One per channel, with levels 1 and 2.
    """

    outcome: Outcome
    mean: float
    customers: int
    effects: tuple[Effect, ...]

    def as_dict(self, currency: str) -> dict[str, Any]:
        """Return the row as JSON-able values."""
        unit = currency if self.outcome.unit == "currency" else self.outcome.unit
        return {
            "outcome": self.outcome.name,
            "unit": unit,
            "better": self.outcome.better,
            "mean": rounded(self.mean),
            "customers": self.customers,
            "effects": [effect.as_dict() for effect in self.effects],
        }


def outcome_effects(
    effects: Effects,
    studied: Studied,
    outcomes: pd.DataFrame,
    names: Sequence[str],
    options: EffectOptions,
) -> tuple[tuple[OutcomeEffects, ...], list[Mapping[str, str]]]:
    """Estimate the channels' effects on further outcomes, behind the same gates.

    Parameters
    ----------
    effects : Effects
        Of value: its study is reused where every customer has the outcome.
    studied : Studied
        The contacts and customers behind it.
    outcomes : DataFrame
        ``customer_id`` and the outcomes' columns; NaN where unknown.
    names : sequence of str
        Of ``OUTCOMES``.
    options : EffectOptions
        As for value.

    Returns
    -------
    tuple
        What was found, and ``{"what", "why"}`` of what could not be.
    """
    table = outcomes.set_index("customer_id").reindex(studied.customers)
    found: list[OutcomeEffects] = []
    missing: list[Mapping[str, str]] = []
    for name in names:
        one = OUTCOMES[name]
        values = known_values(table, one)
        known = np.flatnonzero(np.isfinite(values))
        if len(known) < MIN_KNOWN:
            why = f"{len(known)} customers have it, {MIN_KNOWN} are needed; bring {one.needs}"
            missing.append({"what": f"effects on {name}", "why": why})
            continue
        if effects.study is None:
            missing.append({"what": f"effects on {name}", "why": "no behaviour can be studied"})
            continue
        if values[known].min() == values[known].max():
            why = f"it is {values[known][0]:g} for every customer"
            missing.append({"what": f"effects on {name}", "why": why})
            continue
        rows = _effects(effects, values, known, options).effects
        found.append(OutcomeEffects(one, float(values[known].mean()), len(known), rows))
    return tuple(found), missing


def known_values(table: pd.DataFrame, one: Outcome) -> Floats:
    """Return an outcome's column; NaN throughout where it is not in the data."""
    if one.column not in table:
        return np.full(len(table), np.nan)
    return table[one.column].to_numpy(np.float64)


def _effects(effects: Effects, values: Floats, known: Codes, options: EffectOptions) -> Effects:
    assert effects.study is not None
    if len(known) == len(values):
        return with_outcome(effects, values, options)
    # Those who never answered are left out, so that everything is estimated anew.
    exposure = effects.study.exposure.only(known).with_outcome(values[known])
    return estimate_effects(exposure, CHANNELS, options)
