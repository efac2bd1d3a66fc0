"""The synthetic company: all its tables, and everything that its systems could not see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from clv.notes import silent
from clv.simulation.calendar import Calendar
from clv.simulation.contacts import causes
from clv.simulation.frames import (
    agents_frame,
    customers_frame,
    identifiers,
    interactions_frame,
    orders_frame,
)
from clv.simulation.people import people
from clv.simulation.purchases import follow, purchases
from clv.simulation.records import record
from clv.simulation.service import Desk, Service, run_desk
from clv.simulation.staff import hire
from clv.simulation.surveys import surveys_frame
from clv.simulation.workforce import agent_days_frame, assignments_frame, experiment_arms

if TYPE_CHECKING:
    from pathlib import Path as FilePath

    from numpy.typing import NDArray

    from clv.notes import OnProgress
    from clv.simulation.options import SimulationOptions
    from clv.simulation.people import People
    from clv.simulation.purchases import Orders, Path
    from clv.simulation.records import Records
    from clv.simulation.staff import Staff

# every random part draws from a stream of its own, so that a change to one moves no other
_STREAMS = (
    "people", "staff", "arms", "causes", "service", "purchases", "records", "names",
    "surveys", "days", "assignments", "transcripts", "truth",
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
    path : Path
        S of every customer.
    orders : Orders
        Orders and refunds.
    """

    options: SimulationOptions
    calendar: Calendar
    crowd: People
    staff: Staff
    arms: NDArray[np.int64]
    desk: Desk
    served: Service
    usual: tuple[float, float]
    path: Path
    orders: Orders


def build_world(options: SimulationOptions) -> World:
    """Let the company live: customers, contacts, service, leaving, purchases."""
    calendar = Calendar.of(options)
    crowd = people(options, calendar, stream(options.seed, "people"))
    staff = hire(options, calendar, stream(options.seed, "staff"))
    arms = experiment_arms(options, crowd, stream(options.seed, "arms"))
    desk = Desk(options, calendar, crowd, staff, arms == 1)
    first = causes(options, calendar, crowd, stream(options.seed, "causes"))
    served, usual = run_desk(desk, first, stream(options.seed, "service"))
    served = served.take(np.lexsort((served.started_s, served.causes.person)))
    path, happened = follow(options.effects, calendar, crowd, served)
    served = served.take(happened)
    orders = purchases(options, calendar, crowd, path, served, stream(options.seed, "purchases"))
    return World(options, calendar, crowd, staff, arms, desk, served, usual, path, orders)


@dataclass(frozen=True)
class Company:
    """A simulated company.

    Attributes
    ----------
    world : World
        What happened, as arrays; ``latent`` shows the hidden part as frames.
    records : Records
        Contacts as recorded, by time.
    tables : dict of str to DataFrame
        The contract's tables, with the contract's columns only.
    """

    world: World
    records: Records
    tables: dict[str, pd.DataFrame]

    @property
    def options(self) -> SimulationOptions:
        """What was asked for."""
        return self.world.options

    def frames(self) -> dict[str, pd.DataFrame]:
        """Return the contract's tables by name."""
        return dict(self.tables)

    def write(self, directory: FilePath) -> None:
        """Write one Parquet file per table; the same bytes for the same options."""
        directory.mkdir(parents=True, exist_ok=True)
        for name, frame in self.tables.items():
            write_parquet(frame, directory / f"{name}.parquet")


def write_parquet(frame: pd.DataFrame, path: FilePath) -> None:
    """Write a frame without index, compressed, and without anything that names the writer."""
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(table, path, compression="zstd", row_group_size=250_000)


def simulate(options: SimulationOptions, on_progress: OnProgress = silent) -> Company:
    """Simulate a company.

    Parameters
    ----------
    options : SimulationOptions
        What it looks like; the same options give the same company.
    on_progress : OnProgress
        Told about the steps.

    Examples
    --------
    >>> from clv.simulation import SimulationOptions
    >>> company = simulate(SimulationOptions(customers=50, agents=8, transcripts=False))
    >>> sorted(company.frames())
    ['agent_days', 'agents', 'assignments', 'customers', 'interactions', 'orders', 'surveys']
    """
    on_progress("simulate", 0, 3)
    world = build_world(options)
    on_progress("simulate", 1, 3)
    seed, calendar, crowd, staff = options.seed, world.calendar, world.crowd, world.staff
    records = record(world.served, calendar, stream(seed, "records"))
    ids = {
        "customer": identifiers("c", crowd.count, 6),
        "agent": identifiers("a", options.agents, 4),
        "interaction": identifiers("i", records.contact.size, 8),
    }
    tables = {
        "orders": orders_frame(options, world.orders, ids["customer"]),
        "customers": customers_frame(calendar, crowd, ids["customer"], stream(seed, "names")),
        "interactions": interactions_frame(crowd, records, ids),
        "surveys": surveys_frame(
            calendar, crowd, world.served, records, world.path, ids, stream(seed, "surveys")
        ),
        "agents": agents_frame(calendar, staff, ids["agent"]),
        "agent_days": agent_days_frame(
            calendar, staff, records, ids["agent"], stream(seed, "days")
        ),
        "assignments": assignments_frame(
            options, calendar, crowd, world.arms, ids["customer"], stream(seed, "assignments")
        ),
    }
    on_progress("simulate", 3, 3)
    return Company(world, records, tables)
