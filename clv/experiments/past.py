"""What the past says before an experiment: who could take part, and how outcomes vary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.errors import DataError, UsageError
from clv.experiments.compare import cross_fitted
from clv.experiments.design import contacts_a_year
from clv.features.contacts import build_contact_table
from clv.features.table import build_feature_table
from clv.labels.outcomes import build_outcomes
from clv.windows import EXPOSURE_DAYS, WEEKS_PER_YEAR, day_start_s

if TYPE_CHECKING:
    import datetime as dt

    from numpy.typing import NDArray

    from clv.events.histories import Histories
    from clv.experiments.compare import Predictor
    from clv.windows import Window

    Floats = NDArray[np.float64]

STRATA = 10
FOLDS = 5


@dataclass(frozen=True)
class Past:
    """Past outcomes of those who would take part.

    Attributes
    ----------
    outcome : array, shape (n,)
        Per customer, or per contact where contacts or agents would be randomised.
    predicted : array, shape (n,)
        The same, predicted out of fold from what was known before.
    per_agent_week : float or None
        Contacts per agent and week, where agents would be randomised; see ``contacts_a_year``.
    correlation : float
        Of outcomes within an agent's contacts, after the prediction.
    """

    outcome: Floats
    predicted: Floats
    per_agent_week: float | None
    correlation: float


def past_outcomes(
    histories: Histories, window: Window, unit: str, predictor: Predictor, *, seed: int = 0
) -> Past:
    """Return outcomes in a window that has passed, with their prediction.

    Raises
    ------
    DataError
        When agents or contacts are the unit, and there are no contacts.
    """
    values = build_outcomes(histories, window).set_index("customer_id")
    table = build_feature_table(histories, window.cutoff)
    frame = table.to_pandas().set_index("customer_id").reindex(values.index)
    table.close()
    numbers = frame.select_dtypes("number").dropna(axis="columns", how="all")
    features = numbers.fillna(numbers.median()).to_numpy(np.float64)
    outcome: Floats = values["value_undiscounted"].to_numpy(np.float64)
    predicted = cross_fitted(features, outcome, predictor, FOLDS, seed)
    if unit == "customer":
        return Past(outcome, predicted, None, 0.0)
    followed = build_contact_table(histories, window.horizon_days, until=window.horizon_end)
    followed = followed[followed["orders_before"] > 0]
    contacts = followed.dropna(subset=["agent_id"])
    since_s = day_start_s(window.shifted(1 - EXPOSURE_DAYS).cutoff)
    place = pd.Series(np.arange(len(values)), index=values.index)
    row = contacts.loc[contacts["at_s"] >= since_s, "customer_id"].map(place).dropna().astype(int)
    if row.empty:
        raise DataError(
            f"interactions: no contact of a customer with an agent before {window.cutoff}; "
            f"experiments on {unit}s need some. Choose another --as-of, or --unit customer."
        )
    mine = row.to_numpy()
    if unit == "interaction":
        return Past(outcome[mine], predicted[mine], None, 0.0)
    agent = contacts["agent_id"]
    correlation = within_correlation(outcome[mine] - predicted[mine], agent[row.index])
    a_year = contacts_a_year(followed["at_s"].to_numpy(np.float64))
    per_week = a_year / WEEKS_PER_YEAR * (len(contacts) / len(followed)) / agent.nunique()
    return Past(outcome[mine], predicted[mine], per_week, correlation)


def within_correlation(values: Floats, group: pd.Series[str]) -> float:
    """Return the intraclass correlation of values, at least 0 (one-way analysis of variance).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> agent = pd.Series(np.repeat(np.arange(200), 50)).astype(str)
    >>> shared = np.repeat(rng.normal(size=200), 50)
    >>> round(within_correlation(shared + 3 * rng.normal(size=10_000), agent), 2)
    0.1
    """
    codes = pd.factorize(group)[0]
    sizes = np.bincount(codes).astype(np.float64)
    if len(sizes) < 2 or len(values) == len(sizes):
        return 0.0
    means = np.bincount(codes, weights=values) / sizes
    between = (sizes * (means - values.mean()) ** 2).sum() / (len(sizes) - 1)
    within = ((values - means[codes]) ** 2).sum() / (len(values) - len(sizes))
    size = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / (len(sizes) - 1)
    return float(max(0.0, (between - within) / (between + (size - 1) * within)))


def candidates(histories: Histories, unit: str, as_of: dt.date) -> pd.DataFrame:
    """Return who could be assigned: ``unit_id``, and the ``stratum`` to balance within.

    Customers with a purchase by the day are balanced by tenths of the margin of their last
    year, agents by team.

    Raises
    ------
    UsageError
        When no table names such units: contacts come in later, agents need their table.
    """
    if unit == "customer":
        table = build_feature_table(histories, as_of)
        frame = table.to_pandas()
        table.close()
        bought = frame.loc[frame["frequency"].notna(), ["customer_id", "margin_365d"]]
        place = bought["margin_365d"].fillna(0.0).rank(pct=True, method="average")
        stratum = np.ceil(place * STRATA).astype(int).astype(str)
        return pd.DataFrame({"unit_id": bought["customer_id"], "stratum": stratum})
    tables = histories.tables
    if unit == "agent" and "agents" in tables:
        agents = tables.engine.to_pandas(tables["agents"])
        team = agents["team"] if "team" in agents else pd.Series("", index=agents.index)
        return pd.DataFrame({"unit_id": agents["agent_id"], "stratum": team.fillna("")})
    raise UsageError(
        f"experiment: no table says which {unit}s could be assigned; expected --ids FILE with one "
        "id a line."
    )
