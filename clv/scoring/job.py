"""A scoring run: chunks in, one published score table out, or nothing."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any

from clv.errors import ModelError, StorageError, UsageError, WindowError, listing
from clv.features.base import fingerprint
from clv.features.behaviours import is_own_marker
from clv.features.table import FeatureTable, build_feature_table
from clv.notes import Note, silent
from clv.scoring import publish, unfinished
from clv.scoring.changes import Changes, compare
from clv.scoring.deliveries import compared_with_last, worth_compared_with_last
from clv.scoring.nodes import on_nodes
from clv.scoring.publish import MODEL_NAME, SCORE_FILE
from clv.scoring.result import ScoringResult, versions
from clv.scoring.rows import Reasons
from clv.scoring.stream import Tally, keep_reasons, reconcile, write_rows
from clv.scoring.tombstones import bury, noted
from clv.scoring.volumes import VOLUMES_FILE, Volumes, count_volumes
from clv.sinks import CsvSink
from clv.storage import MARK, sha256_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from clv.contract.tables import Tables
    from clv.events.histories import Histories
    from clv.models.lifetime_value import LifetimeModel
    from clv.models.model_info import ModelInfo
    from clv.notes import OnProgress
    from clv.scoring.options import ScoringOptions
    from clv.sinks import WriteReport

PORTFOLIO_FILE = "portfolio.json"
BYTES_PER_CUSTOMER = 1_000
"""What one customer takes on disk in all files of a run, generously."""

_NAME_DIGITS = 12


def score(
    histories: Histories,
    model: LifetimeModel,
    *,
    as_of: dt.date,
    options: ScoringOptions,
    on_progress: OnProgress = silent,
) -> ScoringResult:
    """Score every customer known at the end of a day, and publish the table.

    Parameters
    ----------
    histories : Histories
        A company's, with markers where the model was trained with them.
    model : LifetimeModel
        As loaded from the registry.
    as_of : datetime.date
        The last day that is known.
    options : ScoringOptions
        Which model it is, where to publish, and how.
    on_progress : OnProgress
        Called per chunk.

    Raises
    ------
    WindowError
        When ``as_of`` lies outside the orders.
    ModelError
        When the tables do not give the features that the model was trained on.
    QuarantineError
        When more rows than allowed cannot be published.
    GateError
        When the tables or the total lie further from the last run's than the guards allow.
    LockError, StorageError, SinkError
        When another run is under way, the disk is full, or a destination refuses. Nothing
        is published then.
    """
    check_day(histories.tables, as_of)
    volumes = count_volumes(histories.tables, as_of)
    compared_with_last(options, publish.survey(options.folder).runs, as_of, volumes)
    on_progress("features", 0, 1)
    table = build_feature_table(histories, as_of)
    on_progress("features", 1, 1)
    try:
        return score_table(table, model, options, on_progress, volumes=volumes)
    finally:
        table.close()


def check_day(tables: Tables, as_of: dt.date) -> None:
    """Refuse a day before the first order or after the last one.

    Raises
    ------
    WindowError
        With the days that the data cover.
    """
    span = tables.order_span
    first = span.stray_before[0][0] if span.stray_before else span.first
    last = span.stray_after[-1][0] if span.stray_after else span.last
    if not first <= as_of <= last:
        raise WindowError(
            f"as_of {as_of}: lies outside the orders, {first} to {last}. Score as of a day "
            "within them, or bring newer orders."
        )


def score_table(
    table: FeatureTable,
    model: LifetimeModel,
    options: ScoringOptions,
    on_progress: OnProgress = silent,
    *,
    volumes: Volumes | None = None,
) -> ScoringResult:
    """Score a feature table and publish the result; see ``score``.

    Parameters
    ----------
    table : FeatureTable
        Features of everybody who is scored, as of one day.
    model : LifetimeModel
        What scores them.
    options : ScoringOptions
        Where to publish, and how.
    on_progress : callable
        Told each step, what of it is done, and all of it.
    volumes : Volumes, optional
        Of the day's orders and contacts, to be held against the runs before.
    """
    notes = (*table.notes, *check_features(model.info, table), *hindsight(model.info, table))
    reasons = Reasons.parse(options.reasons)
    check_name(options.model_name)
    with publish.locked(options.folder, options.wait_seconds):
        before = publish.survey(options.folder)
        notes += compared_with_last(options, before.runs, table.cutoff, volumes)
        staging = publish.staged(options.folder)
        spread: FeatureTable | None = None
        try:
            customers = table.engine.to_pandas(table.rows.aggregate(rows=table.rows.count()))
            count = int(customers["rows"].iloc[0])
            check_space(options.folder, count)
            inputs = unfinished.inputs_of(table, model, options, count)
            saved = unfinished.opened(options.folder, inputs, model)
            tally = Tally.begin(model, table, options.profile)
            spread = on_nodes(table, model)
            write_rows(tally, spread or table, saved, options, staging, count, on_progress)
            keep_reasons(tally, reasons, staging)
            reconcile(tally, staging, count, options.limit_share)
            worth = portfolio(tally, table, model)
            _write_documents(staging, worth, volumes)
            changes = changes_since(before, staging)
            notes += worth_compared_with_last(options, before.runs, worth, changes)
            sinks = [CsvSink(), *(() if options.dry_run else options.sinks)]
            gone = bury(before, table.cutoff, staging)
            notes = (*notes, *before.notes, *saved.said(), *noted(gone))
            reports = [sink.write(staging / SCORE_FILE, staging, gone) for sink in sinks]
            result = _result(table, model, options, tally, reports, changes, notes)
            if not options.dry_run:
                publish.write_json(staging / publish.MANIFEST, result.as_dict())
                publish.publish(options.folder, result.run, options.keep, options.keep_months)
            saved.remove()
            return result
        finally:
            if spread is not None:
                spread.close()
            publish.discard_staged(options.folder)


def _write_documents(staging: Path, worth: dict[str, Any], volumes: Volumes | None) -> None:
    """Write what the scores are worth together, and how many rows they were computed from."""
    publish.write_json(staging / PORTFOLIO_FILE, worth)
    if volumes is not None:
        publish.write_json(staging / VOLUMES_FILE, volumes.as_dict())


def changes_since(before: publish.Published, staging: Path) -> Changes | None:
    """Compare the staged scores with those of the newest run that can be read."""
    if not before.runs:
        return None
    return compare(before.runs[0] / SCORE_FILE, staging / SCORE_FILE)


def check_name(model_name: str) -> None:
    """Refuse a model's name that cannot stand in a run's.

    Raises
    ------
    UsageError
        Before anything is scored.
    """
    if not MODEL_NAME.fullmatch(model_name):
        raise UsageError(
            f"scores: the model is called {model_name!r}; expected letters, digits, '.', '_' and "
            "'-', since runs are named after it. Give it another name in registry.name."
        )


def check_features(info: ModelInfo, table: FeatureTable) -> tuple[Note, ...]:
    """Refuse tables that do not give the features the model was trained on.

    Raises
    ------
    ModelError
        When one is missing, or is declared otherwise than at training.
    """
    absent = [name for name in info.features if name not in table.features]
    if absent:
        raise ModelError(
            f"model: feature {listing(absent)} is not available in these tables; the model was "
            f"trained with {len(info.features)}. {_bring(absent)}, or train again without it."
        )
    known = {name: table.features[name] for name in info.features}
    if fingerprint(known) != info.fingerprint:
        raise ModelError(
            f"model: features are declared otherwise than at training (fingerprint "
            f"{fingerprint(known)}, expected {info.fingerprint}). Train again with this version "
            "of clv, or score with the one that trained it and its marker pack (markers.pack)."
        )
    unused = [name for name in table.features if name not in known]
    if not unused:
        return ()
    text = f"features that the model was trained without are not used: {listing(unused)}"
    return (Note("feature_unused", "features", len(unused), text),)


def _bring(absent: Sequence[str]) -> str:
    """Say what would make features available that are not."""
    own = [name for name in absent if is_own_marker(name)]
    if own:
        return (
            f"{listing(own)} comes from a marker that clv's own pack does not have: name the pack "
            "that the model was trained with in markers.pack"
        )
    return "Bring the table it is computed from, with every column it had at training"


def hindsight(info: ModelInfo, table: FeatureTable) -> tuple[Note, ...]:
    """Say where a model has learned from days after the one that it scores as of."""
    last = dt.date.fromisoformat(info.training_cutoff) + dt.timedelta(days=info.horizon_days)
    if table.cutoff >= last:
        return ()
    text = (
        f"as of {table.cutoff}, by a model that has learned from orders until {last}: what came "
        "true after that day is no test of these scores"
    )
    return (Note("hindsight", "scores", 0, text),)


def check_space(out: Path, customers: int) -> None:
    """Refuse to begin what will not fit on the disk.

    Raises
    ------
    StorageError
        With what is there and what is needed.
    """
    needed, free = customers * BYTES_PER_CUSTOMER, shutil.disk_usage(out).free
    if free < needed:
        raise StorageError(
            f"{out}: {free / 1e6:,.0f} MB free; {customers:,} customers need about "
            f"{needed / 1e6:,.0f} MB. Free some space, or choose another place."
        )


def portfolio(tally: Tally, table: FeatureTable, model: LifetimeModel) -> dict[str, Any]:
    """Return the document ``portfolio.json``."""
    summary = tally.portfolio.summary()
    as_of = table.cutoff.isoformat()
    low, high = model.total_interval(summary["total_clv"], summary["customers"], as_of)
    return {
        "as_of": as_of,
        "horizon_days": model.info.horizon_days,
        "currency": model.info.currency,
        "value_is_margin": model.info.value_is_margin,
        "total_low": round(low, 4),
        "total_high": round(high, 4),
        **summary,
    }


def _result(
    table: FeatureTable,
    model: LifetimeModel,
    options: ScoringOptions,
    tally: Tally,
    reports: Sequence[WriteReport],
    changes: Changes | None,
    notes: Sequence[Note],
) -> ScoringResult:
    staging = options.folder / publish.STAGING
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
        for path in sorted(staging.iterdir())
        if path.name != MARK
    }
    run = _run_name(table.cutoff, options, files)
    return ScoringResult(
        run=run,
        path=None if options.dry_run else options.folder / publish.RUNS / run,
        as_of=table.cutoff,
        model_name=options.model_name,
        model_version=options.model_version,
        feature_fingerprint=model.info.fingerprint,
        data_fingerprint=options.data_fingerprint,
        customers=tally.scored + tally.quarantined,
        scored=tally.scored,
        quarantined=tally.quarantined,
        reasons=dict(sorted(tally.reasons.items())),
        portfolio=json.loads((staging / PORTFOLIO_FILE).read_text(encoding="utf-8")),
        files=files,
        sinks=tuple(report.as_dict() for report in reports),
        drift=None if tally.drift is None else tally.drift.report().as_dict(),
        packages=versions(),
        changes=changes,
        finished_at=None if options.clock is None else options.clock().isoformat(),
        notes=(*notes, *tally.notes(), *_rejected(reports)),
    )


def _run_name(as_of: dt.date, options: ScoringOptions, files: dict[str, dict[str, Any]]) -> str:
    """Name a run after what is in it, so that the same run again has the same name."""
    content = json.dumps([[name, entry["sha256"]] for name, entry in sorted(files.items())])
    digest = hashlib.sha256(content.encode()).hexdigest()[:_NAME_DIGITS]
    return f"{as_of.isoformat()}_{options.model_name}-v{options.model_version}_{digest}"


def _rejected(reports: Sequence[WriteReport]) -> tuple[Note, ...]:
    return tuple(
        Note("rejected", f"sink {report.kind}", count, reason)
        for report in reports
        for reason, count in report.reasons.items()
    )
