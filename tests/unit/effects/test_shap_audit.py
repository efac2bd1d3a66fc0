"""Exact Shapley values are additive, fair and equal to closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from clv.errors import UsageError
from clv.evaluation.shapley_audit import Coalitions, agreement
from clv.models.contributions import split_log


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(30, 5))


def test_additive_functions_split_into_their_own_deviations(rows):
    slopes = np.array([1.0, -2.0, 0.5, 0.0, 3.0])
    found = Coalitions.of(lambda m, i: m @ slopes, rows, rows, [[0, 1], [2], [3], [4]])
    _, parts = found.shapley()
    np.testing.assert_allclose(found.interactions(), 0, atol=1e-12)
    own = (rows - rows.mean(axis=0)) * slopes
    expected = np.stack([own[:, :2].sum(axis=1), own[:, 2], own[:, 3], own[:, 4]], axis=1)
    np.testing.assert_allclose(parts, expected, atol=1e-12)


def test_parts_add_up_to_the_value_with_each_rows_own_offset(rows):
    offset = np.linspace(50, 150, 30)

    def value(matrix, owner):
        return offset[owner] * np.exp(0.3 * matrix[:, 0] + 0.2 * matrix[:, 1] * matrix[:, 2])

    base, parts = Coalitions.of(value, rows, rows[:10], [[0], [1, 2], [3, 4]]).shapley()
    np.testing.assert_allclose(base + parts.sum(axis=1), value(rows, np.arange(30)), rtol=1e-12)
    np.testing.assert_allclose(parts[:, 2], 0, atol=1e-12)


def test_the_log_split_agrees_with_the_exact_values(rows):
    slopes, offset = np.array([0.4, -0.3, 0.2, 0.1, 0.25]), np.full(30, 100.0)
    shap = np.column_stack([(rows - rows.mean(axis=0)) * slopes, np.full(30, 0.0)])
    _, quick = split_log(shap, offset)
    shift = rows.mean(axis=0) @ slopes
    _, exact = Coalitions.of(
        lambda m, i: offset[i] * np.exp(m @ slopes - shift), rows, rows, [[n] for n in range(5)]
    ).shapley()
    audit = agreement(quick, exact, len(rows))
    assert audit.correlation > 0.98
    assert audit.sign_agreement > 0.9
    noise = np.random.default_rng(1).normal(size=quick.shape)
    assert agreement(noise, exact, len(rows)).correlation < 0.5


def test_too_many_groups_are_refused(rows):
    with pytest.raises(UsageError, match="at most 10"):
        Coalitions.of(lambda m, i: m[:, 0], rows, rows, [[0]] * 11)


def test_only_groups_that_act_together_interact(rows):
    def value(matrix, _):
        return 5 * matrix[:, 0] * matrix[:, 1] + 3 * matrix[:, 2] + matrix[:, 3] ** 2

    found = Coalitions.of(value, rows, rows, [[0], [1], [2], [3, 4]]).interactions()
    away = rows - rows.mean(axis=0)
    covariance = float((away[:, 0] * away[:, 1]).mean())
    mixed = 5 * (
        rows[:, 0] * rows[:, 1]
        - rows[:, 0] * rows[:, 1].mean()
        - rows[:, 1] * rows[:, 0].mean()
        + (rows[:, 0] * rows[:, 1]).mean()
    )
    assert abs(covariance) > 1e-3
    np.testing.assert_allclose(found[:, 0, 1], mixed, atol=1e-10)
    np.testing.assert_allclose(found[:, 1, 0], mixed, atol=1e-10)
    rest = np.delete(found.reshape(len(rows), -1), [1, 4], axis=1)
    np.testing.assert_allclose(rest, 0, atol=1e-10)


def test_the_index_of_three_is_shared_among_its_pairs(rows):
    def value(matrix, _):
        return (matrix[:, 0] > 0) * (matrix[:, 1] > 0) * (matrix[:, 2] > 0) * 1.0

    found = Coalitions.of(value, np.ones((1, 5)), -np.ones((1, 5)), [[0], [1], [2]]).interactions()
    np.testing.assert_allclose(found[0], 0.5 * (1 - np.eye(3)))
