"""What came true: past score tables against what customers went on to do.

The interval of a total's bias is of customers drawn anew: what happens to all of them at
once, a crisis or a season, is not in it. A calibration error is never zero in a finite
table, so it stands beside what chance alone would give.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

from clv.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

BINS = 10
NORMAL_90 = 1.645
"""Half-width of a 90 % interval, in standard errors."""

RUN = 3
"""Tables in a row on the same side, at half the band, that ask for a refit."""

COLUMNS = ["customer_id", "as_of", "clv", "clv_low", "clv_high", "p_churn"]


@dataclass(frozen=True)
class Realised:
    """A past score table against what came true.

    Attributes
    ----------
    as_of : str
    model_version : int
        That said it.
    customers : int
        Scored then, and with a complete horizon now.
    predicted, actual : float
        Totals, in currency.
    total_bias, bias_low, bias_high : float or None
        predicted ÷ actual − 1 with its 90 % interval; None where nothing came true.
    coverage : float
        Share of customers who had bought whose value lay in their interval.
    level : float
        The share that was promised.
    churn_predicted, churn_observed : float or None
        Means over customers with a p_churn.
    calibration_error : float or None
        Mean |predicted − observed| churn over bins of equal size, weighted.
    calibration_by_chance : float or None
        What it would be on average, were every p_churn right.
    prospects : int
        People among ``customers`` who had not bought.
    prospects_predicted, prospects_actual : float
        Their part of the totals.
    prospects_coverage : float or None
        Share of them whose value lay in their interval; None where there were none.
    """

    as_of: str
    model_version: int
    customers: int
    predicted: float
    actual: float
    total_bias: float | None
    bias_low: float | None
    bias_high: float | None
    coverage: float
    level: float
    churn_predicted: float | None
    churn_observed: float | None
    calibration_error: float | None
    calibration_by_chance: float | None
    prospects: int = 0
    prospects_predicted: float = 0.0
    prospects_actual: float = 0.0
    prospects_coverage: float | None = None

    @property
    def prospects_error(self) -> float | None:
        """What people who had not bought were off by, as a share of what everybody brought."""
        if self.actual <= 0:
            return None
        return (self.prospects_predicted - self.prospects_actual) / self.actual

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON-able values."""
        return asdict(self)


def read_scores(path: Path) -> pd.DataFrame:
    """Read what of a published score table is held against the outcomes."""
    return pq.read_table(path, columns=COLUMNS).to_pandas()


def realised(
    scores: pd.DataFrame, outcomes: pd.DataFrame, *, model_version: int, level: float
) -> Realised:
    """Compare a score table with the outcomes of its horizon.

    Parameters
    ----------
    scores : DataFrame
        As published.
    outcomes : DataFrame
        As ``build_outcomes`` gives it for the same cutoff and horizon, prospects among them.
    model_version : int
        That made the scores.
    level : float
        Of ``clv_low`` and ``clv_high``.

    Raises
    ------
    UsageError
        When no customer stands in both.
    """
    # who had no value was in no total
    valued = scores[scores["clv"].notna()]
    both = valued.merge(outcomes, on="customer_id", validate="one_to_one")
    if both.empty:
        raise UsageError("realised: no customer stands in scores and outcomes; compare one as_of.")
    said, came = both["clv"].to_numpy(float), both["value"].to_numpy(float)
    inside = both["value"].between(both["clv_low"], both["clv_high"])
    # only who has bought has a p_churn
    bought = both["p_churn"].notna().to_numpy()
    known, others = both[bought], both[~bought]
    p, churned = known["p_churn"].to_numpy(float), known["churned"].to_numpy(float)
    error, by_chance = calibration(p, churned) if p.size else (None, None)
    bias, low, high = total_bias(said, came)
    return Realised(
        as_of=str(both["as_of"].iloc[0]),
        model_version=model_version,
        customers=len(both),
        predicted=float(said.sum()),
        actual=float(came.sum()),
        total_bias=bias,
        bias_low=low,
        bias_high=high,
        coverage=float(inside[bought].mean()) if bought.any() else float(inside.mean()),
        level=level,
        churn_predicted=float(p.mean()) if p.size else None,
        churn_observed=float(churned.mean()) if p.size else None,
        calibration_error=error,
        calibration_by_chance=by_chance,
        prospects=len(others),
        prospects_predicted=float(others["clv"].sum()),
        prospects_actual=float(others["value"].sum()),
        prospects_coverage=float(inside[~bought].mean()) if len(others) else None,
    )


def total_bias(
    said: np.ndarray, came: np.ndarray
) -> tuple[float | None, float | None, float | None]:
    """Return predicted ÷ actual − 1 of a total, with its 90 % interval.

    The interval is symmetric in the logarithm; its standard error is that of a ratio of
    sums (Cochran, *Sampling Techniques*, 1977, eq. 6.13).

    Parameters
    ----------
    said, came : ndarray of shape (customers,)
        Currency.

    Examples
    --------
    >>> total_bias(np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    (0.0, 0.0, 0.0)
    """
    predicted, actual = said.sum(), came.sum()
    if predicted <= 0 or actual <= 0:
        return None, None, None
    ratio = float(predicted / actual)
    error = float(np.sqrt(((came - said / ratio) ** 2).sum()) / actual)
    factor = math.exp(NORMAL_90 * error)
    return ratio - 1, ratio / factor - 1, ratio * factor - 1


def calibration(predicted: np.ndarray, observed: np.ndarray) -> tuple[float, float]:
    """Return the calibration error of probabilities, and what chance alone would give.

    Parameters
    ----------
    predicted, observed : ndarray of shape (customers,)
        Probabilities, and 0 or 1.

    Examples
    --------
    >>> error, chance = calibration(np.full(1000, 0.5), np.arange(1000) % 2)
    >>> round(error, 3), round(chance, 3)
    (0.0, 0.04)
    """
    parts = np.array_split(np.argsort(predicted, kind="stable"), min(BINS, predicted.size))
    sizes = np.array([part.size for part in parts])
    said = np.array([predicted[part].mean() for part in parts])
    came = np.array([observed[part].mean() for part in parts])
    # The mean of |x| of a normal variable is its standard deviation times √(2 / π).
    chance = np.sqrt(2 / np.pi * said * (1 - said) / sizes)
    total = predicted.size
    return float((np.abs(said - came) * sizes).sum() / total), float((chance * sizes).sum() / total)


@dataclass(frozen=True)
class Tracking:
    """Whether totals still come true, as horizons complete.

    Attributes
    ----------
    biases : tuple of float
        Of each score table, oldest first.
    band : float
        Between −band and +band is in order.
    refit : bool
        Whether the latest one, or three running on the same side at half the band, lie out.
    """

    biases: tuple[float, ...]
    band: float
    refit: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the chart's numbers as JSON-able values."""
        return asdict(self)


def tracking(history: Sequence[Realised], band: float = 0.15) -> Tracking:
    """Say whether the model needs refitting.

    Parameters
    ----------
    history : sequence of Realised
        Oldest first.
    band : float
        Bias of the total that is still accepted.
    """
    biases = tuple(found.total_bias for found in history if found.total_bias is not None)
    latest = np.array(biases[-RUN:])
    run = latest.size == RUN and (np.all(latest > band / 2) or np.all(latest < -band / 2))
    out = latest.size > 0 and abs(latest[-1]) > band
    return Tracking(biases, band, bool(out or run))
