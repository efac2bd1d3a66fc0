import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import approx_fprime
from scipy.stats import beta, gamma

from clv.errors import ModelError
from clv.models.btyd import (
    PURCHASE_MODELS,
    Fit,
    Verdict,
    fit_purchases,
    fit_spend,
    purchase_likelihood,
)
from clv.models.btyd_forecast import (
    PARAMETERS,
    probability_alive,
    probability_none_if_alive,
    purchases_if_alive,
)
from clv.models.btyd_likelihood import Histories, compress, gamma_gamma

THETA = {
    "bg_nbd": (0.5, 30.0, 0.8, 2.5),
    "mbg_nbd": (0.5, 30.0, 0.8, 1.6),
    "pareto_nbd": (0.5, 40.0, 0.6, 50.0),
}


def named(model):
    return dict(zip(PARAMETERS[model], THETA[model], strict=True))


def rows_of(seed=0, n=60):
    rng = np.random.default_rng(seed)
    t = rng.integers(1, 400, n).astype(float)
    x = rng.poisson(2.0, n).astype(float)
    t_x = np.where(x > 0, np.floor(t * rng.random(n)), 0.0)
    return Histories(x, t_x, t, rng.integers(1, 4, n).astype(float))


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_gradients_are_those_of_the_likelihood(model):
    rows, theta = rows_of(), np.array(THETA[model])
    found = purchase_likelihood(model, theta, rows)
    numeric = approx_fprime(theta, lambda at: purchase_likelihood(model, at, rows).value, 1e-7)
    np.testing.assert_allclose(found.gradient, numeric, rtol=1e-3, atol=1e-3)


def test_gradient_of_gamma_gamma():
    rng = np.random.default_rng(1)
    x, z, w = rng.integers(1, 9, 50).astype(float), rng.gamma(3, 10, 50), np.ones(50)
    theta = np.array([3.0, 2.5, 12.0])
    numeric = approx_fprime(theta, lambda at: gamma_gamma(at, x, z, w).value, 1e-7)
    np.testing.assert_allclose(gamma_gamma(theta, x, z, w).gradient, numeric, rtol=1e-4)


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_weights_count_customers(model):
    rows = rows_of(n=40)
    repeated = np.repeat(np.arange(40), rows.weight.astype(int))
    merged = compress(rows.frequency[repeated], rows.recency[repeated], rows.age[repeated])
    theta = np.array(THETA[model])
    whole = Histories(
        rows.frequency[repeated],
        rows.recency[repeated],
        rows.age[repeated],
        np.ones(repeated.size),
    )
    for other in (merged, rows):
        assert purchase_likelihood(model, theta, other).value == pytest.approx(
            purchase_likelihood(model, theta, whole).value
        )


def test_half_days_are_merged_too():
    merged = compress(np.array([1.0, 1.0]), np.array([0.5, 0.5]), np.array([2.25, 2.25]))
    assert merged.weight.tolist() == [2.0]
    assert merged.age.tolist() == [2.25]


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_the_unit_of_time_does_not_matter(model):
    rows = rows_of(n=300)
    x, t_x, t = rows.frequency, rows.recency, rows.age
    days, weeks = fit_purchases(model, x, t_x, t), fit_purchases(model, x, t_x / 7, t / 7)
    told = days.in_units_of(7)
    for name in PARAMETERS[model]:
        assert told.parameters[name] == pytest.approx(weeks.parameters[name], rel=2e-3)
    assert told.log_likelihood == pytest.approx(weeks.log_likelihood, abs=1e-3)


@pytest.mark.parametrize(
    ("x", "t", "horizon"), [(0, 0.0, 80.0), (0, 2.0, 900.0), (3, 10.0, 500.0), (500, 700.0, 3650.0)]
)
def test_bg_nbd_expectation_is_the_mean_over_dropout(x, t, horizon):
    theta = named("bg_nbd")
    shape, scale = theta["r"] + x, theta["alpha"] + t

    def slope(log_p):
        p = np.exp(log_p)
        ratio = -np.expm1(-shape * np.log1p(p * horizon / scale))
        return ratio * beta.pdf(p, theta["a"], theta["b"] + x)

    points = [-12.0, -8.0, -4.0, -2.0]
    direct = quad(slope, -45, 0, points=points, epsabs=0, epsrel=1e-10, limit=500)[0]
    found = purchases_if_alive("bg_nbd", theta, np.array([float(x)]), np.array([t]), horizon)
    assert found[0] == pytest.approx(direct, rel=1e-7)


def test_pareto_nbd_life_is_the_integral_over_death():
    theta = named("pareto_nbd")
    r, alpha, s, b = THETA["pareto_nbd"]
    for x, t_x, t in [(0, 0.0, 100.0), (3, 50.0, 300.0), (40, 10.0, 60.0), (2, 90.0, 90.0)]:

        def density(y, x=x):
            return s * b**s / (b + y) ** (s + 1) * (alpha / (alpha + y)) ** (r + x)

        died = quad(density, t_x, t, epsrel=1e-11)[0]
        lives = (b / (b + t)) ** s * (alpha / (alpha + t)) ** (r + x)
        found = probability_alive(
            "pareto_nbd", theta, np.array([float(x)]), np.array([t_x]), np.array([t])
        )
        assert found[0] == pytest.approx(lives / (lives + died), rel=1e-6)


def test_forecasts_are_what_simulated_customers_do():
    """A new MBG/NBD and Pareto/NBD customer, by brute force."""
    rng = np.random.default_rng(5)
    n, horizon = 40_000, 120.0
    r, alpha, s, b = THETA["pareto_nbd"]
    life = rng.exponential(1 / rng.gamma(s, 1 / b, n))
    rate = rng.gamma(r, 1 / alpha, n)
    count = rng.poisson(rate * np.minimum(life, horizon))
    zero = np.zeros(1)
    theta = named("pareto_nbd")
    found = purchases_if_alive("pareto_nbd", theta, zero, zero, horizon)[0]
    assert found == pytest.approx(count.mean(), abs=4 * count.std() / np.sqrt(n))
    none = probability_none_if_alive("pareto_nbd", theta, zero, zero, horizon)[0]
    assert none == pytest.approx((count == 0).mean(), abs=0.01)
    assert gamma.cdf(horizon, 1) > 0


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_horizons_add_up_without_discount_and_shrink_with_it(model):
    x, t = np.array([0.0, 3.0, 25.0]), np.array([10.0, 200.0, 364.0])
    theta = named(model)
    whole = purchases_if_alive(model, theta, x, t, 180.0)
    first = purchases_if_alive(model, theta, x, t, 90.0)
    assert (whole > first).all()
    tiny = purchases_if_alive(model, theta, x, t, 180.0, 1e-12)
    np.testing.assert_allclose(tiny, whole, rtol=1e-7)
    lower = purchases_if_alive(model, theta, x, t, 180.0, 0.001)
    assert (lower < whole).all()
    assert (lower > whole * np.exp(-0.18)).all()
    # the discounted flow, slice by slice
    edges = np.linspace(0, 180, 241)
    flows = np.array([purchases_if_alive(model, theta, x, t, e) for e in edges[1:]])
    slices = np.diff(np.vstack([np.zeros(3), flows]), axis=0)
    middle = np.exp(-0.001 * (edges[1:] + edges[:-1]) / 2)
    np.testing.assert_allclose(lower, middle @ slices, rtol=1e-4)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    model=st.sampled_from(PURCHASE_MODELS),
    x=st.integers(0, 5000),
    age=st.integers(1, 4000),
    part=st.floats(0, 1),
    horizon=st.floats(1, 4000),
    theta=st.tuples(*[st.floats(-6, 6)] * 4),
)
def test_every_forecast_is_finite(model, x, age, part, horizon, theta):
    parameters = dict(zip(PARAMETERS[model], np.exp(theta), strict=True))
    t = np.array([float(age)])
    n, t_x = np.array([float(x)]), np.floor(t * part) if x else np.zeros(1)
    alive = probability_alive(model, parameters, n, t_x, t)
    none = probability_none_if_alive(model, parameters, n, t, horizon)
    count = purchases_if_alive(model, parameters, n, t, horizon)
    discounted = purchases_if_alive(model, parameters, n, t, horizon, 3e-4)
    ceiling = (parameters["r"] + x) / (parameters["alpha"] + age) * horizon
    assert 0 <= alive[0] <= 1
    assert -1e-12 <= none[0] <= 1 + 1e-12
    assert 0 <= count[0] <= ceiling * (1 + 1e-6)
    assert discounted[0] <= count[0] * (1 + 1e-6)


def test_a_family_without_dropout_is_named_and_finite():
    x, t_x, t = np.full(80, 7.0), np.full(80, 100.0), np.full(80, 100.0)
    for model in PURCHASE_MODELS:
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


def test_spend_verdicts():
    rng = np.random.default_rng(2)
    x = rng.integers(1, 6, 400).astype(float)
    ok = fit_spend(x, 30 / rng.gamma(4.0, 0.25, 400) * rng.gamma(6 * x) / (6 * x))
    assert ok.verdict is Verdict.CONVERGED
    wild = fit_spend(x, 30 / rng.gamma(0.7, 1.0, 400) * rng.gamma(6 * x) / (6 * x))
    assert wild.verdict is Verdict.Q_BELOW_1
    assert wild.parameters["q"] > 1
    same = fit_spend(x, np.full(400, 20.0))
    assert same.fallback == "pooled mean"
    p, q, scale = (same.parameters[name] for name in ("p", "q", "gamma"))
    assert p * scale / (q - 1) == pytest.approx(20.0)
    nobody = fit_spend(np.zeros(9), np.full(9, np.nan), pooled=12.0)
    assert nobody.verdict is Verdict.NO_REPEATERS
    assert nobody.parameters["p"] * nobody.parameters["gamma"] / (
        nobody.parameters["q"] - 1
    ) == pytest.approx(12.0)


def test_money_of_any_size_gives_the_same_fit():
    rng = np.random.default_rng(3)
    x = rng.integers(1, 6, 300).astype(float)
    z = 30 / rng.gamma(4.0, 0.25, 300)
    small, large = fit_spend(x, z).parameters, fit_spend(x, z * 1e9).parameters
    assert large["q"] == pytest.approx(small["q"], rel=1e-4)
    assert large["gamma"] == pytest.approx(small["gamma"] * 1e9, rel=1e-3)


def test_fits_survive_json():
    fit = fit_purchases("bg_nbd", np.zeros(40), np.zeros(40), np.arange(1.0, 41.0))
    assert Fit.from_dict(fit.as_dict()) == fit


@pytest.mark.parametrize(
    ("x", "t_x", "t", "match"),
    [
        ([], [], [], "no customer"),
        ([1.0], [5.0], [4.0], "recency_days above age_days"),
        ([0.0], [5.0], [9.0], "without a repeat purchase"),
        ([np.nan], [0.0], [4.0], "frequency holds 1"),
        ([-1.0], [0.0], [4.0], "frequency holds 1"),
    ],
)
def test_impossible_histories_are_refused(x, t_x, t, match):
    with pytest.raises(ModelError, match=match):
        fit_purchases("bg_nbd", np.array(x), np.array(t_x), np.array(t))


def test_an_unknown_family_is_refused():
    with pytest.raises(ModelError, match=r"'weibull'.*bg_nbd"):
        fit_purchases("weibull", np.ones(3), np.ones(3), np.ones(3))
