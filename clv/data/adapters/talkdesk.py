"""Talkdesk: the calls report of the Explore API, as its payload is since May 2026."""

from __future__ import annotations

import ibis

from clv.data.adapters.base import Adapter, Export, Inputs, Key, TableMap
from clv.data.parsing import parse_number

CALLS = Export(
    "calls",
    ("call_id", "type", "start_at", "end_at", "contact_phone_number"),
    (
        "user_id",
        "handling_user_id",
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
    needed=True,
)
ANSWERED = ("inbound", "outbound")


def prepare(inputs: Inputs) -> Inputs:
    """Add what the contract counts: handle time, who answered, whether it was settled."""
    calls = inputs["calls"]
    answered = calls.type.lower().isin(ANSWERED)
    none = ibis.null("string")
    talked, held = parse_number(calls.talk_time), parse_number(calls.hold_time).fill_null(0.0)
    calls = calls.mutate(
        agent_id=ibis.ifelse(answered, ibis.coalesce(calls.handling_user_id, calls.user_id), none),
        handle_s=ibis.ifelse(answered, talked + held, ibis.null("float64")),
        hold_s=ibis.ifelse(answered, held, ibis.null("float64")),
        wait_s=ibis.ifelse(
            answered, parse_number(calls.wait_time), parse_number(calls.abandon_time)
        ),
        settled_at=ibis.ifelse(answered, calls.end_at, none),
        begun_by=ibis.ifelse(calls.type.lower().startswith("outbound"), "company", "customer"),
        handed_on=calls.is_transfer.lower().isin(("true", "yes", "1")).cast("int64"),
    )
    staff = calls.filter(calls.agent_id.notnull()).group_by("agent_id")
    # Who changed teams keeps the latest one.
    teams = staff.aggregate(team=calls.team_name.argmax(calls.start_at))
    return {**inputs, "calls": calls, "staff": teams}


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
                "score": "csat_score",
                "responded_at": "csat_survey_time",
            },
            left_out={"not_answered": "is_null(csat_score)"},
        ),
        TableMap("agents", "staff", {"agent_id": "agent_id", "team": "team"}, customer=False),
    ),
    keys={"phone": Key("contact_phone_number", "phone")},
    prepare=prepare,
    remarks=(
        "an answered call counts as resolved when it ends; a further contact within terms.fcr_days "
        "then says otherwise",
        "handle time is talk and hold time; the report holds no time of wrap-up",
    ),
)
