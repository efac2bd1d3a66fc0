"""scikit-learn's verbs over the whole of training: the same result however it is asked for."""

import pickle
import re

import pandas as pd
import polars as pl
import pytest
from clv.pipelines.running.settings import Settings
from sklearn.base import clone

import clv
from clv.errors import (
    DataError,
    ModelError,
    SchemaError,
    UsageError,
    WindowError,
)
from clv.evaluation.backtest import run_backtest
from clv.models.lifetime_value import SCORE_COLUMNS, LifetimeModel
from clv.simulation import SimulationOptions, simulate

SMALL = {
    "horizon_days": 90,
    "folds": 1,
    "cutoffs": 2,
    "trees": 10,
    "purchase_model": "bg_nbd",
}
NAMES = {"customer": "client", "date": "day", "amount": "total"}


@pytest.fixture(scope="module")
def orders():
    options = SimulationOptions(customers=300, years=2, transcripts=False)
    kept = ["order_id", "customer_id", "ordered_at", "amount"]
    frame = simulate(options).frames()["orders"]
    return frame.loc[frame["refund_of"].isna(), kept].reset_index(drop=True)


@pytest.fixture(scope="module")
def company(orders):
    with clv.Company.from_frames(orders=orders) as held:
        yield held


@pytest.fixture(scope="module")
def seen():
    return []


@pytest.fixture(scope="module")
def model(company, seen):
    return clv.LifetimeValue(**SMALL).fit(company, on_progress=lambda *step: seen.append(step))


@pytest.fixture(scope="module")
def scores(model, company):
    return model.predict(company)


def test_defaults_are_those_of_the_command_line():
    settings = Settings()
    assert clv.LifetimeValue().get_params() == {
        **settings.training.model_dump(),
        "seed": settings.seed,
    }


def test_options_are_scikit_learns():
    model = clv.LifetimeValue(**SMALL)
    assert clone(model).get_params() == model.get_params()
    assert clone(model).set_params(seed=7, threads=2).model_options().growth.num_threads == 2
    assert model.model_options().growth.seed == 0
    assert "horizon_days=90" in repr(model)
    with pytest.raises(ValueError, match="Invalid parameter 'horizon'"):
        model.set_params(horizon=3)


def test_a_fit_holds_what_it_promises(model, company, seen):
    panel = model.panel(company)
    assert model.horizon_days_ == panel.horizon_days == 90
    assert list(model.feature_names_in_) == list(model.model_.info.features)
    assert model.n_features_in_ == len(model.feature_names_in_) > 10
    assert model.purchases_ is model.model_.purchases
    backtest = run_backtest(panel, model.model_options())
    assert model.backtest_.as_dict() == backtest.as_dict()
    again = LifetimeModel.fit(panel, model.model_options())
    assert again.texts() == model.model_.texts()
    assert {step for step, _, _ in seen} >= {"features and outcomes", "final models"}
    assert all(0 <= done <= total for _, done, total in seen)
    assert set(company.tables.notes) <= set(model.notes_)


def test_a_fitted_model_says_what_it_is_worth(model):
    gini = model.backtest_.models["blend"]["gini"].mean
    assert repr(model).startswith("LifetimeValue(cutoffs=2, folds=1, horizon_days=90")
    assert f"{model.model_.info.customers} customers" in repr(model)
    assert f"Gini {gini:.3f}" in repr(model)
    assert model._repr_mimebundle_()["text/plain"] == repr(model)


def test_scores_are_the_same_however_they_are_asked_for(model, company, orders, scores):
    assert tuple(scores.columns) == SCORE_COLUMNS
    day = orders["ordered_at"].max().date()
    table = company.features(day)
    for given in (table, table.to_pandas(), orders):
        pd.testing.assert_frame_equal(model.predict(given), scores)
    pd.testing.assert_frame_equal(model.predict(company, as_of=str(day)), scores)
    pd.testing.assert_frame_equal(model.predict(company, as_of=pd.Timestamp(day)), scores)
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(model)).predict(company), scores)
    assert scores["customer_id"].is_monotonic_increasing
    assert scores.attrs["notes"]


def test_a_frame_with_its_own_names_is_the_company(orders, model, scores):
    renamed = orders.rename(
        columns={"customer_id": "client", "ordered_at": "day", "amount": "total"}
    ).drop(columns="order_id")
    own = clv.LifetimeValue(**SMALL).fit(pl.from_pandas(renamed), **NAMES)
    assert own.columns_ == {"customer_id": "client", "ordered_at": "day", "amount": "total"}
    pd.testing.assert_frame_equal(own.predict(renamed), scores)


def test_what_comes_after_the_day_changes_no_score(model, orders, company):
    day = "2025-06-30"
    until = orders[orders["ordered_at"] < "2025-07-01"]
    later = model.predict(company, as_of=day)
    pd.testing.assert_frame_equal(
        model.predict(until, as_of=until["ordered_at"].max()),
        later.assign(as_of=str(until["ordered_at"].max().date())),
        check_exact=False,
    )
    assert [note["code"] for note in later.attrs["notes"]].count("hindsight") == 1


def test_contributions_sum_to_the_value(model, company, scores):
    groups = model.contributions(company).set_index("customer_id").sum(axis=1)
    summed = scores["typical_clv"].to_numpy() + groups.to_numpy()
    assert abs(summed - scores["clv"].to_numpy()).max() < 1e-3


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda m, c, o: clv.LifetimeValue().predict(c), UsageError, "is not fitted"),
        (lambda m, c, o: clv.LifetimeValue().fit(3), UsageError, "a int is neither a Company"),
        (lambda m, c, o: clv.LifetimeValue().fit(c, customer="x"), UsageError, "Leave them out"),
        (
            lambda m, c, o: clv.LifetimeValue().fit(o.rename(columns={"amount": "total"})),
            SchemaError,
            "no column 'amount'; it has 'order_id', 'customer_id', 'ordered_at', 'total'",
        ),
        (lambda m, c, o: clv.LifetimeValue(horizon_days=0).fit(c), UsageError, "expected 1 or"),
        (lambda m, c, o: clv.LifetimeValue(time_unit="years").fit(c), UsageError, "days, weeks"),
        (lambda m, c, o: clv.LifetimeValue(model="x").fit(c), UsageError, "expected one of blend"),
        (lambda m, c, o: clv.LifetimeValue(horizon_days=900).fit(c), WindowError, "900"),
        (lambda m, c, o: m.predict(c, as_of="1999-01-01"), WindowError, "outside the orders"),
        (lambda m, c, o: m.predict(c, as_of="soon"), UsageError, "'soon' is no day"),
        (lambda m, c, o: m.predict(o.head(0)), DataError, "orders"),
        (
            lambda m, c, o: m.predict(c.features("2025-06-30").to_pandas(), as_of="2025-06-30"),
            UsageError,
            "features say their own day",
        ),
        (
            lambda m, c, o: m.predict(
                c.features("2025-06-30").to_pandas().drop(columns="age_days")
            ),
            ModelError,
            "missing column 'age_days'",
        ),
        (lambda m, c, o: m.predict(o[["amount"]]), SchemaError, "no column 'customer_id'"),
    ],
)
def test_what_cannot_be_meant_is_one_line(model, company, orders, ask, error, message):
    with pytest.raises(error, match=message) as raised:
        ask(model, company, orders)
    assert "\n" not in str(raised.value)


def test_a_waterfall_sums_to_the_customers_value(model, company, scores):
    customer = scores.sort_values("clv").iloc[-1]
    picture = model.waterfall(company, customer["customer_id"])
    parts = picture.to_frame()
    assert parts["part"].iloc[-1] == "clv"
    assert parts["amount"].iloc[:-1].sum() == pytest.approx(parts["amount"].iloc[-1], abs=1e-6)
    assert parts["amount"].iloc[-1] == pytest.approx(customer["clv"], abs=1e-2)
    with pytest.raises(UsageError, match="there is no customer 'nobody'"):
        model.waterfall(company, "nobody")


def test_a_report_is_written_of_a_model_and_its_company(model, company, scores, tmp_path):
    page = tmp_path / "report.html"
    facts = clv.write_report(company, model, page, organisation="Corner <shop>")
    text = page.read_text(encoding="utf-8")
    assert "Corner &lt;shop&gt;" in text
    assert "Corner <shop>" not in text
    assert facts.organisation == "Corner <shop>"
    assert f"{len(scores):,}" in text
    assert not re.search(r"""(?:src|href)=["']?https?:""", text)


def test_a_report_needs_a_fitted_model_and_a_place(model, company, tmp_path):
    with pytest.raises(UsageError, match="fit"):
        clv.write_report(company, clv.LifetimeValue(), tmp_path / "report.html")
    with pytest.raises(WindowError):
        clv.write_report(company, model, tmp_path / "report.html", as_of="2031-01-01")
    with pytest.raises(UsageError, match="is a folder"):
        clv.write_report(company, model, tmp_path)
