import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from clv.features.base import GROUPS
from clv.models.contributions import Centring, log_mean, split_log, split_path, summarise


def shap(seed, rows=200, columns=6, size=1.0):
    rng = np.random.default_rng(seed)
    return rng.normal(0, size, (rows, columns + 1))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), size=st.sampled_from([1e-9, 1e-5, 0.1, 1.0, 5.0]))
def test_the_log_mean_split_adds_up(seed, size):
    values = shap(seed, size=size)
    offset = np.exp(np.random.default_rng(seed).normal(3, 2, 200))
    base, parts = split_log(values, offset)
    whole = offset * np.exp(values.sum(axis=1))
    error = np.abs(base + parts.sum(axis=1) - whole)
    assert (error <= 1e-12 * np.maximum(base, whole)).all()


def test_the_split_is_aumann_shapley():
    values, offset = shap(3), np.linspace(1.0, 90.0, 200)
    _, parts = split_log(values, offset)
    base, path = split_path(
        [values],
        lambda z: offset * np.exp(z[0]),
        lambda z: [offset * np.exp(z[0])],
        nodes=24,
    )
    np.testing.assert_allclose(base, offset * np.exp(values[:, -1]))
    np.testing.assert_allclose(path, parts, rtol=1e-8, atol=1e-9)


def test_a_hurdle_splits_exactly_at_eight_nodes():
    chance, spend = shap(4, size=0.4), shap(5, size=0.4)
    value = lambda z: 50 * expit(z[0]) * np.exp(z[1])  # noqa: E731
    base, parts = split_path(
        [chance, spend],
        value,
        lambda z: [value(z) * (1 - expit(z[0])), value(z)],
    )
    whole = value([chance.sum(axis=1), spend.sum(axis=1)])
    np.testing.assert_allclose(base + parts.sum(axis=1), whole, rtol=1e-6)


def test_log_mean_is_smooth_where_its_formula_is_not():
    b = np.full(5, 7.0)
    near = log_mean(b * np.exp([0.0, 1e-12, 9e-5, 1.1e-4, 1e-3]), b)
    direct = 7.0 * np.expm1([1e-3]) / 1e-3
    assert near[0] == pytest.approx(7.0, rel=1e-14)
    assert near[-1] == pytest.approx(direct[0])
    assert (np.diff(near) > -1e-12).all()


def test_centring_zeroes_every_group_and_keeps_rows():
    base, grouped = split_log(shap(len(GROUPS)), np.linspace(1, 9, 200))
    centring = Centring.learn(base, grouped)
    typical, centred = centring.apply(base, grouped)
    np.testing.assert_allclose(centred.sum(axis=0), 0, atol=1e-8)
    np.testing.assert_allclose(typical + centred.sum(axis=1), base + grouped.sum(axis=1))


def test_summary_names_sizes_and_both_ends():
    frame = pd.DataFrame(0.0, index=range(20), columns=list(GROUPS))
    frame["empathy"] = np.linspace(-19, 19, 20)
    frame["tone"] = -5.0
    rows = summarise(frame, pd.DataFrame({"clv": np.ones(20)}))
    found = {row["group"]: row for row in rows}
    assert list(found) == list(GROUPS)
    assert found["empathy"]["mean_top"] == pytest.approx(18.0)
    assert found["empathy"]["mean_bottom"] == pytest.approx(-18.0)
    assert found["tone"]["mean_abs"] == 5.0
    assert sum(row["share"] for row in rows) == pytest.approx(1.0)
