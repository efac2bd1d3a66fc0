"""Lifetime value with scikit-learn's verbs: options, ``fit``, ``predict``.

The whole of training in one call: features and outcomes at past days, a test on the company's
own past, the models. ``clv train`` is the same steps with the same defaults, and a registry.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd

from clv import plots
from clv.company import Company
from clv.errors import UsageError
from clv.estimator import ShownEstimator
from clv.evaluation.backtest import run_backtest
from clv.evaluation.explanation import waterfall_facts
from clv.features.table import FeatureTable
from clv.models.lifetime_value import LifetimeModel
from clv.models.options import ModelOptions
from clv.models.training.folds import out_of_fold
from clv.models.training.panel import (
    CUTOFFS,
    DISCOUNT_RATE_ANNUAL,
    PANEL_ROWS,
    build_panel,
    choose_horizon,
    training_windows,
)
from clv.models.training.tuning import tune
from clv.models.trees.boosting import Growth
from clv.notes import Note, silent
from clv.orders import ORDER_COLUMNS, are_features, opened
from clv.scoring.job import check_day, check_features, hindsight
from clv.scoring.rows import rounded
from clv.windows import as_day, latest_window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clv.company import Day
    from clv.models.training.panel import Panel
    from clv.notes import OnProgress
    from clv.plots import Picture

TIME_UNITS = {"days": 1, "weeks": 7}


class LifetimeValue(ShownEstimator):
    """What each customer will bring over a horizon, learned from a company's past.

    Options are those of ``training`` in the settings, by the same names and with the same
    defaults: ``LifetimeValue(**settings["training"])``.

    Parameters
    ----------
    horizon_days : int, optional
        Days that a value covers; by default the longest that can be tested three times.
    discount_rate_annual : float
        Of later money.
    cutoffs : int
        Days to learn from, at most; 30 days apart or more.
    rows, panel_rows : int
        Rows that trees learn from, and rows in memory; above, whole customers are sampled.
    model : {"blend", "btyd", "lightgbm"}
        ``blend`` lets the past weigh purchases alone against trees.
    purchase_model : {"auto", "bg_nbd", "mbg_nbd", "pareto_nbd"}
        ``auto``: what forecast the past best.
    reporting_delay_days : int
        Days until an order is in the data.
    folds : int
        Days of the past to test on, at most.
    interval_level : float
        Of ``clv_low`` and ``clv_high``.
    leaves, trees, learning_rate : int, int, float
        Leaves per tree, trees per model, and how much each tree adds.
    tune_trials : int
        Sizes of trees to try on the past first.
    threads : int
        LightGBM's.
    time_unit : {"days", "weeks"}
        In which parameters of purchase models are reported.
    allow_leaks : tuple of str
        Features that predict the outcome too well, and may.
    seed : int
        Of everything drawn.

    Attributes
    ----------
    model_ : LifetimeModel
        What is registered, saved and scored with.
    backtest_ : Backtest
        What it would have said on past days, and what happened.
    purchases_ : Purchases
        The purchase and spend models inside it, with their verdicts.
    horizon_days_ : int
        The horizon, chosen or given.
    feature_names_in_ : ndarray of str
        The features that the trees see.
    n_features_in_ : int
    columns_ : dict of str to str
        How the frame of orders named the contract's columns; empty after a Company.
    notes_ : tuple of Note
        What was dropped, replaced or chosen on the way.

    Examples
    --------
    >>> model = LifetimeValue(horizon_days=90, trees=100)
    >>> model.set_params(leaves=15)
    LifetimeValue(horizon_days=90, leaves=15, trees=100)

    docs/python.md shows ``fit`` and ``predict`` at work.
    """

    made: ClassVar[str] = "model_"

    def __init__(
        self,
        *,
        horizon_days: int | None = None,
        discount_rate_annual: float = DISCOUNT_RATE_ANNUAL,
        cutoffs: int = CUTOFFS,
        rows: int = ModelOptions.rows,
        panel_rows: int = PANEL_ROWS,
        model: str = ModelOptions.model,
        purchase_model: str = ModelOptions.purchase_model,
        reporting_delay_days: int = ModelOptions.reporting_delay_days,
        folds: int = ModelOptions.folds,
        interval_level: float = ModelOptions.level,
        leaves: int = Growth.leaves,
        trees: int = Growth.trees,
        learning_rate: float = Growth.learning_rate,
        tune_trials: int = 0,
        threads: int = Growth.num_threads,
        time_unit: str = "days",
        allow_leaks: tuple[str, ...] = ModelOptions.allow,
        seed: int = ModelOptions.seed,
    ) -> None:
        self.horizon_days = horizon_days
        self.discount_rate_annual = discount_rate_annual
        self.cutoffs = cutoffs
        self.rows = rows
        self.panel_rows = panel_rows
        self.model = model
        self.purchase_model = purchase_model
        self.reporting_delay_days = reporting_delay_days
        self.folds = folds
        self.interval_level = interval_level
        self.leaves = leaves
        self.trees = trees
        self.learning_rate = learning_rate
        self.tune_trials = tune_trials
        self.threads = threads
        self.time_unit = time_unit
        self.allow_leaks = allow_leaks
        self.seed = seed

    def fit(
        self,
        company: Any,
        y: Any = None,  # noqa: ARG002 (as in scikit-learn)
        *,
        as_of: Day | None = None,
        customer: str | None = None,
        date: str | None = None,
        amount: str | None = None,
        on_progress: OnProgress = silent,
    ) -> Self:
        """Learn from a company's past, and test what was learned on it.

        Parameters
        ----------
        company : Company or frame of orders
            A frame of orders is checked like any other source: pandas, polars or Arrow.
        y : object
            Not used: outcomes are what customers bought later.
        as_of : str or datetime.date, optional
            The last day to learn from; a horizon of known orders lies after it. By default
            the latest such day.
        customer, date, amount : str, optional
            Columns of a frame of orders; by default the contract's names.
        on_progress : callable
            Told ``(step, done, total)`` as the work goes on.

        Returns
        -------
        LifetimeValue
            Itself, fitted.

        Raises
        ------
        UsageError
            For options or a call that cannot be meant.
        DataError
            When the orders cannot be used, or are too few days for the horizon.
        ModelError
            When there is too little to learn from, or a feature knows the outcome.
        """
        given = {"customer_id": customer, "ordered_at": date, "amount": amount}
        named = {column: name for column, name in given.items() if name is not None}
        options = self.model_options()
        with opened(company, named) as held:
            horizon, notes = self.horizon(held, as_of)
            panel = self.panel(held, as_of=as_of, on_progress=on_progress)
        if self.tune_trials:
            tuned = tune(panel, options, self.tune_trials, on_progress)
            options = replace(options, growth=tuned.growth)
            notes = (*notes, tuned.note)
        folds = out_of_fold(panel, options, on_progress)
        self.backtest_ = run_backtest(panel, options, on_progress, folds=folds)
        model = LifetimeModel.fit(panel, options, on_progress, folds=folds)
        self.purchases_ = model.purchases
        self.horizon_days_ = horizon
        self.feature_names_in_ = np.array(model.info.features, dtype=object)
        self.n_features_in_ = len(model.info.features)
        self.columns_ = {} if isinstance(company, Company) else {**ORDER_COLUMNS, **named}
        self.notes_ = tuple(dict.fromkeys((*notes, *model.info.notes, *self.backtest_.notes)))
        self.model_ = model
        return self

    def predict(self, company: Any, as_of: Day | None = None) -> pd.DataFrame:
        """Score every customer known at the end of a day.

        Parameters
        ----------
        company : Company, frame of orders, FeatureTable or feature frame
            A frame of orders has the columns that ``fit`` was given; features are those that
            ``Company.features`` makes, and say their own day.
        as_of : str or datetime.date, optional
            The last day that is known; by default that of the last order.

        Returns
        -------
        DataFrame
            The columns of the score table, but those that name a registered version, rounded as
            there; sorted by ``customer_id`` where rows are not given. Notes: ``attrs["notes"]``.

        Raises
        ------
        UsageError, WindowError, ModelError
            Before ``fit``, for a day outside the orders, without the features of training.
        """
        with self._asked(company, as_of) as (frames, notes):
            scored = [rounded(self.model_.predict(frame)) for frame in frames]
        found = pd.concat(scored, ignore_index=len(scored) > 1)
        found.attrs["notes"] = [note.as_dict() for note in notes]
        return found

    def contributions(self, company: Any, as_of: Day | None = None) -> pd.DataFrame:
        """Split every customer's value over groups of features, in currency.

        Parameters
        ----------
        company, as_of
            As for ``predict``.

        Returns
        -------
        DataFrame
            ``customer_id`` and one column per group: with ``typical_clv`` they sum to ``clv``.
        """
        with self._asked(company, as_of) as (frames, _):
            parts = [self.model_.contributions(frame) for frame in frames]
        return pd.concat(parts, ignore_index=len(parts) > 1)

    def waterfall(self, company: Any, customer_id: str, as_of: Day | None = None) -> Picture:
        """Draw one customer's value in parts that sum to it, in currency.

        Parameters
        ----------
        company, customer_id, as_of
            As for ``predict``, and of whom.

        Returns
        -------
        Picture
            ``to_frame()`` has its parts, from the typical customer to ``clv``, the smallest
            in one. They say what the model used, not what a change would do.
        """
        with self._asked(company, as_of) as (frames, _):
            facts = waterfall_facts(self.model_, frames, customer_id)
        return plots.waterfall(facts, self.model_.info.currency, customer_id)

    @property
    def fitted(self) -> LifetimeModel:
        """What ``fit`` made; before, a one-line refusal."""
        self._require_fit("a Company, or a frame of orders")
        return self.model_

    def model_options(self) -> ModelOptions:
        """Return the options as the models take them.

        Raises
        ------
        UsageError
            For a value that cannot be meant.
        """
        if self.time_unit not in TIME_UNITS:
            raise UsageError(
                f"time_unit is {self.time_unit!r}; expected one of {', '.join(TIME_UNITS)}."
            )
        return ModelOptions(
            model=self.model,
            purchase_model=self.purchase_model,
            level=self.interval_level,
            folds=self.folds,
            reporting_delay_days=self.reporting_delay_days,
            rows=self.rows,
            time_unit_days=TIME_UNITS[self.time_unit],
            growth=Growth(
                leaves=self.leaves,
                trees=self.trees,
                learning_rate=self.learning_rate,
                num_threads=self.threads,
                seed=self.seed,
            ),
            allow=tuple(self.allow_leaks),
            seed=self.seed,
        )

    def horizon(self, company: Company, as_of: Day | None = None) -> tuple[int, tuple[Note, ...]]:
        """Return the horizon that was given, else the longest that can be tested, and say so.

        Parameters
        ----------
        company, as_of
            As for ``fit``.
        """
        if self.horizon_days is not None:
            if self.horizon_days < 1:
                raise UsageError(f"horizon_days is {self.horizon_days}; expected 1 or more.")
            return self.horizon_days, ()
        days, why = choose_horizon(*company.span, None if as_of is None else as_day(as_of))
        return days, (why,)

    def panel(
        self, company: Company, *, as_of: Day | None = None, on_progress: OnProgress = silent
    ) -> Panel:
        """Return features and outcomes at the days to learn from and to test on.

        Parameters
        ----------
        company, as_of, on_progress
            As for ``fit``.
        """
        first, last = company.span
        horizon, _ = self.horizon(company, as_of)
        if as_of is not None:
            last = latest_window(first, last, horizon, as_day(as_of)).horizon_end
        return build_panel(
            company.histories,
            training_windows(first, last, horizon, limit=self.cutoffs),
            discount_rate_annual=self.discount_rate_annual,
            rows=self.panel_rows,
            seed=self.seed,
            on_progress=on_progress,
        )

    @contextmanager
    def _asked(
        self, company: Any, as_of: Day | None
    ) -> Iterator[tuple[Iterator[pd.DataFrame], tuple[Note, ...]]]:
        """Give the features to be scored, in chunks, and what is to be said of them."""
        info = self.fitted.info
        frame = are_features(company, info.features, self.columns_)
        if (frame or isinstance(company, FeatureTable)) and as_of is not None:
            raise UsageError(
                f"as_of is {as_of}; expected none, since features say their own day. Make them as "
                "of that day, or give the company."
            )
        if frame:
            yield iter([company]), ()
            return
        if isinstance(company, FeatureTable):
            notes = check_features(info, company)
            yield company.chunks(), (*company.notes, *notes, *hindsight(info, company))
            return
        with opened(company, {} if isinstance(company, Company) else self.columns_) as held:
            day = held.span[1] if as_of is None else as_day(as_of)
            check_day(held.tables, day)
            table = held.features(day)
            try:
                notes = check_features(info, table)
                yield table.chunks(), (*table.notes, *notes, *hindsight(info, table))
            finally:
                table.close()

    def _told(self) -> str:
        info, tested = self.model_.info, self.backtest_
        ours, alone = tested.models["blend"], tested.models["btyd"]
        return (
            f"{info.horizon_days} days from {info.training_cutoff}; {info.customers:,} customers, "
            f"{len(info.features)} features; tested on the past: Gini {ours['gini'].mean:.3f} "
            f"({alone['gini'].mean:.3f} by purchases alone), total off by "
            f"{ours['total_bias'].mean:+.1%}"
        )
