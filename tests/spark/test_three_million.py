"""Three million events: Spark's features, outcomes and markers are DuckDB's."""

import sys
from pathlib import Path

import pytest

from clv.contract.tables import Tables, physical
from tests.spark.conftest import differences
from tests.spark.test_features import KEYS, computed

pytestmark = [pytest.mark.spark, pytest.mark.slow]

EVENTS = 3_000_000
HORIZON_DAYS = 60  # the events end eleven weeks after the cutoff


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder of orders, contacts and messages, three million together."""
    pytest.importorskip("pyspark", reason="PySpark is not installed; make test-spark has it")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
        sys.modules.pop("spark_cost", None)
        from spark_cost import made

        place = tmp_path_factory.mktemp("events")
        made(place, EVENTS)
    return place


def tables(engine, folder):
    frames = {
        path.stem: physical(path.stem, engine.read_parquet([str(path)]))
        for path in sorted(folder.glob("*.parquet"))
    }
    return Tables(engine, {name: engine.cache(rows) for name, rows in frames.items()})


def test_three_million_events_come_out_the_same(spark, duckdb, folder):
    one, other = (computed(tables(engine, folder), HORIZON_DAYS) for engine in (duckdb, spark))
    assert len(one["features"]) > 100_000
    for name, frame in one.items():
        assert differences(frame, other[name], KEYS.get(name, ["customer_id"])) == {}, name
