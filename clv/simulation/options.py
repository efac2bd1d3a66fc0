"""What a synthetic company looks like, and which effects are planted in it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from clv.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T")

Routing = Literal["random", "skill"]


@dataclass(frozen=True)
class Effects:
    """What one contact does to the logarithm of a customer's later value.

    Every contact adds to a running sum S, measured against the usual contact of its kind;
    from then on the customer buys exp(``rate_share`` · S) times as often, spends
    exp((1 − ``rate_share``) · S) times as much an order, and leaves at exp(−``survival`` · S)
    times the rate. ``x`` is log(handle_seconds / 360). What a contact added stays for good, or
    fades by half every ``half_life_days``.

    Attributes
    ----------
    empathy : float
        For the share of occasions that were met, per unit (0 to 1); nothing without occasion.
    fcr : float
        For a contact that was resolved at first.
    handle_log, handle_log2 : float
        For x and x²: the direct effect of handle time, first contact resolution held fixed.
    fcr_log, fcr_log2 : float
        How the log-odds of resolution move with x and x².
    wait_log : float
        For log(1 + wait in minutes), against the channel's mean.
    severity : float
        For one standard deviation of the problem's hidden severity, once per problem.
    temperament : float
        For one standard deviation of the customer's hidden fussiness, on all of their value
        (not per contact).
    rate_share, survival : float
        See above.
    half_life_days : float, optional
        Days after which half of what a contact added is left; without it all of it stays.
    need : float, optional
        The most that customers buy, as a multiple of what they buy at S = 0: the S that moves
        their buying stops at log(``need``). Without it their buying has no ceiling.

    Examples
    --------
    >>> Effects.none().empathy
    0.0
    >>> round(Effects().with_optimum(1.4).handle_log, 3)
    0.098
    """

    empathy: float = 0.30
    fcr: float = 0.17
    handle_log: float = 0.02
    handle_log2: float = -0.146
    fcr_log: float = 0.55
    fcr_log2: float = -0.35
    wait_log: float = -0.02
    severity: float = -0.2
    temperament: float = -0.45
    rate_share: float = 0.7
    survival: float = 0.4
    half_life_days: float | None = None
    need: float | None = None

    def __post_init__(self) -> None:
        if self.half_life_days is not None and not self.half_life_days > 0:
            raise UsageError(
                f"half_life_days is {self.half_life_days}; expected more than 0, or nothing at "
                "all for effects that stay."
            )
        if self.need is not None and not self.need >= 1:
            raise UsageError(
                f"need is {self.need}; expected 1 or more (times what is bought at S = 0), or "
                "nothing at all for no ceiling."
            )

    def left_after(self, days: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the share of what a contact added that is left after ``days``.

        Examples
        --------
        >>> Effects(half_life_days=120.0).left_after(np.array([0.0, 120.0])).tolist()
        [1.0, 0.5]
        """
        if self.half_life_days is None:
            return np.ones(np.shape(days))
        return np.exp2(-days / self.half_life_days)

    def mean_left(
        self, begin: NDArray[np.float64], end: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the mean of ``left_after`` from ``begin`` to ``end`` days after the contact.

        Parameters
        ----------
        begin, end : arrays of float
            Days after the contact.

        Examples
        --------
        >>> Effects().mean_left(np.array([0.0]), np.array([9.0])).tolist()
        [1.0]
        """
        if self.half_life_days is None:
            return np.ones(np.shape(begin))
        rate = math.log(2.0) / self.half_life_days
        width = np.maximum(end - begin, 1e-9)
        return self.left_after(begin) * -np.expm1(-rate * width) / (rate * width)

    @classmethod
    def none(cls) -> Effects:
        """Plant nothing that an agent does; hidden severity and temperament still hurt."""
        return cls(empathy=0.0, fcr=0.0, handle_log=0.0, handle_log2=0.0, wait_log=0.0)

    def with_optimum(self, scale: float) -> Effects:
        """Let handle times of ``scale`` times today's be best before cost, same curvature."""
        return replace(self, handle_log=-2.0 * self.handle_log2 * math.log(scale))


def _read(kind: type[T], what: str, values: object) -> T:
    """Make options of a mapping by name; what is none of them is named."""
    if not isinstance(values, Mapping):
        raise UsageError(f"{what} is {values!r}; expected names with values.")
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            raise UsageError(
                f"{name} is none of the {what} of a simulated company; expected one of "
                f"{', '.join(known)}."
            )
    try:
        return kind(**values)
    except TypeError as error:
        raise UsageError(f"{what} of the simulated company: {error}.") from error


@dataclass(frozen=True)
class RollOut:
    """Something new that reaches teams one after the other: a training, a tool.

    Attributes
    ----------
    what : str
        Its name.
    teams : int
        How many teams it reaches; the others never get it.
    empathy_lift : float
        What it adds to the log-odds of meeting an occasion.
    handle_log : float
        What it adds to the log of handle time.
    first, last : float
        When it reaches the first and the last team, as shares of the days of data.
    cost_per_agent : float
        Currency.
    """

    what: str
    teams: int = 9
    empathy_lift: float = 0.0
    handle_log: float = 0.0
    first: float = 0.25
    last: float = 0.6
    cost_per_agent: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last <= 1:
            raise UsageError(
                f"rollouts: {self.what} goes from {self.first} to {self.last}; expected shares of "
                "the days of data, the first no later than the last."
            )


@dataclass(frozen=True)
class SimulationOptions:
    """The company to simulate; the same options give the same bytes.

    Attributes
    ----------
    customers : int
        Customers who buy at least once.
    years : int
        Calendar years of data, ending with ``end``.
    agents : int
        Human agents, spread over four queues.
    seed : int
        Of every random part; each part draws from a stream of its own.
    end : datetime.date
        The last day of the data.
    horizon_days : int
        Of the true values and effects; they are as of ``end`` − ``horizon_days``.
    transcripts : bool
        Write the words of the contacts (the table ``messages``).
    effects : Effects
        What is planted.
    routing : {"random", "skill"}
        Whether any agent on shift in the queue may answer, or severe cases go to the skilled.
    routing_strength : float
        Under ``"skill"``: share of the variance of the answering agent's skill rank that the
        problem's hidden severity explains, 0 to 1.
    contacts_per_order, contacts_per_year : float
        Problems per order, and other contacts per active year, of an average customer.
    prospects : float
        People who were in contact and never bought, as a share of ``customers``.
    warmth_sd, pace_sd, skill_sd : float
        Spread of agents: log-odds of meeting an occasion, log of handle time, log-odds of
        resolution.
    style_sd : float
        Spread of whatever else agents do that moves value and is not measured, in S per
        contact.
    canned_share : float
        Share of agents who paste stock lines.
    trained_teams : int
        Teams whose agents were trained in the exposure year, and grew warmer by
        ``training_lift`` (log-odds).
    training_lift : float
        See above.
    experiment_share : float
        Share of customers in the experiment ``empathy_coaching``, half of them in each arm,
        over the exposure year.
    experiment_lift : float
        What coached contacts add to the probability of meeting an occasion.
    experiment_lost : float
        Share of the coached customers who are missing from the assignment log: a sample
        ratio mismatch.
    rollouts : tuple of RollOut
        What reached teams at staggered dates; the table ``rollouts`` tells of it.
    german_share : float
        Share of customers who write German.
    agent_cost_per_hour : float
        Mean cost of an agent, in the currency.
    currency : str
        Of all money.

    Examples
    --------
    >>> options = SimulationOptions.default()
    >>> options.customers, str(options.as_of)
    (20000, '2024-12-31')
    """

    customers: int = 20_000
    years: int = 3
    agents: int = 150
    seed: int = 0
    end: dt.date = dt.date(2025, 12, 31)
    horizon_days: int = 365
    transcripts: bool = True
    effects: Effects = field(default_factory=Effects)
    routing: Routing = "random"
    routing_strength: float = 0.35
    contacts_per_order: float = 0.24
    contacts_per_year: float = 1.0
    prospects: float = 0.03
    warmth_sd: float = 0.9
    pace_sd: float = 0.22
    skill_sd: float = 0.55
    style_sd: float = 0.05
    canned_share: float = 0.08
    trained_teams: int = 2
    training_lift: float = 0.6
    experiment_share: float = 0.2
    experiment_lift: float = 0.1
    experiment_lost: float = 0.0
    rollouts: tuple[RollOut, ...] = ()
    german_share: float = 0.02
    agent_cost_per_hour: float = 27.0
    currency: str = "USD"

    def __post_init__(self) -> None:
        for name, least in (("customers", 1), ("years", 1), ("agents", 4), ("horizon_days", 1)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} is {getattr(self, name)}; expected {least} or more.")
        for name in (
            "routing_strength",
            "prospects",
            "canned_share",
            "experiment_share",
            "experiment_lift",
            "experiment_lost",
            "german_share",
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is {getattr(self, name)}; expected 0 to 1.")
        if self.routing not in ("random", "skill"):
            raise UsageError(f"routing is {self.routing!r}; expected 'random' or 'skill'.")
        if self.horizon_days >= self.span_days:
            raise UsageError(
                f"horizon_days is {self.horizon_days}, the data last {self.span_days} days; "
                "choose a shorter horizon or more years."
            )

    @classmethod
    def of(cls, values: Mapping[str, object]) -> SimulationOptions:
        """Read options by name, ``effects`` by the names of ``Effects``.

        Raises
        ------
        UsageError
            For a name that is no option, or a value that is out of range.

        Examples
        --------
        >>> SimulationOptions.of({"effects": {"half_life_days": 120}}).effects.half_life_days
        120
        """
        given = dict(values)
        rollouts = given.pop("rollouts", ())
        if not isinstance(rollouts, list | tuple):
            raise UsageError(f"rollouts is {rollouts!r}; expected a list of roll-outs.")
        effects = _read(Effects, "effects", given.pop("effects", {}))
        reached = tuple(_read(RollOut, "rollouts", one) for one in rollouts)
        return _read(cls, "options", {"effects": effects, "rollouts": reached} | given)

    @classmethod
    def default(cls) -> SimulationOptions:
        """Return the company of the demo: 20,000 customers, 3 years, 150 agents."""
        return cls()

    @property
    def start(self) -> dt.date:
        """The first day of the data."""
        day = self.end + dt.timedelta(days=1)
        return day.replace(year=day.year - self.years, day=min(day.day, 28))

    @property
    def span_days(self) -> int:
        """Days from the first to the last, both counted."""
        return (self.end - self.start).days + 1

    @property
    def as_of(self) -> dt.date:
        """The day as of which true values and effects are stated."""
        return self.end - dt.timedelta(days=self.horizon_days)

    @property
    def as_of_days(self) -> float:
        """The end of ``as_of``, in days since the start of the first day."""
        return float(self.span_days - self.horizon_days)
