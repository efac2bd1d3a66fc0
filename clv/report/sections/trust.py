"""Trust: how good the forecast was on money not yet seen, and what the data could not tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clv.report.figures import (
    Missing,
    count,
    lookup,
    number,
    records,
    words,
)
from clv.report.sections.evidence import (
    Checked,
    Disagreement,
    EvidenceCheck,
    checked,
    checks,
    disagreements,
)
from clv.report.sections.firmness import Firmness, firmness
from clv.report.sections.forecast import ForecastStep, ModelScore, Pair, models, pairs, people
from clv.report.sections.inflow import Drift, Table, Watched, drift, tables, watched

if TYPE_CHECKING:
    from clv.report.sections.inputs import ReportInputs

SUPPORT_TABLES = ("interactions", "messages", "surveys", "customers", "agent_days")
NOTES_SHOWN = 40


@dataclass(frozen=True)
class Remark:
    """A note of a run: something dropped, replaced, refused or skipped."""

    where: str
    message: str
    count: int


@dataclass(frozen=True)
class Term:
    """A feature's definition."""

    name: str
    group: str
    unit: str
    doc: str


@dataclass(frozen=True)
class Trust:
    """The section.

    ``test_customers`` are those of the largest test: later tests hold the customers of earlier
    ones again. ``by_date`` is false where the history was too short to hold out a date, and the
    one test holds out customers.
    """

    chosen: str
    folds: tuple[str, ...]
    test_customers: int
    by_date: bool
    models: tuple[ModelScore, ...]
    steps: tuple[ForecastStep, ...]
    coverage_nominal: float | None
    coverage: float | None
    deciles: tuple[Pair, ...]
    calibration: tuple[Pair, ...]
    tracking: tuple[Pair, ...]
    people: tuple[Pair, ...]
    checks: tuple[EvidenceCheck, ...]
    checked: tuple[Checked, ...]
    disagreements: tuple[Disagreement, ...]
    firmness: Firmness | None
    tables: tuple[Table, ...]
    drift: tuple[Drift, ...]
    watched: tuple[Watched, ...]
    watched_as_of: str
    remarks: tuple[Remark, ...]
    remarks_more: int
    glossary: tuple[Term, ...]
    versions: dict[str, str]
    missing: tuple[Missing, ...]


def trust(inputs: ReportInputs) -> Trust:
    """Collect the section."""
    backtest = inputs.backtest
    chosen = words(backtest, "chosen")
    folds = records(backtest, "folds")
    noted = remarks(inputs)
    found, moved = tables(inputs.validation), drift(inputs)
    looked_at = checks(inputs.attribution)
    missing = [Missing("backtest")] if not lookup(backtest, "models") else []
    missing += [Missing("validation")] if not found else []
    missing += [] if moved else [Missing("drift")]
    missing += [] if records(inputs.monitoring, "checks") else [Missing("monitoring")]
    missing += [Missing(f"table_{table}") for table in SUPPORT_TABLES if table in inputs.absent]
    return Trust(
        chosen=chosen,
        folds=tuple(words(fold, "as_of") for fold in folds),
        test_customers=max((count(fold, "test_customers") or 0 for fold in folds), default=0),
        by_date=not any(words(fold, "kind") == "customers" for fold in folds),
        models=models(backtest, chosen),
        steps=tuple(
            ForecastStep(words(s, "name"), lookup(s, "used") is True, words(s, "reason"))
            for s in records(backtest, "steps")
        ),
        coverage_nominal=number(backtest, "coverage", "nominal"),
        coverage=number(backtest, "coverage", "customers"),
        deciles=pairs(backtest, "deciles", "decile", "actual"),
        calibration=pairs(backtest, "calibration", "predicted", "observed"),
        tracking=pairs(backtest, "tracking", "as_of", "actual"),
        people=people(backtest),
        checks=looked_at,
        checked=checked(looked_at),
        disagreements=disagreements(inputs.attribution),
        firmness=firmness(inputs.contributions),
        tables=found,
        drift=moved,
        watched=watched(inputs.monitoring),
        watched_as_of=words(inputs.monitoring, "data_until"),
        remarks=noted[:NOTES_SHOWN],
        remarks_more=max(0, len(noted) - NOTES_SHOWN),
        glossary=tuple(
            Term(words(t, "name"), words(t, "group"), words(t, "unit"), words(t, "doc", limit=240))
            for t in inputs.glossary
        ),
        versions=versions(inputs),
        missing=tuple(missing),
    )


def remarks(inputs: ReportInputs) -> tuple[Remark, ...]:
    """Return the notes of every document, each once."""
    documents = (
        inputs.validation, inputs.training, inputs.backtest, inputs.portfolio,
        inputs.attribution, inputs.manifest, inputs.monitoring,
    )  # fmt: skip
    found = [
        Remark(words(note, "where"), words(note, "message", limit=240), count(note, "count") or 0)
        for document in documents
        for note in records(document, "notes")
    ]
    return tuple(dict.fromkeys(found))


def versions(inputs: ReportInputs) -> dict[str, str]:
    """Return what a second run needs to give the same numbers."""
    sources = (inputs.training, inputs.manifest)
    name, version, data = (
        next((text for source in sources if (text := words(source, key))), "")
        for key in ("model_name", "model_version", "data_fingerprint")
    )
    found = {
        "model": f"{name} {version}".strip(),
        "trained_as_of": words(inputs.training, "as_of"),
        "scored_as_of": words(inputs.portfolio, "as_of"),
        "seed": words(inputs.training, "seed"),
        "feature_fingerprint": words(inputs.training, "feature_fingerprint"),
        "data_fingerprint": data,
        "btyd": words(inputs.training, "btyd", "model"),
        "btyd_verdict": words(inputs.training, "btyd", "verdict"),
    }
    packages = lookup(inputs.manifest, "packages")
    for name in sorted(packages) if isinstance(packages, dict) else ():
        found[words({"p": name}, "p")] = words(packages, name)
    return {name: value for name, value in found.items() if value}
