"""Published packages give the same estimates on cases they can do."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression

from clv.effects.checks.sensitivity import bias_bound, robustness_value
from clv.effects.design.exposure import CORE_BEHAVIOURS
from clv.effects.estimators.examiner import conditional_f, influences
from clv.effects.estimators.plr import partialled_out
from clv.effects.estimators.residuals import clustered, customer_folds, ridge
from clv.effects.estimators.study import EffectOptions, build_study
from tests.unit.effects.company import draw


@pytest.fixture(scope="module")
def study():
    return build_study(
        draw(2, customers=4000, agents=100).exposure, CORE_BEHAVIOURS, EffectOptions()
    )


def test_agents_as_instruments_equal_iv2sls(study):
    linearmodels = pytest.importorskip("linearmodels")
    model = linearmodels.IV2SLS(study.outcome, None, study.residuals, study.instrument)
    both = np.stack([study.exposure.customer, study.exposure.agent], axis=1)
    theirs = model.fit(cov_type="clustered", clusters=both)
    ours = study.instrumented()
    np.testing.assert_allclose(ours.coefficients, theirs.params.to_numpy(), rtol=1e-6)
    # Theirs clusters by agents, ours deletes them: with 100 agents a little wider.
    ratio = np.sqrt(np.diag(ours.covariance) / np.diag(theirs.cov.to_numpy()))
    assert ((ratio > 0.95) & (ratio < 1.25)).all(), ratio
    exposure = study.exposure
    influence = influences(study.instrument, study.residuals, study.outcome, ours.coefficients)
    for codes, whose in ((exposure.customer, [0]), (exposure.agent, [1])):
        fit = model.fit(cov_type="clustered", clusters=both[:, whose])
        np.testing.assert_allclose(clustered(influence, codes), fit.cov.to_numpy(), rtol=1e-6)


def test_conditional_f_of_one_term_is_the_first_stage_f(study):
    linearmodels = pytest.importorskip("linearmodels")
    for term in range(study.instrument.shape[1]):
        one, other = study.instrument[:, [term]], study.residuals[:, [term]]
        fit = linearmodels.IV2SLS(study.outcome, None, other, one).fit(cov_type="unadjusted")
        rows = len(study.outcome)
        theirs = float(fit.first_stage.diagnostics["f.stat"].iloc[0]) * (rows - 1) / rows
        assert conditional_f(one, other)[0] == pytest.approx(theirs, rel=1e-6)


def test_conditional_f_falls_to_noise_where_one_term_moves_as_another_does():
    rng = np.random.default_rng(0)
    habit = rng.normal(size=(5000, 1))
    both = habit + 0.01 * rng.normal(size=(5000, 2))
    treatment = both + rng.normal(size=(5000, 2))
    assert conditional_f(both[:, :1], treatment[:, :1])[0] > 1000
    assert conditional_f(both, treatment).max() < 15


def test_adjusted_equals_doubleml():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        doubleml = pytest.importorskip("doubleml")
    rng = np.random.default_rng(0)
    features = rng.normal(size=(3000, 5))
    dose = features @ [0.5, -0.2, 0, 0, 0.1] + rng.normal(size=3000)
    outcome = 1.5 * dose + features @ [1.0, 0, 0.4, 0, 0] + rng.standard_t(3, size=3000)
    folds = customer_folds(3000, 5, 0)
    fit = partialled_out(
        dose[:, None] - ridge(features, dose[:, None], folds),
        outcome - ridge(features, outcome[:, None], folds)[:, 0],
    )
    names = [f"x{number}" for number in range(5)]
    frame = pd.DataFrame(np.column_stack([outcome, dose, features]), columns=["y", "d", *names])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = doubleml.DoubleMLData(frame, "y", "d", names)
        model = doubleml.DoubleMLPLR(data, LinearRegression(), LinearRegression(), n_folds=5)
        splits = [(np.flatnonzero(folds != f), np.flatnonzero(folds == f)) for f in range(5)]
        model.set_sample_splitting([splits])
        model.fit()
    assert fit.coefficients[0] == pytest.approx(model.coef[0], rel=1e-3)
    assert np.sqrt(fit.covariance[0, 0]) == pytest.approx(model.se[0], rel=0.02)


def test_robustness_value_is_where_the_bound_meets_the_estimate():
    error, degrees, estimate = 0.4, 900.0, 1.1
    strength = robustness_value(estimate / error, degrees)
    assert bias_bound(error, degrees, strength, strength) == pytest.approx(estimate, rel=1e-9)


def test_bounds_equal_the_bias_of_a_regression_that_leaves_the_factor_out():
    rng = np.random.default_rng(1)
    hidden = rng.normal(size=2000)
    dose = 0.6 * hidden + rng.normal(size=2000)
    outcome = dose + 0.8 * hidden + rng.normal(size=2000)
    y, d, z = (v - v.mean() for v in (outcome, dose, hidden))
    short = (d @ y) / (d @ d)
    rest = y - short * d
    error = np.sqrt(rest @ rest / (2000 - 2) / (d @ d))
    full = np.linalg.lstsq(np.column_stack([d, z]), y, rcond=None)[0][0]
    with_dose = stats.pearsonr(z, d).statistic ** 2
    z_rest = z - (d @ z) / (d @ d) * d
    with_outcome = stats.pearsonr(z_rest, rest).statistic ** 2
    assert bias_bound(error, 1998, with_dose, with_outcome) == pytest.approx(short - full, rel=1e-6)
