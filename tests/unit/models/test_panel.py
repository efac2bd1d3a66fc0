import datetime as dt

import numpy as np
import pandas as pd
import pytest

from clv.contract.tables import DataOptions, Tables
from clv.engines.connect import connect
from clv.errors import ModelError, WindowError
from clv.events.histories import make_histories
from clv.models.options import ModelOptions
from clv.models.training.folds import last_period
from clv.models.training.forecasts import PastForecasts
from clv.models.training.panel import (
    BTYD_COLUMNS,
    OUTCOMES,
    build_panel,
    choose_horizon,
    training_windows,
)
from clv.windows import gapped


@pytest.mark.parametrize(
    ("days", "horizon"), [(1100, 365), (900, 180), (400, 90), (329, 30), (150, 30)]
)
def test_the_longest_horizon_with_three_folds_is_chosen_and_announced(days, horizon):
    first = dt.date(2022, 1, 1)
    last = first + dt.timedelta(days=days)
    found, note = choose_horizon(first, last)
    assert found == horizon
    assert note.code == "horizon_chosen"
    windows = training_windows(first, last, found, limit=100)
    tested = [window for window in windows if gapped(windows, window)]
    assert len(tested) >= 3


@pytest.mark.parametrize(
    ("before_the_end", "horizon"), [(400, 365), (183, 180), (100, 90), (40, 30)]
)
def test_the_horizon_of_an_earlier_day_lies_in_the_orders(before_the_end, horizon):
    first, last = dt.date(2021, 1, 1), dt.date(2024, 12, 31)
    as_of = last - dt.timedelta(days=before_the_end)
    assert choose_horizon(first, last, as_of)[0] == horizon
    early = first + dt.timedelta(days=300)
    assert choose_horizon(first, last, early)[0] == 90
    with pytest.raises(WindowError, match="too few to test"):
        choose_horizon(first, last, first)
    with pytest.raises(WindowError, match="the orders reach to 2024-12-31"):
        choose_horizon(first, last, last)


def test_a_history_too_short_for_any_horizon_is_an_error():
    with pytest.raises(WindowError, match="too few to test"):
        choose_horizon(dt.date(2022, 1, 1), dt.date(2022, 4, 1))


@pytest.mark.parametrize("limit", [2, 5, 8])
def test_windows_are_spread_and_end_with_the_latest(limit):
    first, last = dt.date(2022, 1, 1), dt.date(2024, 12, 31)
    windows = training_windows(first, last, 180, limit=limit)
    assert len(windows) == limit
    assert windows[-1].horizon_end == last
    assert (windows[-1].cutoff - windows[0].cutoff).days > 500


def test_a_fixed_horizon_may_leave_little_history():
    windows = training_windows(dt.date(1997, 1, 1), dt.date(1998, 6, 30), 273)
    assert windows[-1].cutoff == dt.date(1997, 9, 30)


def test_the_panel_holds_features_and_outcomes_of_every_cutoff():
    rng = np.random.default_rng(0)
    orders = pd.DataFrame(
        {
            "order_id": [f"o{k}" for k in range(600)],
            "customer_id": [f"c{k}" for k in rng.integers(0, 60, 600)],
            "ordered_at": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(np.sort(rng.integers(0, 360, 600)), unit="D"),
            "amount": rng.gamma(2, 10, 600).round(2),
        }
    )
    with connect(threads=1) as engine:
        tables = Tables.from_frames(engine, {"orders": orders}, DataOptions(margin_rate=0.5))
        windows = training_windows(*tables.span(), 30, limit=3)
        steps = []
        panel = build_panel(
            make_histories(tables),
            windows,
            discount_rate_annual=0.0,
            on_progress=lambda *step: steps.append(step),
        )
    assert panel.windows == windows
    assert panel.value_is_margin
    assert steps[-1] == ("features and outcomes", 3, 3)
    assert set(OUTCOMES) <= set(panel.frame.columns)
    assert not set(OUTCOMES) & set(panel.features)
    assert "interactions" in {note.where for note in panel.notes}
    last = panel.at(windows[-1])
    assert last["customer_id"].is_monotonic_increasing
    ahead = orders[orders["ordered_at"] > pd.Timestamp(windows[-1].cutoff) + pd.Timedelta("23h")]
    assert last["value"].sum() == pytest.approx(0.5 * ahead["amount"].sum())


def test_a_young_company_is_learned_from_the_days_that_know_enough_customers():
    """Five customers in the first months, a hundred in the last: early cutoffs know too few."""
    rng = np.random.default_rng(2)
    days = rng.integers(0, 360, 900)
    orders = pd.DataFrame(
        {
            "order_id": [f"o{k}" for k in range(900)],
            "customer_id": [f"c{rng.integers(0, 5 if day < 200 else 100)}" for day in days],
            "ordered_at": pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="D"),
            "amount": rng.gamma(2, 10, 900).round(2),
        }
    )
    with connect(threads=1) as engine:
        tables = Tables.from_frames(engine, {"orders": orders})
        windows = training_windows(*tables.span(), 30)
        panel = build_panel(make_histories(tables), windows)
        early = build_panel(make_histories(tables), windows[:1])
    known = [
        orders.loc[orders["ordered_at"] <= pd.Timestamp(w.cutoff), "customer_id"].nunique()
        for w in windows
    ]
    enough = tuple(w for w, n in zip(windows, known, strict=True) if n >= 30)
    assert 0 < len(enough) < len(windows)
    assert panel.windows == enough
    assert set(panel.frame["as_of"]) == {w.cutoff.isoformat() for w in enough}
    (note,) = [note for note in panel.notes if note.code == "cutoff_left_out"]
    assert note.count == len(windows) - len(enough)
    assert str(windows[0].cutoff) in note.message
    PastForecasts(panel, ModelOptions())
    with pytest.raises(ModelError, match=r"5 customers had bought by .*training.horizon_days"):
        PastForecasts(early, ModelOptions())


def test_a_panel_too_large_keeps_whole_customers_and_everyones_history():
    rng = np.random.default_rng(1)
    orders = pd.DataFrame(
        {
            "order_id": [f"o{k}" for k in range(3000)],
            "customer_id": [f"c{k}" for k in rng.integers(0, 400, 3000)],
            "ordered_at": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(np.sort(rng.integers(0, 360, 3000)), unit="D"),
            "amount": rng.gamma(2, 10, 3000).round(2),
        }
    )
    with connect(threads=1) as engine:
        tables = Tables.from_frames(engine, {"orders": orders})
        windows = training_windows(*tables.span(), 30, limit=2)
        whole = build_panel(make_histories(tables), windows)
        part = build_panel(make_histories(tables), windows, rows=len(whole.frame) // 2, seed=3)
    assert not whole.purchase_histories
    assert 0.35 < len(part.frame) / len(whole.frame) < 0.65
    chosen = set(part.frame["customer_id"])
    kept = whole.frame[whole.frame["customer_id"].isin(chosen)].reset_index(drop=True)
    pd.testing.assert_frame_equal(part.frame, kept)
    columns = [*BTYD_COLUMNS, "as_of"]
    for window in windows:
        pd.testing.assert_frame_equal(
            part.everyone(window)[columns], whole.everyone(window)[columns].reset_index(drop=True)
        )
    (note,) = [note for note in part.notes if note.code == "panel_sampled"]
    assert note.count == len(whole.frame) - len(part.frame)
    options = ModelOptions(purchase_model="bg_nbd")
    ours, all_of_them = (PastForecasts(p, options).known(windows).latest for p in (part, whole))
    assert ours.purchase == all_of_them.purchase


def test_the_naive_forecast_is_the_last_period_again():
    rows = pd.DataFrame({"spend_90d": [90.0, np.nan], "spend_365d": [1.0, 1.0]})
    np.testing.assert_allclose(last_period(rows, 180), [180.0, 0.0])
    both = rows.assign(margin_ratio=0.5)
    np.testing.assert_allclose(last_period(both, 180), [90.0, 0.0])
    np.testing.assert_allclose(last_period(rows.assign(margin_90d=7.0), 90), 7.0)
    assert np.isnan(last_period(pd.DataFrame({"x": [1.0]}), 90)).all()
