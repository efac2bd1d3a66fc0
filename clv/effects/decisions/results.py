"""A target and its curve, as results and as attribution.json."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from clv.effects.results import rounded

if TYPE_CHECKING:
    import datetime as dt

    from clv.effects.decisions.next_experiment import Experiment
    from clv.effects.decisions.steps import Grade, Step
    from clv.effects.results import Evidence

Recommendation = Literal["raise", "lower", "keep", "experiment"]


@dataclass(frozen=True)
class Point:
    """One point of a curve: net gain per customer and year.

    ``net`` is estimated, with its simultaneous band; ``expected``, ``probability`` of a gain,
    expected ``loss`` and ``worst`` case (5 %) are what is believed with the prior.
    """

    scale: float
    net: float
    low: float
    high: float
    expected: float
    probability: float
    loss: float
    worst: float

    def as_dict(self) -> dict[str, object]:
        """Return the point as JSON-able values."""
        return {
            "scale": rounded(self.scale, 6),
            "net": rounded(self.net),
            "low": rounded(self.low),
            "high": rounded(self.high),
            "expected": rounded(self.expected),
            "probability": rounded(self.probability, 4),
            "loss": rounded(self.loss),
            "worst": rounded(self.worst),
        }


@dataclass(frozen=True)
class Target:
    """Where a behaviour's target might go, and how sure that is.

    Attributes
    ----------
    behaviour : str
        Its name.
    current : float
        Its mean, or median for durations, over treated contacts.
    supported : tuple of float
        The range in which agents of one pool already are, in the behaviour's unit.
    best, best_low, best_high : float
        The supported value with the highest net gain, and its interval.
    gain_per_customer : float
        Net gain per customer and year at ``suggested`` where that is proven, else at ``best``.
    suggested : float or None
        The value whose lower bound is highest, where a move is proven.
    grade : str
        ``proven``, ``likely``, ``open`` or ``settled``; see the module.
    evidence : str
        The highest level of evidence behind it.
    recommend : str
        ``raise``, ``lower``, ``keep`` or ``experiment``.
    step : Step or None
        What to do now where a move is proven or likely: at most one step.
    experiment : Experiment or None
        What would settle an open question.
    settled_by : {"band", "cost"} or None
        Whether the band rules a material gain out, or knowing more would cost more than it
        could bring.
    measure_again_on : datetime.date or None
        When the step's own contacts have been followed up.
    curve : tuple of Point
        Net gain along the supported scales; 1 is today, for durations; for shares the
        scale is the new mean over today's.
    net_of_cost : bool
        Whether agents' time was priced.
    coefficients : tuple of float
        Per unit of each term's customer sum.
    covariance : tuple of tuple of float
        Of the coefficients.
    h0 : float
        The reference of logarithms; 1 for shares.
    contacts_per_customer : float
        Contacts with an occasion, per customer in contact and year.
    contacts_a_year : float or None
        Contacts with an occasion a year, of the whole company.
    cost_per_minute : float or None
        Of an agent.
    terms : tuple of tuple of float
        What each point of the curve adds to each term over a customer's contacts of a year:
        net gain is ``terms @ coefficients`` less cost.
    """

    behaviour: str
    current: float
    supported: tuple[float, float]
    best: float
    best_low: float
    best_high: float
    gain_per_customer: float
    suggested: float | None
    grade: Grade
    evidence: Evidence
    recommend: Recommendation
    curve: tuple[Point, ...]
    net_of_cost: bool
    coefficients: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    h0: float
    contacts_per_customer: float
    cost_per_minute: float | None
    terms: tuple[tuple[float, ...], ...] = field(default=())
    contacts_a_year: float | None = None
    step: Step | None = None
    experiment: Experiment | None = None
    measure_again_on: dt.date | None = None
    settled_by: Literal["band", "cost"] | None = None

    def as_dict(self) -> dict[str, object]:
        """Return the target as JSON-able values."""
        return {
            "behaviour": self.behaviour,
            "current": rounded(self.current),
            "supported": [rounded(value) for value in self.supported],
            "best": rounded(self.best),
            "best_low": rounded(self.best_low),
            "best_high": rounded(self.best_high),
            "gain_per_customer": rounded(self.gain_per_customer),
            "suggested": rounded(self.suggested),
            "grade": self.grade,
            "evidence": self.evidence,
            "recommend": self.recommend,
            "step": None if self.step is None else self.step.as_dict(),
            "experiment": None if self.experiment is None else self.experiment.as_dict(),
            "settled_by": self.settled_by,
            "measure_again_on": None
            if self.measure_again_on is None
            else self.measure_again_on.isoformat(),
            "curve": [point.as_dict() for point in self.curve],
            "net_of_cost": self.net_of_cost,
            "coefficients": [rounded(value) for value in self.coefficients],
            "covariance": [[rounded(value) for value in row] for row in self.covariance],
            "h0": rounded(self.h0),
            "contacts_per_customer": rounded(self.contacts_per_customer),
            "contacts_a_year": rounded(self.contacts_a_year),
            "cost_per_minute": rounded(self.cost_per_minute),
            "terms": [[rounded(value) for value in row] for row in self.terms],
        }
