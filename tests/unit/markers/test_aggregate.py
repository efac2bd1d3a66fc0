"""Aggregates recover true rates better when shrunk, and know how reliable they are."""

import numpy as np
import pandas as pd
import pytest

from clv.errors import SchemaError
from clv.markers.aggregate import by_opportunity, by_unit, shrink, split_half


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


def answers(units=60, each=400, calm_talk=0.0, seed=0):
    """Return answers of agents; a sign of upset is missed in a half, and false in a fifth."""
    rng = np.random.default_rng(seed)
    true = rng.beta(4, 4, units)
    unit = np.repeat(np.arange(units), each)
    upset = rng.random(len(unit)) < 0.4
    sign = rng.random(len(unit)) < np.where(upset, 0.5, 0.2)
    talk = np.where(unit == 0, calm_talk, 0.02)
    hits = rng.random(len(unit)) < np.where(upset, true[unit], talk)
    kinds = {"called": sign, "answer": 1, "mood": np.where(upset, 1, rng.integers(1, 4, len(unit)))}
    frame = pd.DataFrame({"agent_id": unit, **kinds, "warm_hits": hits, "warm_occasions": 1})
    return frame.astype({"warm_hits": int}), true


def test_what_an_answer_called_for_tells_more_than_signs_seen_or_not():
    frame, true = answers(each=60)
    weighed = by_opportunity(frame, "warm", ["agent_id"])
    taken = by_unit(frame[frame.called], "warm", ["agent_id"], within=["answer"])
    gain = [np.corrcoef(found.standardised, true)[0, 1] for found in (weighed, taken)]
    assert gain[0] > gain[1] + 0.02
    assert (weighed.occasions < weighed.contacts).all()


def test_warm_words_to_the_calm_weigh_little():
    quiet = by_opportunity(answers()[0], "warm", ["agent_id"])
    chatty = by_opportunity(answers(calm_talk=1.0)[0], "warm", ["agent_id"])
    plain = answers(calm_talk=1.0)[0].groupby("agent_id").warm_hits.mean()
    before = answers()[0].groupby("agent_id").warm_hits.mean()
    gained = (chatty.rate[0] - quiet.rate[0]) / quiet.rate[0]
    assert gained < 0.5 * (plain[0] - before[0]) / before[0]


def test_the_mix_that_the_regression_knows_is_taken_off():
    frame, _ = answers(units=2, each=2_000)
    frame["channel"] = np.where(frame.agent_id == 0, "chat", "voice")
    frame["warm_hits"] = (frame.agent_id == 0).astype(int)
    found = by_opportunity(frame, "warm", ["agent_id"], mix=["channel"])
    assert found.rate.tolist() == [1, 0]
    assert np.abs(found.standardised).max() < 0.02
    with pytest.raises(SchemaError, match="missing column 'queue'"):
        by_opportunity(frame, "warm", ["agent_id"], mix=["queue"])
