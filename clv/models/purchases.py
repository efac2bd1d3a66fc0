"""What a customer is expected to buy, from purchases alone: BTYD and Gamma-Gamma together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from clv.models.btyd import BTYD
from clv.models.btyd.fit import fit_purchases
from clv.models.btyd.gamma_gamma import conditional_spend, fit_spend
from clv.models.btyd.results import Fit, Verdict
from clv.models.calendar.operational import Calendar
from clv.models.discounting import log_discount_per_day
from clv.notes import Note

if TYPE_CHECKING:
    from collections.abc import Mapping

DEPENDENCE_LIMIT = 0.30
ALIVE_MODEL = "mbg_nbd"


@dataclass(frozen=True)
class Purchases:
    """Fitted purchase and spend models, and the forecast they make.

    Attributes
    ----------
    purchase, alive, spend : Fit
        Purchases; the model that p_alive comes from (BG/NBD sets it to 1 for one-time
        buyers by construction); spend.
    spend_slope, spend_centre : float
        Where spend depends on the number of purchases, log spend rises by ``spend_slope``
        per log(1 + frequency), around ``spend_centre``; a slope of 0 is independence.
    dependence : float
        Spearman correlation of frequency and spend among repeat customers.
    calendar : Calendar
        The time in which purchases are modelled: of counts, not of amounts.
    """

    purchase: Fit
    alive: Fit
    spend: Fit
    spend_slope: float
    spend_centre: float
    dependence: float
    calendar: Calendar = field(default_factory=Calendar)

    @classmethod
    def fit(
        cls,
        rows: pd.DataFrame,
        model: str,
        *,
        pooled_spend: float = 0.0,
        calendar: Calendar | None = None,
    ) -> Purchases:
        """Fit to the customers of one cutoff; prospects are left out.

        Parameters
        ----------
        rows : DataFrame
            ``frequency``, ``recency_days``, ``age_days``, ``monetary_value``, and ``as_of``
            where the calendar is not flat.
        model : str
            A key of ``BTYD``.
        pooled_spend : float
            Mean amount of a purchase, for want of any repeat purchase.
        calendar : Calendar, optional
            As learned by the cutoff; flat by default.
        """
        calendar = calendar or Calendar()
        x, t_x, t, z = calendar.histories(rows[rows["frequency"].notna()])
        purchase = fit_purchases(model, x, t_x, t)
        mute = BTYD[model].one_time_buyers_alive
        alive = fit_purchases(ALIVE_MODEL, x, t_x, t) if mute else purchase
        slope, centre, dependence = spend_dependence(x, z)
        unit = np.exp(slope * (np.log1p(x) - centre))
        return cls(
            purchase=purchase,
            alive=alive,
            spend=fit_spend(x, z / unit, pooled=pooled_spend),
            spend_slope=slope,
            spend_centre=centre,
            dependence=dependence,
            calendar=calendar,
        )

    def forecast(
        self, rows: pd.DataFrame, horizon_days: int, discount_rate_annual: float
    ) -> pd.DataFrame:
        """Forecast the horizon from purchases alone.

        Returns
        -------
        DataFrame
            Index of ``rows``; ``value`` (discounted, × margin ratio), ``purchases``,
            ``spend`` (amount per purchase), ``p_none``, ``p_alive``, and ``season``: how many
            operational days each day of the horizon stands for. Prospects are nan.
        """
        known = rows["frequency"].notna().to_numpy()
        x, t_x, t, z = self.calendar.histories(rows[known])
        living = BTYD[self.purchase.model].p_alive(self.purchase.parameters, x, t_x, t)
        season = np.ones(x.size)
        if not self.calendar.is_flat:
            season = self.calendar.ahead(rows.loc[known, "as_of"], horizon_days) / horizon_days
        count, present, none = (np.empty(x.size) for _ in range(3))
        for busy in np.unique(season):
            here = season == busy
            length, rate = float(busy * horizon_days), discount_rate_annual
            # the horizon's end is discounted by its calendar days
            delta = log_discount_per_day(rate) / float(busy)
            count[here], present[here], none[here] = self._ahead(x[here], t[here], length, delta)
        spend = self.expected_spend(x, z)
        ratio = np.ones(x.size)
        if "margin_ratio" in rows.columns:
            ratio = rows.loc[known, "margin_ratio"].fillna(1.0).to_numpy(float)
        found = {
            "value": living * present * spend * ratio,
            "purchases": living * count,
            "spend": spend,
            "p_none": 1 - living + living * none,
            "p_alive": BTYD[self.alive.model].p_alive(self.alive.parameters, x, t_x, t),
            "season": season,
        }
        forecast = pd.DataFrame(np.nan, index=rows.index, columns=list(found))
        for name, values in found.items():
            forecast.loc[known, name] = values
        return forecast

    def _ahead(
        self, frequency: np.ndarray, age: np.ndarray, length: float, log_discount: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return purchases if alive, their present number, and the chance of none."""
        model, parameters = BTYD[self.purchase.model], self.purchase.parameters
        count = model.purchases_if_alive(parameters, frequency, age, length)
        present = count
        if log_discount:
            present = model.purchases_if_alive(parameters, frequency, age, length, log_discount)
        return count, present, model.p_none_if_alive(parameters, frequency, age, length)

    def expected_spend(self, frequency: np.ndarray, mean_spend: np.ndarray) -> np.ndarray:
        """Return the expected amount of the next purchase, as ``conditional_spend``."""
        unit = np.exp(self.spend_slope * (np.log1p(frequency) - self.spend_centre))
        return unit * conditional_spend(self.spend.parameters, frequency, mean_spend / unit)

    def notes(self) -> tuple[Note, ...]:
        """Say which fits were not plain maximum likelihood."""
        notes = []
        for fit in dict.fromkeys((self.purchase.model, self.alive.model, self.spend.model)):
            found = next(f for f in (self.purchase, self.alive, self.spend) if f.model == fit)
            if found.verdict is not Verdict.CONVERGED:
                code = f"fit_{found.verdict}"
                notes.append(Note(code, found.model, int(found.customers), found.detail))
        if self.spend_slope:
            message = (
                f"spend depends on the number of purchases (Spearman {self.dependence:.2f}, "
                f"limit {DEPENDENCE_LIMIT}); conditional spend is used"
            )
            notes.append(Note("spend_conditional", "gamma_gamma", 0, message))
        return tuple(notes)

    def as_dict(self) -> dict[str, Any]:
        """Return the fits as JSON-able values."""
        return {
            "purchase": self.purchase.as_dict(),
            "alive": self.alive.as_dict(),
            "spend": self.spend.as_dict(),
            "spend_slope": self.spend_slope,
            "spend_centre": self.spend_centre,
            "dependence": self.dependence,
            "calendar": self.calendar.as_dict(),
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Purchases:
        """Restore what ``as_dict`` returned."""
        fits = {name: Fit.from_dict(saved[name]) for name in ("purchase", "alive", "spend")}
        # models of the first versions knew no calendar: theirs is flat
        calendar = Calendar.from_dict(saved.get("calendar"))
        return cls(**{**saved, **fits, "calendar": calendar})


def spend_dependence(frequency: np.ndarray, mean_spend: np.ndarray) -> tuple[float, float, float]:
    """Test Gamma-Gamma's assumption that spend does not depend on the number of purchases.

    Returns
    -------
    slope, centre, dependence : float
        The slope is 0 unless |Spearman| reaches ``DEPENDENCE_LIMIT`` among at least 100
        repeat customers.
    """
    counted = (frequency > 0) & (np.nan_to_num(mean_spend) > 0)
    x, z = np.log1p(frequency[counted]), np.log(mean_spend[counted])
    if x.size < 100 or np.ptp(x) == 0 or np.ptp(z) == 0:
        return 0.0, 0.0, 0.0
    dependence = float(spearmanr(x, z).statistic)
    if abs(dependence) < DEPENDENCE_LIMIT:
        return 0.0, 0.0, dependence
    centre = float(x.mean())
    slope = float(((x - centre) @ (z - z.mean())) / ((x - centre) @ (x - centre)))
    return slope, centre, dependence
