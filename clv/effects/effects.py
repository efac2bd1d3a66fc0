"""What changing a service behaviour does, at every level of evidence that the data allow.

The adjusted estimate compares contacts alike in everything that was known when they began. Agents
as instruments (quasi-experimental) compare contacts that chance gave to different agents, and are
refused where their gates do not hold. Experiments come from read-outs. A refused estimate says
why, and what would mend it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from clv.effects.checks.base import Estimated, run_checks
from clv.effects.checks.gates.agents import Agents
from clv.effects.checks.gates.balance import Balance
from clv.effects.checks.gates.comparable import Comparable
from clv.effects.checks.gates.first_stage import FirstStage
from clv.effects.checks.gates.overlap import Overlap
from clv.effects.checks.gates.routing_rule import RoutingRule
from clv.effects.design.eligibility import Eligibility, eligible
from clv.effects.design.exposure import CORE_BEHAVIOURS, GOODWILL, Behaviour
from clv.effects.estimators.nuisance import learner_of
from clv.effects.estimators.study import EffectOptions, build_study, extended
from clv.effects.results import Effect, Level
from clv.notes import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from clv.effects.design.exposure import Exposure, Floats
    from clv.effects.estimators.examiner import Instrumented
    from clv.effects.estimators.plr import Adjusted
    from clv.effects.estimators.residuals import Learner
    from clv.effects.estimators.study import Study
    from clv.effects.results import CheckResult, Evidence, Refusal
    from clv.notes import OnProgress

HARDER_CLIP = (0.02, 0.98)


@dataclass(frozen=True)
class Gates:
    """The gates of agents as instruments that do not depend on the behaviour.

    Attributes
    ----------
    results : tuple of CheckResult
        Each that was run.
    refused : Refusal or None
        The first that did not hold.
    """

    results: tuple[CheckResult, ...]
    refused: Refusal | None


@dataclass(frozen=True)
class Effects:
    """Effects of all behaviours, and the fits behind them.

    Attributes
    ----------
    effects : tuple of Effect
        In the order asked for.
    study : Study or None
        Of the core behaviours (empathy, handle time, resolution); None where
        none is eligible.
    first, second : Adjusted and Instrumented, or None
        Coefficients of the core behaviours, adjusted and with agents as instruments; the latter
        is None where refused.
    gates : Gates
        Of agents as instruments.
    """

    effects: tuple[Effect, ...]
    study: Study | None
    first: Adjusted | None
    second: Instrumented | None
    gates: Gates

    def __getitem__(self, behaviour: str) -> Effect:
        for effect in self.effects:
            if effect.behaviour == behaviour:
                return effect
        raise KeyError(behaviour)


def estimate_effects(
    exposure: Exposure,
    behaviours: Sequence[Behaviour] = CORE_BEHAVIOURS,
    options: EffectOptions | None = None,
    *,
    experiments: Mapping[str, Level] | None = None,
    on_progress: OnProgress = silent,
) -> Effects:
    """Estimate the effect of each behaviour on the outcome.

    Parameters
    ----------
    exposure : Exposure
        Contacts and outcomes.
    behaviours : sequence of Behaviour
        What is asked about. Channels (empathy, handle time, first-contact resolution) that
        the exposure holds are always treatments too, since agents move them all at once.
    options : EffectOptions, optional
        Folds, thresholds and seeds.
    experiments : mapping of str to Level, optional
        Experimental levels by behaviour.
    on_progress : callable
        Told about each behaviour.

    Returns
    -------
    Effects
    """
    options = options or EffectOptions()
    learner = learner_of(options)
    moved = (
        (*CORE_BEHAVIOURS, GOODWILL) if GOODWILL.name in exposure.behaviours else CORE_BEHAVIOURS
    )
    eligibility = eligible(exposure, [*moved, *behaviours])
    gates = run_gates(exposure, eligibility, options)
    core = tuple(one for one in moved if one.name in eligibility.kept)
    study = build_study(exposure, core, options, learner) if core else None
    first = study.adjusted() if study else None
    second = study.instrumented() if study and gates.refused is None else None
    pending = Effects((), study, first, second, gates)
    # One clipped study serves all core behaviours, and none is made where agents are refused.
    harder = cache(lambda: harder_study(study, options)) if study else None
    found = []
    for number, behaviour in enumerate(behaviours):
        on_progress("effects", number, len(behaviours))
        levels = behaviour_levels(
            exposure, behaviour, pending, eligibility, options, learner, harder
        )
        if experiments and behaviour.name in experiments:
            levels = (*levels, experiments[behaviour.name])
        found.append(effect_of(exposure, behaviour, levels))
    on_progress("effects", len(behaviours), len(behaviours))
    return replace(pending, effects=tuple(found))


def with_outcome(effects: Effects, outcome: Floats, options: EffectOptions) -> Effects:
    """Return the core behaviours' effects on another outcome of the same contacts, shape (C,).

    NaN stands where it is unknown. Contacts are the same, so that gates and residual behaviours
    are not computed again.
    """
    assert effects.study is not None
    study = effects.study.with_outcome(outcome)
    core = replace(
        effects,
        study=study,
        first=study.adjusted(),
        second=None if effects.second is None else study.instrumented(),
    )
    eligibility = eligible(study.exposure, CORE_BEHAVIOURS)
    found = tuple(
        effect_of(
            study.exposure,
            behaviour,
            behaviour_levels(
                study.exposure, behaviour, core, eligibility, options, study.learner, None
            ),
        )
        for behaviour in CORE_BEHAVIOURS
    )
    return replace(core, effects=found)


def effect_of(exposure: Exposure, behaviour: Behaviour, levels: tuple[Level, ...]) -> Effect:
    """Return a behaviour's effect from its levels."""
    return Effect(
        behaviour.name,
        behaviour.change,
        behaviour.unit,
        levels,
        exposure.customers,
        exposure.n_agents,
        exposure.treated(behaviour.name),
    )


def run_gates(exposure: Exposure, eligibility: Eligibility, options: EffectOptions) -> Gates:
    """Run the gates of agents as instruments that hold for all behaviours, cheapest first."""
    unknown = float((exposure.agent < 0).mean()) if exposure.contacts else 1.0
    if exposure.n_agents == 0 or unknown > options.max_unknown_agents:
        return Gates((), eligibility.no_agents(unknown))
    if eligibility.unmeasured:
        return Gates((), eligibility.unmeasured_refusal())
    agents = Agents(options.min_agents, options.min_contacts).run(exposure)
    if not agents.passed:
        return Gates((agents,), eligibility.few_agents(agents, options.min_contacts))
    comparable = Comparable().run(exposure)
    if not comparable.passed:
        return Gates((agents, comparable), eligibility.alone(comparable))
    balance = Balance(options.min_balance_p, options.permutations, options.seed).run(exposure)
    results = (agents, comparable, balance)
    if not balance.passed:
        return Gates(results, eligibility.unbalanced(balance))
    rule = RoutingRule(permutations=options.permutations, seed=options.seed).run(exposure)
    return Gates((*results, rule), None if rule.passed else eligibility.changed(rule))


def behaviour_levels(
    exposure: Exposure,
    behaviour: Behaviour,
    core: Effects,
    eligibility: Eligibility,
    options: EffectOptions,
    learner: Learner,
    harder: Callable[[], Study] | None,
) -> tuple[Level, ...]:
    """Return a behaviour's adjusted estimate and that by agents, claimed or refused."""
    if behaviour.name not in eligibility.kept:
        why = eligibility.refused[behaviour.name]
        return (
            Level.refusal("adjusted", why.why, why.mend),
            Level.refusal("quasi-experimental", why.why, why.mend),
        )
    study, first, second = core.study, core.first, core.second
    in_core = study is not None and any(b.behaviour.name == behaviour.name for b in study.bases)
    if not in_core:
        if study is None or behaviour.own_control:
            others = tuple(one.behaviour for one in study.bases) if study else ()
            study = build_study(exposure, (*others, behaviour), options, learner)
        else:
            study = extended(study, behaviour)
        first = study.adjusted()
        second = None
        if core.gates.refused is None and behaviour.by_agent:
            second = study.instrumented()
    assert study is not None
    assert first is not None
    return (
        adjusted_level(study, first, behaviour, options),
        _quasi_level(
            study,
            first,
            second,
            behaviour,
            core.gates,
            eligibility,
            options,
            harder if in_core else None,
        ),
    )


def adjusted_level(
    study: Study, fit: Adjusted, behaviour: Behaviour, options: EffectOptions
) -> Level:
    """Return the adjusted estimate, with what a hidden factor could do to it."""
    estimate, error = study.effect(behaviour.name, fit)
    overlap = Overlap().run(study, behaviour.name)
    if not overlap.passed:
        return Level.refusal(
            "adjusted",
            f"{behaviour.name} hardly differs between contacts alike in what was known before",
            "bring contacts in which it differs, or ask about another behaviour",
            (overlap,),
        )
    half = float(stats.norm.ppf(0.5 + options.level / 2)) * error
    results = (overlap, *run_checks("adjusted", Estimated(behaviour.name, study, options, fit)))
    return Level("adjusted", estimate, estimate - half, estimate + half, error, results)


def _quasi_level(
    study: Study,
    first: Adjusted,
    fit: Instrumented | None,
    behaviour: Behaviour,
    gates: Gates,
    eligibility: Eligibility,
    options: EffectOptions,
    harder: Callable[[], Study] | None = None,
) -> Level:
    """Return the estimate by agents, or why it is refused.

    ``harder`` makes the study of its clipping check.
    """
    evidence: Evidence = "quasi-experimental"
    if not behaviour.by_agent:
        why = eligibility.not_by_agent(behaviour)
        return Level.refusal(evidence, why.why, why.mend)
    if fit is None:
        assert gates.refused is not None
        return Level.refusal(evidence, gates.refused.why, gates.refused.mend, gates.results)
    stage = FirstStage(options.min_first_stage_f).run(study, behaviour.name)
    if not stage.passed:
        why = eligibility.weak(behaviour, stage)
        return Level.refusal(evidence, why.why, why.mend, (*gates.results, stage))
    estimate, error = study.effect(behaviour.name, fit)
    half = float(stats.t.ppf(0.5 + options.level / 2, max(study.degrees, 1))) * error
    estimated = Estimated(behaviour.name, study, options, first, fit, harder)
    results = (*gates.results, stage, *run_checks(evidence, estimated))
    return Level(evidence, estimate, estimate - half, estimate + half, error, results)


def harder_study(study: Study, options: EffectOptions) -> Study:
    """Return the same study with durations and the outcome clipped harder."""
    outcome = study.exposure.outcome
    held = np.minimum(outcome, np.nanquantile(outcome, 0.995))
    return build_study(
        study.exposure.with_outcome(held),
        [one.behaviour for one in study.bases],
        options,
        study.learner,
        HARDER_CLIP,
    )
