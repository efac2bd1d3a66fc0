"""Service contacts, each with what happened after it, as arrays.

Everything that estimates works on these arrays; nothing here knows tables or engines.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from clv.errors import UsageError
from clv.windows import YEAR_DAYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.int64]


CLIP_SHARES = (0.005, 0.995)
"""Handle times outside these quantiles are set to them before logarithms are taken."""


@dataclass(frozen=True)
class Behaviour:
    """One service behaviour, and the change of it that is asked about.

    Attributes
    ----------
    name : str
        A column of the contact table, and the name in every output.
    change : float
        How much more of it, on every contact that had an occasion for it.
    unit : str
        Of the behaviour, and so of the change.
    transform : {"linear", "log"}
        How it may act on value: linearly, or as log and squared log of its ratio to the
        median. Durations need the latter: entered linearly, handle time came out 74 % wrong.
    by_agent : bool
        Whether the agent who answers moves it, so that agents can be its instrument.
        Waits are moved by load.
    own_control : str
        The control that measures the behaviour itself, and so is left out when it is studied.

    Examples
    --------
    >>> Behaviour("empathy", 0.1, "share").terms
    ('empathy',)
    """

    name: str
    change: float
    unit: str
    transform: Literal["linear", "log"] = "linear"
    by_agent: bool = True
    own_control: str = ""

    def __post_init__(self) -> None:
        if self.change == 0:
            raise UsageError(f"behaviour {self.name}: the change is 0; expected another number.")

    @property
    def terms(self) -> tuple[str, ...]:
        """The names of the columns that stand for it in a regression."""
        if self.transform == "linear":
            return (self.name,)
        return (f"log_{self.name}", f"log2_{self.name}")

    @property
    def is_money(self) -> bool:
        """Whether it is money given, so that it costs what it is."""
        return self.unit == "currency"


EMPATHY = Behaviour("empathy", 0.1, "share of agent turns with an opportunity")
HANDLE = Behaviour("handle_seconds", 60.0, "seconds", transform="log")
FCR = Behaviour("fcr", 0.1, "share of contacts resolved at first")
WAIT = Behaviour(
    "wait_seconds", 60.0, "seconds", transform="log", by_agent=False, own_control="wait_log"
)

GOODWILL = Behaviour("goodwill", 1.0, "currency")
"""Credits, refunds and gifts given in the contact. Where they are recorded, agents move them
together with the core behaviours, so that they stand beside them."""

PREMIUM = Behaviour("premium_queue", 1.0, "share of contacts", by_agent=False)

CORE_BEHAVIOURS = (EMPATHY, HANDLE, FCR)
"""The ways in which an agent acts on value: instruments move all of them at once,
so all of them must be in the model."""

LOAD_CONTROLS = ("wait_log",)
"""Controls that the queue's load moves: they say nothing about the case, and agents who share
a busy shift share them, so a balance test must not look at them."""


@dataclass(frozen=True)
class Exposure:
    """Contacts, each with what happened after it: the unit of every estimate is a contact.

    C contacts of n customers, held by code; a code of -1 is an unknown agent.

    Attributes
    ----------
    customer, agent, pool, stratum : int64 arrays, shape (C,)
        Codes: customers 0..n-1, agents 0..J-1, agent pools, strata (pool × time block).
    at_days : float64 array, shape (C,)
        When the contact began, in days from any origin.
    controls : float64 array, shape (C, p)
        What was known before the contact; no missing values.
    control_names : tuple of str
        Names of the p columns; ``"priority=high"`` belongs to the control ``priority``.
    behaviours : mapping of str to float64 array, shape (C,)
        In their own units; NaN where there was no occasion, or the value is unknown.
    outcome : float64 array, shape (C,)
        What the customer did in the days of follow-up after the contact; NaN where unknown.
    before : float64 array or None, shape (C,)
        The same measure over as many days before the contact: the placebo outcome.
    agents : tuple of str
        The ids behind the agent codes.
    """

    customer: Codes
    agent: Codes
    pool: Codes
    stratum: Codes
    at_days: Floats
    controls: Floats
    control_names: tuple[str, ...]
    behaviours: Mapping[str, Floats]
    outcome: Floats
    before: Floats | None = None
    agents: tuple[str, ...] = field(default=())

    @property
    def contacts(self) -> int:
        """The number of contacts."""
        return len(self.customer)

    @cached_property
    def customers(self) -> int:
        """The number of customers."""
        return len(np.unique(self.customer))

    @property
    def n_agents(self) -> int:
        """The number of agents that are known."""
        return int(self.agent.max(initial=-1)) + 1

    @cached_property
    def contacts_per_customer_year(self) -> float:
        """Contacts a year of a customer who is in contact in that year.

        Years are counted back from the last contact, and only whole ones count; where there is
        none, all contacts do.
        """
        if self.contacts == 0:
            return 0.0
        back = np.floor((self.at_days.max() - self.at_days) / YEAR_DAYS).astype(np.int64)
        whole = int((self.at_days.max() - self.at_days.min() + 1.0) // YEAR_DAYS)
        inside = back < whole if whole else np.ones(self.contacts, dtype=bool)
        pairs = np.unique(back[inside] * (int(self.customer.max()) + 1) + self.customer[inside])
        return float(inside.sum()) / len(pairs)

    @property
    def customer_years(self) -> float:
        """Customers in contact, summed over years: sums over contacts are divided by it."""
        return self.contacts / max(self.contacts_per_customer_year, 1e-300)

    def treated(self, behaviour: str) -> float:
        """Return contacts with an occasion for a behaviour, per customer in contact and year."""
        column = self.behaviours.get(behaviour)
        return 0.0 if column is None else float(np.isfinite(column).sum()) / self.customer_years

    def without_control(self, name: str) -> Exposure:
        """Return the same contacts with one control left out."""
        kept = [n for n, label in enumerate(self.control_names) if label.split("=")[0] != name]
        names = tuple(self.control_names[n] for n in kept)
        return replace(self, controls=self.controls[:, kept], control_names=names)

    def of_contacts(self, rows: Codes) -> Exposure:
        """Return some contacts, with codes of their own."""
        customer = np.unique(self.customer[rows], return_inverse=True)[1]
        known = np.unique(self.agent[rows][self.agent[rows] >= 0])
        agent = np.where(self.agent[rows] < 0, -1, np.searchsorted(known, self.agent[rows]))
        return replace(
            self,
            customer=customer.astype(np.int64),
            agent=agent.astype(np.int64),
            pool=self.pool[rows],
            stratum=self.stratum[rows],
            at_days=self.at_days[rows],
            controls=self.controls[rows],
            behaviours={name: column[rows] for name, column in self.behaviours.items()},
            outcome=self.outcome[rows],
            before=None if self.before is None else self.before[rows],
            agents=tuple(self.agents[code] for code in known) if self.agents else (),
        )

    def with_outcome(self, outcome: Floats) -> Exposure:
        """Return the same contacts with another outcome, shape (C,)."""
        return replace(self, outcome=outcome)


@dataclass(frozen=True)
class Basis:
    """The treatment columns of one behaviour.

    Attributes
    ----------
    behaviour : Behaviour
        What they stand for.
    values : float64 array, shape (C, m)
        The terms per contact; 0 where the contact was not treated.
    present : bool array, shape (C,)
        Whether the contact was treated.
    gradient : float64 array, shape (m,)
        What the change adds to each term over the contacts of a customer in a year, so that
        ``gradient @ coefficients`` is the effect per customer and year.
    reference : float
        The median h0 of a logarithmic behaviour; 1 for a linear one.
    """

    behaviour: Behaviour
    values: Floats
    present: NDArray[np.bool_]
    gradient: Floats
    reference: float

    def natural(self, difference: float) -> float:
        """Turn a difference in the first term into one in the behaviour's own unit."""
        if self.behaviour.transform == "linear":
            return difference
        return float(self.reference * np.expm1(difference))


def log_terms(ratio: Floats) -> Floats:
    """Return log and squared log of a ratio, shape (..., 2).

    Examples
    --------
    >>> log_terms(np.array([1.0, np.e])).tolist()
    [[0.0, 0.0], [1.0, 1.0]]
    """
    logs = np.log(ratio)
    return np.stack([logs, logs**2], axis=-1)


def clipped(values: Floats, shares: tuple[float, float] = CLIP_SHARES) -> Floats:
    """Set what lies outside two quantiles to them, and what is not positive to the least."""
    known = values[np.isfinite(values) & (values > 0)]
    if len(known) == 0:
        return np.full_like(values, np.nan)
    low, high = np.quantile(known, shares)
    return np.clip(values, low, high)


def basis(
    exposure: Exposure, behaviour: Behaviour, shares: tuple[float, float] = CLIP_SHARES
) -> Basis:
    """Turn a behaviour's column into its treatment columns."""
    raw = exposure.behaviours[behaviour.name]
    if behaviour.transform == "linear":
        present = np.isfinite(raw)
        terms = np.where(present, raw, 0.0)[:, None]
        gradient = np.array([behaviour.change * present.sum() / exposure.customer_years])
        return Basis(behaviour, terms, present, gradient, 1.0)
    held = clipped(raw, shares)
    present = np.isfinite(held)
    reference = float(np.median(held[present])) if present.any() else 1.0
    treated = held[present]
    terms = np.zeros((len(raw), 2))
    terms[present] = log_terms(treated / reference)
    moved = np.maximum(treated + behaviour.change, 1e-9)
    added = log_terms(moved / reference) - terms[present]
    gradient = added.sum(axis=0) / exposure.customer_years
    return Basis(behaviour, terms, present, gradient, reference)
