"""Monitoring: the questions a nightly job asks of a model in use, and monitoring.json.

::

    {"schema": 1, "checked_at": "2026-01-31T04:00:00+00:00", "as_of": "2026-01-30",
     "data_until": "2026-01-30", "model_name": "clv", "model_version": 3,
     "horizon_days": 180, "currency": "EUR", "customers": 20000, "status": "watch",
     "checks": [{"name": "inputs", "status": "watch", "figure": 0.2, "unit": "share",
                 "threshold": 0.1, "n": 20000, "sentence": "…", "next": "…"}, …],
     "drift": {"rows": 20000, "drifted": ["age_days"],
               "columns": [{"name": "age_days", "psi": 0.6, "elsewhere": 0.3, "unknown": 0.0,
                            "unknown_before": 0.0, "unseen": 0.0,
                            "verdict": "other population"}, …]},
     "realised": [{"as_of": "2025-06-30", "model_version": 2, "customers": 19000,
                   "predicted": 1.0, "actual": 1.0, "total_bias": 0.0, "bias_low": -0.1,
                   "bias_high": 0.1, "coverage": 0.9, "level": 0.9, …}, …],
     "tracking": {"biases": [0.02, 0.16], "band": 0.15, "refit": true},
     "next_complete": "2026-03-01", "notes": []}

The checks, always all of them and in this order: ``freshness`` (days), ``inputs`` (share),
``unknown`` (share), ``scores`` (psi), ``total`` (share), ``tracking`` (share), ``prospects``
(share), ``coverage`` (share), ``calibration`` (share). ``status`` is ``ok``, ``watch`` (look
at it), ``act`` (refit, or mend the data) or ``unknown`` (cannot be said yet); ``figure`` is
null where there is none. ``drift.columns`` holds inputs and scores, furthest first; ``realised`` is
oldest first, tables of earlier versions among them.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from clv.labels.outcomes import build_outcomes
from clv.monitoring.checks import STATUSES, Check, Limits, came_true, drifted, freshness
from clv.monitoring.realised import read_scores, realised, tracking
from clv.notes import Note, silent
from clv.windows import Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from clv.events.histories import Histories
    from clv.monitoring.drift import DriftReport
    from clv.monitoring.realised import Realised, Tracking
    from clv.notes import OnProgress

SCHEMA = 1


@dataclass(frozen=True)
class PastScores:
    """A score table that was published.

    Attributes
    ----------
    as_of : datetime.date
    model_version : int
    path : pathlib.Path
        The Parquet file.
    horizon_days : int
    discount_rate_annual, level : float
        Of the model that said it.
    """

    as_of: dt.date
    model_version: int
    path: Path
    horizon_days: int
    discount_rate_annual: float
    level: float

    @property
    def complete_at(self) -> dt.date:
        """The day on which its horizon ends."""
        return self.as_of + dt.timedelta(days=self.horizon_days)


@dataclass(frozen=True)
class ModelInUse:
    """What is known of the model whose scores readers see.

    Attributes
    ----------
    name : str
        The registered model's.
    learned_until : datetime.date
        The last day whose orders it was fitted on.
    weights : mapping of str to float
        Mean absolute contribution of each input, in currency.
    drift : DriftReport or None
        As the scoring counted it.
    reporting_delay_days : int
        Days until an order is in the data.
    """

    name: str
    learned_until: dt.date
    weights: Mapping[str, float]
    drift: DriftReport | None
    reporting_delay_days: int = 0


@dataclass(frozen=True)
class Monitoring:
    """All answers; ``as_dict`` is monitoring.json, see the module."""

    checked_at: dt.datetime
    as_of: dt.date
    data_until: dt.date
    model_name: str
    model_version: int
    horizon_days: int
    currency: str
    customers: int
    checks: tuple[Check, ...]
    drift: DriftReport | None
    realised: tuple[Realised, ...]
    tracking: Tracking
    next_complete: dt.date | None
    notes: tuple[Note, ...]

    @property
    def status(self) -> str:
        """The gravest answer."""
        return max((check.status for check in self.checks), key=STATUSES.index)

    def as_dict(self) -> dict[str, Any]:
        """Return monitoring.json."""
        return {
            "schema": SCHEMA,
            "checked_at": self.checked_at.isoformat(timespec="seconds"),
            "as_of": self.as_of.isoformat(),
            "data_until": self.data_until.isoformat(),
            "model_name": self.model_name,
            "model_version": self.model_version,
            "horizon_days": self.horizon_days,
            "currency": self.currency,
            "customers": self.customers,
            "status": self.status,
            "checks": [asdict(check) for check in self.checks],
            "drift": None if self.drift is None else self.drift.as_dict(),
            "realised": [found.as_dict() for found in self.realised],
            "tracking": self.tracking.as_dict(),
            "next_complete": None if self.next_complete is None else self.next_complete.isoformat(),
            "notes": [note.as_dict() for note in self.notes],
        }


def monitor(
    histories: Histories,
    past: Sequence[PastScores],
    model: ModelInUse,
    *,
    now: dt.datetime,
    limits: Limits | None = None,
    on_progress: OnProgress = silent,
) -> Monitoring:
    """Ask every question of the model whose scores are in use.

    Parameters
    ----------
    histories : Histories
        A company's, as they are today.
    past : sequence of PastScores
        Every table still kept, the newest first, which readers see; of one day the newest counts.
    model : ModelInUse
        The model of the newest.
    now : datetime.datetime
        With its zone.
    limits : Limits, optional
    on_progress : OnProgress
        Called per past table.
    """
    asked, current, drift = limits or Limits(), past[0], model.drift
    _, last = histories.tables.span()
    reported = last - dt.timedelta(days=model.reporting_delay_days)
    history = _history(histories, past, reported, on_progress)
    judged = [
        found
        for table, found in history
        if table.model_version == current.model_version or table.complete_at > model.learned_until
    ]
    waiting = [table.complete_at for table in past if table.complete_at > reported]
    chart = tracking(judged, asked.total_bias)
    customers = 0 if drift is None else drift.rows
    due = min(waiting, default=None)
    checks = (
        freshness(current.as_of, last, now.date(), customers, asked),
        *drifted(drift, model.weights, asked),
        *came_true(judged, chart, due, asked),
    )
    return Monitoring(
        checked_at=now,
        as_of=current.as_of,
        data_until=last,
        model_name=model.name,
        model_version=current.model_version,
        horizon_days=current.horizon_days,
        currency=histories.tables.terms.currency,
        customers=customers,
        checks=checks,
        drift=drift,
        realised=tuple(found for _, found in history),
        tracking=chart,
        next_complete=due,
        notes=_notes(history, judged),
    )


def _history(
    histories: Histories, past: Sequence[PastScores], reported: dt.date, on_progress: OnProgress
) -> list[tuple[PastScores, Realised]]:
    """Compare every table whose horizon is complete, oldest first."""
    newest: dict[dt.date, PastScores] = {}
    for table in past:
        if table.complete_at <= reported:
            newest.setdefault(table.as_of, table)
    if not newest:
        return []
    found = []
    for done, day in enumerate(sorted(newest)):
        table = newest[day]
        on_progress(day.isoformat(), done, len(newest))
        outcomes = build_outcomes(
            histories,
            Window(day, table.horizon_days),
            discount_rate_annual=table.discount_rate_annual,
            prospects=True,
        )
        scores = read_scores(table.path)
        compared = realised(scores, outcomes, model_version=table.model_version, level=table.level)
        found.append((table, compared))
    on_progress("outcomes", len(newest), len(newest))
    return found


def _notes(
    history: Sequence[tuple[PastScores, Realised]], judged: Sequence[Realised]
) -> tuple[Note, ...]:
    earlier = len(history) - len(judged)
    if not earlier:
        return ()
    text = "score tables of earlier models, whose horizons the present model has learned from"
    return (Note("not_judged", "monitor", earlier, text),)
