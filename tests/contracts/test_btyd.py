"""Every purchase model keeps the contract of `base.PurchaseModel`, whoever wrote it.

A model added to ``BTYD`` is tested here without a line of its own: its prior says where its
parameters lie.
"""

from typing import get_args

import numpy as np
import pytest
from clv.pipelines.running.settings import Training
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from clv.models.btyd import BTYD
from clv.models.btyd.base import expected_new_customer
from clv.models.btyd.fit import fit_purchases
from clv.models.btyd.optimum import BOUND
from clv.models.btyd.purchase_histories import PurchaseHistories, compress
from clv.models.btyd.reference import cross_check
from clv.models.btyd.results import Fit, Verdict
from clv.models.options import AUTO

AGE_DAYS = 100.0


def theta_of(model):
    """Return the model's prior, for customers of a mean age of 100 days."""
    kind = BTYD[model]
    units = [AGE_DAYS if name in kind.times else 1.0 for name in kind.parameters]
    return np.array(kind.prior) * np.array(units)


def named(model):
    return dict(zip(BTYD[model].parameters, theta_of(model), strict=True))


def rows_of(seed=0, n=60):
    rng = np.random.default_rng(seed)
    t = rng.integers(1, 400, n).astype(float)
    x = rng.poisson(2.0, n).astype(float)
    t_x = np.where(x > 0, np.floor(t * rng.random(n)), 0.0)
    return PurchaseHistories(x, t_x, t, rng.integers(1, 4, n).astype(float))


@pytest.mark.parametrize("model", BTYD)
def test_gradients_are_those_of_the_likelihood(model):
    rows, theta = rows_of(), theta_of(model)
    found = BTYD[model].likelihood(theta, rows)
    numeric = approx_fprime(theta, lambda at: BTYD[model].likelihood(at, rows).value, 1e-7)
    np.testing.assert_allclose(found.gradient, numeric, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("model", BTYD)
def test_weights_count_customers(model):
    rows = rows_of(n=40)
    repeated = np.repeat(np.arange(40), rows.weight.astype(int))
    merged = compress(rows.frequency[repeated], rows.recency[repeated], rows.age[repeated])
    theta = theta_of(model)
    whole = PurchaseHistories(
        rows.frequency[repeated],
        rows.recency[repeated],
        rows.age[repeated],
        np.ones(repeated.size),
    )
    for other in (merged, rows):
        assert BTYD[model].likelihood(theta, other).value == pytest.approx(
            BTYD[model].likelihood(theta, whole).value
        )


@pytest.mark.parametrize("model", BTYD)
def test_the_unit_of_time_does_not_matter(model):
    rows = rows_of(n=300)
    x, t_x, t = rows.frequency, rows.recency, rows.age
    days, weeks = fit_purchases(model, x, t_x, t), fit_purchases(model, x, t_x / 7, t / 7)
    told = days.in_units_of(7)
    for name in BTYD[model].parameters:
        assert told.parameters[name] == pytest.approx(weeks.parameters[name], rel=2e-3)
    assert told.log_likelihood == pytest.approx(weeks.log_likelihood, abs=1e-3)


@pytest.mark.parametrize("model", BTYD)
def test_horizons_add_up_without_discount_and_shrink_with_it(model):
    x, t = np.array([0.0, 3.0, 25.0]), np.array([10.0, 200.0, 364.0])
    theta = named(model)
    whole = BTYD[model].purchases_if_alive(theta, x, t, 180.0)
    first = BTYD[model].purchases_if_alive(theta, x, t, 90.0)
    assert (whole > first).all()
    tiny = BTYD[model].purchases_if_alive(theta, x, t, 180.0, 1e-12)
    np.testing.assert_allclose(tiny, whole, rtol=1e-7)
    lower = BTYD[model].purchases_if_alive(theta, x, t, 180.0, 0.001)
    assert (lower < whole).all()
    assert (lower > whole * np.exp(-0.18)).all()
    # the discounted flow, slice by slice
    edges = np.linspace(0, 180, 241)
    flows = np.array([BTYD[model].purchases_if_alive(theta, x, t, e) for e in edges[1:]])
    slices = np.diff(np.vstack([np.zeros(3), flows]), axis=0)
    middle = np.exp(-0.001 * (edges[1:] + edges[:-1]) / 2)
    np.testing.assert_allclose(lower, middle @ slices, rtol=1e-4)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    model=st.sampled_from(list(BTYD)),
    x=st.integers(0, 5000),
    age=st.integers(1, 4000),
    part=st.floats(0, 1),
    horizon=st.floats(1, 4000),
    theta=st.tuples(*[st.floats(-6, 6)] * 4),
)
def test_every_forecast_is_finite(model, x, age, part, horizon, theta):
    parameters = dict(zip(BTYD[model].parameters, np.exp(theta), strict=True))
    t = np.array([float(age)])
    n, t_x = np.array([float(x)]), np.floor(t * part) if x else np.zeros(1)
    alive = BTYD[model].p_alive(parameters, n, t_x, t)
    none = BTYD[model].p_none_if_alive(parameters, n, t, horizon)
    count = BTYD[model].purchases_if_alive(parameters, n, t, horizon)
    discounted = BTYD[model].purchases_if_alive(parameters, n, t, horizon, 3e-4)
    ceiling = (parameters["r"] + x) / (parameters["alpha"] + age) * horizon
    assert 0 <= alive[0] <= 1
    assert -1e-12 <= none[0] <= 1 + 1e-12
    assert 0 <= count[0] <= ceiling * (1 + 1e-6)
    assert discounted[0] <= count[0] * (1 + 1e-6)


def test_a_family_without_dropout_is_named_and_finite():
    x, t_x, t = np.full(80, 7.0), np.full(80, 100.0), np.full(80, 100.0)
    for model in BTYD:
        fit = fit_purchases(model, x, t_x, t)
        assert fit.verdict is Verdict.AT_BOUND
        assert fit.fallback == "weak prior"
        assert "dropout" in fit.detail
        assert all(np.isfinite(value) and value < 1e3 for value in fit.parameters.values())


def test_nobody_who_bought_again_is_named():
    fit = fit_purchases("bg_nbd", np.zeros(40), np.zeros(40), np.arange(1.0, 41.0))
    assert fit.verdict is Verdict.NO_REPEATERS
    few = fit_purchases("bg_nbd", np.eye(1, 40)[0], np.eye(1, 40)[0], np.arange(1.0, 41.0))
    assert few.verdict is Verdict.TOO_FEW_REPEATERS


@pytest.mark.parametrize("model", BTYD)
def test_a_model_is_declared_whole(model):
    kind = BTYD[model]
    assert kind.name == model
    assert set(kind.times) < set(kind.parameters)
    assert len(kind.prior) == len(kind.parameters)
    assert kind.__doc__
    assert 0 <= kind.dropout_share(theta_of(model), BOUND) <= 1


def test_the_settings_name_every_model():
    assert get_args(Training.model_fields["purchase_model"].annotation) == (AUTO, *BTYD)


@pytest.mark.parametrize("model", BTYD)
def test_life_falls_with_silence_and_nothing_ahead_is_nothing(model):
    kind, theta = BTYD[model], named(model)
    x, t_x = np.full(4, 3.0), np.full(4, 60.0)
    alive = kind.p_alive(theta, x, t_x, np.array([60.0, 90.0, 200.0, 900.0]))
    assert (np.diff(alive) < 0).all()
    once = kind.p_alive(theta, np.zeros(1), np.zeros(1), np.array([900.0]))
    assert (once == 1).all() == kind.one_time_buyers_alive
    age = np.array([60.0])
    assert kind.purchases_if_alive(theta, np.ones(1), age, 1e-9)[0] == pytest.approx(0, abs=1e-9)
    assert kind.p_none_if_alive(theta, np.ones(1), age, 1e-9)[0] == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("model", BTYD)
def test_a_fit_accounts_for_the_purchases_it_was_fitted_to(model):
    rng = np.random.default_rng(11)
    n = 3_000
    age = rng.integers(30, 365, n).astype(float)
    rate, stop = rng.gamma(0.8, 1 / 25, n), rng.exponential(1 / rng.gamma(0.7, 1 / 100, n))
    times = np.cumsum([rng.exponential(1 / rate) for _ in range(40)], axis=0)
    bought = times <= np.minimum(age, stop)
    x, t_x = bought.sum(axis=0).astype(float), np.where(bought, times, 0.0).max(axis=0)
    fit = fit_purchases(model, x, t_x, age)
    assert fit.verdict is Verdict.CONVERGED
    assert Fit.from_dict(fit.as_dict()) == fit
    ages, place = np.unique(age, return_inverse=True)
    expected = expected_new_customer(BTYD[model], fit.parameters, ages)[place].sum()
    assert expected == pytest.approx(x.sum(), rel=0.05)
    assert cross_check(model, x, t_x, age, customers=500).same < 1e-4


@pytest.mark.parametrize("purchases", [0.0, 12.0], ids=["nobody came back", "all alike"])
def test_what_lifetimes_cannot_fit_is_said_once_and_printed_nowhere(purchases, capsys):
    """Standard output may be read by a machine, and a second opinion stops no training."""
    n = 60
    x, t_x, age = np.full(n, purchases), np.full(n, 30.0 * purchases), np.full(n, 365.0)
    check = cross_check("bg_nbd", x, t_x, age)
    assert check.reference.endswith("did not converge on the sample")
    assert check.as_dict()["gap"] is None
    assert capsys.readouterr() == ("", "")
