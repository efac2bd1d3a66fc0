"""Drift is measured against the training's bins."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv.errors import ModelError
from clv.monitoring.drift import DriftCounter, DriftReport, Profile, psi

RNG = np.random.default_rng(0)
TRAINING = pd.DataFrame(
    {
        "x": RNG.normal(size=5000),
        "flag": RNG.integers(0, 2, 5000).astype(float),
        "word": RNG.choice(["a", "b", "c"], 5000, p=[0.6, 0.3, 0.1]),
    }
)
PROFILE = Profile.learn(TRAINING, list(TRAINING.columns))


def drift(frame, profile=PROFILE, parts=1):
    counter = DriftCounter(profile)
    for rows in np.array_split(np.arange(len(frame)), parts):
        counter.add(frame.iloc[rows])
    return counter.report()


def test_the_training_itself_has_not_moved():
    report = drift(TRAINING)
    assert [c.psi for c in report.columns] == [0, 0, 0]
    assert report.drifted == ()


def test_shares_sum_to_one_and_survive_json():
    assert all(sum(c.shares) == pytest.approx(1) for c in PROFILE.columns)
    assert Profile.from_dict(json.loads(json.dumps(PROFILE.as_dict()))) == PROFILE


@settings(max_examples=10, deadline=None, derandomize=True)
@given(parts=st.integers(1, 40))
def test_chunks_change_nothing(parts):
    assert drift(TRAINING.tail(900), parts=parts) == drift(TRAINING.tail(900))


def test_another_population_is_named_first():
    report = drift(TRAINING.assign(x=TRAINING.x + 2))
    assert report.columns[0].name == "x"
    assert report.drifted == ("x",)


def test_unknown_values_and_unseen_words_count():
    frame = TRAINING.assign(
        x=TRAINING.x.where(np.arange(5000) % 2 == 0), word=TRAINING.word.replace("a", "z")
    )
    found = {c.name: c for c in drift(frame).columns}
    assert (found["x"].unknown, found["x"].unknown_before) == (0.5, 0)
    assert found["word"].unseen == pytest.approx((TRAINING.word == "a").mean())
    assert {found["x"].verdict, found["word"].verdict} == {"other population"}


def test_who_is_elsewhere_is_counted_as_customers():
    found = {
        c.name: c for c in drift(TRAINING.assign(word=TRAINING.word.replace("b", "a"))).columns
    }
    assert found["word"].elsewhere == pytest.approx((TRAINING.word == "b").mean(), abs=1e-6)
    assert found["x"].elsewhere == 0


def test_inputs_and_scores_are_told_apart_and_survive_json():
    frame = TRAINING.assign(clv=TRAINING.x)
    profile = Profile.learn(frame, list(frame.columns))
    report = drift(frame, profile)
    assert [c.name for c in report.scores] == ["clv"]
    assert {c.name for c in report.inputs} == set(TRAINING.columns)
    assert DriftReport.from_dict(json.loads(json.dumps(report.as_dict()))) == report


def test_few_rows_say_nothing():
    assert {c.verdict for c in drift(TRAINING.head(50) * 1).columns} == {"too few rows"}


def test_a_missing_column_is_an_error():
    with pytest.raises(ModelError, match="'word' is missing"):
        drift(TRAINING.drop(columns="word"))


def test_columns_without_values_at_training():
    empty = pd.DataFrame({"x": [np.nan] * 300, "word": pd.Series([None] * 300, dtype=object)})
    profile = Profile.learn(empty, ["x", "word"])
    assert drift(empty, profile).drifted == ()
    later = pd.DataFrame({"x": [1.0] * 300, "word": ["a"] * 300})
    assert set(drift(later, profile).drifted) == {"x", "word"}


@given(
    st.lists(st.floats(0.01, 1), min_size=2, max_size=8),
    st.lists(st.floats(0.01, 1), min_size=8, max_size=8),
)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_psi_is_symmetric_and_zero_only_between_equals(one, two):
    e = np.array(one) / sum(one)
    a = np.array(two[: len(one)]) / sum(two[: len(one)])
    assert psi(e, a) == pytest.approx(psi(a, e))
    assert psi(e, a) >= 0
    assert psi(e, e) == 0
