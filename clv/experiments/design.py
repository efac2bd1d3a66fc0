"""How many customers an experiment needs, on money that is mostly zeros and a long tail.

The mean of n heavy-tailed amounts is close to normal only once n is large against the skew:
n > 355 · skew² for a 95 % interval that covers (Kohavi, Deng & Vermeer 2022, after Boos &
Hughes-Oliver 2000).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import stats

from clv.errors import UsageError
from clv.windows import DAY_SECONDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SKEW_ROWS = 355.0
LEAST_DAYS = 7.0
Unit = Literal["customer", "agent"]


@dataclass(frozen=True)
class Design:
    """The size of an experiment, and what it can detect.

    Attributes
    ----------
    effect : float
        Difference in means, in currency, that is found with the asked power.
    units_per_arm : int
        Customers in each of two arms.
    clusters_per_arm : int
        Agents in each arm; 0 where customers are randomised.
    power, alpha : float
        Asked for.
    standard_deviation, skew : float
        Of the outcome, after the covariate.
    covariate_share : float
        Share of the variance that the covariate takes away.
    enough_for_normal : bool
        Whether an arm is large enough for intervals by the normal law.
    """

    effect: float
    units_per_arm: int
    clusters_per_arm: int
    power: float
    alpha: float
    standard_deviation: float
    skew: float
    covariate_share: float
    enough_for_normal: bool

    def as_dict(self) -> dict[str, object]:
        """Return the design as JSON-able values."""
        return asdict(self)


def noise(outcome: Floats, covariate: Floats | None = None) -> tuple[float, float, float]:
    """Return standard deviation and skew of what a covariate leaves, and its share.

    Parameters
    ----------
    outcome : array, shape (n,)
        Past outcomes of the customers who would take part.
    covariate : array, shape (n,), optional
        Known before assignment, such as predicted lifetime value.
    """
    rest = outcome - outcome.mean()
    if covariate is not None and covariate.std() > 0:
        centred = covariate - covariate.mean()
        rest = rest - centred * (centred @ rest) / (centred @ centred)
    spread = float(outcome.var())
    share = 1 - float(rest.var()) / spread if spread > 0 else 0.0
    skew = float(stats.skew(rest)) if spread > 0 else 0.0
    return float(rest.std(ddof=1)), skew, share


def inflation(members: float, correlation: float) -> float:
    """Return by what randomising whole clusters inflates the variance.

    Examples
    --------
    >>> inflation(51, 0.02)
    2.0
    """
    return 1 + (members - 1) * correlation


def contacts_a_year(at_s: Floats) -> float:
    """Return how many contacts a year has, from the first to the last of all that were followed.

    Every plan of an experiment counts by it: a year before a cutoff would have another number.

    Examples
    --------
    >>> contacts_a_year(np.arange(730) * 86_400.0)
    365.0
    """
    days = max(float(np.ptp(at_s)) / DAY_SECONDS + 1, LEAST_DAYS)
    return len(at_s) * 365 / days


def units_for(effect: float, deviation: float, power: float, alpha: float) -> int:
    """Return customers per arm that detect a difference with that power.

    Examples
    --------
    >>> units_for(0.1, 1.0, 0.8, 0.05)
    1570
    """
    reach = stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power)
    return int(np.ceil(2 * (reach * deviation / effect) ** 2))


def effect_for(units_per_arm: int, deviation: float, power: float, alpha: float) -> float:
    """Return the difference that so many customers per arm detect with that power."""
    reach = stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power)
    return float(reach * deviation * np.sqrt(2 / units_per_arm))


@dataclass(frozen=True)
class Clusters:
    """Agents, where they are randomised. Customers are better: half the error.

    Attributes
    ----------
    units : float
        Contacts per agent, in the weeks whose contacts enter.
    correlation : float
        Of outcomes within an agent's contacts.

    Examples
    --------
    >>> Clusters(260.5).for_units(int(75 * 260.5))
    75
    """

    units: float
    correlation: float = 0.02

    def for_units(self, units_per_arm: int) -> int:
        """Return the agents who have so many contacts in these weeks."""
        return int(np.ceil(units_per_arm / self.units - 1e-9))


def design(
    outcome: Floats,
    *,
    effect: float | None = None,
    units_per_arm: int | None = None,
    covariate: Floats | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
    clusters: Clusters | None = None,
) -> Design:
    """Size an experiment for an effect, or say what effect a size detects.

    Parameters
    ----------
    outcome : array, shape (n,)
        Past outcomes of such customers, over the horizon.
    effect : float, optional
        The difference in means to be found; give it or ``units_per_arm``.
    units_per_arm : int, optional
        Customers per arm.
    covariate : array, shape (n,), optional
        Known before assignment; predicted lifetime value takes about 40 % of the variance.
    power, alpha : float
        Chance to find the effect, and to find one where there is none.
    clusters : Clusters, optional
        Where agents are randomised.

    Raises
    ------
    UsageError
        Unless exactly one of effect and size is given, or where outcomes never differ.
    """
    if (effect is None) == (units_per_arm is None):
        raise UsageError("experiment design: give either the effect or the size of an arm.")
    if not (0 < alpha < 1 and 0 < power < 1):
        raise UsageError(f"experiment design: alpha {alpha}, power {power}; expected 0 to 1.")
    deviation, skew, share = noise(outcome, covariate)
    if not deviation > 0:
        raise UsageError("experiment design: past outcomes never differ; give another outcome.")
    wider = 1.0
    if clusters is not None:
        wider = inflation(max(clusters.units, 1.0), clusters.correlation)
    wide = deviation * np.sqrt(wider)
    if effect is not None:
        if effect == 0:
            raise UsageError("experiment design: the effect is 0; give the least that matters.")
        size = units_for(abs(effect), wide, power, alpha)
    else:
        assert units_per_arm is not None
        size = units_per_arm
    found = effect_for(size, wide, power, alpha) if effect is None else abs(effect)
    return Design(
        effect=float(found),
        units_per_arm=size,
        clusters_per_arm=0 if clusters is None else clusters.for_units(size),
        power=power,
        alpha=alpha,
        standard_deviation=deviation,
        skew=skew,
        covariate_share=share,
        enough_for_normal=bool(size >= SKEW_ROWS * skew**2 / 2),
    )
