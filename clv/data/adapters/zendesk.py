"""Zendesk Support: tickets, metric sets, comments, users and satisfaction ratings.

The JSON export (one ticket per line, with its comments and metric set inside), pages of the
API under the same names, or CSV files whose columns are named like the API's fields.
"""

from __future__ import annotations

import ibis

from clv.data.adapters.base import Adapter, Export, Inputs, Key, TableMap, after
from clv.data.adapters.versions import Unique, lookup, unique
from clv.data.parsing import parse_number

TICKETS = Export(
    "tickets",
    ("id", "created_at", "requester_id", "status"),
    (
        "assignee_id",
        "group_id",
        "priority",
        "type",
        "channel",
        "updated_at",
        "generated_timestamp",
    ),
    paths={"channel": "$.via.channel"},
    key=("id",),
    # Changes by the system move generated_timestamp alone.
    versions=("updated_at", "generated_timestamp"),
    ids=("id", "requester_id", "assignee_id", "group_id"),
    times=("created_at", "updated_at"),
    needed=True,
)
METRICS = Export(
    "ticket_metrics",
    ("ticket_id", "solved_at"),
    (
        "reopens",
        "assignee_stations",
        "status_updated_at",
        "first_resolution_minutes",
        "reply_minutes",
        "reply_seconds",
        "updated_at",
    ),
    paths={
        "first_resolution_minutes": "$.first_resolution_time_in_minutes.calendar",
        "reply_minutes": "$.reply_time_in_minutes.calendar",
        "reply_seconds": "$.reply_time_in_seconds.calendar",
    },
    within=("tickets", "$.metric_set", "ticket_id"),
    key=("ticket_id",),
    versions=("updated_at",),
    ids=("ticket_id",),
    times=("solved_at", "status_updated_at"),
)
COMMENTS = Export(
    "comments",
    ("id", "ticket_id", "author_id", "created_at"),
    ("body", "plain_body", "public"),
    within=("tickets", "$.comments[*]", "ticket_id"),
    # Of two equally old texts the one with a redaction (▇) sorts last, and is kept.
    key=("id",),
    ids=("id", "ticket_id", "author_id"),
    times=("created_at",),
)
USERS = Export(
    "users",
    ("id", "role"),
    ("email", "external_id", "name", "phone", "created_at", "default_group_id", "updated_at"),
    key=("id",),
    versions=("updated_at",),
    ids=("id", "default_group_id"),
    times=("created_at",),
)
RATINGS = Export(
    "satisfaction_ratings",
    ("id", "score", "ticket_id", "requester_id", "created_at"),
    ("updated_at", "comment"),
    key=("id",),
    versions=("updated_at",),
    ids=("id", "ticket_id", "requester_id"),
    times=("created_at", "updated_at"),
)

CHANNELS = {
    **dict.fromkeys(("web", "web_form", "help_center", "mobile", "mobile_sdk", "api"), "email"),
    **dict.fromkeys(("native_messaging", "messaging", "web_messaging", "web_widget"), "chat"),
    **dict.fromkeys(("phone", "voicemail", "phone_call_inbound", "phone_call_outbound"), "voice"),
    **dict.fromkeys(("twitter", "x_corp", "facebook", "instagram_dm", "any_channel"), "social"),
    **dict.fromkeys(("whatsapp", "line", "text"), "sms"),
}
AGENTS = ("agent", "admin")


def whole_number(text: ibis.Value) -> ibis.Value:
    """Write an id that passed through a table of floats, such as 9001.0, as it was."""
    return text.re_replace("^(-?[0-9]+)[.]0+$", r"\1")


def prepare(inputs: Inputs) -> Inputs:
    """Give tickets their requester and metrics, comments their speaker and position."""
    tickets, metrics, users = (inputs[name] for name in ("tickets", "ticket_metrics", "users"))
    people = unique(users.mutate(role=users.role.lower()), "id")
    contacts = _with_requester(tickets, people)
    measured = unique(metrics, "ticket_id")
    names = [name for name in metrics.columns if name not in ("ticket_id", "updated_at")]
    contacts = lookup(contacts, "id", measured, **{name: name for name in names})
    solved = contacts.solved_at
    reopened = parse_number(contacts.reopens) > 0
    first_solved = after(contacts.created_at, contacts.first_resolution_minutes)
    first_solved = ibis.coalesce(first_solved, solved)
    contacts = contacts.mutate(
        # The export names no time of reopening: it is known by the next solution at the latest.
        first_solved_at=ibis.ifelse(solved.notnull() | reopened, first_solved, ibis.null("string")),
        reopened_at=ibis.ifelse(
            reopened, ibis.coalesce(solved, contacts.status_updated_at), ibis.null("string")
        ),
        reply_s=ibis.coalesce(
            parse_number(contacts.reply_seconds), parse_number(contacts.reply_minutes) * 60
        ),
        transfers=ibis.greatest(parse_number(contacts.assignee_stations) - 1, 0).cast("int64"),
    )
    ratings = inputs["satisfaction_ratings"]
    asked = _with_requester(ratings, people)
    return {
        **inputs,
        "contacts": contacts,
        "turns": _turns(inputs["comments"], tickets, people),
        "answers": asked.mutate(
            good=asked.score.lower().re_replace("withcomment", ""),
            answered_at=ibis.coalesce(asked.updated_at, asked.created_at),
        ),
        "end_users": users.mutate(
            requester=users.id,
            first_name=users.name.strip().re_extract(r"^(\S+)", 1).nullif(""),
            last_name=users.name.strip().re_extract(r"\s(\S+)$", 1).nullif(""),
        ),
    }


def _with_requester(rows: ibis.Table, people: Unique) -> ibis.Table:
    """Say who asked: not who wrote the ticket down, which may be an agent on the telephone."""
    rows = lookup(rows, "requester_id", people, email="email", external_id="external_id")
    return rows.mutate(requester=rows.requester_id)


def _turns(comments: ibis.Table, tickets: ibis.Table, people: Unique) -> ibis.Table:
    """Return the public comments of known tickets in order, with who spoke."""
    said = comments.filter(ibis.coalesce(comments.public.lower(), "true") != "false")
    said = said.semi_join(tickets, said.ticket_id == tickets.id)
    said = lookup(said, "author_id", people, role="role")
    order = [said.created_at, said.id.length(), said.id]
    return said.mutate(
        speaker=ibis.cases(
            (said.author_id == "-1", "bot"), (said.role.isin(AGENTS), "agent"), else_="customer"
        ),
        position=ibis.row_number().over(group_by=said.ticket_id, order_by=order),
        words=ibis.coalesce(said.plain_body, said.body),
    )


ADAPTER = Adapter(
    kind="zendesk",
    title="Zendesk Support",
    documentation="https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/",
    exports=(TICKETS, METRICS, COMMENTS, USERS, RATINGS),
    tables=(
        TableMap(
            "customers",
            "end_users",
            {
                "signed_up_at": "created_at",
                "first_name": "first_name",
                "last_name": "last_name",
                "email": "email",
                "phone": "phone",
            },
            left_out={"staff": 'is_in(lower(role), "agent", "admin")'},
        ),
        TableMap(
            "interactions",
            "contacts",
            {
                "interaction_id": "id",
                "agent_id": "assignee_id",
                "channel": "channel",
                "queue": "group_id",
                "issue_type": "type",
                "priority": "priority",
                "started_at": "created_at",
                "ended_at": "solved_at",
                "first_response_seconds": "reply_s",
                "transfers": "transfers",
                "resolved_at": "first_solved_at",
                "reopened_at": "reopened_at",
            },
            words={"channel": CHANNELS},
            left_out={"deleted": 'is_in(lower(status), "deleted")'},
        ),
        TableMap(
            "messages",
            "turns",
            {
                "interaction_id": "ticket_id",
                "position": "position",
                "speaker": "speaker",
                "sent_at": "created_at",
                "text": "words",
            },
            customer=False,
        ),
        TableMap(
            "surveys",
            "answers",
            {
                "survey_id": "id",
                "interaction_id": "ticket_id",
                "kind": '"csat"',
                "score": "good",
                "responded_at": "answered_at",
                "comment": "comment",
            },
            words={"score": {"good": "5", "bad": "1"}},
            left_out={"not_answered": 'is_in(lower(score), "offered", "unoffered")'},
        ),
        TableMap(
            "agents",
            "users",
            {"agent_id": "id", "team": "default_group_id"},
            left_out={"not_staff": 'not is_in(lower(role), "agent", "admin")'},
            customer=False,
        ),
    ),
    keys={
        "email": Key("email", "email"),
        "external_id": Key("external_id", "id"),
        "id": Key("requester", "id"),
    },
    prepare=prepare,
    id_form=whole_number,
    remarks=(
        "a rating of good is a csat of 5, bad one of 1",
        "tickets hold no handle time; a time-tracking field can be mapped in the settings",
        "a reopened ticket counts as reopened from its next solution, the first time it is known",
    ),
)
