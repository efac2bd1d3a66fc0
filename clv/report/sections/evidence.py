"""What was checked of every effect, and where association and evidence disagree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clv.report.figures import EVIDENCE, Figure, lookup, records, words
from clv.report.sections.answer import behaviours

if TYPE_CHECKING:
    from clv.report.figures import Document


@dataclass(frozen=True)
class EvidenceCheck:
    """One check of one level of one effect."""

    behaviour: str
    evidence: str
    check: str
    passed: bool | None
    message: str


@dataclass(frozen=True)
class Checked:
    """All checks of one level of one effect, counted; those not passed by name."""

    behaviour: str
    evidence: str
    passed: int
    failed: tuple[str, ...]
    informs: tuple[str, ...]


@dataclass(frozen=True)
class Disagreement:
    """Where the association and the best evidence tell different stories."""

    behaviour: str
    associated: Figure
    evidence: str
    measured: Figure
    opposite: bool


def checks(attribution: Document | None) -> tuple[EvidenceCheck, ...]:
    """Return every check of every level, in the order of the document."""
    return tuple(
        EvidenceCheck(
            behaviour=words(effect, "behaviour"),
            evidence=words(level, "evidence"),
            check=words(check, "name"),
            passed=answer if isinstance(answer := lookup(check, "passed"), bool) else None,
            message=words(check, "message", limit=160),
        )
        for effect in records(attribution, "effects")
        for level in records(effect, "levels")
        for check in records(level, "checks")
    )


def checked(found: tuple[EvidenceCheck, ...]) -> tuple[Checked, ...]:
    """Count the checks by level and effect."""
    shown = []
    for level in dict.fromkeys((check.behaviour, check.evidence) for check in found):
        mine = [check for check in found if (check.behaviour, check.evidence) == level]
        passed, failed, informs = (
            tuple(check.check for check in mine if check.passed is answer)
            for answer in (True, False, None)
        )
        shown.append(Checked(*level, len(passed), failed, informs))
    return tuple(shown)


def disagreements(attribution: Document | None) -> tuple[Disagreement, ...]:
    """Return the behaviours whose association lies outside the better evidence's interval."""
    found = []
    for effect in behaviours(attribution):
        lower = [
            level
            for level in effect.levels
            if level.figure is not None
            and level.evidence in EVIDENCE
            and EVIDENCE.index(level.evidence) < EVIDENCE.index(effect.evidence)
        ]
        if not lower or effect.figure.low is None or effect.figure.high is None:
            continue
        weakest = min(lower, key=lambda level: EVIDENCE.index(level.evidence)).figure
        if weakest is None or effect.figure.low <= weakest.value <= effect.figure.high:
            continue
        opposite = weakest.value * effect.figure.value < 0
        found.append(
            Disagreement(effect.behaviour, weakest, effect.evidence, effect.figure, opposite)
        )
    return tuple(found)
