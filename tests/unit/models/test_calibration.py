"""No step of the forecast is used that loses to leaving it out on past cutoffs."""

import datetime as dt
import json
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv.models.calibration import EARLIER_FOLDS, HELD_OUT, Calibration
from clv.models.churn import PURCHASES_ALONE, log_odds
from clv.models.training.sampling import customer_part
from clv.models.training.steps import CHANCE, by_customer, by_cutoff

FIRST = dt.date(2022, 1, 1)
REACH = 90
EXAMPLES = int(os.environ.get("CLV_TORTURE_CASES", "20"))
VALUE_STEPS = ("blend", "trees_total", "season")


def past(levels, *, seed=0, customers=400, factor=1.0, scale=1.0, sharper=1.0, every=REACH):
    """Tests of a company whose realised total is ``levels`` times BTYD's.

    Trees know customers better the smaller ``sharper`` is, and above 1 only what BTYD knows,
    with noise; their own total is 1 / scale.
    """
    rng = np.random.default_rng(seed)
    frames = []
    for k, level in enumerate(levels):
        truth = rng.gamma(1.0, 50.0, customers)
        btyd = truth * rng.lognormal(0, 0.8, customers)
        known = truth if sharper <= 1 else btyd
        trees = known * rng.lognormal(0, 0.8 * sharper, customers)
        value = truth * rng.gamma(1.0, 1.0, customers)
        p_none = 1 / (1 + truth / 50.0)
        frames.append(
            pd.DataFrame(
                {
                    "customer_id": [f"c{i}" for i in range(customers)],
                    "as_of": (FIRST + dt.timedelta(days=every * k)).isoformat(),
                    "value": value * level * btyd.sum() / value.sum(),
                    "btyd": btyd,
                    "trees": trees * btyd.sum() / trees.sum(),
                    "scale": scale,
                    "factor": factor,
                    "season_spread": 0.0,
                    "score": log_odds(p_none) + rng.normal(0, 1.0, customers),
                    "p_none": p_none,
                    "churned": (rng.random(customers) < p_none).astype(float),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def learned(rows, model="blend", source=EARLIER_FOLDS):
    return Calibration.learn(rows, model, 0.9, source, reach_days=REACH)


def steps(found):
    return {step.name: step for step in found.steps}


@pytest.mark.parametrize("model", ["blend", "btyd"])
def test_a_factor_that_made_totals_worse_is_left_out(model):
    """As on the company that the level made +18.5 % too high against +12.3 % without."""
    rows = past([1 / 1.123, 1 / 1.032, 1 / 1.05, 1 / 1.10], factor=1.055)
    found = learned(rows, model)
    season = steps(found)["season"]
    assert (season.used, season.reason) == (False, "no_help")
    assert season.with_step > season.without
    if model == "btyd":
        np.testing.assert_array_equal(found.predicted(rows), rows["btyd"])


def test_a_factor_that_mends_a_standing_bias_is_used():
    rows = past([0.8, 0.82, 0.79, 0.81], factor=0.85)
    found = learned(rows, "btyd")
    assert steps(found)["season"].reason == "helped"
    np.testing.assert_allclose(found.predicted(rows), 0.85 * rows["btyd"])


@pytest.mark.parametrize(("cutoffs", "every"), [(1, 90), (3, 30)])
def test_too_few_tests_leave_a_step_out(cutoffs, every):
    """Three tests with overlapping horizons are 1.7 of them."""
    season = steps(learned(past([0.7] * cutoffs, factor=0.7, every=every)))["season"]
    assert (season.used, season.reason) == (False, "too_few_tests")


def test_customers_held_out_say_nothing_of_everybodys_level():
    rows = past([0.7] * 4, factor=0.7, scale=1.4)
    found = learned(rows, source=HELD_OUT)
    for name in ("season", "churn_level"):
        assert steps(found)[name].reason == "too_few_tests"
    assert not found.own_total


def test_trees_that_know_more_enter_and_keep_the_total_of_purchases_alone():
    rows = past([1.0, 1.02, 0.98, 1.0], sharper=0.1, scale=1.3)
    found = learned(rows)
    assert steps(found)["blend"].reason == "helped"
    assert not found.own_total
    assert found.predicted(rows).sum() == pytest.approx(rows["btyd"].sum())


def test_trees_whose_own_total_was_right_keep_it():
    found = learned(past([0.7, 0.72, 0.7, 0.69], sharper=0.1, scale=1.45))
    assert found.own_total
    assert steps(found)["trees_total"].gain > steps(found)["trees_total"].needed


def test_trees_that_know_nothing_more_are_left_out():
    rows = past([1.0] * 4, sharper=1.5)
    found = learned(rows)
    assert found.weight == 1.0
    np.testing.assert_array_equal(found.predicted(rows), rows["btyd"])


def test_churn_is_that_of_purchases_alone_where_the_trees_add_noise():
    found = learned(past([1.0] * 4))
    assert found.platt == PURCHASES_ALONE
    assert steps(found)["churn"].reason in {"no_help", "within_noise"}


def test_everything_left_out_is_purchases_alone():
    found = learned(past([1.0] * 4, sharper=1.5))
    assert found.purchases_alone
    assert not learned(past([0.8] * 4, factor=0.8), "btyd").purchases_alone


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    levels=st.lists(st.floats(0.5, 2.0), min_size=1, max_size=5),
    factor=st.floats(0.6, 1.6),
    scale=st.floats(0.6, 1.6),
    sharper=st.sampled_from([0.1, 1.0, 1.5]),
    seed=st.integers(0, 50),
)
def test_the_law_no_step_in_use_loses_to_leaving_it_out(levels, factor, scale, sharper, seed):
    """Whatever the past was: used means better, by more than was needed, on that past."""
    rows = past(levels, factor=factor, scale=scale, sharper=sharper, seed=seed, customers=120)
    found = learned(rows)
    for step in found.steps:
        assert step.used == (step.reason == "helped")
        if step.used:
            assert step.with_step < step.without
            assert step.gain > step.needed >= 0
    used = {name for name in VALUE_STEPS if name in steps(found) and steps(found)[name].used}
    if not used:
        np.testing.assert_array_equal(found.predicted(rows), rows["btyd"])


def test_a_company_of_other_money_makes_the_same_choices():
    rows = past([0.8, 0.9, 0.85, 0.8], factor=0.85, sharper=0.3)
    money = ["value", "btyd", "trees"]
    large = rows.assign(**{name: rows[name] * 16_000 for name in money})
    for ours, theirs in zip(learned(rows).steps, learned(large).steps, strict=True):
        assert ours.used == theirs.used
        if ours.gain is not None:
            assert theirs.gain == pytest.approx(ours.gain, rel=1e-6, abs=1e-12)


def test_a_step_that_does_nothing_is_seldom_used():
    """At most about CHANCE of the time, by customers and by cutoffs."""
    rng = np.random.default_rng(0)
    lost = rng.gamma(1.0, 1.0, (2, 400, 300))
    used = [by_customer("x", "y", a, b, np.arange(300)).used for a, b in zip(*lost, strict=True)]
    assert 0.06 < np.mean(used) < CHANCE + 0.05
    days = [(FIRST + dt.timedelta(days=REACH * k)).isoformat() for k in range(4)]
    off = np.abs(rng.normal(0, 0.1, (2, 400, 4)))
    used = [by_cutoff("x", "y", days, a, b, REACH).used for a, b in zip(*off, strict=True)]
    assert 0.06 < np.mean(used) < CHANCE + 0.05


def test_rows_of_one_customer_are_one_witness():
    """A hundred rows of each of 150 customers say no more than one of each."""
    rng = np.random.default_rng(1)
    lost, gain = rng.gamma(1.0, 1.0, 150), rng.normal(0.02, 0.5, 150)
    once = by_customer("x", "y", lost, lost - gain, np.arange(150))
    often = by_customer(
        "x", "y", *(np.tile(a, 100) for a in (lost, lost - gain)), np.tile(np.arange(150), 100)
    )
    assert often.needed == pytest.approx(once.needed)
    assert often.gain == pytest.approx(once.gain)


def test_customers_held_out_are_compared_with_each_other():
    """They are one part of all customers by hash: another one must split them again."""
    rows = past([1.0] * 2, customers=3000)
    rows = rows[customer_part(rows) == 0].assign(score=lambda r: 2 * log_odds(r["p_none"]))
    rows["churned"] = (np.random.default_rng(0).random(len(rows)) < rows["p_none"] ** 0.3) * 1.0
    found = steps(learned(rows, source=HELD_OUT))["churn"]
    assert found.used
    assert found.gain > 0


def test_the_choices_survive_json():
    found = learned(past([0.8, 0.9, 0.85, 0.8], factor=0.85))
    assert Calibration.from_dict(json.loads(json.dumps(found.as_dict()))) == found
