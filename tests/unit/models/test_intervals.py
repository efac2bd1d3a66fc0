import numpy as np
import pytest

from clv.models.intervals import Intervals, TotalInterval, conformal_ends


def shop(n, seed, zeros=0.5, refunds=False):
    rng = np.random.default_rng(seed)
    predicted = rng.lognormal(3, 1, n)
    actual = predicted / (1 - zeros) * rng.lognormal(-0.5, 1, n) * (rng.random(n) > zeros)
    return (actual - 40 * (rng.random(n) < 0.02) if refunds else actual), predicted


@pytest.mark.parametrize("zeros", [0.0, 0.05, 0.5, 0.8])
@pytest.mark.parametrize("level", [0.8, 0.9])
def test_new_customers_are_covered_as_promised(zeros, level):
    intervals = Intervals.learn(*shop(6000, 1, zeros), level)
    actual, predicted = shop(6000, 2, zeros)
    low, high = intervals.apply(predicted)
    inside = (actual >= low) & (actual <= high)
    # where nearly all buy nothing, the interval is [0, 0] and may cover more
    excess = 0.05 if zeros >= level else 0.02
    assert level - 0.02 <= inside.mean() <= level + excess
    top = predicted > np.quantile(predicted, 0.8)
    assert level - 0.04 <= inside[top].mean() <= level + excess + 0.02


def test_the_lower_end_is_zero_unless_refunds_say_otherwise():
    low, _ = Intervals.learn(*shop(3000, 1), 0.9).apply(np.array([5.0, 500.0]))
    assert (low >= 0).all()
    actual, predicted = shop(3000, 1, zeros=0.0, refunds=True)
    actual[: 3000 // 5] = -3.0
    low, _ = Intervals.learn(actual, predicted, 0.9).apply(np.array([5.0, 500.0]))
    assert (low < 0).any()


def test_predictions_lie_in_their_intervals_even_far_out():
    intervals = Intervals.learn(*shop(3000, 1), 0.9)
    predicted = np.array([0.0, 1e-9, 1.0, 1e7])
    low, high = intervals.apply(predicted)
    assert (low <= predicted).all()
    assert (predicted <= high).all()
    assert np.isfinite(high).all()


@pytest.mark.parametrize("n", [1, 2, 30])
def test_few_rows_still_give_ends(n):
    intervals = Intervals.learn(*shop(n, 1), 0.9)
    low, high = intervals.apply(np.array([1.0, 50.0]))
    assert np.isfinite(low).all()
    assert np.isfinite(high).all()


def test_missing_nothing_below_lets_all_errors_above():
    low, high = conformal_ends(np.concatenate([np.zeros(500), np.arange(500.0)]), 0.9)
    assert low == 0
    assert high == pytest.approx(400, abs=2)


def test_intervals_survive_json():
    intervals = Intervals.learn(*shop(500, 1), 0.9)
    assert Intervals.from_dict(intervals.as_dict()) == intervals


def test_a_spread_covers_customers_whose_total_was_off():
    rng = np.random.default_rng(5)

    def company(off):
        predicted = rng.lognormal(3, 1, 2000)
        return predicted * off * rng.lognormal(-0.02, 0.2, 2000), predicted

    rows = company(1.0)
    plain, wide = (Intervals.learn(*rows, 0.9, spread=spread) for spread in (0.0, 0.2))
    inside = []
    for _ in range(200):
        actual, predicted = company(np.exp(0.2 * rng.standard_normal()))
        ends = (intervals.apply(predicted) for intervals in (plain, wide))
        inside.append([((actual >= low) & (actual <= high)).mean() for low, high in ends])
    of_plain, of_wide = np.mean(inside, axis=0)
    assert of_plain < 0.8
    assert of_wide == pytest.approx(0.9, abs=0.02)


def test_the_total_knows_how_folds_differed():
    actual = np.concatenate([np.full(500, 10.0), np.full(500, 14.0)])
    predicted, fold = np.full(1000, 12.0), np.repeat(["a", "b"], 500)
    total = TotalInterval.learn(actual, predicted, fold, 0.9)
    assert total.degrees == 2
    low, high = total.apply(6000.0, 500)
    assert low < 5000 < 7000 < high
    low_twice = TotalInterval.learn(actual + 8, predicted, fold, 0.9)
    assert low_twice.spread > 2 * total.spread
    one = TotalInterval.learn(actual[:500], predicted[:500], fold[:500], 0.9)
    assert one.degrees == 0
    low, high = one.apply(100.0, 500)
    assert low < 100 < high


@pytest.mark.parametrize("moves", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("folds", [2, 4])
def test_the_total_is_covered_whether_or_not_the_level_moves(moves, folds):
    rng = np.random.default_rng(0)
    customers, companies = 400, 400
    predicted, fold = np.full(folds * customers, 10.0), np.repeat(np.arange(folds), customers)
    held = []
    for _ in range(companies):
        level = np.exp(moves * rng.standard_normal(folds + 1)).repeat(customers)
        actual = level * rng.exponential(10.0, level.size)
        total = TotalInterval.learn(actual[customers:], predicted, fold, 0.9)
        low, high = total.apply(10.0 * customers, customers)
        held.append(low <= actual[:customers].sum() <= high)
    assert 0.86 <= np.mean(held) <= 0.96


def test_others_give_up_a_little_where_a_floor_covers_too_much():
    rng = np.random.default_rng(3)

    def mixed(n):
        predicted = np.where(np.arange(n) % 2, rng.uniform(1, 2, n), rng.uniform(10, 20, n))
        buys = rng.random(n) < np.where(predicted < 5, 0.03, 0.6)
        return predicted * buys * rng.exponential(1.6, n), predicted

    intervals = Intervals.learn(*mixed(6000), 0.9)
    actual, predicted = mixed(6000)
    low, high = intervals.apply(predicted)
    inside = (actual >= low) & (actual <= high)
    assert inside[predicted < 5].mean() > 0.95
    assert 0.865 <= inside[predicted > 5].mean() <= 0.895
    assert 0.9 <= inside.mean() <= 0.94
