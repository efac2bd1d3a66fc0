import datetime as dt

import numpy as np
import pandas as pd
import pytest

from clv.models.season import SeasonalCorrection


def past(ratios, every=30, first=dt.date(2022, 1, 1), customers=400):
    rng = np.random.default_rng(0)
    frames = []
    for k, ratio in enumerate(ratios):
        day = (first + dt.timedelta(days=every * k)).isoformat()
        btyd = rng.gamma(2, 10, customers)
        frames.append(pd.DataFrame({"as_of": day, "btyd": btyd, "value": btyd * ratio}))
    rows = pd.concat(frames)
    return rows, rows["btyd"].to_numpy()


def test_nothing_known_changes_nothing():
    seasonal = SeasonalCorrection.learn(*past([2.0, 2.0]), reach_days=90)
    assert seasonal.factor(["2022-01-15"]).tolist() == [1.0]


def test_only_ratios_complete_by_the_cutoff_count():
    seasonal = SeasonalCorrection.learn(*past([1.5, 3.0]), reach_days=90)
    just_before = seasonal.factor(["2022-04-30"])[0]
    after = seasonal.factor(["2022-05-01"])[0]
    assert 1 < just_before < 1.5
    assert after > just_before


def test_a_standing_bias_is_mostly_removed_and_never_overshot():
    seasonal = SeasonalCorrection.learn(*past([0.8] * 12), reach_days=30)
    found = seasonal.factor(["2023-06-30"])[0]
    assert 0.8 <= found < 0.86


def test_the_same_season_last_year_comes_first():
    ratios = [1.6 if k % 12 == 8 else 1.0 for k in range(24)]
    seasonal = SeasonalCorrection.learn(*past(ratios), reach_days=90)
    season = dt.date(2022, 1, 1) + dt.timedelta(days=30 * 20 + 365)
    off = season + dt.timedelta(days=150)
    assert seasonal.factor([season.isoformat()])[0] > 1.2
    assert seasonal.factor([off.isoformat()])[0] == pytest.approx(1.0, abs=0.1)


def test_ratios_that_are_chance_weigh_little():
    rows, btyd = past([1.5] * 6, customers=400)
    noisy = rows.assign(value=0.0)
    noisy.iloc[::100, noisy.columns.get_loc("value")] = btyd.sum() * 1.5 / (len(rows) / 100)
    sure = SeasonalCorrection.learn(rows, btyd, 30).factor(["2023-06-30"])[0]
    unsure = SeasonalCorrection.learn(noisy, btyd, 30).factor(["2023-06-30"])[0]
    assert 1 <= unsure < sure


def test_ratio_is_what_happened():
    seasonal = SeasonalCorrection.learn(*past([1.5, 0.5]), reach_days=30)
    found = seasonal.ratio(["2022-01-31", "2022-01-01", "2030-01-01"])
    np.testing.assert_allclose(found, [0.5, 1.5, 1.0])


def test_cutoffs_without_money_are_left_out():
    rows, btyd = past([1.2, 1.2])
    rows.loc[rows["as_of"] == "2022-01-01", "value"] = 0.0
    assert len(SeasonalCorrection.learn(rows, btyd, 30).days) == 1


def test_seasonal_correction_survives_json():
    seasonal = SeasonalCorrection.learn(*past([1.5, 0.5]), reach_days=30)
    assert SeasonalCorrection.from_dict(seasonal.as_dict()) == seasonal
