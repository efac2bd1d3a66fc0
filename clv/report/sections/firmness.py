"""How firm the associations are: models grown again, an exact audit, groups acting together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clv.report.figures import Figure, count, figure, number, records, words

if TYPE_CHECKING:
    from clv.report.figures import Document

TOGETHER = ("empathy", "efficiency")
"""The pair that companies ask about: what empathy and its minutes go with at once."""


@dataclass(frozen=True)
class FirmGroup:
    """A group's share, between the smallest and the largest over models grown again."""

    group: str
    label: str
    share: Figure
    correlation: float | None


@dataclass(frozen=True)
class Together:
    """What two groups predict beyond the sum of both, by size, in currency per customer."""

    one: str
    other: str
    size: Figure


@dataclass(frozen=True)
class Firmness:
    """What contributions would be with other customers, and against exact values."""

    times: int
    same_first: float | None
    groups: tuple[FirmGroup, ...]
    audited: int | None
    audit_correlation: float | None
    together: Together | None


def firmness(contributions: Document | None) -> Firmness | None:
    """Collect what is known; None where no model was grown again."""
    times = count(contributions, "stability", "times")
    if not times:
        return None
    audited = count(contributions, "audit", "rows")
    pairs = records(contributions, "audit", "interactions")
    asked = next((p for p in pairs if {words(p, "one"), words(p, "other")} == set(TOGETHER)), None)
    size = figure(asked, "mean_abs", "currency", n=audited)
    groups = []
    for row in records(contributions, "groups"):
        group = words(row, "group")
        share = number(row, "share")
        low = number(contributions, "stability", "shares", group, "low")
        high = number(contributions, "stability", "shares", group, "high")
        if share is None or low is None or not high:
            continue  # not known, or a group without any amount
        correlation = number(contributions, "stability", "correlation", group)
        shown = Figure(share, "share", low, high, count(row, "customers"))
        groups.append(FirmGroup(group, words(row, "label"), shown, correlation))
    return Firmness(
        times=times,
        same_first=number(contributions, "stability", "same_first"),
        groups=tuple(sorted(groups, key=lambda g: (-g.share.value, g.group))),
        audited=audited,
        audit_correlation=number(contributions, "audit", "correlation"),
        together=Together(*TOGETHER, size) if size else None,
    )
