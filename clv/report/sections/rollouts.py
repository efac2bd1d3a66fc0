"""Roll-outs: what a training, a tool or a policy did, and whether it paid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clv.report.figures import Figure, count, figure, lookup, number, records, words
from clv.report.sections.decisions import unit

if TYPE_CHECKING:
    from clv.report.figures import Document
    from clv.report.sections.inputs import ReportInputs

UNITS = ("agent", "team", "queue")
VERDICTS = ("paid", "lost", "open")


@dataclass(frozen=True)
class Moved:
    """By how much a behaviour moved in the contacts that were reached."""

    behaviour: str
    change: Figure


@dataclass(frozen=True)
class RollOut:
    """One roll-out; ``verdict`` is empty, and ``why`` and ``mend`` are set, where it is refused."""

    what: str
    unit: str
    units: int
    reached: int
    verdict: str
    per_contact: Figure | None
    agent_year: Figure | None
    cost_per_agent: Figure | None
    payback: Figure | None
    moved: tuple[Moved, ...]
    why: str
    mend: str


@dataclass(frozen=True)
class RollOuts:
    """The section; it is shown where anything was rolled out."""

    rollouts: tuple[RollOut, ...]


def rollouts(inputs: ReportInputs) -> RollOuts:
    """Collect the section from ``attribution["rollouts"]``."""
    rows = (_rollout(row) for row in records(inputs.attribution, "rollouts"))
    return RollOuts(tuple(row for row in rows if row is not None))


def _rollout(row: Document) -> RollOut | None:
    what, reached = words(row, "what"), count(row, "contacts_reached")
    kind, verdict = words(row, "unit"), words(lookup(row, "payment"), "verdict")
    refused = lookup(row, "refused")
    why = words(refused, "why")
    if not what or kind not in UNITS or (verdict not in VERDICTS and not why):
        return None
    payment = lookup(row, "payment")
    cost, days = number(payment, "cost_per_agent"), number(payment, "payback_days")
    moved = tuple(
        Moved(words(each, "behaviour"), change)
        for each in records(row, "behaviours")
        if (change := figure(each, "estimate", unit(words(each, "behaviour")), n=reached))
        is not None
    )
    return RollOut(
        what=what,
        unit=kind,
        units=count(row, "units") or 0,
        reached=count(row, "units_reached") or 0,
        verdict="" if why else verdict,
        per_contact=figure(lookup(row, "per_contact"), "estimate", "currency", n=reached),
        agent_year=figure(lookup(payment, "per_agent_year"), "estimate", "currency", n=reached),
        cost_per_agent=None if cost is None else Figure(cost, "currency", n=reached),
        payback=None if days is None else Figure(days, "days", n=reached),
        moved=moved,
        why=why,
        mend=words(refused, "mend"),
    )
