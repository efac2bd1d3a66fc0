"""When customers buy, and when they stop: BG/NBD, MBG/NBD and Pareto/NBD as estimators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np
import pandas as pd

from clv.btyd.estimator import FittedEstimator
from clv.errors import DataError, UsageError
from clv.models.btyd import BTYD
from clv.models.btyd import BetaGeo as BetaGeoFormulas
from clv.models.btyd.base import expected_new_customer
from clv.models.btyd.fit import fit_purchases
from clv.models.btyd.purchase_histories import compress
from clv.models.btyd.uncertainty import standard_errors
from clv.models.discounting import log_discount_per_day

if TYPE_CHECKING:
    from clv.btyd.pictures import PurchasePlots
    from clv.models.btyd.base import PurchaseModel


class PurchaseEstimator(FittedEstimator):
    """A purchase model with options, fitted to one row per customer.

    Parameters
    ----------
    time_unit_days : float
        Days in a unit of the rows' times: 7 for ``clv.rfm(..., freq="W")``. Parameters are in
        that unit; what is asked in days stays in days.

    Attributes
    ----------
    fit_ : Fit
        Parameters, log-likelihood, verdict, fallback, and of how many customers.
    params_ : Series
        The parameters, by the literature's names.
    verdict_ : Verdict
        What became of the fit; ``fit_.detail`` says it in words.
    standard_errors_ : dict of str to float
    """

    needs: ClassVar[tuple[str, ...]] = ("frequency", "recency", "age")
    model: ClassVar[str]

    def __init__(self, time_unit_days: float = 1.0) -> None:
        self.time_unit_days = time_unit_days

    def fit(self, rows: pd.DataFrame, y: Any = None) -> Self:  # noqa: ARG002 (as in scikit-learn)
        """Fit by maximum likelihood, or say why that cannot be and use a weak prior.

        Parameters
        ----------
        rows : DataFrame
            ``frequency``, ``recency``, ``T`` as ``clv.rfm`` makes them, or ``frequency``,
            ``recency_days``, ``age_days`` of a feature table.
        y : object
            Not used.

        Raises
        ------
        SchemaError, ModelError
            When a column is missing, or no purchase process can have such rows.
        """
        if not self.time_unit_days > 0:
            raise UsageError(f"time_unit_days is {self.time_unit_days}; expected more than 0.")
        x, t_x, t = self._columns(rows)
        fit = fit_purchases(self.model, x, t_x, t)
        histories = compress(x, t_x, t)
        kind = self._kind
        errors = {}
        if not fit.fallback:
            errors = standard_errors(
                lambda theta: kind.likelihood(theta, histories), fit.parameters
            )
        return self._keep(fit, errors)

    def predict(
        self, rows: pd.DataFrame, days: float, *, discount_rate_annual: float = 0.0
    ) -> pd.Series:
        """Return the purchases expected of each customer in the days to come.

        Parameters
        ----------
        rows : DataFrame
            As for ``fit``.
        days : float
            From the end of the observation.
        discount_rate_annual : float
            A purchase after t days counts (1 + rate)^(−t/365): times spend, the sum is the
            customer's present value.
        """
        x, t_x, t = self._known(rows)
        parameters, horizon = self._fitted.parameters, self._units(days)
        delta = log_discount_per_day(discount_rate_annual) * self.time_unit_days
        living = self._kind.p_alive(parameters, x, t_x, t)
        ahead = self._kind.purchases_if_alive(parameters, x, t, horizon, delta)
        return pd.Series(living * ahead, index=rows.index, name="expected_purchases")

    def p_alive(self, rows: pd.DataFrame) -> pd.Series:
        """Return the probability that each customer has not stopped buying for good."""
        x, t_x, t = self._known(rows)
        alive = self._kind.p_alive(self._fitted.parameters, x, t_x, t)
        return pd.Series(alive, index=rows.index, name="p_alive")

    @property
    def plot(self) -> PurchasePlots:
        """Return the pictures: frequency_recency, p_alive, customer, tracking; time in days."""
        from clv.btyd.pictures import PurchasePlots

        in_days = self._fitted.in_units_of(1 / self.time_unit_days)
        return PurchasePlots(self.model, in_days.parameters)

    def p_none(self, rows: pd.DataFrame, days: float) -> pd.Series:
        """Return the probability that each customer buys nothing in the days to come."""
        x, t_x, t = self._known(rows)
        parameters = self._fitted.parameters
        living = self._kind.p_alive(parameters, x, t_x, t)
        none = self._kind.p_none_if_alive(parameters, x, t, self._units(days))
        return pd.Series(1 - living + living * none, index=rows.index, name="p_none")

    def expected_purchases(self, days: Any) -> Any:
        """Return the repeat purchases expected of a new customer within days of the first one.

        Parameters
        ----------
        days : float or array of shape (n,)

        Returns
        -------
        float or ndarray of shape (n,)
        """
        elapsed = np.atleast_1d(np.asarray(self._units(days), dtype=float))
        made = expected_new_customer(self._kind, self._fitted.parameters, elapsed)
        return made if np.ndim(days) else float(made[0])

    @property
    def _kind(self) -> PurchaseModel:
        return BTYD[self.model]

    def _known(self, rows: pd.DataFrame) -> tuple[np.ndarray, ...]:
        """Return the rows' columns once the model is fitted and they can be answered for."""
        _ = self._fitted
        given = self._columns(rows)
        wrong = ~np.all([column >= 0 for column in given], axis=0)
        if wrong.any():
            raise DataError(
                f"{type(self).__name__}: {int(wrong.sum())} rows have a value that is negative or "
                f"unknown, the first of them row {int(wrong.argmax())}. Leave out who has not "
                "bought."
            )
        return given

    def _units(self, days: Any) -> Any:
        length = np.asarray(days, dtype=float)
        if not (np.isfinite(length) & (length >= 0)).all():
            raise UsageError(f"{type(self).__name__}: days is {days}; expected 0 or more.")
        return (
            length / self.time_unit_days if np.ndim(days) else float(length) / self.time_unit_days
        )


class BetaGeo(PurchaseEstimator):
    """BG/NBD: customers may stop after each repeat purchase.

    Who never bought again is alive by construction; ``ModifiedBetaGeo`` tells them apart.

    Parameters
    ----------
    time_unit_days : float
        Days in a unit of the rows' times.

    References
    ----------
    Fader, Hardie & Lee (2005), "Counting your customers" the easy way, Marketing Science 24.

    Examples
    --------
    >>> BetaGeo(time_unit_days=7).get_params()
    {'time_unit_days': 7}
    """

    model: ClassVar[str] = "bg_nbd"

    def p_purchases(self, count: Any, days: float) -> np.ndarray:
        """Return the probability of so many repeat purchases of a new customer within days.

        Parameters
        ----------
        count : int or array of shape (n,)
        days : float
            Since the first purchase.
        """
        formulas = cast("BetaGeoFormulas", self._kind)
        number = np.asarray(count, dtype=float)
        return formulas.count_probability(self._fitted.parameters, number, self._units(days))


class ModifiedBetaGeo(PurchaseEstimator):
    """MBG/NBD: customers may stop after the first purchase too.

    Parameters
    ----------
    time_unit_days : float
        Days in a unit of the rows' times.

    References
    ----------
    Batislam, Denizel & Filiztekin (2007), Int. J. of Research in Marketing 24.
    """

    model: ClassVar[str] = "mbg_nbd"


class ParetoNBD(PurchaseEstimator):
    """Pareto/NBD: customers may stop at any time.

    Parameters
    ----------
    time_unit_days : float
        Days in a unit of the rows' times.

    References
    ----------
    Schmittlein, Morrison & Colombo (1987), Management Science 33.
    """

    model: ClassVar[str] = "pareto_nbd"
