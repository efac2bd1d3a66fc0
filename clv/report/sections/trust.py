"""Trust: how good the forecast was on money not yet seen, and what the data could not tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clv.report.figures import (
    EVIDENCE,
    Figure,
    Missing,
    count,
    figure,
    lookup,
    number,
    records,
    words,
)
from clv.report.sections.answer import behaviours
from clv.report.sections.firmness import Firmness, firmness

if TYPE_CHECKING:
    from clv.report.figures import Document
    from clv.report.sections.inputs import ReportInputs

METRICS = {
    "gini": "score", "spearman": "score", "mae": "currency", "decile_mape": "share",
    "total_bias": "share", "brier": "score", "calibration_error": "score",
}  # fmt: skip
"""The backtest's metrics and their units, in the order of the table."""

SUPPORT_TABLES = ("interactions", "messages", "surveys", "customers", "agent_days")
NOTES_SHOWN, DRIFT_SHOWN = 40, 15


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


def models(backtest: Document | None, chosen: str) -> tuple[ModelScore, ...]:
    """Return every model's metrics; the chosen one first, then by ranking skill."""
    n = sum(count(fold, "test_customers") or 0 for fold in records(backtest, "folds"))
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
