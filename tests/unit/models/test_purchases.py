import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from clv.models.btyd.select import choose_purchase_model, compare_purchase_models
from clv.models.purchases import Purchases, spend_dependence


@pytest.fixture(scope="module")
def rows(company):
    panel = company(800, days=(400,))
    return panel.frame


@pytest.fixture(scope="module")
def fitted(rows):
    return Purchases.fit(rows, "bg_nbd")


def test_value_is_purchases_times_spend_times_margin(fitted, rows):
    found = fitted.forecast(rows, 90, 0.0)
    np.testing.assert_allclose(found["value"], found["purchases"] * found["spend"] * 0.4)
    rich = fitted.forecast(rows.assign(margin_ratio=0.8), 90, 0.0)
    np.testing.assert_allclose(rich["value"], 2 * found["value"])


def test_discounting_lowers_value_but_not_purchases(fitted, rows):
    now, later = fitted.forecast(rows, 90, 0.0), fitted.forecast(rows, 90, 0.5)
    assert (later["value"] < now["value"]).all()
    assert (later["value"] > now["value"] * 1.5 ** (-90 / 365)).all()
    np.testing.assert_array_equal(later["purchases"], now["purchases"])


def test_forecasts_follow_what_was_bought(fitted, rows):
    found = fitted.forecast(rows, 90, 0.0)
    assert found["purchases"].sum() == pytest.approx(rows["purchases"].sum(), rel=0.25)
    assert np.corrcoef(found["purchases"], rows["purchases"])[0, 1] > 0.4
    assert (found["p_none"].mean() - rows["churned"].mean()) == pytest.approx(0, abs=0.1)


def test_p_alive_of_one_time_buyers_is_not_one_by_construction(fitted, rows):
    found = fitted.forecast(rows, 90, 0.0)
    once = rows["frequency"] == 0
    assert (found["p_alive"][once] < 1).all()
    assert fitted.purchase.model == "bg_nbd"
    assert fitted.alive.model == "mbg_nbd"


def test_p_none_is_more_than_one_minus_p_alive(rows):
    found = Purchases.fit(rows, "mbg_nbd").forecast(rows, 90, 0.0)
    assert (found["p_none"] > 1 - found["p_alive"]).all()


def test_prospects_have_no_forecast(fitted, rows):
    prospects = rows.head(3).assign(frequency=np.nan, recency_days=np.nan, age_days=np.nan)
    mixed = pd.concat([prospects, rows.tail(2)])
    found = fitted.forecast(mixed, 90, 0.0)
    assert found.iloc[:3].isna().all().all()
    assert found.iloc[3:].notna().all().all()


def test_spend_is_drawn_to_the_mean_while_purchases_are_few(fitted):
    x, own = np.array([0.0, 1.0, 200.0]), np.array([np.nan, 500.0, 500.0])
    none, few, many = fitted.expected_spend(x, own)
    assert none < few < many
    assert many == pytest.approx(500.0, rel=0.05)
    assert fitted.expected_spend(np.array([3.0]), np.array([-40.0]))[0] > 0


def test_dependent_spend_is_found_and_used():
    rng = np.random.default_rng(0)
    x = rng.poisson(3, 3000).astype(float) + 1
    z = 10 * (1 + x) * rng.gamma(8, 1 / 8, 3000)
    slope, _, dependence = spend_dependence(x, z)
    assert dependence > 0.3
    assert slope == pytest.approx(1.0, abs=0.05)
    assert spend_dependence(x, rng.permutation(z))[0] == 0.0
    assert spend_dependence(x[:50], z[:50]) == (0.0, 0.0, 0.0)
    rows = pd.DataFrame(
        {"frequency": x, "recency_days": x * 10, "age_days": x * 10 + 30, "monetary_value": z}
    )
    fitted = Purchases.fit(rows, "bg_nbd")
    assert "spend_conditional" in {note.code for note in fitted.notes()}
    low, high = fitted.expected_spend(np.array([0.0, 9.0]), np.array([np.nan, 100.0]))
    assert low < 20
    assert high == pytest.approx(100.0, rel=0.1)


def test_all_models_are_compared_on_what_came_after(rows):
    choices = compare_purchase_models(rows, 90)
    assert set(choices) == {"bg_nbd", "mbg_nbd", "pareto_nbd"}
    assert all(0.5 < choice.tracking < 2 for choice in choices.values())


def _past(rows, **better):
    """Four past cutoffs a horizon apart, at which some models forecast better than others."""
    compared = compare_purchase_models(rows, 90)
    gains = {model: better.get(model, (0.0,) * 4) for model in compared}
    return {
        f"2024-{month:02d}-01": {
            model: replace(choice, log_likelihood=-0.5 + gains[model][k])
            for model, choice in compared.items()
        }
        for k, month in enumerate((1, 4, 7, 10))
    }


def test_a_purchase_model_is_chosen_where_it_was_better_at_several_cutoffs(rows):
    choices, step = choose_purchase_model(_past(rows, mbg_nbd=(0.03, 0.02, 0.03, 0.02)), 90)
    assert choices[0].model == "mbg_nbd"
    assert step.used
    assert step.gain == pytest.approx(0.025)


@pytest.mark.parametrize(
    "better", [(0.1, -0.08, 0.0, 0.02), (0.0, 0.0, 0.0, 0.0), (-0.1, -0.1, -0.1, -0.1)]
)
def test_one_good_season_chooses_no_purchase_model(rows, better):
    choices, step = choose_purchase_model(_past(rows, mbg_nbd=better), 90)
    assert choices[0].model == "bg_nbd"
    assert not step.used


def test_one_past_cutoff_chooses_no_purchase_model(rows):
    past = _past(rows, mbg_nbd=(0.5,) * 4)
    first = {"2024-01-01": past["2024-01-01"]}
    choices, step = choose_purchase_model(first, 90)
    assert (choices[0].model, step.reason) == ("bg_nbd", "too_few_tests")


def test_a_degenerate_model_is_not_chosen_while_another_converged(rows):
    immortal = rows.assign(
        frequency=5.0 + rows["frequency"] % 3, recency_days=200.0, age_days=200.0
    )
    compared = compare_purchase_models(immortal, 90)
    choices, _ = choose_purchase_model({"2024-01-01": compared}, 90)
    converged = {choice.fit.verdict == "converged" for choice in choices}
    assert choices[0].fit.verdict == "converged" or converged == {False}


def test_fits_survive_json(fitted, rows):
    again = Purchases.from_dict(json.loads(json.dumps(fitted.as_dict())))
    pd.testing.assert_frame_equal(
        again.forecast(rows, 90, 0.1), fitted.forecast(rows, 90, 0.1), check_exact=True
    )
