"""Attribution: contributions, effects, targets, agents and journeys of one company."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from clv.effects.agents import AgentScore, score_agents
from clv.effects.decisions.frontier import frontier_of
from clv.effects.decisions.options import TargetOptions
from clv.effects.decisions.scorecards import item_prices
from clv.effects.decisions.segments import part_targets, segment_effects
from clv.effects.decisions.targets import build_targets
from clv.effects.decisions.volume import circumstances_of
from clv.effects.design.encode import encode
from clv.effects.design.exposure import CORE_BEHAVIOURS, GOODWILL, WAIT, Behaviour
from clv.effects.document import Attribution, unavailable
from clv.effects.effects import estimate_effects
from clv.effects.estimators.experiment import experimental_levels, unmoved
from clv.effects.estimators.study import EffectOptions
from clv.effects.journeys import build_journey
from clv.effects.lasting import effect_curves
from clv.effects.outcomes import OUTCOMES, outcome_effects
from clv.effects.phrases import phrases_of
from clv.effects.premium import premium_effect
from clv.effects.rollouts import rollout_results
from clv.effects.wording import PhraseOptions
from clv.effects.workload import cost_per_minute, workload
from clv.errors import DataError, UsageError
from clv.features.contacts import build_contact_table
from clv.labels.follow_up import build_follow_up
from clv.labels.outcomes import build_outcomes
from clv.notes import Note, silent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from clv.contract.tables import Tables
    from clv.effects.decisions.options import Circumstances
    from clv.effects.design.encode import Studied
    from clv.effects.effects import Effects
    from clv.effects.phrases import Phrases
    from clv.effects.results import Effect
    from clv.events.histories import Histories
    from clv.experiments.results import ReadOut
    from clv.notes import OnProgress
    from clv.windows import Window

ASKED = (*CORE_BEHAVIOURS, WAIT)
MIN_CUSTOMERS = 100
VALUE = "value_undiscounted"


@dataclass(frozen=True)
class AttributionOptions:
    """What is asked for besides the effects' own options.

    Attributes
    ----------
    effects : EffectOptions
        Folds, gates and seeds.
    targets : TargetOptions
        When a move is recommended.
    exposure_days : int, optional
        Contacts of that many days before the cutoff; by default of all days.
    outcomes : tuple of str
        Further outcomes that the core behaviours' effects are estimated on; see ``OUTCOMES``.
    premium_queue : str or None
        A queue to compare with the others.
    min_agent_contacts : int
        Agents with fewer contacts get no score.
    asked : tuple of Behaviour or None
        What to study; by default empathy, handle time, first-contact resolution, waits, and
        every marker.
    """

    effects: EffectOptions = field(default_factory=EffectOptions)
    targets: TargetOptions = field(default_factory=TargetOptions)
    exposure_days: int | None = None
    outcomes: tuple[str, ...] = ()
    premium_queue: str | None = None
    min_agent_contacts: int = 30
    asked: tuple[Behaviour, ...] | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.outcomes if name not in OUTCOMES]
        if unknown:
            raise UsageError(
                f"attribution.outcomes: {unknown[0]!r} is unknown; expected one of "
                f"{', '.join(OUTCOMES)}."
            )


def attribute(
    histories: Histories,
    *,
    window: Window,
    contributions: Sequence[Mapping[str, Any]] | None = None,
    model_version: int | None = None,
    options: AttributionOptions | None = None,
    experiments: Sequence[ReadOut] = (),
    on_progress: OnProgress = silent,
) -> Attribution:
    """Say what service behaviours are worth, with evidence, and where to set targets.

    Parameters
    ----------
    histories : Histories
        A company's; with markers, ``empathy`` is the share of upset moments answered with any.
    window : Window
        Contacts up to its cutoff; each is followed for as many days as its horizon has, which
        must lie in the data.
    contributions : sequence of dict, optional
        Portfolio contributions of the value model; without them they are unavailable.
    model_version : int, optional
        Of that model.
    options : AttributionOptions, optional
        Gates, seeds, outcome.
    experiments : sequence of ReadOut
        Read-outs of experiments; each enters the effects of what it moved as experimental.
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
    tables = histories.tables
    on_progress("contacts", 0, 1)
    contacts, follow_up = read(histories, window, options)
    on_progress("contacts", 1, 1)
    chosen = _chosen(options.asked, contacts, histories)
    studied = study_of(contacts, follow_up, chosen, window, options)
    effects, found = _effects_of(studied, chosen, window, experiments, options, on_progress)
    outcomes = build_outcomes(histories, window)
    known = circumstances_of(tables, studied, window, experiments)
    money = _worth(tables, studied, effects, follow_up, outcomes, chosen, options, known)
    on_progress("phrases", 0, 1)
    phrases = spoken_phrases(histories, window, studied, options)
    items, no_items = item_prices(tables, studied.contacts, effects, window, options.effects)
    return replace(
        money,
        as_of=window.cutoff.isoformat(),
        horizon_days=window.horizon_days,
        model_version=model_version,
        contributions=tuple(contributions or ()),
        effects=found,
        curves=effect_curves(effects, studied, follow_up, window.horizon_days, options.effects),
        scorecard=items,
        unavailable=(
            *unavailable(found, money.agents, has_contributions=contributions is not None),
            *money.unavailable,
            *no_items,
        ),
        notes=_noted(studied, effects, histories, experiments, phrases),
        phrases=phrases,
        workload=workload(tables, contacts),
        rollouts=rollout_results(
            tables, studied, contacts, cost_per_minute(tables, studied.contacts), options.effects
        ),
    )


def _effects_of(
    studied: Studied,
    chosen: Sequence[Behaviour],
    window: Window,
    experiments: Sequence[ReadOut],
    options: AttributionOptions,
    on_progress: OnProgress,
) -> tuple[Effects, tuple[Effect, ...]]:
    """Estimate on every level, and what is shown: a premium queue's effect among it.

    What an experiment read out is experimental.
    """
    levels = experimental_levels(
        experiments,
        chosen,
        studied.exposure,
        horizon_days=window.horizon_days,
        outcome=VALUE,
        level=options.effects.level,
    )
    effects = estimate_effects(
        studied.exposure, chosen, options.effects, experiments=levels, on_progress=on_progress
    )
    if options.premium_queue is None:
        return effects, effects.effects
    premium = premium_effect(studied, options.premium_queue, options.effects)
    return effects, (*effects.effects, premium)


def _chosen(
    asked: Sequence[Behaviour] | None, contacts: pd.DataFrame, histories: Histories
) -> tuple[Behaviour, ...]:
    """Return what to study: what was asked, and goodwill where any was given."""
    chosen = tuple(asked) if asked is not None else asked_of(contacts, histories)
    return (*chosen, GOODWILL) if contacts[GOODWILL.name].notna().any() else chosen


def _noted(
    studied: Studied,
    effects: Effects,
    histories: Histories,
    experiments: Sequence[ReadOut],
    phrases: Phrases | None,
) -> tuple[Note, ...]:
    """Return what there is to say about the run."""
    return (
        *studied.notes,
        *counted_in_words(effects, histories),
        *unmoved(experiments),
        *(phrases.notes if phrases is not None else ()),
    )


def read(
    histories: Histories, window: Window, options: AttributionOptions
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the contacts up to the cutoff, and what followed each in days of its own."""
    days, last = window.horizon_days, window.horizon_end
    back = options.exposure_days
    since = None if back is None else window.shifted(1 - back).cutoff
    contacts = build_contact_table(histories, days, since=since, until=last)
    return contacts, build_follow_up(histories, days, since=since, until=last)


def study_of(
    contacts: pd.DataFrame,
    follow_up: pd.DataFrame,
    asked: Sequence[Behaviour],
    window: Window,
    options: AttributionOptions,
) -> Studied:
    """Hold contacts and what followed them as arrays, where there are customers enough."""
    studied = encode(
        contacts,
        follow_up,
        max_customers=options.effects.max_customers,
        seed=options.effects.seed,
        behaviours=[one.name for one in (*CORE_BEHAVIOURS, *asked)],
    )
    if len(studied.customers) < MIN_CUSTOMERS:
        raise DataError(
            f"interactions: {len(studied.customers)} customers were in contact with an agent "
            f"{_when(options.exposure_days)} {window.cutoff}, after a purchase; at least "
            f"{MIN_CUSTOMERS} are needed to compare them. {_more(options.exposure_days)}"
        )
    return studied


def _when(exposure_days: int | None) -> str:
    return "up to" if exposure_days is None else f"in the {exposure_days} days to"


def _more(exposure_days: int | None) -> str:
    if exposure_days is None:
        return "Bring more contacts, or ask for a shorter horizon."
    return "Set attribution.exposure_days higher, or bring more contacts."


def _worth(
    tables: Tables,
    studied: Studied,
    effects: Effects,
    follow_up: pd.DataFrame,
    outcomes: pd.DataFrame,
    asked: Sequence[Behaviour],
    options: AttributionOptions,
    circumstances: Circumstances | None = None,
) -> Attribution:
    """Return everything that rests on the effects: targets, agents, segments, journey."""
    cost = cost_per_minute(tables, studied.contacts)
    targets, no_targets = build_targets(effects, cost, options.targets, circumstances)
    by_part, no_parts = part_targets(
        studied, effects, cost, options.effects, options.targets, circumstances
    )
    others, no_outcomes = outcome_effects(
        effects, studied, follow_up, options.outcomes, options.effects
    )
    both = {target.behaviour for target in targets} >= {"handle_seconds", "empathy"}
    frontier = None
    if both and cost is not None:
        assert effects.study is not None
        assert effects.second is not None
        frontier = frontier_of(effects.study, effects.second, cost, options.targets)
    journey, no_journey = build_journey(tables, studied, follow_up, outcomes, effects)
    return Attribution(
        currency=tables.terms.currency,
        as_of="",
        horizon_days=0,
        customers=len(studied.customers),
        model_version=None,
        contributions=(),
        effects=effects.effects,
        outcomes=others,
        targets=targets,
        part_targets=by_part,
        frontier=frontier,
        agents=scores_of(effects, studied, options),
        segments=segment_effects(tables, studied, asked, options.effects),
        journey=journey,
        refused=no_targets,
        unavailable=(*no_targets, *no_parts, *no_outcomes, *no_journey),
    )


def spoken_phrases(
    histories: Histories, window: Window, studied: Studied, options: AttributionOptions
) -> Phrases | None:
    """Find phrases of agents that go with value, where the messages were read."""
    if histories.markers is None or "messages" not in histories.tables:
        return None
    asked = PhraseOptions(folds=options.effects.folds, seed=options.effects.seed)
    return phrases_of(histories.tables, histories.markers.pack, window, studied, asked)


def counted_in_words(effects: Effects, histories: Histories) -> tuple[Note, ...]:
    """Say of each behaviour that markers count in words what its unit can bear."""
    given = histories.columns.get("behaviours", frozenset())
    counted = [e.behaviour for e in effects.effects if f"{e.behaviour}_hits" in given]
    text = (
        "is counted where patterns find it: what they miss lets a step of the count stand for more "
        "than the same step of what was done, so compare agents by it rather than points"
    )
    return tuple(Note("counted_in_words", "attribution", 0, f"{one} {text}") for one in counted)


def asked_of(contacts: pd.DataFrame, histories: Histories) -> tuple[Behaviour, ...]:
    """Return the behaviours to ask about: the usual ones, and every marker's share."""
    usual = {one.name for one in ASKED}
    given = histories.columns.get("behaviours", frozenset())
    markers = sorted(name.removesuffix("_hits") for name in given if name.endswith("_hits"))
    shares = tuple(
        Behaviour(name, 0.1, "share of occasions")
        for name in markers
        if name not in usual and name in contacts.columns
    )
    return (*ASKED, *shares)


def scores_of(
    effects: Effects, studied: Studied, options: AttributionOptions
) -> tuple[AgentScore, ...]:
    """Score agents where they are claimed as instruments for every behaviour that prices them."""
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
    """Say whether agents are claimed as instruments for every core behaviour of the study."""
    assert effects.study is not None
    names = {one.behaviour.name for one in effects.study.bases}
    levels = [e.level("quasi-experimental") for e in effects.effects if e.behaviour in names]
    return all(level is not None and level.refused is None for level in levels)
