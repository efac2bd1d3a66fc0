"""Talkdesk: the calls report of the Explore API, as its payload is since May 2026."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from clv.sources.adapters.base import Adapter, Export, Inputs, Key, TableMap
from clv.sources.exports.cells import added, count, duration, filled, given
from clv.sources.exports.versions import VERSION, by_group, lookup
from clv.sources.parsing import parse_seconds

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from clv.sources.exports.cells import Unit

UNIT: Unit = "s"
"""What a number of the report counts; tools that write a clock instead are read too."""


def _aged(calls: ir.Table) -> ir.Table:
    """Tell which of two reports saw a call later: it ends later, or more is known of it."""
    return calls.mutate(
        **{f"{VERSION}0": parse_seconds(calls.end_at), f"{VERSION}1": filled(calls)}
    )


CALLS = Export(
    "calls",
    ("call_id", "type", "start_at", "end_at", "contact_phone_number"),
    (
        "user_id",
        "handling_user_id",
        "user_email",
        "handling_user_email",
        "talk_time",
        "wait_time",
        "hold_time",
        "abandon_time",
        "ring_groups",
        "disposition_code",
        "is_transfer",
        "csat_score",
        "csat_survey_time",
        "team_name",
    ),
    array="entries",
    key=("call_id",),
    ids=("call_id", "user_id", "handling_user_id", "contact_phone_number"),
    times=("start_at", "end_at", "csat_survey_time"),
    refine=_aged,
    needed=True,
)
ANSWERED = ("inbound", "outbound")


def prepare(inputs: Inputs) -> Inputs:
    """Add what the contract counts: handle time, who answered, whether it was settled."""
    calls = inputs["calls"]
    answered = calls.type.strip().lower().isin(ANSWERED)
    none = ibis.null("string")
    talked, held, waited, gave_up = (
        duration(calls[name], UNIT)
        for name in ("talk_time", "hold_time", "wait_time", "abandon_time")
    )
    calls = calls.mutate(
        agent_id=ibis.ifelse(answered, ibis.coalesce(calls.handling_user_id, calls.user_id), none),
        # The address is of the one who answered, and of no one else.
        agent_email=ibis.ifelse(
            calls.handling_user_id.isnull() | (calls.handling_user_id == calls.user_id),
            ibis.coalesce(calls.handling_user_email, calls.user_email),
            calls.handling_user_email,
        ),
        handle_s=added(talked, held).only(answered).text,
        hold_s=held.only(answered).text,
        wait_s=waited.only(answered).or_else(gave_up.only(~answered)).text,
        settled_at=ibis.ifelse(answered, calls.end_at, none),
        begun_by=ibis.ifelse(
            calls.type.strip().lower().startswith("outbound"), "company", "customer"
        ),
        handed_on=count(calls.is_transfer).text,
        score=given(calls.csat_score),
    )
    staff = calls.filter(calls.agent_id.notnull() & calls.team_name.notnull())
    # Who changed teams keeps the latest one; of calls at one time, that of the last id.
    latest = staff.team_name.argmax(staff.start_at + " " + staff.call_id)
    teams = by_group(staff, "agent_id", team=latest)
    addressed = calls.filter(calls.agent_id.notnull() & calls.agent_email.notnull())
    # As with teams: of several addresses the latest.
    newest = addressed.agent_email.argmax(addressed.start_at + " " + addressed.call_id)
    addresses = by_group(addressed, "agent_id", email=newest)
    agents = calls.filter(calls.agent_id.notnull()).select("agent_id").distinct()
    agents = lookup(
        lookup(agents, "agent_id", teams, team="team"), "agent_id", addresses, email="email"
    )
    return {**inputs, "calls": calls, "staff": agents}


ADAPTER = Adapter(
    kind="talkdesk",
    title="Talkdesk calls report",
    documentation="https://docs.talkdesk.com/docs/calls-report",
    exports=(CALLS,),
    tables=(
        TableMap(
            "interactions",
            "calls",
            {
                "interaction_id": "call_id",
                "agent_id": "agent_id",
                "channel": '"voice"',
                "queue": "ring_groups",
                "issue_type": "disposition_code",
                "initiated_by": "begun_by",
                "started_at": "start_at",
                "ended_at": "end_at",
                "wait_seconds": "wait_s",
                "handle_seconds": "handle_s",
                "hold_seconds": "hold_s",
                "transfers": "handed_on",
                "resolved_at": "settled_at",
            },
        ),
        TableMap(
            "surveys",
            "calls",
            {
                "survey_id": 'concat("csat-", call_id)',
                "interaction_id": "call_id",
                "kind": '"csat"',
                "score": "score",
                "responded_at": "csat_survey_time",
            },
            left_out={"not_answered": "is_null(score)"},
        ),
        TableMap("agents", "staff", {"agent_id": "agent_id", "team": "team"}, customer=False),
    ),
    keys={"phone": Key("contact_phone_number", "phone")},
    staff="email",
    prepare=prepare,
    remarks=(
        "an answered call counts as resolved when it ends; a further contact within terms.fcr_days "
        "then says otherwise",
        "a call in several reports is the one that ends last, then the fullest",
        "handle time is talk and hold time; the report holds no time of wrap-up",
    ),
)
