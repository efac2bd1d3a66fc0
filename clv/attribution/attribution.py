"""Attribution: contributions, effects, targets, agents and journeys of one company."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.attribution.agents import LIMITS, AgentScore, score_agents, team_scores
from clv.attribution.effects import estimate_effects
from clv.attribution.encoding import encode
from clv.attribution.experimental import experimental_levels, unmoved
from clv.attribution.exposure import CHANNELS, WAIT, Behaviour
from clv.attribution.journey import Journey, build_journey
from clv.attribution.phrases import phrases_of
from clv.attribution.study import EffectOptions
from clv.attribution.targets import Target, TargetOptions, build_targets
from clv.attribution.wording import PhraseOptions
from clv.errors import DataError
from clv.features.contacts import EXPOSURE_DAYS, build_contact_table
from clv.features.outcomes import build_outcomes
from clv.features.prepared import prepare
from clv.notes import Note, silent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from clv.attribution.effects import Effects
    from clv.attribution.encoding import Studied
    from clv.attribution.phrases import Phrases
    from clv.attribution.results import Effect
    from clv.data.tables import Tables
    from clv.experiments.results import ReadOut
    from clv.features.prepared import Prepared
    from clv.markers.contacts import PreparedMarkers
    from clv.notes import OnProgress
    from clv.windows import Window

ASKED = (*CHANNELS, WAIT)
MIN_CUSTOMERS = 100
MIN_SEGMENT = 500


@dataclass(frozen=True)
class AttributionOptions:
    """What is asked for besides the effects' own options.

    Attributes
    ----------
    effects : EffectOptions
        Folds, gates and seeds.
    targets : TargetOptions
        When a move is recommended.
    exposure_days : int
        Days of contacts before the cutoff.
    outcome : str
        A column of the outcomes: ``value_undiscounted``, ``revenue``, ``purchases`` or
        ``churned``.
    min_agent_contacts : int
        Agents with fewer contacts get no score.
    """

    effects: EffectOptions = field(default_factory=EffectOptions)
    targets: TargetOptions = field(default_factory=TargetOptions)
    exposure_days: int = EXPOSURE_DAYS
    outcome: str = "value_undiscounted"
    min_agent_contacts: int = 30


@dataclass(frozen=True)
class Attribution:
    """What service behaviours are worth in one company.

    Attributes
    ----------
    currency, as_of, horizon_days : str, str, int
        What the numbers are in, and of when.
    customers : int
        Customers with a contact in the exposure.
    model_version : int or None
        Of the model that gave the contributions.
    contributions : tuple of dict
        Portfolio contributions by group, as the model summarised them.
    effects : tuple of Effect
        One per behaviour.
    targets : tuple of Target
        Where level 2 is claimed.
    agents : tuple of AgentScore
        Where level 2 is claimed.
    segments : tuple of dict
        Effects by segment, each through its own gates.
    journey : Journey or None
        What bad experiences cost, and where friction lies.
    unavailable : tuple of dict
        ``{"what", "why"}`` of whatever could not be computed.
    notes : tuple of Note
        What was left out on the way.
    phrases : Phrases or None
        Phrases of agents that go with value; None without markers of the messages.
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
    phrases: Phrases | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return attribution.json."""
        return {
            "currency": self.currency,
            "as_of": self.as_of,
            "horizon_days": self.horizon_days,
            "customers": self.customers,
            "model_version": self.model_version,
            "contributions": [dict(row) for row in self.contributions],
            "effects": [effect.as_dict() for effect in self.effects],
            "targets": [target.as_dict() for target in self.targets],
            "agents": [agent.as_dict() for agent in self.agents],
            "agents_limits": LIMITS,
            "teams": team_scores(self.agents),
            "segments": [dict(segment) for segment in self.segments],
            "phrases": [] if self.phrases is None else [r.as_dict() for r in self.phrases.rows],
            "phrases_about": None if self.phrases is None else self.phrases.about(),
            "journey": None if self.journey is None else self.journey.as_dict(),
            "unavailable": [dict(row) for row in self.unavailable],
            "notes": [note.as_dict() for note in self.notes],
        }


def attribute(
    tables: Tables,
    *,
    window: Window,
    contributions: Sequence[Mapping[str, Any]] | None = None,
    model_version: int | None = None,
    behaviours: PreparedMarkers | None = None,
    prepared: Prepared | None = None,
    asked: Sequence[Behaviour] | None = None,
    options: AttributionOptions | None = None,
    experiments: Sequence[ReadOut] = (),
    on_progress: OnProgress = silent,
) -> Attribution:
    """Say what service behaviours are worth, with evidence, and where to set targets.

    Parameters
    ----------
    tables : Tables
        Accepted tables.
    window : Window
        Contacts up to its cutoff, outcome in its horizon, which must lie in the data.
    contributions : sequence of dict, optional
        Portfolio contributions of the value model; without them they are unavailable.
    model_version : int, optional
        Of that model.
    behaviours : PreparedMarkers, optional
        Markers of contacts; ``empathy`` is the share of answers to an upset customer that
        showed any.
    prepared : Prepared, optional
        The same tables made ready, with ``behaviours`` in them.
    asked : sequence of Behaviour, optional
        By default empathy, handle time, first-contact resolution, waits, and every marker.
    options : AttributionOptions, optional
        Gates, seeds, outcome.
    experiments : sequence of ReadOut
        Read-outs of experiments; each enters the effects of what it moved as level 3.
    on_progress : callable
        Told about each step.

    Raises
    ------
    DataError
        With fewer customers in contact than can be compared.
    SchemaError, WindowError
        Without interactions, or where the horizon reaches past the data.
    """
    options = options or AttributionOptions()
    ready = prepared or prepare(tables, behaviours=behaviours)
    try:
        on_progress("contacts", 0, 1)
        contacts = build_contact_table(
            tables, window, exposure_days=options.exposure_days, prepared=ready
        )
        outcomes = build_outcomes(tables, window, prepared=ready)
        on_progress("contacts", 1, 1)
    finally:
        if prepared is None:
            ready.close()
    chosen = tuple(asked) if asked is not None else asked_of(contacts, ready)
    studied = encode(
        contacts,
        outcomes,
        outcome=options.outcome,
        max_customers=options.effects.max_customers,
        seed=options.effects.seed,
        behaviours=[one.name for one in (*CHANNELS, *chosen)],
    )
    if len(studied.customers) < MIN_CUSTOMERS:
        raise DataError(
            f"interactions: {len(studied.customers)} customers were in contact with an agent in "
            f"the {options.exposure_days} days to {window.cutoff}; at least {MIN_CUSTOMERS} are "
            "needed to compare them. Choose a later --as-of or a longer exposure."
        )
    effects = estimate_effects(
        studied.exposure,
        chosen,
        options.effects,
        experiments=experimental_levels(
            experiments,
            chosen,
            studied.exposure,
            horizon_days=window.horizon_days,
            outcome=options.outcome,
            level=options.effects.level,
        ),
        on_progress=on_progress,
    )
    cost = cost_per_minute(tables, contacts)
    targets, no_targets = build_targets(effects, cost, options.targets)
    agents = scores_of(effects, studied, options)
    journey, missing = build_journey(tables, studied, outcomes, effects)
    on_progress("phrases", 0, 1)
    phrases = spoken_phrases(tables, ready, window, studied, options)
    return Attribution(
        currency=tables.terms.currency,
        as_of=window.cutoff.isoformat(),
        horizon_days=window.horizon_days,
        customers=len(studied.customers),
        model_version=model_version,
        contributions=tuple(contributions or ()),
        effects=effects.effects,
        targets=targets,
        agents=agents,
        segments=segment_effects(tables, studied, chosen, options),
        journey=journey,
        unavailable=(
            *unavailable(effects, agents, has_contributions=contributions is not None),
            *no_targets,
            *missing,
        ),
        notes=(
            *studied.notes,
            *counted_in_words(effects, ready),
            *unmoved(experiments),
            *(phrases.notes if phrases is not None else ()),
        ),
        phrases=phrases,
    )


def spoken_phrases(
    tables: Tables, ready: Prepared, window: Window, studied: Studied, options: AttributionOptions
) -> Phrases | None:
    """Find phrases of agents that go with value, where the messages were read."""
    if ready.behaviours is None or "messages" not in tables:
        return None
    asked = PhraseOptions(folds=options.effects.folds, seed=options.effects.seed)
    return phrases_of(tables, ready.behaviours.pack, window, studied, asked)


def counted_in_words(effects: Effects, ready: Prepared) -> tuple[Note, ...]:
    """Say of each behaviour that markers count in words what its unit can bear."""
    given = ready.columns.get("behaviours", frozenset())
    counted = [e.behaviour for e in effects.effects if f"{e.behaviour}_hits" in given]
    text = (
        "is counted where patterns find it: what they miss lets a step of the count stand for more "
        "than the same step of what was done, so compare agents by it rather than points"
    )
    return tuple(Note("counted_in_words", "attribution", 0, f"{one} {text}") for one in counted)


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


def asked_of(contacts: pd.DataFrame, ready: Prepared) -> tuple[Behaviour, ...]:
    """Return the behaviours to ask about: the usual ones, and every marker's share."""
    usual = {one.name for one in ASKED}
    given = ready.columns.get("behaviours", frozenset())
    markers = sorted(name.removesuffix("_hits") for name in given if name.endswith("_hits"))
    shares = tuple(
        Behaviour(name, 0.1, "share of occasions")
        for name in markers
        if name not in usual and name in contacts.columns
    )
    return (*ASKED, *shares)


def cost_per_minute(tables: Tables, contacts: pd.DataFrame) -> float | None:
    """Return what an agent's minute costs: the agents' own rates by contacts, else the terms'."""
    default = tables.terms.agent_cost_per_hour
    if tables.has("agents", "cost_per_hour"):
        agents = tables["agents"]
        rates = tables.engine.to_pandas(agents.select("agent_id", "cost_per_hour"))
        hourly = contacts["agent_id"].map(rates.set_index("agent_id")["cost_per_hour"])
        if default is not None:
            hourly = hourly.fillna(default)
        if hourly.notna().any():
            return float(hourly.mean()) / 60.0
    return None if default is None else default / 60.0


def scores_of(
    effects: Effects, studied: Studied, options: AttributionOptions
) -> tuple[AgentScore, ...]:
    """Score agents where level 2 is claimed for every behaviour that prices them."""
    if effects.second is None or effects.study is None or not all_claimed(effects):
        return ()
    known = studied.contacts.dropna(subset=["agent_id", "team"])
    teams = dict(zip(known["agent_id"], known["team"], strict=True))
    return score_agents(
        effects.study,
        effects.second,
        level=options.effects.level,
        min_contacts=options.min_agent_contacts,
        teams=teams,
    )


def all_claimed(effects: Effects) -> bool:
    """Say whether level 2 is claimed for every channel of the study."""
    assert effects.study is not None
    names = {one.behaviour.name for one in effects.study.bases}
    levels = [e.level("quasi-experimental") for e in effects.effects if e.behaviour in names]
    return all(level is not None and level.refused is None for level in levels)


def segment_effects(
    tables: Tables, studied: Studied, asked: Sequence[Behaviour], options: AttributionOptions
) -> tuple[Mapping[str, Any], ...]:
    """Estimate the channels' effects by segment, each through its own gates."""
    if not tables.has("customers", "segment") or "segment" in tables.terms.protected:
        return ()
    customers = tables["customers"]
    rows = tables.engine.to_pandas(customers.select("customer_id", "segment"))
    segment = rows.set_index("customer_id")["segment"].reindex(studied.customers)
    channels = [one for one in asked if one in CHANNELS]
    found = []
    for name in sorted(segment.dropna().unique()):
        mine = (segment == name).to_numpy()
        if mine.sum() < MIN_SEGMENT:
            continue
        part = studied.exposure.only(np.flatnonzero(mine))
        effects = estimate_effects(part, channels, options.effects)
        found.append(
            {
                "name": str(name),
                "customers": int(mine.sum()),
                "clv": float(part.outcome.mean()),
                "effects": [effect.as_dict() for effect in effects.effects],
            }
        )
    return tuple(found)


def unavailable(
    effects: Effects, agents: Sequence[AgentScore], *, has_contributions: bool
) -> list[Mapping[str, str]]:
    """Name what could not be computed, and why."""
    found: list[Mapping[str, str]] = []
    if not has_contributions:
        found.append({"what": "contributions", "why": "no registered model was given"})
    for effect in effects.effects:
        for level in effect.levels:
            if level.refused is not None:
                what = f"{effect.behaviour}, {level.evidence}"
                found.append({"what": what, "why": level.refused.why})
    if not agents:
        found.append({"what": "agent scores", "why": "no quasi-experimental prices to score with"})
    return found
