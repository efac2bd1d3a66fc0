"""What an attribution holds, as results and as attribution.json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clv.display import Displayed, Summary
from clv.effects.agents import LEAST_AGENTS, LIMITS, team_scores
from clv.effects.results import COLUMNS, NUMBERS, PER
from clv.notes import Note

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from clv.contract.tables import Tables
    from clv.effects.agents import AgentScore
    from clv.effects.decisions.frontier import Frontier
    from clv.effects.decisions.results import Target
    from clv.effects.decisions.scorecards import ItemPrice
    from clv.effects.journeys import Journey
    from clv.effects.lasting import EffectCurve
    from clv.effects.outcomes import OutcomeEffects
    from clv.effects.phrases import Phrases
    from clv.effects.pictures import AttributionPlots
    from clv.effects.results import Effect
    from clv.effects.rollouts import RollOutResult
    from clv.windows import Window


@dataclass(frozen=True, repr=False)
class Attribution(Displayed):
    """What service behaviours are worth in one company.

    Attributes
    ----------
    currency, as_of, horizon_days : str, str, int
        What the numbers are in, and of when.
    customers : int
        Customers with a contact that was studied.
    model_version : int or None
        Of the model that gave the contributions.
    contributions : tuple of dict
        Portfolio contributions by group, as the model summarised them.
    effects : tuple of Effect
        One per behaviour, on value.
    outcomes : tuple of OutcomeEffects
        The core behaviours' effects on whatever else was asked about.
    targets : tuple of Target
        Where agents are claimed as instruments.
    part_targets : tuple of dict
        Targets by queue and issue type, each through its own gates.
    frontier : Frontier or None
        Empathy and handle time together, where both have a target.
    agents : tuple of AgentScore
        Where agents are claimed as instruments.
    segments : tuple of dict
        Effects by segment, each through its own gates.
    journey : Journey or None
        What bad experiences cost, and where friction lies.
    unavailable : tuple of dict
        ``{"what", "why"}`` of whatever could not be computed.
    notes : tuple of Note
        What was left out on the way.
    curves : tuple of EffectCurve
        How the core behaviours' effects come and go, month by month after a contact.
    phrases : Phrases or None
        Phrases of agents that go with value; None without markers of the messages.
    workload : tuple of dict
        Utilisation and contacts per logged-in hour by agent, where agent_days are given.
    rollouts : tuple of RollOutResult
        What trainings, tools and policies did that reached units at different times.
    refused : tuple of dict
        ``{"behaviour", "why", "mend", "what"}`` of targets whose gates did not hold.
    scorecard : tuple of ItemPrice
        Items of the scorecards, the best first, where evaluations are given.
    """

    currency: str
    as_of: str
    horizon_days: int
    customers: int
    model_version: int | None
    contributions: tuple[Mapping[str, Any], ...]
    effects: tuple[Effect, ...]
    targets: tuple[Target, ...]
    agents: tuple[AgentScore, ...]
    segments: tuple[Mapping[str, Any], ...]
    journey: Journey | None
    unavailable: tuple[Mapping[str, str], ...]
    notes: tuple[Note, ...] = ()
    curves: tuple[EffectCurve, ...] = ()
    outcomes: tuple[OutcomeEffects, ...] = ()
    part_targets: tuple[Mapping[str, Any], ...] = ()
    frontier: Frontier | None = None
    phrases: Phrases | None = None
    workload: tuple[Mapping[str, Any], ...] = ()
    rollouts: tuple[RollOutResult, ...] = ()
    refused: tuple[Mapping[str, str], ...] = ()
    scorecard: tuple[ItemPrice, ...] = ()

    def __getitem__(self, behaviour: str) -> Effect:
        """Return the effect of a behaviour on value."""
        found = {effect.behaviour: effect for effect in self.effects}
        if behaviour not in found:
            raise KeyError(f"{behaviour!r} was not studied; studied: {', '.join(found) or 'none'}")
        return found[behaviour]

    def in_one_line(self) -> str:
        """Return which effects are claimed, and with which evidence."""
        claimed = [
            f"{effect.behaviour} {effect.best.estimate:+,.2f} ({effect.headline})"
            for effect in self.effects
            if effect.best is not None
        ]
        return (
            f"{self.customers:,} customers, {self.currency} {PER}: "
            f"{', '.join(claimed) or 'no effect is claimed'}"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each behaviour and level of evidence, refusals with their reason."""
        import pandas as pd

        if not self.effects:
            return pd.DataFrame(columns=list(COLUMNS))
        return pd.concat([effect.to_frame() for effect in self.effects], ignore_index=True)

    def summary(self) -> Summary:
        """Return what is claimed as a table: estimate, standard error, interval.

        Beside each effect its evidence, and the same amount per contact; below, what was
        refused and which checks did not pass.
        """
        import pandas as pd

        rows = [
            {
                "behaviour": effect.behaviour,
                "evidence": level.evidence,
                "change": f"{effect.change:+g} {effect.unit}",
                **{name: getattr(level, name) for name in NUMBERS},
                "per_contact": effect.per_contact_at(level),
            }
            for effect in self.effects
            for level in effect.levels
            if level.estimate is not None
        ]
        columns = ["behaviour", "evidence", "change", *NUMBERS, "per_contact"]
        frame = pd.DataFrame(rows, columns=columns).set_index(["behaviour", "evidence"])
        remarks = [
            f"{effect.behaviour}, {level.evidence}: {remark}"
            for effect in self.effects
            for level in effect.levels
            for remark in level.remarks()
        ]
        if not self.effects:
            remarks = [f"{lacking['what']}: {lacking['why']}" for lacking in self.unavailable]
        about = (
            f"Effects on value in {self.currency} {PER}, contacts followed for "
            f"{self.horizon_days} days; {self.customers:,} customers in contact"
        )
        return Summary(about, frame, tuple(remarks))

    @property
    def plot(self) -> AttributionPlots:
        """Return the pictures: effects, curve, target, contributions."""
        from clv.effects.pictures import AttributionPlots

        return AttributionPlots(
            self.to_frame(),
            {curve.behaviour: curve for curve in self.curves},
            {target.behaviour: target for target in self.targets},
            self.contributions,
            self.currency,
        )

    def as_dict(self, *, individuals: bool = False) -> dict[str, Any]:
        """Return attribution.json; it names agents only where ``individuals`` are asked for.

        Without them, a team of fewer than ``LEAST_AGENTS`` is counted and not described.
        """
        teams = team_scores(self.agents)
        shown = [team for team in teams if individuals or team["agents"] >= LEAST_AGENTS]
        journey = None if self.journey is None else self.journey.as_dict()
        if journey is not None and not individuals:
            names = {team["team"] for team in shown}
            journey["trends"] = [row for row in journey["trends"] if row["team"] in names]
        return {
            "currency": self.currency,
            "as_of": self.as_of,
            "horizon_days": self.horizon_days,
            "customers": self.customers,
            "model_version": self.model_version,
            "contributions": [dict(row) for row in self.contributions],
            "effects": [effect.as_dict() for effect in self.effects],
            "effect_curves": [curve.as_dict() for curve in self.curves],
            "outcomes": [row.as_dict(self.currency) for row in self.outcomes],
            "targets": [target.as_dict() for target in self.targets],
            "refused": [dict(row) for row in self.refused],
            "scorecard": [row.as_dict() for row in self.scorecard],
            "part_targets": [dict(row) for row in self.part_targets],
            "frontier": None if self.frontier is None else self.frontier.as_dict(),
            "agents": [agent.as_dict() for agent in self.agents] if individuals else [],
            "agents_limits": LIMITS,
            "teams": shown,
            "teams_too_small": len(teams) - len(shown),
            "workload": [dict(row) for row in self.workload] if individuals else [],
            "rollouts": [rollout.as_dict() for rollout in self.rollouts],
            "segments": [dict(segment) for segment in self.segments],
            "phrases": [] if self.phrases is None else [r.as_dict() for r in self.phrases.rows],
            "phrases_about": None if self.phrases is None else self.phrases.about(),
            "journey": journey,
            "unavailable": [dict(row) for row in self.unavailable],
            "notes": [note.as_dict() for note in self.notes],
        }


def without_contacts(
    tables: Tables,
    window: Window,
    contributions: Sequence[Mapping[str, Any]] | None,
    model_version: int | None,
) -> Attribution:
    """Return what can be said without any contact: contributions, and what is missing."""
    lacking = {"what": "effects", "why": "the table interactions was not given"}
    none = {"what": "contributions", "why": "no registered model was given"}
    return Attribution(
        currency=tables.terms.currency,
        as_of=window.cutoff.isoformat(),
        horizon_days=window.horizon_days,
        customers=0,
        model_version=model_version,
        contributions=tuple(contributions or ()),
        effects=(),
        targets=(),
        agents=(),
        segments=(),
        journey=None,
        unavailable=(lacking,) if contributions is not None else (lacking, none),
        notes=(Note("no_contacts", "attribution", 0, "no contacts were given, so no effects"),),
    )


def unavailable(
    effects: Sequence[Effect], agents: Sequence[AgentScore], *, has_contributions: bool
) -> list[Mapping[str, str]]:
    """Name what could not be computed, and why."""
    found: list[Mapping[str, str]] = []
    if not has_contributions:
        found.append({"what": "contributions", "why": "no registered model was given"})
    for effect in effects:
        for level in effect.levels:
            if level.refused is not None:
                what = f"{effect.behaviour}, {level.evidence}"
                found.append({"what": what, "why": level.refused.why})
    if not agents:
        found.append({"what": "agent scores", "why": "no quasi-experimental prices to score with"})
    return found
