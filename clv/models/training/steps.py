"""Whether a step of the forecast earns its place: past tests with it, beside the same without.

A forecast starts from purchases alone. Everything that moves it away from there is a step:
the choice of purchase model, the blend with the trees and their total, the season's factor,
the calibration of churn, the adjustment of intervals. A step is used only where tests that
were over by the cutoff show it to help by more than chance explains; where it loses, where
noise hides it, or where the tests are too few to tell, it is left out.

The rule is one for all: paired differences of a loss, a one-sided t test at ``CHANCE``
(Diebold & Mariano 1995, with the small-sample t of Harvey, Leybourne & Newbold 1997). What
says how customers differ is compared at each test's own realised level, over customers, all
rows of one together. What moves the level of all customers at once is compared over tests in
time, and those whose horizons overlap count as one in proportion: six tests thirty days apart
with a horizon of 180 days say little more than two.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import t as student_t

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CHANCE = 0.10
"""How often a step that does nothing may be used by mistake."""
MIN_CUSTOMERS = 100
MIN_TESTS = 2.0

HELPED, WITHIN_NOISE, NO_HELP = "helped", "within_noise", "no_help"
PRIOR = "prior"
TOO_FEW, ASKED = "too_few_tests", "settings"
UNCOMPARED = (TOO_FEW, ASKED)
REASONS = (HELPED, WITHIN_NOISE, NO_HELP, PRIOR, *UNCOMPARED)
BY_CUSTOMER, BY_CUTOFF = "customers", "cutoffs"


@dataclass(frozen=True)
class Step:
    """One step of the forecast, compared with leaving it out.

    Attributes
    ----------
    name : str
        ``calendar``, ``purchase_model``, ``blend``, ``trees_total``, ``season``, ``churn``,
        ``churn_level`` or ``interval_floors``.
    used : bool
        Whether the forecast uses it.
    reason : str
        ``helped``, ``within_noise``, ``no_help``, ``too_few_tests``; ``prior`` where tests
        cannot tell and other evidence does; or ``settings`` where the user decided.
    loss : str
        What was compared; smaller is better.
    without, with_step : float or None
        Mean loss over the tests; None where nothing could be compared.
    gain : float or None
        ``without`` less ``with_step``.
    needed : float or None
        What the gain had to exceed: the standard error times Student's t.
    unit : str
        ``customers`` or ``cutoffs``: what the tests count.
    tests : float
        How many that do not overlap.
    """

    name: str
    used: bool
    reason: str
    loss: str
    without: float | None = None
    with_step: float | None = None
    gain: float | None = None
    needed: float | None = None
    unit: str = BY_CUSTOMER
    tests: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Step:
        """Restore what ``as_dict`` returned."""
        return cls(**saved)


def asked(name: str, loss: str, *, used: bool) -> Step:
    """Return a step that the settings decide."""
    return Step(name, used, ASKED, loss)


def by_customer(
    name: str, loss: str, without: np.ndarray, with_step: np.ndarray, customer: np.ndarray
) -> Step:
    """Compare over customers: the errors of rows of one customer go together.

    Parameters
    ----------
    name, loss : str
    without, with_step : ndarray of shape (rows,)
        Loss of each row.
    customer : ndarray of shape (rows,)
        Who each row is of.

    Examples
    --------
    >>> lost = np.random.default_rng(0).gamma(2.0, 1.0, 1000)
    >>> by_customer("blend", "deviance", lost, 0.9 * lost, np.arange(1000)).used
    True
    >>> by_customer("blend", "deviance", lost, lost, np.arange(1000)).reason
    'no_help'
    """
    _, place = np.unique(np.asarray(customer, dtype=str), return_inverse=True)
    people = int(place.max()) + 1 if place.size else 0
    if people < MIN_CUSTOMERS:
        return Step(name, used=False, reason=TOO_FEW, loss=loss, tests=float(people))
    gained = without - with_step
    gain = float(gained.mean())
    away = np.bincount(place, gained - gain)
    error = float(np.sqrt(people / (people - 1) * float(away @ away))) / gained.size
    means = float(without.mean()), float(with_step.mean())
    return _judged(name, loss, *means, gain, error, BY_CUSTOMER, float(people))


def by_cutoff(
    name: str,
    loss: str,
    cutoffs: Sequence[str],
    without: Sequence[float],
    with_step: Sequence[float],
    reach_days: int,
) -> Step:
    """Compare over tests in time, those with overlapping horizons counted in proportion.

    Parameters
    ----------
    name, loss : str
    cutoffs : sequence of str
        ISO dates.
    without, with_step : sequence of float
        Loss of each test.
    reach_days : int
        Days that an outcome takes: the horizon and the reporting delay.

    Examples
    --------
    >>> days = ["2024-01-01", "2024-04-01", "2024-07-01", "2024-10-01"]
    >>> by_cutoff("season", "total", days, [0.2, 0.3, 0.2, 0.3], [0.1, 0.1, 0.1, 0.2], 90).used
    True
    >>> by_cutoff("season", "total", days[:1], [0.2], [0.1], 90).reason
    'too_few_tests'
    """
    days = sorted(dt.date.fromisoformat(text).toordinal() for text in cutoffs)
    tests = min(float(len(days)), 1 + (days[-1] - days[0]) / reach_days) if days else 0.0
    if tests < MIN_TESTS:
        return Step(name, used=False, reason=TOO_FEW, loss=loss, unit=BY_CUTOFF, tests=tests)
    gained = np.array(without) - np.array(with_step)
    means = float(np.mean(without)), float(np.mean(with_step))
    error = float(gained.std(ddof=1)) / float(np.sqrt(tests))
    return _judged(name, loss, *means, float(gained.mean()), error, BY_CUTOFF, tests)


def unless_worse(step: Step) -> Step:
    """Return a step that other evidence speaks for: used where no test shows it to harm.

    For what tests in time can hardly judge, such as a season, which comes once a year: the
    tests before it hold none like it.

    Examples
    --------
    >>> days = ["2024-01-01", "2024-04-01", "2024-07-01"]
    >>> calm = by_cutoff("calendar", "total", days, [0.1, 0.2, 0.3], [0.2, 0.2, 0.1], 90)
    >>> unless_worse(calm).reason
    'prior'
    >>> harmful = by_cutoff("calendar", "total", days, [0.1, 0.2, 0.1], [0.3, 0.3, 0.3], 90)
    >>> unless_worse(harmful).used
    False
    """
    harms = step.gain is not None and step.needed is not None and step.gain < -step.needed
    return step if step.used or harms else replace(step, used=True, reason=PRIOR)


def _judged(
    name: str,
    loss: str,
    without: float,
    with_step: float,
    gain: float,
    error: float,
    unit: str,
    tests: float,
) -> Step:
    needed = error * float(student_t.ppf(1 - CHANCE, tests - 1))
    # differences of rounding are no gain
    least = 1e-9 * max(abs(without), abs(with_step))
    used = gain > max(needed, least)
    reason = HELPED if used else WITHIN_NOISE if gain > least else NO_HELP
    return Step(name, used, reason, loss, without, with_step, gain, needed, unit, tests)
