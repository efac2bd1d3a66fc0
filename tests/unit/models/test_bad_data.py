"""Companies no model was made for: each a named error, or a named fallback."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from clv.errors import ModelError, UsageError
from clv.features.base import GROUPS
from clv.models.churn import PURCHASES_ALONE, ChurnModel, Platt, carried_level
from clv.models.lifetime_value import SCORE_COLUMNS, LifetimeModel
from clv.models.options import ModelOptions
from clv.models.training.panel import OUTCOMES, Panel


def codes(model):
    return {note.code for note in model.info.notes}


def scored(model, panel):
    rows = panel.at(panel.windows[-1]).drop(columns=list(OUTCOMES))
    scores, parts = model.predict(rows), model.contributions(rows)
    assert tuple(scores.columns) == SCORE_COLUMNS
    money = scores[["clv", "clv_low", "clv_high", "typical_clv", "purchases_only_clv"]]
    assert np.isfinite(money).all().all()
    assert scores[["p_churn", "p_alive"]].apply(lambda p: p.between(0, 1)).all().all()
    total = scores["typical_clv"] + parts[list(GROUPS)].sum(axis=1)
    np.testing.assert_allclose(total, scores["clv"], rtol=1e-9)
    return scores


def test_one_customer_is_too_few(company, options):
    with pytest.raises(ModelError, match=r"1 customers had bought by .*at least 30"):
        LifetimeModel.fit(company(1), options)


def test_nobody_who_ever_bought_again_is_an_error(company, options):
    def once(rows):
        empty = rows.assign(frequency=0.0, recency_days=0.0, monetary_value=np.nan)
        zero = dict.fromkeys(("value", "value_undiscounted", "revenue", "purchases"), 0.0)
        return empty.assign(**zero, churned=1.0)

    with pytest.raises(ModelError, match="nobody bought a second time"):
        LifetimeModel.fit(company(200, change=once), options)


def test_all_churned_falls_back_to_btyd_by_name(company, options):
    def gone(rows):
        zero = dict.fromkeys(("value", "value_undiscounted", "revenue", "purchases"), 0.0)
        return rows.assign(**zero, churned=1.0)

    panel = company(200, change=gone)
    model = LifetimeModel.fit(panel, options)
    assert {"no_value", "btyd_alone", "one_class"} <= codes(model)
    scored(model, panel)


def test_none_churned_is_named(company, options):
    panel = company(200, change=lambda rows: rows.assign(churned=0.0))
    model = LifetimeModel.fit(panel, options)
    assert "one_class" in codes(model)
    scored(model, panel)


def test_a_constant_feature_contributes_nothing(company, options):
    panel = company(250, change=lambda rows: rows.assign(empathy_90d=0.5))
    model = LifetimeModel.fit(panel, options)
    scored(model, panel)
    rows = panel.at(panel.windows[-1])
    assert (model.contributions(rows)["empathy"].abs() < 1e-9).all()


def test_an_unknown_feature_everywhere_is_harmless(company, options):
    panel = company(250, change=lambda rows: rows.assign(empathy_90d=np.nan, segment=None))
    scored(LifetimeModel.fit(panel, options), panel)


def test_huge_and_tiny_money_score_alike(company, options):
    money = ["value", "value_undiscounted", "revenue", "monetary_value", "first_order", "spend_90d"]

    def times(factor):
        return lambda rows: rows.assign(**{name: rows[name] * factor for name in money})

    plain = company(300)
    huge = company(300, change=times(2.0**40))
    base = scored(LifetimeModel.fit(plain, options), plain)
    large = scored(LifetimeModel.fit(huge, options), huge)
    np.testing.assert_allclose(large["clv"] / 2.0**40, base["clv"], rtol=0.02)


def test_infinite_features_count_as_unknown(company, options, model, portfolio):
    wild = portfolio.head(5).assign(wait_seconds_90d=np.inf)
    unknown = portfolio.head(5).assign(wait_seconds_90d=np.nan)
    pd.testing.assert_frame_equal(model.predict(wild), model.predict(unknown))


def test_five_hundred_purchases_and_years_ahead_are_finite(model, portfolio):
    whale = portfolio.head(2).assign(
        frequency=[500.0, 5000.0], recency_days=700.0, age_days=[701.0, 4000.0]
    )
    scores = model.predict(whale)
    assert np.isfinite(scores["clv"]).all()
    assert scores["p_alive"].iloc[0] > 0.9
    assert scores["p_alive"].iloc[1] < 1e-3


def test_refunds_beyond_purchases_do_not_stop_anything(company, options):
    def refunds(rows):
        worst = rows["customer_id"].str.endswith("7")
        return rows.assign(
            value=rows["value"].where(~worst, -25.0),
            monetary_value=rows["monetary_value"].where(~worst, -3.0),
        )

    panel = company(300, change=refunds)
    model = LifetimeModel.fit(panel, options)
    assert "value_clipped" in codes(model)
    assert model.calibration.intervals.may_be_negative
    scored(model, panel)


def test_a_missing_column_is_named(model, portfolio):
    with pytest.raises(ModelError, match="missing column 'empathy_90d'"):
        model.predict(portfolio.drop(columns="empathy_90d"))


def test_a_panel_without_outcomes_is_refused(panel):
    with pytest.raises(ModelError, match="missing columns churned"):
        replace(panel, frame=panel.frame.drop(columns="churned"))
    with pytest.raises(ModelError, match="same horizon"):
        Panel(frame=panel.frame, features=panel.features, windows=())


@pytest.mark.parametrize(
    "wrong",
    [{"purchase_model": "magic"}, {"level": 1.0}, {"folds": 0}, {"rows": 0}],
)
def test_options_that_cannot_be_meant_are_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        ModelOptions(**wrong)


def test_one_class_leaves_btyd_alone(panel, folds):
    rows = panel.at(panel.windows[-1]).assign(churned=1.0)
    p_none = np.linspace(0.1, 0.9, len(rows))
    encoding = folds  # never read where there is one class
    churn = ChurnModel.fit(rows, p_none, encoding, None)
    assert churn.trees is None
    score = churn.score(np.empty((len(rows), 0)), p_none)
    np.testing.assert_allclose(Platt().apply(score, p_none), p_none)


def test_platt_finds_the_slope_of_overconfident_odds():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 1.5, 20_000)
    label = (rng.random(20_000) < 1 / (1 + np.exp(-truth))).astype(float)
    score, p_none, group = 2 * truth + 1, np.full(20_000, 0.5), np.arange(20_000) % 100
    found = Platt.learn(score, p_none, label, group)
    assert found.slope == pytest.approx(0.5, abs=0.03)
    level = carried_level(found.log_odds(score, p_none), label, group)
    assert level == pytest.approx(-0.5, abs=0.05)
    assert Platt.learn(truth[:20], np.full(20, 0.5), label[:20], np.zeros(20)) == PURCHASES_ALONE
