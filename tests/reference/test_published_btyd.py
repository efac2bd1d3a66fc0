"""Published numbers of the buy-till-you-die literature, on the data of the papers.

CDNOW comes with the lifetimes wheel (MIT); it is read by file path, since the package's own
loader needs a module that is gone. Sources: Fader, Hardie & Lee 2005 (BG/NBD; RFM and CLV),
Schmittlein, Morrison & Colombo 1987, Batislam et al. 2007, Fader & Hardie notes 021 and 025,
the BTYD manual, and the tests of CLVTools and lifetimes.
"""

import importlib.util
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from clv.models.btyd import BTYD, BetaGeo, ParetoNBD
from clv.models.btyd.base import expected_new_customer
from clv.models.btyd.fit import fit_purchases
from clv.models.btyd.gamma_gamma import fit_spend
from clv.models.btyd.reference import cross_check
from clv.models.btyd.results import Verdict

count_probability = BetaGeo().count_probability
residual_purchases = ParetoNBD().residual_purchases

CUT, END = pd.Timestamp("1997-09-30"), pd.Timestamp("1998-06-30")
WEEK = 7
BG = dict(zip(BTYD["bg_nbd"].parameters, (0.243, 4.414, 0.793, 2.426), strict=True))
PARETO = dict(zip(BTYD["pareto_nbd"].parameters, (0.553, 10.578, 0.606, 11.669), strict=True))


class Cdnow(NamedTuple):
    x: np.ndarray
    t_x: np.ndarray
    t: np.ndarray
    z: np.ndarray
    ahead: np.ndarray


def read(name, columns):
    found = importlib.util.find_spec("lifetimes")
    path = Path(found.submodule_search_locations[0]) / "datasets" / name
    header = 0 if "master" in name else None
    rows = pd.read_csv(path, sep=r"\s+", header=header, names=columns, dtype={"date": str})
    rows["date"] = pd.to_datetime(rows["date"], format="%Y%m%d")
    daily = rows.groupby(["id", "date"])["amount"].sum().reset_index()
    known = daily[daily["date"] <= CUT]
    spans = known.groupby("id")["date"].agg(["min", "max", "count"])
    repeat = known[known.groupby("id").cumcount() > 0].groupby("id")["amount"].mean()
    later = daily[daily["date"] > CUT].groupby("id")["date"].count()
    return Cdnow(
        x=(spans["count"] - 1).to_numpy(float),
        t_x=(spans["max"] - spans["min"]).dt.days.to_numpy(float),
        t=(CUT - spans["min"]).dt.days.to_numpy(float),
        z=repeat.reindex(spans.index).to_numpy(float),
        ahead=later.reindex(spans.index).fillna(0).to_numpy(float),
    )


@pytest.fixture(scope="module")
def sample():
    return read("CDNOW_sample.txt", ["master_id", "id", "date", "count", "amount"])


@pytest.fixture(scope="module")
def fits(sample):
    return {model: fit_purchases(model, sample.x, sample.t_x, sample.t) for model in BTYD}


def one(*values):
    return [np.array([float(value)]) for value in values]


def expected(model, parameters, x, t_x, t, horizon):
    alive = BTYD[model].p_alive(parameters, x, t_x, t)
    return alive * BTYD[model].purchases_if_alive(parameters, x, t, horizon)


def test_histories_sum_to_the_published_totals(sample):
    assert sample.x.size == 2357
    assert sample.x.sum() == 2457
    assert sample.t_x.sum() / WEEK == pytest.approx(16135.571429)
    assert sample.t.sum() / WEEK == pytest.approx(77111.285714)
    assert np.nansum(sample.z) == pytest.approx(33183.643767)
    assert sample.ahead.sum() == 1882


@pytest.mark.parametrize(
    ("model", "published", "log_likelihood"),
    [
        ("bg_nbd", (0.243, 4.414, 0.793, 2.426), -9582.4),
        ("mbg_nbd", (0.525, 6.183, 0.891, 1.614), -9582.1),
        ("pareto_nbd", (0.553, 10.578, 0.606, 11.669), -9595.0),
    ],
)
def test_purchase_models_on_the_sample(fits, model, published, log_likelihood):
    fit = fits[model].in_units_of(WEEK)
    assert fit.verdict is Verdict.CONVERGED
    found = [fit.parameters[name] for name in BTYD[model].parameters]
    np.testing.assert_allclose(found, published, atol=0.002)
    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=0.05)


def test_bg_nbd_to_the_digits_of_clvtools(fits):
    fit = fits["bg_nbd"].in_units_of(WEEK)
    found = [fit.parameters[name] for name in BTYD["bg_nbd"].parameters]
    np.testing.assert_allclose(found, (0.2425945, 4.4136019, 0.7929199, 2.4258881), atol=1e-4)
    assert fit.log_likelihood == pytest.approx(-9582.4292, abs=1e-3)


def test_gamma_gamma_on_the_sample(sample):
    fit = fit_spend(sample.x, sample.z)
    assert fit.repeaters == 946
    found = [fit.parameters[name] for name in ("p", "q", "gamma")]
    np.testing.assert_allclose(found, (6.25, 3.74, 15.44), atol=0.02)
    assert fit.log_likelihood == pytest.approx(-4055.92, abs=0.05)


def test_gamma_gamma_means_of_the_first_customers(sample):
    fit = fit_spend(sample.x, sample.z).parameters
    x, z = sample.x[:10], np.nan_to_num(sample.z[:10])
    p, q, gamma = fit["p"], fit["q"], fit["gamma"]
    found = p * (gamma + x * z) / (p * x + q - 1)
    published = (24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17)
    np.testing.assert_allclose(found, published, atol=0.01)


@pytest.mark.parametrize("model", BTYD)
def test_lifetimes_agrees(sample, model):
    check = cross_check(model, sample.x, sample.t_x, sample.t)
    assert abs(check.gap) < 1e-4
    assert check.same < 1e-4


def test_bg_nbd_expectations_of_a_new_customer():
    elapsed = np.array([0.1429, 1.0, 3.0, 31.8571, 32.0, 78.0])
    precise = {"r": 0.2426, "alpha": 4.4136, "a": 0.7929, "b": 2.4259}
    found = expected_new_customer(BTYD["bg_nbd"], precise, elapsed)
    published = (0.0078, 0.0532, 0.1506, 1.0405, 1.0437, 1.8576)
    np.testing.assert_allclose(found, published, rtol=4e-3)


def test_bg_nbd_conditional_expectation_of_the_paper():
    found = expected("bg_nbd", BG, *one(2, 30.43, 38.86), 39.0)
    assert found[0] == pytest.approx(1.226, abs=5e-4)


def test_bg_nbd_probabilities_of_counts():
    found = count_probability(BG, np.arange(11, 21), 30.0)
    published = [
        0.0019995214, 0.0015170236, 0.0011633150, 0.0009003148, 0.0007023638,
        0.0005517902, 0.0004361913, 0.0003467171, 0.0002769613, 0.0002222260,
    ]  # fmt: skip
    np.testing.assert_allclose(found, published, rtol=1e-6)
    assert count_probability(BG, np.array([10]), 2.0)[0] == pytest.approx(1.07869e-07, rel=1e-5)
    assert count_probability(BG, np.array([0]), 39.0)[0] == pytest.approx(0.5737864, abs=1e-7)


def test_counts_far_out_are_finite_and_sum_to_one():
    far = count_probability(BG, np.array([200, 500, 5000]), 30.0)
    assert np.isfinite(far).all()
    assert (far >= 0).all()
    assert count_probability(BG, np.arange(3000), 78.0).sum() == pytest.approx(1.0, abs=1e-6)
    mean = (np.arange(3000) * count_probability(BG, np.arange(3000), 78.0)).sum()
    assert mean == pytest.approx(expected_new_customer(BTYD["bg_nbd"], BG, [78.0])[0], rel=1e-6)


def test_pareto_nbd_expectations_of_the_btyd_manual():
    parameters = {"r": 0.5533, "alpha": 10.5779, "s": 0.6062, "beta": 11.6675}
    found = expected_new_customer(BTYD["pareto_nbd"], parameters, np.arange(10.0))
    published = (
        0, 0.05077821, 0.09916088, 0.14542507, 0.18979930,
        0.23247466, 0.27361274, 0.31335159, 0.35181024, 0.38909211,
    )  # fmt: skip
    np.testing.assert_allclose(found, published, rtol=6e-3, atol=1e-12)
    theta = dict(
        zip(BTYD["pareto_nbd"].parameters, (0.5534, 10.5802, 0.6061, 11.6562), strict=True)
    )
    history = one(26, 30.86, 31)
    assert BTYD["pareto_nbd"].p_alive(theta, *history)[0] == pytest.approx(0.9979, abs=5e-5)
    assert expected("pareto_nbd", theta, *history, 52.0)[0] == pytest.approx(25.46, abs=0.01)


@pytest.mark.parametrize(
    ("parameters", "history", "dert"),
    [
        (PARETO, (0, 0, 39), 0.474984),
        (PARETO, (1, 20, 39), 3.021637),
        (PARETO, (4, 35, 39), 12.501004),
        (
            {"r": 0.5629966, "alpha": 12.559037, "s": 0.4081095, "beta": 10.5148048},
            (7, 35, 77.86),
            1.864183,
        ),
    ],
)
def test_discounted_residual_purchases(parameters, history, dert):
    found = residual_purchases(parameters, *one(*history), 0.0027)
    assert found[0] == pytest.approx(dert, abs=2e-6)


@pytest.mark.parametrize(
    ("model", "total", "error", "by_count"),
    [
        ("bg_nbd", 1653, 0.7855, (0.225, 0.523, 1.044, 1.520, 2.164, 2.654, 3.504, 6.157)),
        ("mbg_nbd", 1577, 0.7648, None),
        ("pareto_nbd", 1666, 0.7545, (0.138, 0.599, 1.196, 1.714, 2.398, 2.907, 3.819, 6.403)),
    ],
)
def test_conditional_forecast_of_the_next_39_weeks(sample, fits, model, total, error, by_count):
    found = expected(model, fits[model].parameters, sample.x, sample.t_x, sample.t, 273.0)
    assert found.sum() == pytest.approx(total, abs=1)
    assert np.abs(found - sample.ahead).mean() == pytest.approx(error, abs=2e-4)
    if by_count:
        means = [found[np.minimum(sample.x, 7) == count].mean() for count in range(8)]
        np.testing.assert_allclose(means, by_count, atol=2e-3)


@pytest.mark.parametrize(
    ("model", "week_39", "week_78"),
    [("bg_nbd", 2502, 4166), ("mbg_nbd", 2483, 4055), ("pareto_nbd", 2533, 4275)],
)
def test_cumulative_tracking(sample, fits, model, week_39, week_78):
    # week 39 ends a day after the cut: 273 days after the first of January
    elapsed, customers = np.unique(sample.t + 1, return_counts=True)
    at_cut = expected_new_customer(BTYD[model], fits[model].parameters, elapsed) @ customers
    at_end = expected_new_customer(BTYD[model], fits[model].parameters, elapsed + 273) @ customers
    assert at_cut == pytest.approx(week_39, abs=1.5)
    assert at_end == pytest.approx(week_78, abs=1.5)
    assert sample.x.sum() + sample.ahead.sum() == 4339


def test_no_purchase_is_what_the_counts_say(fits):
    """P(no purchase in H) of a new customer is P(X(H) = 0)."""
    parameters = fits["bg_nbd"].parameters
    none = BTYD["bg_nbd"].p_none_if_alive(parameters, *one(0, 0), 273.0)
    assert none[0] == pytest.approx(count_probability(parameters, np.array([0]), 273.0)[0])


@pytest.mark.slow
def test_the_full_master():
    master = read("CDNOW_master.txt", ["id", "date", "count", "amount"])
    published = {
        "bg_nbd": (0.2516, 4.7889, 0.7234, 2.1611),
        "mbg_nbd": (0.6371, 7.3103, 0.8075, 1.2284),
        "pareto_nbd": (0.5974, 11.5858, 0.5223, 8.8304),
    }
    for model, values in published.items():
        fit = fit_purchases(model, master.x, master.t_x, master.t).in_units_of(WEEK)
        found = [fit.parameters[name] for name in BTYD[model].parameters]
        np.testing.assert_allclose(found, values, rtol=2e-3, err_msg=model)
    spend = fit_spend(master.x, master.z).parameters
    np.testing.assert_allclose(
        [spend["p"], spend["q"], spend["gamma"]], (6.2754, 3.6245, 14.9837), rtol=2e-3
    )


def degenerate_or_finite(sample, rows):
    x, t_x, t, z = sample.x[rows], sample.t_x[rows], sample.t[rows], sample.z[rows]
    for model in BTYD:
        fit = fit_purchases(model, x, t_x, t)
        assert bool(fit.fallback) == (fit.verdict is not Verdict.CONVERGED)
        assert fit.detail
        alive = BTYD[model].p_alive(fit.parameters, x, t_x, t)
        count = BTYD[model].purchases_if_alive(fit.parameters, x, t, 1095.0, 3e-4)
        none = BTYD[model].p_none_if_alive(fit.parameters, x, t, 1095.0)
        for found in (alive, count, none):
            assert np.isfinite(found).all()
        assert (count >= 0).all()
        for found in (alive, none):
            assert ((found >= 0) & (found <= 1)).all()
    fit = fit_spend(x, z, pooled=30.0)
    p, q, gamma = (fit.parameters[name] for name in ("p", "q", "gamma"))
    assert q > 1
    assert np.isfinite(p * gamma / (q - 1))
    assert bool(fit.fallback) == (fit.verdict is not Verdict.CONVERGED)


@pytest.mark.parametrize("customers", [50, 100, 250])
def test_small_samples_are_fitted_or_named(sample, customers):
    for seed in range(2):
        rows = np.random.default_rng(seed).choice(sample.x.size, customers, replace=False)
        degenerate_or_finite(sample, rows)


@pytest.mark.slow
@pytest.mark.parametrize("customers", [50, 100, 250, 500, 1000])
def test_forty_small_samples_are_fitted_or_named(sample, customers):
    for seed in range(40):
        rows = np.random.default_rng(seed).choice(sample.x.size, customers, replace=False)
        degenerate_or_finite(sample, rows)
