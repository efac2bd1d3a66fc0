"""One Spark session for all tests, and the same tables on both engines."""

import datetime as dt
import shutil

import numpy as np
import pandas as pd
import pytest

from clv.contract.check import examine
from clv.contract.tables import DataOptions, Tables
from clv.engines.connect import connect
from clv.simulation import SimulationOptions, simulate
from clv.sources.reading import read_sources
from clv.sources.spec import SourceSpec

LOADED = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="session")
def spark():
    """Return a Spark engine on two cores of this machine."""
    pytest.importorskip("pyspark", reason="PySpark is not installed; make test-spark has it")
    if shutil.which("java") is None:
        pytest.skip("there is no java")
    with connect("spark", threads=2, memory_limit="4GB") as engine:
        yield engine


@pytest.fixture(scope="session")
def duckdb():
    with connect(threads=1) as engine:
        yield engine


@pytest.fixture(scope="session")
def company(tmp_path_factory):
    """Return the folder of a simulated company of 2,000 customers, as it would deliver it."""
    folder = tmp_path_factory.mktemp("company")
    simulate(SimulationOptions(customers=2_000, agents=40, seed=5)).write(folder)
    return folder


@pytest.fixture(scope="session")
def accepted(company, duckdb, tmp_path_factory):
    """Return a function from an engine to the company's accepted tables, read by it."""
    folder = tmp_path_factory.mktemp("accepted")
    checked = examine(
        read_sources(duckdb, SourceSpec(folder=str(company))),
        DataOptions(margin_rate=0.3),
        quarantine=tmp_path_factory.mktemp("quarantine"),
        loaded_at=LOADED,
    )
    for name, rows in checked.tables.frames.items():
        duckdb.to_parquet(rows, folder / f"{name}.parquet")

    def read(engine):
        frames = {path.stem: engine.read_parquet([str(path)]) for path in folder.glob("*.parquet")}
        return Tables(engine, frames, checked.tables.terms)

    return read


def differences(left, right, keys):
    """Return the columns of two frames that are not the same, value by value, with a pair.

    A logarithm's last bit is the platform's: Java's and C's may differ by one.
    """
    assert list(left.columns) == list(right.columns)
    assert len(left) == len(right)
    left, right = (f.sort_values(keys).reset_index(drop=True) for f in (left, right))
    found = {}
    for name in left.columns:
        one, other = left[name], right[name]
        assert pd.api.types.is_numeric_dtype(one) == pd.api.types.is_numeric_dtype(other), name
        same = (one == other) | (one.isna() & other.isna())
        if name.endswith("_log"):
            same |= (one - other).abs() <= np.spacing(one.abs())
        apart = ~same.to_numpy(bool)
        if apart.any():
            row = int(np.flatnonzero(apart)[0])
            found[name] = (int(apart.sum()), one[row], other[row])
    return found
