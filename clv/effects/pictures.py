"""Pictures of an attribution: effects with their evidence, over time, targets, contributions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from clv import plots
from clv.effects.results import PER
from clv.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clv.effects.decisions.results import Target
    from clv.effects.lasting import EffectCurve
    from clv.plots import Picture

T = TypeVar("T")


@dataclass(frozen=True)
class AttributionPlots:
    """The pictures of an attribution, each beside the facts that it draws.

    Attributes
    ----------
    facts : DataFrame
        A row for each behaviour and level of evidence.
    curves : mapping of str to EffectCurve
        By behaviour.
    targets : mapping of str to Target
        By behaviour.
    contributions_of : sequence of mapping
        Portfolio contributions by group.
    currency : str
        What the numbers are in.
    """

    facts: pd.DataFrame
    curves: Mapping[str, EffectCurve]
    targets: Mapping[str, Target]
    contributions_of: Sequence[Mapping[str, Any]]
    currency: str

    def effects(self) -> Picture:
        """Draw every effect that is claimed, at each level of evidence."""
        return plots.forest(self.facts, f"{self.currency} {PER}")

    def curve(self, behaviour: str) -> Picture:
        """Draw what a behaviour does in each month after the contact, with its band.

        Parameters
        ----------
        behaviour : str
            One that has a curve.

        Raises
        ------
        UsageError
            When it has none.
        """
        curve = _named(self.curves, behaviour, "curve")
        unit = f"{self.currency} per contact and month"
        title = f"After the contact: {_words(behaviour)} ({curve.evidence})"
        return plots.effect_curve(curve_facts(curve), unit, title)

    def target(self, behaviour: str) -> Picture:
        """Draw what a target of a behaviour brings net of its cost, with its band.

        Parameters
        ----------
        behaviour : str
            One that has a target.

        Raises
        ------
        UsageError
            When it has none.
        """
        target = _named(self.targets, behaviour, "target")
        same = self.facts["name"] == _words(behaviour)
        return plots.target_curve(
            target_facts(target),
            target.current,
            target.suggested,
            str(self.facts.loc[same, "unit"].iloc[0]),
            self.currency,
            f"Where to set the target: {_words(behaviour)} ({target.grade})",
        )

    def contributions(self) -> Picture:
        """Draw how much of customers' value goes with each group of features."""
        facts = pd.DataFrame([dict(row) for row in self.contributions_of])
        return plots.contributions(facts, self.currency)


def curve_facts(curve: EffectCurve) -> pd.DataFrame:
    """Return an effect month by month: ``time``, ``estimate``, ``low``, ``high``."""
    columns = {name: list(getattr(curve, name)) for name in ("estimate", "low", "high")}
    return pd.DataFrame({"time": list(curve.until_days), **columns, "time_unit": "days"})


def target_facts(target: Target) -> pd.DataFrame:
    """Return a target's curve in the behaviour's own unit: ``at``, ``net``, ``low``, ``high``."""
    rows = [
        {"at": target.current * point.scale, "net": point.net, "low": point.low, "high": point.high}
        for point in target.curve
    ]
    return pd.DataFrame(rows, columns=["at", "net", "low", "high"])


def _words(behaviour: str) -> str:
    return behaviour.replace("_", " ")


def _named(those: Mapping[str, T], behaviour: str, what: str) -> T:
    if behaviour not in those:
        known = ", ".join(those) or "none: see `unavailable`"
        raise UsageError(f"{what}: {behaviour!r} has no {what} here; those that have: {known}.")
    return those[behaviour]
