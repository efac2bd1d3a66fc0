"""The truth as a document: what truth.json says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.errors import WindowError
from clv.simulation.frames import identifiers
from clv.simulation.truths.future import DISCOUNT_RATE_ANNUAL, future
from clv.simulation.truths.per_contact import ContactTruth, contact_truth
from clv.simulation.truths.truth import Exposure, expected_margin, expose, true_experiment
from clv.simulation.world import stream

if TYPE_CHECKING:
    import datetime as dt

    from numpy.typing import NDArray

    from clv.simulation.world import World

EFFECT_DRAWS, VALUE_DRAWS = 2, 16


@dataclass(frozen=True)
class Truth:
    """What is true of a company as of a day.

    Attributes
    ----------
    as_of : datetime.date
        The last day of the exposure.
    horizon_days : int
        Days after it.
    currency : str
        Of all money.
    seed : int
        Of the company.
    population : int
        Customers with a purchase by ``as_of`` and a contact with an agent, begun by them,
        in the 365 days up to it.
    contacts : int
        Those contacts.
    per_contact : ContactTruth
        Of the behaviours, per contact: margin in the horizon after each of all contacts
        whose follow-up lies in the data.
    experiment : dict
        What coaching did.
    customer_ids : ndarray of shape (k,)
        Customers with a purchase by ``as_of``.
    alive : ndarray of bool, shape (k,)
        Have not left by then.
    margin, margin_discounted : ndarray of shape (k,)
        Expected margin over the horizon given everything that is hidden; 0 for those who
        left. What is realised differs by chance alone: orders, leaving, amounts.
    """

    as_of: dt.date
    horizon_days: int
    currency: str
    seed: int
    population: int
    contacts: int
    per_contact: ContactTruth
    experiment: dict[str, float]
    customer_ids: NDArray[np.object_]
    alive: NDArray[np.bool_]
    margin: NDArray[np.float64]
    margin_discounted: NDArray[np.float64]

    def as_dict(self) -> dict[str, object]:
        """Return the truth as JSON-able values; customers as parallel lists."""
        return {
            "as_of": str(self.as_of),
            "horizon_days": self.horizon_days,
            "currency": self.currency,
            "seed": self.seed,
            "discount_rate_annual": DISCOUNT_RATE_ANNUAL,
            "population": self.population,
            "contacts": self.contacts,
            "per_contact": self.per_contact.as_dict(),
            "experiment": self.experiment,
            "customers": {
                "customer_id": self.customer_ids.tolist(),
                "alive": self.alive.tolist(),
                "expected_margin": np.round(self.margin, 4).tolist(),
                "expected_margin_discounted": np.round(self.margin_discounted, 4).tolist(),
            },
        }


def exposure_of(
    world: World,
    begin: float | None = None,
    horizon_days: int | None = None,
    draws: int | None = None,
) -> Exposure:
    """Return exposure and future at a day, by default the options' ``as_of``."""
    day = world.options.as_of_days if begin is None else begin
    days = horizon_days or world.options.horizon_days
    rng = stream(world.options.seed, "truth")
    return expose(world, day, future(world, day, days, draws or EFFECT_DRAWS, rng))


def state_truth(
    world: World, as_of: dt.date | None = None, horizon_days: int | None = None
) -> Truth:
    """State the truth as of a day; by default the options' day and horizon.

    Raises
    ------
    WindowError
        When the exposure or the horizon does not lie in the simulated years.
    """
    options = world.options
    day = as_of or options.as_of
    days = horizon_days or options.horizon_days
    begin = float((day - options.start).days + 1)
    if begin < 1 or begin + days > options.span_days:
        raise WindowError(
            f"as_of {day} with a horizon of {days} days lies outside the simulated years, "
            f"{options.start} to {options.end}. Choose a day and horizon inside them."
        )
    exposed = exposure_of(world, begin, days)
    values = expected_margin(
        future(world, begin, days, VALUE_DRAWS, stream(options.seed, "truth")), exposed.level
    )
    known = np.flatnonzero((world.crowd.rate > 0) & (world.crowd.joined < begin))
    return Truth(
        as_of=day,
        horizon_days=days,
        currency=options.currency,
        seed=options.seed,
        population=exposed.population.size,
        contacts=exposed.rows.size,
        per_contact=contact_truth(world, days),
        experiment=true_experiment(exposed),
        customer_ids=identifiers("c", world.crowd.count, 6)[known],
        alive=world.path.left[known] > begin,
        margin=values["margin"][known],
        margin_discounted=values["margin_discounted"][known],
    )
