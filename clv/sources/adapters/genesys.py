"""Genesys Cloud: the CSV export of the Interactions view, and reports of its shape.

Durations are milliseconds or a clock, times those of the export's own time zone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from clv.sources.adapters.base import Adapter, Export, Inputs, Key, TableMap, pseudonym
from clv.sources.exports.cells import Cell, added, computed, count, duration, filled
from clv.sources.exports.times import UTC_FORMAT
from clv.sources.exports.versions import VERSION
from clv.sources.parsing import parse_seconds

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from clv.sources.exports.cells import Unit

UNIT: Unit = "ms"
"""What a number of the export counts; its other form is a clock."""


def _aged(rows: ir.Table) -> ir.Table:
    """Tell which of two exports saw a conversation later: it had lasted longer, or says more."""
    lasted = duration(rows.Duration, UNIT).value
    ended = parse_seconds(rows.Date) + lasted.fill_null(0.0)
    return rows.mutate(**{f"{VERSION}0": ended, f"{VERSION}1": filled(rows)})


INTERACTIONS = Export(
    "interactions",
    ("Conversation ID", "Media Type", "Date", "Duration", "Direction"),
    (
        "Users",
        "Remote",
        "ANI",
        "DNIS",
        "Queue",
        "Wrap-up",
        "Total Talk",
        "Total Hold",
        "Total ACW",
        "Total Handle",
        "Total Queue",
        "Transferred",
    ),
    key=("Conversation ID",),
    ids=("Conversation ID", "Remote", "ANI", "DNIS"),
    times=("Date",),
    refine=_aged,
    needed=True,
)
DURATIONS = ("Duration", "Total Talk", "Total Hold", "Total ACW", "Total Handle", "Total Queue")
CHANNEL_WORDS = {
    **dict.fromkeys(("voice", "callback", "call"), "voice"),
    **dict.fromkeys(("chat", "webchat", "message", "webmessaging"), "chat"),
    **dict.fromkeys(("sms", "whatsapp"), "sms"),
    **dict.fromkeys(("facebook", "twitter", "instagram", "social"), "social"),
}


def prepare(inputs: Inputs) -> Inputs:
    """Add what the contract counts; agents are named by a pseudonym of their name."""
    rows = inputs["interactions"]
    lasted, talked, held, wrapped, handled, queued = (
        duration(rows[name], UNIT) for name in DURATIONS
    )
    answered = (rows.Users.strip().length() > 0).fill_null(ibis.literal(value=False))
    ended = _ended(rows, lasted)
    last_user = rows.Users.re_extract(r"([^;|]+)\s*$", 1).strip()
    outbound = rows.Direction.lower().startswith("outbound")
    return {
        "rows": rows.mutate(
            customer=ibis.coalesce(ibis.ifelse(outbound, rows.DNIS, rows.ANI), rows.Remote),
            agent_id=ibis.ifelse(answered, pseudonym(last_user), ibis.null("string")),
            ended_at=ended.text,
            settled_at=ended.only(answered).text,
            # Handle time is that of the export, or the sum of all its parts: not of some.
            handle_s=handled.or_else(added(talked, held, wrapped)).only(answered).text,
            hold_s=held.only(answered).text,
            wrap_s=wrapped.only(answered).text,
            wait_s=queued.text,
            begun_by=ibis.ifelse(outbound, "company", "customer"),
            handed_on=count(rows.Transferred).text,
        )
    }


def _ended(rows: ir.Table, lasted: Cell) -> Cell:
    """Return when contacts ended, in UTC and cut to seconds as every time is."""
    start = parse_seconds(rows.Date)

    def end(seconds: ir.Value) -> ir.Value:
        return (start + seconds.floor().cast("int64")).as_timestamp("s").strftime(UTC_FORMAT)

    return computed(end, lasted)


ADAPTER = Adapter(
    kind="genesys",
    title="Genesys Cloud interactions export",
    documentation="https://help.mypurecloud.com/articles/export-view-data/",
    exports=(INTERACTIONS,),
    tables=(
        TableMap(
            "interactions",
            "rows",
            {
                "interaction_id": 'col("Conversation ID")',
                "agent_id": "agent_id",
                "channel": 'col("Media Type")',
                "queue": "Queue",
                "issue_type": 'col("Wrap-up")',
                "initiated_by": "begun_by",
                "started_at": "Date",
                "ended_at": "ended_at",
                "wait_seconds": "wait_s",
                "handle_seconds": "handle_s",
                "hold_seconds": "hold_s",
                "wrap_seconds": "wrap_s",
                "transfers": "handed_on",
                "resolved_at": "settled_at",
            },
            words={"channel": CHANNEL_WORDS},
            left_out={"internal": 'is_in(lower(Direction), "internal")'},
        ),
    ),
    keys={"phone": Key("customer", "phone"), "address": Key("customer", "email")},
    prepare=prepare,
    remarks=(
        "an answered contact counts as resolved when it ends; a further one within terms.fcr_days "
        "then says otherwise",
        "without the column Total Handle, or Total Talk, Total Hold and Total ACW together, handle "
        "times stay unknown",
        "a conversation in several exports is the one that lasted longest, then the fullest",
        "where several users answered, the contact is the last one's",
        "times are of the export's time zone: name it with --timezone",
    ),
)
