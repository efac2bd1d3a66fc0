"""What the estimators share: options, the columns of their rows, and what they say when shown."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd

from clv.btyd.summary import Summary
from clv.errors import SchemaError, UsageError, columns, listing
from clv.estimator import ShownEstimator

if TYPE_CHECKING:
    from clv.models.btyd.results import Fit, Verdict

COLUMNS = {
    "frequency": ("frequency",),
    "recency": ("recency", "recency_days"),
    "age": ("T", "age_days"),
    "spend": ("monetary_value",),
    "periods": ("periods",),
    "cancelled": ("cancelled",),
}
"""What an estimator needs, by the names that ``clv.rfm`` and a feature table give it."""


class FittedEstimator(ShownEstimator):
    """An estimator that keeps one ``Fit`` and shows it.

    Attributes
    ----------
    fit_ : Fit
        Parameters, log-likelihood, verdict, fallback, and of how many customers.
    standard_errors_ : dict of str to float
    rows_made_by : str
        What makes the rows that ``fit`` takes.
    """

    needs: ClassVar[tuple[str, ...]]
    made: ClassVar[str] = "fit_"
    rows_made_by: ClassVar[str] = "clv.rfm"
    repeated: ClassVar[str] = "bought again"

    fit_: Fit
    standard_errors_: dict[str, float]

    @property
    def params_(self) -> pd.Series:
        """The parameters, by the literature's names."""
        return pd.Series(self._fitted.parameters, dtype=float)

    @property
    def verdict_(self) -> Verdict:
        """What became of the fit; anything but ``converged`` is explained by ``fit_.detail``."""
        return self._fitted.verdict

    def summary(self) -> Summary:
        """Return parameters with standard errors and 95 % intervals, and the verdict."""
        return Summary(type(self).__name__, self._fitted, self.standard_errors_, self.repeated)

    @property
    def _fitted(self) -> Fit:
        self._require_fit(f"one row per customer, as {self.rows_made_by} makes them")
        return self.fit_

    def _keep(self, fit: Fit, errors: dict[str, float]) -> Self:
        unknown = dict.fromkeys(fit.parameters, math.nan)
        self.standard_errors_ = unknown if fit.fallback else errors
        self.fit_ = fit
        return self

    def _columns(self, rows: Any) -> tuple[np.ndarray, ...]:
        """Return the columns that the model needs as float arrays."""
        name = type(self).__name__
        if not isinstance(rows, pd.DataFrame):
            raise UsageError(
                f"{name}: a {type(rows).__name__} is no frame; expected one row per customer, as "
                f"{self.rows_made_by} makes them."
            )
        found, missing = [], []
        for need in self.needs:
            given = [column for column in COLUMNS[need] if column in rows.columns]
            if given:
                found.append(rows[given[0]].to_numpy(dtype=np.float64, na_value=np.nan))
            else:
                missing.append(" or ".join(COLUMNS[need]))
        if missing:
            raise SchemaError(
                f"{name}: the rows have no column {listing(missing)}; they have "
                f"{columns(rows.columns)}. Make them with {self.rows_made_by}."
            )
        return tuple(found)

    def _told(self) -> str:
        fit = self.fit_
        values = ", ".join(f"{name}={value:.4g}" for name, value in fit.parameters.items())
        return f"{values}; {fit.customers:,.0f} customers; {self.summary().verdict}"

    def _repr_html_(self) -> str:
        if not self.__sklearn_is_fitted__():
            return super()._repr_html_()
        return self.summary()._repr_html_()
