"""Zendesk Support: tickets, metric sets, comments, users and satisfaction ratings.

The JSON export (one ticket per line, with its comments and metric set inside), pages of the
API under the same names, or CSV files whose columns are named like the API's fields.
"""

from __future__ import annotations

import ibis

from clv.schema import LONGEST_S
from clv.sources.adapters.base import Adapter, Export, Inputs, Key, TableMap, after
from clv.sources.exports import cells
from clv.sources.exports.cells import unescaped
from clv.sources.exports.versions import Unique, by_group, lookup, unique

TICKETS = Export(
    "tickets",
    ("id", "created_at", "requester_id", "status"),
    (
        "assignee_id",
        "group_id",
        "organization_id",
        "priority",
        "type",
        "channel",
        "via_rel",
        "tags",
        "updated_at",
        "generated_timestamp",
    ),
    paths={"channel": "$.via.channel", "via_rel": "$.via.source.rel"},
    key=("id",),
    # Changes by the system move generated_timestamp alone.
    versions=("updated_at", "generated_timestamp"),
    ids=("id", "requester_id", "assignee_id", "group_id", "organization_id"),
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
    (
        "email",
        "external_id",
        "name",
        "phone",
        "organization_id",
        "created_at",
        "default_group_id",
        "updated_at",
    ),
    key=("id",),
    versions=("updated_at",),
    ids=("id", "default_group_id", "external_id", "phone", "organization_id"),
    times=("created_at",),
)
GROUPS = Export(
    "groups", ("id", "name"), ("updated_at",), key=("id",), versions=("updated_at",), ids=("id",)
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

CHANNEL_WORDS = {
    **dict.fromkeys(("web", "web_form", "help_center", "mobile", "mobile_sdk", "api"), "email"),
    **dict.fromkeys(("native_messaging", "messaging", "web_messaging", "web_widget"), "chat"),
    **dict.fromkeys(("phone", "voicemail", "phone_call_inbound", "phone_call_outbound"), "voice"),
    **dict.fromkeys(("twitter", "x_corp", "facebook", "instagram_dm", "any_channel"), "social"),
    **dict.fromkeys(("whatsapp", "line", "text"), "sms"),
}
OUTBOUND = ("outbound", "phone_call_outbound")
AGENTS = ("agent", "admin")

MERGED = "(^|[^a-z0-9_-])closed_by_merge($|[^a-z0-9_-])"
"""The tag of a ticket that was merged into another one, among the others."""

INTO = r"^This request was closed and merged into request #([0-9]+)"
"""What Zendesk writes into a merged ticket, unless the agent changes it."""

FROM = r"^Requests? #.* (was|were) closed and merged into this request"
"""What it writes into the other one; the merged ticket's last comment follows."""

NO = ibis.literal(value=False)

HOPS = 3
"""How many times a ticket's words follow it from merger to merger."""


def prepare(inputs: Inputs) -> Inputs:
    """Give tickets their requester and metrics, comments their speaker and position."""
    tickets, users, ratings = (
        inputs[name] for name in ("tickets", "users", "satisfaction_ratings")
    )
    tickets = tickets.mutate(merged=tickets.tags.lower().re_search(MERGED).cast("string"))
    comments = inputs["comments"]
    comments = comments.mutate(words=unescaped(ibis.coalesce(comments.plain_body, comments.body)))
    groups = unique(inputs["groups"], "id")
    tickets = _with_group(tickets, "group_id", groups)
    people = unique(users.mutate(role=users.role.lower()), "id")
    merged = _merged(tickets, comments)
    asked = _with_requester(_in_target(ratings, merged), people)
    return {
        **inputs,
        "contacts": _contacts(_with_requester(tickets, people), inputs["ticket_metrics"]),
        "turns": _turns(_in_target(comments, merged), tickets, people),
        "answers": asked.mutate(
            good=asked.score.lower().re_replace("withcomment", ""),
            answered_at=ibis.coalesce(asked.updated_at, asked.created_at),
        ),
        "staff": _with_group(users, "default_group_id", groups),
        "end_users": users.mutate(
            requester=users.id,
            account=users.organization_id,
            first_name=users.name.strip().re_extract(r"^(\S+)", 1).nullif(""),
            last_name=users.name.strip().re_extract(r"\s(\S+)$", 1).nullif(""),
        ),
    }


def _with_group(rows: ibis.Table, by: str, groups: Unique) -> ibis.Table:
    """Name a group as people do, where the export says how; else by its id."""
    rows = lookup(rows, by, groups, group_name="name")
    return rows.mutate(group=ibis.coalesce(rows.group_name.strip().nullif(""), rows[by]))


def _with_requester(rows: ibis.Table, people: Unique) -> ibis.Table:
    """Say who asked: not who wrote the ticket down, which may be an agent on the telephone."""
    columns = {
        "email": "email",
        "external_id": "external_id",
        "phone": "phone",
        "requester_role": "role",
        "of_organization": "organization_id",
    }
    rows = lookup(rows, "requester_id", people, **columns)
    own = [rows.organization_id] if "organization_id" in rows.columns else []
    return rows.mutate(
        requester=rows.requester_id, account=ibis.coalesce(*own, rows.of_organization)
    )


def _contacts(tickets: ibis.Table, metrics: ibis.Table) -> ibis.Table:
    """Say when tickets were answered, solved and reopened, and how often handed on."""
    names = [name for name in metrics.columns if name not in ("ticket_id", "updated_at")]
    rows = lookup(tickets, "id", unique(metrics, "ticket_id"), **{name: name for name in names})
    reopens, stations = cells.count(rows.reopens), cells.count(rows.assignee_stations)
    reopened = (reopens.value > 0).fill_null(NO)
    minutes = cells.number(rows.first_resolution_minutes, between=(0, LONGEST_S / 60))
    first_solved = ibis.coalesce(after(rows.created_at, minutes.value), rows.solved_at)
    none = ibis.null("string")
    answered = cells.number(rows.reply_seconds).or_else(
        cells.computed(lambda value: value * 60, cells.number(rows.reply_minutes))
    )
    handed_on = cells.computed(lambda value: ibis.ifelse(value > 0, value - 1, value), stations)
    return rows.mutate(
        first_solved_at=ibis.coalesce(
            minutes.unread,
            ibis.ifelse(rows.solved_at.notnull() | reopened, first_solved, none),
        ),
        # The export names no time of reopening: it is known by the next solution at the latest.
        reopened_at=ibis.coalesce(
            reopens.unread,
            ibis.ifelse(reopened, ibis.coalesce(rows.solved_at, rows.status_updated_at), none),
        ),
        reply_s=answered.text,
        transfers=handed_on.text,
        begun_by=ibis.ifelse(
            ibis.or_(rows.channel.isin(OUTBOUND), rows.via_rel.isin(OUTBOUND)).fill_null(NO),
            "company",
            "customer",
        ),
    )


def _merged(tickets: ibis.Table, comments: ibis.Table) -> Unique:
    """Return the tickets that were merged, each with the one that goes on in the end."""
    into = comments.words.re_extract(INTO, 1).nullif("")
    gone = tickets.filter(tickets.merged == "true")
    notices = comments.mutate(target=into).semi_join(gone, comments.ticket_id == gone.id)
    notices = notices.filter(notices.target.notnull())
    latest = notices.created_at + notices.id.lpad(20, "0")
    merged = by_group(notices, "ticket_id", target=notices.target.argmax(latest))
    rows = merged.rows
    for _ in range(HOPS - 1):
        rows = lookup(rows, "target", merged, further="target")
        rows = rows.mutate(target=ibis.coalesce(rows.further, rows.target)).drop("further")
    return unique(rows, "ticket_id")


def _in_target(rows: ibis.Table, merged: Unique) -> ibis.Table:
    """Give what was said in a merged ticket to the one it was merged into."""
    rows = lookup(rows, "ticket_id", merged, target="target")
    return rows.mutate(ticket_id=ibis.coalesce(rows.target, rows.ticket_id))


def _turns(comments: ibis.Table, tickets: ibis.Table, people: Unique) -> ibis.Table:
    """Return the public comments in order, with who spoke; null where that is not known."""
    public = cells.flag(comments.public)
    said = comments.filter(public.value.fill_null(ibis.literal(value=True)))
    said = lookup(said, "author_id", people, role="role")
    parties = {"asked_by": "requester_id", "answered_by": "assignee_id"}
    said = lookup(said, "ticket_id", unique(tickets, "id"), **parties)
    is_notice = said.words.re_search(INTO) | said.words.re_search(FROM)
    said = said.filter(~(is_notice.fill_null(NO) & (said.author_id != said.asked_by)))
    speaker = ibis.cases(
        (said.author_id == "-1", "bot"),
        (said.role.isin(AGENTS), "agent"),
        (said.role.notnull() | (said.author_id == said.asked_by), "customer"),
        (said.author_id == said.answered_by, "agent"),
        else_=ibis.null("string"),
    )
    order = [said.created_at, said.id.length(), said.id]
    return said.mutate(
        # A flag that cannot be read stands where the contract refuses it.
        speaker=ibis.coalesce(cells.flag(said.public).unread, speaker),
        position=ibis.row_number().over(group_by=said.ticket_id, order_by=order),
    )


ADAPTER = Adapter(
    kind="zendesk",
    title="Zendesk Support",
    documentation="https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/",
    exports=(TICKETS, METRICS, COMMENTS, USERS, GROUPS, RATINGS),
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
                "queue": "group",
                "issue_type": "type",
                "initiated_by": "begun_by",
                "priority": "priority",
                "started_at": "created_at",
                "ended_at": "solved_at",
                "first_response_seconds": "reply_s",
                "transfers": "transfers",
                "resolved_at": "first_solved_at",
                "reopened_at": "reopened_at",
            },
            words={"channel": CHANNEL_WORDS},
            left_out={
                "deleted": 'is_in(lower(status), "deleted")',
                "merged": 'is_in(merged, "true")',
                "asked_by_staff": 'is_in(requester_role, "agent", "admin")',
            },
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
            left_out={"author_unknown": "is_null(speaker)"},
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
            "staff",
            {"agent_id": "id", "team": "group"},
            left_out={"not_staff": 'not is_in(lower(role), "agent", "admin")'},
            customer=False,
        ),
    ),
    keys={
        "email": Key("email", "email"),
        "external_id": Key("external_id", "id", "external"),
        "id": Key("requester", "id", "zendesk"),
        "phone": Key("phone", "phone"),
        "account": Key("account", "id", many=True),
    },
    fallback=("email", "id"),
    staff="email",
    prepare=prepare,
    remarks=(
        "a rating of good is a csat of 5, bad one of 1",
        "a merged ticket is no contact; its words belong to the one it was merged into",
        "tickets hold no handle time; a time-tracking field can be mapped in the settings",
        "a reopened ticket counts as reopened from its next solution, the first time it is known",
    ),
)
