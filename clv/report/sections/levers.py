"""Empathy against handle time: the net-value curves, and what a reader may try on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clv.report.figures import EVIDENCE, Figure, Missing, count, lookup, number, records, words
from clv.report.sections.decisions import recommendations
from clv.report.sections.wider import (
    Joint,
    Outcome,
    PartTarget,
    ScoreItem,
    joint,
    outcomes,
    part_targets,
    scorecard,
)

if TYPE_CHECKING:
    from clv.report.figures import Document
    from clv.report.sections.inputs import ReportInputs


@dataclass(frozen=True)
class CurvePoint:
    """Net value per customer against today, where every contact's behaviour is scaled."""

    at: float
    net: float
    low: float
    high: float
    supported: bool


@dataclass(frozen=True)
class Lever:
    """A behaviour that can be set: its curve, its supported range and where it stands.

    Attributes
    ----------
    current, supported_low, supported_high : float
        In ``unit``: seconds or a share.
    best : Figure or None
        The recommended position with its interval.
    move : str
        ``raise``, ``lower``, ``keep`` or ``unclear``.
    gain : Figure or None
        Net value per customer of moving there.
    cost_per_minute, minutes_per_customer : float or None
        Agent cost, and agent minutes per customer and year as they are today; with both, the
        curve can be redrawn for another cost.
    contacts_per_customer, contacts_a_year : float or None
        Contacts with an occasion, per customer in contact and year and of the company.
    """

    behaviour: str
    unit: str
    current: float
    supported_low: float
    supported_high: float
    best: Figure | None
    move: str
    gain: Figure | None
    curve: tuple[CurvePoint, ...]
    n: int | None
    cost_per_minute: float | None
    minutes_per_customer: float | None
    contacts_per_customer: float | None = None
    contacts_a_year: float | None = None


@dataclass(frozen=True)
class Levers:
    """The section."""

    levers: tuple[Lever, ...]
    joint: Joint | None
    parts: tuple[PartTarget, ...]
    outcomes: tuple[Outcome, ...]
    scorecard: tuple[ScoreItem, ...]
    missing: tuple[Missing, ...]


def levers(inputs: ReportInputs) -> Levers:
    """Collect the curves; handle time first."""
    found = [
        lever
        for target in records(inputs.attribution, "targets")
        if (lever := _lever(target, count(inputs.attribution, "customers"))) is not None
    ]
    found.sort(key=lambda lever: lever.behaviour != "handle_seconds")
    named = {lever.behaviour for lever in found}
    curves = [key for key in ("handle_seconds", "empathy") if key not in named]
    missing = [_no_curve(key, inputs.attribution) for key in curves]
    handle = [lever for lever in found if lever.behaviour == "handle_seconds"]
    if handle and (handle[0].cost_per_minute is None or handle[0].minutes_per_customer is None):
        missing.append(Missing("cost_per_minute"))
    for row in records(inputs.attribution, "unavailable"):
        what, why = words(row, "what"), words(row, "why", limit=240)
        # Refused levels stand with their effect on page 1.
        if what.rpartition(", ")[2] not in EVIDENCE and not what.startswith("targets of "):
            missing.append(Missing("stated", f"{what}: {why}"))
    return Levers(
        tuple(found),
        joint(inputs.attribution),
        part_targets(inputs.attribution),
        outcomes(inputs.attribution),
        scorecard(inputs.attribution),
        tuple(missing),
    )


def _no_curve(behaviour: str, attribution: Document | None) -> Missing:
    """Say why there is no curve: what the attribution gave as its reason, else what it needs."""
    given = [(row, "why") for row in records(attribution, "refused")]
    given += [
        ({**level, "behaviour": words(effect, "behaviour")}, "refused.why")
        for effect in records(attribution, "effects")
        for level in records(effect, "levels")
    ]
    for row, key in given:
        why = words(row, *key.split("."), limit=240).rstrip(".")
        if words(row, "behaviour") == behaviour and why:
            return Missing(f"curve_refused_{behaviour}", why)
    return Missing(f"curve_{behaviour}")


def _lever(target: Document, customers: int | None) -> Lever | None:
    shown = recommendations({"targets": [target], "customers": customers})
    supported = lookup(target, "supported")
    today = shown[0].current if shown else None
    if today is None or not _is_range(supported):
        return None
    target_facts = shown[0]
    current, low, high = today.value, float(supported[0]), float(supported[1])
    curve = sorted(
        (_point(row, current, low, high) for row in records(target, "curve") if _is_point(row)),
        key=lambda point: point.at,
    )
    if len(curve) < 2:
        return None
    return Lever(
        behaviour=target_facts.behaviour,
        unit=target_facts.unit,
        current=current,
        supported_low=low,
        supported_high=high,
        best=target_facts.best,
        move=target_facts.move,
        gain=target_facts.gain,
        curve=tuple(curve),
        n=today.n,
        cost_per_minute=number(target, "cost_per_minute"),
        minutes_per_customer=minutes(target),
        contacts_per_customer=number(target, "contacts_per_customer"),
        contacts_a_year=number(target, "contacts_a_year"),
    )


def minutes(target: Document) -> float | None:
    """Return today's agent minutes per customer, which the curve's cost implies.

    A point's gross value is its terms times the coefficients; what the net value lacks of it
    is the cost per minute times the minutes that the point adds, in proportion to its scale.
    """
    price = number(target, "cost_per_minute")
    coefficients, terms = lookup(target, "coefficients"), lookup(target, "terms")
    curve = records(target, "curve")
    if not price or lookup(target, "net_of_cost") is not True or not coefficients or not curve:
        return None
    place = max(range(len(curve)), key=lambda i: abs((number(curve[i], "scale") or 1.0) - 1))
    scale, net = number(curve[place], "scale"), number(curve[place], "net")
    if scale is None or net is None or scale == 1 or len(terms or ()) != len(curve):
        return None
    gross = sum(a * b for a, b in zip(terms[place], coefficients, strict=True))
    return float((gross - net) / (price * (scale - 1)))


def _is_range(value: object) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(isinstance(end, int | float) for end in value)
    )


def _is_point(row: Document) -> bool:
    return all(number(row, key) is not None for key in ("scale", "net", "low", "high"))


def _point(row: Document, current: float, low: float, high: float) -> CurvePoint:
    at = float(row["scale"]) * current
    # A scale times today's level may miss the end of the range by a rounding.
    slack = 1e-6 * abs(current)
    return CurvePoint(
        at=at,
        net=float(row["net"]),
        low=float(row["low"]),
        high=float(row["high"]),
        supported=low - slack <= at <= high + slack,
    )
