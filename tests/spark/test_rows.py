"""Rows, rules and quarantine: Spark accepts what DuckDB accepts, and refuses it for the same."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from clv.contract.check import examine
from clv.contract.tables import DataOptions
from clv.errors import SourceError
from clv.sources.expressions import compile_expression
from clv.sources.names import OWN
from clv.sources.parsing import parse_seconds
from clv.sources.reading import RawTables, read_sources
from clv.sources.spec import SourceSpec
from tests.laws.strategies import company
from tests.laws.test_contract_laws import POOLS, drawn
from tests.spark.conftest import LOADED, differences

pytestmark = pytest.mark.spark

DIRTY = ("orders", "interactions", "messages")


@pytest.fixture(scope="module")
def dirty():
    """Return 400 rows of each table, a third of their cells wrong in every known way."""
    rows = drawn(DIRTY, (11, 400, 0.3))
    return {
        name: pd.DataFrame(rows[name], columns=list(POOLS[name]), dtype=object) for name in DIRTY
    }


def checked(engine, frames, place):
    held = {name: engine.frame(frame.astype("str")) for name, frame in frames.items()}
    return examine(RawTables(engine, held), DataOptions(), quarantine=place, loaded_at=LOADED)


def test_dirty_rows_are_accepted_and_refused_alike(spark, duckdb, dirty, tmp_path):
    one = checked(duckdb, dirty, tmp_path / "duckdb")
    other = checked(spark, dirty, tmp_path / "spark")
    for name in DIRTY:
        left, right = one.validation.tables[name], other.validation.tables[name]
        assert left.quarantined > 0
        assert left == right
        frames = [run.tables.engine.to_pandas(run.tables[name]) for run in (one, other)]
        assert differences(*frames, keys=list(frames[0].columns)) == {}
        refused = [
            pq.read_table(tmp_path / kind / f"{name}.parquet") for kind in ("duckdb", "spark")
        ]
        assert refused[0].to_pylist() == refused[1].to_pylist()


def test_a_folder_of_parquet_is_read_and_fingerprinted_alike(spark, duckdb, company, tmp_path):
    spec = SourceSpec(folder=str(company))
    tables = ("orders", "interactions")
    found = []
    for engine in (duckdb, spark):
        raw = read_sources(engine, spec)
        kept = RawTables(engine, {name: raw.frames[name] for name in tables})
        place = tmp_path / engine.name
        found.append(examine(kept, DataOptions(), quarantine=place, loaded_at=LOADED).validation)
    assert found[0].tables == found[1].tables
    assert found[0].fingerprint == found[1].fingerprint


def test_own_columns_of_any_name_change_nothing(spark, duckdb, tmp_path):
    frames = company(3, 12)
    names = ["a.b", "a`b", 'a "b"', " ", "É", "é", "Customer_ID", "channel", "spoken", "at_s", ""]
    names += ["amount__value", "reference_ok", "own channel", "x" * 300, "客户", "select"]
    accepted = []
    for place, own in (("plain", []), ("wide", names)):
        folder = tmp_path / place
        folder.mkdir()
        for name, frame in frames.items():
            wider = frame.assign(**dict.fromkeys(own, frame.index))
            wider.to_parquet(folder / f"{name}.parquet", index=False)
        for engine in (duckdb, spark) if own else (duckdb,):
            raw = read_sources(engine, SourceSpec(folder=str(folder)))
            rows = {"orders": raw.frames["orders"], "customers": raw.frames["customers"]}
            quarantine = tmp_path / f"{place}-{engine.name}"
            found = examine(
                RawTables(engine, rows), DataOptions(), quarantine=quarantine, loaded_at=LOADED
            )
            held = found.tables.frames
            plain = {
                name: rows.drop(*(c for c in rows.columns if c.startswith(OWN)))
                for name, rows in held.items()
            }
            accepted.append({name: engine.to_pandas(rows) for name, rows in plain.items()})
    for other in accepted[1:]:
        for name, key in (("orders", "order_id"), ("customers", "customer_id")):
            assert differences(accepted[0][name], other[name], [key]) == {}


def test_times_of_nanoseconds_and_folders_of_parts_are_read(spark, duckdb, tmp_path):
    at = pd.to_datetime(pd.Series(["2025-01-02T03:04:05.999999", None, "1969-12-31T23:59:59.5"]))
    for part, year in enumerate((2024, 2025)):
        folder = tmp_path / "orders" / f"year={year}"
        folder.mkdir(parents=True)
        frame = pd.DataFrame({"at": at.astype("datetime64[ns]"), "part": part})
        frame.to_parquet(folder / "x.parquet")
    paths = [str(path) for path in sorted(tmp_path.rglob("*.parquet"))]
    frames = []
    for engine in (duckdb, spark):
        rows = engine.read_parquet(paths, partitions=tmp_path / "orders")
        rows = rows.select("part", "year", at_s=parse_seconds(rows["at"]))
        frames.append(engine.to_pandas(rows.cast({"year": "int64"})))
    assert differences(*frames, keys=["part", "at_s"]) == {}
    assert frames[1].at_s.min() == -1


def test_a_uri_and_a_catalog_table_are_read_by_spark_alone(spark, duckdb, tmp_path):
    frame = pd.DataFrame({"order_id": ["a", "b"], "amount": [1.5, 2.5]})
    (tmp_path / "lake").mkdir()
    frame.to_parquet(tmp_path / "lake" / "x.parquet")
    place = f"file://{tmp_path}/lake"
    spark.session.read.parquet(place).createOrReplaceTempView("shop_orders")
    by_uri = SourceSpec.from_mapping({"orders": {"path": place}})
    by_name = SourceSpec.from_mapping({"database": "spark", "orders": {"table": "shop_orders"}})
    for spec in (by_uri, by_name):
        rows = spark.to_pandas(read_sources(spark, spec).frames["orders"])
        assert differences(frame, rows, ["order_id"]) == {}
        with pytest.raises(SourceError, match="Use --engine spark"):
            read_sources(duckdb, spec)
    absent = SourceSpec.from_mapping({"database": "spark", "orders": {"table": "nowhere"}})
    with pytest.raises(SourceError, match="nowhere"):
        read_sources(spark, absent)


def test_partitions_of_any_kind_and_odd_names_are_read_alike(spark, duckdb, tmp_path):
    home = tmp_path / "env=prod" / "shop"
    names = [
        "root.parquet",
        "store=007/a[1].parquet",
        "store=007/a1.parquet",
        "store=007/month=1/b*.parquet",
        "month=2/store=a%20b%2Fc/it's 100% #1.parquet",
        "store=__HIVE_DEFAULT_PARTITION__/d.parquet",
    ]
    for name in names:
        path = home / "orders" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"order_id": [name]}).to_parquet(path, index=False)
    spec = SourceSpec.from_mapping({"folder": str(home)})
    found = []
    for engine in (spark, duckdb):
        rows = engine.to_pandas(read_sources(engine, spec).frames["orders"]).astype(object)
        rows = rows.where(rows.notna(), None)[["order_id", "store", "month"]]
        found.append(sorted(rows.itertuples(index=False, name=None)))
    assert found[0] == found[1]
    assert sorted(row[0] for row in found[0]) == sorted(names)


ODD = pd.DataFrame(
    {
        "n": range(8),
        "whole": [0, 1, -1, 2**31 - 1, 2**62, -(2**63), 2**63 - 1, 5],
        "f": [0.0, -0.5, 1.999999, 1e300, float("nan"), float("inf"), -float("inf"), 2.5],
        "t": ["1700000000", "1.5", "n/a", "", "1e400", "NaN", "2025-01-01", None],
    }
)
CASTS = [
    "whole * whole", "whole + 1", "-whole", "abs(whole)", "whole % 7", "whole / whole", "round(f)",
    "cast_time(whole)", "cast_time(f)", "cast_time(t)", "year(t)", "cast_number(t) * f",
    "concat(n - 1, n * 2)",
]  # fmt: skip


def test_casts_of_odd_cells_stop_neither_engine_and_agree(spark, duckdb):
    found = []
    for engine in (spark, duckdb):
        table = engine.frame(ODD)
        values = {f"v{k}": compile_expression(c, table, where=c) for k, c in enumerate(CASTS)}
        texts = {name: value.cast("string") for name, value in values.items()}
        numeric = {name for name, value in values.items() if value.type().is_numeric()}
        rows = table.select("n", **{k: values[k] if k in numeric else texts[k] for k in values})
        found.append(engine.to_pandas(rows).sort_values("n", ignore_index=True))
    for name, cast in zip(found[0].columns[1:], CASTS, strict=True):
        one, two = (frame[name] for frame in found)
        if pd.api.types.is_numeric_dtype(one):
            assert np.array_equal(one.astype(float), two.astype(float), equal_nan=True), cast
        else:
            assert one.fillna("").str[:19].tolist() == two.fillna("").str[:19].tolist(), cast
