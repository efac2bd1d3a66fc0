import datetime as dt
import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clv.evaluation.backtest import run_backtest
from clv.models.options import ModelOptions
from clv.models.training.folds import out_of_fold
from clv.models.trees.boosting import Growth


def _company():
    path = Path(__file__).parents[1] / "models" / "company.py"
    spec = importlib.util.spec_from_file_location("panel_company", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["panel_company"] = module
    spec.loader.exec_module(module)
    return module.make_panel


@pytest.fixture(scope="module")
def panel():
    return _company()()


@pytest.fixture(scope="module")
def options():
    growth = Growth(trees=40, num_threads=1, min_data_in_leaf=20)
    return ModelOptions(purchase_model="bg_nbd", folds=2, growth=growth)


@pytest.fixture(scope="module")
def folds(panel, options):
    return out_of_fold(panel, options)


@pytest.fixture(scope="module")
def backtest(panel, options, folds):
    return run_backtest(panel, options, folds=folds)


def test_the_document_has_everything_the_report_reads(backtest):
    told = json.loads(json.dumps(backtest.as_dict(), allow_nan=False))
    assert told["horizon_days"] == 90
    assert set(told["models"]) == {"blend", "btyd", "lightgbm", "last_period", "mean", "zero"}
    for metric in ("gini", "spearman", "mae", "decile_mape", "total_bias", "brier"):
        assert set(told["models"]["blend"][metric]) >= {"mean", "low", "high"}
    assert [row["decile"] for row in told["deciles"]] == list(range(1, 11))
    assert {row["as_of"] for row in told["tracking"]} == {f["as_of"] for f in told["folds"]}
    assert told["coverage"]["nominal"] == 0.9
    floor, elsewhere = told["coverage"]["at_floor"], told["coverage"]["elsewhere"]
    assert 0.0 <= floor < 1.0
    assert told["coverage"]["customers"] >= (1 - floor) * elsewhere
    assert sum(row["customers"] for row in told["calibration"]) == len(backtest.rows)


def test_no_fold_learns_what_was_not_known(panel, folds):
    reach = dt.timedelta(days=panel.horizon_days)
    for fold in folds.folds:
        day = dt.date.fromisoformat(fold.as_of)
        legal = [w for w in panel.windows if w.cutoff + reach <= day]
        assert fold.train_cutoffs == len(legal)
        assert fold.train_rows == len(panel.of(legal))


def test_a_reporting_delay_costs_training_cutoffs(panel, options):
    late = replace(options, reporting_delay_days=60)
    found = out_of_fold(panel, late).folds
    prompt = {fold.as_of: fold for fold in out_of_fold(panel, options).folds}
    assert all(fold.train_cutoffs < prompt[fold.as_of].train_cutoffs for fold in found)


def test_the_future_changes_no_earlier_prediction(panel, options, folds):
    """Whatever happens after a fold's cutoff, its predictions stay as they were."""
    frame, first = panel.frame.copy(), folds.folds[0]
    horizon = dt.timedelta(days=panel.horizon_days)
    late = frame["as_of"].map(
        lambda day: dt.date.fromisoformat(day) + horizon > dt.date.fromisoformat(first.as_of)
    )
    rng = np.random.default_rng(0)
    frame.loc[late, "value"] = rng.gamma(1, 500, int(late.sum()))
    frame.loc[late, "churned"] = rng.integers(0, 2, int(late.sum())).astype(float)
    changed = run_backtest(replace(panel, frame=frame), options).rows
    before = run_backtest(panel, options, folds=folds).rows
    for name in ("blend", "btyd", "lightgbm", "p_churn", "clv_low", "clv_high"):
        old = before.loc[before["as_of"] == first.as_of, name].to_numpy()
        new = changed.loc[changed["as_of"] == first.as_of, name].to_numpy()
        np.testing.assert_array_equal(new, old, err_msg=name)


def test_models_beat_the_naive_and_the_intervals_hold(backtest):
    models = backtest.models
    for naive in ("last_period", "mean", "zero"):
        assert models["blend"]["gini"].mean > models[naive]["gini"].mean
    best = models["btyd"]["gini"]
    assert models["blend"]["gini"].mean >= best.mean - 2 * best.standard_error
    assert models["blend"]["calibration_error"].mean < 0.06
    assert 0.85 <= backtest.coverage <= 0.96


def test_one_and_the_same_folds_serve_training_and_backtest(backtest, panel, options):
    again = run_backtest(panel, options)
    assert again.as_dict() == backtest.as_dict()


def test_a_short_history_holds_out_customers_and_says_so(options):
    short = _company()(customers=400, days=(300, 330))
    found = run_backtest(short, options)
    assert [fold.kind for fold in found.folds] == ["customers"]
    assert {note.code for note in found.notes} >= {"folds_by_customer", "calibrated_on"}
    assert len(found.rows) == len(short.at(short.windows[-1]))
    assert found.rows["customer_id"].is_unique


def test_segments_cover_everyone(backtest):
    counts = [s["customers"] for s in backtest.segments if s["column"] == "purchases"]
    assert sum(counts) == len(backtest.rows)
    for segment in backtest.segments:
        for metric in ("gini", "total_bias"):
            low, high = segment[f"{metric}_interval"]
            assert low < segment[metric] < high


def test_a_level_that_moves_between_folds_is_noted(panel, options):
    frame = panel.frame.copy()
    last = panel.windows[-1].cutoff.isoformat()
    frame.loc[frame["as_of"] == last, "value"] *= 3
    found = run_backtest(replace(panel, frame=frame), options)
    assert "fold_drift" in {note.code for note in found.notes}


def test_a_backtest_shows_itself_and_its_pictures(backtest):
    assert repr(backtest).startswith("<Backtest: 2 cutoffs, 90 days: normalised Gini ")
    assert backtest._repr_html_().count("<table") == 1
    table = backtest.to_frame().set_index(["model", "metric"])
    assert table.loc[("blend", "gini"), "mean"] == backtest.models["blend"]["gini"].mean
    plot = backtest.plot
    totals = [plot.tracking(), plot.calibration(), plot.skill()]
    assert all("<svg" in picture.svg() for picture in totals)
    deciles = plot.deciles().facts
    assert deciles["actual"].mean() == pytest.approx(backtest.rows["value"].mean(), rel=0.02)
    lift = plot.lift().facts
    assert lift["lift"].mean() == pytest.approx(1.0, rel=0.02)
    gains = plot.gains().facts.groupby("series")["value"]
    assert (gains.first() == 0).all()
    np.testing.assert_allclose(gains.last(), 1.0)
    best, model = (gains.get_group(name).to_numpy() for name in ("perfect order", "model"))
    assert (best >= model - 1e-12).all()
    observed = plot.calibration().facts
    ends = observed["low"] - 1e-12, observed["high"] + 1e-12
    assert observed["observed"].between(*ends).all()
