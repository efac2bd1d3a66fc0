"""Genesys Cloud: the CSV export of the Interactions view, and reports of its shape.

Durations are milliseconds or ``hh:mm:ss``, times those of the export's own time zone.
"""

from __future__ import annotations

import ibis

from clv.data.adapters.base import (
    Adapter,
    Export,
    Inputs,
    Key,
    TableMap,
    duration_seconds,
    pseudonym,
)
from clv.data.parsing import parse_number, parse_seconds

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
    needed=True,
)
DURATIONS = ("Duration", "Total Talk", "Total Hold", "Total ACW", "Total Handle", "Total Queue")
CHANNELS = {
    **dict.fromkeys(("voice", "callback", "call"), "voice"),
    **dict.fromkeys(("chat", "webchat", "message", "webmessaging"), "chat"),
    **dict.fromkeys(("sms", "whatsapp"), "sms"),
    **dict.fromkeys(("facebook", "twitter", "instagram", "social"), "social"),
}


def prepare(inputs: Inputs) -> Inputs:
    """Add what the contract counts; agents are named by a pseudonym of their name."""
    rows = inputs["interactions"]
    lasted, talked, held, wrapped, handled, queued = (
        duration_seconds(rows[name]) for name in DURATIONS
    )
    sums = sum(parse_number(part).fill_null(0.0) for part in (talked, held, wrapped))
    answered = rows.Users.strip().length() > 0
    end = (parse_seconds(rows.Date) + parse_number(lasted).cast("int64")).as_timestamp("s")
    ended_at = end.strftime("%Y-%m-%dT%H:%M:%S")
    none = ibis.null("string")
    last_user = rows.Users.re_extract(r"([^;|]+)\s*$", 1).strip()
    outbound = rows.Direction.lower().startswith("outbound")
    return {
        "rows": rows.mutate(
            customer=ibis.coalesce(ibis.ifelse(outbound, rows.DNIS, rows.ANI), rows.Remote),
            agent_id=ibis.ifelse(answered, pseudonym(last_user), none),
            ended_at=ended_at,
            settled_at=ibis.ifelse(answered, ended_at, none),
            handle_s=ibis.ifelse(answered, ibis.coalesce(handled, sums.cast("string")), none),
            hold_s=ibis.ifelse(answered, held, none),
            wrap_s=ibis.ifelse(answered, wrapped, none),
            wait_s=queued,
            begun_by=ibis.ifelse(outbound, "company", "customer"),
            handed_on=ibis.coalesce(
                parse_number(rows.Transferred).cast("int64").cast("string"),
                ibis.ifelse(rows.Transferred.lower().isin(("yes", "true")), "1", "0"),
            ),
        )
    }


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
            words={"channel": CHANNELS},
            left_out={"internal": 'is_in(lower(Direction), "internal")'},
        ),
    ),
    keys={"phone": Key("customer", "phone"), "address": Key("customer", "email")},
    prepare=prepare,
    remarks=(
        "an answered contact counts as resolved when it ends; a further one within terms.fcr_days "
        "then says otherwise",
        "where several users answered, the contact is the last one's",
        "times are of the export's time zone: name it with --timezone",
    ),
)
