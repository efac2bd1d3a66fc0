"""The report of a company and a model that are in memory: ``clv report`` without a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from clv.evaluation.documents import contributions_document, training_document
from clv.report.facts import ReportInputs, collect
from clv.report.render import render
from clv.scoring import ScoringOptions
from clv.scoring.job import check_day, score_table
from clv.storage import TemporaryFolder
from clv.windows import as_day

if TYPE_CHECKING:
    from clv.company import Company, Day
    from clv.effects.document import Attribution
    from clv.lifetime_value import LifetimeValue
    from clv.report.facts import ReportFacts


def write_report(
    company: Company,
    model: LifetimeValue,
    path: str | Path,
    *,
    as_of: Day | None = None,
    attribution: Attribution | None = None,
    organisation: str = "",
) -> ReportFacts:
    """Write one HTML page that needs no network, and return what it says.

    Parameters
    ----------
    company : Company
    model : LifetimeValue
        Fitted.
    path : str or pathlib.Path
        Of the page.
    as_of : str or datetime.date, optional
        The day of the scores; by default that of the last order.
    attribution : Attribution, optional
        As ``clv.attribute`` gives it; without it the page says what is missing.
    organisation : str
        Name in the title.

    Raises
    ------
    UsageError, WindowError
        Before ``model.fit``, or for a day outside the orders.
    StorageError
        Where the page cannot be written.
    """
    fitted = model.fitted
    day = company.span[1] if as_of is None else as_day(as_of)
    check_day(company.tables, day)
    table, folder = company.features(day), TemporaryFolder("clv-report-")
    try:
        options = ScoringOptions("clv", 0, folder.path, dry_run=True)
        portfolio = score_table(table, fitted, options).portfolio
    finally:
        table.close()
        folder.close()
    features = company.features(fitted.info.training_cutoff)
    try:
        rows = features.to_pandas()
    finally:
        features.close()
    fingerprint = company.validation.fingerprint
    facts = collect(
        ReportInputs(
            validation=company.validation.as_dict(),
            training=training_document(fitted.info, model.backtest_, fingerprint),
            backtest=model.backtest_.as_dict(),
            contributions=contributions_document(fitted, rows[rows["frequency"].notna()]),
            portfolio=portfolio,
            attribution=None if attribution is None else attribution.as_dict(),
            organisation=organisation,
        )
    )
    render(facts, Path(path))
    return facts
