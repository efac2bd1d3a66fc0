"""What moved since the last report, and how much of it comes from customers or their value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clv.report.figures import Figure, Missing, figure, lookup, number, records, words

if TYPE_CHECKING:
    from clv.report.figures import Document
    from clv.report.sections.answer import Answer
    from clv.report.sections.trust import Trust


@dataclass(frozen=True)
class Change:
    """One figure before and now; ``apart`` says that their intervals do not overlap."""

    key: str
    before: Figure
    now: Figure
    apart: bool


@dataclass(frozen=True)
class Why:
    """The total's change split exactly: more or fewer customers, and value per customer."""

    total: float
    from_customers: float
    from_value: float


@dataclass(frozen=True)
class Changes:
    """The section."""

    since: str
    changes: tuple[Change, ...]
    why: Why | None
    new_model: bool
    new_horizon: bool
    missing: tuple[Missing, ...]


def changes(
    previous: Document | None, answer: Answer, trust: Trust, horizon_days: int | None
) -> Changes:
    """Compare the figures of this report with those of the one before."""
    if previous is None:
        return Changes(
            "", (), None, new_model=False, new_horizon=False, missing=(Missing("previous"),)
        )
    same_horizon = number(previous, "horizon_days") == horizon_days
    pairs: list[tuple[str, Figure | None, Figure | None]] = []
    if same_horizon:
        pairs.append(("total", _figure(previous, "answer", "total"), answer.total))
        pairs.append(("mean", _figure(previous, "answer", "mean"), answer.mean))
    before = {words(k, "key"): _figure(k, "figure") for k in records(previous, "answer", "strip")}
    pairs += [(k.key, before.get(k.key), k.figure) for k in answer.strip]
    effects = {
        words(b, "behaviour"): _figure(b, "figure")
        for b in records(previous, "answer", "behaviours")
    }
    pairs += [
        (f"effect:{b.behaviour}", effects.get(b.behaviour), b.figure) for b in answer.behaviours
    ]
    found = tuple(
        Change(key, old, now, _apart(old, now))
        for key, old, now in pairs
        if old is not None and now is not None
    )
    model = words(previous, "trust", "versions", "model")
    return Changes(
        since=words(previous, "as_of"),
        changes=found,
        why=decompose(found) if same_horizon else None,
        new_model=bool(model) and model != trust.versions.get("model", ""),
        new_horizon=not same_horizon,
        missing=() if found else (Missing("previous_figures"),),
    )


def decompose(found: tuple[Change, ...]) -> Why | None:
    """Split the total's change: customers at the old mean, value at the new number of customers."""
    by_key = {change.key: change for change in found}
    total, mean = by_key.get("total"), by_key.get("mean")
    if total is None or mean is None or total.before.n is None or total.now.n is None:
        return None
    return Why(
        total=total.now.value - total.before.value,
        from_customers=(total.now.n - total.before.n) * mean.before.value,
        from_value=total.now.n * (mean.now.value - mean.before.value),
    )


def _figure(document: Any, *path: str) -> Figure | None:
    found = lookup(document, *path)
    return figure(found, "value", words(found, "unit")) if isinstance(found, dict) else None


def _apart(old: Figure, now: Figure) -> bool:
    if old.low is None or old.high is None or now.low is None or now.high is None:
        return False
    return old.high < now.low or now.high < old.low
