"""Help desks: what is one contact, whose it is, and who said what."""

import json

import pandas as pd
import pytest

from clv.engines.duckdb import DuckDBEngine
from clv.sources.adapters import ADAPTERS, ImportOptions, convert


@pytest.fixture(scope="module")
def engine():
    with DuckDBEngine(threads=1) as opened:
        yield opened


@pytest.fixture
def imported(engine, tmp_path):
    def imported(kind, files, **options):
        source = tmp_path / "export"
        source.mkdir()
        for name, content in files.items():
            text = content if isinstance(content, str) else "\n".join(map(json.dumps, content))
            (source / name).write_text(text, encoding="utf-8")
        made = convert(
            engine, ADAPTERS[kind], source, tmp_path / "out", options=ImportOptions(**options)
        )
        frames = {
            name: pd.read_parquet(path).astype(object).fillna("")
            for name, path in made.tables.items()
        }
        return frames, {(note.code, note.where): note.count for note in made.notes}

    return imported


def rows(frame, *columns):
    return list(frame[list(columns)].itertuples(index=False, name=None))


ADA, ZOE, MAX, GONE = 9001, 9002, 501, 777
USERS = [
    {"id": ADA, "role": "end-user", "email": "ada@example.com"},
    {"id": ZOE, "role": "end-user", "email": "zoe@example.com"},
    {"id": MAX, "role": "agent", "email": "max@shop.example"},
]


def ticket(number, comments=(), *, tags=(), **more):
    return {
        "id": number, "created_at": f"2025-03-01T0{number}:00:00Z", "status": "closed",
        "requester_id": ADA, "assignee_id": MAX, "tags": list(tags), "comments": [
            {
                "id": 10 * number + place, "author_id": author, "public": public,
                "created_at": f"2025-03-01T0{number}:{place}0:00Z", "plain_body": text,
            }
            for place, (author, text, public) in enumerate(comments)
        ],
        **({"via": {"channel": "web"}} | more),
    }  # fmt: skip


def test_a_merged_ticket_is_one_contact_with_the_words_of_both(imported):
    into = 'This request was closed and merged into request #{} "Late".'
    tickets = [
        ticket(1, [(ADA, "Where is it?", True)]),
        ticket(
            2,
            [(ADA, "Hello?", True), (MAX, into.format(1), False)],
            tags=["parcel", "closed_by_merge"],
        ),
        # Merged into one that was merged: its words end where that one's do.
        ticket(3, [(ADA, "Anybody?", True), (MAX, into.format(2), True)], tags=["closed_by_merge"]),
        ticket(
            4,
            [
                (MAX, 'Request #2 "Late" was closed and merged into this request. Hello?', True),
                (ADA, into.format(1), True),
            ],
            tags=["not_closed_by_merge"],
        ),
        # Nothing says where this one went.
        ticket(5, [(ADA, "Lost words", True)], tags=["closed_by_merge"]),
    ]
    rating = {"id": 1, "score": "good", "ticket_id": 3, "requester_id": ADA}
    frames, counts = imported(
        "zendesk",
        {
            "tickets.jsonl": tickets,
            "users.jsonl": USERS,
            "satisfaction_ratings.jsonl": [rating | {"created_at": "2025-03-02T00:00:00Z"}],
        },
    )
    assert frames["interactions"]["interaction_id"].tolist() == ["1", "4"]
    assert counts["policy", "interactions.merged"] == 3
    assert rows(frames["messages"], "interaction_id", "position", "speaker", "text") == [
        ("1", "0", "customer", "Where is it?"),
        ("1", "1", "customer", "Hello?"),
        ("1", "2", "customer", "Anybody?"),
        # Who quotes the words is no system.
        ("4", "0", "customer", into.format(1)),
    ]
    assert counts["no_contact", "messages"] == 1
    assert frames["surveys"]["interaction_id"].tolist() == ["1"]


def test_whose_ticket_it_is_and_who_spoke(imported):
    tickets = [
        # An agent wrote it down for the customer.
        ticket(1, [(MAX, "Called about the bill", True)], submitter_id=MAX),
        ticket(2, via={"channel": "voice", "source": {"rel": "outbound"}}),
        ticket(3, requester_id=MAX, submitter_id=MAX),
        # People who have been deleted: only who asked is known.
        ticket(
            4,
            [(GONE, "I asked", True), (88, "Who am I?", True), (-1, "Beep", True)],
            requester_id=GONE,
        ),
        ticket(5, [(ZOE, "In copy", True), (77, "Assigned", True)], assignee_id=77),
    ]
    files = {"tickets.jsonl": tickets, "users.jsonl": USERS}
    frames, counts = imported("zendesk", files, customer_by="id")
    assert rows(frames["interactions"], "interaction_id", "customer_id", "initiated_by") == [
        ("1", "9001", "customer"),
        ("2", "9001", "company"),
        ("4", "777", "customer"),
        ("5", "9001", "customer"),
    ]
    assert counts["policy", "interactions.asked_by_staff"] == 1
    assert rows(frames["messages"], "interaction_id", "speaker", "text") == [
        ("1", "agent", "Called about the bill"),
        ("4", "customer", "I asked"),
        ("4", "bot", "Beep"),
        ("5", "customer", "In copy"),
        ("5", "agent", "Assigned"),
    ]
    assert counts["policy", "messages.author_unknown"] == 1


def test_what_a_metric_does_not_say_is_unknown_and_what_cannot_be_read_stays(imported):
    tickets = "id,created_at,requester_id,status,channel\n" + "".join(
        f"{n},2025-03-01T09:00:00Z,9001,solved,web\n" for n in range(1, 6)
    )
    metrics = (
        "ticket_id,solved_at,assignee_stations,reopens,reply_minutes,first_resolution_minutes\n"
        '2,2025-03-02T09:00:00Z,3,0,"1,440",1440\n'
        "3,2025-03-02T09:00:00Z,few,0,n/a,soon\n"
        "4,2025-03-02T09:00:00Z,0,often,half an hour,1440\n"
    )
    comments = (
        "id,ticket_id,author_id,created_at,body,public\n"
        "1,1,9001,2025-03-01T09:00:00Z,Seen,yes\n"
        "2,1,9001,2025-03-01T09:01:00Z,Note,0\n"
        "3,1,9001,2025-03-01T09:02:00Z,Hm,sometimes\n"
    )
    users = "id,role,email\n9001,end-user,ada@example.com\n"
    frames, _ = imported(
        "zendesk",
        {"tickets.csv": tickets, "ticket_metrics.csv": metrics, "comments.csv": comments}
        | {"users.csv": users},
    )
    solved = "2025-03-02T09:00:00Z"
    assert rows(
        frames["interactions"], "interaction_id", "transfers", "first_response_seconds",
        "resolved_at", "reopened_at",
    ) == [
        ("1", "", "", "", ""),
        ("2", "2", "86400.0", solved, ""),
        ("3", "few", "", "soon", ""),
        ("4", "0", "half an hour", solved, "often"),
        ("5", "", "", "", ""),
    ]  # fmt: skip
    assert rows(frames["messages"], "speaker", "text") == [
        ("customer", "Seen"),
        ("sometimes", "Hm"),
    ]


def test_times_of_the_clock_on_the_wall_are_so_in_what_is_computed(imported):
    frames, _ = imported(
        "zendesk",
        {
            "tickets.csv": "id,created_at,requester_id,status\n1,2025-07-01 09:00,9001,solved\n",
            "users.csv": "id,role,email\n9001,end-user,ada@example.com\n",
            "ticket_metrics.csv": "ticket_id,solved_at,first_resolution_minutes\n"
            "1,2025-07-02 09:00:00,60\n",
        },
        timezone="Europe/Berlin",
    )
    assert rows(frames["interactions"], "started_at", "resolved_at", "ended_at") == [
        ("2025-07-01T07:00:00Z", "2025-07-01T08:00:00Z", "2025-07-02T07:00:00Z")
    ]


def test_salesforce_leaves_out_what_is_no_contact_and_no_word(imported):
    frames, counts = imported(
        "salesforce",
        {
            "Case.csv": "Id,CreatedDate,Origin,OwnerId,ContactId,IsDeleted,MasterRecordId\n"
            "500A,2025-05-01T09:00:00.000Z,Email,005A,003B,0,\n"
            "500B,2025-05-01T09:00:00.000Z,Email,005A,003A,true,\n"
            "500C,2025-05-01T09:00:00.000Z,Email,005A,003A,false,500A\n"
            "500D,2025-05-01T09:00:00.000Z,Email,005A,003A,perhaps,\n",
            "Contact.csv": "Id,Email,IsDeleted,MasterRecordId\n"
            "003A,ada@example.com,false,\n"
            "003B,old@example.com,true,003A\n",
            "EmailMessage.csv": "Id,ParentId,MessageDate,Incoming,TextBody,Status,IsDeleted\n"
            "02sA,500A,2025-05-01T09:00:00.000Z,1,Hello,1,0\n"
            "02sB,500A,2025-05-01T10:00:00.000Z,0,Not sent,5,0\n"
            "02sC,500A,2025-05-01T11:00:00.000Z,0,Deleted,3,1\n"
            "02sD,500A,2025-05-01T12:00:00.000Z,in,Odd,3,0\n"
            "02sE,500B,2025-05-01T09:00:00.000Z,1,Of a deleted case,1,0\n",
        },
        customer_by="contact",
    )
    # The contact that was merged away is the one that was kept.
    assert rows(frames["interactions"], "interaction_id", "customer_id", "channel") == [
        ("500A", "003A", "email"),
        ("500D", "003A", "perhaps"),
    ]
    assert frames["customers"]["customer_id"].tolist() == ["003A"]
    assert rows(frames["messages"], "speaker", "text") == [("customer", "Hello"), ("in", "Odd")]
    left = {where: n for (code, where), n in counts.items() if code in ("policy", "no_contact")}
    assert left == {
        "interactions.deleted": 1, "interactions.merged": 1, "customers.deleted": 1,
        "messages.deleted": 1, "messages.draft": 1, "messages": 1,
    }  # fmt: skip


def test_groups_by_name_words_without_entities_and_who_asks_by_telephone(imported):
    tickets = [
        ticket(1, [(ADA, "Smith &amp; Sons&nbsp;say &quot;hi&quot; &amp;lt;", True)], group_id=7),
        ticket(2, [(ZOE, "Hello", True)], requester_id=ZOE, group_id=8),
    ]
    people = [USERS[0], {"id": ZOE, "role": "end-user", "phone": "+49 30 1234567"}]
    people.append(USERS[2] | {"default_group_id": 7})
    groups = [{"id": 7, "name": "Billing"}]
    frames, _ = imported(
        "zendesk", {"tickets.jsonl": tickets, "users.jsonl": people, "groups.jsonl": groups}
    )
    assert frames["messages"]["text"].tolist()[0] == 'Smith & Sons say "hi" &lt;'
    assert frames["interactions"]["queue"].tolist() == ["Billing", "8"]
    assert frames["agents"]["team"].tolist() == ["Billing"]
    assert frames["interactions"]["customer_id"].tolist()[1] == f"zendesk-{ZOE}"


def test_orders_that_tried_the_shop_are_no_sales(imported):
    header = (
        "Id,Name,Email,Financial Status,Currency,Taxes,Total,Created at,Payment Method,Tags,"
        "Refunded Amount\n"
    )
    line = "{0},#{0},ada@example.com,paid,EUR,0,50,2025-02-01 10:00:00 +0000,{1},{2},{3}\n"
    rows_of = [
        line.format(1, "Visa", '"latest, vip"', 0),
        line.format(2, "Bogus Gateway", "", 50),
        line.format(3, "Visa", '"vip, Test order"', 0),
        line.format(4, "", "", 0),
    ]
    frames, counts = imported("shopify", {"orders.csv": header + "".join(rows_of)})
    assert frames["orders"]["order_id"].tolist() == ["#1", "#4"]
    assert counts["policy", "orders.test"] == 3  # with the refund of one
