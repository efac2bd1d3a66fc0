"""The trees' offset and scale, the blend's weight, and which purchase model a fold may choose."""

from dataclasses import replace

import numpy as np
import pytest

from clv.models.options import ModelOptions
from clv.models.training.folds import mean_scale
from clv.models.training.forecasts import PastForecasts
from clv.models.value import learn_weight


def company(n=4000, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.gamma(0.7, 100, n)
    actual = np.where(rng.random(n) < 0.5, 0.0, truth * rng.gamma(2.0, 1.0, n))
    return rng, truth, actual, rng.integers(0, 2, n)


def test_trees_that_know_nothing_get_no_weight():
    rng, truth, actual, fold = company()
    noise = truth * rng.lognormal(0, 1.5, truth.size)
    weight = learn_weight(actual, truth, noise, fold, folds=8)
    assert weight > 0.75
    # only a blend that is worse with any share of them leaves BTYD alone
    assert learn_weight(actual, truth, actual.mean() / (truth + 1), fold, folds=8) == 1.0


def test_trees_that_know_more_get_most_of_it_and_few_folds_stay_near_one_half():
    rng, truth, actual, fold = company()
    btyd = truth * rng.lognormal(0, 1.5, truth.size)
    many = learn_weight(actual, btyd, truth, fold, folds=50)
    one = learn_weight(actual, btyd, truth, fold, folds=1)
    assert many < 0.2
    assert one == pytest.approx((many * 51 - 0.5) / 50 / 2 + 0.25, abs=0.01)
    assert one < 0.5


def test_a_weight_knows_nothing_of_the_level():
    rng, truth, actual, fold = company()
    btyd = truth * rng.lognormal(0, 0.7, truth.size)
    plain = learn_weight(actual, btyd, truth, fold, folds=4)
    lifted = learn_weight(actual * np.where(fold, 3.0, 1.0), btyd, truth, fold, folds=4)
    assert plain == pytest.approx(lifted, abs=0.15)


def test_the_trees_total_is_btyds(model, portfolio, folds):
    value = replace(model.value, scale=1.0)
    btyd = model.purchases.forecast(portfolio, 90, 0.0)["value"].to_numpy()
    matrix = value.encoding.matrix(portfolio)
    scaled = replace(value, scale=float(np.exp(value.log_scale(matrix, btyd))))
    assert scaled.predict(matrix, btyd).sum() == pytest.approx(np.maximum(btyd, value.floor).sum())
    assert model.value.scale == pytest.approx(mean_scale([f.log_scale for f in folds.folds]))


def test_the_last_three_scales_count():
    assert mean_scale([]) == 1.0
    assert mean_scale([5.0, np.log(2), np.log(2), np.log(2)]) == pytest.approx(2.0)


def test_a_fold_chooses_the_purchase_model_by_what_was_over_by_then(panel):
    """Outcomes of later cutoffs change no earlier choice; those of the known one decide it."""
    past = PastForecasts(panel, ModelOptions())
    first = past.known(panel.windows[:1])
    frame = panel.frame.copy()
    late = frame["as_of"] > panel.windows[0].cutoff.isoformat()
    frame.loc[late, "purchases"] = 50.0
    again = PastForecasts(replace(panel, frame=frame), ModelOptions()).known(panel.windows[:1])
    assert [c.model for c in first.choices] == [c.model for c in again.choices]
    assert [c.log_likelihood for c in first.choices] == [c.log_likelihood for c in again.choices]
    assert past.known(panel.windows[:1]).frame is first.frame
    assert (
        PastForecasts(panel, ModelOptions(purchase_model="bg_nbd")).known(panel.windows).choices
        == ()
    )
