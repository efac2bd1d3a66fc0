"""One row per contact, for effects: who answered, what was known before, what was done.

Controls are what was known when the contact began; behaviours are what happened in it. The
two are never mixed: nothing that a contact caused (satisfaction, a later contact, a later
score) is a control.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import numpy as np
import pandas as pd

from clv.engines.physical import THOUSANDTHS, in_currency, missing, significant
from clv.errors import SchemaError
from clv.schema import Kind
from clv.windows import DAY_SECONDS, EXPOSURE_DAYS

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from numpy.typing import NDArray

    from clv.contract.tables import Tables
    from clv.events.histories import Histories
    from clv.windows import Window

MIN_BLOCK_AGENTS = 2
MIN_BLOCK_CONTACTS = 20

KEYS = ("interaction_id", "customer_id", "agent_id", "team", "at_s", "pool", "stratum")
CATEGORIES = ("issue_type", "priority", "channel")
NUMBERS = (
    "wait_log",
    "sequence",
    "days_since_contact",
    "orders_before",
    "spend_before",
    "spend_year_before",
    "days_since_order",
    "opening_sentiment",
)
"""Controls: columns of the contact table that were known when the contact began."""

MONEY = ("spend_before", "spend_year_before")
"""Those of them that are in currency."""


def build_contact_table(
    histories: Histories,
    window: Window,
    *,
    exposure_days: int = EXPOSURE_DAYS,
) -> pd.DataFrame:
    """Return agents' contacts of the exposure, with controls and behaviours.

    Parameters
    ----------
    histories : Histories
        A company's, with ``<marker>_hits`` and ``<marker>_occasions`` per contact where markers
        were counted.
    window : Window
        The exposure ends with its cutoff.
    exposure_days : int
        Days before the end of the cutoff that count.

    Returns
    -------
    DataFrame, sorted by ``interaction_id``
        Contacts that customers began and agents answered: ``KEYS`` (``stratum`` is a code
        of pool × time block), ``queue``, controls (``CATEGORIES``, ``NUMBERS``; unknown is
        null), and
        what the contact led to (``transfers``, ``repeated``, ``bad``: never controls),
        ``goodwill`` (given in it, null where unknown),
        ``trained`` (1 after its agent's training, 0 before, null without one), and
        the behaviours ``handle_seconds``, ``wait_seconds``, ``fcr`` (1, 0, or NaN before it
        is settled), ``empathy`` and one column per marker (share of occasions, NaN
        without one), and ``empathy_unique``, in which stock lines hardly count.

    Raises
    ------
    SchemaError
        Without a table of interactions.
    """
    if histories.contacts is None:
        raise SchemaError(
            "interactions: the table was not given, and effects are about contacts. Add a file "
            "interactions.parquet or interactions.csv, or map one under sources.interactions."
        )
    rows = contact_rows(histories, window, exposure_days)
    frame = histories.tables.engine.to_pandas(rows.order_by("interaction_id"))
    frame["stratum"] = strata(frame)
    return frame


def contact_rows(histories: Histories, window: Window, exposure_days: int) -> ir.Table:
    """Return the expression of the contact table; ``stratum`` is added later."""
    contacts = histories.contacts
    assert contacts is not None
    if histories.markers is not None:
        said = histories.markers.contacts(None)
        contacts = contacts.left_join(said, "interaction_id").drop("interaction_id_right")
    mine = ibis.window(
        group_by=contacts.customer_id, order_by=[contacts.at_s, contacts.interaction_id]
    )
    rows = contacts.mutate(since_s=contacts.at_s - contacts.at_s.lag().over(mine))
    rows = rows.filter(window.within(rows.at_s, exposure_days) & rows.by_customer & rows.attended)
    rows = _with_agents(rows, histories.tables)
    history = orders_before(rows, histories.orders)
    rows = rows.left_join(history, "interaction_id").drop("interaction_id_right")
    return rows.select(
        "interaction_id",
        "customer_id",
        agent_id=rows.agent_id,
        team=rows.team,
        at_s=rows.at_s,
        pool=rows.pool,
        queue=rows.queue.fill_null("-"),
        issue_type=rows.issue.nullif(""),
        priority=rows.priority,
        channel=rows.channel,
        wait_log=(1.0 + _seconds(rows.wait_ms)).ln(),
        sequence=rows.sequence.cast("float64"),
        days_since_contact=rows.since_s / float(DAY_SECONDS),
        orders_before=rows.orders_before.fill_null(0).cast("float64"),
        spend_before=significant(in_currency(rows.spend_before.fill_null(0))),
        spend_year_before=significant(in_currency(rows.spend_year_before.fill_null(0))),
        days_since_order=(rows.at_s - rows.last_s) / float(DAY_SECONDS),
        opening_sentiment=_column(rows, "opening_sentiment", Kind.NUMBER),
        handle_seconds=_seconds(rows.handle_ms),
        wait_seconds=_seconds(rows.wait_ms),
        fcr=window.seen(rows.settle_s).ifelse(
            rows.first_contact_resolved.cast("float64"), missing(Kind.NUMBER)
        ),
        goodwill=in_currency(rows.goodwill),
        transfers=rows.hand_offs.cast("float64"),
        repeated=rows.repeated.cast("float64"),
        bad=window.seen(rows.bad_s).cast("float64"),
        trained=trained(rows),
        **behaviour_shares(rows, histories.columns.get("behaviours", frozenset())),
    )


def _column(rows: ir.Table, name: str, kind: Kind) -> ir.Value:
    return rows[name] if name in rows.columns else missing(kind)


def _seconds(thousandths: ir.Value) -> ir.Value:
    return thousandths / float(THOUSANDTHS)


def _with_agents(rows: ir.Table, tables: Tables) -> ir.Table:
    """Add team, training and pool: queue × channel, × certification where it is known."""
    team, certification = missing(Kind.CATEGORY), missing(Kind.CATEGORY)
    since = missing(Kind.TIME)
    if "agents" in tables:
        agents = tables["agents"]
        known = agents.select(
            answered_by=agents.agent_id,
            team=_column(agents, "team", Kind.CATEGORY),
            certified=_column(agents, "certification", Kind.CATEGORY),
            training_s=_column(agents, "trained_at", Kind.TIME),
        )
        rows = rows.left_join(known, rows.agent_id == known.answered_by).drop("answered_by")
        team, certification, since = rows.team, rows.certified, rows.training_s
    parts = [rows.queue.fill_null("-"), rows.channel, certification.fill_null("-")]
    return rows.mutate(team=team, training_s=since, pool=ibis.literal(" · ").join(parts))


def trained(rows: ir.Table) -> ir.Value:
    """Say whether the contact came after its agent's training; null without one."""
    return (rows.at_s >= rows.training_s).cast("float64")


def orders_before(rows: ir.Table, orders: ir.Table) -> ir.Table:
    """Return what each contact's customer had bought when it began; money moves when it moves."""
    asked = rows.select("interaction_id", buyer=rows.customer_id, began_s=rows.at_s)
    moved = orders.select("customer_id", "own_s", "margin", "is_purchase")
    earlier = asked.inner_join(
        moved, [asked.buyer == moved.customer_id, moved.own_s < asked.began_s]
    )
    recent = earlier.own_s >= earlier.began_s - EXPOSURE_DAYS * DAY_SECONDS
    return earlier.group_by("interaction_id").aggregate(
        orders_before=earlier.is_purchase.sum(),
        spend_before=earlier.margin.sum().cast("int64"),
        spend_year_before=recent.ifelse(earlier.margin, 0).sum().cast("int64"),
        last_s=earlier.own_s.max(where=earlier.is_purchase),
    )


def behaviour_shares(rows: ir.Table, given: frozenset[str]) -> dict[str, ir.Value]:
    """Turn hits, less repetition too, and occasions into shares; null without an occasion."""
    markers = sorted(name.removesuffix("_hits") for name in given if name.endswith("_hits"))
    shares = {}
    for marker in markers:
        hits, occasions = rows[f"{marker}_hits"], rows[f"{marker}_occasions"]
        shares[marker] = hits.cast("float64") / occasions.nullif(0).cast("float64")
        credit = f"{marker}_unique_m"
        if credit in given:
            per_mille = rows[credit].cast("float64") / occasions.nullif(0).cast("float64")
            shares[f"{marker}_unique"] = per_mille / float(THOUSANDTHS)
    return shares


def strata(contacts: pd.DataFrame) -> NDArray[np.int64]:
    """Return codes of pool × time block.

    A time block is a calendar week's weekday days, evenings, nights or weekend. Blocks that
    hold fewer than 2 agents or 20 contacts are merged: over 4 weeks, 13 weeks, all weeks,
    and at last over all hours of the pool.
    """
    pool = pd.factorize(contacts["pool"], sort=True)[0].astype(np.int64)
    agent = pd.factorize(contacts["agent_id"], sort=True)[0].astype(np.int64)
    at_s = contacts["at_s"].to_numpy(np.int64)
    day = at_s // DAY_SECONDS
    week = (day + 3) // 7  # 1970-01-01 was a Thursday; weeks begin on Monday
    shift = shifts(at_s)
    blocks = [np.stack([week // weeks, shift], axis=1) for weeks in (1, 4, 13, 10**6)] + [
        np.zeros((len(pool), 2), dtype=np.int64)
    ]
    found = np.full(len(pool), -1, dtype=np.int64)
    codes = 0
    for level, block in enumerate(blocks):
        rows = np.flatnonzero(found < 0)
        if not len(rows):
            break
        keys = np.column_stack([pool[rows], block[rows]])
        code = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
        enough = _large_enough(code, agent[rows]) | (level == len(blocks) - 1)
        kept = enough[code]
        found[rows[kept]] = codes + code[kept]
        codes += int(code.max()) + 1
    return np.unique(found, return_inverse=True)[1].astype(np.int64)


def _large_enough(code: NDArray[np.int64], agent: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say which blocks hold enough contacts and agents."""
    contacts = np.bincount(code)
    known = agent >= 0
    pairs = np.unique(np.stack([code[known], agent[known]], axis=1), axis=0)
    agents = np.bincount(pairs[:, 0], minlength=len(contacts))
    return (contacts >= MIN_BLOCK_CONTACTS) & (agents >= MIN_BLOCK_AGENTS)


def shifts(at_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return 0 for a weekday's day (8–17 h UTC), 1 its evening, 2 its night, 3 the weekend.

    Examples
    --------
    >>> thursday = 9 * 3600
    >>> shifts(np.array([thursday, thursday + 9 * 3600, thursday + 2 * 86400])).tolist()
    [0, 1, 3]
    """
    weekday = (at_s // DAY_SECONDS + 3) % 7
    hour = at_s % DAY_SECONDS // 3600
    by_hour = np.select([(hour >= 8) & (hour < 17), (hour >= 17) & (hour < 23)], [0, 1], 2)
    return np.where(weekday >= 5, 3, by_hour).astype(np.int64)
