"""Zendesk and Salesforce exports as documented equal a reading by pandas that shares no code."""

import datetime as dt
import hashlib
import json
import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from clv.engines.duckdb import DuckDBEngine
from clv.sources.adapters import ADAPTERS, ImportOptions, convert

PUBLIC = Path(__file__).parent / "samples" / "public"
EXCEL = {"sep": ";", "encoding": "cp1252"}
EXPORTS = {
    "zendesk/1_json_export": ({}, {}),
    "zendesk/2_incremental_pages": ({}, {}),
    "zendesk/3_csv_clocks": ({"sep": ";", "encoding": "utf-8-sig"}, {"timezone": "Europe/Berlin"}),
    "zendesk/4_merged": ({}, {}),
    "zendesk/5_voice_and_social": ({}, {}),
    "zendesk/6_spreadsheet": (EXCEL, {}),
    "salesforce/1_data_export": ({}, {}),
    "salesforce/2_two_weeks": ({}, {}),
    "salesforce/3_rest_pages": ({}, {}),
    "salesforce/4_short_ids": ({}, {}),
    "salesforce/5_accounts": ({}, {"customer_by": "account"}),
    "salesforce/6_spreadsheet": (EXCEL, {"timezone": "Europe/Berlin"}),
}
NOTHING = {"", "n/a", "-", "none", "null"}
YES, NO = {"true", "1", "y", "yes"}, {"false", "0", "n", "no"}


@pytest.fixture(scope="module")
def engine():
    with DuckDBEngine(threads=1) as opened:
        yield opened


def objects(folder, name, form, array):
    """All records of the files of a name, as dicts of what they hold."""
    made = []
    for path in sorted(folder.iterdir()):
        if not re.fullmatch(rf"{name}([-_ ][-\d\w]*)?\.(csv|jsonl?)", path.name):
            continue
        if path.suffix == ".csv":
            frame = pd.read_csv(path, dtype=str, keep_default_na=False, **form)
            made += [{k: v or None for k, v in row.items()} for row in frame.to_dict("records")]
        elif path.suffix == ".jsonl":
            made += [json.loads(line) for line in path.read_text().splitlines()]
        else:
            page = json.loads(path.read_text())
            made += page if isinstance(page, list) else page[array]
    return made


def exact_moment(text, zone="UTC"):
    """A time with its fraction, or None."""
    if text is None:
        return None
    try:
        at = dt.datetime.fromisoformat(
            str(text).replace("+0000", "+00:00").replace("+0200", "+02:00")
        )
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))).astimezone(dt.UTC)


def moment(text, zone="UTC"):
    """A time without its fraction, or the text."""
    at = exact_moment(text, zone)
    return text if at is None else at.replace(microsecond=0)


def cell(text):
    return None if text is None or str(text).strip().lower() in NOTHING else str(text).strip()


def number(text):
    """A number, or the text, or None."""
    text = cell(text)
    bare = text.replace(",", "") if text else text
    return float(bare) if bare and re.fullmatch(r"-?\d+(\.\d+)?", bare) else text


def flag(text):
    """True, false, the text, or None."""
    text = cell(text)
    word = (text or "").lower()
    return True if word in YES else False if word in NO else text


def newest(records, key, *versions, zone="UTC"):
    """The newest of the records of each id; what sorts last of those that are equally new."""

    def age(record):
        times = []
        for name in versions:
            at = exact_moment(record.get(name), zone)
            times.append(at.timestamp() if at else float(record.get(name) or 0))
        return times, json.dumps(record, ensure_ascii=False, sort_keys=True)

    best = {}
    for record in sorted(records, key=age):
        best[record[key]] = record
    return best


def digest(email):
    return hashlib.sha256(email.strip().lower().encode()).hexdigest()[:16]


def whole(number):
    return None if number is None else re.sub(r"\.0$", "", str(number))


def zendesk(folder, form, options):
    zone = options.get("timezone", "UTC")

    def read(name):
        return objects(folder, name, form, name)

    def at(text):
        return moment(text, zone)

    tickets = newest(read("tickets"), "id", "updated_at", "generated_timestamp", zone=zone)
    tickets = {whole(n): t for n, t in tickets.items()}
    users = {whole(u): x for u, x in newest(read("users"), "id", "updated_at", zone=zone).items()}
    loose = read("comments")
    comments = [c | {"ticket_id": n} for n, t in tickets.items() for c in t.get("comments", ())]
    comments += list(newest(loose, "id").values())
    metrics = {whole(m["ticket_id"]): m for m in newest(
        read("ticket_metrics"), "ticket_id", "updated_at", zone=zone).values()}  # fmt: skip
    metrics |= {n: t["metric_set"] for n, t in tickets.items() if t.get("metric_set")}
    is_staff = {n for n, u in users.items() if u["role"].lower() in ("agent", "admin")}
    email = {n: cell(u.get("email")) for n, u in users.items()}

    into = {}
    for comment in comments:
        words = comment.get("plain_body") or comment["body"]
        found = re.match(r"This request was closed and merged into request #(\d+)", words)
        if found and "closed_by_merge" in (tickets[str(comment["ticket_id"])].get("tags") or ()):
            into[str(comment["ticket_id"])] = found[1]

    def end_of(ticket):
        return end_of(into[ticket]) if ticket in into else ticket

    def customer(requester):
        return digest(email[requester]) if email.get(requester) else None

    interactions, kept = [], set()
    for n, t in tickets.items():
        who = whole(t["requester_id"])
        if t["status"] == "deleted" or n in into or who in is_staff or not customer(who):
            continue
        kept.add(n)
        via = t.get("via", {"channel": t.get("channel")})
        rel = (via.get("source") or {}).get("rel")
        m = metrics.get(n, {})
        solved = at(m.get("solved_at"))
        minutes = number(
            m.get("first_resolution_minutes")
            or (m.get("first_resolution_time_in_minutes") or {}).get("calendar")
        )
        reopens = number(m.get("reopens"))
        reopened = isinstance(reopens, float) and reopens > 0
        first = (
            at(t["created_at"]) + dt.timedelta(minutes=minutes)
            if isinstance(minutes, float) else solved
        )  # fmt: skip
        reply = number((m.get("reply_time_in_seconds") or {}).get("calendar"))
        if reply is None:
            reply = number(
                m.get("reply_minutes") or (m.get("reply_time_in_minutes") or {}).get("calendar")
            )
            reply = reply * 60 if isinstance(reply, float) else reply
        stations = number(m.get("assignee_stations"))
        words = {
            "web": "email", "email": "email", "mobile_sdk": "email", "native_messaging": "chat",
            "voice": "voice", "phone_call_inbound": "voice", "whatsapp": "sms",
            "facebook": "social",
        }  # fmt: skip
        channel = via["channel"].lower()
        interactions.append({
            "interaction_id": n, "customer_id": customer(who),
            "agent_id": whole(t.get("assignee_id")), "channel": words.get(channel, channel),
            "queue": whole(t.get("group_id")), "issue_type": t.get("type"),
            "priority": t.get("priority"),
            "initiated_by": "company" if rel == "outbound" else "customer",
            "started_at": at(t["created_at"]), "ended_at": solved,
            "first_response_seconds": reply,
            "transfers": max(stations - 1, 0) if isinstance(stations, float) else stations,
            "resolved_at": minutes if isinstance(minutes, str)
            else first if solved or reopened else None,
            "reopened_at": reopens if isinstance(reopens, str)
            else (solved or at(m.get("status_updated_at"))) if reopened else None,
        })  # fmt: skip
    said = []
    for c in comments:
        ticket, author = end_of(whole(c["ticket_id"])), whole(c["author_id"])
        words, public = c.get("plain_body") or c["body"], flag(c.get("public"))
        party = {
            whole(tickets[ticket]["requester_id"]): "customer",
            whole(tickets[ticket].get("assignee_id")): "agent",
        }
        known = None if author not in users else "agent" if author in is_staff else "customer"
        speaker = "bot" if author == "-1" else known or party.get(author)
        if ticket in kept and public is not False and speaker and "closed and merged" not in words:
            speaker = public if isinstance(public, str) else speaker
            at_ = at(c["created_at"])
            said.append((ticket, at_, int(c["id"]), speaker, words))
    messages = [
        {"interaction_id": t, "position": str([s[0] for s in sorted(said)][:place].count(t)),
         "speaker": speaker, "sent_at": when, "text": words}
        for place, (t, when, _, speaker, words) in enumerate(sorted(said))
    ]  # fmt: skip
    customers = [
        {"customer_id": digest(email[n]), "signed_up_at": at(u.get("created_at")),
         "first_name": u["name"].split()[0],
         "last_name": u["name"].split()[-1] if " " in u["name"] else None}
        for n, u in users.items() if n not in is_staff and email[n]
    ]  # fmt: skip
    ratings = newest(read("satisfaction_ratings"), "id", "updated_at").values()
    surveys = [
        {"survey_id": str(r["id"]), "interaction_id": end_of(str(r["ticket_id"])),
         "customer_id": customer(str(r["requester_id"])), "kind": "csat",
         "score": {"good": 5.0, "bad": 1.0}[r["score"].replace("withcomment", "")],
         "responded_at": at(r["updated_at"]), "comment": r["comment"]}
        for r in ratings if "offered" not in r["score"]
    ]  # fmt: skip
    agents = [{"agent_id": n, "team": whole(users[n].get("default_group_id"))} for n in is_staff]
    return {
        "interactions": interactions, "messages": messages, "customers": customers,
        "surveys": surveys, "agents": agents,
    }  # fmt: skip


def long_id(text):
    """The 18 characters of a Salesforce id, by the article on them."""
    if text is None or len(text) != 15:
        return text
    bits = ["".join("01"[c.isupper()] for c in text[s : s + 5])[::-1] for s in (0, 5, 10)]
    return text + "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[int(b, 2)] for b in bits)


IDS = ("Id", "ContactId", "AccountId", "OwnerId", "ParentId", "CaseId", "MasterRecordId")


def salesforce(folder, form, options):
    zone = options.get("timezone", "UTC")
    by_account = options.get("customer_by") == "account"

    def read(name):
        records = [
            r | {k: long_id(r.get(k)) for k in IDS} for r in objects(folder, name, form, "records")
        ]
        return newest(records, "Id", "SystemModstamp", zone=zone)

    def at(text):
        return moment(text, zone)

    people, cases, history = read("Contact"), read("Case"), read("CaseHistory").values()

    def customer(case):
        person = people.get(case["ContactId"], {})
        person = people.get(person.get("MasterRecordId"), person)
        if by_account and (case["AccountId"] or person.get("AccountId")):
            return case["AccountId"] or person.get("AccountId")
        mail = person.get("Email") or case.get("SuppliedEmail")
        return digest(mail) if mail else None

    words = {
        "phone": "voice", "live chat": "chat", "whatsapp": "sms", "email": "email", "web": "email",
    }  # fmt: skip
    interactions = []
    for case in cases.values():
        deleted = flag(case.get("IsDeleted"))
        if deleted is True or case["MasterRecordId"] or not customer(case):
            continue
        mine = [h for h in history if h["CaseId"] == case["Id"]]
        owners = [
            h for h in mine
            if h["Field"] == "Owner" and h["OldValue"][:3] == h["NewValue"][:3] == "005"
        ]  # fmt: skip
        closed = [at(h["CreatedDate"]) for h in mine if h["NewValue"] == "Closed"]
        opened = [at(h["CreatedDate"]) for h in mine if h["OldValue"] == "Closed"]
        origin = (deleted if isinstance(deleted, str) else case["Origin"]).lower()
        priority = (case.get("Priority") or "").lower() or None
        interactions.append({
            "interaction_id": case["Id"], "customer_id": customer(case),
            "agent_id": case["OwnerId"] if case["OwnerId"].startswith("005") else None,
            "channel": words.get(origin, origin), "queue": case.get("RecordTypeId"),
            "issue_type": case.get("Type") or case.get("Reason"),
            "priority": {"critical": "urgent", "medium": "normal"}.get(priority, priority),
            "started_at": at(case["CreatedDate"]), "ended_at": at(case.get("ClosedDate")),
            "transfers": float(len(owners)) if mine else None,
            "resolved_at": min(closed) if closed else at(case.get("ClosedDate")),
            "reopened_at": min(opened) if opened else None,
        })  # fmt: skip
    kept = {row["interaction_id"] for row in interactions}
    mails = [
        (m["ParentId"], at(m["MessageDate"]), m["Id"], flag(m["Incoming"]), m["TextBody"])
        for m in read("EmailMessage").values()
        if m["ParentId"] in kept and m.get("Status") != "5" and flag(m.get("IsDeleted")) is not True
    ]
    order = [m[0] for m in sorted(mails, key=lambda m: m[:3])]
    messages = [
        {"interaction_id": case, "position": str(order[:place].count(case)),
         "speaker": {True: "customer", False: "agent"}.get(came, came), "sent_at": when,
         "text": text}
        for place, (case, when, _, came, text) in enumerate(sorted(mails, key=lambda m: m[:3]))
    ]  # fmt: skip
    groups = {}
    for person in sorted(people.values(), key=lambda p: at(p["CreatedDate"])):
        own = (by_account and person["AccountId"]) or digest(person["Email"])
        if own and flag(person.get("IsDeleted")) is not True:
            groups.setdefault(own, []).append(person)

    def given_first(records, name):
        return next((r[name].strip() for r in records if r.get(name)), None)

    customers = [
        {"customer_id": own, "signed_up_at": at(rows[0]["CreatedDate"]),
         "region": given_first(rows, "MailingCountry"),
         "acquisition_channel": given_first(rows, "LeadSource"),
         "first_name": given_first(rows, "FirstName"), "last_name": given_first(rows, "LastName")}
        for own, rows in groups.items()
    ]  # fmt: skip
    agents = [
        {"agent_id": u["Id"], "team": u.get("Department") or u.get("Division")}
        for u in read("User").values()
    ]
    return {
        "interactions": interactions, "messages": messages, "customers": customers,
        "agents": agents,
    }  # fmt: skip


TIMES = ("started_at", "ended_at", "resolved_at", "reopened_at", "sent_at", "signed_up_at",
         "responded_at")  # fmt: skip
NUMBERS = ("first_response_seconds", "transfers", "score")


def made_by_clv(frame):
    """What the import wrote, its numbers and times read."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    for row in rows:
        row |= {k: moment(v) for k, v in row.items() if k in TIMES}
        row |= {k: number(v) for k, v in row.items() if k in NUMBERS}
    return rows


@pytest.mark.parametrize("export", EXPORTS)
def test_it_equals_the_reading_by_pandas(engine, tmp_path, export):
    form, options = EXPORTS[export]
    kind = export.partition("/")[0]
    made = convert(
        engine, ADAPTERS[kind], PUBLIC / export, tmp_path, options=ImportOptions(**options)
    )
    expected = {"zendesk": zendesk, "salesforce": salesforce}[kind](PUBLIC / export, form, options)
    assert set(made.tables) == {name for name, rows in expected.items() if rows}
    for name, path in made.tables.items():
        columns = list(expected[name][0])
        found = [{k: row.get(k) for k in columns} for row in made_by_clv(pd.read_parquet(path))]
        assert sorted(found, key=str) == sorted(expected[name], key=str), name
