"""How good the forecast was on money not yet seen: the backtest, as facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clv.report.figures import Figure, count, figure, lookup, number, records, words

if TYPE_CHECKING:
    from clv.report.figures import Document


METRICS = {
    "gini": "score", "spearman": "score", "mae": "currency", "decile_mape": "share",
    "total_bias": "share", "brier": "score", "calibration_error": "score",
}  # fmt: skip
"""The backtest's metrics and their units, in the order of the table."""


@dataclass(frozen=True)
class ModelScore:
    """One model's metrics over the folds, each with its interval."""

    model: str
    chosen: bool
    metrics: dict[str, Figure]


@dataclass(frozen=True)
class ForecastStep:
    """A step away from purchases alone: whether past tests spoke for it, and why not."""

    name: str
    used: bool
    reason: str


@dataclass(frozen=True)
class Pair:
    """Predicted against what happened, for ``label`` (a decile, a day, a probability)."""

    label: str
    predicted: float
    actual: float
    n: int


def models(backtest: Document | None, chosen: str) -> tuple[ModelScore, ...]:
    """Return every model's metrics; the chosen one first, then by ranking skill."""
    folds = records(backtest, "folds")
    # a later test holds the customers of an earlier one again: their sum counts no people
    n = max((count(fold, "test_customers") or 0 for fold in folds), default=0)
    entries = lookup(backtest, "models")
    found = []
    for model in entries if isinstance(entries, dict) else ():
        metrics = {
            name: shown
            for name, unit in METRICS.items()
            if (shown := figure(lookup(entries, model, name), "mean", unit, n=n)) is not None
        }
        found.append(ModelScore(words({"m": model}, "m"), model == chosen, metrics))

    def skill(score: ModelScore) -> tuple[bool, float, str]:
        gini = score.metrics.get("gini")
        return not score.chosen, -(gini.value if gini else -1.0), score.model

    return tuple(sorted(found, key=skill))


def pairs(backtest: Document | None, key: str, label: str, actual: str) -> tuple[Pair, ...]:
    """Return the rows of a chart of predicted against observed."""
    return tuple(
        Pair(words(row, label), predicted, observed, count(row, "customers") or 0)
        for row in records(backtest, key)
        if (predicted := number(row, "predicted")) is not None
        and (observed := number(row, actual)) is not None
    )


def people(backtest: Document | None) -> tuple[Pair, ...]:
    """Return mean forecast and realised value by who had bought how often."""
    rows = [s for s in records(backtest, "segments") if words(s, "column") == "people"]
    return pairs({"segments": rows}, "segments", "value", "actual")
