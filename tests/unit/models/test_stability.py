"""Contributions of models grown again: what is really there stays, what is noise moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clv.evaluation.stability import stability
from clv.features.base import GROUPS
from clv.models.contributions import summarise


@pytest.fixture(scope="module")
def found(model, panel, folds, options, portfolio):
    return stability(model, panel, folds, options, portfolio, times=3)


def test_shares_are_of_one_whole_and_the_largest_group_stays(found, model, portfolio):
    assert found.times == 3
    assert set(found.shares) == set(GROUPS) == set(found.correlation)
    lows, highs = zip(*found.shares.values(), strict=True)
    assert sum(lows) <= 1.0 <= sum(highs)
    for row in summarise(model.contributions(portfolio), portfolio):
        low, high = found.shares[row["group"]]
        assert low - 1e-12 <= row["share"] <= high + 1e-12
        assert (found.correlation[row["group"]] is None) == (high == 0.0)
    strongest = max(GROUPS, key=lambda group: found.shares[group][0])
    assert found.correlation[strongest] > 0.9
    assert 0.5 < found.same_first <= 1.0


def test_the_same_seed_gives_the_same_answer(found, model, panel, folds, options, portfolio):
    assert stability(model, panel, folds, options, portfolio, times=3) == found
    other = stability(model, panel, folds, replace(options, seed=9), portfolio, times=3)
    assert other.shares != found.shares


def test_a_model_of_purchases_alone_has_nothing_to_grow_again(
    model, panel, folds, options, portfolio
):
    alone = replace(model, calibration=replace(model.calibration, weight=1.0))
    assert stability(alone, panel, folds, options, portfolio) is None


def test_the_same_trees_give_the_same_contributions(model, portfolio):
    mine = model.contributions(portfolio)[list(GROUPS)].to_numpy()
    assert np.abs(mine - model.contributions_with(model.value, portfolio)).max() < 1e-6
