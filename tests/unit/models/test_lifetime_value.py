import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from clv.errors import ModelError, UsageError
from clv.features.base import GROUPS, SERVICE_GROUPS
from clv.models.lifetime_value import SCORE_COLUMNS, LifetimeModel
from clv.models.options import ModelOptions


def test_scores_have_the_promised_columns_and_ranges(model, portfolio):
    scores = model.predict(portfolio)
    assert tuple(scores.columns) == SCORE_COLUMNS
    assert len(scores) == len(portfolio)
    assert (scores["customer_id"].to_numpy() == portfolio["customer_id"].to_numpy()).all()
    for name in ("p_churn", "p_alive"):
        assert scores[name].between(0, 1).all()
    assert (scores["clv_low"] <= scores["clv"]).all()
    assert (scores["clv"] <= scores["clv_high"]).all()
    assert np.isfinite(scores[["clv", "clv_low", "clv_high", "typical_clv"]]).all().all()
    assert scores["value_decile"].between(1, 10).all()
    assert scores["value_decile"].value_counts().between(60, 120).all()


def test_clv_is_typical_clv_plus_contributions(model, portfolio):
    scores, parts = model.predict(portfolio), model.contributions(portfolio)
    assert list(parts.columns) == ["customer_id", *GROUPS]
    total = scores["typical_clv"] + parts[list(GROUPS)].sum(axis=1)
    np.testing.assert_allclose(total, scores["clv"], rtol=1e-9)
    service = parts[list(SERVICE_GROUPS)].sum(axis=1)
    np.testing.assert_allclose(service, scores["service_contribution"], atol=1e-9)


def rows_of_every_kind(portfolio):
    """Return customers, prospects, and rows whose features are unknown or new."""
    prospects = portfolio.head(5).copy()
    prospects[["frequency", "recency_days", "age_days", "monetary_value"]] = np.nan
    unknown = portfolio.head(40).copy()
    unknown["empathy_90d"] = np.nan
    unknown["segment"] = "moon"
    return pd.concat([portfolio, prospects, unknown], ignore_index=True)


def test_features_sum_to_every_customers_clv_and_to_their_groups(model, portfolio):
    rows = rows_of_every_kind(portfolio)
    scores, features = model.predict(rows), model.feature_contributions(rows)
    known = scores["clv"].notna()
    total = scores["typical_clv"] + features.sum(axis=1)
    np.testing.assert_allclose(total[known], scores["clv"][known], rtol=1e-9, atol=1e-9)
    groups = pd.Series({column.name: column.group for column in model.value.encoding.inputs})
    by_group = features.T.groupby(groups).sum().T
    expected = model.contributions(rows)[list(by_group.columns)]
    np.testing.assert_allclose(by_group, expected, atol=1e-9)
    assert (features[rows["frequency"].isna()] == 0).all().all()
    assert features.abs().to_numpy().max() > 1


def test_a_model_centred_by_group_alone_scores_and_says_that_features_would_not_sum(
    model, portfolio, tmp_path
):
    model.save(tmp_path)
    document = json.loads((tmp_path / "model.json").read_text())
    del document["centring"]["features"]
    (tmp_path / "model.json").write_text(json.dumps(document))
    first_version = LifetimeModel.load(tmp_path)
    pd.testing.assert_frame_equal(first_version.predict(portfolio), model.predict(portfolio))
    with pytest.raises(ModelError, match="Train again"):
        first_version.feature_contributions(portfolio)


def test_each_group_sums_to_zero_on_the_training_portfolio(model, portfolio):
    sums = model.contributions(portfolio)[list(GROUPS)].sum()
    assert (sums.abs() < 1e-6 * model.predict(portfolio)["clv"].sum()).all()


def test_service_that_keeps_customers_is_seen(model, portfolio):
    parts = model.contributions(portfolio)
    empathy = portfolio["empathy_90d"]
    warm, cold = parts["empathy"][empathy > 0.8].mean(), parts["empathy"][empathy < 0.2].mean()
    assert model.info.blend_weight < 1
    assert warm > cold


def test_first_time_customers_alone_have_p_repeat(model, portfolio):
    scores = model.predict(portfolio)
    first = portfolio["frequency"] == 0
    assert scores["p_repeat"].notna().equals(first.rename("p_repeat"))
    np.testing.assert_allclose(scores["p_repeat"][first], 1 - scores["p_churn"][first])


def test_reasons_are_the_largest_contributions(model, portfolio):
    scores, parts = (
        model.predict(portfolio),
        model.contributions(portfolio).set_index("customer_id"),
    )
    for k in (0, 7, 40):
        own = parts.iloc[k].abs().sort_values(ascending=False)
        assert scores["reason_1"].iloc[k] == own.index[0]
        assert abs(scores["reason_1_amount"].iloc[k]) == pytest.approx(own.iloc[0])


@pytest.mark.parametrize("rows", [slice(0, 1), slice(5, 6), slice(100, 300)])
def test_a_customer_scored_alone_scores_as_in_the_batch(model, portfolio, rows):
    whole = model.predict(portfolio).iloc[rows]
    pd.testing.assert_frame_equal(model.predict(portfolio.iloc[rows]), whole, check_exact=True)


def test_rows_of_any_order_keep_their_scores(model, portfolio):
    mixed = portfolio.sample(frac=1.0, random_state=3)
    pd.testing.assert_frame_equal(
        model.predict(mixed).sort_index(), model.predict(portfolio), check_exact=True
    )


def test_no_customers_are_no_rows(model, portfolio):
    scores = model.predict(portfolio.head(0))
    assert len(scores) == 0
    assert tuple(scores.columns) == SCORE_COLUMNS


def test_without_past_prospects_todays_have_no_value(model, portfolio):
    prospects = portfolio.head(3).copy()
    bought = ["frequency", "recency_days", "age_days", "monetary_value", "first_order"]
    prospects[bought] = np.nan
    scores = model.predict(prospects)
    assert scores["cold_start"].all()
    nothing = ["clv", "clv_low", "clv_high", "value_decile", "p_alive", "p_churn", "p_repeat"]
    assert scores[[*nothing, "expected_purchases", "expected_spend"]].isna().all().all()
    assert (scores["reason_1"].isna()).all()


def test_unseen_categories_are_counted_and_scored(model, portfolio):
    strange = portfolio.head(4).assign(segment=["private", "moon", None, "moon"])
    assert model.unseen_categories(strange) == {"segment": 2}
    assert np.isfinite(model.predict(strange)["clv"]).all()


def test_saved_and_loaded_scores_are_identical(model, portfolio, tmp_path):
    model.save(tmp_path)
    assert not list(tmp_path.glob("*.pkl"))
    loaded = LifetimeModel.load(tmp_path)
    pd.testing.assert_frame_equal(
        loaded.predict(portfolio), model.predict(portfolio), check_exact=True
    )
    assert loaded.info == model.info
    loaded.save(tmp_path / "again")
    for name in ("model.json", "value.txt", "churn.txt"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / name).read_bytes()


def test_a_fresh_process_scores_without_lifetimes_or_pickle(model, portfolio, tmp_path):
    model.save(tmp_path)
    portfolio.head(20).to_parquet(tmp_path / "rows.parquet")
    code = (
        "import sys, pathlib, pandas as pd\n"
        "from clv.models.lifetime_value import LifetimeModel\n"
        f"where = pathlib.Path({str(tmp_path)!r})\n"
        "rows = pd.read_parquet(where / 'rows.parquet')\n"
        "scores = LifetimeModel.load(where).predict(rows)\n"
        "assert 'lifetimes' not in sys.modules and 'shap' not in sys.modules\n"
        "print(scores['clv'].sum().hex())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == float(model.predict(portfolio.head(20))["clv"].sum()).hex()


def test_the_same_seed_gives_the_same_bytes(panel, options, folds, model, tmp_path):
    again = LifetimeModel.fit(panel, options)
    model.save(tmp_path / "a")
    again.save(tmp_path / "b")
    for name in ("model.json", "value.txt", "churn.txt"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_info_is_json_and_names_the_fits(model):
    told = json.loads(json.dumps(model.info.as_dict()))
    assert told["horizon_days"] == 90
    assert told["currency"] == "EUR"
    assert told["btyd"]["fits"]["bg_nbd"]["verdict"] == "converged"
    assert set(told["btyd"]["fits"]) == {"bg_nbd", "mbg_nbd", "gamma_gamma"}
    assert len(told["decile_cuts"]) == 9
    assert told["cross_check"]["same"] < 1e-4


def test_btyd_alone_has_no_contributions(panel, options, folds, portfolio):
    from dataclasses import replace

    alone = LifetimeModel.fit(panel, replace(options, model="btyd"), folds=folds)
    assert (alone.contributions(portfolio)[list(GROUPS)] == 0).all().all()
    scores = alone.predict(portfolio)
    season = next(step for step in alone.calibration.steps if step.name == "season")
    assert not season.used
    np.testing.assert_array_equal(scores["clv"], scores["purchases_only_clv"])
    assert "btyd_alone" in {note.code for note in alone.info.notes}
    assert scores["reason_1"].isna().all()


def test_a_feature_that_knows_the_outcome_stops_training(company, options):
    def leak(rows):
        return rows.assign(wait_seconds_90d=rows["purchases"])

    with pytest.raises(ModelError, match=r"wait_seconds_90d.*training\.allow_leaks"):
        LifetimeModel.fit(company(300, change=leak), options)


def test_a_model_that_is_unknown_is_refused():
    with pytest.raises(UsageError, match=r"'magic'.*blend, btyd, lightgbm"):
        ModelOptions(model="magic")


@pytest.mark.parametrize("text", ["", "{}", '{"format": 99}', "[1]"])
def test_what_is_no_model_does_not_load(tmp_path, text):
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(ModelError, match=r"model\.json"):
        LifetimeModel.load(tmp_path)
