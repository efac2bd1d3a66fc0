"""The training panel: features as of several cutoffs, beside what happened after each."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.errors import ModelError, WindowError
from clv.events.purchase_weeks import purchase_weeks
from clv.features.base import fingerprint
from clv.features.table import build_feature_table
from clv.labels.outcomes import build_outcomes
from clv.models.prospects.people import known_days
from clv.models.training.sampling import customer_place
from clv.notes import Note, silent
from clv.windows import Window, rolling_cutoffs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clv.events.histories import Histories
    from clv.features.base import Feature
    from clv.features.table import FeatureTable
    from clv.notes import OnProgress

HORIZONS = (365, 180, 90, 30)
EVERY_DAYS = 30
BACKTEST_FOLDS = 3
OUTCOMES = ("value", "value_undiscounted", "revenue", "purchases", "churned")
BTYD_COLUMNS = ("frequency", "recency_days", "age_days", "monetary_value")
CUTOFFS = 8
DISCOUNT_RATE_ANNUAL = 0.10
PANEL_ROWS = 400_000
MIN_CUSTOMERS = 30
"""Who must have bought by a cutoff for it to be learned from."""


@dataclass(frozen=True)
class Panel:
    """Rows (customer, cutoff) to learn from.

    Attributes
    ----------
    frame : DataFrame
        ``customer_id``, ``as_of`` (ISO date), every feature, then ``OUTCOMES``; sorted by
        cutoff and customer, without prospects.
    features : dict of str to Feature
        The feature columns that the value and churn models may see, in order.
    windows : tuple of Window
        Cutoffs and horizon, oldest first.
    discount_rate_annual : float
        Of ``value``.
    currency : str
        The unit of money.
    value_is_margin : bool
        Otherwise ``value`` is revenue.
    notes : tuple of Note
        What was left out on the way.
    purchase_histories : dict of str to DataFrame
        ``BTYD_COLUMNS`` of every customer by ISO cutoff, where ``frame`` holds a sample of
        them; else empty.
    prospects : DataFrame
        The same columns as ``frame`` for everybody known by a cutoff who had not bought, or
        whose purchases were all returned: those whom a date shows to have been known, since
        of others nobody can say whether a past cutoff knew them. Empty where there are none.
    purchase_weeks : DataFrame
        Of ``purchase_weeks``: everybody's purchases by week, what calendars are learned from;
        empty where they are not known.
    """

    frame: pd.DataFrame
    features: dict[str, Feature]
    windows: tuple[Window, ...]
    discount_rate_annual: float = 0.0
    currency: str = "units"
    value_is_margin: bool = False
    notes: tuple[Note, ...] = field(default=())
    purchase_histories: dict[str, pd.DataFrame] = field(default_factory=dict)
    prospects: pd.DataFrame = field(default_factory=pd.DataFrame)
    purchase_weeks: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __post_init__(self) -> None:
        if not self.windows or len({window.horizon_days for window in self.windows}) != 1:
            raise ModelError("panel: expected at least one window, all with the same horizon.")
        needed = {"customer_id", "as_of", *BTYD_COLUMNS, *OUTCOMES}
        missing = sorted(needed - set(self.frame.columns))
        if missing:
            raise ModelError(f"panel: missing columns {', '.join(missing)}.")

    @property
    def horizon_days(self) -> int:
        """Days after each cutoff that the outcomes cover."""
        return self.windows[0].horizon_days

    @property
    def fingerprint(self) -> str:
        """Hash of the feature declarations."""
        return fingerprint(self.features)

    def at(self, window: Window) -> pd.DataFrame:
        """Return the rows of one cutoff."""
        return self.frame[self.frame["as_of"] == window.cutoff.isoformat()]

    def everyone(self, window: Window) -> pd.DataFrame:
        """Return the purchase histories of all customers at one cutoff, sampled or not."""
        as_of = window.cutoff.isoformat()
        if as_of not in self.purchase_histories:
            return self.at(window)
        return self.purchase_histories[as_of].assign(as_of=as_of)

    def of(self, windows: Sequence[Window]) -> pd.DataFrame:
        """Return the rows of several cutoffs."""
        days = [window.cutoff.isoformat() for window in windows]
        return self.frame[self.frame["as_of"].isin(days)]

    def prospects_of(self, windows: Sequence[Window]) -> pd.DataFrame:
        """Return the rows of several cutoffs, of people who had not bought."""
        if self.prospects.empty:
            return self.prospects
        days = [window.cutoff.isoformat() for window in windows]
        return self.prospects[self.prospects["as_of"].isin(days)]


def history_days(horizon_days: int) -> int:
    """Return the days of data that a training cutoff needs behind it."""
    return min(horizon_days, 180)


def choose_horizon(first: dt.date, last: dt.date, as_of: dt.date | None = None) -> tuple[int, Note]:
    """Return the longest of 365, 180, 90 and 30 days with three backtest folds, and say so.

    A fold needs one horizon to test in and another before it to learn from.

    Parameters
    ----------
    first, last : datetime.date
        Of the orders.
    as_of : datetime.date, optional
        The last cutoff, where it is not the latest that the orders allow: its horizon must lie
        in the orders, and what comes after that is not used.

    Raises
    ------
    WindowError
        When not even 30 days fit.

    Examples
    --------
    >>> import datetime as dt
    >>> choose_horizon(dt.date(2022, 1, 1), dt.date(2024, 12, 31))[0]
    365
    >>> choose_horizon(dt.date(2024, 1, 1), dt.date(2024, 12, 31))[0]
    90
    >>> choose_horizon(dt.date(2022, 1, 1), dt.date(2024, 12, 31), dt.date(2024, 7, 1))[0]
    180
    """
    for horizon in HORIZONS:
        end = last if as_of is None else as_of + dt.timedelta(days=horizon)
        if end > last:
            continue
        span = (end - first).days
        need = 2 * horizon + history_days(horizon) + (BACKTEST_FOLDS - 1) * EVERY_DAYS
        if span >= need:
            message = (
                f"{horizon} days, the longest of {', '.join(map(str, HORIZONS))} for which "
                f"{BACKTEST_FOLDS} backtest folds fit into {span} days of orders"
            )
            return horizon, Note("horizon_chosen", "horizon_days", horizon, message)
    end = last if as_of is None else as_of + dt.timedelta(days=HORIZONS[-1])
    if end > last:
        raise WindowError(
            f"as_of {as_of}: the {HORIZONS[-1]} days after it end on {end}; the orders reach to "
            f"{last}. Choose a day until {last - dt.timedelta(days=HORIZONS[-1])}, or set "
            "horizon_days."
        )
    raise WindowError(
        f"orders: {(end - first).days} days, {first} to {end}, are too few to test a forecast of "
        "30 days three times. Set horizon_days, or bring more history."
    )


def training_windows(
    first: dt.date, last: dt.date, horizon_days: int, *, limit: int = CUTOFFS
) -> tuple[Window, ...]:
    """Return at most ``limit`` legal windows, evenly spread on the 30-day grid.

    Spread wide rather than taken from the end, since the backtest needs windows that lie
    at least a horizon apart.

    Raises
    ------
    WindowError
        When the horizon does not fit into the data.
    """
    span = (last - first).days - horizon_days
    history = max(min(history_days(horizon_days), span), 0)
    legal = rolling_cutoffs(first, last, horizon_days, every_days=EVERY_DAYS, history_days=history)
    if len(legal) <= limit:
        return legal
    chosen = np.unique(np.round(np.linspace(0, len(legal) - 1, limit)).astype(int))
    return tuple(legal[k] for k in chosen)


def build_panel(
    histories: Histories,
    windows: Sequence[Window],
    *,
    discount_rate_annual: float = DISCOUNT_RATE_ANNUAL,
    rows: int = PANEL_ROWS,
    seed: int = 0,
    on_progress: OnProgress = silent,
) -> Panel:
    """Build features and outcomes at every window.

    Parameters
    ----------
    histories : Histories
        The company's.
    windows : sequence of Window
        All with the same horizon.
    discount_rate_annual : float
        Applied to outcomes as to predictions.
    rows : int
        About so many rows are kept in memory; above, whole customers are sampled, while the
        purchase models still see everyone's history.
    seed : int
        Of the sample.
    on_progress : OnProgress
        Called once per cutoff.
    """
    ordered, tables = sorted(windows), histories.tables
    frames: list[pd.DataFrame] = []
    prospects: list[pd.DataFrame] = []
    purchases: dict[str, pd.DataFrame] = {}
    features: dict[str, Feature] = {}
    notes, share, left_out = dict.fromkeys(tables.notes), 1.0, 0
    # the last cutoff knows most customers, so it settles the share of the sample
    for done, window in enumerate(reversed(ordered)):
        on_progress("features and outcomes", done, len(ordered))
        table = build_feature_table(histories, window.cutoff)
        features = features or dict(table.features)
        notes |= dict.fromkeys(table.notes)
        outcomes = build_outcomes(
            histories,
            window,
            discount_rate_annual=discount_rate_annual,
            prospects=True,
        )
        if not frames:
            share = min(1.0, rows / max(len(outcomes) * len(ordered), 1))
        found, everyone = _rows(table, outcomes, share, seed)
        table.close()
        bought = found["frequency"].notna()
        frames.append(found[bought])
        prospects.append(found[~bought & known_days(found).notna()])
        left_out += len(outcomes) - len(found)
        if share < 1.0:
            purchases[window.cutoff.isoformat()] = everyone
    on_progress("features and outcomes", len(ordered), len(ordered))
    if left_out:
        text = f"customers' rows were sampled to {share:.1%}; purchase models saw everyone's"
        notes[Note("panel_sampled", "training", left_out, text)] = None
    kept = [n for n, bought in enumerate(frames) if len(bought) >= MIN_CUSTOMERS]
    if 0 not in kept:
        kept = list(range(len(frames)))  # for the models to refuse
    young = [f"{w.cutoff}" for n, w in enumerate(reversed(ordered)) if n not in kept]
    if young:
        days = ", ".join(reversed(young))
        text = f"cutoffs left out, by which fewer than {MIN_CUSTOMERS} customers had bought: {days}"
        notes[Note("cutoff_left_out", "training", len(young), text)] = None
    return Panel(
        frame=pd.concat([frames[n] for n in reversed(kept)], ignore_index=True),
        features=features,
        windows=tuple(ordered[-1 - n] for n in reversed(kept)),
        discount_rate_annual=discount_rate_annual,
        currency=tables.terms.currency,
        value_is_margin=tables.value_is_margin,
        notes=tuple(notes),
        purchase_histories=purchases,
        prospects=pd.concat([prospects[n] for n in reversed(kept)], ignore_index=True),
        purchase_weeks=purchase_weeks(histories),
    )


def _rows(
    table: FeatureTable, outcomes: pd.DataFrame, share: float, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the sampled rows with their outcomes, and every buyer's purchase history."""
    if share == 1.0:
        found = table.to_pandas().merge(outcomes, on="customer_id", validate="one_to_one")
        return found, found.loc[found["frequency"].notna(), list(BTYD_COLUMNS)]
    parts, histories = [], []
    for chunk in table.chunks():
        histories.append(chunk.loc[chunk["frequency"].notna(), list(BTYD_COLUMNS)])
        parts.append(chunk[customer_place(chunk["customer_id"], seed) < share])
    sample = pd.concat(parts, ignore_index=True)
    found = sample.merge(outcomes, on="customer_id", validate="one_to_one")
    return found, pd.concat(histories, ignore_index=True)
