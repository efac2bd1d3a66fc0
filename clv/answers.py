"""Answers about a company in one call: what its service is worth, an experiment, the report.

They are ``clv attribute``, ``clv experiment read`` and ``clv report``, as they are typed in Python.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from clv.effects.attribution import ASKED, AttributionOptions
from clv.effects.attribution import attribute as attribute_histories
from clv.effects.design.exposure import Behaviour
from clv.effects.document import without_contacts
from clv.effects.estimators.residuals import ridge
from clv.errors import SchemaError
from clv.evaluation.documents import contributions_document, training_document
from clv.experiments.read import ReadOptions
from clv.experiments.rows import BEHAVIOURS as MOVED
from clv.experiments.rows import read_trial, trial_rows
from clv.models.training.panel import choose_horizon
from clv.notes import silent
from clv.report.facts import ReportInputs, collect
from clv.report.render import render
from clv.scoring import ScoringOptions
from clv.scoring.job import check_day, score_table
from clv.storage import TemporaryFolder
from clv.windows import as_day, latest_window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clv.company import Company, Day
    from clv.effects.document import Attribution
    from clv.experiments.results import ReadOut
    from clv.lifetime_value import LifetimeValue
    from clv.notes import OnProgress
    from clv.report.facts import ReportFacts


def attribute(
    company: Company,
    *,
    as_of: Day | None = None,
    horizon_days: int | None = None,
    behaviours: Sequence[str] = (),
    options: AttributionOptions | None = None,
    experiments: Sequence[ReadOut] = (),
    on_progress: OnProgress = silent,
) -> Attribution:
    """Say what service behaviours are worth, with evidence, and where to set targets.

    Parameters
    ----------
    company : Company
        With ``interactions``; without, the answer says what is missing.
    as_of : str or datetime.date, optional
        The last day of contacts; a horizon of known orders lies after it. By default the
        latest such day.
    horizon_days : int, optional
        Days that a contact is followed for; by default the longest that can be tested three
        times.
    behaviours : sequence of str
        Markers to ask about besides empathy, handle time, first-contact resolution and waits:
        few, since every further one may mislead by chance.
    options : AttributionOptions, optional
        Gates, seeds, outcomes.
    experiments : sequence of ReadOut
        Each enters the effects of what it moved as experimental evidence.
    on_progress : callable
        Told ``(step, done, total)`` as the work goes on.

    Raises
    ------
    DataError
        With fewer customers in contact than can be compared.
    WindowError
        Where the horizon reaches past the data.

    Examples
    --------
    >>> import pandas as pd
    >>> from clv.company import Company
    >>> days = pd.date_range("2024-01-01", "2025-06-30").astype(str)
    >>> orders = pd.DataFrame({"order_id": range(len(days)), "customer_id": "anna",
    ...     "ordered_at": days, "amount": 9.99})
    >>> with Company.from_frames(orders=orders) as shop:  # without any contact
    ...     attribute(shop, horizon_days=90).unavailable[0]["why"]
    'the table interactions was not given'
    """
    first, last = company.span
    day = None if as_of is None else as_day(as_of)
    days = horizon_days or choose_horizon(first, last, day)[0]
    window = latest_window(first, last, days, day)
    if "interactions" not in company.tables:
        return without_contacts(company.tables, window, None, None)
    asked = (*ASKED, *(Behaviour(name, 0.1, "share of occasions") for name in behaviours))
    return attribute_histories(
        company.histories,
        window=window,
        options=replace(options or AttributionOptions(), asked=asked),
        experiments=experiments,
        on_progress=on_progress,
    )


def read_experiment(
    company: Company,
    experiment: str,
    *,
    as_of: Day | None = None,
    horizon_days: int | None = None,
    behaviours: Sequence[str] = (),
    options: ReadOptions | None = None,
) -> ReadOut:
    """Say what an experiment did, from the company's table ``assignments``.

    Parameters
    ----------
    company : Company
        With ``assignments``.
    experiment : str
        Its name there.
    as_of : str or datetime.date, optional
        The last day of the experiment; the outcome is what customers bring in the horizon after
        it. By default the latest such day.
    horizon_days : int, optional
        By default the longest that can be tested three times.
    behaviours : sequence of str
        Markers that an arm may have moved, besides empathy, handle time and first-contact
        resolution.
    options : ReadOptions, optional
        Level, planned shares and size, subgroups.

    Returns
    -------
    ReadOut
        ``attribute(company, experiments=[…])`` takes it as experimental evidence, where it can
        be ``trusted``.

    Raises
    ------
    DataError
        Where nobody was assigned, or nothing can be joined.
    UsageError
        Without a control arm, or with an arm too small to read.
    """
    if "assignments" not in company.tables:
        raise SchemaError(
            "assignments: the table was not given, and it says who was in which arm. Expected "
            "experiment, unit, unit_id, arm and assigned_at; give it as assignments=…"
        )
    first, last = company.span
    day = None if as_of is None else as_day(as_of)
    days = horizon_days or choose_horizon(first, last, day)[0]
    options = options or ReadOptions()
    trial = trial_rows(
        company.histories,
        experiment,
        latest_window(first, last, days, day),
        behaviours=(*MOVED, *behaviours),
        segment=options.segment,
    )
    return read_trial(experiment, trial, predictor=ridge, options=options)


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
