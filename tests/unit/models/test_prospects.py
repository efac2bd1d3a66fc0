"""People who have not bought: their chance, their value, and what is said where none can be."""

import datetime as dt
import json
import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv.errors import ModelError
from clv.features.base import Feature
from clv.models.io import model_texts
from clv.models.lifetime_value import LifetimeModel
from clv.models.prospects.people import NEVER, RETURNED, kinds, known_days, people_of
from clv.models.prospects.prospects import FORECASTS, Prospects, learn_prospects
from clv.models.training.folds import out_of_fold

SEGMENT = Feature(
    name="segment",
    table="customers",
    group="customer",
    needs=(),
    unit="category",
    doc="segment",
    expression=lambda rows: rows,
    kind="category",
)
EXAMPLES = int(os.environ.get("CLV_TORTURE_CASES", "15"))
BUYERS = pd.DataFrame({"first_order": [20.0, 40.0], "margin_ratio": [0.5, 0.5]})


def fitted(rows, buyers=BUYERS):
    return Prospects.fit(rows, buyers, {"segment": SEGMENT}, 0.9)


@pytest.fixture(scope="module")
def learned(people):
    return fitted(people(3000))


def test_known_since_the_first_of_sign_up_contact_and_refund():
    rows = pd.DataFrame(
        {
            "signed_up_days": [10.0, np.nan, np.nan, np.nan],
            "days_since_first_contact": [40.0, 7.0, np.nan, np.nan],
            "days_since_last_refund": [np.nan, np.nan, 3.0, np.nan],
            "refunds_ever": [0.0, 0.0, 1.0, 0.0],
        }
    )
    np.testing.assert_array_equal(known_days(rows), [40.0, 7.0, 3.0, np.nan])
    assert kinds(rows).tolist() == [NEVER, NEVER, RETURNED, NEVER]
    assert known_days(rows[["refunds_ever"]]).isna().all()


def test_the_chance_is_learned_and_its_total_is_that_of_the_past(people, learned):
    later = people(3000, seed=1)
    found = learned.forecast(later)
    assert learned.chance.used in ("time", "all")
    assert np.corrcoef(found["p_first"], later["chance"])[0, 1] > 0.9
    assert found["p_first"].sum() == pytest.approx(later["purchases"].sum(), rel=0.15)
    assert found["clv"].sum() == pytest.approx(later["value"].sum(), rel=0.2)
    assert found["expected_purchases"].sum() == pytest.approx(later["purchases"].sum(), rel=0.15)
    assert found["expected_spend"].mean() == pytest.approx(60, rel=0.15)
    inside = later["value"].between(found["clv_low"], found["clv_high"])
    assert 0.87 <= inside.mean() <= 0.97


def test_of_each_kind_the_past_rows_get_their_own_total(people, learned):
    rows = people(3000)
    found, kind = learned.forecast(rows), kinds(rows)
    for name in (NEVER, RETURNED):
        here = kind == name
        assert found["clv"][here].sum() == pytest.approx(rows["value"][here].sum(), rel=0.1)


def test_few_past_people_leave_the_rate_drawn_to_nobody_buying(people):
    rows = people(12).assign(purchases=0.0, value=0.0, revenue=0.0)
    rows.loc[0, ["purchases", "value", "revenue"]] = [1.0, 900.0, 1800.0]
    learned = fitted(rows)
    assert learned.chance.used == "rate"
    found = learned.forecast(people(5, seed=2))
    assert (found["p_first"] < 1 / 12).all()
    # one large first order is drawn to five of the first orders that customers made
    value = found["clv"] / found["p_first"]
    assert (value < 300).all()
    assert (value > 15).all()
    (note,) = learned.notes()
    assert note.code == "prospects_pooled"
    assert note.message.startswith("12 past people were yet to buy at 12 looks, and 1 of these")


def test_a_person_looked_at_more_than_once_is_one_person_and_each_look_counts(people):
    rows = people(12).assign(purchases=1.0, value=30.0, revenue=60.0)
    later = rows.assign(purchases=0.0, value=0.0, revenue=0.0)
    (note,) = fitted(pd.concat([rows, later, later], ignore_index=True)).notes()
    assert note.message.startswith("12 past people were yet to buy at 36 looks, and 12 of these")


def test_nobody_bought_is_worth_next_to_nothing_and_not_unknown(people):
    rows = people(40).assign(purchases=0.0, value=0.0, revenue=0.0)
    found = fitted(rows).forecast(people(5, seed=2))
    assert (found["clv"] == 0).all()
    assert (found["clv_high"] == 0).all()


def test_nobody_to_learn_from_is_no_value(people):
    assert fitted(people(0)) is None


def test_a_person_whom_no_date_shows_has_no_value(people, learned):
    rows = people(3, seed=4)
    dates = ["signed_up_days", "days_since_first_contact", "days_since_last_refund"]
    rows.loc[1, dates] = np.nan
    found = learned.forecast(rows)
    assert found.loc[1, list(FORECASTS)].isna().all()
    assert found.loc[[0, 2], list(FORECASTS)].notna().all().all()


def test_tables_without_contacts_and_attributes_will_do(people):
    kept = ["customer_id", "as_of", "signed_up_days", "purchases", "value", "revenue"]
    learned = Prospects.fit(people(2000)[kept], pd.DataFrame(), {}, 0.9)
    later = people(2000, seed=1)
    found = learned.forecast(later[kept])
    dated = later["signed_up_days"].notna()
    assert found["clv"].notna().equals(dated)
    assert found["p_first"].sum() == pytest.approx(later["purchases"][dated].sum(), rel=0.25)


def test_stored_as_json_it_forecasts_the_same_bits(people, learned):
    again = Prospects.from_dict(json.loads(json.dumps(learned.as_dict())))
    assert again == learned
    rows = people(50, seed=5)
    pd.testing.assert_frame_equal(again.forecast(rows), learned.forecast(rows), check_exact=True)


@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 30))
def test_order_and_company_change_nobodys_forecast(people, learned, seed, n):
    rows = people(n, seed=seed)
    whole = learned.forecast(rows)
    alone = pd.concat([learned.forecast(rows.iloc[[k]]) for k in range(n)])
    pd.testing.assert_frame_equal(alone, whole, check_exact=True)
    mixed = learned.forecast(rows.sample(frac=1.0, random_state=seed)).sort_index()
    pd.testing.assert_frame_equal(mixed, whole, check_exact=True)


@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 400), factor=st.sampled_from([0.01, 16_000.0]))
def test_money_of_any_size_changes_value_by_its_factor_alone(people, seed, n, factor):
    rows, money = people(n, seed=seed), ["value", "revenue"]
    buyers = BUYERS.assign(first_order=BUYERS["first_order"] * factor)
    plain = fitted(rows).forecast(rows)
    scaled = fitted(rows.assign(**{m: rows[m] * factor for m in money}), buyers).forecast(rows)
    currency = ["clv", "clv_low", "clv_high", "expected_spend"]
    np.testing.assert_allclose(scaled[currency], plain[currency] * factor, rtol=1e-6, atol=1e-9)
    same = ["p_first", "expected_purchases"]
    np.testing.assert_allclose(scaled[same], plain[same], rtol=1e-6)
    assert plain["p_first"].between(0, 1).all()


def test_every_fold_forecasts_from_what_was_over_by_its_cutoff(panel_with, options):
    folds = out_of_fold(panel_with, options)
    assert len(folds.prospects) == 300 * len(folds.folds)
    assert folds.prospects["clv"].notna().all()
    for fold in folds.folds:
        cutoff = dt.date.fromisoformat(fold.as_of)
        reach = cutoff - dt.timedelta(days=panel_with.horizon_days)
        # what happened to people of later cutoffs changes nothing that was forecast here
        later = panel_with.prospects["as_of"] > reach.isoformat()
        outcome = panel_with.prospects["purchases"].where(~later, 1.0)
        changed = replace(panel_with, prospects=panel_with.prospects.assign(purchases=outcome))
        earlier = [w for w in panel_with.windows if w.cutoff <= reach]
        learned = learn_prospects(changed, earlier, options)
        tested = panel_with.prospects_of([w for w in panel_with.windows if w.cutoff == cutoff])
        expected = learned.forecast(tested)["clv"]
        np.testing.assert_array_equal(fold.prospects["clv"], expected)


BROKEN = {
    "no kind": (("value",), lambda v: {}),
    "below nothing": (("value",), lambda v: v | {NEVER: -1.0}),
    "no share": (("chance", "rates"), lambda v: v | {RETURNED: 1.5}),
    "a slope too few": (("chance", "slopes"), lambda v: v[1:]),
    "a column unheard of": (("chance", "inputs", "words"), lambda v: [["moon", "x"], *v[1:]]),
    "a mean too many": (("chance", "inputs", "centre"), lambda v: [*v, 0.0]),
    "bins without ends": (("intervals", "low"), lambda v: v[1:]),
    "no number": (("chance", "intercept"), lambda v: "0"),
    "no chance": (("chance",), lambda v: None),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_no_fit_leaves_behind_is_refused_by_name(model_with, name, tmp_path):
    path, change = BROKEN[name]
    texts = model_texts(model_with)
    document = json.loads(texts["model.json"])
    place = document["prospects"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = change(place[path[-1]])
    for file, text in (texts | {"model.json": json.dumps(document)}).items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=r"model: model\.json: prospects\.\S+ is not what"):
        LifetimeModel.load(tmp_path)


def test_the_model_scores_everybody_known_and_stores_it(people, model_with, portfolio, tmp_path):
    model = model_with
    rows = pd.concat([portfolio.head(20), people(20, portfolio["as_of"].iloc[0], seed=9)])
    rows = rows.assign(margin_ratio=0.4).reset_index(drop=True)
    scores = model.predict(rows)
    mine = people_of(rows["frequency"].to_numpy())["yet to buy"]
    assert scores["cold_start"][mine].all()
    nothing = ["purchases_only_clv", "p_churn", "p_alive", "p_repeat", "reason_1"]
    assert scores.loc[mine, nothing].isna().all().all()
    told = ["clv", "clv_low", "clv_high", "typical_clv", "expected_purchases", "expected_spend"]
    assert scores[told].notna().all().all()
    np.testing.assert_array_equal(scores["typical_clv"][mine], scores["clv"][mine])
    assert (scores["clv"].between(scores["clv_low"], scores["clv_high"])).all()
    model.save(tmp_path)
    loaded = LifetimeModel.load(tmp_path)
    pd.testing.assert_frame_equal(loaded.predict(rows), scores, check_exact=True)
    one_by_one = pd.concat([model.predict(rows.iloc[[k]]) for k in range(len(rows))])
    numbers = scores.select_dtypes("number").columns
    pd.testing.assert_frame_equal(one_by_one[numbers], scores[numbers], check_exact=True)


def test_a_model_of_the_first_version_loads_and_says_nothing_of_prospects(
    model, portfolio, tmp_path
):
    texts = model_texts(model)
    document = json.loads(texts["model.json"])
    del document["prospects"]
    document["first_value"] = {"": 40.0}
    for name, text in (texts | {"model.json": json.dumps(document)}).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    loaded = LifetimeModel.load(tmp_path)
    stranger = portfolio.head(1).assign(
        frequency=np.nan, recency_days=np.nan, age_days=np.nan, monetary_value=np.nan
    )
    scores = loaded.predict(pd.concat([portfolio.head(2), stranger]))
    value = ["clv", "clv_low", "clv_high", "value_decile", "typical_clv", "service_contribution"]
    assert scores[value].isna().all(axis=1).tolist() == [False, False, True]


def test_the_totals_interval_is_of_everybody_in_the_total(model_with, model):
    with_them, without = model_with.calibration, model.calibration
    assert with_them.total != without.total
    assert replace(with_them, total=without.total) == without
