"""A record that an export holds in several versions is one record: the newest."""

import json

import pandas as pd
import pyarrow as pa
import pytest

from clv.engines.duckdb import DuckDBEngine
from clv.errors import DataError
from clv.sources.adapters import ADAPTERS, ImportOptions, convert
from clv.sources.adapters.salesforce import eighteen
from clv.sources.exports.versions import VERSION, by_group, lookup, newest, unique


@pytest.fixture(scope="module")
def engine():
    with DuckDBEngine(threads=1) as opened:
        yield opened


@pytest.fixture
def imported(engine, tmp_path):
    """Write an export's files, import them, and return the frames and what was noted."""

    def imported(kind, files, **options):
        source = tmp_path / "export"
        source.mkdir()
        for name, text in files.items():
            (source / name).write_text(text, encoding="utf-8")
        made = convert(
            engine, ADAPTERS[kind], source, tmp_path / "out", options=ImportOptions(**options)
        )
        frames = {name: pd.read_parquet(path) for name, path in made.tables.items()}
        return frames, {(note.code, note.where): note.count for note in made.notes}

    return imported


def table(engine, **columns):
    return engine.frame(pa.table(columns))


def test_the_newest_version_counts_and_content_breaks_ties(engine):
    rows = table(
        engine,
        id=["a", "a", "b", "b", None, None, "c"],
        text=["old", "new", "x", "y", "same", "same", "alone"],
        **{f"{VERSION}0": [1.0, 2.0, 5.0, 5.0, None, None, None]},
    )
    kept, repeated = newest(engine, rows, ["id"])
    assert sorted(engine.to_pandas(kept)["text"]) == ["alone", "new", "same", "y"]
    assert repeated == 3
    # Nothing that names a record: nothing is one.
    assert newest(engine, rows, ())[1] == 0


def test_a_lookup_adds_no_rows_whatever_it_looks_in(engine):
    people = table(engine, id=["u1", "u1", "u2", None], name=["Ada", "Zoe", "Max", "Nobody"])
    rows = table(engine, ticket=["1", "2", "3"], by=["u1", "u3", None])
    for right in (unique(people, "id"), by_group(people, "id", name=people.name.max())):
        found = engine.to_pandas(lookup(rows, "by", right, name="name")).sort_values("ticket")
        assert found["name"].fillna("").tolist() == ["Zoe", "", ""]


def ticket(number, updated_at, words, **more):
    comments = [
        {"id": 10 * number + place, "author_id": 9001, "created_at": at, "plain_body": text}
        for place, (at, text) in enumerate(words)
    ]
    return {
        "id": number, "created_at": "2025-03-01T09:00:00Z", "updated_at": updated_at,
        "status": "open", "requester_id": 9001, "via": {"channel": "email"},
        "comments": comments, **more,
    }  # fmt: skip


FIRST, SECOND = ("2025-03-01T09:00:00Z", "Hello?"), ("2025-03-02T09:00:00Z", "Anybody?")
ADA = {"id": 9001, "role": "end-user", "email": "ada@example.com"}


def pages(name, *contents):
    return {f"{name}_{n}.json": json.dumps({name: page}) for n, page in enumerate(contents)}


@pytest.mark.parametrize("turned", [False, True])
def test_a_ticket_on_two_pages_is_its_newest_version(imported, turned):
    old = ticket(1, "2025-03-01T09:00:00Z", [FIRST], priority="low")
    new = ticket(1, "2025-03-02T09:00:00Z", [FIRST, SECOND], priority="urgent")
    first, second = ([new], [old]) if turned else ([old], [new])
    frames, counts = imported("zendesk", pages("tickets", first, second) | pages("users", [ADA]))
    assert frames["interactions"]["priority"].tolist() == ["urgent"]
    assert frames["messages"]["text"].tolist() == ["Hello?", "Anybody?"]
    assert frames["messages"]["position"].tolist() == ["0", "1"]
    assert counts["record_repeated", "tickets"] == 1


def test_changes_by_the_system_move_another_clock(imported):
    at = "2025-03-02T09:00:00Z"
    versions = [
        ticket(1, at, [FIRST], generated_timestamp=stamp, type=kind)
        for stamp, kind in ((1740906000, "question"), (1740999000, "problem"), (9, "task"))
    ]
    frames, _ = imported("zendesk", pages("tickets", versions) | pages("users", [ADA]))
    assert frames["interactions"]["issue_type"].tolist() == ["problem"]


def test_fractions_of_a_second_tell_versions(imported):
    versions = [
        ticket(1, f"2025-03-02T09:00:00.{part}Z", [FIRST], type=kind)
        for part, kind in (("100", "question"), ("25", "problem"))
    ]
    frames, _ = imported("zendesk", pages("tickets", versions) | pages("users", [ADA]))
    assert frames["interactions"]["issue_type"].tolist() == ["problem"]


def test_a_user_twice_doubles_no_ticket_and_no_message(imported):
    users = [
        ADA | {"updated_at": "2025-01-01T00:00:00Z", "email": "old@example.com"},
        ADA | {"updated_at": "2025-02-01T00:00:00Z"},
    ]
    tickets = [ticket(1, "2025-03-02T09:00:00Z", [FIRST, SECOND]), ticket(2, "2025-03-02", [])]
    frames, _ = imported("zendesk", pages("users", users) | pages("tickets", tickets))
    assert sorted(frames["interactions"]["interaction_id"]) == ["1", "2"]
    assert len(frames["messages"]) == 2
    assert frames["customers"]["email"].tolist() == ["ada@example.com"]


def test_a_redacted_comment_stays_redacted(imported):
    comment = "id,ticket_id,author_id,created_at,plain_body\n7,1,9001,2025-03-01T09:00:00Z,"
    frames, _ = imported(
        "zendesk",
        pages("users", [ADA])
        | {"tickets.csv": "id,created_at,requester_id,status\n1,2025-03-01T09:00:00Z,9001,open\n"}
        | {"comments_1.csv": comment + "Card 4111 please\n"}
        | {"comments_2.csv": comment + "Card ▇▇▇▇ please\n"},
    )
    assert frames["messages"]["text"].tolist() == ["Card ▇▇▇▇ please"]


def test_ids_that_were_floats_join_and_rounded_ones_are_refused(imported, engine, tmp_path):
    head = "id,created_at,requester_id,status\n"
    files = {"users.csv": "id,role,email\n9001,end-user,ada@example.com\n"}
    whole = {"tickets.csv": head + "1,2025-03-01T09:00:00Z,9001.0,open\n"}
    frames, _ = imported("zendesk", files | whole)
    assert len(frames["interactions"]) == 1
    (tmp_path / "export" / "tickets.csv").write_text(
        head + "1,2025-03-01T09:00:00Z,3.60001E+11,open\n"
    )
    with pytest.raises(DataError, match=r"tickets: 1 cells of 'requester_id' .* rounded"):
        convert(engine, ADAPTERS["zendesk"], tmp_path / "export", tmp_path / "out")


CASES = "Id,CreatedDate,Origin,OwnerId,ContactId,AccountId,SystemModstamp\n"
CONTACTS = "Id,Email,AccountId,FirstName,LeadSource,CreatedDate,SystemModstamp\n"


def test_ids_of_15_and_18_characters_are_the_same(imported, engine):
    known = {"0035000000TfCzu": "0035000000TfCzuAAF", "500A": "500A"}
    rows = table(engine, id=list(known))
    made = engine.to_pandas(rows.mutate(whole=eighteen(rows.id)))
    assert dict(zip(made["id"], made["whole"], strict=True)) == known
    frames, _ = imported(
        "salesforce",
        {
            "Case.csv": CASES + "500A,2025-05-01T09:00:00.000Z,Phone,005A,0035000000TfCzu,,\n",
            "Contact.csv": CONTACTS + "0035000000TfCzuAAF,ada@example.com,,Ada,,,\n",
        },
    )
    assert len(frames["interactions"]) == 1
    assert set(frames["interactions"]["customer_id"]) == set(frames["customers"]["customer_id"])


@pytest.mark.parametrize(("by", "customers"), [("email", 2), ("account", 1), ("contact", 3)])
def test_contacts_that_share_a_customer_are_one(imported, by, customers):
    frames, counts = imported(
        "salesforce",
        {
            "Case.csv": CASES
            + "500A,2025-05-01T09:00:00.000Z,Phone,005A,003A,001A,\n"
            + "500B,2025-05-01T09:00:00.000Z,Phone,005A,003B,,\n",
            "Contact.csv": CONTACTS
            + "003A,ada@example.com,001A,Ada,,2024-05-01T09:00:00.000Z,2025-01-01T00:00:00.000Z\n"
            + "003A,old@example.com,001A,Ada,,2024-05-01T09:00:00.000Z,2024-06-01T00:00:00.000Z\n"
            + "003B,Ada@example.com,001A,,Web,2024-02-01T09:00:00.000Z,2024-06-01T00:00:00.000Z\n"
            + "003C,zoe@example.com,001A,Zoe,,2024-03-01T09:00:00.000Z,2024-06-01T00:00:00.000Z\n",
        },
        customer_by=by,
    )
    people = frames["customers"]
    assert len(people) == people["customer_id"].nunique() == customers
    assert set(frames["interactions"]["customer_id"]) <= set(people["customer_id"])
    assert len(frames["interactions"]) == 2
    assert counts.get(("customer_shared", "customers"), 0) == 3 - customers
    if by != "contact":
        # The first to sign up, and what another adds.
        ada = people[people["first_name"].isin(["Ada", "Zoe"])].sort_values("first_name").iloc[0]
        assert ada["signed_up_at"] == "2024-02-01T09:00:00Z"
        assert ada["acquisition_channel"] == "Web"


def test_contacts_merged_twice_are_the_last_that_was_kept(imported):
    header = "Id,Email,MasterRecordId,IsDeleted\n"
    frames, _ = imported(
        "salesforce",
        {
            "Case.csv": CASES + "500A,2025-05-01T09:00:00.000Z,Phone,005A,003A,,\n",
            "Contact.csv": header + "003A,a@example.com,003B,true\n003B,b@example.com,003C,true\n"
            "003C,c@example.com,,false\n",
        },
    )
    assert frames["customers"]["email"].tolist() == ["c@example.com"]
    assert set(frames["interactions"]["customer_id"]) == set(frames["customers"]["customer_id"])


def test_times_that_tell_versions_are_read_in_the_order_of_their_days(imported):
    """A second of December is later than the third of November: 30/06 says day first."""
    header = "Id,CreatedDate,Origin,OwnerId,SuppliedEmail,SystemModstamp\n"
    row = "{},2025-05-01T09:00:00.000Z,{},005A,ada@example.com,{} 09:00\n".format
    rows = [("500A", "Phone", "02/12/2025"), ("500A", "Web", "03/11/2025")]
    rows += [("500B", "Web", "30/06/2025")]
    frames, counts = imported("salesforce", {"Case.csv": header + "".join(row(*r) for r in rows)})
    assert frames["interactions"]["channel"].tolist() == ["voice", "email"]
    assert counts["read_as", "Case"]


def test_minutes_beyond_any_life_end_no_run(imported):
    metrics = "ticket_id,solved_at,first_resolution_minutes\n9,2025-05-02T09:00:00Z,9e18\n"
    frames, _ = imported(
        "zendesk",
        {
            "tickets.csv": "id,created_at,requester_id,status\n9,2025-05-01T09:00:00Z,7,closed\n",
            "users.csv": "id,role,email\n7,end-user,ada@example.com\n",
            "ticket_metrics.csv": metrics,
        },
    )
    assert frames["interactions"]["resolved_at"].tolist() == ["9e18"]


def test_other_objects_beside_the_wanted_ones_are_left(imported):
    frames, counts = imported(
        "salesforce",
        {
            "Case.csv": CASES + "500A,2025-05-01T09:00:00.000Z,Phone,005A,003A,,\n",
            "Case_2025-06.csv": CASES + "500B,2025-06-01T09:00:00.000Z,Phone,005A,003A,,\n",
            "CaseComment.csv": "Id,ParentId,CommentBody\n00aA,500A,Called back\n",
            "Case_Cost__c.csv": "Id,Amount__c\na01A,5\n",
            "Contact.csv": CONTACTS + "003A,ada@example.com,,Ada,,,\n",
            "User.csv": "Id,Department\n005A,North\n",
            "UserRole.csv": "Id,Name\n00EA,Support\n",
        },
    )
    assert sorted(frames["interactions"]["interaction_id"]) == ["500A", "500B"]
    assert frames["agents"]["agent_id"].tolist() == ["005A"]
    assert counts["file_unread", "salesforce"] == 3


def test_words_of_a_contact_that_is_not_imported_are_left_too(imported):
    tickets = [
        ticket(1, "2025-03-02T09:00:00Z", [FIRST]),
        ticket(2, "2025-03-02T09:00:00Z", [SECOND], status="deleted"),
        ticket(3, "2025-03-02T09:00:00Z", [SECOND], requester_id=404),
    ]
    files = pages("users", [ADA]) | pages("tickets", tickets)
    frames, counts = imported("zendesk", files, tables=("messages",))
    # Whom no file of users knows is told by the desk's own id.
    assert frames["messages"]["text"].tolist() == ["Hello?", "Anybody?"]
    assert counts["no_contact", "messages"] == 1
    assert set(frames) == {"messages"}


def test_a_second_import_equals_a_fresh_one(engine, tmp_path):
    source, rating = tmp_path / "export", tmp_path / "export" / "satisfaction_ratings_1.json"
    source.mkdir()
    answer = {"id": 5, "score": "good", "ticket_id": 1, "requester_id": 9001}
    answers = pages("satisfaction_ratings", [answer | {"created_at": "2025-03-03T00:00:00Z"}])
    tickets = pages("tickets", [ticket(1, "2025-03-02T09:00:00Z", [FIRST])])
    files = {**tickets, **pages("users", [ADA]), **answers}
    for name, text in files.items():
        (source / name.replace("_0", "_1")).write_text(text)

    def listed(out):
        made = convert(
            engine, ADAPTERS["zendesk"], source, out, options=ImportOptions(customer_by="id")
        )
        found = {p.relative_to(out).as_posix(): p for p in out.rglob("*") if p.is_file()}
        record = json.loads(found.pop("import-zendesk.json").read_text())
        notes = [note for note in record["notes"] if note["code"] != "table_removed"]
        content = {name: path.read_bytes() for name, path in found.items()}
        return content, record["rows"], notes, [n.count for n in made.notes if "rem" in n.code]

    first = listed(tmp_path / "twice")
    assert any(name.startswith("surveys/") for name in first[0])
    rating.unlink()
    (source / "users_1.json").write_text(json.dumps({"users": []}))
    second, fresh = listed(tmp_path / "twice"), listed(tmp_path / "fresh")
    assert second[:3] == fresh[:3]
    assert second[3] == [2]  # surveys and customers, with their e-mail addresses
    assert not any(name.startswith(("surveys", "customers")) for name in second[0])
