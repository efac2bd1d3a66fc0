"""What a fitted model says of itself: parameters with their standard errors, and a verdict."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clv.models.btyd.results import Fit

NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Summary:
    """A fit to look at.

    Attributes
    ----------
    model : str
        The estimator's name.
    fit : Fit
        Parameters, log-likelihood and verdict.
    standard_errors : dict of str to float
        nan where the parameters are no maximum likelihood estimates, or are not identified.
    repeated : str
        What customers did who did it more than once.
    """

    model: str
    fit: Fit
    standard_errors: Mapping[str, float]
    repeated: str = "bought again"

    def to_frame(self) -> pd.DataFrame:
        """Return one row per parameter: estimate, standard error, 95 % interval.

        The interval is symmetric in the logarithm, since parameters are positive.
        """
        estimate = pd.Series(self.fit.parameters, dtype=float)
        error = pd.Series(self.standard_errors, dtype=float).reindex(estimate.index)
        factor = np.exp(NORMAL_95 * error / estimate)
        return pd.DataFrame(
            {
                "estimate": estimate,
                "standard_error": error,
                "low": estimate / factor,
                "high": estimate * factor,
            }
        ).rename_axis("parameter")

    @property
    def verdict(self) -> str:
        """What became of the fit, in one sentence."""
        fallback = f" ({self.fit.fallback} used)" if self.fit.fallback else ""
        return f"{self.fit.verdict}: {self.fit.detail}{fallback}"

    @property
    def about(self) -> str:
        """What was fitted, in one line."""
        fit = self.fit
        return (
            f"{self.model}: {fit.customers:,.0f} customers, {fit.repeaters:,.0f} of them "
            f"{self.repeated}; log-likelihood {fit.log_likelihood:,.1f}"
        )

    def __repr__(self) -> str:
        table = self.to_frame().to_string(float_format="{:.4g}".format)
        return f"{self.about}\n{table}\n{self.verdict}"

    def _repr_html_(self) -> str:
        table = self.to_frame().to_html(float_format="{:.4g}".format, border=0)
        return f"<p>{html.escape(self.about)}</p>{table}<p>{html.escape(self.verdict)}</p>"
