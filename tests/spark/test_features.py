"""Features, outcomes and markers: what Spark computes equals what DuckDB computes, bit by bit."""

import datetime as dt

import pandas as pd
import pytest

from clv.events.histories import make_histories
from clv.features.contacts import build_contact_table
from clv.features.table import build_feature_table
from clv.labels.follow_up import build_follow_up
from clv.labels.outcomes import build_outcomes
from clv.markers.contacts import make_markers
from clv.markers.packs import load_pack
from clv.windows import Window
from tests.laws.strategies import CUTOFF as LAW_CUTOFF
from tests.laws.test_money import WEEK, in_cents, numbers, times
from tests.spark.conftest import differences

pytestmark = pytest.mark.spark

CUTOFF = dt.date(2025, 5, 31)
KEYS = {
    "markers": ["interaction_id"],
    "answers": ["interaction_id", "heard"],
    "contacts": ["interaction_id"],
    "follow_up": ["interaction_id"],
}


def computed(tables, horizon_days=180):
    """Return every frame that leaves the event layer."""
    engine = tables.engine
    markers = make_markers(tables, load_pack())
    histories = make_histories(tables, markers=markers)
    window = Window(CUTOFF, horizon_days)
    with_features = build_feature_table(histories, CUTOFF)
    return {
        "markers": engine.to_pandas(markers.contacts(None)),
        "answers": engine.to_pandas(markers.answers(None)),
        "features": with_features.to_pandas(),
        "outcomes": build_outcomes(histories, window, discount_rate_annual=0.1),
        "contacts": build_contact_table(histories, horizon_days),
        "follow_up": build_follow_up(histories, horizon_days),
    }


@pytest.fixture(scope="module")
def both(spark, duckdb, accepted):
    return computed(accepted(duckdb)), computed(accepted(spark))


def test_money_of_any_size_is_the_same(spark, duckdb):
    large = pd.DataFrame(
        {
            "order_id": ["large", "later"],
            "customer_id": "c000",
            "ordered_at": [pd.Timestamp(LAW_CUTOFF), pd.Timestamp(LAW_CUTOFF) + WEEK],
            "amount": 1e12,
        }
    )
    frames = times(in_cents(1), 1e9)
    frames |= {"orders": pd.concat([frames["orders"], large], ignore_index=True)}
    found = [numbers(engine, frames, 0.1) for engine in (duckdb, spark)]
    for name, left in found[0].items():
        keys = ["interaction_id"] if name in ("contacts", "follow_up") else ["customer_id"]
        assert differences(left, found[1][name], keys) == {}, name
    assert found[1]["outcomes"]["value"].max() > 9e11


@pytest.mark.parametrize(
    "name", ["markers", "answers", "features", "outcomes", "contacts", "follow_up"]
)
def test_every_column_is_the_same(both, name):
    left, right = (frames[name] for frames in both)
    assert len(left) > 1_000
    assert differences(left, right, KEYS.get(name, ["customer_id"])) == {}
