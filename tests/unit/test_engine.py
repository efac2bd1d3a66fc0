"""The engine: exact types, several results at once, its own directory, errors that help."""

import pandas as pd
import pytest

from clv.engines import duckdb as duckdb_engine
from clv.engines.connect import connect
from clv.engines.duckdb import DuckDBEngine
from clv.errors import StorageError, UsageError


@pytest.fixture
def engine():
    with connect(threads=1) as opened:
        yield opened


def test_sums_of_whole_numbers_stay_whole(engine):
    table = engine.frame(pd.DataFrame({"x": [2**60, 2**60, -(2**60)]}))
    total = engine.to_pandas(table.aggregate(total=table.x.sum()))
    assert str(total.total.dtype) == "int64"
    assert total.total[0] == 2**60


def test_two_results_can_be_read_at_once(engine):
    table = engine.frame(pd.DataFrame({"x": range(10)})).order_by("x")
    one, other = engine.batches(table, 3), engine.batches(table, 4)
    assert next(one).num_rows == 3
    assert next(other).num_rows == 4
    assert sum(batch.num_rows for batch in one) == 7


def test_what_is_cached_outlives_its_source_and_can_be_released(engine):
    table = engine.frame(pd.DataFrame({"x": [1, 2]}))
    held = engine.cache(table.mutate(y=table.x * 2))
    engine.release(table)
    assert engine.to_pandas(held).y.tolist() == [2, 4]


def test_parquet_there_and_back(engine, tmp_path):
    table = engine.frame(pd.DataFrame({"id": ["007", "üñ"], "x": [1.5, None]}))
    engine.to_parquet(table.order_by("id"), tmp_path / "it's.parquet")
    again = engine.to_pandas(engine.read_parquet([str(tmp_path / "it's.parquet")]))
    assert again.id.tolist() == ["007", "üñ"]


def test_close_leaves_nothing_on_the_disk(tmp_path):
    engine = DuckDBEngine(temp_directory=tmp_path)
    assert list(tmp_path.iterdir())
    engine.close()
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    with pytest.raises(StorageError, match=r"Free some space, or set engine\.temp_directory"):
        DuckDBEngine(temp_directory=blocked / "spill")


def test_an_engine_that_is_none():
    with pytest.raises(UsageError, match="'polars' is not an engine"):
        connect("polars")


def test_too_little_memory_says_what_to_raise(monkeypatch):
    monkeypatch.setitem(duckdb_engine.CLOSED, "max_temp_directory_size", "1MB")
    with DuckDBEngine(memory_limit="20MB", threads=1) as engine:
        crossed = table = engine.frame(pd.DataFrame({"x": range(10)}))
        for name in "abcdef":
            crossed = crossed.cross_join(table.select(**{name: "x"}))
        with pytest.raises(StorageError, match=r"engine\.memory_limit"):
            engine.cache(crossed.order_by("x"))


def test_aggregates_over_some_rows_are_those_of_the_rows_alone(engine):
    rows = engine.frame(pd.DataFrame({"x": [1.0, None, 3.0, 4.0], "word": ["a", "b", "a", "c"]}))

    def asked(rows, where):
        return engine.to_pandas(
            rows.aggregate(
                rows=rows.count(where=where),
                known=rows.x.count(where=where),
                total=rows.x.sum(where=where),
                least=rows.x.min(where=where),
                words=rows.word.nunique(where=where),
                last=rows.word.argmax(rows.x, where=where),
            )
        )

    for wanted in (["a"], ["a", "b"], ["c", "d"], ["d"]):
        some = rows.word.isin(wanted)
        pd.testing.assert_frame_equal(asked(rows, some), asked(rows.filter(some), None))
