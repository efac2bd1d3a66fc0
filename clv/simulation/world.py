"""Everything that happens in the synthetic company, as arrays, seen and unseen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.simulation.calendar import Calendar
from clv.simulation.contacts import causes
from clv.simulation.people import people
from clv.simulation.purchases import follow, purchases
from clv.simulation.records import record
from clv.simulation.service import Desk, run_desk
from clv.simulation.staff import hire
from clv.simulation.workforce import experiment_arms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clv.simulation.options import SimulationOptions
    from clv.simulation.people import People
    from clv.simulation.purchases import Course, Orders, Path
    from clv.simulation.records import Records
    from clv.simulation.service import Service
    from clv.simulation.staff import Staff

# every random part draws from a stream of its own, so that a change to one moves no other
_STREAMS = (
    "people", "staff", "arms", "causes", "service", "purchases", "records", "names",
    "surveys", "days", "assignments", "transcripts", "truth", "repeats",
    "rollouts",
)  # fmt: skip


def stream(seed: int, part: str) -> np.random.Generator:
    """Return the random stream of a part of the company."""
    return np.random.default_rng([seed, _STREAMS.index(part)])


@dataclass(frozen=True)
class World:
    """Everything that happened, seen and unseen, as arrays.

    Attributes
    ----------
    options : SimulationOptions
        What was asked for.
    calendar : Calendar
        The time line.
    crowd : People
        Customers and prospects.
    staff : Staff
        Agents.
    arms : ndarray of shape (n,)
        The experiment's arms: −1 not in it, 0 control, 1 coached.
    desk : Desk
        Serves contacts; used again for the truth.
    served : Service
        Contacts that happened, by customer and time.
    usual : tuple of float
        The usual raw steps of first contacts and repeats.
    course : Course
        S of every customer as it would go if nobody ever left.
    path : Path
        S of every customer while they are there.
    orders : Orders
        Orders and refunds.
    records : Records
        Contacts as recorded, by time.
    """

    options: SimulationOptions
    calendar: Calendar
    crowd: People
    staff: Staff
    arms: NDArray[np.int64]
    desk: Desk
    served: Service
    usual: tuple[float, float]
    course: Course
    path: Path
    orders: Orders
    records: Records


def build_world(options: SimulationOptions) -> World:
    """Let the company live: customers, contacts, service, leaving, purchases."""
    calendar = Calendar.of(options)
    crowd = people(options, calendar, stream(options.seed, "people"))
    seed = options.seed
    staff = hire(options, calendar, stream(seed, "staff"), stream(seed, "rollouts"))
    arms = experiment_arms(options, crowd, stream(options.seed, "arms"))
    desk = Desk(options, calendar, crowd, staff, arms == 1)
    first = causes(options, calendar, crowd, stream(options.seed, "causes"))
    served, usual = run_desk(desk, first, stream(options.seed, "service"))
    served = served.take(np.lexsort((served.started_s, served.causes.person)))
    course, path, happened = follow(options.effects, calendar, crowd, served)
    served = served.take(happened)
    orders = purchases(options, calendar, crowd, path, served, stream(options.seed, "purchases"))
    records = record(served, calendar, stream(options.seed, "records"))
    return World(
        options, calendar, crowd, staff, arms, desk, served, usual, course, path, orders, records
    )
