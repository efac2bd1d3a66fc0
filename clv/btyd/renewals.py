"""Who renews a contract, and for how long: the shifted beta-geometric as an estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd

from clv.btyd.estimator import FittedEstimator
from clv.errors import DataError, UsageError
from clv.models.btyd.uncertainty import standard_errors
from clv.models.renewals.shifted_beta_geo import (
    Contracts,
    check_periods,
    fit_renewals,
    likelihood,
    residual_lifetime,
    survival,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class ShiftedBetaGeo(FittedEstimator):
    """Shifted beta-geometric: each customer cancels at a renewal with a probability of their own.

    For customers under contract, whose end is seen: magazines, insurance, software by the month
    or the year. All rows of a fit have periods of one length.

    Attributes
    ----------
    fit_ : Fit
        Parameters alpha and beta, log-likelihood, verdict, fallback.
    params_ : Series
    verdict_ : Verdict
    standard_errors_ : dict of str to float

    References
    ----------
    Fader & Hardie (2007), How to project customer retention, Journal of Interactive Marketing 21.
    Fader & Hardie (2010), Customer-base valuation in a contractual setting, Marketing Science 29.

    Examples
    --------
    A cohort of 1,000 customers (Fader & Hardie 2007, "high end"): 869 of them renewed once.

    >>> from clv.btyd import ShiftedBetaGeo, cohort
    >>> rows = cohort([1000, 869, 743, 653, 593, 551, 517, 491])
    >>> model = ShiftedBetaGeo().fit(rows)
    >>> model.params_.round(3).to_dict()
    {'alpha': 0.668, 'beta': 3.806}
    >>> model.survival([8, 12]).round(3).tolist()  # of the new; the years 8 and 12 lie ahead
    [0.46, 0.378]
    >>> there = pd.DataFrame({"periods": [8], "cancelled": [False]})  # renewed seven times
    >>> float(model.residual_lifetime(there, discount_per_period=0.10)[0].round(2))
    7.53
    """

    needs: ClassVar[tuple[str, ...]] = ("periods", "cancelled")
    rows_made_by: ClassVar[str] = "clv.btyd.cohort or clv.btyd.contract_periods"
    repeated: ClassVar[str] = "renewed"

    def fit(self, rows: pd.DataFrame, y: Any = None) -> Self:  # noqa: ARG002 (as in scikit-learn)
        """Fit by maximum likelihood, or say why that cannot be and use a weak prior.

        Parameters
        ----------
        rows : DataFrame
            ``periods`` (begun, the first included) and ``cancelled`` (whether the contract ended
            with the last of them); ``customers`` where a row stands for more than one.
        y : object
            Not used.

        Raises
        ------
        SchemaError, ModelError
            When a column is missing, or no contract can have such rows.
        """
        periods, cancelled = self._columns(rows)
        contracts = Contracts.of(periods, _yes(cancelled), _customers(rows))
        fit = fit_renewals(contracts)
        errors = {}
        if not fit.fallback:
            errors = standard_errors(lambda theta: likelihood(theta, contracts), fit.parameters)
        return self._keep(fit, errors)

    def survival(self, renewals: float | Sequence[float] | np.ndarray) -> Any:
        """Return P(a new customer renews at least that many times).

        Parameters
        ----------
        renewals : float or array of shape (n,)

        Returns
        -------
        float or ndarray of shape (n,)
        """
        ahead = np.asarray(renewals, dtype=float)
        made = survival(self._fitted.parameters, np.zeros_like(ahead), ahead)
        return made if np.ndim(renewals) else float(made)

    def retention(self, renewal: float | Sequence[float] | np.ndarray) -> Any:
        """Return the share that renews, of those who come to their first, second … renewal.

        Parameters
        ----------
        renewal : float or array of shape (n,)
            1 for the first.
        """
        which = np.asarray(renewal, dtype=float)
        made = survival(self._fitted.parameters, which - 1, np.ones_like(which))
        return made if np.ndim(renewal) else float(made)

    def p_renews(self, rows: pd.DataFrame, renewals: int = 1) -> pd.Series:
        """Return the probability that each customer renews so many times more.

        Parameters
        ----------
        rows : DataFrame
            As for ``fit``; 0 for those who cancelled.
        renewals : int
        """
        made, running = self._running(rows)
        share = survival(self._fitted.parameters, made, np.full_like(made, renewals))
        return pd.Series(np.where(running, share, 0.0), index=rows.index, name="p_renews")

    def predict(self, rows: pd.DataFrame, periods: int) -> pd.Series:
        """Return how many of the next periods each customer is expected to pay for.

        Parameters
        ----------
        rows : DataFrame
            As for ``fit``; 0 for those who cancelled.
        periods : int
            After the running one.
        """
        if periods < 0:
            raise UsageError(f"periods is {periods}; expected 0 or more.")
        made, running = self._running(rows)
        total = np.zeros_like(made)
        for ahead in range(1, periods + 1):
            total += survival(self._fitted.parameters, made, np.full_like(made, ahead))
        return pd.Series(np.where(running, total, 0.0), index=rows.index, name="expected_periods")

    def residual_lifetime(self, rows: pd.DataFrame, *, discount_per_period: float) -> pd.Series:
        """Return the discounted periods that each customer is expected to pay for (DERL).

        Times the margin of a period, it is what the customer is still worth right before the
        renewal: the next period counts whole, each later one 1 ÷ (1 + rate) of the one before.

        Parameters
        ----------
        rows : DataFrame
            As for ``fit``; 0 for those who cancelled.
        discount_per_period : float
            .10 for yearly contracts at 10 % a year.

        Raises
        ------
        ModelError
            Without a discount where the expected lifetime is infinite (alpha up to 1).
        """
        made, running = self._running(rows)
        ahead = residual_lifetime(self._fitted.parameters, made, discount_per_period)
        return pd.Series(np.where(running, ahead, 0.0), index=rows.index, name="residual_lifetime")

    def _running(self, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return the renewals made so far, and whose contracts are running."""
        periods, cancelled = self._columns(rows)
        check_periods(periods)
        return periods - 1, ~_yes(cancelled)


def cohort(survivors: Sequence[float]) -> pd.DataFrame:
    """Return rows for ``ShiftedBetaGeo`` from how many of a cohort were left after each renewal.

    Parameters
    ----------
    survivors : sequence of float
        Customers of the first period, of the second …; none may exceed the one before.

    Returns
    -------
    DataFrame
        ``periods``, ``cancelled`` and ``customers``.

    Raises
    ------
    DataError
        For counts that rise, or fewer than two of them.

    Examples
    --------
    >>> from clv.btyd import cohort
    >>> cohort([100, 60, 45])
       periods  cancelled  customers
    0        1       True       40.0
    1        2       True       15.0
    2        3      False       45.0
    """
    left = np.asarray(survivors, dtype=float)
    if left.ndim != 1 or left.size < 2 or not np.isfinite(left).all() or (left < 0).any():
        raise DataError("cohort: expected at least two counts of customers, each 0 or more.")
    rises = np.flatnonzero(np.diff(left) > 0)
    if rises.size:
        at = int(rises[0]) + 1
        raise DataError(
            f"cohort: {left[at]:,g} customers are left after renewal {at} and {left[at - 1]:,g} "
            "before it; expected counts that never rise. Leave out who joined later."
        )
    gone = pd.DataFrame(
        {"periods": np.arange(1, left.size), "cancelled": True, "customers": left[:-1] - left[1:]}
    )
    there = pd.DataFrame({"periods": [left.size], "cancelled": False, "customers": left[-1:]})
    return pd.concat([gone, there], ignore_index=True)


def contract_periods(
    frame: pd.DataFrame, start: str, end: str, *, period: str | int, as_of: str | pd.Timestamp
) -> pd.DataFrame:
    """Count the periods that each contract has begun, and whether it has ended.

    Parameters
    ----------
    frame : DataFrame
        One row per contract.
    start, end : str
        Columns of the first day, and of the day from which it no longer runs (none while it
        runs). A contract that ends within a period has paid for that period.
    period : {"month", "year"} or int
        How long a period is; a number counts days. A period that begins on the 31st begins on
        the last day of shorter months.
    as_of : str or Timestamp
        What is known: contracts that start later are left out, and later ends are not known yet.

    Returns
    -------
    DataFrame
        ``periods`` and ``cancelled``, by the frame's index.

    Raises
    ------
    UsageError, DataError
        For another period, or a contract that ends before it starts.

    Examples
    --------
    >>> contracts = pd.DataFrame({
    ...     "start": ["2024-01-31", "2024-01-31", "2025-05-01"],
    ...     "end": [None, "2024-03-31", None]})
    >>> contract_periods(contracts, "start", "end", period="month", as_of="2025-02-27")
       periods  cancelled
    0       13      False
    1        2       True
    """
    if period not in ("month", "year") and not (isinstance(period, int) and period > 0):
        raise UsageError(
            f"contract_periods: period is {period!r}; expected 'month', 'year' or days above 0."
        )
    known = pd.Timestamp(as_of)
    began, ended = (pd.to_datetime(frame[name]).dt.tz_localize(None) for name in (start, end))
    wrong = int((ended < began).sum())
    if wrong:
        raise DataError(
            f"contract_periods: {wrong} contracts end before they start; expected {end} on or "
            f"after {start}."
        )
    kept = began <= known
    began, ended = began[kept], ended[kept]
    cancelled = ended <= known
    # the day of the end belongs to no period; that of as_of does
    last = ended.where(cancelled, known + pd.Timedelta(days=1)) - pd.Timedelta(days=1)
    periods = _whole_periods(began, last, period) + 1
    return pd.DataFrame({"periods": np.maximum(periods, 1), "cancelled": cancelled})


def _whole_periods(began: pd.Series, last: pd.Series, period: str | int) -> pd.Series:
    """Return the periods that have passed whole by the last day."""
    if isinstance(period, int):
        return (last - began).dt.days // period
    months = (last.dt.year - began.dt.year) * 12 + last.dt.month - began.dt.month
    due = np.minimum(began.dt.day, last.dt.days_in_month)
    months -= (last.dt.day < due).astype(int)
    return months if period == "month" else months // 12


def _yes(cancelled: np.ndarray) -> np.ndarray:
    unknown = int((~np.isin(cancelled, (0.0, 1.0))).sum())
    if unknown:
        raise DataError(
            f"cancelled: {unknown} rows say neither yes nor no; expected True or False."
        )
    return cancelled > 0


def _customers(rows: pd.DataFrame) -> np.ndarray:
    if "customers" not in rows.columns:
        return np.ones(len(rows))
    return rows["customers"].to_numpy(dtype=np.float64, na_value=np.nan)
