"""Genesys, Talkdesk and Shopify: what was once read as 0, false, or a mixture of versions."""

import hashlib
import json
import random

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clv.engines.duckdb import DuckDBEngine
from clv.errors import DataError, SourceError, UsageError
from clv.sources.adapters import ADAPTERS, ImportOptions, convert
from tests.rounds import in_rounds, rounds

CASES = 2

GENESYS = [
    "Conversation ID",
    "Media Type",
    "Users",
    "Date",
    "Duration",
    "Direction",
    "ANI",
    "Total Talk",
    "Total Hold",
    "Total ACW",
    "Total Handle",
    "Total Queue",
    "Transferred",
]
TALKDESK = [
    "call_id",
    "type",
    "start_at",
    "end_at",
    "contact_phone_number",
    "user_id",
    "talk_time",
    "wait_time",
    "hold_time",
    "abandon_time",
    "is_transfer",
    "csat_score",
    "csat_survey_time",
    "team_name",
]
SHOPIFY = [
    "Name",
    "Email",
    "Financial Status",
    "Currency",
    "Taxes",
    "Total",
    "Shipping",
    "Created at",
    "Cancelled at",
    "Refunded Amount",
    "Id",
    "Phone",
]
BASE = {
    "genesys": {
        "Conversation ID": "g1", "Media Type": "voice", "Users": "Jo Doe",
        "Date": "2025-06-23T07:00:00Z", "Duration": "60000", "Direction": "Inbound",
        "ANI": "tel:+49301234567",
    },
    "talkdesk": {
        "call_id": "t1", "type": "inbound", "start_at": "2025-06-23T07:00:00Z",
        "end_at": "2025-06-23T07:06:00Z", "contact_phone_number": "+49301234567", "user_id": "u1",
        "talk_time": "300", "wait_time": "5", "hold_time": "0", "abandon_time": "0",
        "is_transfer": "false",
    },
    "shopify": {
        "Name": "#1", "Email": "ada@example.com", "Financial Status": "paid", "Currency": "EUR",
        "Taxes": "0.00", "Total": "100.00", "Shipping": "0.00", "Refunded Amount": "0.00",
        "Created at": "2025-01-05 10:00:00 +0100", "Id": "1",
    },
}  # fmt: skip
COLUMNS = {"genesys": GENESYS, "talkdesk": TALKDESK, "shopify": SHOPIFY}
FILE = {"genesys": "interactions", "talkdesk": "calls", "shopify": "orders"}


@pytest.fixture(scope="module")
def engine():
    with DuckDBEngine(threads=1) as opened:
        yield opened


@pytest.fixture
def run(engine, tmp_path):
    """Import rows of a vendor, given as changes to a plain one, in one file or several."""

    def run(kind, *files, drop=(), encoding="utf-8", told=None, more=None, **options):
        source = tmp_path / "export"
        source.mkdir(exist_ok=True)
        for number, changes in enumerate(files):
            write(source / f"{FILE[kind]}_{number}.csv", kind, changes, drop, encoding)
        for name, text in (more or {}).items():
            (source / name).write_text(text)
        return convert(
            engine,
            ADAPTERS[kind],
            source,
            tmp_path / "out",
            options=ImportOptions(encoding=told, **options),
        )

    return run


def write(path, kind, changes, drop=(), encoding="utf-8"):
    frame = pd.DataFrame([BASE[kind] | change for change in changes], columns=COLUMNS[kind])
    frame.drop(columns=list(drop)).to_csv(path, index=False, encoding=encoding)


def table(made, name, *columns):
    frame = pd.read_parquet(made.tables[name])
    frame = frame.astype(object).where(frame.notna(), None)
    return list(frame[list(columns)].itertuples(index=False, name=None))


def test_genesys_talk_of_a_clock_or_of_thousands(run):
    parts = {"Total Hold": "0", "Total ACW": "0"}
    made = run(
        "genesys",
        [
            {"Conversation ID": "a", "Total Talk": "5:03", **parts},
            {"Conversation ID": "b", "Total Talk": "300,000", **parts},
            {"Conversation ID": "c", "Total Talk": "n/a", **parts},
            {"Conversation ID": "d", "Total Talk": "five", **parts},
            {"Conversation ID": "e", "Total Talk": "26:00:00", "Total Hold": "", "Total ACW": "0"},
        ],
    )
    assert table(made, "interactions", "interaction_id", "handle_seconds", "hold_seconds") == [
        ("a", "303.0", "0.0"), ("b", "300.0", "0.0"), ("c", None, "0.0"), ("d", "five", "0.0"),
        ("e", None, None),
    ]  # fmt: skip


def test_genesys_default_columns_know_no_handle_time(run):
    totals = [name for name in GENESYS if name.startswith("Total")]
    made = run("genesys", [{}], drop=[*totals, "Transferred"])
    seen = table(
        made, "interactions", "handle_seconds", "hold_seconds", "wait_seconds", "transfers"
    )
    assert seen == [(None, None, None, None)]
    (absent,) = (note for note in made.notes if note.code == "column_absent")
    assert all(name in absent.message for name in totals)


def test_genesys_times_are_all_of_the_zone(run):
    made = run("genesys", [{"Date": "6/23/25 07:00 AM"}], timezone="America/New_York")
    assert table(made, "interactions", "started_at", "ended_at", "resolved_at") == [
        ("2025-06-23T11:00:00Z", "2025-06-23T11:01:00Z", "2025-06-23T11:01:00Z")
    ]
    assert any("AM and PM" in note.message or "above 12" in note.message for note in made.notes)
    # Across the night when clocks change, an end is as long after the start as the call lasted.
    made = run(
        "genesys", [{"Date": "2025-10-26 01:50", "Duration": "4200000"}], timezone="Europe/Berlin"
    )
    assert table(made, "interactions", "started_at", "ended_at") == [
        ("2025-10-25T23:50:00Z", "2025-10-26T01:00:00Z")
    ]


def test_genesys_what_cannot_be_read_is_the_vendors_text(run):
    made = run("genesys", [{"Duration": "a while", "Transferred": "perhaps", "Date": "today"}])
    assert table(made, "interactions", "started_at", "ended_at", "transfers") == [
        ("today", "a while", "perhaps")
    ]


def test_talkdesk_clocks_words_and_what_is_absent(run):
    made = run(
        "talkdesk",
        [
            {"call_id": "a", "talk_time": "00:05:00", "hold_time": "00:00:30"},
            {"call_id": "b", "hold_time": "n/a", "is_transfer": "Yes (warm)"},
            {"call_id": "c", "talk_time": "long", "wait_time": "short", "is_transfer": "maybe"},
            {"call_id": "d", "type": "abandoned", "abandon_time": "1:30", "wait_time": "n/a"},
        ],
    )
    assert table(
        made, "interactions", "interaction_id", "handle_seconds", "hold_seconds", "wait_seconds",
        "transfers",
    ) == [
        ("a", "330.0", "30.0", "5.0", "0"), ("b", None, None, "5.0", "1"),
        ("c", "long", "0.0", "short", "maybe"), ("d", None, None, "90.0", "0"),
    ]  # fmt: skip


def test_shopify_taxes_that_are_words(run):
    made = run("shopify", [{"Taxes": "incl."}, {"Name": "#2", "Id": "2", "Taxes": "n/a"}])
    assert table(made, "orders", "order_id", "amount") == [("#1", "incl."), ("#2", "100.0")]


def test_an_order_of_january_and_february(run):
    january = [{"Financial Status": "pending", "Refunded Amount": "5.00"}]
    february = [{"Financial Status": "partially_refunded", "Refunded Amount": "15.00"}]
    for files, drop in (((january, february), ()), ((february, january), ("Id",))):
        made = run("shopify", *files, drop=drop)
        assert table(made, "orders", "order_id", "amount") == [
            ("#1", "100.0"), ("#1-refund-1", "-15.0"),
        ]  # fmt: skip
        assert [n.count for n in made.notes if n.code == "record_repeated"] == [1]


def test_two_shops_with_the_same_names(run):
    german, french = [{}], [{"Id": "2", "Email": "grace@example.com", "Total": "30.00"}]
    made = run("shopify", german, french)
    assert table(made, "orders", "order_id", "amount") == [("#1/1", "100.0"), ("#1/2", "30.0")]
    later = [french[0] | {"Created at": "2025-01-07 10:00:00 +0100"}]
    made = run("shopify", german, later, drop=["Id"])
    assert table(made, "orders", "order_id", "amount") == [
        ("#1/2025-01-05T09:00:00Z", "100.0"), ("#1/2025-01-07T09:00:00Z", "30.0"),
    ]  # fmt: skip


def test_orders_that_cannot_be_told_apart_are_refused(run):
    other = [{"Id": "2", "Email": "grace@example.com"}]
    with pytest.raises(DataError, match=r"orders: 1 names have the same time.*column Id"):
        run("shopify", [{}], other, drop=["Id"])
    paid_back = {
        "transactions.csv": "Name,Kind,Status,Amount,Created At\n#1,refund,success,5,2025-02-01\n"
    }
    with pytest.raises(DataError, match=r"transactions: 1 are of orders.*column Order"):
        run("shopify", [{}], other, more=paid_back)


def test_refunds_beyond_the_transactions_are_not_lost(run):
    paid_back = "Order,Name,Kind,Status,Amount,Created At\n1,#1,refund,success,5.00,2025-02-01\n"
    made = run(
        "shopify",
        [{"Financial Status": "partially_refunded", "Refunded Amount": "15.00"}],
        more={"transactions.csv": paid_back},
    )
    assert table(made, "orders", "amount", "ordered_at")[1:] == [
        ("-10.0", "2025-01-05T09:00:00Z"), ("-5.0", "2025-02-01T00:00:00Z"),
    ]  # fmt: skip


def test_refunds_of_an_export_without_ids_and_of_no_order(run):
    paid_back = (
        "Order,Name,Kind,Status,Amount,Created At\n"
        "1,#1,refund,success,15.00,2025-02-01\n9,#9,refund,success,5.00,2025-02-01\n"
    )
    changes = [{"Financial Status": "partially_refunded", "Refunded Amount": "15.00"}]
    made = run("shopify", changes, drop=["Id"], more={"transactions.csv": paid_back})
    assert table(made, "orders", "amount", "ordered_at")[1:] == [("-15.0", "2025-02-01T00:00:00Z")]
    assert [note.count for note in made.notes if note.code == "belongs_nowhere"] == [1]


def test_durations_that_nothing_lasts_are_no_part_of_a_sum_and_end_no_run(run):
    huge = ["-5000", "9e99", "99999999999999999999", "99999999999999999:00:00"]
    made = run(
        "genesys",
        [{"Conversation ID": f"c{n}", "Duration": text} for n, text in enumerate(huge)]
        + [{"Conversation ID": "d", "Total Talk": "-5", "Total Hold": "30", "Total ACW": "0"}],
    )
    columns = ("ended_at", "resolved_at", "handle_seconds")
    assert table(made, "interactions", *columns) == [
        *((text, text, None) for text in huge),
        ("2025-06-23T07:01:00Z", "2025-06-23T07:01:00Z", "-5"),
    ]


def test_ids_and_money_of_another_spelling_are_the_same(run):
    """Files that pandas wrote again: 1.0 and 15.0, beside the shop's own 1 and 15.00."""
    paid_back = "Order,Name,Kind,Status,Amount,Created At\n1,#1,refund,success,{},2025-02-01\n"
    changes = {"Financial Status": "Partially Refunded", "Refunded Amount": "15.00"}
    made = run(
        "shopify",
        [{"Id": "1.0"}, {"Name": "#2", "Id": "2"}],
        [changes | {"Id": "1"}],
        more={
            "transactions.csv": paid_back.format("15.00"),
            "transactions_b.csv": paid_back.format("15.0"),
        },
    )
    assert table(made, "orders", "order_id", "amount") == [
        ("#1", "100.0"), ("#1-refund-1", "-15.0"), ("#2", "100.0"),
    ]  # fmt: skip


def test_refunds_are_in_the_money_of_their_order_whatever_its_state_is_called(run):
    """Transactions in another currency tell days and shares; the order tells how much."""
    paid_back = "Order,Name,Kind,Status,Amount,Created At,Currency\n" + "".join(
        f"1,#1,refund,success,{amount},2025-02-0{day},{money}\n"
        for amount, day, money in (("5.00", 1, "eur"), ("800", 2, "JPY"), ("2400", 3, "JPY"))
    )
    made = run(
        "shopify",
        [
            {"Financial Status": "partially_refunded", "Refunded Amount": "25.00"},
            {"Name": "#2", "Id": "2", "Financial Status": "disputed", "Refunded Amount": "-5.00"},
        ],
        more={"transactions.csv": paid_back},
    )
    assert table(made, "orders", "order_id", "amount", "ordered_at") == [
        ("#1", "100.0", "2025-01-05T09:00:00Z"),
        ("#1-refund-1", "-5.0", "2025-02-01T00:00:00Z"),
        ("#1-refund-2", "-5.0", "2025-02-02T00:00:00Z"),
        ("#1-refund-3", "-15.0", "2025-02-03T00:00:00Z"),
        ("#2", "100.0", "2025-01-05T09:00:00Z"),
        ("#2-refund-1", "-5.0", "2025-01-05T09:00:00Z"),
    ]
    assert [note.count for note in made.notes if note.code == "belongs_nowhere"] == [1]


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        ("talkdesk", "contact_phone_number"), ("talkdesk", "call_id"), ("genesys", "ANI"),
        ("shopify", "Id"), ("shopify", "Phone"),
    ],
)  # fmt: skip
def test_scientific_notation_is_refused_by_name(run, kind, column):
    with pytest.raises(DataError, match=rf"2 cells of '{column}' .* rounded") as error:
        run(kind, [{column: "4.91512E+11"}, {column: "4.91512e11"}])
    assert "4.91512" not in str(error.value)


def test_rounded_numbers_among_the_companys_own_ids(run, tmp_path):
    path = tmp_path / "identities.csv"
    path.write_text("key,customer_id\n4.93012E+11,C-1\n")
    with pytest.raises(DataError, match=r"identities: 1 cells of 'key' .* rounded"):
        run("genesys", [{}], identities=path)


def test_phones_of_every_form_are_one_customer(run):
    forms = (
        "tel:+49301234567",
        "sip:+49301234567@10.0.0.1",
        "0049 30 1234567 ext. 5",
        "030/1234567",
    )
    changes = [{"Conversation ID": str(n), "ANI": form} for n, form in enumerate(forms)]
    nobody = {"Conversation ID": "x", "ANI": "sip:anonymous@anonymous.invalid"}
    made = run("genesys", [*changes, nobody], region="DE")
    assert set(table(made, "interactions", "customer_id")) == {
        (hashlib.sha256(b"49301234567").hexdigest()[:16],)
    }
    notes = {note.code: note.count for note in made.notes}
    assert notes["no_customer"] == 1
    assert "phone_national" not in notes
    notes = {note.code: note.count for note in run("genesys", changes).notes}
    assert notes["phone_national"] == 1


def test_encodings_are_tried_and_named(run):
    for encoding, word in (("cp1252", "cp1252"), ("utf-16", "utf-16")):
        made = run("genesys", [{"Users": "Jörg"}], encoding=encoding)
        assert [n.message.split(";")[0] for n in made.notes if n.code == "encoding"] == [
            f"interactions_0.csv is read as {word} text"
        ]
        assert table(made, "interactions", "agent_id") == [
            (hashlib.sha256("Jörg".encode()).hexdigest()[:16],)
        ]
    assert not [n for n in run("genesys", [{}]).notes if n.code == "encoding"]
    with pytest.raises(SourceError, match="is not ascii text, as --encoding says"):
        run("genesys", [{"Users": "Jörg"}], told="ascii")


def test_json_of_another_encoding(engine, tmp_path):
    text = json.dumps(
        {"entries": [BASE["talkdesk"] | {"ring_groups": "Rückgabe"}]}, ensure_ascii=False
    )
    for encoding in ("cp1252", "utf-16"):
        (tmp_path / "calls.json").write_bytes(text.encode(encoding))
        made = convert(engine, ADAPTERS["talkdesk"], tmp_path / "calls.json", tmp_path / "out")
        assert table(made, "interactions", "queue") == [("Rückgabe",)]
        assert f"calls.json is read as {encoding} text" in str(made.notes)


def test_a_torn_file_names_its_line_and_no_setting(run):
    torn = "Name,Email,Financial Status,Currency,Taxes,Total,Created at\n#1,a@b.c\n"
    with pytest.raises(SourceError, match=r"orders\.csv, line 2: .*expected 7 cells") as error:
        run("shopify", more={"orders.csv": torn})
    assert "sources." not in str(error.value)


def test_dates_that_nothing_tells_are_asked_about(run):
    changes = [{"Date": "6/7/25 07:00"}]
    with pytest.raises(UsageError, match="--dates mdy or --dates dmy"):
        run("genesys", changes)
    made = run("genesys", changes, dates="dmy")
    assert table(made, "interactions", "started_at") == [("2025-07-06T07:00:00Z",)]
    for options in ({"dates": "ymd"}, {"region": "Germany"}, {"told": "utf-9"}):
        with pytest.raises(UsageError, match="expected"):
            run("genesys", changes, **options)


def history(kind, case, number, versions, draw):
    """A record as several exports saw it, the oldest first; only the last one counts."""
    seen = []
    phone, name = f"+4930{case:02}3456{number % 3}", f"{case}-{number}"
    for version in range(versions):
        last = version == versions - 1
        if kind == "genesys":
            seen.append(
                {
                    "Conversation ID": f"g{name}", "ANI": f"tel:{phone}",
                    "Duration": str(60_000 * (version + 1)), "Transferred": str(draw(3)),
                    "Total Handle": str(draw(99) + 1) if last else "",
                }
            )  # fmt: skip
        elif kind == "talkdesk":
            seen.append(
                {
                    "call_id": f"t{name}", "contact_phone_number": phone,
                    "end_at": f"2025-06-23T07:{version:02}:00Z", "talk_time": str(draw(99)),
                    "user_id": f"u{number % 2}", "team_name": f"team {draw(3)}",
                }
            )  # fmt: skip
        else:
            seen.append(
                {
                    "Name": f"#{name}", "Id": f"{case}{number:03}",
                    "Email": f"{case}-{number % 3}@example.com",
                    "Financial Status": ("pending", "paid", "partially_refunded")[min(version, 2)],
                    "Refunded Amount": f"{version}.00", "Total": f"{100 + draw(50)}.00",
                }
            )  # fmt: skip
    return seen


def exports(kind, case, seed, records, files):
    """A clean export of one file, and a messy one of several: repeated, shuffled, old and new."""
    draw = random.Random(seed)
    histories = [
        history(kind, case, number, draw.randint(1, 4), draw.randrange) for number in range(records)
    ]
    clean = [seen[-1] for seen in histories]
    again = [draw.choice(seen) for seen in histories for _ in range(draw.randint(0, 4))]
    shuffled = [*clean, *again]
    draw.shuffle(shuffled)
    return clean, [shuffled[n::files] for n in range(files)]


@pytest.mark.parametrize("kind", ["genesys", "talkdesk", "shopify"])
@settings(max_examples=rounds(CASES), suppress_health_check=list(HealthCheck))
@given(
    drawn=in_rounds(
        st.tuples(st.integers(0, 2**32 - 1), st.integers(3, 12), st.integers(1, 3)), CASES
    )
)
def test_twice_is_once_in_any_order(engine, tmp_path_factory, kind, drawn):
    """Records repeated in old and new versions, shuffled over files: the same bytes.

    The companies of a round share the files: the first of each, the second of each.
    """
    both = [exports(kind, case, *draws) for case, draws in enumerate(drawn)]
    clean = [record for records, _ in both for record in records]
    again = [[r for _, parts in both if n < len(parts) for r in parts[n]] for n in range(3)]
    folder = tmp_path_factory.mktemp("twice")
    for name, files in (("clean", [clean]), ("again", [part for part in again if part])):
        (folder / name).mkdir()
        for number, part in enumerate(files):
            write(folder / name / f"{FILE[kind]}_{number}.csv", kind, part)
    made = [
        convert(engine, ADAPTERS[kind], folder / name, folder / f"{name}-out")
        for name in ("clean", "again")
    ]
    assert made[0].rows == made[1].rows
    for name, path in made[0].tables.items():
        assert path.read_bytes() == made[1].tables[name].read_bytes(), name
