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
from clv.events.contacts import followed
from clv.events.moments import ALWAYS, NEVER
from clv.events.spans import Events, Span, sums_around
from clv.schema import Kind
from clv.windows import DAY_SECONDS, EXPOSURE_DAYS, FollowUp

if TYPE_CHECKING:
    import datetime as dt

    import ibis.expr.types as ir
    from numpy.typing import NDArray

    from clv.contract.tables import Tables
    from clv.events.histories import Histories, Part
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
    "orders_year_before",
    "orders_quarter_before",
    "spend_before",
    "spend_year_before",
    "spend_quarter_before",
    "refunds_before",
    "days_since_order",
    "opening_sentiment",
)
"""Controls: columns of the contact table that were known when the contact began."""

MONEY = ("spend_before", "spend_year_before", "spend_quarter_before", "refunds_before")
"""Those of them that are in currency."""

_EVER, _YEAR, _QUARTER = (
    Span(None if days is None else -days * DAY_SECONDS - 1, -1) for days in (None, 365, 90)
)
_BEFORE = {
    "orders_before": ("purchases", _EVER),
    "orders_year_before": ("purchases", _YEAR),
    "orders_quarter_before": ("purchases", _QUARTER),
    "spend_before": ("spend", _EVER),
    "spend_year_before": ("spend", _YEAR),
    "spend_quarter_before": ("spend", _QUARTER),
    "refunds_before": ("refunds", _EVER),
}
"""What was bought and given back before a contact: ever, in 365 and in 90 days."""


def build_contact_table(
    histories: Histories,
    horizon_days: int,
    *,
    since: dt.date | None = None,
    until: dt.date | None = None,
) -> pd.DataFrame:
    """Return agents' contacts that can be followed for a horizon, with controls and behaviours.

    Parameters
    ----------
    histories : Histories
        Of a company with contacts; with ``<marker>_hits`` and ``<marker>_occasions`` per
        contact where markers were counted.
    horizon_days : int
        Days of 86,400 seconds after a contact that have to lie in what is used.
    since, until : datetime.date, optional
        The first and the last day that are used; by default all up to the last order's day.

    Returns
    -------
    DataFrame, sorted by ``interaction_id``
        Contacts that customers began and agents answered: ``KEYS`` (``stratum`` is a code
        of pool × time block), ``queue``, controls (``CATEGORIES``, ``NUMBERS``; unknown is
        null; what lies in the contact's own second is not known before it), and
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
    follow = FollowUp(since, until or histories.tables.span()[1], horizon_days)
    engine = histories.tables.engine
    frames = [engine.to_pandas(follow_up_rows(histories, part, follow)) for part in histories.parts]
    frame = pd.concat(frames, ignore_index=True) if frames[1:] else frames[0]
    frame = frame.sort_values("interaction_id", ignore_index=True)
    frame["stratum"] = strata(frame)
    return frame


def contacts_before(
    histories: Histories, window: Window, *, exposure_days: int = EXPOSURE_DAYS
) -> pd.DataFrame:
    """Return agents' contacts of the days up to a window's cutoff; see ``build_contact_table``.

    What became known of them by the end of the window's horizon is known.
    """
    since = window.shifted(1 - exposure_days).cutoff
    return build_contact_table(
        histories, window.horizon_days, since=since, until=window.horizon_end
    )


def follow_up_rows(histories: Histories, part: Part, follow: FollowUp) -> ir.Table:
    """Return the expression of some customers' contacts; ``stratum`` is added later."""
    contacts = part.contacts
    assert contacts is not None
    mine = ibis.window(
        group_by=contacts.customer_id, order_by=[contacts.at_s, contacts.interaction_id]
    )
    rows = followed(contacts.mutate(since_s=contacts.at_s - contacts.at_s.lag().over(mine)), follow)
    if histories.markers is not None:
        heard = histories.markers.contacts(None)
        rows = rows.left_join(heard, "interaction_id").drop("interaction_id_right")
    rows = _with_agents(rows, histories.tables)
    history = sums_around(rows, _bought(part.orders), _BEFORE, {"last_s": ("purchase_s", -1)})
    rows = rows.left_join(history, "interaction_id").drop("interaction_id_right")
    over = follow.seen(rows.end_s)
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
        **{
            name: significant(in_currency(rows[name]))
            if name in MONEY
            else rows[name].cast("float64")
            for name in _BEFORE
        },
        days_since_order=(rows.at_s - rows.last_s) / float(DAY_SECONDS),
        opening_sentiment=_column(rows, "opening_sentiment", Kind.NUMBER),
        handle_seconds=_known(over, _seconds(rows.handle_ms)),
        wait_seconds=_seconds(rows.wait_ms),
        fcr=_known(follow.seen(rows.settle_s), rows.first_contact_resolved.cast("float64")),
        goodwill=in_currency(rows.goodwill),
        transfers=_known(over, rows.hand_offs.cast("float64")),
        repeated=_known(follow.seen(rows.settle_s), rows.repeated.cast("float64")),
        bad=follow.seen(rows.bad_s).cast("float64"),
        trained=trained(rows),
        **behaviour_shares(rows, histories.columns.get("behaviours", frozenset())),
    )


def _known(by_then: ir.BooleanValue, value: ir.Value) -> ir.Value:
    """Leave out what became known only after the last day that is used."""
    return by_then.ifelse(value, missing(Kind.NUMBER))


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


def _bought(orders: ir.Table) -> list[Events]:
    """Return what a customer had bought and given back, and when that was known.

    Money lies on its order's day, net of the refunds known by a contact. A purchase that was
    given back whole is none from then on, though the day it was made stays the last one.
    """
    revised = (orders.known_s != orders.own_s) | (orders.at_s != orders.own_s)
    moved = orders.select(
        "customer_id",
        at_s=orders.own_s,
        spend=revised.ifelse(0, orders.margin),
        refunds=ibis.greatest(-orders.amount, 0),
        purchases=orders.is_purchase.cast("int64"),
        purchase_s=orders.is_purchase.ifelse(orders.own_s, missing(Kind.TIME)),
    )
    refunds = orders.filter(revised).select("customer_id", "at_s", "known_s", spend="margin")
    void = orders.is_purchase & (orders.void_s > ALWAYS) & (orders.void_s < NEVER)
    returned = orders.filter(void).select(
        "customer_id", at_s="own_s", known_s="void_s", purchases=ibis.literal(-1, "int64")
    )
    return [
        Events(moved, ("spend", "refunds", "purchases", "purchase_s")),
        Events(refunds, ("spend",), revised=True),
        Events(returned, ("purchases",), revised=True),
    ]


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
