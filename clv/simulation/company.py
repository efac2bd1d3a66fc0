"""The synthetic company: all its tables, and everything that its systems could not see."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from clv.notes import silent
from clv.simulation.frames import (
    agents_frame,
    customers_frame,
    identifiers,
    interactions_frame,
    orders_frame,
)
from clv.simulation.surveys import surveys_frame
from clv.simulation.truths.latent import latent_agents, latent_contacts, latent_customers
from clv.simulation.truths.statement import Truth, state_truth
from clv.simulation.words.transcripts import messages_frame
from clv.simulation.workforce import agent_days_frame, assignments_frame, rollouts_frame
from clv.simulation.world import World, build_world, stream
from clv.storage import whole, write_text

if TYPE_CHECKING:
    import datetime as dt

    from clv.notes import OnProgress
    from clv.simulation.options import SimulationOptions


@dataclass(frozen=True)
class Company:
    """A simulated company.

    Attributes
    ----------
    world : World
        What happened, as arrays; ``latent`` shows the hidden part as frames.
    tables : dict of str to DataFrame
        The contract's tables, with the contract's columns only.
    warm_turns : DataFrame
        interaction_id and position of the agent turns that met an occasion (hidden).
    """

    world: World
    tables: dict[str, pd.DataFrame]
    warm_turns: pd.DataFrame

    @property
    def options(self) -> SimulationOptions:
        """What was asked for."""
        return self.world.options

    def frames(self) -> dict[str, pd.DataFrame]:
        """Return the contract's tables by name."""
        return dict(self.tables)

    @property
    def latent(self) -> dict[str, pd.DataFrame]:
        """The hidden part as frames: ``contacts``, ``customers``, ``agents``, ``warm_turns``."""
        return {
            "contacts": latent_contacts(self.world),
            "customers": latent_customers(self.world),
            "agents": latent_agents(self.world),
            "warm_turns": self.warm_turns,
        }

    def truth(self, as_of: dt.date | None = None, horizon_days: int | None = None) -> Truth:
        """Return what is true as of a day (by default the options') over a horizon.

        Parameters
        ----------
        as_of : datetime.date, optional
            The last day known; by default the options'.
        horizon_days : int, optional
            Days after it; by default the options'.
        """
        return state_truth(self.world, as_of, horizon_days)

    def write(self, directory: str | FilePath) -> None:
        """Write one Parquet file per table, and truth.json; the same options, the same bytes."""
        directory = FilePath(directory)
        for name, frame in self.tables.items():
            write_parquet(frame, directory / f"{name}.parquet")
        text = json.dumps(self.truth().as_dict(), indent=1)
        write_text(directory / "truth.json", text + "\n")


def write_parquet(frame: pd.DataFrame, path: FilePath) -> None:
    """Write a frame without index, compressed, and without anything that names the writer."""
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    with whole(path) as file:
        pq.write_table(table, file, compression="zstd", row_group_size=250_000)


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
    records = world.records
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
    if options.rollouts:
        teams = tables["agents"]["team"].to_numpy(dtype=object)
        tables["rollouts"] = rollouts_frame(options, calendar, staff, teams)
    on_progress("simulate", 2, 3)
    warm_turns = pd.DataFrame({"interaction_id": [], "position": []})
    if options.transcripts:
        spoken = messages_frame(
            world, tables["customers"], ids["interaction"], stream(seed, "transcripts")
        )
        tables["messages"] = spoken.drop(columns="warm")
        warm_turns = spoken.loc[spoken["warm"], ["interaction_id", "position"]]
    on_progress("simulate", 3, 3)
    return Company(world, tables, warm_turns)
