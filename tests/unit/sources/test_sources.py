"""Sources: every kind of place a table may lie in, and what is said when it cannot be read."""

import sqlite3
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from clv.engines.connect import connect
from clv.errors import DataError, SchemaError, SettingsError, SourceError, StorageError
from clv.sources.reading import read_sources
from clv.sources.spec import SourceSpec

ORDERS = pd.DataFrame(
    {
        "order_id": ["007", "o2", "é😀"],
        "customer_id": ["01", "02", "01"],
        "ordered_at": ["2025-01-01T10:00Z", "2025-01-02", "2025-01-03 12:00:00"],
        "amount": ["9.99", "0", "-1.5"],
    }
)
CONFIG = Path(__file__).parents[3] / "pipelines" / "config"


@pytest.fixture(scope="module")
def engine():
    with connect(threads=1) as engine:
        yield engine


def read(engine, **settings):
    return read_sources(engine, SourceSpec.from_mapping(settings))


def orders(engine, **settings):
    frame = engine.to_pandas(read(engine, **settings).frames["orders"])
    return frame.sort_values("order_id").reset_index(drop=True)


EXPECTED = ORDERS.sort_values("order_id").reset_index(drop=True)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_csv_keeps_every_cell_as_text(engine, tmp_path, delimiter, encoding):
    ORDERS.to_csv(tmp_path / "orders.csv", sep=delimiter, index=False, encoding=encoding)
    assert orders(engine, folder=str(tmp_path)).equals(EXPECTED.astype("str"))


def test_csv_with_quoted_newlines_and_a_cell_of_10_megabytes(engine, tmp_path):
    frame = ORDERS.assign(note=['one\n"two", three', "😀" * 2_500_000, None])
    frame.to_csv(tmp_path / "orders.csv", index=False)
    found = orders(engine, folder=str(tmp_path)).set_index("order_id").note
    assert found["007"] == 'one\n"two", three'
    assert len(found["o2"]) == 2_500_000
    assert pd.isna(found["é😀"])


def test_a_folder_of_parts_and_hive_partitions(engine, tmp_path):
    for number, row in ORDERS.iterrows():
        part = tmp_path / "orders" / f"region=r{number}"
        part.mkdir(parents=True)
        pd.DataFrame([row]).to_parquet(part / "part.parquet")
    found = orders(engine, folder=str(tmp_path))
    assert found[list(ORDERS)].equals(EXPECTED)
    assert sorted(found.region) == ["r0", "r1", "r2"]


def test_parts_of_csv_may_differ_in_columns(engine, tmp_path):
    (tmp_path / "orders").mkdir()
    ORDERS[:2].to_csv(tmp_path / "orders" / "1.csv", index=False)
    ORDERS[2:].assign(margin="1").to_csv(tmp_path / "orders" / "2.csv.gz", index=False)
    found = orders(engine, folder=str(tmp_path))
    assert found[list(ORDERS)].equals(EXPECTED.astype("str"))
    assert found.margin.isna().sum() == 2


def test_a_duckdb_file_and_a_sql_database(engine, tmp_path):
    place = tmp_path / "shop.duckdb"
    with duckdb.connect(str(place)) as base:
        base.register("frame", ORDERS)
        base.execute("create table sales as select * from frame")
    assert orders(engine, database=str(place), orders={"table": "sales"}).equals(EXPECTED)
    with sqlite3.connect(tmp_path / "shop.db") as base:
        ORDERS.astype({"amount": float}).to_sql("orders", base, index=False)
        ORDERS.to_sql('odd "name"; --', base, index=False)
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    found = orders(engine, database=url)
    assert found.amount.tolist() == ["9.99", "0.0", "-1.5"]
    assert orders(engine, database=url, orders={"table": 'odd "name"; --'}).equals(EXPECTED)


def test_mapping_renames_computes_and_keeps_the_rest(engine, tmp_path):
    own = pd.DataFrame({"Nr": [7], "Who": [1], "On": ["1.2.2025"], "Net": [3.0], "shop": ["x"]})
    own.to_parquet(tmp_path / "bills.parquet")
    frame = orders(
        engine,
        folder=str(tmp_path),
        orders={
            "path": "bills.parquet",
            "columns": {
                "order_id": "Nr",
                "customer_id": 'concat("c", Who)',
                "ordered_at": 'parse_time(On, "%d.%m.%Y")',
                "amount": "Net * 2",
            },
            "constants": {"currency": "EUR"},
        },
    )
    assert frame.to_dict("records") == [
        {
            "On": "1.2.2025",
            "Net": 3.0,
            "shop": "x",
            "order_id": 7,
            "customer_id": "c1",
            "ordered_at": "2025-02-01T00:00:00",
            "amount": 6.0,
            "currency": "EUR",
        }
        | {"Who": 1}
    ]


LINES = pd.DataFrame(
    [
        # invoice, product, quantity, price, day, customer
        ("1", "A", 2, 5.0, "2025-01-01", "c"),
        ("2", "A", 2, 5.0, "2025-01-02", "c"),
        ("C3", "A", -2, 5.0, "2025-01-03", "c"),  # takes back invoice 2, the latest open one
        ("C4", "A", -2, 5.0, "2025-01-04", "c"),  # takes back invoice 1
        ("C5", "A", -2, 5.0, "2025-01-05", "c"),  # nothing is open any more
        ("6", "A", 2, 5.0, "2025-01-06", "c"),
        ("C7", "A", -2, 4.0, "2025-01-07", "c"),  # another price
        ("C8", "A", -2, 5.0, "2025-01-08", "d"),  # another customer
        ("9", "POST", 1, 3.0, "2025-01-09", "c"),
        ("9", "B", 1, 3.0, "2025-01-09", "c"),
        ("9", "B", 1, 3.0, "2025-01-09", "c"),
        ("10", "B", 1, 3.0, "2025-01-10", None),
    ],
    columns=["Invoice", "Stock", "Quantity", "Price", "Day", "Customer"],
)
LINE_SETTINGS = {
    "path": "lines.parquet",
    "policies": [
        {"name": "no_customer", "when": "is_null(Customer)"},
        {"name": "twice", "when": "duplicate"},
        {"name": "fees", "when": 'Stock == "POST"', "action": "keep"},
    ],
    "cancellations": {
        "when": 'startswith(Invoice, "C")',
        "same": ["Customer", "Stock", "Price"],
        "quantity": "Quantity",
        "at": "Day",
        "invoice": "Invoice",
    },
    "group_by": ["Invoice", "Customer", "matched"],
    "columns": {
        "order_id": "Invoice",
        "customer_id": "Customer",
        "ordered_at": "min(Day)",
        "amount": "sum(Quantity * Price)",
        "refund_of": "matched",
    },
}


@pytest.mark.parametrize("order", [1, -1])
def test_lines_become_orders_by_named_policies_with_counts(engine, tmp_path, order):
    LINES.iloc[::order].to_parquet(tmp_path / "lines.parquet")
    raw = read(engine, folder=str(tmp_path), orders=LINE_SETTINGS)
    frame = engine.to_pandas(raw.frames["orders"]).set_index("order_id")
    assert frame.amount.to_dict() == {
        "1": 10, "2": 10, "C3": -10, "C4": -10, "C5": -10, "6": 10, "C7": -8, "C8": -10, "9": 6,
    }  # fmt: skip
    assert frame.refund_of.dropna().to_dict() == {"C3": "2", "C4": "1"}
    counts = {(note.code, note.where): note.count for note in raw.notes}
    assert counts == {
        ("policy", "orders.no_customer"): 1,
        ("policy", "orders.twice"): 1,
        ("policy", "orders.fees"): 1,
        ("cancellation_matched", "orders.cancellations"): 2,
        ("cancellation_unmatched", "orders.cancellations"): 3,
    }


@pytest.mark.parametrize(
    ("files", "settings", "error", "parts"),
    [
        ({}, {}, SourceError, ["orders: no such table", "orders.parquet", "sources.orders"]),
        ({"order.csv": "a\n"}, {}, SourceError, ["found 'order.csv'"]),
        ({}, {"orders": {"path": "no.csv"}}, SourceError, ["no file at", "sources.orders.path"]),
        ({}, {"orders": {"path": "a/**b"}}, SourceError, ["no file at", "sources.orders.path"]),
        ({}, {"orders": {"path": "package:a.b/x"}}, SourceError, ["is not installed"]),
        ({}, {"orders": {"path": "package:../x"}}, SourceError, ["is not installed"]),
        ({"orders.csv": ""}, {}, DataError, ["orders.csv is empty"]),
        ({"orders.csv": "\na,b\n1,2\n"}, {}, DataError, ["begins with a blank line"]),
        (
            {"orders.csv": "a,b\n1,2,3 secret\n"},
            {},
            SourceError,
            ["CSV", "line 2", "as many cells"],
        ),
        ({"orders.csv": "amount,amount\n1,2\n"}, {}, SchemaError, ["column 'amount' twice"]),
        ({"orders.csv": "a\n\xff\n"}, {}, SourceError, ["UTF-8", ".encoding"]),
        ({"orders.csv": "a,\xff\n1,2\n"}, {}, SourceError, ["UTF-8", ".encoding"]),
        ({"orders.csv": '"a\nb",c\n1,2\n'}, {}, DataError, ["over several lines"]),
        ({"orders.csv": "x" * 140_000 + ",b\n1,2\n"}, {}, DataError, ["holds no column names"]),
        ({"orders.parquet": "nonsense"}, {}, SourceError, ["cannot be read as Parquet"]),
        ({"orders.csv": "a\n", "orders.parquet": "x"}, {}, SourceError, ["holds it 2 times"]),
        (
            {"orders.csv": "a\n1\n"},
            {"customers": {"columns": {"customer_id": "a"}}},
            SourceError,
            ["sources.customers says how to map it"],
        ),
        (
            {"o.txt": "1 2\n1\n"},
            {"orders": {"path": "o.txt", "format": "whitespace", "names": ["a", "b"]}},
            SourceError,
            ["line 2: 1 columns; expected 2"],
        ),
        ({}, {"orders": {"path": "package:no_such/x"}}, SourceError, ["not installed"]),
    ],
)
def test_what_cannot_be_read_is_named(engine, tmp_path, files, settings, error, parts):
    for name, text in files.items():
        (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(error) as caught:
        read(engine, folder=str(tmp_path), **settings)
    message = str(caught.value)
    assert all(part in message for part in parts), message
    assert "secret" not in message
    assert "\n" not in message
    assert caught.value.exit_code == 3


def test_a_parquet_file_broken_beyond_its_schema_is_named(tmp_path):
    frame = pd.DataFrame({"order_id": [f"order {k}" for k in range(1000)]})
    frame.to_parquet(tmp_path / "orders.parquet")
    content = bytearray((tmp_path / "orders.parquet").read_bytes())
    content[4:2000] = bytes(1996)
    (tmp_path / "orders.parquet").write_bytes(content)
    with (
        connect("duckdb", threads=1) as engine,
        pytest.raises(SourceError, match=r"orders\.parquet cannot be read as Parquet"),
    ):
        engine.to_pandas(read(engine, folder=str(tmp_path)).frames["orders"])


NEVER = {
    "NaT": pa.array([-(2**63), 5], pa.timestamp("us")),
    "NaT in nanoseconds": pa.array([-(2**63), 5], pa.timestamp("ns", "UTC")),
    "milliseconds": pa.array([5, 2**61], pa.timestamp("ms")),
    "a date": pa.array([-(2**31), 5], pa.int32()).cast(pa.date32()),
    "within a list": pa.array([[5, -(2**63)], None], pa.list_(pa.timestamp("us"))),
}


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("kind", NEVER)
def test_a_time_beyond_all_calendars_is_refused_by_name(kind, told, engine, tmp_path):
    """DuckDB breaks down on some, and the engine with it; a footer need not tell."""
    table = pa.table({"order_id": ["a", "b"], "ordered_at": NEVER[kind]})
    pq.write_table(table, tmp_path / "orders.parquet", write_statistics=told)
    with pytest.raises(SourceError, match=r"orders\.parquet holds in 'ordered_at' a time .*NaT"):
        read(engine, folder=str(tmp_path))


def test_a_message_is_short_however_long_a_name_is(engine, tmp_path):
    (tmp_path / "orders.csv").write_text("x" * 70_000 + ",b\n1,2\n")
    with pytest.raises(SettingsError) as caught:
        read(engine, folder=str(tmp_path), orders={"columns": {"order_id": "no_such"}})
    assert "no_such" in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_what_is_the_engines_fault_is_not_laid_on_a_source(tmp_path):
    ORDERS.to_parquet(tmp_path / "orders.parquet")
    with connect("duckdb", threads=1) as engine:
        table = engine.cache(read(engine, folder=str(tmp_path)).frames["orders"])
        with pytest.raises(StorageError, match="stands in its place"):
            engine.to_parquet(table, tmp_path / "orders.parquet" / "o.parquet")
        (tmp_path / "orders.parquet").unlink()
        with pytest.raises(duckdb.ConversionException):
            engine.to_pandas(table.mutate(number=table.order_id.cast("int64")))
        engine.connection.close()
        with pytest.raises(duckdb.ConnectionException):
            engine.run("select 1")


def test_any_column_name_and_any_end_of_line(engine, tmp_path):
    (tmp_path / "orders.csv").write_bytes(b'order_id,"the ""note"" = 1"\r007,008\r')
    assert orders(engine, folder=str(tmp_path)).to_dict("list") == {
        "order_id": ["007"],
        'the "note" = 1': ["008"],
    }


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("sqlite:///{folder}/no/such.db", ["sources.database cannot be opened"]),
        ("nonsense", ["sources.database cannot be opened"]),
        ("postgresql+psycopg://me:secret@127.0.0.1:1/shop", ["cannot be opened"]),
        ("{folder}/no.duckdb", ["cannot be read as a DuckDB database"]),
    ],
)
def test_a_database_that_cannot_be_reached(engine, tmp_path, url, parts):
    with pytest.raises(SourceError) as caught:
        read(engine, database=url.format(folder=tmp_path), orders={"table": "orders"})
    message = str(caught.value)
    assert "secret" not in message
    assert "\n" not in message


def test_a_table_that_the_database_lacks(engine, tmp_path):
    with sqlite3.connect(tmp_path / "shop.db") as base:
        ORDERS.to_sql("sales", base, index=False)
    with pytest.raises(SourceError, match=r"no table 'orders' in sqlite.*found 'sales'.*\.table"):
        read(engine, database=f"sqlite:///{tmp_path / 'shop.db'}", orders={"table": "orders"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"orders": {"delimiter": ";;"}}, "delimiter is ';;'; expected one ASCII character"),
        ({"foldr": "x"}, "sources.foldr is not a setting. Did you mean 'folder'?"),
        ({"order": {}}, "sources.order is not a setting. Did you mean 'orders'?"),
        (
            {"orders": {"colums": {}}},
            "sources.orders.colums is not a setting. Did you mean 'columns'?",
        ),
        ({"orders": {"policies": [{"name": "x", "wen": "y"}]}}, "policies[0].wen"),
        ({"orders": {"policies": [{"name": "x"}]}}, "sources.orders.policies[0].when is missing"),
        ({"orders": {"policies": [{"name": "x", "when": "y", "action": "eat"}]}}, "drop, keep"),
        ({"orders": {"format": "xls"}}, "expected one of auto, parquet, csv, whitespace"),
        ({"orders": {"skip_rows": -1}}, "expected a whole number"),
        ({"orders": "orders.csv"}, "expected keys and values"),
        ({"folder": 3}, "sources.folder is a number; expected text"),
    ],
)
def test_settings_that_mean_nothing(settings, message):
    with pytest.raises(SettingsError) as caught:
        SourceSpec.from_mapping(settings)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_shipped_settings_read_cdnow_and_its_sample(engine):
    sources = yaml.safe_load((CONFIG / "cdnow.yaml").read_text())["sources"]
    master = orders(engine, **sources)
    assert (len(master), master.customer_id.nunique()) == (69_659, 23_570)
    assert master.order_id.nunique() == len(master)
    sources["orders"] |= {
        "path": "package:lifetimes/datasets/CDNOW_sample.txt",
        "names": ["master_id", "customer", "date", "discs", "dollars"],
        "skip_rows": 0,
    }
    sample = orders(engine, **sources)
    assert (len(sample), sample.customer_id.nunique()) == (6_919, 2_357)


def test_shipped_settings_read_online_retail(engine, realdata):
    sources = yaml.safe_load((CONFIG / "online_retail.yaml").read_text())["sources"]
    sources["folder"] = str(realdata / "online_retail_ii")
    raw = read_sources(engine, SourceSpec.from_mapping(sources))
    frame = engine.to_pandas(raw.frames["orders"])
    counts = {note.where + ":" + note.code: note.count for note in raw.notes}
    assert counts["orders.no_customer:policy"] == 107_927
    assert counts["orders.duplicate_lines:policy"] == 6_771
    assert frame.order_id.is_unique
    assert set(frame.refund_of.dropna()) <= set(frame.order_id)


def test_a_file_without_a_header_names_nobody():
    from clv.errors import SchemaError

    cells = ["c17", "Anna Schmidt", "anna.schmidt@acme-corp.de", "+49 170 1234567"]
    error = str(SchemaError.missing_columns("customers", ["customer_id"], cells))
    assert not [word for word in ("Anna", "schmidt", "acme", "170") if word in error]
    assert "first line seems to be data" in error
    names = ["Invoice", "Customer ID", "Price", "orders_30d", "Größe"]
    assert all(name in str(SchemaError.missing_columns("orders", ["x"], names)) for name in names)
