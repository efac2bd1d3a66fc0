"""Importers: small exports written after the vendors' documents give the rows expected by hand."""

import hashlib
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from clv.engines.duckdb import DuckDBEngine
from clv.errors import SchemaError, SourceError, UsageError
from clv.schema import SCHEMA, Kind
from clv.sources.adapters import ADAPTERS, ImportOptions, convert

SAMPLES = Path(__file__).parent / "samples"
EMAIL = hashlib.sha256(b"ada@example.com").hexdigest()[:16]
GRACE = hashlib.sha256(b"grace@example.com").hexdigest()[:16]
WITH_CUSTOMERS = ("customers", "interactions", "surveys")
PHONE = hashlib.sha256(b"49301234567").hexdigest()[:16]


@pytest.fixture(scope="module")
def engine():
    with DuckDBEngine(threads=1) as opened:
        yield opened


@pytest.fixture(scope="module")
def whole(engine, tmp_path_factory):
    """Import a sample as it is, once."""
    made = {}

    def whole(sample):
        if sample not in made:
            out = tmp_path_factory.mktemp(sample)
            adapter = ADAPTERS[sample.split("_")[0]]
            zone = "Europe/Berlin" if sample == "genesys" else "UTC"
            made[sample] = convert(
                engine, adapter, SAMPLES / sample, out, options=ImportOptions(timezone=zone)
            )
        return made[sample]

    return whole


@pytest.fixture
def run(engine, tmp_path):
    """Import a sample with options, or a changed copy of it."""

    def run(sample, *, change=None, **options):
        source = SAMPLES / sample
        if change is not None:
            source = tmp_path / "changed"
            shutil.copytree(SAMPLES / sample, source)
            change(source)
        return convert(
            engine, ADAPTERS[sample], source, tmp_path / "out", options=ImportOptions(**options)
        )

    return run


def rows(made, table, *columns):
    frame = pd.read_parquet(made.tables[table])
    frame = frame.astype(object).where(frame.notna(), None)
    return sorted(frame[list(columns)].itertuples(index=False, name=None), key=str)


@pytest.mark.parametrize("sample", ["zendesk", "talkdesk", "genesys", "salesforce", "shopify"])
def test_what_is_made_belongs_to_the_contract(sample, whole):
    made = whole(sample)
    for name, path in made.tables.items():
        columns = set(pd.read_parquet(path).columns)
        assert columns <= {column.name for column in SCHEMA[name].columns}
        assert {c.name for c in SCHEMA[name].columns if c.required} <= columns
        assert path.stat().st_mode & 0o777 == 0o600
    json.dumps(made.as_dict())


def test_zendesk_contacts(whole):
    made = whole("zendesk")
    assert rows(
        made, "interactions", "interaction_id", "customer_id", "channel", "started_at",
        "resolved_at", "reopened_at", "first_response_seconds", "transfers",
    ) == [
        (
            "101", EMAIL, "email", "2025-03-01T09:00:00Z", "2025-03-02T10:00:00Z", None,
            "1800.0", "1",
        ),
        (
            "102", GRACE, "chat", "2025-03-03T11:00:00Z", "2025-03-03T12:00:00Z",
            "2025-03-09T08:00:00Z", "45.0", "0",
        ),
        ("103", EMAIL, "email", "2025-03-05T12:00:00Z", None, None, None, "0"),
    ]  # fmt: skip


def test_zendesk_words_are_those_that_the_customer_saw(whole):
    made = whole("zendesk")
    found = rows(made, "messages", "interaction_id", "position", "speaker", "text")
    assert found == [
        ("101", "0", "customer", "Where is my parcel?"),
        ("101", "1", "agent", "I am sorry to hear that. A new one is on its way."),
        ("102", "0", "customer", "Which size?"),
        ("102", "1", "bot", "An agent will be with you."),
    ]
    assert "Internal" not in str(found)


def test_zendesk_people_and_answers(whole):
    made = whole("zendesk")
    assert rows(made, "surveys", "survey_id", "score", "kind") == [
        ("7001", "5", "csat"),
        ("7003", "1", "csat"),
    ]
    assert rows(made, "agents", "agent_id", "team") == [("501", "31"), ("502", "32")]
    assert rows(made, "customers", "customer_id", "first_name", "last_name") == sorted(
        [(EMAIL, "Ada", "Byron"), (GRACE, "Grace", None)], key=str
    )
    assert {note.where: note.count for note in made.notes if note.code == "policy"} == {
        "customers.staff": 2,
        "interactions.deleted": 1,
        "surveys.not_answered": 1,
        "agents.not_staff": 2,
    }


def test_zendesk_tables_say_the_same_as_json(whole):
    json_made, csv_made = whole("zendesk"), whole("zendesk_csv")
    columns = ("interaction_id", "customer_id", "channel", "started_at", "resolved_at", "transfers")
    assert rows(csv_made, "interactions", *columns) == rows(json_made, "interactions", *columns)[:1]
    absent = [note.message for note in csv_made.notes if note.code == "export_absent"]
    assert [text.split("*")[0] for text in absent] == [
        "no file comments",
        "no file groups",
        "no file satisfaction_ratings",
    ]


def test_talkdesk_calls(whole):
    made = whole("talkdesk")
    assert rows(
        made, "interactions", "interaction_id", "customer_id", "agent_id", "initiated_by",
        "wait_seconds", "handle_seconds", "hold_seconds", "resolved_at",
    ) == [
        ("a1", PHONE, "u2", "customer", "40.0", "330.0", "30.0", "2025-06-01T10:06:10Z"),
        # Another way to write the same number; nobody answered.
        ("a2", PHONE, None, "customer", "90.0", None, None, None),
        (
            "a3", hashlib.sha256(b"33122334455").hexdigest()[:16], "u2", "company", "0.0",
            "110.0", "0.0", "2025-06-02T08:02:00Z",
        ),
    ]  # fmt: skip
    assert rows(made, "surveys", "survey_id", "score") == [("csat-a1", "4")]
    # A team is the latest one.
    assert rows(made, "agents", "agent_id", "team") == [("u2", "South")]


def test_genesys_durations_and_the_clock_on_the_wall(whole):
    made = whole("genesys")
    assert rows(
        made, "interactions", "interaction_id", "channel", "initiated_by", "started_at",
        "ended_at", "handle_seconds", "wrap_seconds",
    ) == [
        (
            "g1", "voice", "customer", "2025-07-01T08:00:00Z", "2025-07-01T08:07:05Z", "380.0",
            "60.0",
        ),
        ("g2", "chat", "customer", "2025-07-01T10:00:00Z", "2025-07-01T10:10:00Z", "540.0", "60.0"),
        # Winter: one hour, not two.
        ("g3", "voice", "customer", "2025-01-15T11:00:00Z", "2025-01-15T11:00:30Z", None, None),
        ("g5", "voice", "company", "2025-07-03T07:00:00Z", "2025-07-03T07:01:00Z", "60.0", "5.0"),
    ]  # fmt: skip
    people = dict(rows(made, "interactions", "interaction_id", "customer_id"))
    assert people["g1"] == people["g2"] == PHONE
    # The customer of an outbound call is the one who was called.
    assert people["g3"] == people["g5"]
    agents = {agent for (agent,) in rows(made, "interactions", "agent_id") if agent}
    assert not any("doe" in agent.lower() for agent in agents)


def test_salesforce_cases(whole):
    made = whole("salesforce")
    guest = hashlib.sha256(b"guest@example.com").hexdigest()[:16]
    assert rows(
        made, "interactions", "interaction_id", "customer_id", "agent_id", "channel",
        "priority", "issue_type", "transfers", "resolved_at", "reopened_at",
    ) == [
        ("500A", EMAIL, "005A", "voice", "urgent", "Problem", None, "2025-05-01T09:20:00Z", None),
        ("500B", guest, None, "email", "normal", "Feedback", None, None, None),
        (
            "500C", EMAIL, "005B", "email", "low", "Question", "1", "2025-05-04T09:00:00Z",
            "2025-05-06T09:00:00Z",
        ),
    ]  # fmt: skip
    assert rows(made, "messages", "interaction_id", "position", "speaker", "text") == [
        ("500C", "0", "customer", "Which size?\nSecond line, with a comma"),
        ("500C", "1", "agent", "Hello Ada, size 42 fits."),
    ]
    assert rows(made, "agents", "agent_id", "team") == [("005A", "North"), ("005B", "South")]


def test_shopify_orders_and_their_refunds(whole):
    made = whole("shopify")
    assert rows(made, "orders", "order_id", "customer_id", "refund_of", "ordered_at", "amount") == [
        ("#1001", EMAIL, None, "2025-02-01T09:00:00Z", "80.05"),
        # 42 of 105 were paid back, in two parts: as much of the revenue goes.
        ("#1001-refund-1", EMAIL, "#1001", "2025-02-20T09:00:00Z", "-16.01"),
        ("#1001-refund-2", EMAIL, "#1001", "2025-02-25T09:00:00Z", "-16.01"),
        ("#1002", GRACE, None, "2025-02-04T04:30:00Z", "50.0"),
        ("#1003", GRACE, None, "2025-02-05T08:00:00Z", "30.0"),
        ("#1003-refund-1", GRACE, "#1003", "2025-02-07T08:00:00Z", "-30.0"),
    ]
    counts = {(note.code, note.where): note.count for note in made.notes}
    assert counts["policy", "orders.not_paid"] == 1
    assert counts["no_customer", "orders"] == 1


def test_columns_that_nothing_is_made_of_are_named(whole):
    made = whole("shopify")
    assert "Lineitem name" in made.unread["orders"]
    assert "'Gateway'" in next(n.message for n in made.notes if n.where == "transactions")


def without(name, column):
    def change(folder):
        path = folder / name
        frame = pd.read_csv(path, dtype=str).drop(columns=column)
        frame.to_csv(path, index=False)

    return change


def test_a_missing_column_is_refused(run):
    with pytest.raises(
        SchemaError, match=r"orders: 'orders_export_1.csv' lacks the column 'Total'"
    ):
        run("shopify", change=without("orders_export_1.csv", "Total"))


def test_a_missing_key_of_json_is_refused(run):
    def change(folder):
        path = folder / "tickets.jsonl"
        path.write_text(path.read_text().replace('"requester_id"', '"requester"'))

    with pytest.raises(SchemaError, match=r"tickets: .* lacks the column 'requester_id'"):
        run("zendesk", change=change)


def test_files_that_are_not_there(run, engine, tmp_path):
    with pytest.raises(SourceError, match=r"no file calls\*.csv or calls\*.json"):
        run("talkdesk", change=lambda folder: (folder / "calls_2025-06.json").unlink())
    with pytest.raises(SourceError, match="no folder or file at"):
        convert(engine, ADAPTERS["talkdesk"], tmp_path / "nowhere", tmp_path / "out")


def test_json_that_is_none(run):
    def change(folder):
        (folder / "tickets.jsonl").write_text('{"id": 1, "email": "canary@example.com"\n')

    with pytest.raises(SourceError, match="cannot be read as JSON") as error:
        run("zendesk", change=change)
    assert "canary" not in str(error.value)


def test_what_cannot_be_meant(run):
    for options, message in (
        ({"customer_by": "shoe_size"}, "cannot be told by 'shoe_size'"),
        ({"timezone": "Berlin"}, "timezone 'Berlin' is not known"),
        ({"tables": ("orders",)}, "makes no table 'orders'"),
    ):
        with pytest.raises(UsageError, match=message):
            run("zendesk", **options)


def test_semicolons_bom_and_other_marks(run, whole):
    def change(folder):
        for path in folder.iterdir():
            frame = pd.read_csv(path, dtype=str)
            frame.to_csv(path, index=False, sep=";", encoding="utf-8-sig")

    plain, changed = whole("shopify"), run("shopify", change=change)
    assert rows(plain, "orders", "order_id", "amount") == rows(
        changed, "orders", "order_id", "amount"
    )


def test_words_and_numbers_that_mean_nothing_stay_for_the_contract_to_find(run):
    def change(folder):
        path = folder / "orders_export_1.csv"
        text = path.read_text().replace("0.00,0.00,50.00,", "0.00,0.00,fifty,")
        path.write_text(text.replace("2025-02-05 09:00:00 +0100,1", "last week,1"))

    made = run("shopify", change=change)
    found = {row[0]: row[1:] for row in rows(made, "orders", "order_id", "amount", "ordered_at")}
    assert found["#1002"][0] == "fifty"
    assert found["#1003"][1] == "last week"


def test_the_companys_own_ids(run, tmp_path):
    path = tmp_path / "identities.csv"
    path.write_text("key,customer_id\n0049 30 1234567,C-1\n")
    made = run("talkdesk", identities=path)
    people = dict(rows(made, "interactions", "interaction_id", "customer_id"))
    assert people["a1"] == people["a2"] == "C-1"
    assert people["a3"] == hashlib.sha256(b"33122334455").hexdigest()[:16]
    path.write_text("key,customer_id\n0049 30 1234567,C-1\n+49301234567,C-2\n")
    with pytest.raises(SchemaError, match="gives 1 keys more than one customer_id"):
        run("talkdesk", identities=path)


def test_customers_by_another_key(run):
    made = run("zendesk", customer_by="external_id", tables=WITH_CUSTOMERS)
    assert {row[0] for row in rows(made, "interactions", "customer_id")} == {"C-1"}
    assert {n.where: n.count for n in made.notes if n.code == "no_customer"} == {
        "customers": 1, "interactions": 1, "surveys": 1,
    }  # fmt: skip
    made = run("zendesk", customer_by="id", tables=("surveys",))
    assert {row[0] for row in rows(made, "surveys", "customer_id")} == {"9001", "9002"}


def test_only_some_tables_and_twice_is_once(run, tmp_path):
    made = run("zendesk", tables=("interactions",))
    assert set(made.tables) == {"interactions"}
    again = run("zendesk", tables=("interactions",))
    assert rows(made, "interactions", "interaction_id") == rows(
        again, "interactions", "interaction_id"
    )
    assert [p.name for p in (tmp_path / "out" / "interactions").iterdir()] == ["zendesk.parquet"]


@pytest.mark.parametrize("kind", ADAPTERS)
def test_every_time_is_read_in_the_zone_of_the_export(kind):
    adapter = ADAPTERS[kind]
    read = {column: export for export in adapter.exports for column in export.columns}
    for table in adapter.tables:
        for name, text in table.columns.items():
            if SCHEMA[table.table][name].kind is Kind.TIME and text in read:
                assert text in read[text].times, f"{kind}.{table.table}.{name}"
    for key in adapter.keys.values():
        if key.style != "email" and key.column in read:
            assert key.column in read[key.column].ids, key.column
