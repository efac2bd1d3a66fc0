"""Experiments: randomised evenly and once, read with the right uncertainty."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from clv.effects.design.exposure import EMPATHY, HANDLE
from clv.effects.estimators.experiment import experimental_level
from clv.effects.estimators.residuals import ridge
from clv.errors import DataError, UsageError
from clv.experiments.assign import Plan, assign
from clv.experiments.compare import always_valid_half_width, difference, influence, sample_ratio_p
from clv.experiments.design import Clusters, design, effect_for, units_for
from clv.experiments.log import append_log, read_log
from clv.experiments.read import MIN_RATIO_P, ReadOptions, read


def population(rng, customers, effect=0.0):
    """Money that is mostly zeros with a long tail, and what was predicted of it before."""
    base = np.exp(rng.normal(4.5, 1.0, customers))
    predicted = base * np.exp(rng.normal(0, 0.3, customers))
    treated = rng.permutation(customers) < customers // 2
    moved = rng.normal(0.5, 0.2, customers) + 0.2 * treated
    buys = rng.random(customers) < 0.6
    outcome = base * buys * rng.gamma(4.0, 0.25, customers) / 0.6 + effect * treated
    return pd.DataFrame(
        {
            "unit_id": [f"c{number}" for number in range(customers)],
            "arm": np.where(treated, "warm", "control"),
            "outcome": outcome,
            "predicted": predicted,
            "empathy": moved,
            "segment": np.where(rng.random(customers) < 0.3, "large", "small"),
        }
    )


@pytest.fixture(scope="module")
def study():
    """Estimates and intervals of many experiments with an effect of 8, by method."""
    found = {}
    for seed in range(150):
        rows = population(np.random.default_rng(seed), 3000, effect=8.0)
        outcome, treated = rows["outcome"].to_numpy(), (rows["arm"] == "warm").to_numpy(float)
        known = rows[["predicted"]].to_numpy()
        for name, one in (
            ("plain", difference(outcome, treated)),
            ("cuped", difference(outcome, treated, known)),
        ):
            low, high = one.interval(0.95)
            found.setdefault(name, []).append((one.estimate, one.standard_error, low <= 8 <= high))
    return {name: np.array(rows) for name, rows in found.items()}


def test_intervals_cover_at_their_level(study):
    for rows in study.values():
        slack = 2 * np.sqrt(0.95 * 0.05 / 150)
        assert 0.93 - slack <= rows[:, 2].mean() <= 0.97 + slack
        assert abs(rows[:, 0].mean() - 8) < 3 * rows[:, 0].std() / np.sqrt(150)


def test_predicted_value_takes_a_third_of_the_variance(study):
    plain, cuped = study["plain"], study["cuped"]
    assert cuped[:, 0].var() < 0.7 * plain[:, 0].var()
    assert (cuped[:, 1] < plain[:, 1]).mean() > 0.95


def test_standard_errors_match_the_spread_of_estimates(study):
    for rows in study.values():
        assert rows[:, 1].mean() == pytest.approx(rows[:, 0].std(), rel=0.15)


def test_the_unadjusted_comparison_is_the_difference_of_means():
    rows = population(np.random.default_rng(0), 500, effect=3.0)
    arms = rows.groupby("arm")["outcome"]
    one = difference(rows["outcome"].to_numpy(), (rows["arm"] == "warm").to_numpy(float))
    assert one.estimate == pytest.approx(arms.mean()["warm"] - arms.mean()["control"])
    neyman = np.sqrt((arms.var() / arms.count()).sum())
    assert one.standard_error == pytest.approx(neyman, rel=1e-9)


def test_a_lost_tenth_of_an_arm_is_caught_and_fair_arms_are_not_accused():
    rng = np.random.default_rng(8)
    half = np.array([0.5, 0.5])
    lost = [sample_ratio_p(np.array([5000.0, rng.binomial(5000, 0.9)]), half) for _ in range(200)]
    fair = [
        sample_ratio_p(np.array([one, 10_000.0 - one]), half)
        for one in rng.binomial(10_000, 0.5, 200).astype(float)
    ]
    assert (np.array(lost) < MIN_RATIO_P).mean() > 0.99
    assert (np.array(fair) < MIN_RATIO_P).mean() <= 0.01


def test_clusters_widen_the_error_where_they_share_something():
    rng = np.random.default_rng(1)
    cluster = np.repeat(np.arange(60), 50)
    treated = (cluster % 2).astype(float)
    outcome = rng.normal(size=60)[cluster] + rng.normal(size=3000)
    assert (
        difference(outcome, treated, None, cluster).standard_error
        > 3 * difference(outcome, treated).standard_error
    )


def test_peeking_finds_nothing_where_there_is_nothing():
    looks = np.linspace(200, 4000, 20).astype(int)
    always = naive = 0
    runs = 200
    for seed in range(runs):
        rows = population(np.random.default_rng(seed), 4000)
        outcome, treated = rows["outcome"].to_numpy(), (rows["arm"] == "warm").to_numpy(float)
        hit = plain = False
        for look in looks:
            values = influence(outcome[:look], treated[:look], rows["predicted"].to_numpy()[:look])
            half = always_valid_half_width(values, 0.95, 4000)
            hit |= abs(values.mean()) > half
            plain |= abs(values.mean()) > 1.96 * values.std() / np.sqrt(look)
        always, naive = always + hit, naive + plain
    assert always / runs <= 0.05
    assert naive / runs > 0.12


def test_read_out_holds_every_method_and_flags_a_skewed_ratio():
    rows = population(np.random.default_rng(2), 4000, effect=20.0)
    found = read(
        "warmth", rows, covariates=["predicted"], features=["predicted"], predictor=ridge,
        behaviours=["empathy"], options=ReadOptions(planned=5000, segment="segment"),
    )  # fmt: skip
    assert [c.method for c in found.comparisons] == [
        "plain", "cuped", "mlrate", "winsorised", "always-valid",
    ]  # fmt: skip
    assert found.trusted
    assert found.best.method == "mlrate"
    assert all(row["adjusted_p_value"] >= row["p_value"] for row in found.subgroups)
    lost = rows[(rows["arm"] == "control") | (np.arange(len(rows)) % 8 != 0)]
    broken = read("warmth", lost, behaviours=["empathy"])
    assert not broken.trusted
    assert repr(broken).endswith("no number of it may be used>")
    assert repr(found).startswith("<ReadOut: warmth, 4,000 rows: ")
    assert found.to_frame()["method"].tolist() == [c.method for c in found.comparisons]
    assert "<table" in found._repr_html_()
    assert "<svg" in found.plot.arms().svg()
    level = experimental_level(broken, EMPATHY, 2.0)
    assert "not as large as planned" in level.refused.why


def test_a_read_out_becomes_level_three():
    rows = population(np.random.default_rng(3), 6000, effect=20.0)
    found = read("warmth", rows, covariates=["predicted"], behaviours=["empathy"])
    level = experimental_level(found, EMPATHY, treated_per_customer=2.0)
    # The arm moved the sum by 0.2 and the outcome by 20: +0.1 on 2 contacts is worth 20.
    assert level.low < 20 < level.high
    assert level.estimate == pytest.approx(found.comparisons[1].estimate, rel=0.1)
    assert experimental_level(found, HANDLE, 2.0).refused is not None


def test_unknown_covariates_are_filled_and_counted_not_dropped():
    rows = population(np.random.default_rng(4), 400)
    rows.loc[:9, "predicted"] = np.nan
    found = read("warmth", rows, covariates=["predicted"])
    assert sum(found.customers.values()) == 400
    assert found.notes[0].count == 10


def test_an_arm_too_small_is_an_error():
    rows = population(np.random.default_rng(5), 40)
    with pytest.raises(UsageError, match="at least 30 each"):
        read("warmth", rows)


def test_size_and_effect_are_inverse():
    size = units_for(3.0, 100.0, 0.8, 0.05)
    assert effect_for(size, 100.0, 0.8, 0.05) == pytest.approx(3.0, rel=1e-3)


def test_design_counts_on_the_covariate_and_pays_for_clusters():
    rows = population(np.random.default_rng(6), 5000)
    outcome, known = rows["outcome"].to_numpy(), rows["predicted"].to_numpy()
    plain = design(outcome, effect=5.0)
    helped = design(outcome, effect=5.0, covariate=known)
    agents = design(outcome, effect=5.0, clusters=Clusters(60, 0.02))
    assert helped.units_per_arm < 0.75 * plain.units_per_arm
    assert agents.units_per_arm > 2 * plain.units_per_arm
    assert agents.clusters_per_arm == -(-agents.units_per_arm // 60)
    assert not design(outcome, units_per_arm=50).enough_for_normal
    with pytest.raises(UsageError, match="either"):
        design(outcome)


def test_designed_power_is_reached():
    # Equal normal noise: of 300 experiments of the designed size, 80 % find the effect.
    size = units_for(0.2, 1.0, 0.8, 0.05)
    rng, hits = np.random.default_rng(7), 0
    treated = (np.arange(2 * size) < size).astype(float)
    for _ in range(300):
        hits += difference(rng.normal(size=2 * size) + 0.2 * treated, treated).p_value < 0.05
    assert abs(hits / 300 - 0.8) < 3 * np.sqrt(0.16 / 300)


def test_assignment_is_deterministic_balanced_and_blind_to_order():
    ids = [f"c{number}" for number in range(1001)]
    strata = [str(number % 10) for number in range(1001)]
    plan = Plan("warmth", arms=("control", "warm", "fast"), shares=(0.5, 0.3, 0.2))
    first = assign(plan, ids, strata=strata)
    again = assign(plan, ids[::-1], strata=strata[::-1])
    pd.testing.assert_frame_equal(first, again)
    joined = first.merge(pd.DataFrame({"unit_id": ids, "stratum": strata}))
    counts = joined.groupby(["stratum", "arm"]).size()
    assert (counts.xs("control", level="arm") - 50).abs().max() <= 1
    assert (counts.xs("fast", level="arm") - 20).abs().max() <= 1
    other = assign(Plan("speed", plan.unit, plan.arms, plan.shares), ids, strata=strata)
    agree = (first["arm"] == other["arm"]).mean()
    assert 0.28 < agree < 0.48  # .5² + .3² + .2² = .38: unrelated


def test_a_unit_is_assigned_once_for_ever(tmp_path):
    plan, log = Plan("warmth"), tmp_path / "log" / "assignments.csv"
    now = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    append_log(plan, assign(plan, ["a", "b"]), log, assigned_at=now)
    append_log(plan, assign(plan, ["c", "d"]), log, assigned_at=now)
    with pytest.raises(UsageError, match="was assigned before"):
        append_log(plan, assign(plan, ["b", "e"]), log, assigned_at=now)
    assert pd.read_csv(log)["unit_id"].tolist() == ["a", "b", "c", "d"]
    append_log(Plan("other"), assign(Plan("other"), ["b"]), log, assigned_at=now)
    with pytest.raises(UsageError, match="given twice"):
        assign(plan, ["a", "a"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"unit": "queue"}, "unit is"),
        ({"arms": ("warm", "cold")}, "'control' among them"),
        ({"shares": (0.5, 0.6)}, "adding up to 1"),
    ],
)
def test_plans_that_cannot_be_meant(changes, words):
    with pytest.raises(UsageError, match=words):
        Plan("warmth", **changes)


def test_a_killed_assignment_is_finished_and_half_a_line_is_never_glued_onto(tmp_path):
    """The log once was appended to: a kill left half a line, and the next one stood behind it."""
    plan, log = Plan("warmth"), tmp_path / "assignments.csv"
    now = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    assigned = assign(plan, [f"c{number}" for number in range(40)])
    append_log(plan, assigned, log, assigned_at=now)
    whole = log.read_bytes()
    for cut in (len(whole) - 1, len(whole) - 9, len(whole) // 2, whole.index(b"\n") + 1):
        log.write_bytes(whole[:cut])
        left = whole[:cut].count(b"\n")
        if cut == len(whole) - 9:
            with pytest.raises(DataError, match="ends in the middle of a line"):
                read_log(log)
        logged = append_log(plan, assigned, log, assigned_at=now)
        assert log.read_bytes() == whole
        codes = {note.code: note.count for note in logged.notes}
        assert codes.get("half_line", 0) == (cut not in (len(whole) - 1, whole.index(b"\n") + 1))
        assert codes.get("assigned_before", 0) == max(left - (cut != len(whole) - 1), 0)
    other = Plan("speed")
    log.write_bytes(whole[: len(whole) // 2])
    append_log(other, assign(other, ["x1", "x2"]), log, assigned_at=now)
    assert read_log(log)["unit_id"].isin({"x1", "x2"}).sum() == 2


def test_the_log_of_somebody_else_is_not_written_into(tmp_path):
    log = tmp_path / "assignments.csv"
    log.write_text("name,phone\nAnna,1\n")
    now = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    with pytest.raises(DataError, match="is no assignment log"):
        append_log(Plan("warmth"), assign(Plan("warmth"), ["a"]), log, assigned_at=now)
    assert log.read_text() == "name,phone\nAnna,1\n"
