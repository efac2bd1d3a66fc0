"""Shuffled, repeated in old and new versions, in any format: the import is the same bytes."""

import csv
import itertools
import json
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clv.engines.duckdb import DuckDBEngine
from clv.sources.adapters import ADAPTERS, convert
from tests.rounds import A_ROUND, cases, rounds

CASES = 2
FORMATS = ("json", "jsonl", "csv")
NEW, OLDER = "2025-06-01T10:00:00Z", ("2025-06-01T09:59:59Z", "2024-12-31T23:00:00Z")
TRICKY = 'Where\nis "my" parcel, please? ▇ é'


def at(day, hour=9):
    return f"2025-03-{day:02}T{hour:02}:00:00Z"


def zendesk(company):
    """Records by export; comments and metric sets name their ticket, as in tables."""
    tickets, metrics, comments = [], [], []
    first, people = 100 * company, 9001 + 10 * company
    for k in range(1, 7):
        n, whose = first + k, people + k % 3
        tickets.append({
            "id": n, "created_at": at(k), "updated_at": NEW, "requester_id": whose,
            "assignee_id": 501, "group_id": 31, "priority": "high", "type": "question",
            "channel": "web", "status": "deleted" if k == 5 else "closed",
            "tags": "closed_by_merge vip" if k == 4 else "vip",
        })  # fmt: skip
        metrics.append({
            "ticket_id": n, "updated_at": NEW, "solved_at": at(k, 12), "reopens": k % 2,
            "assignee_stations": 2, "reply_minutes": 30, "first_resolution_minutes": 60,
        })  # fmt: skip
        comments += [
            {
                "id": 10 * n + place, "ticket_id": n, "author_id": author, "public": "true",
                "created_at": at(k, 10), "plain_body": text,
            }
            for place, (author, text) in enumerate(
                [(whose, TRICKY), (501, f"Answer {n}"), (501, "Bye")]
            )
        ]  # fmt: skip
    merged = next(c for c in comments if c["id"] == 10 * (first + 4) + 1)
    merged["plain_body"] = f"This request was closed and merged into request #{first + 1}"
    users = [
        {"id": who, "role": role, "email": f"{who}@example.com", "name": "Ada Byron",
         "phone": "+493012345", "created_at": at(1), "updated_at": NEW, "default_group_id": 31}
        for who, role in (*((people + k, "end-user") for k in range(3)), (501, "agent"))
    ]  # fmt: skip
    ratings = [
        {"id": first + k, "score": "good", "ticket_id": first + k, "requester_id": people + k % 3,
         "created_at": at(9), "updated_at": NEW, "comment": TRICKY}
        for k in range(1, 4)
    ]  # fmt: skip
    return {
        "tickets": tickets, "ticket_metrics": metrics, "comments": comments, "users": users,
        "satisfaction_ratings": ratings,
    }  # fmt: skip


def salesforce(company):
    def own(prefix, n):
        return f"{prefix}5e00000Ab{10 * company + n:03}DEF"[:15]

    cases = [
        {"Id": own("500", n), "CreatedDate": at(n), "Origin": "Email", "OwnerId": own("005", 1),
         "ContactId": own("003", n % 3), "AccountId": own("001", n % 2), "Priority": "Low",
         "Type": "Question", "ClosedDate": at(n, 12), "IsDeleted": str(n == 5).lower(),
         "SystemModstamp": NEW}
        for n in range(1, 6)
    ]  # fmt: skip
    contacts = [
        {"Id": own("003", n), "Email": f"{company}-{n // 2}@example.com",
         "AccountId": own("001", n % 2), "FirstName": f"Ada {n}", "LeadSource": "Web",
         "CreatedDate": at(n + 1), "SystemModstamp": NEW}
        for n in range(3)
    ]  # fmt: skip
    emails = [
        {"Id": own("02s", n), "ParentId": own("500", n % 5 + 1), "MessageDate": at(n % 5 + 1),
         "Incoming": str(n % 2 == 0).lower(), "TextBody": f"{TRICKY} {n}", "Status": "3",
         "SystemModstamp": NEW}
        for n in range(9)
    ]  # fmt: skip
    history = [
        {"Id": own("017", n), "CaseId": own("500", n % 3 + 1), "Field": "Owner",
         "OldValue": own("005", 2), "NewValue": own("005", 1), "CreatedDate": at(n % 5 + 1)}
        for n in range(5)
    ]  # fmt: skip
    users = [
        {"Id": own("005", n), "Department": f"Team {n}", "Division": "", "SystemModstamp": NEW}
        for n in (1, 2)
    ]
    return {
        "Case": cases, "Contact": contacts, "EmailMessage": emails, "CaseHistory": history,
        "User": users,
    }  # fmt: skip


VENDORS = {"zendesk": zendesk, "salesforce": salesforce}


def companies(kind):
    """The records of as many companies as a round has cases; agents of Zendesk are shared."""
    made = [VENDORS[kind](company) for company in range(min(cases(CASES), A_ROUND))]
    alike = {name: [row for records in made for row in records[name]] for name in made[0]}
    if kind == "zendesk":
        alike["users"] = list({user["id"]: user for user in alike["users"]}.values())
    return alike


CHANGED = ("updated_at", "SystemModstamp")
FIXED = {"id", "Id", "ticket_id"}
SUFFIXES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def eighteen(text):
    """The longer form of a Salesforce id, by its documentation."""
    blocks = [text[start : start + 5] for start in (0, 5, 10)]
    return text + "".join(
        SUFFIXES[int("".join(str(int(c.isupper())) for c in reversed(block)), 2)]
        for block in blocks
    )


def older(record, pick):
    """A record as it was before: everything that may change is another."""
    old = {k: v if k in FIXED else pick.choice([v, "stale", "", 7]) for k, v in record.items()}
    return old | {name: pick.choice(OLDER) for name in CHANGED if name in record}


def respelled(record, pick, *, in_table):
    """The same record, its keys in another order, its ids and times in another spelling."""
    made = {}
    for name, value in pick.sample(list(record.items()), len(record)):
        text = str(value)
        if len(text) == 15 and text[:3] in ("500", "003", "001", "005", "02s", "017"):
            value = pick.choice([text, eighteen(text)])
        elif in_table and name.endswith("id") and isinstance(value, int):
            value = pick.choice([text, f"{text}.0"])
        elif text[-4:] == ":00Z" and name != "plain_body":
            value = pick.choice([text, f"{text[:-1]}+00:00", f"{text[:-1]}.000Z"])
        made[name] = value
    return made


def nested(tickets, records, pick):
    """Tickets as the JSON export has them: what is theirs lies within each version."""
    made = []
    for ticket in tickets:
        old = ticket["updated_at"] != NEW
        comments = [c for c in records["comments"] if c["ticket_id"] == ticket["id"]]
        metrics = next(m for m in records["ticket_metrics"] if m["ticket_id"] == ticket["id"])
        if old:
            comments = [older(comment, pick) for comment in comments if pick.random() < 0.6]
            metrics = older(metrics, pick)
        deep = {k: v for k, v in metrics.items() if k not in ("ticket_id", "reply_minutes")}
        deep["reply_time_in_minutes"] = {"calendar": metrics["reply_minutes"]}
        calendar = {"calendar": deep.pop("first_resolution_minutes")}
        inner = [{k: v for k, v in c.items() if k != "ticket_id"} for c in comments]
        made.append(
            ticket
            | {
                "tags": str(ticket["tags"]).split(),
                "via": {"channel": ticket["channel"]},
                "metric_set": deep | {"first_resolution_time_in_minutes": calendar},
                "comments": pick.sample(inner, len(inner)),
            }
        )
    return made


def written(folder, kind, records, form, pick, *, messy):
    """Write an export; a messy one is shuffled, repeated, respelled and cut into files."""
    versions = {}
    for name, rows in records.items():
        has_time = any(column in rows[0] for column in CHANGED)
        extra = [
            older(row, pick) if has_time and pick.random() < 0.7 else row
            for row in rows
            for _ in range(pick.randrange(3) if messy else 0)
        ]
        versions[name] = pick.sample(rows + extra, len(rows + extra)) if messy else rows
    if kind == "zendesk" and form != "csv":
        versions["tickets"] = nested(versions["tickets"], records, pick)
        del versions["comments"], versions["ticket_metrics"]
    for name, rows in versions.items():
        rows = [respelled(row, pick, in_table=form == "csv") if messy else row for row in rows]
        cuts = sorted(pick.choices(range(len(rows) + 1), k=2)) if messy else [0, 0]
        cuts = [0, *cuts, len(rows)]
        parts = [rows[a:b] for a, b in itertools.pairwise(cuts) if a < b]
        for number, part in enumerate(parts):
            path = folder / f"{name}_{number}.{form}"
            if form == "csv":
                with path.open("w", encoding="utf-8", newline="") as file:
                    writer = csv.DictWriter(file, part[0])
                    writer.writeheader()
                    writer.writerows(part)
            elif form == "jsonl":
                path.write_text("\n".join(map(json.dumps, part)), encoding="utf-8")
            else:
                array = "records" if kind == "salesforce" else name
                path.write_text(json.dumps({"count": len(part), array: part}), encoding="utf-8")


@pytest.fixture(scope="module")
def engine():
    with DuckDBEngine(threads=2) as opened:
        yield opened


@pytest.fixture(scope="module")
def imported(engine):
    """Import an export and return each table's bytes."""
    clean = {}

    def imported(kind, form="jsonl", seed=0, *, messy=False):
        if not messy and kind in clean:
            return clean[kind]
        with tempfile.TemporaryDirectory() as place:
            source = Path(place) / "export"
            source.mkdir()
            written(source, kind, companies(kind), form, random.Random(seed), messy=messy)
            made = convert(engine, ADAPTERS[kind], source, Path(place) / "out")
            content = {name: path.read_bytes() for name, path in made.tables.items()}
        if not messy:
            clean[kind] = content
        return content

    return imported


@pytest.mark.parametrize("kind", VENDORS)
@settings(max_examples=rounds(CASES), suppress_health_check=list(HealthCheck))
@given(form=st.sampled_from(FORMATS), seed=st.integers(0, 2**32 - 1))
def test_the_import_is_that_of_the_clean_export(imported, kind, form, seed):
    """A case is a company: its records repeated, respelled and shuffled among the others'."""
    assert imported(kind, form, seed, messy=True) == imported(kind)


def test_the_clean_exports_hold_what_they_are_meant_to(imported):
    assert set(imported("zendesk")) == {
        "customers", "interactions", "messages", "surveys", "agents",
    }  # fmt: skip
    assert set(imported("salesforce")) == {"customers", "interactions", "messages", "agents"}
