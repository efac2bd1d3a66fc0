"""Features, outcomes and markers: what Spark computes equals what DuckDB computes, bit by bit."""

import datetime as dt

import pytest

from clv.features.contacts import build_contact_table
from clv.features.outcomes import build_outcomes
from clv.features.table import build_feature_table, prepare
from clv.markers.contacts import prepare_markers
from clv.markers.packs import load_pack
from clv.windows import Window
from tests.spark.conftest import differences

pytestmark = pytest.mark.spark

CUTOFF = dt.date(2025, 5, 31)
KEYS = {
    "markers": ["interaction_id"],
    "answers": ["interaction_id", "heard"],
    "contacts": ["interaction_id"],
}


def computed(tables, horizon_days=180):
    """Return every frame that leaves the event layer."""
    engine = tables.engine
    markers = prepare_markers(tables, load_pack())
    prepared = prepare(tables, behaviours=markers)
    window = Window(CUTOFF, horizon_days)
    with_features = build_feature_table(tables, CUTOFF, prepared=prepared)
    return {
        "markers": engine.to_pandas(markers.contacts(None)),
        "answers": engine.to_pandas(markers.answers(None)),
        "features": with_features.to_pandas(),
        "outcomes": build_outcomes(tables, window, prepared=prepared, discount_rate_annual=0.1),
        "contacts": build_contact_table(tables, window, prepared=prepared),
    }


@pytest.fixture(scope="module")
def both(spark, duckdb, accepted):
    return computed(accepted(duckdb)), computed(accepted(spark))


@pytest.mark.parametrize("name", ["markers", "answers", "features", "outcomes", "contacts"])
def test_every_column_is_the_same(both, name):
    left, right = (frames[name] for frames in both)
    assert len(left) > 1_000
    assert differences(left, right, KEYS.get(name, ["customer_id"])) == {}
