"""The estimators on the data of the papers, beside lifetimes fitted to the same rows."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from clv.btyd import BetaGeo, GammaGamma, ModifiedBetaGeo, ParetoNBD, rfm
from clv.errors import DataError, ModelError, SchemaError, UsageError
from clv.models.btyd import BTYD
from clv.models.btyd.results import Verdict

KINDS = (BetaGeo, ModifiedBetaGeo, ParetoNBD)
FITTERS = {
    BetaGeo: "BetaGeoFitter",
    ModifiedBetaGeo: "ModifiedBetaGeoFitter",
    ParetoNBD: "ParetoNBDFitter",
}


@pytest.fixture(scope="module")
def fits(cdnow):
    return {kind: kind(time_unit_days=7).fit(cdnow) for kind in KINDS}


@pytest.fixture(scope="module")
def peers(lifetimes, cdnow):
    columns = (cdnow["frequency"], cdnow["recency"], cdnow["T"])
    return {kind: getattr(lifetimes, name)().fit(*columns) for kind, name in FITTERS.items()}


def test_every_purchase_model_has_its_estimator():
    assert {kind.model for kind in KINDS} == set(BTYD)


@pytest.mark.parametrize("kind", KINDS)
def test_forecasts_are_those_of_lifetimes(cdnow, fits, peers, kind):
    columns = (cdnow["frequency"], cdnow["recency"], cdnow["T"])
    ours, theirs = fits[kind], peers[kind]
    assert ours.verdict_ is Verdict.CONVERGED
    expected = theirs.conditional_expected_number_of_purchases_up_to_time(39, *columns)
    np.testing.assert_allclose(ours.predict(cdnow, 39 * 7), expected, rtol=2e-3, atol=2e-4)
    alive = theirs.conditional_probability_alive(*columns)
    np.testing.assert_allclose(ours.p_alive(cdnow), alive, atol=2e-4)
    curve = [theirs.expected_number_of_purchases_up_to_time(week) for week in (1, 26, 52)]
    np.testing.assert_allclose(ours.expected_purchases([7, 182, 364]), curve, rtol=2e-3)


@pytest.mark.parametrize("kind", [BetaGeo, ModifiedBetaGeo])
def test_standard_errors_are_those_of_lifetimes(fits, peers, kind):
    """lifetimes has none for Pareto/NBD."""
    table = fits[kind].summary().to_frame()
    np.testing.assert_allclose(table["estimate"], peers[kind].summary["coef"], rtol=2e-3)
    np.testing.assert_allclose(table["standard_error"], peers[kind].summary["se(coef)"], rtol=1e-2)


def test_standard_errors_of_pareto_are_those_of_a_numeric_curvature(fits, cdnow):
    from clv.models.btyd.purchase_histories import compress

    rows = compress(cdnow["frequency"], cdnow["recency"], cdnow["T"])
    theta = fits[ParetoNBD].params_.to_numpy()
    step = np.eye(4) * theta * 1e-3

    def value(at):
        return BTYD["pareto_nbd"].likelihood(at, rows).value

    curvature = [
        [
            value(theta + i + j)
            - value(theta + i - j)
            - value(theta - i + j)
            + value(theta - i - j)
            for j in step
        ]
        for i in step
    ] / (4 * np.outer(theta, theta) * 1e-6)
    expected = np.sqrt(np.diag(np.linalg.inv(-curvature)))
    found = fits[ParetoNBD].summary().to_frame()["standard_error"]
    np.testing.assert_allclose(found, expected, rtol=1e-2)


def test_spend_is_that_of_lifetimes(lifetimes, cdnow):
    again = cdnow[cdnow["frequency"] > 0]
    peer = lifetimes.GammaGammaFitter().fit(again["frequency"], again["monetary_value"])
    spend = GammaGamma().fit(cdnow)
    table = spend.summary().to_frame()
    np.testing.assert_allclose(table["estimate"], peer.summary["coef"], rtol=2e-3)
    np.testing.assert_allclose(table["standard_error"], peer.summary["se(coef)"], rtol=1e-2)
    expected = peer.conditional_expected_average_profit(cdnow["frequency"], cdnow["monetary_value"])
    np.testing.assert_allclose(spend.predict(cdnow), expected, rtol=1e-4)
    assert spend.notes_ == ()
    assert spend.dependence_ == pytest.approx(0.206, abs=1e-3)


def test_probabilities_of_counts_are_those_of_lifetimes(fits, peers):
    found = fits[BetaGeo].p_purchases(np.arange(6), 70)
    expected = [peers[BetaGeo].probability_of_n_purchases_up_to_time(10, n) for n in range(6)]
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_days_are_days_whatever_the_unit_of_the_rows(cdnow, fits):
    """Rows in weeks, told so, and the same rows in days say the same of everybody."""
    daily = cdnow.assign(recency=cdnow["recency"] * 7, T=cdnow["T"] * 7)
    other = BetaGeo().fit(daily.rename(columns={"recency": "recency_days", "T": "age_days"}))
    weekly = fits[BetaGeo]
    np.testing.assert_allclose(
        other.predict(daily, 90, discount_rate_annual=0.1),
        weekly.predict(cdnow, 90, discount_rate_annual=0.1),
        rtol=1e-3,
    )
    np.testing.assert_allclose(other.p_none(daily, 90), weekly.p_none(cdnow, 90), atol=1e-4)
    assert other.expected_purchases(90) == pytest.approx(weekly.expected_purchases(90), rel=1e-3)
    errors = [one.summary().to_frame()["standard_error"] for one in (other, weekly)]
    np.testing.assert_allclose(errors[0] / [1, 7, 1, 1], errors[1], rtol=1e-2)


def test_later_money_is_worth_less(cdnow, fits):
    plain = fits[BetaGeo].predict(cdnow, 365)
    discounted = fits[BetaGeo].predict(cdnow, 365, discount_rate_annual=0.2)
    assert ((discounted < plain) & (discounted > plain / 1.2)).all()


@pytest.mark.parametrize("kind", [*KINDS, GammaGamma])
def test_verbs_of_scikit_learn(cdnow, kind):
    if kind is GammaGamma:
        estimator = kind()
    else:
        estimator = kind(time_unit_days=7)
        assert clone(estimator).get_params() == {"time_unit_days": 7}
        assert clone(estimator).set_params(time_unit_days=1).time_unit_days == 1
    assert estimator.fit(cdnow) is estimator
    assert not hasattr(clone(estimator), "fit_")
    again = pickle.loads(pickle.dumps(estimator))
    pd.testing.assert_series_equal(again.params_, estimator.params_)


@pytest.mark.parametrize("kind", [*KINDS, GammaGamma])
def test_what_the_data_do_not_identify_is_said_everywhere(cdnow, kind):
    few = kind().fit(cdnow.head(20))
    assert few.verdict_ is not Verdict.CONVERGED
    assert few.summary().to_frame()["standard_error"].isna().all()
    for shown in (repr(few), repr(few.summary()), few._repr_mimebundle_()["text/html"]):
        assert few.fit_.detail in shown
        assert "weak prior" in shown


def test_a_fit_shows_its_parameters_and_its_verdict(fits):
    assert repr(fits[BetaGeo]).startswith("BetaGeo(time_unit_days=7): r=0.2426, alpha=4.41")
    assert "2,357 customers; converged" in repr(fits[BetaGeo])
    assert repr(BetaGeo()) == "BetaGeo()"
    assert "<table" in fits[BetaGeo]._repr_html_()
    assert BetaGeo()._repr_html_() == "<code>BetaGeo()</code>"


def test_who_spent_nothing_is_left_out_and_said(cdnow):
    rows = cdnow.assign(monetary_value=cdnow["monetary_value"].mask(cdnow["frequency"] == 1, -5.0))
    note = GammaGamma().fit(rows).notes_[0]
    assert (note.code, note.count) == ("spend_left_out", int((cdnow["frequency"] == 1).sum()))
    rows = cdnow.assign(monetary_value=cdnow["monetary_value"] * cdnow["frequency"])
    assert GammaGamma().fit(rows).notes_[-1].code == "spend_dependent"


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (
            lambda rows: BetaGeo().predict(rows, 30),
            UsageError,
            "is not fitted; expected BetaGeo.fit",
        ),
        (lambda rows: GammaGamma().predict(rows), UsageError, "is not fitted"),
        (lambda rows: BetaGeo().fit(rows[["T"]]), SchemaError, "'recency or recency_days'"),
        (lambda rows: BetaGeo().fit(rows["T"]), UsageError, "a Series is no frame"),
        (lambda rows: BetaGeo(time_unit_days=0).fit(rows), UsageError, "expected more than 0"),
        (lambda rows: BetaGeo().fit(rows).predict(rows, -1), UsageError, "days is -1"),
        (lambda rows: BetaGeo().fit(rows).p_alive(rows * np.nan), DataError, "20 rows"),
        (lambda rows: BetaGeo().fit(-rows), ModelError, "negative or unknown"),
    ],
)
def test_what_cannot_be_meant_is_one_line(cdnow, ask, error, message):
    with pytest.raises(error, match=message) as raised:
        ask(cdnow.head(20))
    assert "\n" not in str(raised.value)


def test_from_orders_to_value_in_two_lines(transactions):
    summary = rfm(transactions, "id", "date")
    fit = BetaGeo().fit(summary)
    assert fit.predict(summary, 30).index.equals(summary.index)
