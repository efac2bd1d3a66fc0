"""What can be said of Spark without Spark: how it is asked for, and what is given to it."""

import sys

import pandas as pd
import pyarrow as pa
import pytest

from clv.engines.connect import connect
from clv.engines.spark_forms import java_size, located, plain
from clv.errors import UsageError


def test_spark_that_is_not_installed_is_said_in_one_line(monkeypatch):
    for name in ("pyspark", "pyspark.errors", "pyspark.sql"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=r"pip install 'clv\[spark\]', or use --engine duckdb"):
        connect("spark")


def test_an_engine_that_is_none_is_refused():
    with pytest.raises(UsageError, match="'polars' is not an engine; expected 'duckdb' or 'spark'"):
        connect("polars")


def test_sizes_are_written_as_java_reads_them():
    assert [java_size(text) for text in ("4GB", "512 MB", "1.5GiB")] == ["4096m", "512m", "1536m"]
    with pytest.raises(UsageError, match="memory_limit is 'much'"):
        java_size("much")


def test_places_of_this_machine_are_named_as_such():
    assert located("/data/x.parquet") == "file:///data/x.parquet"
    assert located("s3a://bucket/x.parquet") == "s3a://bucket/x.parquet"


def test_frames_are_given_in_types_that_spark_has():
    frame = pd.DataFrame(
        {
            "kind": pd.Categorical(["a", None]),
            "at": pd.to_datetime(["2025-01-01", None]).astype("datetime64[ns]"),
            "none": [None, None],
        }
    )
    given = plain(pa.Table.from_pandas(frame, preserve_index=False))
    assert [str(field.type) for field in given.schema] == ["string", "timestamp[us]", "string"]
    assert given["kind"].to_pylist() == ["a", None]
