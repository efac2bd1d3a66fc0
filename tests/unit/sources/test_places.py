"""Places of tables as users have them: odd names, partitions of any kind, views, wide tables."""

import gzip
import sqlite3
import time
from urllib.parse import quote

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clv.engines.connect import connect
from clv.errors import SchemaError, SourceError
from clv.sources import bounds
from clv.sources.reading import read_sources
from clv.sources.spec import SourceSpec

NAMES = [
    "part[1].parquet",
    "part1.parquet",
    "part*.parquet",
    "part?.parquet",
    "a=b.parquet",
    "{x,y}.parquet",
    "it's 100% #1 é😀.parquet",
    "back\\slash.parquet",
]


@pytest.fixture(scope="module")
def engine():
    with connect(threads=1) as engine:
        yield engine


def read(engine, folder, **settings):
    spec = SourceSpec.from_mapping({"folder": str(folder), **settings})
    return engine.to_pandas(read_sources(engine, spec).frames["orders"])


def put(path, **cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame({name: [cell] for name, cell in cells.items()})
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)


def test_a_file_of_any_name_is_that_file(engine, tmp_path):
    for name in NAMES:
        put(tmp_path / "orders" / name, order_id=name)
    found = read(engine, tmp_path)
    assert list(found.columns) == ["order_id"]
    assert sorted(found.order_id) == sorted(NAMES)
    for name in NAMES:
        alone = read(engine, tmp_path, orders={"path": f"orders/{name}"})
        assert alone.order_id.tolist() == [name]


def test_a_pattern_takes_brackets_as_they_are(engine, tmp_path):
    for name in ["l[1]_a.parquet", "l[1]_b.parquet", "l1_c.parquet"]:
        put(tmp_path / name, order_id=name)
    found = read(engine, tmp_path, orders={"path": "l[1]_*.parquet"})
    assert sorted(found.order_id) == ["l[1]_a.parquet", "l[1]_b.parquet"]


def test_a_path_that_duckdb_cannot_be_told_is_refused_by_name(engine, tmp_path):
    put(tmp_path / "orders" / "a\\[1].parquet", order_id="o1")
    with pytest.raises(SourceError, match=r"a\\\[1\]\.parquet: a path with a backslash"):
        read(engine, tmp_path)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_partitions_of_any_kind_beside_each_other(engine, tmp_path, suffix):
    home = tmp_path / "env=prod" / "shop"  # above the table: no column of it
    names = {
        f"root{suffix}": (None, None),
        f"store=007/a{suffix}": ("007", None),
        f"store=007/month=1/b{suffix}": ("007", "1"),
        f"month=2/store={quote('a b/c', safe='')}/c{suffix}": ("a b/c", "2"),
        f"store=__HIVE_DEFAULT_PARTITION__/d{suffix}": (None, None),
        f"plain/e{suffix}": (None, None),
    }
    for name in names:
        put(home / "orders" / name, order_id=name)
    found = read(engine, home).astype(object)
    assert set(found.columns) == {"order_id", "store", "month"}
    rows = found.where(found.notna(), None).set_index("order_id")
    assert {n: (rows.store[n], rows.month[n]) for n in rows.index} == names


def test_one_file_in_a_folder_with_an_equals_sign_has_its_own_columns(engine, tmp_path):
    put(tmp_path / "env=prod" / "orders.parquet", order_id="o1")
    assert list(read(engine, tmp_path / "env=prod").columns) == ["order_id"]


def test_parts_of_several_kinds_have_one_type(engine, tmp_path):
    put(tmp_path / "orders" / "a.parquet", order_id=1, amount=1)
    put(tmp_path / "orders" / "m=1" / "b.parquet", order_id=2, amount=2.5)
    put(tmp_path / "orders" / "m=1" / "n=1" / "c.parquet", order_id="o3", amount=3)
    found = read(engine, tmp_path).set_index("order_id")
    assert found.amount.to_dict() == {"1": 1.0, "2": 2.5, "o3": 3.0}


def test_a_view_reads_its_database_and_files_beside_it_alone(engine, tmp_path):
    shop, secret = tmp_path / "shop", tmp_path / "secret.csv"
    put(shop / "beside.parquet", order_id="o2")
    secret.write_text("order_id\nhidden\n")
    with duckdb.connect(str(shop / "shop.duckdb")) as base:
        base.execute("create table t as select 'o1' as order_id")
        base.execute("create view inside as select * from t")
        base.execute(f"create view beside as select * from '{shop}/beside.parquet'")
        base.execute(f"create view outside as select * from read_csv('{secret}')")
        base.execute("create view passwords as select content as order_id from read_text('/etc/*')")
    frame = pd.DataFrame({"order_id": ["of this process"]})  # no view sees it
    with duckdb.connect(str(shop / "shop.duckdb")) as base:
        base.execute("set python_scan_all_frames = true")
        base.register("frame", frame)

    def of(view):
        database = str(shop / "shop.duckdb")
        return read(engine, shop, database=database, orders={"table": view}).order_id.tolist()

    assert of("t") == ["o1"]
    assert of("inside") == ["o1"]
    assert of("beside") == ["o2"]
    for view in ("outside", "passwords"):
        refused = f"the view '{view}' cannot be read.*may read"
        with pytest.raises(SourceError, match=refused) as error:
            of(view)
        assert "hidden" not in str(error.value)
        assert "\n" not in str(error.value)


def test_nothing_is_installed_loaded_or_changed_by_a_query(engine):
    for setting in ("autoinstall_known_extensions", "autoload_known_extensions"):
        found = engine.connection.execute(f"select current_setting('{setting}')").fetchone()
        assert found == (False,)
    with pytest.raises(duckdb.InvalidInputException, match="locked"):
        engine.connection.execute("set autoload_known_extensions = true")


def test_lists_within_lists_are_refused_by_name_before_any_work(engine, tmp_path):
    for depth in (16, 17, 32):
        kind, cell = pa.int64(), 1
        for _ in range(depth):
            kind, cell = pa.list_(kind), [cell]
        rows = pa.table({"order_id": ["o1"], "deep": pa.array([cell], kind)})
        pq.write_table(rows, tmp_path / "orders.parquet")
        if depth == 16:
            assert read(engine, tmp_path).order_id.tolist() == ["o1"]
            continue
        with pytest.raises(SchemaError, match=r"orders\.deep: .* more than 16 deep") as error:
            read(engine, tmp_path)
        assert error.value.exit_code == 3


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_twenty_thousand_columns_are_refused_by_name_in_seconds(engine, tmp_path, suffix):
    put(tmp_path / f"orders{suffix}", **{f"c{n}_": "x" for n in range(20_000)})
    began = time.monotonic()
    with pytest.raises(SchemaError, match=r"has 20,000 columns; expected at most 2,000"):
        read(engine, tmp_path)
    assert time.monotonic() - began < 20


def test_a_wide_table_of_a_database_is_refused_too(engine, tmp_path):
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as base:
        columns = ", ".join(f"1 as c{n}" for n in range(2001))
        base.execute(f"create table orders as select {columns}")
    with pytest.raises(SchemaError, match=r"has 2,001 columns"):
        read(engine, tmp_path, database=str(tmp_path / "shop.duckdb"), orders={"table": "orders"})


def bomb(kind, place):
    """Write a small file that stands for very many bytes; return the words of its refusal."""
    count = np.zeros(20_000, np.int32)
    long = pa.DictionaryArray.from_arrays(pa.array(count), pa.array(["x" * 1_000_000]))
    if kind == "gzip":
        rows = b"order_id,note\n" + b"o1,none\n" * 1_000_000
        (place / "orders.csv.gz").write_bytes(gzip.compress(rows))
        return r"orders\.csv\.gz is .* unpacks to more than .* 250 times its size"
    if kind == "rows":
        table = pa.table({f"c{n}": pa.nulls(1_000_000) for n in range(4)})
        refused = r"orders\.parquet says that its .* hold 1,000,000 rows of 4 columns"
    elif kind == "alike":  # such columns are renamed in a copy
        table = pa.table({"note": long, "Note": long})
        refused = r"orders\.parquet holds more than 40,000,000,000 bytes of text and is"
    else:
        table = pa.table({"order_id": count, "note": long})
        refused = r"orders\.parquet holds 20,000,000,000 bytes of text in 'note'"
    pq.write_table(table, place / "orders.parquet", dictionary_pagesize_limit=10**8)
    return refused


@pytest.mark.parametrize("kind", ["dictionary", "alike", "rows", "gzip"])
def test_a_small_file_that_stands_for_terabytes_is_refused_by_name(
    kind, engine, tmp_path, monkeypatch
):
    refused = bomb(kind, tmp_path)
    if kind in ("rows", "gzip"):  # which would take seconds to write
        monkeypatch.setattr(bounds, "ALWAYS_BYTES", 2**20)
    with pytest.raises(SourceError, match=refused) as error:
        read(engine, tmp_path)
    assert error.value.exit_code == 3


def test_repeated_texts_of_a_whole_table_are_read(engine, tmp_path, monkeypatch):
    """A thousandfold is no bomb, and beside large files no small one is."""
    monkeypatch.setattr(bounds, "ALWAYS_BYTES", 2**20)
    ids = [f"o{n}" for n in range(20_000)]
    frame = pd.DataFrame({"order_id": ids, "note": "the same hundred characters" * 4})
    frame.to_parquet(tmp_path / "orders.parquet", index=False)
    assert read(engine, tmp_path).order_id.nunique() == len(ids)


def test_a_table_without_a_row_is_read_as_one(engine, tmp_path):
    with sqlite3.connect(tmp_path / "shop.db") as base:
        base.execute("create table orders (order_id text)")
    spec = SourceSpec.from_mapping({"database": f"sqlite:///{tmp_path / 'shop.db'}"})
    assert engine.to_pandas(read_sources(engine, spec).frames["orders"]).empty
