"""What a fit of a buy-till-you-die model says of itself: parameters, verdict, fallback."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.models.btyd import BTYD

if TYPE_CHECKING:
    from collections.abc import Mapping


class Verdict(StrEnum):
    """What became of a fit."""

    CONVERGED = "converged"
    AT_BOUND = "at_bound"
    Q_BELOW_1 = "q_below_1"
    TOO_FEW_REPEATERS = "too_few_repeaters"
    NO_REPEATERS = "no_repeaters"
    NOT_CONVERGED = "not_converged"
    TOO_FEW_CANCELLATIONS = "too_few_cancellations"
    NO_CANCELLATIONS = "no_cancellations"
    ONE_RENEWAL = "one_renewal"


@dataclass(frozen=True)
class Fit:
    """A fitted model of purchases or of spend.

    Attributes
    ----------
    model : str
        ``bg_nbd``, ``mbg_nbd``, ``pareto_nbd``, ``gamma_gamma`` or ``shifted_beta_geo``.
    parameters : dict of str to float
        By the literature's names; time in days, money in the currency.
    log_likelihood : float
        At these parameters, time in days; without the prior where one was used.
    verdict : Verdict
        Of the maximum likelihood fit.
    fallback : str
        What was used instead: ``""``, ``"weak prior"`` or ``"pooled mean"``.
    detail : str
        One sentence for people.
    customers, repeaters, purchases : float
        Customers in the fit, those who bought again or renewed, and how often they did.
    """

    model: str
    parameters: dict[str, float]
    log_likelihood: float
    verdict: Verdict
    fallback: str
    detail: str
    customers: float
    repeaters: float
    purchases: float

    def as_dict(self) -> dict[str, Any]:
        """Return the fit as JSON-able values."""
        return {**asdict(self), "verdict": str(self.verdict)}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Fit:
        """Restore what ``as_dict`` returned."""
        return cls(**{**saved, "verdict": Verdict(saved["verdict"])})

    def in_units_of(self, days: float) -> Fit:
        """Return the fit as papers print it, with a unit of time of that many days.

        Scale parameters of time (α, β) shrink by the unit; the density of the purchase
        times grows by it once per purchase.
        """
        if self.model not in BTYD or days == 1:
            return self
        times = BTYD[self.model].times
        scaled = {
            name: value / days if name in times else value
            for name, value in self.parameters.items()
        }
        shift = self.purchases * float(np.log(days))
        return replace(self, parameters=scaled, log_likelihood=self.log_likelihood + shift)
