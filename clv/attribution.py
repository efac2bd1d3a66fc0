"""What service behaviours are worth in one company: ``clv attribute``, as it is typed in Python."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from clv.effects.attribution import ASKED, AttributionOptions
from clv.effects.attribution import attribute as attribute_histories
from clv.effects.design.exposure import Behaviour
from clv.effects.document import without_contacts
from clv.models.training.panel import choose_horizon
from clv.notes import silent
from clv.windows import as_day, latest_window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clv.company import Company, Day
    from clv.effects.document import Attribution
    from clv.experiments.results import ReadOut
    from clv.notes import OnProgress


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
