"""What to do: each behaviour's decision, with how sure it is; never empty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clv.report.figures import Figure, count, figure, lookup, number, records, words

if TYPE_CHECKING:
    from clv.report.figures import Document

GRADES = ("proven", "likely", "open", "settled", "refused")
"""In the order of the page; a document of another version may give none."""

WHY_LIMIT = 240
COMMAND_LIMIT = 400
UNITS = ("customer", "agent")


@dataclass(frozen=True)
class StepFacts:
    """One step: how likely it pays, what it brings and what may go wrong, net of cost.

    ``probability_low`` and ``probability_high`` are the ends with a narrower or wider prior.
    """

    to: float
    probability: float
    probability_low: float | None
    probability_high: float | None
    per_contact: float
    per_year: float | None
    worst_per_contact: float
    worst_per_year: float | None


@dataclass(frozen=True)
class ExperimentFacts:
    """The experiment that would settle an open question."""

    unit: str
    to: float
    weeks: int
    units_per_arm: int
    agents_per_arm: int
    cost: float
    net_value: float
    probability_moves: float
    command: str


@dataclass(frozen=True)
class Recommendation:
    """What to do about one behaviour.

    Attributes
    ----------
    behaviour : str
        Its id; empty where nothing at all could be studied.
    move : str
        ``raise``, ``lower``, ``keep``, ``experiment``, ``unclear``, ``refused`` or, without any
        effects, ``bring_contacts`` or ``bring_effects``.
    grade : str
        Of ``GRADES``, or empty.
    current, best : Figure or None
        Today's value, and that to go to: a proven target, else the next step.
    gain : Figure or None
        Net gain per customer and year at ``best``, with the band there.
    unit : str
        Of the behaviour.
    step, experiment : StepFacts, ExperimentFacts or None
        What comes with the move, or with the open question.
    measure_again_on : str
        ISO date, or empty.
    why, mend : str
        Of a refusal; ``why`` also names what settled it: ``band`` or ``cost``.
    net_of_time : bool
        Whether agents' time is taken off.
    """

    behaviour: str
    move: str
    grade: str
    current: Figure | None
    best: Figure | None
    gain: Figure | None
    unit: str
    step: StepFacts | None = None
    experiment: ExperimentFacts | None = None
    measure_again_on: str = ""
    why: str = ""
    mend: str = ""
    net_of_time: bool = False


def unit(behaviour: str, said: str = "") -> str:
    """Return the unit of a behaviour: seconds by its name or its document, else a share."""
    return "seconds" if said == "seconds" or behaviour.endswith("_seconds") else "share"


def decisions(attribution: Document | None, *, contacts: bool) -> tuple[Recommendation, ...]:
    """Return what to do, the surest first; what could not be answered says what would mend it.

    Parameters
    ----------
    attribution : dict or None
        The document.
    contacts : bool
        Whether contacts were given.
    """
    found = [*recommendations(attribution), *refusals(attribution)]
    if not found:
        key = "bring_effects" if contacts else "bring_contacts"
        return (Recommendation("", key, "refused", None, None, None, "share"),)
    order = {grade: place for place, grade in enumerate(GRADES)}
    return tuple(sorted(found, key=lambda one: order.get(one.grade, len(order))))


def refusals(attribution: Document | None) -> tuple[Recommendation, ...]:
    """Return the behaviours whose gates did not hold."""
    found = []
    for row in records(attribution, "refused"):
        name = words(row, "behaviour")
        why, mend = (words(row, key, limit=WHY_LIMIT) for key in ("why", "mend"))
        if name and why:
            found.append(
                Recommendation(
                    name, "refused", "refused", None, None, None, unit(name), why=why, mend=mend
                )
            )
    return tuple(found)


def recommendations(attribution: Document | None) -> tuple[Recommendation, ...]:
    """Return the targets, in the order of the document."""
    found = []
    for target in records(attribution, "targets"):
        behaviour = words(target, "behaviour")
        measured_in = unit(behaviour)
        n = count(target, "n") or count(attribution, "customers")
        current = figure(target, "current", measured_in, n=n)
        if current is None:
            continue
        best = figure(target, "best", measured_in, low="best_low", high="best_high", n=n)
        step, suggested = _step(target), number(target, "suggested")
        if best is not None and suggested is not None:
            best = Figure(suggested, measured_in, best.low, best.high, n)
        elif step is not None:
            best = Figure(step.to, measured_in, n=n)
        grade = words(target, "grade")
        found.append(
            Recommendation(
                behaviour,
                _move(words(target, "recommend"), current, best),
                grade if grade in GRADES else "",
                current,
                best,
                _gain(target, current, best, n),
                measured_in,
                step,
                _experiment(target),
                words(target, "measure_again_on"),
                words(target, "settled_by"),
                net_of_time=measured_in == "seconds" and lookup(target, "net_of_cost") is True,
            )
        )
    return tuple(found)


def _step(target: Document) -> StepFacts | None:
    step = lookup(target, "step")
    to, chance = number(step, "to"), number(step, "probability")
    gain, worst = (number(step, key, "per_contact") for key in ("expected_gain", "worst_case"))
    if to is None or chance is None or gain is None or worst is None:
        return None
    return StepFacts(
        to=to,
        probability=chance,
        probability_low=number(step, "probability_low"),
        probability_high=number(step, "probability_high"),
        per_contact=gain,
        per_year=number(step, "expected_gain", "per_year"),
        worst_per_contact=worst,
        worst_per_year=number(step, "worst_case", "per_year"),
    )


def _experiment(target: Document) -> ExperimentFacts | None:
    plan = lookup(target, "experiment")
    numbers = [number(plan, key) for key in ("to", "cost", "net_value", "probability_moves")]
    counts = [count(plan, key) for key in ("weeks", "units_per_arm", "agents_per_arm")]
    named = words(plan, "unit")
    if any(one is None for one in (*numbers, *counts)) or named not in UNITS:
        return None
    to, cost, net, moves = (one or 0.0 for one in numbers)
    weeks, units, agents = (one or 0 for one in counts)
    command = words(plan, "command", limit=COMMAND_LIMIT)
    return ExperimentFacts(named, to, weeks, units, agents, cost, net, moves, command)


def _gain(target: Document, current: Figure, best: Figure | None, n: int | None) -> Figure | None:
    """Return the gain with the curve's band at the nearest point of the recommended setting."""
    value = number(target, "gain_per_customer")
    points = [row for row in records(target, "curve") if number(row, "scale") is not None]
    if value is None or best is None or not points:
        return None if value is None else Figure(value, "currency", n=n)
    nearest = min(points, key=lambda row: abs(row["scale"] * current.value - best.value))
    at = number(nearest, "net") if lookup(target, "step") and not target.get("suggested") else value
    return figure({**nearest, "value": at}, "value", "currency", n=n)


def _move(said: str, current: Figure, best: Figure | None) -> str:
    if said in ("keep", "experiment"):
        return said
    if best is None or best.value == current.value or said not in ("move", "raise", "lower"):
        return "unclear"
    return "raise" if best.value > current.value else "lower"
