"""What came in, what was set aside, and how far it moved since training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clv.report.figures import count, lookup, number, records, words

if TYPE_CHECKING:
    from clv.report.figures import Document
    from clv.report.sections.inputs import ReportInputs

DRIFT_SHOWN = 15


@dataclass(frozen=True)
class Rule:
    """A rule of the contract that rows broke."""

    rule: str
    count: int
    message: str


@dataclass(frozen=True)
class Table:
    """One table of the company: what came in, what was set aside and why."""

    table: str
    rows: int
    accepted: int
    quarantined: int
    first: str
    last: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Drift:
    """How far an input or the scores moved since training (population stability index)."""

    name: str
    psi: float
    status: str


@dataclass(frozen=True)
class Watched:
    """What monitoring asked of the model in use; ``status`` is ok, watch, act or unknown."""

    name: str
    status: str
    sentence: str
    next: str


def tables(validation: Document | None) -> tuple[Table, ...]:
    """Return what came in, table by table."""
    entries = lookup(validation, "tables")
    return tuple(
        Table(
            table=words({"t": name}, "t"),
            rows=count(document, "rows") or 0,
            accepted=count(document, "accepted") or 0,
            quarantined=count(document, "quarantined") or 0,
            first=words(document, "first"),
            last=words(document, "last"),
            rules=tuple(
                Rule(words(r, "rule"), count(r, "count") or 0, words(r, "message", limit=160))
                for r in records(document, "rules")
            ),
        )
        for name, document in (entries.items() if isinstance(entries, dict) else ())
    )


def drift(inputs: ReportInputs) -> tuple[Drift, ...]:
    """Return how far the inputs moved, furthest first: of the monitoring, else of the scoring."""
    rows = records(inputs.monitoring, "drift", "columns")
    rows = rows or records(inputs.manifest, "drift", "columns")
    found = [
        Drift(words(row, "name"), psi, words(row, "verdict"))
        for row in rows
        if (psi := number(row, "psi")) is not None
    ]
    return tuple(sorted(found, key=lambda d: (-d.psi, d.name))[:DRIFT_SHOWN])


def watched(monitoring: Document | None) -> tuple[Watched, ...]:
    """Return the answers of monitoring; one that several questions share is told once."""
    found: dict[tuple[str, str], Watched] = {}
    for row in records(monitoring, "checks"):
        status, sentence = words(row, "status"), words(row, "sentence", limit=240)
        asked = Watched(words(row, "name"), status, sentence, words(row, "next", limit=240))
        found.setdefault((status, sentence), asked)
    return tuple(found.values())
