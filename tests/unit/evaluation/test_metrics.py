from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import brier_score_loss, mean_absolute_error, roc_auc_score

from clv.evaluation.metrics import (
    CHURN_METRICS,
    VALUE_METRICS,
    auc,
    bins_of,
    bootstrap,
    brier,
    calibration_error,
    calibration_noise,
    coverage,
    decile_mape,
    mae,
    normalised_gini,
    rmse,
    spearman,
    total_bias,
)


@pytest.fixture(scope="module")
def shop():
    rng = np.random.default_rng(0)
    actual = rng.gamma(0.5, 40, 2000) * (rng.random(2000) > 0.4)
    return actual, actual * 0.5 + rng.gamma(1, 10, 2000)


def textbook_gini(actual, score):
    """Share of money by customers in falling order of score, against the diagonal."""
    order = np.argsort(-score, kind="stable")
    share = np.cumsum(actual[order]) / actual.sum()
    return (share.sum() - (len(actual) + 1) / 2) / len(actual)


def test_gini_is_the_textbook_one(shop):
    actual, predicted = shop
    expected = textbook_gini(actual, predicted) / textbook_gini(actual, actual)
    assert normalised_gini(actual, predicted) == pytest.approx(expected, rel=1e-3)


def test_gini_at_its_ends(shop):
    actual, _ = shop
    assert normalised_gini(actual, actual * 3 + 1) == pytest.approx(1.0)
    assert normalised_gini(actual, -actual) == pytest.approx(-1.0)
    assert normalised_gini(actual, np.ones(2000)) == pytest.approx(0.0)
    assert np.isnan(normalised_gini(np.zeros(5), np.arange(5.0)))


def test_ties_do_not_depend_on_the_order_of_rows(shop):
    actual, predicted = shop
    tied = np.round(predicted, -1)
    mixed = np.random.default_rng(1).permutation(2000)
    for metric in (normalised_gini, spearman):
        assert metric(actual[mixed], tied[mixed]) == pytest.approx(metric(actual, tied))


def test_against_other_libraries(shop):
    actual, predicted = shop
    assert spearman(actual, predicted) == pytest.approx(spearmanr(actual, predicted).statistic)
    assert mae(actual, predicted) == pytest.approx(mean_absolute_error(actual, predicted))
    label = (actual > 0).astype(float)
    chance = 1 / (1 + np.exp(-(predicted - 15) / 10))
    assert auc(label, np.round(chance, 2)) == pytest.approx(
        roc_auc_score(label, np.round(chance, 2))
    )
    assert brier(label, chance) == pytest.approx(brier_score_loss(label, chance))


def test_by_hand():
    actual, predicted = np.array([0.0, 2, 4, 10]), np.array([1.0, 1, 6, 12])
    assert mae(actual, predicted) == 1.5
    assert rmse(actual, predicted) == pytest.approx(np.sqrt(10 / 4))
    assert total_bias(actual, predicted) == pytest.approx(0.25)
    assert coverage(actual, predicted - 1, predicted + 1) == 0.5
    assert np.isnan(total_bias(np.zeros(2), np.ones(2)))


def test_decile_mape_of_a_known_factor(shop):
    actual, _ = shop
    positive = actual + 1
    assert decile_mape(positive, positive) == 0
    assert decile_mape(positive, positive * 1.3) == pytest.approx(0.3)


def test_calibration_error_of_honest_and_shifted_chances():
    rng = np.random.default_rng(4)
    chance = rng.random(50_000)
    label = (rng.random(50_000) < chance).astype(float)
    assert calibration_error(label, chance) < 0.01
    assert calibration_error(label, np.clip(chance + 0.1, 0, 1)) == pytest.approx(0.1, abs=0.02)


def test_chance_alone_gives_a_calibration_error_below_its_noise():
    rng = np.random.default_rng(5)
    chance = rng.random(4_000)
    bound = calibration_noise(chance)
    errors = [
        calibration_error((rng.random(4_000) < chance).astype(float), chance) for _ in range(60)
    ]
    assert np.mean(np.array(errors) > bound) < 0.15
    assert bound < np.quantile(errors, 0.99) * 1.2
    assert calibration_noise(chance[:400]) > 2 * bound


@pytest.mark.parametrize("name", [*VALUE_METRICS, *CHURN_METRICS])
def test_weights_count_rows(shop, name):
    actual, predicted = (column[:300] for column in shop)
    if name in CHURN_METRICS:
        actual, predicted = (actual > 0).astype(float), predicted / predicted.max()
    metric = (VALUE_METRICS | CHURN_METRICS)[name]
    times = np.random.default_rng(2).integers(1, 4, 300)
    weighed = metric(actual, predicted, times.astype(float))
    repeated = metric(np.repeat(actual, times), np.repeat(predicted, times))
    assert weighed == pytest.approx(repeated, rel=0.03, abs=0.004)


def test_bins_hold_every_row_once_lowest_first():
    predicted = np.random.default_rng(3).random(1003)
    bins = bins_of(predicted)
    assert sorted(np.concatenate(bins)) == list(range(1003))
    assert len(bins) == 10
    assert all(predicted[low].max() <= predicted[high].min() for low, high in pairwise(bins))


def test_bootstrap_interval_is_that_of_theory():
    rng = np.random.default_rng(7)
    actual = rng.normal(0, 10, 3000)
    found = bootstrap(mae, actual, np.zeros(3000), np.arange(3000))
    error = np.abs(actual).std() / np.sqrt(3000)
    assert found.mean == pytest.approx(np.abs(actual).mean())
    assert found.standard_error == pytest.approx(error, rel=0.3)
    assert found.low < found.mean < found.high


def test_bootstrap_of_many_customers_is_scaled_and_repeats():
    rng = np.random.default_rng(7)
    actual, customer = rng.normal(0, 10, 16_000), np.arange(16_000)
    found = bootstrap(mae, actual, np.zeros(16_000), customer)
    error = np.abs(actual).std() / np.sqrt(16_000)
    assert found.standard_error == pytest.approx(error, rel=0.35)
    assert bootstrap(mae, actual, np.zeros(16_000), customer) == found


def test_rows_of_a_customer_are_drawn_together():
    rng = np.random.default_rng(8)
    own = np.repeat(rng.normal(0, 10, 500), 4)
    together = bootstrap(mae, own, np.zeros(2000), np.repeat(np.arange(500), 4))
    apart = bootstrap(mae, own, np.zeros(2000), np.arange(2000))
    assert together.standard_error > 1.5 * apart.standard_error


def test_what_cannot_be_computed_is_null_in_json():
    found = bootstrap(normalised_gini, np.zeros(9), np.ones(9), np.arange(9))
    assert found.as_dict() == {"mean": None, "low": None, "high": None, "standard_error": None}
