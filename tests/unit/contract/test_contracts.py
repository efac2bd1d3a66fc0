"""Bad input: what each kind of it is called, where it ends, and that nothing is lost."""

import datetime as dt
import stat

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clv.contract import expectations
from clv.contract.check import check, examine
from clv.contract.tables import DataOptions
from clv.engines.connect import connect
from clv.errors import DataError, QuarantineError, SchemaError, StorageError, UsageError
from clv.sources.reading import RawTables, read_sources
from clv.sources.spec import SourceSpec

LOADED = dt.datetime(2025, 7, 1, tzinfo=dt.UTC)
SECRET = "call me at 0151-2345678"


@pytest.fixture(scope="module")
def engine():
    with connect(threads=1) as engine:
        yield engine


@pytest.fixture
def quick(monkeypatch):
    """Leave out the second reading where a test is about the first."""
    same = expectations.SuiteResult(0, sampled=False, success=True, counts={})
    monkeypatch.setattr(expectations, "compare", lambda *_, **__: same)


def order(number, **changes):
    return {
        "order_id": f"o{number}",
        "customer_id": "007",
        "ordered_at": f"2025-01-{number % 28 + 1:02}T10:00Z",
        "amount": 10.0,
    } | changes


def hold(engine, **tables):
    held = {
        name: engine.frame(rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows))
        for name, rows in tables.items()
    }
    return RawTables(engine, held)


def judge(engine, folder, terms=None, **tables):
    raw = hold(engine, **tables)
    return examine(raw, terms or DataOptions(), quarantine=folder / "q", loaded_at=LOADED)


def reasons(folder, table="orders"):
    rows = pq.read_table(folder / "q" / f"{table}.parquet").to_pylist()
    return {next(v for k, v in row.items() if k[0] != "_"): row["_reasons"] for row in rows}


def test_one_bad_row_of_each_kind_is_quarantined_with_its_reasons(engine, tmp_path):
    bad = {
        "no_id": order(1, order_id=None),
        "blank_id": order(1, order_id="  "),
        "no_customer": order(1, customer_id=None),
        "no_amount": order(1, amount=None),
        "no_time": order(1, ordered_at=None),
        "bad_date": order(1, ordered_at="2025-02-30"),
        "future": order(1, ordered_at="2025-07-01T00:00:01Z"),
        "nan": order(1, amount=float("nan")),
        "infinite": order(1, amount=float("-inf")),
        "huge": order(1, amount=1.5e12),
        "unknown_refund": order(1, amount=-1.0, refund_of="nowhere"),
        "others_refund": order(1, amount=-1.0, refund_of="o2", customer_id="008"),
        "positive_refund": order(1, amount=1.0, refund_of="o2"),
        "two_reasons": order(1, amount=float("nan"), ordered_at="soon"),
    }
    rows = [order(2), order(3, amount=-4.0), order(4, amount=-1.0, refund_of="o2")]
    for name, row in bad.items():
        rows.append(row | ({} if "id" in name else {"order_id": name}))
    rows[0]["refund_of"] = None
    checked = judge(engine, tmp_path, orders=rows)
    found = reasons(tmp_path)
    assert found[None] == ["orders.order_id:missing"]
    assert found["  "] == ["orders.order_id:missing"]
    assert {k: v for k, v in found.items() if k not in (None, "  ")} == {
        "no_customer": ["orders.customer_id:missing"],
        "no_amount": ["orders.amount:missing"],
        "no_time": ["orders.ordered_at:missing"],
        "bad_date": ["orders.ordered_at:unparsable"],
        "future": ["orders.ordered_at:future"],
        "nan": ["orders.amount:not_finite"],
        "infinite": ["orders.amount:not_finite"],
        "huge": ["orders.amount:too_large"],
        "unknown_refund": ["orders.refund_of:unknown_refund"],
        "others_refund": ["orders.refund_of:unknown_refund"],
        "positive_refund": ["orders.refund_of:positive_refund"],
        "two_reasons": ["orders.ordered_at:unparsable", "orders.amount:not_finite"],
    }
    kept = engine.to_pandas(checked.tables["orders"]).sort_values("order_id")
    assert kept.order_id.tolist() == ["o2", "o3", "o4"]
    assert kept.amount.tolist() == [100_000, -40_000, -10_000]
    result = checked.validation.tables["orders"]
    assert (result.rows, result.accepted, result.quarantined) == (17, 3, 14)
    shown = checked.validation.to_frame().set_index("rule")
    assert "3 of 17 rows accepted in 1 tables" in repr(checked.validation)
    assert shown.loc["", "accepted"] == 3
    assert shown["quarantined"].iloc[1:].sum() == sum(map(len, found.values()))
    assert "<table" in checked.validation._repr_html_()
    assert (result.first, result.last) == (dt.date(2025, 1, 3), dt.date(2025, 1, 5))
    assert checked.validation.gx["orders"].as_dict()["agrees"]
    assert not checked.validation.gx["orders"].success


@pytest.mark.parametrize(
    ("amounts", "said"),
    [
        ([9e11] * 500, ["adds up to 4.5e+14", "at most 4e+14", "/ 1000"]),
        ([0.00003, 0.00007, 0.2], None),  # cents of a larger amount
        ([0.00003] * 9, ["rounding to 0.0001 changes 100.0%", "* 1000"]),
        ([0.0, 0.0], None),
    ],
)
def test_money_that_cannot_be_held_is_refused_by_name(engine, tmp_path, quick, amounts, said):
    rows = [order(n, order_id=f"o{n}", amount=amount) for n, amount in enumerate(amounts, 1)]
    rows.append(order(1, order_id="broken", amount=float("inf")))
    if said is None:
        assert judge(engine, tmp_path, orders=rows).validation.tables["orders"].quarantined == 1
        return
    with pytest.raises(SchemaError) as caught:
        judge(engine, tmp_path, orders=rows)
    assert str(caught.value).startswith("orders.amount: ")
    assert all(part in str(caught.value) for part in said)
    assert caught.value.exit_code == 3


def test_rules_of_service_tables(engine, tmp_path):
    contact = {
        "interaction_id": "i1", "customer_id": "007", "channel": "voice",
        "started_at": "2025-01-01T10:00Z", "ended_at": "2025-01-01T10:05Z",
        "handle_seconds": 300.0, "hold_seconds": 10.0, "transfers": 0.0, "priority": "low",
    }  # fmt: skip
    contacts = [
        contact,
        contact | {"interaction_id": "fax", "channel": "fax"},
        contact | {"interaction_id": "stranger", "customer_id": "who"},
        contact | {"interaction_id": "backwards", "ended_at": "2025-01-01T09:00Z"},
        contact | {"interaction_id": "negative", "handle_seconds": -1.0, "hold_seconds": None},
        contact | {"interaction_id": "held", "hold_seconds": 301.0},
        contact | {"interaction_id": "half", "transfers": 0.5},
    ]
    said = {"interaction_id": "i1", "position": 0, "speaker": "agent", "text": SECRET}
    messages = [
        said,
        said | {"position": 0, "text": "again"},
        said | {"position": 1, "speaker": "ghost"},
        said | {"interaction_id": "fax"},
    ]
    survey = {"survey_id": "s1", "customer_id": "007", "kind": "csat", "score": 5,
              "responded_at": "2025-01-02"}  # fmt: skip
    surveys = [
        survey,
        survey | {"survey_id": "s2", "score": 6},
        survey | {"survey_id": "s3", "kind": "nps", "score": 10},
        survey | {"survey_id": "s4", "kind": "nps", "score": 11},
        survey | {"survey_id": "s5", "kind": "stars"},
    ]
    item = {"evaluation_id": "e1", "interaction_id": "i1", "item": "greeting", "score": 2,
            "score_max": 2, "evaluated_at": "2025-01-02"}  # fmt: skip
    evaluations = [
        item,
        item | {"evaluation_id": "e2", "score": 2.5},
        item | {"evaluation_id": "e3", "score": 0, "score_max": 0},
        item | {"evaluation_id": "e4", "item": " "},
        item | {"evaluation_id": "e5", "interaction_id": "fax"},
        item | {"evaluation_id": "e6", "score": -1},
    ]
    checked = judge(
        engine, tmp_path, orders=[order(1)], customers=[{"customer_id": "007", "email": SECRET}],
        interactions=contacts, messages=messages, surveys=surveys, evaluations=evaluations,
    )  # fmt: skip
    assert reasons(tmp_path, "evaluations") == {
        "e2": ["evaluations.score:at_most"],
        "e3": ["evaluations.score_max:range"],
        "e4": ["evaluations.item:missing"],
        "e5": ["evaluations.interaction_id:unknown_reference"],
        "e6": ["evaluations.score:range"],
    }
    assert reasons(tmp_path, "interactions") == {
        "fax": ["interactions.channel:allowed"],
        "backwards": ["interactions.ended_at:at_least"],
        "negative": ["interactions.handle_seconds:range"],
        "held": ["interactions.hold_seconds:at_most"],
        "half": ["interactions.transfers:not_whole"],
    }
    listed = [r["_reasons"] for r in pq.read_table(tmp_path / "q" / "messages.parquet").to_pylist()]
    assert sorted(listed) == [
        ["messages.interaction_id:unknown_reference"],
        ["messages.position:duplicate"],
        ["messages.speaker:allowed"],
    ]
    assert reasons(tmp_path, "surveys") == {
        "s2": ["surveys.score:range_csat"],
        "s4": ["surveys.score:range_nps"],
        "s5": ["surveys.kind:allowed"],
    }
    assert checked.validation.absent == ("agents", "agent_days", "assignments", "rollouts")
    assert SECRET not in str(checked.validation.as_dict())
    path = tmp_path / "q" / "messages.parquet"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_customers_an_unknown_customer_is_a_prospect(engine, tmp_path, quick):
    contact = {"interaction_id": "i", "customer_id": "who", "channel": "chat",
               "started_at": "2025-01-01"}  # fmt: skip
    checked = judge(engine, tmp_path, orders=[order(1)], interactions=[contact])
    assert checked.validation.tables["interactions"].quarantined == 0


def test_duplicates_keep_the_first_by_time_then_content_but_a_sound_one(engine, tmp_path, quick):
    rows = [
        order(1, ordered_at="2025-01-03", amount=3.0),
        order(1, ordered_at="2025-01-02", amount=2.0),
        order(1, ordered_at="2025-01-01", amount=float("nan")),
        order(2, amount=5.0),
        order(2, amount=4.0),
        order(3),
        order(3),
    ]
    for turn in (rows, rows[::-1]):
        checked = judge(engine, tmp_path, orders=turn)
        kept = engine.to_pandas(checked.tables["orders"]).set_index("order_id")
        assert kept.amount.to_dict() == {"o1": 20_000, "o2": 40_000, "o3": 100_000}
        assert checked.validation.tables["orders"].quarantined == 4


def test_too_many_bad_rows_stop_the_run(engine, tmp_path, quick):
    rows = [order(n) for n in range(18)] + [
        order(n, amount=None, customer_id=SECRET) for n in (18, 19)
    ]
    raw = hold(engine, orders=rows)
    for share in (0.05, 0.0999):
        with pytest.raises(QuarantineError) as caught:
            check(
                raw, DataOptions(), quarantine=tmp_path / "q", loaded_at=LOADED, limit_share=share
            )
    message = str(caught.value)
    assert "orders: 2 of 20 rows (10.0%)" in message
    assert "amount is missing (2)" in message
    assert "orders.parquet" in message
    assert "quality.quarantine_limit_share" in message
    assert SECRET not in message
    assert caught.value.exit_code == 3
    kept = check(raw, DataOptions(), quarantine=tmp_path / "q", loaded_at=LOADED, limit_share=0.1)
    assert kept.validation.tables["orders"].accepted == 18
    assert [n.code for n in kept.tables.notes] == ["quarantined"]
    check(
        hold(engine, orders=rows[:18]), DataOptions(), quarantine=tmp_path / "q", loaded_at=LOADED
    )
    assert not (tmp_path / "q" / "orders.parquet").exists()


@pytest.mark.parametrize(
    ("rows", "error", "parts"),
    [
        (pa.Table.from_pylist([order(1)]).slice(0, 0), DataError, ["orders: the table is empty"]),
        (
            [{"order_id": "1", "customer_id": "1", "ordered_at": "2025-01-01", "amt": 1}],
            SchemaError,
            ["orders: missing column 'amount'", "'amt'", "sources.orders.columns"],
        ),
        (
            [order(1, amount="12,50 EUR")],
            SchemaError,
            ["orders.amount: none of 1 values is a number", "'99,99 aaa'", "cast_number"],
        ),
        (
            [order(1, ordered_at="31/12/2024")],
            SchemaError,
            ["orders.ordered_at", "'99/99/9999'", "parse_time"],
        ),
        ([order(1, ordered_at=20250101)], SchemaError, ["orders.ordered_at: the column is int64"]),
        ([order(1, amount=True)], SchemaError, ["orders.amount: the column is boolean"]),
        ([order(1, customer_id=[1])], SchemaError, ["orders.customer_id", "array"]),
        ([order(1, customer_id=None)], SchemaError, ["none of 1 rows has a value"]),
        (
            [order(1, currency="EUR"), order(2, currency="usd")],
            SchemaError,
            ["2 currencies: 'EUR', 'USD'", "terms.currency"],
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_as_a_whole(engine, tmp_path, quick, rows, error, parts):
    with pytest.raises(error) as caught:
        judge(engine, tmp_path, orders=rows)
    message = str(caught.value)
    assert all(part in message for part in parts), message
    assert "\n" not in message
    assert caught.value.exit_code == 3
    assert not (tmp_path / "q").exists()


@pytest.mark.parametrize(
    ("configured", "column", "expected"),
    [
        (None, None, "units"),
        (None, "eur ", "EUR"),
        ("EUR", "eur", "EUR"),
        ("GBP", None, "GBP"),
        ("GBP", "EUR", SchemaError),
    ],
)
def test_the_currency(engine, tmp_path, quick, configured, column, expected):
    terms = DataOptions(currency=configured) if configured else DataOptions()
    rows = [order(1, **({"currency": column} if column else {}))]
    if expected is SchemaError:
        with pytest.raises(SchemaError, match="2 currencies"):
            judge(engine, tmp_path, terms, orders=rows)
    else:
        assert judge(engine, tmp_path, terms, orders=rows).tables.terms.currency == expected


def test_naive_and_mixed_times_become_utc_with_one_note(engine, tmp_path):
    texts = ["2025-01-01T12:00", "2025-01-01T12:00+02:00", "2025-01-01", "2025-01-01T07:00-05:00"]
    rows = [order(n, ordered_at=text) for n, text in enumerate(texts)]
    checked = judge(engine, tmp_path, orders=rows)
    at = engine.to_pandas(checked.tables["orders"]).set_index("order_id").ordered_at
    noon = int(dt.datetime(2025, 1, 1, 12, tzinfo=dt.UTC).timestamp())
    assert (at - noon).to_dict() == {"o0": 0, "o1": -7200, "o2": -43200, "o3": 0}
    notes = [n for n in checked.tables.notes if n.code == "naive_time"]
    assert [(n.where, n.count) for n in notes] == [("orders", 1)]


@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_typed_times(engine, tmp_path, zone):
    at = pd.Series(pd.to_datetime(["2025-01-01 12:00:00.999"])).dt.tz_localize(zone)
    rows = pd.DataFrame([order(1)]).assign(ordered_at=at)
    checked = judge(engine, tmp_path, orders=pa.Table.from_pandas(rows, preserve_index=False))
    found = int(engine.to_pandas(checked.tables["orders"]).ordered_at.iloc[0])
    assert found == int((at if zone else at.dt.tz_localize("UTC"))[0].timestamp())
    assert [n.code for n in checked.tables.notes] == ([] if zone else ["naive_time"])


def test_ids_of_any_type_become_the_same_text(engine, tmp_path):
    rows = pa.table(
        {
            "order_id": pa.array([1, 2, 3], pa.int64()),
            "customer_id": pa.array([7.0, None, 7.5], pa.float64()),
            "ordered_at": pa.array([dt.date(2025, 1, 1)] * 3),
            "amount": pa.array([1, 2, 3], pa.decimal128(10, 2)),
        }
    )
    checked = judge(engine, tmp_path, orders=rows)
    kept = engine.to_pandas(checked.tables["orders"])
    assert kept[["order_id", "customer_id", "amount"]].to_dict("records") == [
        {"order_id": "1", "customer_id": "7", "amount": 10_000}
    ]
    assert reasons(tmp_path) == {
        2: ["orders.customer_id:missing"],
        3: ["orders.customer_id:unparsable"],
    }


def test_a_column_without_any_value_or_type(engine, tmp_path):
    rows = [order(1, margin=None, refund_of=None, category=None, note=None)]
    kept = engine.to_pandas(judge(engine, tmp_path, orders=rows).tables["orders"])
    assert kept[["margin", "refund_of", "category"]].isna().all(axis=None)
    assert len(kept) == 1


def test_unicode_ids_and_a_cell_of_10_megabytes(engine, tmp_path):
    rows = [order(1, order_id="é😀", customer_id="日本", category="😀" * 2_500_000)]
    checked = judge(engine, tmp_path, orders=rows)
    kept = engine.to_pandas(checked.tables["orders"])
    assert (kept.order_id[0], kept.customer_id[0]) == ("é😀", "日本")
    assert len(kept.category[0]) == 2_500_000


def test_an_empty_optional_table_counts_as_not_given(engine, tmp_path, quick):
    empty = pa.Table.from_pylist([{"customer_id": "1"}]).slice(0, 0)
    contact = {
        "interaction_id": "i",
        "customer_id": "1",
        "channel": "sms",
        "started_at": "2025-01-01",
    }
    checked = judge(engine, tmp_path, orders=[order(1)], customers=empty, interactions=[contact])
    assert "customers" in checked.validation.absent
    assert "customers" not in checked.tables
    assert "empty_table" in [n.code for n in checked.tables.notes]
    assert checked.validation.tables["interactions"].accepted == 1


def test_the_fingerprint_is_of_content(engine, tmp_path, quick):
    def fingerprint(rows):
        return judge(engine, tmp_path, orders=rows).validation.fingerprint

    rows = [order(n) for n in range(5)]
    assert fingerprint(rows) == fingerprint(rows[::-1])
    assert fingerprint(rows) != fingerprint(rows[:4])
    assert fingerprint(rows) != fingerprint([*rows[:4], order(4, amount=10.0001)])


def test_a_quarantine_that_cannot_be_written(engine, tmp_path, quick):
    (tmp_path / "q").write_text("a file, not a folder")
    with pytest.raises(StorageError, match="quarantine") as caught:
        judge(engine, tmp_path, orders=[order(1), order(2, amount=None)])
    assert caught.value.exit_code == 9


def test_a_load_time_without_a_zone(engine, tmp_path):
    with pytest.raises(UsageError, match="time zone"):
        examine(
            hold(engine, orders=[order(1)]),
            DataOptions(),
            quarantine=tmp_path,
            loaded_at=dt.datetime(2025, 1, 1),  # noqa: DTZ001
        )


def test_above_a_million_rows_a_seeded_sample_of_keys_is_seen(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(expectations.compare, "__kwdefaults__", {"sample_rows": 500})
    rows = [order(n % 1900, amount=None if n % 7 == 0 else 1.0) for n in range(2000)]
    suite = judge(engine, tmp_path, orders=rows).validation.gx["orders"]
    assert suite.sampled
    assert 350 < suite.rows_checked < 650
    again = judge(engine, tmp_path, orders=rows[::-1]).validation.gx["orders"]
    assert again == suite


def test_semicolons_and_a_byte_order_mark_reach_the_tables(engine, tmp_path):
    text = "\ufefforder_id;customer_id;ordered_at;amount\n007;042;2025-01-01;9.99\n"
    (tmp_path / "orders.csv").write_text(text, encoding="utf-8")
    raw = read_sources(engine, SourceSpec(folder=str(tmp_path)))
    kept = check(raw, DataOptions(), quarantine=tmp_path / "q", loaded_at=LOADED)
    row = engine.to_pandas(kept.tables["orders"]).iloc[0]
    assert (row.order_id, row.customer_id, row.amount) == ("007", "042", 99_900)
    assert np.issubdtype(type(row.ordered_at), np.integer)


def test_one_order_far_off_the_rest_does_not_say_when_the_data_begin_or_end(
    engine, tmp_path, quick
):
    rows = [order(n) for n in range(60)]
    strays = [
        order(100, ordered_at="1970-01-01"),
        order(101, ordered_at="2025-06-20T10:00Z"),
    ]
    assert judge(engine, tmp_path, orders=rows).tables.span() == (
        dt.date(2025, 1, 1),
        dt.date(2025, 1, 28),
    )
    found = judge(engine, tmp_path, orders=rows + strays)
    assert found.tables.span() == (dt.date(2025, 1, 1), dt.date(2025, 1, 28))
    notes = [note for note in found.validation.notes if note.code == "stray_orders"]
    assert [note.count for note in notes] == [1, 1]
    assert len(engine.to_pandas(found.tables["orders"])) == 61  # the one of 1970 is left out
    assert "1970-01-01" in notes[0].message
    assert "2025-06-20" in notes[1].message
    plain = judge(engine, tmp_path, DataOptions(stray_share=0), orders=rows + strays)
    assert plain.tables.span() == (dt.date(1970, 1, 1), dt.date(2025, 6, 20))
