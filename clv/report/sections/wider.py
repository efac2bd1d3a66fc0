"""Beyond the two curves: both targets at once, targets by queue and issue, other outcomes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from clv.report.figures import Figure, count, figure, lookup, number, records, words
from clv.report.sections.decisions import Recommendation, recommendations, unit

if TYPE_CHECKING:
    from clv.report.figures import Document

PARTS_SHOWN, OUTCOMES_SHOWN, STEPS_SHOWN, ITEMS_SHOWN = 12, 10, 15, 15
"""Limits, so that the page does not grow with the company."""

POINTS = ("probability",)


@dataclass(frozen=True)
class Spot:
    """One joint policy; ``settled`` is +1 or −1 where the whole interval has that sign."""

    handle_seconds: float
    empathy: float
    net: Figure
    settled: int


@dataclass(frozen=True)
class Joint:
    """Net value over empathy × handle time; None is a policy that no pool of agents keeps.

    ``rows`` go by empathy, highest first; columns by handle time, shortest first.
    """

    handle_seconds: tuple[float, ...]
    empathy: tuple[float, ...]
    rows: tuple[tuple[Spot | None, ...], ...]
    today: tuple[float, float]
    suggested: Spot | None
    step: Spot | None
    step_probability: float | None


@dataclass(frozen=True)
class PartTarget:
    """A target within one queue or issue type."""

    by: str
    name: str
    contacts: int
    target: Recommendation


@dataclass(frozen=True)
class OutcomeEffect:
    """One behaviour's effect on one outcome, at its best evidence."""

    behaviour: str
    change: float
    unit: str
    figure: Figure | None
    evidence: str
    good: bool | None


@dataclass(frozen=True)
class Outcome:
    """An outcome besides value, and what the behaviours do to it."""

    outcome: str
    mean: Figure
    effects: tuple[OutcomeEffect, ...]


@dataclass(frozen=True)
class ScoreItem:
    """An item of the scorecard, and what a tenth of its points more is worth per contact."""

    item: str
    mean: Figure
    worth: Figure
    good: bool | None


def joint(attribution: Document | None) -> Joint | None:
    """Return the joint frontier as a grid."""
    document = lookup(attribution, "frontier")
    seconds = number(document, "handle_seconds")
    if seconds is None:
        return None
    n = count(attribution, "customers")
    spots = [s for row in records(document, "cells") if (s := _spot(row, seconds, n)) is not None]
    times = sorted({spot.handle_seconds for spot in spots})[:STEPS_SHOWN]
    warmths = sorted({spot.empathy for spot in spots}, reverse=True)[:STEPS_SHOWN]
    if len(times) < 2 or len(warmths) < 2:
        return None
    place = {(spot.empathy, spot.handle_seconds): spot for spot in spots}
    today = lookup(document, "today")
    scale, empathy = today if isinstance(today, list | tuple) and len(today) == 2 else (1.0, 1.0)
    here = min(warmths, key=lambda warmth: abs(warmth - float(empathy)))
    return Joint(
        handle_seconds=tuple(times),
        empathy=tuple(warmths),
        rows=tuple(tuple(place.get((e, t)) for t in times) for e in warmths),
        today=(min(times, key=lambda t: abs(t - float(scale) * seconds)), here),
        suggested=_spot(lookup(document, "suggested"), seconds, n),
        step=_expected(lookup(document, "likely"), seconds, n),
        step_probability=number(document, "likely", "probability"),
    )


def _spot(row: Document | None, seconds: float, n: int | None) -> Spot | None:
    scale, empathy = number(row, "scale"), number(row, "empathy")
    net = figure(row, "net", "currency", n=n)
    if scale is None or empathy is None or net is None:
        return None
    settled = (1 if net.value > 0 else -1) if net.settled else 0
    return Spot(round(scale * seconds, 1), round(empathy, 4), net, settled)


def _expected(row: Document | None, seconds: float, n: int | None) -> Spot | None:
    """Return a policy with its expected gain."""
    spot, expected = _spot(row, seconds, n), number(row, "expected")
    if spot is None or expected is None:
        return None
    return replace(spot, net=Figure(expected, "currency", n=n))


def part_targets(attribution: Document | None) -> tuple[PartTarget, ...]:
    """Return targets by queue and issue type, the largest parts first."""
    found = []
    for part in records(attribution, "part_targets"):
        contacts = count(part, "contacts") or 0
        rows = [{"n": contacts, **row} for row in records(part, "targets")]
        for target in recommendations({"targets": rows}):
            found.append(PartTarget(words(part, "by"), words(part, "name"), contacts, target))
    found.sort(key=lambda one: (-one.contacts, one.by, one.name, one.target.behaviour))
    return tuple(found[:PARTS_SHOWN])


def outcomes(attribution: Document | None) -> tuple[Outcome, ...]:
    """Return outcomes besides value that some behaviour could be studied on."""
    found = []
    for row in records(attribution, "outcomes"):
        said = words(row, "unit")
        currency = said == words(attribution, "currency")
        measured = "currency" if currency else "share" if said in POINTS else "score"
        mean = figure(row, "mean", measured, n=count(row, "contacts"))
        better = words(row, "better")
        effects = tuple(_effect(e, measured, better) for e in records(row, "effects"))
        if mean is not None and any(effect.figure is not None for effect in effects):
            found.append(Outcome(words(row, "outcome"), mean, effects))
    return tuple(found[:OUTCOMES_SHOWN])


def scorecard(attribution: Document | None) -> tuple[ScoreItem, ...]:
    """Return the items of the scorecard that have a price, the best first."""
    found = []
    for row in records(attribution, "scorecard"):
        mean = figure(row, "mean", "share", n=count(row, "evaluated"))
        worth = figure(row, "estimate", "currency", n=count(row, "evaluated"))
        if mean is not None and worth is not None:
            good = worth.value > 0 if lookup(row, "settled") is True else None
            found.append(ScoreItem(words(row, "item"), mean, worth, good))
    return tuple(found[:ITEMS_SHOWN])


def _effect(row: Document, measured: str, better: str) -> OutcomeEffect:
    headline = words(row, "headline")
    level = next((x for x in records(row, "levels") if words(x, "evidence") == headline), None)
    shown = figure(level, "estimate", measured, n=count(row, "n"))
    good = None
    if shown is not None and shown.settled and better in ("more", "less"):
        good = (shown.value > 0) == (better == "more")
    name = words(row, "behaviour")
    return OutcomeEffect(
        name, number(row, "change") or 0.0, unit(name, words(row, "unit")), shown, headline, good
    )
