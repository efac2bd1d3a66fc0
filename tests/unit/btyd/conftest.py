"""CDNOW as it ships with lifetimes, whose own loader needs a module that is gone."""

import importlib.util
import warnings
from pathlib import Path

import pandas as pd
import pytest

DATASETS = Path(importlib.util.find_spec("lifetimes").submodule_search_locations[0]) / "datasets"


@pytest.fixture(scope="session")
def lifetimes():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lifetimes
        import lifetimes.utils
    return lifetimes


@pytest.fixture(scope="session")
def cdnow():
    """The summary of the papers: 2,357 customers, in weeks."""
    names = ["ID", "frequency", "recency", "T", "monetary_value"]
    path = DATASETS / "cdnow_customers_summary_with_transactions.csv"
    return pd.read_csv(path, header=0, names=names, index_col="ID").astype(float)


@pytest.fixture(scope="session")
def transactions():
    return pd.read_csv(DATASETS / "example_transactions.csv")
