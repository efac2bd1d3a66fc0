"""Tuning: temporal folds only, a fixed budget, and never worse than what it started from."""

import datetime as dt
import sys
from dataclasses import replace

import pytest

from clv.errors import ModelError
from clv.models.training.tuning import tune
from clv.models.trees.boosting import Growth


@pytest.fixture(scope="module")
def few_trees():
    return Growth(trees=50, num_threads=1, min_data_in_leaf=20)


def test_the_budget_is_kept_the_search_repeats_and_starts_from_the_settings(
    panel, options, few_trees
):
    options = replace(options, growth=few_trees)
    steps = []
    found = tune(panel, options, 3, lambda *step: steps.append(step))
    assert len(found.losses) == 3
    assert found.losses[0] == pytest.approx(1.0)
    assert steps[-1] == ("tuning", 3, 3)
    assert tune(panel, options, 3) == found
    if min(found.losses) >= 1:
        assert found.growth == few_trees


def test_the_last_tested_cutoff_judges_nothing(panel, options, few_trees):
    """What the backtest ends with is unseen: its outcomes change no trial."""
    options = replace(options, growth=few_trees)
    last = panel.windows[-1].cutoff.isoformat()
    frame = panel.frame.copy()
    here = frame["as_of"] == last
    frame.loc[here, ["value", "churned"]] = [7.0, 0.0]
    found = tune(panel, options, 1)
    assert last not in found.folds
    assert tune(replace(panel, frame=frame), options, 1) == found
    horizon = dt.timedelta(days=panel.horizon_days)
    assert all(
        dt.date.fromisoformat(day) - horizon >= panel.windows[0].cutoff for day in found.folds
    )


def test_without_a_fold_or_without_optuna_it_says_what_to_do(company, options, panel, monkeypatch):
    short = company(customers=300, days=(300, 330))
    with pytest.raises(ModelError, match="no cutoff lies 90 days after another"):
        tune(short, options, 2)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ModelError, match=r"clv\[tune\]"):
        tune(panel, options, 2)
