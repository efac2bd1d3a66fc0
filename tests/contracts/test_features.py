"""Every declared feature keeps the contract, whoever wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from clv.engines.duckdb import DuckDBEngine
from clv.events.histories import make_histories
from clv.features.base import GROUPS, UNITS, declared, fingerprint, glossary
from clv.features.table import FeatureTable, build_feature_table
from clv.schema import SCHEMA
from tests.laws.strategies import CUTOFF, company, held

if TYPE_CHECKING:
    import pandas as pd

FEATURES = declared()


@pytest.fixture(scope="module")
def built() -> tuple[FeatureTable, pd.DataFrame]:
    with DuckDBEngine(threads=1) as engine:
        table = build_feature_table(make_histories(held(engine, company(42, customers=80))), CUTOFF)
        return table, table.to_pandas()


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_is_declared_whole(name: str) -> None:
    feature = FEATURES[name]
    assert feature.name == name
    assert feature.group in GROUPS
    assert feature.unit in UNITS
    assert feature.monotone in (-1, 0, 1)
    assert (feature.kind == "category") == (feature.unit == "category")
    assert feature.doc.endswith(".")
    assert len(feature.doc) > 10
    if feature.table == "features":
        assert all(need.removeprefix("features.") in FEATURES for need in feature.needs)
    else:
        assert feature.needs[0] == feature.table


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_gives_finite_numbers_or_nothing(
    name: str, built: tuple[FeatureTable, pd.DataFrame]
) -> None:
    table, frame = built
    column = frame[name]
    assert column.notna().any(), "no customer of the company has it"
    if table.features[name].kind == "category":
        assert all(isinstance(value, str) for value in column.dropna())
        return
    assert column.dtype == np.float64
    known = column.dropna()
    assert np.isfinite(known).all()
    if table.features[name].unit == "share":
        assert known.between(0, 1).all()
    if table.features[name].unit in ("count", "days", "seconds", "hours"):
        assert (known >= 0).all()


def test_the_frame_is_sorted_and_has_every_available_feature(
    built: tuple[FeatureTable, pd.DataFrame],
) -> None:
    table, frame = built
    assert list(frame) == ["customer_id", "as_of", *table.features]
    assert frame.customer_id.is_monotonic_increasing
    assert frame.customer_id.is_unique
    assert set(frame.as_of) == {CUTOFF.isoformat()}
    assert set(FEATURES) <= set(table.features)


def test_personal_and_protected_columns_are_no_features(
    built: tuple[FeatureTable, pd.DataFrame],
) -> None:
    personal = {column.name for column in SCHEMA["customers"].columns if column.personal}
    assert not personal & set(built[1])
    assert "region" not in built[1]
    assert "segment" in built[1]


def test_the_glossary_and_the_fingerprint_follow_the_declarations() -> None:
    assert [term["name"] for term in glossary()] == list(FEATURES)
    fewer = dict(list(FEATURES.items())[1:])
    assert fingerprint() == fingerprint(FEATURES) != fingerprint(fewer)
