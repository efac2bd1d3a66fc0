"""BTYD at every cutoff of a panel, by the purchase model that past outcomes speak for.

Which purchase model suits a company is itself learned from outcomes, so a fold may choose
only by those that were known at its cutoff: each model forecasts every cutoff once, and a
fold compares them at the cutoffs whose horizons were over by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.errors import ModelError
from clv.models.btyd import BTYD
from clv.models.btyd.select import (
    LOSS,
    STEP,
    Choice,
    choose_purchase_model,
    compare_purchase_models,
)
from clv.models.calendar.operational import Calendar, epoch_days
from clv.models.calendar.posterior import learn_calendar
from clv.models.options import AUTO
from clv.models.purchases import Purchases
from clv.models.season import SeasonalCorrection
from clv.models.training.panel import MIN_CUSTOMERS
from clv.models.training.steps import Step, asked, by_cutoff, unless_worse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clv.models.options import ModelOptions
    from clv.models.training.panel import Panel
    from clv.windows import Window


CALENDAR, COUNTS = "calendar", "|log(forecast / realised purchases)|"
SURE = 0.9
"""How likely weekly purchases must make a season that tests in time cannot judge."""


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
    steps : tuple of Step
        Whether purchases are modelled in the time of the company's own calendar, and whether
        another purchase model than the first was shown to be better.
    """

    fits: dict[str, Purchases]
    frame: pd.DataFrame
    seasonal: SeasonalCorrection
    choices: tuple[Choice, ...]
    steps: tuple[Step, ...]

    @property
    def latest(self) -> Purchases:
        """The fit at the last cutoff."""
        return self.fits[max(self.fits)]

    def spread_at(self, as_of: str) -> float:
        """Return what was unknown of the season ahead of a cutoff, by what was known then."""
        return self.fits[as_of].calendar.spread_at(as_of)


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
        self._calendars = {
            window: learn_calendar(
                panel.purchase_weeks,
                int(epoch_days([window.cutoff])[0]),
                panel.horizon_days,
            )
            for window in panel.windows
        }
        self._compared: dict[tuple[Window, bool], dict[str, Choice]] = {}
        self._forecasts: dict[
            tuple[str, bool], tuple[dict[str, Purchases], pd.DataFrame, SeasonalCorrection]
        ] = {}

    def known(self, windows: Sequence[Window]) -> Forecasts:
        """Return the forecasts by what was known once these windows were over."""
        options, panel = self._options, self._panel
        choices: tuple[Choice, ...] = ()
        model = options.purchase_model
        step = asked(STEP, LOSS, used=True)
        seasons = self._seasons(windows, next(iter(BTYD)) if model == AUTO else model)
        if model == AUTO:
            reach = panel.horizon_days + options.reporting_delay_days
            compare = partial(self._compare, used=seasons.used, models=tuple(BTYD))
            past = {window.cutoff.isoformat(): compare(window) for window in windows}
            choices, step = choose_purchase_model(past, reach)
            model = choices[0].model
        key = model, seasons.used
        if key not in self._forecasts:
            calendars = {window: self._calendar(window, used=key[1]) for window in panel.windows}
            self._forecasts[key] = _forecast(panel, model, calendars, options.reporting_delay_days)
        return Forecasts(*self._forecasts[key], choices, (seasons, step))

    def _calendar(self, window: Window, *, used: bool) -> Calendar:
        calendar = self._calendars[window]
        return calendar if used else calendar.unused()

    def _seasons(self, windows: Sequence[Window], model: str) -> Step:
        """Decide on the calendar: by past tests, or by the weeks where these cannot tell."""
        reach = self._panel.horizon_days + self._options.reporting_delay_days
        cutoffs: list[str] = []
        lost: list[float] = []
        other: list[float] = []
        for window in windows:
            if self._calendars[window].is_flat:
                continue
            cutoffs.append(window.cutoff.isoformat())
            for used, losses in ((False, lost), (True, other)):
                choice = self._compare(window, used=used, models=(model,))[model]
                losses.append(abs(float(np.log(max(choice.tracking, 1e-9)))))
        step = by_cutoff(CALENDAR, COUNTS, cutoffs, lost, other, reach)
        latest = self._calendars[max(windows)]
        sure = not latest.is_flat and latest.season >= SURE
        return unless_worse(step) if sure else step

    def _compare(self, window: Window, *, used: bool, models: tuple[str, ...]) -> dict[str, Choice]:
        """Compare models at a cutoff, each once whatever is asked together with it."""
        key = window, used
        found = self._compared.setdefault(key, {})
        if missing := [model for model in models if model not in found]:
            found |= compare_purchase_models(
                self._panel.at(window),
                self._panel.horizon_days,
                seed=self._options.seed,
                calendar=self._calendar(window, used=used),
                models=missing,
            )
        return {model: found[model] for model in models}


def _forecast(
    panel: Panel, model: str, calendars: Mapping[Window, Calendar], delay_days: int
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
        fit = Purchases.fit(
            panel.everyone(window), model, pooled_spend=pooled, calendar=calendars[window]
        )
        fits[window.cutoff.isoformat()] = fit
        frames.append(fit.forecast(rows, panel.horizon_days, panel.discount_rate_annual))
    frame = pd.concat(frames).loc[panel.frame.index]
    reach = panel.horizon_days + delay_days
    return fits, frame, SeasonalCorrection.learn(panel.frame, frame["value"].to_numpy(), reach)
