"""The company's own calendar: its time, and how it is learned from weeks."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clv.models.calendar.intensity import BusyWeeks, busy_weeks
from clv.models.calendar.operational import BINS, Calendar, epoch_days
from clv.models.calendar.posterior import calendar_of, learn_calendar
from clv.models.options import ModelOptions
from clv.models.purchases import Purchases
from clv.models.training.forecasts import PastForecasts

from .company import make_panel

LAST = dt.date(2025, 10, 2)
YEARS_28 = 28 * 1461 // 4  # weekdays and leap days fall alike again


def season_of(days, height):
    """Busyness of days since 1970: a Christmas, and what it takes from the rest of the year."""
    of_year = (np.asarray(days) + 0.25) % 365.25
    away = np.minimum(np.abs(of_year - 345), 365.25 - np.abs(of_year - 345))
    busy = 1 + height * np.exp(-0.5 * (away / 25) ** 2)
    return busy / (1 + height * 25 * np.sqrt(2 * np.pi) / 365.25)


def weekly(seen_days=750, height=0.5, seed=0, customers=20, last=LAST):
    """Counts of a company whose customers' rate falls with age, times the season."""
    rng = np.random.default_rng(seed)
    end = int(epoch_days([last])[0])
    weeks = np.arange((end - seen_days) // 7, end // 7)
    rows = []
    for cohort in weeks:
        came = rng.poisson(customers) + 1
        ages = weeks[weeks >= cohort] - cohort
        rate = 0.3 / (1 + ages / 10) * season_of(7 * weeks[weeks >= cohort] + 3, height)
        repeats = rng.poisson(came * rate)
        for age, count in zip(ages, repeats, strict=True):
            rows.append((cohort, cohort + age, came if age == 0 else 0, count))
    return pd.DataFrame(rows, columns=["cohort", "week", "customers", "repeats"])


def learned(counts, last=LAST, horizon_days=90):
    return learn_calendar(counts, int(epoch_days([last])[0]), horizon_days)


def ahead(calendar, last=LAST):
    return float(calendar.ahead([last.isoformat()], 90)[0]) / 90


def truth(height, last=LAST):
    start = int(epoch_days([last])[0])
    return float(season_of(start + np.arange(1, 91), height).mean())


intensities = st.lists(st.floats(0.1, 5.0), min_size=BINS, max_size=BINS).map(
    lambda values: Calendar(tuple(np.array(values) / np.mean(values)))
)
days = st.integers(-20_000, 40_000)


@given(intensities, days, days, days)
def test_operational_time_is_monotone_and_additive(calendar, a, b, c):
    a, b, c = sorted((a, b, c))
    first, second, whole = (
        float(calendar.elapsed(np.array([x]), np.array([y]))[0])
        for x, y in ((a, b), (b, c), (a, c))
    )
    assert first >= 0
    assert second >= 0
    assert (whole > 0) == (c > a)
    assert first + second == pytest.approx(whole, abs=1e-6)


@given(intensities, st.integers(1950, 2060))
def test_a_year_lasts_a_year(calendar, year):
    ends = epoch_days([f"{year - 1}-12-31", f"{year}-12-31"])
    leap = ends[1] - ends[0] - 365
    found = float(calendar.elapsed(ends[:1], ends[1:])[0])
    assert found == pytest.approx(365 + leap * calendar.intensity[11], abs=1e-6)


@given(intensities, st.dates(dt.date(1980, 1, 1), dt.date(2030, 12, 31)), st.integers(1, 400))
def test_whole_years_change_no_length(calendar, day, length):
    start = epoch_days([day])[0]
    later = start + 1461
    found = calendar.elapsed(np.array([start, later]), np.array([start, later]) + length)
    assert found[0] == pytest.approx(found[1], abs=1e-6)


def test_histories_keep_what_a_purchase_model_needs():
    rng = np.random.default_rng(0)
    age = rng.integers(0, 800, 500).astype(float)
    recency = np.floor(age * rng.random(500))
    rows = pd.DataFrame(
        {"frequency": 1.0, "recency_days": recency, "age_days": age, "monetary_value": 5.0}
    ).assign(as_of="2024-11-15")
    busy = Calendar(tuple(season_of(np.arange(BINS) * 5 + 2, 1.5)))
    _, t_x, t, _ = busy.histories(rows)
    assert ((t_x >= 0) & (t_x <= t) & (t_x == np.floor(t_x)) & (t == np.floor(t))).all()
    flat = Calendar().histories(rows.drop(columns="as_of"))
    np.testing.assert_array_equal(flat[1], recency)


@pytest.mark.parametrize(("seen_days", "low", "high"), [(400, 0.3, 0.95), (750, 0.6, 1.1)])
def test_two_seasons_say_more_than_one(seen_days, low, high):
    calendar = learned(weekly(seen_days))
    share = np.log(ahead(calendar)) / np.log(truth(0.5))
    assert low < share < high


def test_seen_twice_it_is_surer_than_seen_once():
    once, twice = (learned(weekly(d)) for d in (400, 750))
    assert twice.spread_at(LAST.isoformat()) < once.spread_at(LAST.isoformat())


def test_a_season_not_seen_is_flat_and_unknown():
    summer = dt.date(2025, 9, 1)
    calendar = learned(weekly(200, last=summer), last=summer)
    assert calendar.is_flat
    assert calendar.spread_at(LAST.isoformat()) > 0.05


def test_flat_weeks_give_a_flat_calendar():
    found = [ahead(learned(weekly(750, height=0.0, seed=seed))) - 1 for seed in range(6)]
    assert abs(np.mean(found)) < 0.005
    assert np.std(found) < 0.01


def test_weeks_after_the_cutoff_change_nothing():
    counts = weekly(750)
    cutoff = dt.date(2025, 3, 14)
    day = int(epoch_days([cutoff])[0])
    later = counts["week"] * 7 + 6 > day
    assert later.any()
    bent = counts.assign(repeats=counts["repeats"].where(~later, counts["repeats"] * 9 + 4))
    assert learned(bent, cutoff) == learned(counts, cutoff) == learned(counts[~later], cutoff)


def test_another_order_of_rows_changes_nothing():
    counts = weekly(500)
    assert learned(counts.sample(frac=1, random_state=1)) == learned(counts)


def test_all_dates_moved_by_whole_years_change_nothing():
    counts = weekly(500)
    moved = counts.assign(
        cohort=counts["cohort"] + YEARS_28 // 7, week=counts["week"] + YEARS_28 // 7
    )
    later = LAST.replace(year=LAST.year + 28)
    here, there = learned(counts), learned(moved, later)
    np.testing.assert_allclose(there.intensity, here.intensity, atol=1e-6)
    np.testing.assert_allclose(there.spread, here.spread, atol=1e-6)


def test_customers_who_grow_old_are_no_season():
    weeks = busy_weeks(weekly(750, height=0.0), int(epoch_days([LAST])[0]))
    assert abs(np.average(weeks.log_ratio, weights=1 / weeks.variance)) < 0.05
    years = (weeks.days - weeks.days.mean()) / 365
    slope = np.polyfit(years, weeks.log_ratio, 1, w=1 / np.sqrt(weeks.variance))[0]
    assert abs(slope) < 0.1


def test_no_weeks_are_no_calendar():
    assert learned(weekly(50).iloc[:0]) == Calendar()
    assert calendar_of(BusyWeeks(*(np.empty(0),) * 3), 90).is_flat


def test_what_is_not_used_is_not_known():
    calendar = learned(weekly(750))
    unused, day = calendar.unused(), LAST.isoformat()
    assert unused.is_flat
    assert unused.spread_at(day) > calendar.spread_at(day) + 0.05


def test_a_forecast_integrates_the_season_ahead():
    panel = make_panel(400, 3, (540,))
    rows = panel.frame.assign(as_of="2025-10-02")
    busy = Calendar(tuple(season_of(np.arange(BINS) * 5 + 2, 0.8)))
    fitted = Purchases.fit(rows, "bg_nbd", calendar=busy)
    winter, flat = fitted.forecast(rows, 90, 0.0), Purchases.fit(rows, "bg_nbd")
    assert len(set(winter["season"])) == 1
    assert winter["season"].iloc[0] > 1.1
    assert winter["purchases"].sum() > 1.1 * flat.forecast(rows, 90, 0.0)["purchases"].sum()
    assert Purchases.from_dict(fitted.as_dict()) == fitted
    old = {name: part for name, part in fitted.as_dict().items() if name != "calendar"}
    assert Purchases.from_dict(old).calendar.is_flat


def test_a_batch_of_several_cutoffs_is_each_alone():
    panel = make_panel(300, 3, (480, 540))
    rows = panel.frame
    busy = Calendar(tuple(season_of(np.arange(BINS) * 5 + 2, 0.8)))
    fitted = Purchases.fit(rows[rows["as_of"] == rows["as_of"].max()], "bg_nbd", calendar=busy)
    both = fitted.forecast(rows, 90, 0.1)
    alone = pd.concat([fitted.forecast(part, 90, 0.1) for _, part in rows.groupby("as_of")])
    pd.testing.assert_frame_equal(both, alone.loc[both.index], check_exact=True)


def test_the_weeks_decide_where_tests_cannot():
    panel = make_panel(300, 3, (480, 510))
    options = ModelOptions(purchase_model="bg_nbd")
    (calendar, _) = PastForecasts(panel, options).known(panel.windows).steps
    assert (calendar.name, calendar.used) == ("calendar", False)
    last = panel.windows[-1].cutoff
    weeks = weekly(750, height=0.8, last=last)
    known = PastForecasts(replace(panel, purchase_weeks=weeks), options).known(panel.windows)
    assert (known.steps[0].used, known.steps[0].reason) == (True, "prior")
    assert not known.latest.calendar.is_flat
