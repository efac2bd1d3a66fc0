"""Aggregates recover true rates better when shrunk, and know how reliable they are."""

import numpy as np
import pandas as pd
import pytest

from clv.errors import SchemaError
from clv.markers.aggregate import by_unit, shrink, split_half


def contacts(units=200, each=50, spread=True, seed=0):
    rng = np.random.default_rng(seed)
    true = rng.beta(4, 4, units) if spread else np.full(units, 0.5)
    unit = np.repeat(np.arange(units), each)
    frame = pd.DataFrame(
        {
            "interaction_id": [f"i{n}" for n in range(len(unit))],
            "agent_id": unit,
            "channel": "chat",
            "warm_hits": rng.binomial(1, true[unit]),
            "warm_occasions": 1,
        }
    )
    return frame, true


def test_shrinking_brings_rates_nearer_to_the_truth():
    frame, true = contacts(each=8)
    found = by_unit(frame, "warm", ["agent_id"])
    assert np.mean((found.shrunk - true) ** 2) < 0.8 * np.mean((found.rate - true) ** 2)
    strength = shrink(found.rate.to_numpy() * 8, np.full(200, 8.0)).strength
    assert strength == pytest.approx(8, rel=0.4)  # beta(4, 4) is worth eight occasions


def test_units_that_do_not_differ_shrink_to_their_mean():
    frame, _ = contacts(units=30, spread=False, seed=1)
    found = by_unit(frame, "warm", ["agent_id"])
    assert found.shrunk.std() < 0.3 * found.rate.std()


def test_reliability_is_that_of_the_halves():
    reliable, true = contacts(each=50)
    found = split_half(reliable, "warm", ["agent_id"])
    measured = by_unit(reliable, "warm", ["agent_id"]).rate
    assert found == pytest.approx(np.corrcoef(measured, true)[0, 1] ** 2, abs=0.08)
    noise, _ = contacts(spread=False)
    assert abs(split_half(noise, "warm", ["agent_id"])) < 0.35


def test_the_mix_of_channels_is_taken_off():
    frame, _ = contacts(units=2, each=100, spread=False)
    frame["channel"] = np.where(frame.agent_id == 0, "chat", "voice")
    frame["warm_hits"] = (frame.agent_id == 0).astype(int)
    found = by_unit(frame, "warm", ["agent_id"])
    assert found.rate.tolist() == [1, 0]
    assert found.standardised.tolist() == [0, 0]


def test_a_missing_column_is_named():
    with pytest.raises(SchemaError, match="missing column 'queue'"):
        by_unit(contacts(units=3)[0], "warm", ["queue"])
