"""How much of their time agents spend on contacts, and what a minute of it costs.

Descriptions, for planning: neither is a score, and a busy hour is no better than a calm one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clv.effects.results import rounded
from clv.windows import DAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from clv.contract.tables import Tables

MIN_HOURS = 8.0


def workload(tables: Tables, contacts: pd.DataFrame) -> tuple[Mapping[str, Any], ...]:
    """Return hours logged in, contacts per such hour and utilisation of each agent.

    Parameters
    ----------
    tables : Tables
        With ``agent_days``; without, nothing is returned.
    contacts : DataFrame
        The contact table; days from its first to its last contact count.

    Returns
    -------
    tuple of dict, by agent
        ``agent_id``, ``logged_in_hours``, ``contacts``, ``contacts_per_hour`` and
        ``utilisation``: handle time over time logged in, which may exceed 1 where an agent
        chats with several customers at once. Agents with less than a day are left out.
    """
    if "agent_days" not in tables or contacts.empty:
        return ()
    days = tables["agent_days"]
    first = int(contacts["at_s"].min()) // DAY_SECONDS * DAY_SECONDS
    inside = days.filter((days.date >= first) & (days.date <= int(contacts["at_s"].max())))
    summed = inside.group_by("agent_id").aggregate(logged_s=inside.logged_in_seconds.sum())
    logged = tables.engine.to_pandas(summed).set_index("agent_id")["logged_s"].astype(float)
    hours = logged.sort_index() / (DAY_SECONDS / 24)
    grouped = contacts.groupby("agent_id")["handle_seconds"].agg(["size", "sum"])
    found = grouped.reindex(hours.index).fillna(0.0)
    return tuple(
        {
            "agent_id": str(name),
            "logged_in_hours": rounded(float(hours[name])),
            "contacts": int(found.loc[name, "size"]),
            "contacts_per_hour": rounded(float(found.loc[name, "size"] / hours[name])),
            "utilisation": rounded(float(found.loc[name, "sum"] / 3600 / hours[name])),
        }
        for name in hours.index[hours >= MIN_HOURS]
    )


def cost_per_minute(tables: Tables, contacts: pd.DataFrame) -> float | None:
    """Return what an agent's minute costs: the agents' own rates by contacts, else the terms'."""
    default = tables.terms.agent_cost_per_hour
    if tables.has("agents", "cost_per_hour"):
        agents = tables["agents"]
        rates = tables.engine.to_pandas(agents.select("agent_id", "cost_per_hour"))
        hourly = contacts["agent_id"].map(rates.set_index("agent_id")["cost_per_hour"])
        if default is not None:
            hourly = hourly.fillna(default)
        if hourly.notna().any():
            return float(hourly.mean()) / 60.0
    return None if default is None else default / 60.0
