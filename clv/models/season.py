"""How far the total was from BTYD's forecast at past cutoffs, by season.

BTYD knows no seasons: every method measured on a year of gift sales forecast its Christmas
quarter 20 to 40 % too low. At each past cutoff the realised total of its horizon over the
forecast one is known; what is used at a cutoff are those ratios that were complete by then,
the ones of the same season first. Without a same season the mean of the last four counts
half: on three companies BTYD's error at one cutoff lasted to the next about half the time.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

SOLAR_YEAR_DAYS = 365.25
SEASON_DAYS = 25.0
RECENT = 4
PRIOR = 4.0
SEASON_PRIOR = 0.5
NOISE = 0.10
LIMIT = float(np.log(3.0))


@dataclass(frozen=True)
class SeasonalCorrection:
    """Realised over forecast totals by cutoff.

    Attributes
    ----------
    days : tuple of int
        Cutoffs as proleptic ordinals, oldest first.
    log_ratios : tuple of float
        log(realised / BTYD's forecast) of all customers' value in the horizon.
    trust : tuple of float
        Between 0 and 1: low where the ratio is mostly chance.
    reach_days : int
        Days after a cutoff until its ratio is known.
    """

    days: tuple[int, ...]
    log_ratios: tuple[float, ...]
    trust: tuple[float, ...]
    reach_days: int

    @classmethod
    def none(cls, reach_days: int) -> SeasonalCorrection:
        """Return the correction that changes nothing."""
        return cls((), (), (), reach_days)

    @classmethod
    def learn(cls, rows: pd.DataFrame, btyd: np.ndarray, reach_days: int) -> SeasonalCorrection:
        """Measure the ratio at every cutoff of a panel.

        Parameters
        ----------
        rows : DataFrame
            ``as_of`` and ``value``.
        btyd : ndarray of shape (rows,)
            BTYD's forecast of value, fitted on the data up to each cutoff.
        reach_days : int
            The horizon and the reporting delay.
        """
        days, ratios, trust = [], [], []
        value, as_of = rows["value"].to_numpy(float), rows["as_of"].to_numpy()
        for day in sorted(set(as_of)):
            here = as_of == day
            realised, forecast = float(value[here].sum()), float(btyd[here].sum())
            if realised <= 0 or forecast <= 0:
                continue
            error = float((value[here] - btyd[here]).std()) * np.sqrt(here.sum()) / realised
            days.append(dt.date.fromisoformat(str(day)).toordinal())
            ratios.append(float(np.clip(np.log(realised / forecast), -LIMIT, LIMIT)))
            trust.append(float(1 / (1 + (error / NOISE) ** 2)))
        return cls(tuple(days), tuple(ratios), tuple(trust), reach_days)

    def ratio(self, as_of: Iterable[object]) -> np.ndarray:
        """Return realised over forecast at the cutoffs it was learned from; elsewhere 1."""
        known = dict(zip(self.days, np.exp(self.log_ratios), strict=True))
        return _by_day(as_of, lambda day: float(known.get(day, 1.0)))

    def factor(self, as_of: Iterable[object]) -> np.ndarray:
        """Return the correction of the total at each cutoff, from what was known by then."""
        return _by_day(as_of, self._factor)

    def _factor(self, day: int) -> float:
        days = np.array(self.days, dtype=float)
        known = days + self.reach_days <= day
        if not known.any():
            return 1.0
        days, logs = days[known], np.array(self.log_ratios)[known]
        trust = np.array(self.trust)[known]
        recent = slice(-RECENT, None)
        base = float(trust[recent] @ logs[recent]) / (float(trust[recent].sum()) + PRIOR)
        ago = day - days
        away = np.abs(ago - np.round(ago / SOLAR_YEAR_DAYS) * SOLAR_YEAR_DAYS)
        # less than three quarters of a year ago is never "the same season last year"
        same = trust * np.exp(-0.5 * (away / SEASON_DAYS) ** 2) * (ago > 0.75 * SOLAR_YEAR_DAYS)
        weight = float(same.sum())
        return float(np.exp((float(same @ logs) + SEASON_PRIOR * base) / (weight + SEASON_PRIOR)))

    def as_dict(self) -> dict[str, Any]:
        """Return the ratios as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> SeasonalCorrection:
        """Restore what ``as_dict`` returned."""
        lists = {name: tuple(saved[name]) for name in ("days", "log_ratios", "trust")}
        return cls(**{**saved, **lists})


def _by_day(as_of: Iterable[object], function: Any) -> np.ndarray:
    texts = [str(text) for text in as_of]
    found = {text: function(dt.date.fromisoformat(text).toordinal()) for text in set(texts)}
    return np.array([found[text] for text in texts], dtype=np.float64)
