"""Every outcome that can be asked about: money, churn, repeat purchase, refunds, reputation.

The estimators are those of value; only the outcome and its unit change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from clv.effects.effects import with_outcome
from clv.effects.results import rounded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from clv.effects.design.encode import Studied
    from clv.effects.design.exposure import Floats
    from clv.effects.effects import Effects
    from clv.effects.estimators.study import EffectOptions
    from clv.effects.results import Effect

MIN_KNOWN = 200
"""Fewer contacts than that with a known outcome are not compared."""


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
        Of it, and so of its effects; ``currency`` stands for the company's.
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
        Outcome("purchases", "orders", "purchases", "more", "orders"),
        Outcome("refunds", "refunds", "currency", "less", "orders with negative amounts"),
        Outcome("next_contacts", "contacts_after", "contacts", "less", "interactions"),
        Outcome("csat", "satisfaction", "points of 1 to 5", "more", "surveys of the kind csat"),
        Outcome("nps", "nps", "points of 0 to 10", "more", "surveys of the kind nps"),
        Outcome("ces", "ces", "points of 1 to 7", "more", "surveys of the kind ces"),
        Outcome("review", "review", "points of 1 to 5", "more", "surveys of the kind review"),
    )
}
"""By name. Churn is no purchase in the horizon; a repeat purchase is one."""


@dataclass(frozen=True)
class OutcomeEffects:
    """The effects of the core behaviours on one outcome.

    Attributes
    ----------
    outcome : Outcome
        Which.
    mean : float
        Over the days of follow-up, of the contacts after which it is known.
    contacts : int
        How many they are.
    effects : tuple of Effect
        One per core behaviour: adjusted, and with agents as instruments.
    """

    outcome: Outcome
    mean: float
    contacts: int
    effects: tuple[Effect, ...]

    def as_dict(self, currency: str) -> dict[str, Any]:
        """Return the row as JSON-able values."""
        unit = currency if self.outcome.unit == "currency" else self.outcome.unit
        return {
            "outcome": self.outcome.name,
            "unit": unit,
            "better": self.outcome.better,
            "mean": rounded(self.mean),
            "contacts": self.contacts,
            "effects": [effect.as_dict() for effect in self.effects],
        }


def outcome_effects(
    effects: Effects,
    studied: Studied,
    follow_up: pd.DataFrame,
    names: Sequence[str],
    options: EffectOptions,
) -> tuple[tuple[OutcomeEffects, ...], list[Mapping[str, str]]]:
    """Estimate the core behaviours' effects on further outcomes, behind the same gates.

    Parameters
    ----------
    effects : Effects
        Of value: its residual behaviours are used again.
    studied : Studied
        The contacts behind it.
    follow_up : DataFrame
        ``interaction_id`` and the outcomes' columns; NaN where unknown.
    names : sequence of str
        Of ``OUTCOMES``.
    options : EffectOptions
        As for value.

    Returns
    -------
    tuple
        What was found, and ``{"what", "why"}`` of what could not be.
    """
    table = follow_up.set_index("interaction_id").reindex(studied.contacts["interaction_id"])
    found: list[OutcomeEffects] = []
    missing: list[Mapping[str, str]] = []
    for name in names:
        asked = OUTCOMES[name]
        values = known_values(table, asked)
        known = values[np.isfinite(values)]
        why = None
        if len(known) < MIN_KNOWN:
            why = f"{len(known)} contacts have it, {MIN_KNOWN} are needed; bring {asked.needs}"
        elif effects.study is None:
            why = "no behaviour can be studied"
        elif known.min() == known.max():
            why = f"it is {known[0]:g} after every contact"
        if why is not None:
            missing.append({"what": f"effects on {name}", "why": why})
            continue
        rows = with_outcome(effects, values, options).effects
        found.append(OutcomeEffects(asked, float(known.mean()), len(known), rows))
    return tuple(found), missing


def known_values(table: pd.DataFrame, asked: Outcome) -> Floats:
    """Return an outcome's column; NaN throughout where it is not in the data."""
    if asked.column not in table:
        return np.full(len(table), np.nan)
    return table[asked.column].to_numpy(np.float64)
