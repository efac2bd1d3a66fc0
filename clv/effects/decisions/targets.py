"""Where to set a target: an answer for every behaviour, with how sure it is.

Five grades. *Proven*: a simultaneous band lies above a material gain; where nothing is to be
gained, all targets that are set together are proven in three companies of a hundred (with
pointwise bands a fifth of the runs in which nothing should move did, and with a 95 % band for
each target a tenth). *Likely*: one step pays with a probability at which a loss that weighs
``loss_ratio`` times a gain is still worth risking. *Open*: neither, but an experiment pays for
itself. *Settled*: nothing within reach gains materially, or to know would cost more than it
could bring; keep. *Refused*: the gates did not hold.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from clv.effects.decisions.curves import recommend_at, sup_t_band
from clv.effects.decisions.evidence import read_outs_on
from clv.effects.decisions.ground import ground_of
from clv.effects.decisions.next_experiment import next_experiment
from clv.effects.decisions.options import TargetOptions
from clv.effects.decisions.results import Point, Target
from clv.effects.decisions.steps import Bases, likely_at, step_to
from clv.effects.design.exposure import EMPATHY, FCR, GOODWILL, HANDLE
from clv.effects.results import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clv.effects.decisions.curves import Band
    from clv.effects.decisions.ground import Ground
    from clv.effects.decisions.options import Circumstances
    from clv.effects.decisions.results import Recommendation
    from clv.effects.decisions.steps import Grade
    from clv.effects.effects import Effects
    from clv.effects.estimators.examiner import Instrumented
    from clv.effects.estimators.study import Study

STEPS = 41


def settled(band: Band, least_gain: float) -> bool:
    """Say whether nothing in reach gains materially, in all likelihood."""
    return bool(band.high.max() <= least_gain)


def target_of(
    study: Study,
    fit: Instrumented | None,
    behaviour: str,
    cost_per_minute: float | None,
    options: TargetOptions,
    *,
    together: int = 1,
    circumstances: Circumstances | None = None,
) -> Target:
    """Return the target of one behaviour, set together with others."""
    ground = ground_of(study, fit, behaviour, cost_per_minute, options, circumstances)
    return target_on(ground, options, together=together, circumstances=circumstances)


def target_on(
    ground: Ground,
    options: TargetOptions,
    *,
    together: int = 1,
    circumstances: Circumstances | None = None,
) -> Target:
    """Return the target that follows from what is known."""
    one, current = ground.one, ground.current
    scales = np.unique(np.append(np.linspace(*ground.support, STEPS), 1.0))
    curve = ground.curve(scales)
    band = sup_t_band(
        curve,
        ground.coefficients,
        ground.covariance,
        options,
        degrees=ground.degrees,
        together=together,
    )
    least = options.least_gain(ground.study)
    at = recommend_at(band, least)
    proven = at is not None and scales[at] != 1
    tail = (1 - options.level) / 2
    best_low, best_high = np.quantile(band.best_draws, [tail, 1 - tail])
    best = int(np.argmax(band.net))
    shown = at if proven and at is not None else best
    seen = ground.beliefs.usual.outlook(curve)
    rows = (band.net, band.low, band.high, seen.gain, seen.probability, seen.loss, seen.worst)
    target = Target(
        behaviour=one.behaviour.name,
        current=current,
        supported=(ground.support[0] * current, ground.support[1] * current),
        best=float(scales[best]) * current,
        best_low=float(best_low) * current,
        best_high=float(best_high) * current,
        gain_per_customer=float(band.net[shown]),
        suggested=float(scales[shown]) * current if proven else None,
        grade="settled",
        evidence=ground.beliefs.evidence,
        recommend="keep",
        curve=tuple(Point(*map(float, row)) for row in zip(scales, *rows, strict=True)),
        net_of_cost=one.behaviour.is_money
        or (ground.cost_per_minute is not None and one.behaviour.transform == "log"),
        coefficients=tuple(map(float, ground.coefficients)),
        covariance=tuple(tuple(map(float, row)) for row in ground.covariance),
        h0=one.reference,
        contacts_per_customer=ground.treated,
        cost_per_minute=ground.cost_per_minute,
        terms=tuple(tuple(map(float, row)) for row in curve.terms),
    )
    return graded(target, ground, settled(band, least), options, circumstances)


def graded(
    target: Target,
    ground: Ground,
    nothing: bool,  # noqa: FBT001 (whether the band rules every gain out)
    options: TargetOptions,
    circumstances: Circumstances | None,
) -> Target:
    """Return the target with its grade, and what to do."""
    rule, steps = options.decisions, ground.steps(options.decisions.max_step)
    occasions = None
    if circumstances is not None:
        occasions = circumstances.contacts_a_year * float(ground.one.present.mean())
    bases = Bases(ground.treated, occasions)
    target = replace(target, contacts_a_year=occasions)
    if target.suggested is not None:
        # Towards what is proven, as far as one step goes.
        goal = target.suggested / target.current
        at = int(np.argmin(np.abs(steps.scales - goal)))
        grade: Grade = "proven"
    else:
        least = options.least_gain(ground.study) / ground.treated
        likely = likely_at(ground.beliefs, steps, rule.least_probability, least)
        if likely is None:
            return _unmoved(target, ground, nothing, options, circumstances)
        at, grade = likely, "likely"
    step = step_to(ground.beliefs, steps, at, target.current, bases)
    again = None
    if circumstances is not None:
        days = rule.settling_days + circumstances.horizon_days
        again = circumstances.known_until + dt.timedelta(days=days)
    word: Recommendation = "raise" if step.to > step.start else "lower"
    return replace(target, grade=grade, recommend=word, step=step, measure_again_on=again)


def _unmoved(
    target: Target,
    ground: Ground,
    nothing: bool,  # noqa: FBT001
    options: TargetOptions,
    circumstances: Circumstances | None,
) -> Target:
    """Return the target open, with its experiment, or settled."""
    if nothing:
        return replace(target, settled_by="band")
    if circumstances is None:
        return replace(target, grade="open", recommend="experiment")
    found = next_experiment(
        ground.study,
        ground.one,
        ground.support,
        ground.beliefs.usual,
        ground.cost_per_minute,
        circumstances,
        options,
    )
    if found is None:
        return replace(target, settled_by="cost")
    return replace(target, grade="open", recommend="experiment", experiment=found)


def why_not(
    effects: Effects,
    behaviour: str,
    cost_per_minute: float | None,
    circumstances: Circumstances | None = None,
) -> Refusal | None:
    """Say why a behaviour has no target, and what would mend it; None where it may have one."""
    effect = next((e for e in effects.effects if e.behaviour == behaviour), None)
    if effect is None:
        return Refusal(f"{behaviour} is not in the data", "bring contacts in which it is measured")
    studied = effects.study is not None and any(
        one.behaviour.name == behaviour for one in effects.study.bases
    )
    read = circumstances is not None and read_outs_on(behaviour, circumstances.read_outs)
    level = effect.level("quasi-experimental")
    if not (studied and read) and (
        level is None or level.estimate is None or effects.second is None
    ):
        refused = None if level is None else level.refused
        none = Refusal("no quasi-experimental effect", "bring more contacts, or run an experiment")
        return none if refused is None else refused
    if behaviour == HANDLE.name and cost_per_minute is None:
        return Refusal(
            "no agent cost was given",
            "set agents.cost_per_hour, or terms.agent_cost_per_hour in the settings",
        )
    return None


def build_targets(
    effects: Effects,
    cost_per_minute: float | None,
    options: TargetOptions | None = None,
    circumstances: Circumstances | None = None,
) -> tuple[tuple[Target, ...], tuple[Mapping[str, str], ...]]:
    """Return targets where the evidence allows them and cost is known, and what is refused.

    Returns
    -------
    tuple
        Targets of handle time, empathy, first-contact resolution and goodwill, and
        ``{"what", "behaviour", "why", "mend"}`` of those refused.
    """
    options = options or TargetOptions()
    asked = {effect.behaviour for effect in effects.effects}
    names = (HANDLE.name, EMPATHY.name, FCR.name, *({GOODWILL.name} & asked))
    reasons = {name: why_not(effects, name, cost_per_minute, circumstances) for name in names}
    lacking = {name: why for name, why in reasons.items() if why is not None}
    missing = tuple(
        {"what": f"target of {name}", "behaviour": name, **why.as_dict()}
        for name, why in lacking.items()
    )
    claimed = [name for name in names if name not in lacking]
    if not claimed:
        return (), missing
    assert effects.study is not None
    found = tuple(
        target_of(
            effects.study,
            agents_fit(effects, name),
            name,
            cost_per_minute,
            options,
            together=len(claimed),
            circumstances=circumstances,
        )
        for name in claimed
    )
    return found, missing


def agents_fit(effects: Effects, behaviour: str) -> Instrumented | None:
    """Return the agents' estimate where it is claimed for the behaviour."""
    level = effects[behaviour].level("quasi-experimental")
    return None if level is None or level.estimate is None else effects.second
