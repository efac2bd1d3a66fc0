"""The sentences of a decision: what to do, how likely it pays, and what would settle it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clv.report.figures import Figure
    from clv.report.sections.decisions import Recommendation, StepFacts
    from clv.report.sentences import Texts


SUREST = 0.99


def recommendation(target: Recommendation, texts: Texts) -> str:
    """Return what to do about one behaviour."""
    return texts.say(
        f"recommendations.{target.move}",
        behaviour=texts.behaviour(target.behaviour),
        current=texts.formats.figure(target.current) if target.current else "",
        best=texts.formats.figure(target.best) if target.best else "",
    )


def gain(figure: Figure, texts: Texts) -> str:
    """Return what a recommended move brings."""
    shown = texts.formats.figure(figure, signed=True)
    interval = texts.formats.interval(figure, signed=True)
    key = "recommendations.gain" if interval else "recommendations.gain_plain"
    return texts.say(key, gain=shown, interval=interval)


def advice(target: Recommendation, texts: Texts) -> list[str]:
    """Return the sentences behind a decision, the weightiest first; never empty."""
    if target.move in ("bring_contacts", "bring_effects"):
        return [texts.say(f"recommendations.{target.move}_why")]
    if target.move == "refused":
        why = target.why[:1].upper() + target.why[1:]
        return [texts.say("recommendations.refused_why", why=why, mend=target.mend)]
    if target.move in ("raise", "lower"):
        return _move(target, texts)
    if target.experiment is not None and target.move == "experiment":
        return [_experiment(target, texts)]
    key = "settled_cost" if target.why == "cost" else "settled_band"
    return [texts.say(f"recommendations.{key}")]


def _move(target: Recommendation, texts: Texts) -> list[str]:
    write, step = texts.formats, target.step
    if step is None:
        return [gain(target.gain, texts)] if target.gain else []
    said = [outlook(step, texts, net=target.net_of_time)]
    if target.best is not None and abs(step.to - target.best.value) > 1e-9:
        to = write.value(step.to, target.unit)
        said.append(texts.say("recommendations.first_step", to=to))
    if target.measure_again_on:
        day = write.date(target.measure_again_on)
        said.append(texts.say("recommendations.measure_again", date=day))
    return said


def likelihood(probability: float, texts: Texts) -> str:
    """Return a probability; nothing is certain."""
    if probability > SUREST:
        return texts.say("recommendations.over", share=texts.formats.share(SUREST))
    return texts.formats.share(probability)


def outlook(step: StepFacts, texts: Texts, *, net: bool = False) -> str:
    """Return how likely a step pays, what it brings, and its worst case in twenty."""
    write = texts.formats
    chance = likelihood(step.probability, texts)
    contact = write.money(step.per_contact, signed=True)
    less = texts.say("recommendations.net_of_time") if net else ""
    if step.per_year is None or step.worst_per_year is None:
        worst = write.money(step.worst_per_contact, signed=True)
        return texts.say(
            "recommendations.step_contact",
            probability=chance,
            contact=contact,
            net=less,
            worst=worst,
        )
    return texts.say(
        "recommendations.step_year",
        probability=chance,
        year=write.money(step.per_year, signed=True),
        contact=contact,
        net=less,
        worst=write.money(step.worst_per_year, signed=True),
    )


def rests(target: Recommendation, texts: Texts) -> str:
    """Return how far a probability rests on the prior; empty where that is not known."""
    step = target.step
    if step is None or step.probability_low is None or step.probability_high is None:
        return ""
    low, high = (likelihood(end, texts) for end in (step.probability_low, step.probability_high))
    return "" if low == high else texts.say("recommendations.rests", low=low, high=high)


def _experiment(target: Recommendation, texts: Texts) -> str:
    plan, write = target.experiment, texts.formats
    assert plan is not None
    n = plan.agents_per_arm if plan.unit == "agent" else plan.units_per_arm
    return texts.say(
        f"recommendations.experiment_{plan.unit}",
        n=write.number(n),
        weeks=write.number(plan.weeks),
        to=write.value(plan.to, target.unit),
        today=write.figure(target.current) if target.current else "",
        cost=write.money(plan.cost),
        net=write.money(plan.net_value, signed=True),
        chance=write.share(plan.probability_moves),
    )
