"""The shifted beta-geometric: published numbers, laws, and what it says of thin data."""

import numpy as np
import pandas as pd
import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from clv.btyd import ShiftedBetaGeo, cohort, contract_periods
from clv.errors import DataError, ModelError, SchemaError, UsageError
from clv.models.btyd.results import Verdict
from clv.models.renewals.shifted_beta_geo import Contracts, likelihood

PUBLISHED = {
    "high end": ([1000, 869, 743, 653, 593, 551, 517, 491], 0.668, 3.806, -1611.16),
    "regular": ([1000, 631, 468, 382, 326, 289, 262, 241], 0.704, 1.182, -1680.27),
}
"""Fader & Hardie (2007): survivors of the seven years that were fitted, and the estimates."""
YEARS_8_TO_12 = {
    "high end": [0.460, 0.436, 0.414, 0.395, 0.378],
    "regular": [0.220, 0.204, 0.191, 0.180, 0.170],
}
parameter = st.floats(0.05, 30)


def rows(periods, cancelled, **more):
    return pd.DataFrame({"periods": periods, "cancelled": cancelled, **more})


def fitted(alpha, beta):
    """Return a model with these parameters, whatever it was fitted to."""
    model = ShiftedBetaGeo().fit(cohort(PUBLISHED["regular"][0]))
    model.fit_.parameters.update(alpha=alpha, beta=beta)
    return model


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_cohorts(name):
    survivors, alpha, beta, log_likelihood = PUBLISHED[name]
    model = ShiftedBetaGeo().fit(cohort(survivors))
    assert model.verdict_ is Verdict.CONVERGED
    assert model.params_.round(3).to_dict() == {"alpha": alpha, "beta": beta}
    assert round(model.fit_.log_likelihood, 2) == log_likelihood
    np.testing.assert_allclose(model.survival(np.arange(8, 13)), YEARS_8_TO_12[name], atol=5e-4)


def test_gradients_are_those_of_the_likelihood():
    data = Contracts.of(
        np.array([1.0, 2, 5, 3, 9]), np.array([1, 1, 1, 0, 0]) > 0, np.arange(1, 6.0)
    )
    theta = np.array([0.8, 2.5])
    numeric = approx_fprime(theta, lambda at: likelihood(at, data).value, 1e-7)
    np.testing.assert_allclose(likelihood(theta, data).gradient, numeric, rtol=1e-4)


@given(alpha=parameter, beta=parameter, renewals=st.integers(0, 30))
@settings(deadline=None)
def test_forecasts_agree_with_each_other(alpha, beta, renewals):
    """Survival is the product of retention; DERL is the sum of what it discounts."""
    model = fitted(alpha, beta)
    ahead = np.arange(1, 2_000)
    there = rows([renewals + 1], [False])
    retention = model.retention(renewals + ahead)
    assert (np.diff(retention) >= -1e-12).all()  # those who cancel easily leave first
    survival = np.cumprod(retention)
    np.testing.assert_allclose(model.p_renews(there, 7)[0], survival[6], rtol=1e-9)
    np.testing.assert_allclose(model.predict(there, 12)[0], survival[:12].sum(), rtol=1e-9)
    discounted = (survival / 1.2 ** (ahead - 1)).sum()
    lifetime = model.residual_lifetime(there, discount_per_period=0.2)[0]
    np.testing.assert_allclose(lifetime, discounted, rtol=1e-8)


@given(st.lists(st.tuples(st.integers(1, 8), st.booleans()), min_size=1, max_size=30), st.randoms())
@settings(deadline=None, max_examples=30)
def test_counts_and_order_change_nothing(histories, random):
    """A row that stands for several customers is those customers, in any order."""
    shuffled = histories * 2
    random.shuffle(shuffled)
    apart = ShiftedBetaGeo().fit(rows(*zip(*shuffled, strict=True)))
    together = ShiftedBetaGeo().fit(rows(*zip(*histories, strict=True), customers=2))
    assert apart.fit_ == together.fit_


def test_what_was_planted_lies_within_the_standard_errors():
    """Of 60 samples of 4,000 contracts, nine tenths and more hold each parameter at 95 %."""
    rng, inside = np.random.default_rng(5), []
    for _ in range(60):
        life = rng.geometric(rng.beta(1.2, 4.0, 4_000))
        seen = rng.integers(1, 13, 4_000)
        periods, cancelled = np.minimum(life, seen), life < seen
        table = ShiftedBetaGeo().fit(rows(periods, cancelled)).summary().to_frame()
        inside.append((table["low"] < (1.2, 4.0)) & (table["high"] > (1.2, 4.0)))
    assert (np.mean(inside, axis=0) >= 0.9).all()


@pytest.mark.parametrize(
    ("periods", "cancelled", "verdict"),
    [
        ([3] * 50, [False] * 50, Verdict.NO_CANCELLATIONS),
        ([3] * 50, [True] * 5 + [False] * 45, Verdict.TOO_FEW_CANCELLATIONS),
        ([1] * 30 + [2] * 70, [True] * 30 + [False] * 70, Verdict.ONE_RENEWAL),
        ([1, 2, 3, 4, 4], [True, True, True, True, False], Verdict.TOO_FEW_CANCELLATIONS),
    ],
)
def test_thin_data_are_named_and_still_forecast(periods, cancelled, verdict):
    model = ShiftedBetaGeo().fit(rows(periods, cancelled))
    assert model.verdict_ is verdict
    assert model.fit_.fallback == "weak prior"
    assert 0 < model.p_renews(rows([1], [False]))[0] < 1
    assert model.summary().to_frame()["standard_error"].isna().all()


def test_customers_who_do_not_differ_are_told():
    """With one chance for everybody, α and β run away together; the forecast holds all the same."""
    survivors = 1_000_000 * 0.8 ** np.arange(12)
    model = ShiftedBetaGeo().fit(cohort(survivors))
    assert model.verdict_ is Verdict.AT_BOUND
    assert "do not differ" in model.fit_.detail
    assert model.retention(1) == pytest.approx(0.8, abs=0.01)


def test_who_cancelled_is_worth_nothing():
    model, gone = fitted(0.7, 1.2), rows([3, 3], [True, False])
    for made in (
        model.p_renews(gone),
        model.predict(gone, 4),
        model.residual_lifetime(gone, discount_per_period=0.1),
    ):
        assert made[0] == 0
        assert made[1] > 0


def test_an_infinite_lifetime_is_refused():
    with pytest.raises(ModelError, match="expected lifetime is infinite"):
        fitted(0.7, 1.2).residual_lifetime(rows([1], [False]), discount_per_period=0)


@given(
    start=st.dates(pd.Timestamp("2019-01-01").date(), pd.Timestamp("2024-12-31").date()),
    days=st.integers(0, 2_000),
    running=st.booleans(),
    period=st.sampled_from(["month", "year", 30, 365]),
)
@settings(deadline=None, max_examples=300)
def test_periods_are_those_of_a_calendar(start, days, running, period):
    """Beside a count that steps from one due day to the next."""
    start = pd.Timestamp(start)
    end, as_of = start + pd.Timedelta(days=days), start + pd.Timedelta(days=days)
    frame = pd.DataFrame({"start": [start], "end": [pd.NaT if running else end]})
    row = contract_periods(frame, "start", "end", period=period, as_of=as_of).iloc[0]

    def due(number):
        if isinstance(period, int):
            return start + pd.Timedelta(days=number * period)
        step = {f"{period}s": number}
        return start + relativedelta(**step)

    begun = 1
    while due(begun) < end or (running and due(begun) <= as_of):
        begun += 1
    assert (row["periods"], bool(row["cancelled"])) == (begun, not running)


def test_later_ends_and_starts_are_not_known_yet():
    frame = pd.DataFrame({"start": ["2024-01-01", "2025-01-01"], "end": ["2024-12-01", None]})
    known = contract_periods(frame, "start", "end", period="month", as_of="2024-06-15")
    assert known.to_dict("list") == {"periods": [6], "cancelled": [False]}


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: cohort([100]), DataError, "at least two counts"),
        (lambda: cohort([100, 90, 95]), DataError, "95 customers are left after renewal 2 and 90"),
        (lambda: ShiftedBetaGeo().fit(rows([0], [True])), ModelError, "1 rows have periods"),
        (lambda: ShiftedBetaGeo().fit(rows([1], [7])), DataError, "neither yes nor no"),
        (lambda: ShiftedBetaGeo().fit(pd.DataFrame({"periods": [1]})), SchemaError, "cancelled"),
        (lambda: ShiftedBetaGeo().fit(rows([1], [True], customers=-1)), ModelError, "negative"),
        (lambda: ShiftedBetaGeo().survival(1), UsageError, "clv.btyd.cohort"),
        (lambda: fitted(1, 1).predict(rows([1], [False]), -1), UsageError, "0 or more"),
        (
            lambda: contract_periods(
                pd.DataFrame({"s": ["2024-02-01"], "e": ["2024-01-01"]}),
                "s",
                "e",
                period="month",
                as_of="2025-01-01",
            ),
            DataError,
            "1 contracts end before they start",
        ),
        (
            lambda: contract_periods(pd.DataFrame(), "s", "e", period="week", as_of="2025-01-01"),
            UsageError,
            "'month', 'year' or days",
        ),
    ],
)
def test_what_is_wrong_is_said(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_it_says_what_it_is():
    shown = repr(ShiftedBetaGeo().fit(cohort(PUBLISHED["regular"][0])).summary())
    assert "1,000 customers, 631 of them renewed; log-likelihood -1,680.3" in shown
