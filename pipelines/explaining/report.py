"""Report: the newest documents of the workspace as one page; nothing is computed again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clv.errors import DataError

from ..running.run import Result, Run, disk_errors

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = (
    "validation",
    "training",
    "backtest",
    "contributions",
    "portfolio",
    "attribution",
    "manifest",
    "monitoring",
)


def run(
    ctx: Run, *, model: str | None = None, out: Path | None = None, pdf: bool = False
) -> Result:
    """Write report.html, report.json beside it and, if asked, report.pdf.

    Raises
    ------
    DataError
        When the workspace holds none of the documents a report is made from.
    """
    from clv.features.base import glossary
    from clv.report.facts import ReportInputs, collect
    from clv.report.findings import findings
    from clv.report.render import render, to_pdf

    documents = {name: ctx.newest(f"{name}.json") for name in DOCUMENTS}
    chosen = model or _scored_with(documents)
    if chosen is not None:
        documents |= _of_model(ctx, chosen)
    if not any(documents.values()):
        raise DataError(
            f"{ctx.workspace}: holds no results to report; expected those of a run. "
            "Run `clv train`, `clv score` and `clv attribute` first, or `clv demo`."
        )
    options = ctx.settings.report
    path = out or ctx.workspace / "report.html"
    with ctx.step("Writing the report"), disk_errors(path):
        facts = collect(
            ReportInputs(
                **documents,
                previous=ctx.newest("report.json"),
                glossary=list(glossary()),
                organisation=options.company or "",
                individuals=options.individual_agents,
            )
        )
        render(facts, path, language=options.language)
        if pdf:
            to_pdf(path.read_text(encoding="utf-8"), path.with_suffix(".pdf"))
    written = {"report": path} | ({"pdf": path.with_suffix(".pdf")} if pdf else {})
    return Result(
        "report", findings(facts, language=options.language), written, facts=facts.as_dict()
    )


def _scored_with(documents: dict[str, dict[str, Any] | None]) -> str | None:
    """Return the model of the scores, where another one was trained after it.

    A newer version that the gate stopped, or a rollback, leaves scores of one model beside the
    tests and associations of another.
    """
    scores, training = documents["manifest"], documents["training"]
    keys = ("model_name", "model_version")
    if not scores or not training or all(scores.get(key) == training.get(key) for key in keys):
        return None
    return f"models:/{scores['model_name']}/{scores['model_version']}"


def _of_model(ctx: Run, model: str) -> dict[str, dict[str, object] | None]:
    """Take the documents of a version's own training instead of the newest."""
    from clv.registry import GateResult

    registry = ctx.registry()
    version = registry.resolve(model)
    names = ("training", "backtest", "contributions")
    documents = {name: ctx.document(registry, version, f"{name}.json") for name in names}
    gate = GateResult.from_words(version.tags.get("gate", ""))
    return {**documents, "training": {**documents["training"], "gate": gate}}
