"""Contributions that are looked up are LightGBM's own."""

import lightgbm
import numpy as np
import pytest

from clv.models.trees.boosting import Booster
from clv.models.trees.tree_shap import GroupContributions, can_table, read_trees, shap_by_pattern


def grown(leaves, trees=20, seed=0):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(3000, 8))
    matrix[:, 6] = rng.integers(0, 40, 3000)
    matrix[:, 7] = rng.integers(0, 5, 3000)
    matrix[:, :3][rng.random((3000, 3)) < 0.2] = np.nan
    matrix[:, 5] = np.round(matrix[:, 5])
    label = np.exp(np.nan_to_num(matrix[:, 0]) + (matrix[:, 6] % 3 == 0) * matrix[:, 3])
    data = lightgbm.Dataset(matrix, label=label, categorical_feature=[6, 7])
    options = {"num_leaves": leaves, "num_threads": 1, "verbosity": -1, "seed": seed}
    return Booster(lightgbm.train(options, data, num_boost_round=trees).model_to_string()), matrix


def strange(matrix):
    """Return rows that training never saw: nan anywhere, other categories, thresholds met."""
    rng = np.random.default_rng(1)
    rows = np.round(matrix[:500]) * rng.choice([0.0, 1.0, 3.0], (500, 8))
    rows[:, 6] = rng.integers(-2, 90, 500)
    return np.where(rng.random(rows.shape) < 0.3, np.nan, rows)


@pytest.mark.parametrize("leaves", [2, 4, 7, 9])
def test_every_column_is_as_lightgbm_has_it(leaves):
    booster, matrix = grown(leaves)
    trees = read_trees(booster.text)
    assert can_table(trees)
    by_column = GroupContributions(trees, range(8), 8)
    for rows in (matrix[:1000], strange(matrix)):
        np.testing.assert_allclose(by_column(rows), booster.contributions(rows), atol=1e-12)


@pytest.mark.parametrize("leaves", [7, 31])
def test_groups_are_sums_of_columns_of_shallow_and_deep_trees(leaves):
    booster, matrix = grown(leaves)
    assert can_table(read_trees(booster.text)) == (leaves == 7)
    group_of = [0, 1, 0, 1, 2, 2, 0, 1]
    found = booster.group_contributions(matrix, group_of, 3)
    by_column = booster.contributions(matrix)
    for group in range(3):
        columns = [c for c, g in enumerate(group_of) if g == group]
        np.testing.assert_allclose(found[:, group], by_column[:, columns].sum(axis=1), atol=1e-10)
    np.testing.assert_allclose(found.sum(axis=1), booster.raw(matrix), atol=1e-10)


def test_a_row_alone_is_as_in_the_batch_and_an_empty_batch_is_empty():
    booster, matrix = grown(7)
    rows = np.tile(matrix, (4, 1))
    batch = booster.group_contributions(rows, [0] * 8, 1)
    alone = [booster.group_contributions(rows[k : k + 1], [0] * 8, 1)[0] for k in (0, 8191, 8192)]
    assert np.array_equal(alone, batch[[0, 8191, 8192]])
    assert booster.group_contributions(rows[:0], [0] * 8, 1).shape == (0, 2)


def test_a_tree_without_splits_is_its_mean():
    booster, matrix = grown(7, trees=1)
    (tree,) = read_trees(booster.text)
    values, mean = shap_by_pattern(tree)
    assert mean == pytest.approx(booster.contributions(matrix[:1])[0, -1])
    stump = type(tree)(*(np.array([], int),) * 5, np.array([]), np.array([0.25]), np.array([9]), ())
    assert shap_by_pattern(stump) == ({}, 0.25)
    assert values
