"""BTYD at every cutoff of a panel, by the purchase model that past outcomes speak for.

Which purchase model suits a company is itself learned from outcomes, so a fold may choose
only by those that were known at its cutoff: each model forecasts every cutoff once, and a
fold compares them at the cutoffs whose horizons were over by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from clv.errors import ModelError
from clv.models.btyd.select import (
    LOSS,
    STEP,
    Choice,
    choose_purchase_model,
    compare_purchase_models,
)
from clv.models.options import AUTO
from clv.models.purchases import Purchases
from clv.models.season import SeasonalCorrection
from clv.models.training.panel import MIN_CUSTOMERS
from clv.models.training.steps import Step, asked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clv.models.options import ModelOptions
    from clv.models.training.panel import Panel
    from clv.windows import Window


@dataclass(frozen=True)
class Forecasts:
    """BTYD, refitted at every cutoff of a panel on the data up to it.

    Attributes
    ----------
    fits : dict of str to Purchases
        By ISO cutoff.
    frame : DataFrame
        ``Purchases.forecast`` of every row of the panel, same index.
    seasonal : SeasonalCorrection
        Realised over forecast totals.
    choices : tuple of Choice
        How the purchase models compared; empty where the user named one.
    step : Step
        Whether another purchase model than the first was shown to be better.
    """

    fits: dict[str, Purchases]
    frame: pd.DataFrame
    seasonal: SeasonalCorrection
    choices: tuple[Choice, ...]
    step: Step

    @property
    def latest(self) -> Purchases:
        """The fit at the last cutoff."""
        return self.fits[max(self.fits)]


class PastForecasts:
    """Forecasts by purchase model, computed once each.

    Parameters
    ----------
    panel : Panel
    options : ModelOptions
        ``purchase_model`` names one, or lets outcomes choose.
    """

    def __init__(self, panel: Panel, options: ModelOptions) -> None:
        for window in reversed(panel.windows):
            if (known := len(panel.at(window))) < MIN_CUSTOMERS:
                raise ModelError(
                    f"panel: {known} customers had bought by {window.cutoff}; expected at least "
                    f"{MIN_CUSTOMERS}. Choose a shorter training.horizon_days, or bring more "
                    "history."
                )
        self._panel = panel
        self._options = options
        self._compared: dict[Window, dict[str, Choice]] = {}
        self._forecasts: dict[
            str, tuple[dict[str, Purchases], pd.DataFrame, SeasonalCorrection]
        ] = {}

    def known(self, windows: Sequence[Window]) -> Forecasts:
        """Return the forecasts by what was known once these windows were over."""
        options, panel = self._options, self._panel
        choices: tuple[Choice, ...] = ()
        model = options.purchase_model
        step = asked(STEP, LOSS, used=True)
        if model == AUTO:
            reach = panel.horizon_days + options.reporting_delay_days
            past = {window.cutoff.isoformat(): self._compare(window) for window in windows}
            choices, step = choose_purchase_model(past, reach)
            model = choices[0].model
        if model not in self._forecasts:
            self._forecasts[model] = _forecast(panel, model, options.reporting_delay_days)
        return Forecasts(*self._forecasts[model], choices, step)

    def _compare(self, window: Window) -> dict[str, Choice]:
        if window not in self._compared:
            self._compared[window] = compare_purchase_models(
                self._panel.at(window), self._panel.horizon_days, seed=self._options.seed
            )
        return self._compared[window]


def _forecast(
    panel: Panel, model: str, delay_days: int
) -> tuple[dict[str, Purchases], pd.DataFrame, SeasonalCorrection]:
    fits, frames = {}, []
    for window in panel.windows:
        rows = panel.at(window)
        bought = float(rows["purchases"].sum())
        pooled = max(float(rows["revenue"].sum()) / bought, 0.0) if bought else 0.0
        if not bought and not rows["frequency"].any():
            raise ModelError(
                f"panel: nobody bought a second time by {window.horizon_end}; value cannot be "
                "learned from first purchases alone. Bring more history."
            )
        fit = Purchases.fit(panel.everyone(window), model, pooled_spend=pooled)
        fits[window.cutoff.isoformat()] = fit
        frames.append(fit.forecast(rows, panel.horizon_days, panel.discount_rate_annual))
    frame = pd.concat(frames).loc[panel.frame.index]
    reach = panel.horizon_days + delay_days
    return fits, frame, SeasonalCorrection.learn(panel.frame, frame["value"].to_numpy(), reach)
