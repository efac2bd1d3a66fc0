"""Nothing is published that was not measured on the past, on the same kinds of people."""

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from clv.evaluation.backtest import run_backtest
from clv.evaluation.counterparts import FACTS, MEASURES, PARTS
from clv.evaluation.documents import logged_metrics
from clv.models.lifetime_value import LifetimeModel
from clv.models.options import ModelOptions
from clv.models.prospects.people import NEVER, PEOPLE, RETURNED, people_of
from clv.models.training.folds import out_of_fold
from clv.models.training.panel import OUTCOMES
from clv.models.trees.boosting import Growth
from clv.sinks import SCORES


def _company():
    path = Path(__file__).parents[1] / "models" / "company.py"
    spec = importlib.util.spec_from_file_location("panel_company", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["panel_company"] = module
    spec.loader.exec_module(module)
    return module


OPTIONS = ModelOptions(
    purchase_model="bg_nbd", folds=2, growth=Growth(trees=20, num_threads=1, min_data_in_leaf=20)
)


@pytest.fixture(scope="module")
def panel():
    made = _company()
    panel = made.make_panel(400)
    days = [window.cutoff.isoformat() for window in panel.windows]
    rows = [made.people(200, day, seed=k) for k, day in enumerate(days)]
    return replace(panel, prospects=pd.concat(rows, ignore_index=True))


@pytest.fixture(scope="module")
def folds(panel):
    return out_of_fold(panel, OPTIONS)


@pytest.fixture(scope="module")
def backtest(panel, folds):
    return run_backtest(panel, OPTIONS, folds=folds)


@pytest.fixture(scope="module")
def scores(panel, folds):
    """A score table of everybody known at the last cutoff."""
    model = LifetimeModel.fit(panel, OPTIONS, folds=folds)
    last = panel.windows[-1]
    known = pd.concat([panel.at(last), panel.prospects_of([last])], ignore_index=True)
    scores = model.predict(known.drop(columns=list(OUTCOMES)))
    return scores.assign(frequency=known["frequency"])


def test_every_column_of_the_score_table_is_a_fact_a_measured_prediction_or_a_part_of_one():
    kinds = [*FACTS, *MEASURES, *PARTS]
    assert sorted(kinds) == sorted(SCORES.names)
    assert set(PARTS.values()) <= set(MEASURES)


def test_what_is_published_of_a_kind_of_people_was_measured_on_that_kind(backtest, scores):
    held = {(row["column"], row["people"]) for row in backtest.columns}
    people = people_of(scores["frequency"].to_numpy(float))
    assert all(here.any() for here in people.values())
    measures = {name: name for name in MEASURES} | PARTS
    for column, measure in measures.items():
        for name, here in people.items():
            if scores.loc[here, column].notna().any():
                assert (measure, name) in held, f"{column} of {name} was never measured"


def test_measures_agree_with_the_rows(backtest, folds):
    told = {(r["column"], r["people"]): r for r in backtest.columns}
    theirs = pd.concat([fold.prospects for fold in folds.reported])
    row = told["clv", "yet to buy"]
    assert row["customers"] == len(theirs) == 400
    assert row["predicted"] == pytest.approx(theirs["clv"].mean())
    assert row["actual"] == pytest.approx(theirs["value"].mean())
    row = told["expected_purchases", "yet to buy"]
    assert row["actual"] == pytest.approx(theirs["purchases"].mean())
    spend = told["expected_spend", "yet to buy"]["actual"]
    assert spend == pytest.approx(theirs["revenue"].sum() / theirs["purchases"].sum())
    first = backtest.rows[backtest.rows["frequency"] == 0]
    assert told["p_repeat", "first-time"]["actual"] == pytest.approx(
        (first["purchases"] > 0).mean()
    )
    assert ("p_repeat", "repeat") not in told
    assert not {("p_churn", "yet to buy"), ("p_alive", "yet to buy")} & set(told)
    assert (
        json.loads(json.dumps(backtest.as_dict(), allow_nan=False))["columns"] == backtest.columns
    )


def test_the_total_is_of_everybody_who_is_in_it(backtest, folds):
    rows, theirs = backtest.rows, pd.concat([fold.prospects for fold in folds.reported])
    forecast = rows["blend"].sum() + theirs["clv"].sum()
    came = rows["value"].sum() + theirs["value"].sum()
    assert backtest.models["blend"]["total_bias"].mean == pytest.approx(forecast / came - 1)
    assert sum(row["predicted"] for row in backtest.tracking) == pytest.approx(forecast)
    assert sum(row["actual"] for row in backtest.tracking) == pytest.approx(came)
    zero = backtest.models["zero"]["total_bias"].mean
    assert zero == -1
    prospects = backtest.prospects
    assert prospects["error"] == pytest.approx((theirs["clv"] - theirs["value"]).sum() / came)
    assert abs(prospects["error"]) < 0.05
    assert 0.85 <= prospects["coverage"] <= 1


def test_people_are_segments_beside_one_another(backtest):
    found = {(s["column"], s["value"]): s for s in backtest.segments}
    counts = [found["people", name]["customers"] for name in PEOPLE]
    assert sum(counts) == len(backtest.scored)
    kinds = [found["yet to buy", kind]["customers"] for kind in (NEVER, RETURNED)]
    assert sum(kinds) == counts[-1]
    assert found["people", "yet to buy"]["p_churn"] is None


def test_without_past_people_there_is_no_row_and_no_total_of_them(panel):
    alone = replace(panel, prospects=panel.prospects.head(0))
    folds = out_of_fold(alone, OPTIONS)
    found = run_backtest(alone, OPTIONS, folds=folds)
    assert {row["people"] for row in found.columns} == {"repeat", "first-time"}
    assert found.prospects == {
        "customers": 0, "predicted": 0.0, "actual": 0.0, "error": 0.0, "coverage": None,
    }  # fmt: skip
    assert len(found.scored) == len(found.rows)
    model = LifetimeModel.fit(alone, OPTIONS, folds=folds)
    metrics = logged_metrics(model.info, found)
    assert metrics["backtest/prospects/customers"] == 0.0
    assert metrics["backtest/prospects/error"] == 0.0
    strangers = panel.prospects_of([panel.windows[-1]]).reindex(columns=panel.frame.columns)
    scores = model.predict(strangers.drop(columns=list(OUTCOMES)))
    assert scores[list(MEASURES)].isna().all().all()
