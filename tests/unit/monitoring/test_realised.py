"""What came true, against what was said."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from clv.errors import UsageError
from clv.monitoring import realised, tracking
from clv.monitoring.realised import calibration, total_bias


def scored(n=1000, seed=0):
    rng = np.random.default_rng(seed)
    p = rng.random(n)
    churned = (rng.random(n) < p).astype(float)
    value = np.where(churned == 1, 0.0, 100.0)
    ids = [f"c{k}" for k in range(n)]
    scores = pd.DataFrame(
        {
            "customer_id": ids,
            "as_of": "2025-06-30",
            "clv": (1 - p) * 100,
            "clv_low": 0.0,
            "clv_high": np.where(p < 0.9, 100.0, 0.0),
            "p_churn": p,
        }
    )
    return scores, pd.DataFrame({"customer_id": ids, "value": value, "churned": churned})


def compared(scores, outcomes):
    return realised(scores, outcomes, model_version=1, level=0.9)


def test_what_came_true_is_compared_with_what_was_said():
    scores, outcomes = scored()
    found = compared(scores, outcomes.sample(frac=1, random_state=1))
    assert found.customers == 1000
    assert found.total_bias == pytest.approx(scores.clv.sum() / outcomes.value.sum() - 1)
    assert abs(found.total_bias) < 0.1
    assert 0.98 < found.coverage < 1
    assert found.calibration_error < 0.08
    wrong = compared(scores.assign(p_churn=1 - scores.p_churn), outcomes)
    assert wrong.calibration_error > 0.3


def test_scores_of_other_customers_are_refused():
    scores, outcomes = scored(10)
    with pytest.raises(UsageError, match="no customer stands in scores and outcomes"):
        compared(scores, outcomes.assign(customer_id="x").head(1))


def test_nothing_came_true():
    scores, outcomes = scored(10)
    found = compared(scores, outcomes.assign(value=0.0))
    assert (found.total_bias, found.bias_low) == (None, None)


def said(*biases):
    return [SimpleNamespace(total_bias=bias) for bias in biases]


@pytest.mark.parametrize(
    ("biases", "refit"),
    [
        ((), False),
        ((0.05, -0.1), False),
        ((0.0, 0.16), True),
        ((0.0, -0.16), True),
        ((0.16, 0.0), False),
        ((0.08, 0.08, 0.08), True),
        ((0.08, -0.08, 0.08), False),
        ((0.2, None), True),
    ],
)
def test_a_bias_outside_the_band_or_a_run_on_one_side_asks_for_a_refit(biases, refit):
    assert tracking(said(*biases)).refit is refit


def test_the_interval_of_a_total_holds_its_promise():
    # Customers of a compound Poisson, forecast right on average: 0 must lie inside 90 times of 100.
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        mean = rng.gamma(1.0, 20.0, 800)
        came = np.where(rng.random(800) < 0.3, rng.gamma(2.0, mean / 0.6), 0.0)
        _, low, high = total_bias(mean, came)
        inside += low <= 0 <= high
    assert 0.86 < inside / 400 < 0.94


def test_chance_alone_gives_the_calibration_error_that_is_said():
    rng = np.random.default_rng(1)
    p = rng.beta(2, 2, 600)
    found = [calibration(p, (rng.random(600) < p).astype(float)) for _ in range(300)]
    errors, chances = np.array(found).T
    assert errors.mean() == pytest.approx(chances.mean(), rel=0.06)


def test_an_error_of_calibration_is_found_beyond_chance():
    rng = np.random.default_rng(2)
    p = rng.beta(2, 2, 4000)
    error, chance = calibration(p, (rng.random(4000) < np.clip(p + 0.1, 0, 1)).astype(float))
    assert error - chance == pytest.approx(0.1, abs=0.03)


def test_people_yet_to_buy_are_of_the_total_and_judged_by_themselves():
    scores, outcomes = scored(400)
    theirs = pd.DataFrame(
        {
            "customer_id": ["p0", "p1", "p2"],
            "as_of": "2025-06-30",
            "clv": [3.0, 5.0, np.nan],
            "clv_low": [0.0, 0.0, np.nan],
            "clv_high": [3.0, 5.0, np.nan],
            "p_churn": np.nan,
        }
    )
    came = pd.DataFrame(
        {"customer_id": ["p0", "p1", "p2"], "value": [0.0, 40.0, 900.0], "churned": [1.0, 0, 0]}
    )
    alone = compared(scores, outcomes)
    found = compared(pd.concat([scores, theirs]), pd.concat([outcomes, came]))
    assert (found.customers, found.prospects) == (402, 2)
    assert (found.prospects_predicted, found.prospects_actual) == (8.0, 40.0)
    assert found.prospects_coverage == 0.5
    assert found.predicted == pytest.approx(alone.predicted + 8)
    assert found.actual == pytest.approx(alone.actual + 40)
    assert (found.coverage, found.calibration_error) == (alone.coverage, alone.calibration_error)
    assert found.prospects_error == pytest.approx(-32 / found.actual)
