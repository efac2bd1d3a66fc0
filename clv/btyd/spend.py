"""What customers spend per purchase: Gamma-Gamma as an estimator."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from clv.btyd.estimator import FittedEstimator
from clv.models.btyd.gamma_gamma import Spending, conditional_spend, fit_spend, gamma_gamma
from clv.models.btyd.uncertainty import standard_errors
from clv.models.purchases import DEPENDENCE_LIMIT, spend_dependence
from clv.notes import Note


class GammaGamma(FittedEstimator):
    """Gamma-Gamma: the mean amount of a purchase differs between customers, not by how many.

    Attributes
    ----------
    fit_ : Fit
        Parameters p, q and gamma, log-likelihood, verdict, fallback.
    params_ : Series
    verdict_ : Verdict
    standard_errors_ : dict of str to float
    dependence_ : float
        Spearman correlation of the number and the amount of purchases among customers who
        bought again; the model takes it for 0. 0 among fewer than 100.
    notes_ : tuple of Note
        Whom the fit left out, and whether its assumption holds.

    References
    ----------
    Fader & Hardie (2013), The Gamma-Gamma model of monetary value (note 025).
    """

    needs: ClassVar[tuple[str, ...]] = ("frequency", "spend")

    def fit(self, rows: pd.DataFrame, y: Any = None) -> Self:  # noqa: ARG002 (as in scikit-learn)
        """Fit to the customers who bought again and spent something.

        Parameters
        ----------
        rows : DataFrame
            ``frequency`` and ``monetary_value`` as ``clv.rfm`` makes them.
        y : object
            Not used.
        """
        x, z = self._columns(rows)
        fit = fit_spend(x, z)
        paid = (x > 0) & np.isfinite(z) & (z > 0)
        errors = {}
        if not fit.fallback:
            spending = Spending(x[paid], z[paid])
            errors = standard_errors(lambda theta: gamma_gamma(theta, spending), fit.parameters)
        _, _, dependence = spend_dependence(x, z)
        self.dependence_ = dependence
        self.notes_ = _notes(int(((x > 0) & ~paid).sum()), dependence)
        return self._keep(fit, errors)

    def predict(self, rows: pd.DataFrame) -> pd.Series:
        """Return the amount that each customer's next purchase is expected to have."""
        fit = self._fitted
        x, z = self._columns(rows)
        return pd.Series(
            conditional_spend(fit.parameters, x, z), index=rows.index, name="expected_spend"
        )


def _notes(left_out: int, dependence: float) -> tuple[Note, ...]:
    notes = []
    if left_out:
        text = "bought again and spent nothing, or less than nothing: left out of the fit"
        notes.append(Note("spend_left_out", "gamma_gamma", left_out, text))
    if abs(dependence) >= DEPENDENCE_LIMIT:
        text = (
            f"spend depends on the number of purchases (Spearman {dependence:.2f}); the model "
            "takes it for independent. clv.LifetimeValue corrects for it"
        )
        notes.append(Note("spend_dependent", "gamma_gamma", 0, text))
    return tuple(notes)
