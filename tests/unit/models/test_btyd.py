import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import approx_fprime
from scipy.stats import beta, gamma

from clv.errors import ModelError
from clv.models.btyd import BTYD
from clv.models.btyd.fit import fit_purchases
from clv.models.btyd.gamma_gamma import Spending, fit_spend, gamma_gamma
from clv.models.btyd.purchase_histories import compress
from clv.models.btyd.results import Fit, Verdict

THETA = {
    "bg_nbd": (0.5, 30.0, 0.8, 2.5),
    "mbg_nbd": (0.5, 30.0, 0.8, 1.6),
    "pareto_nbd": (0.5, 40.0, 0.6, 50.0),
}


def named(model):
    return dict(zip(BTYD[model].parameters, THETA[model], strict=True))


def test_gradient_of_gamma_gamma():
    rng = np.random.default_rng(1)
    rows = Spending(rng.integers(1, 9, 50).astype(float), rng.gamma(3, 10, 50))
    theta = np.array([3.0, 2.5, 12.0])
    numeric = approx_fprime(theta, lambda at: gamma_gamma(at, rows).value, 1e-7)
    np.testing.assert_allclose(gamma_gamma(theta, rows).gradient, numeric, rtol=1e-4)


def test_half_days_are_merged_too():
    merged = compress(np.array([1.0, 1.0]), np.array([0.5, 0.5]), np.array([2.25, 2.25]))
    assert merged.weight.tolist() == [2.0]
    assert merged.age.tolist() == [2.25]


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
    found = BTYD["bg_nbd"].purchases_if_alive(theta, np.array([float(x)]), np.array([t]), horizon)
    assert found[0] == pytest.approx(direct, rel=1e-7)


def test_pareto_nbd_life_is_the_integral_over_death():
    theta = named("pareto_nbd")
    r, alpha, s, b = THETA["pareto_nbd"]
    for x, t_x, t in [(0, 0.0, 100.0), (3, 50.0, 300.0), (40, 10.0, 60.0), (2, 90.0, 90.0)]:

        def density(y, x=x):
            return s * b**s / (b + y) ** (s + 1) * (alpha / (alpha + y)) ** (r + x)

        died = quad(density, t_x, t, epsrel=1e-11)[0]
        lives = (b / (b + t)) ** s * (alpha / (alpha + t)) ** (r + x)
        found = BTYD["pareto_nbd"].p_alive(
            theta, np.array([float(x)]), np.array([t_x]), np.array([t])
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
    found = BTYD["pareto_nbd"].purchases_if_alive(theta, zero, zero, horizon)[0]
    assert found == pytest.approx(count.mean(), abs=4 * count.std() / np.sqrt(n))
    none = BTYD["pareto_nbd"].p_none_if_alive(theta, zero, zero, horizon)[0]
    assert none == pytest.approx((count == 0).mean(), abs=0.01)
    assert gamma.cdf(horizon, 1) > 0


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
