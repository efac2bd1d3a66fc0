"""Roll-outs by imputation: an independent package, regressions by hand, resampling by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from diff_diff import ImputationDiD

from clv.effects.estimators.rollout import Imputation, Staggered, wild_weights
from clv.simulation import Effects, RollOut
from tests.unit.effects.rolled_out import TOOL, TRAINING, rolled_out

UNITS, PERIODS = 12, 20


def drawn(seed=0, size=1_500, effect=1.5, controls=1, units=UNITS):
    rng = np.random.default_rng(seed)
    unit, period = rng.integers(0, units, size), rng.integers(0, PERIODS, size)
    first = np.concatenate([[np.inf] * 3, np.linspace(5, 14, units - 3).astype(int)])
    numbers = rng.standard_normal((size, controls))
    at_days = 30.0 * period + rng.uniform(0.0, 29.9, size)
    contacts = Staggered(unit, at_days, 30.0 * first, numbers, np.zeros((size, 0)))
    late = np.where(contacts.reached, contacts.periods_since, 0)
    outcome = 0.3 * unit + 0.1 * period + 0.5 * numbers.sum(axis=1)
    outcome = outcome + (effect + 0.1 * late) * contacts.reached + rng.standard_normal(size)
    return contacts, outcome


def dense(contacts):
    """Unit and period indicators and controls, as a matrix."""
    unit = contacts.unit[:, None] == np.arange(contacts.units)
    period = contacts.period[:, None] == np.arange(1, contacts.period.max() + 1)
    return np.column_stack([unit, period, contacts.controls]).astype(float)


@pytest.mark.parametrize("controls", [0, 2])
def test_the_mean_effect_is_that_of_another_package(controls):
    contacts, outcome = drawn(controls=controls)
    names = [f"x{n}" for n in range(controls)]
    frame = pd.DataFrame(contacts.controls, columns=names).assign(
        unit=contacts.unit,
        period=contacts.period,
        first=np.where(np.isfinite(contacts.since_days), contacts.since_days / 30, 0)[
            contacts.unit
        ].astype(int),
        outcome=outcome,
    )
    fit = ImputationDiD().fit(frame, "outcome", "unit", "period", "first", covariates=names or None)
    found = Imputation(contacts)
    estimate, _ = found.mean_effect(outcome, found.reached)
    assert estimate == pytest.approx(fit.overall_att, abs=1e-7)


def test_the_mean_effect_and_its_error_are_those_of_regressions_by_hand():
    contacts, outcome = drawn(seed=1)
    design, reached = dense(contacts), contacts.reached
    plain = np.linalg.lstsq(design[~reached], outcome[~reached], rcond=None)[0]
    effect = (outcome - design @ plain)[reached]
    found = Imputation(contacts)
    estimate, error = found.mean_effect(outcome, reached)
    assert estimate == pytest.approx(effect.mean())
    # v'Y by moving each outcome a little
    v = found.weights(reached)
    assert v @ outcome == pytest.approx(estimate)
    np.testing.assert_allclose(design.T @ v, 0.0, atol=1e-9)
    left = outcome - design @ plain - estimate * reached
    scores = [float((v * left)[contacts.unit == g].sum()) for g in range(UNITS)]
    assert error == pytest.approx(np.sqrt(np.square(scores).sum()))


def test_each_month_since_has_a_mean_of_its_own():
    contacts, outcome = drawn(seed=2, size=6_000)
    found = Imputation(contacts)
    for month in (0, 3):
        estimate, error = found.mean_effect(outcome, contacts.periods_since == month)
        assert abs(estimate - (1.5 + 0.1 * month)) < 3.5 * error


@pytest.mark.parametrize("supposed", [0.0, 1.2])
def test_the_bootstrap_is_the_same_study_of_resampled_outcomes(supposed):
    """Residuals under the null change sign by unit; the estimator is run again, as it is."""
    contacts, outcome = drawn(seed=3, size=400)
    found, design, reached = Imputation(contacts), dense(contacts), contacts.reached
    null = outcome - supposed * reached
    left = null - design @ np.linalg.lstsq(design, null, rcond=None)[0]
    own, across = found._scores(left)
    for signs in wild_weights(UNITS, 0)[[0, 77, 1_234, 4_001]]:
        again = supposed * reached + signs[contacts.unit] * left
        estimate, error = found.mean_effect(again, reached)
        assert signs @ own == pytest.approx(estimate - supposed)
        assert np.sqrt(((across @ signs) ** 2).sum()) == pytest.approx(error)


def test_the_interval_holds_what_the_bootstrap_does_not_reject():
    contacts, outcome = drawn(seed=4)
    interval = Imputation(contacts).interval(outcome, 0.95, seed=0)
    assert interval.low < interval.estimate < interval.high
    assert interval.p_value < 0.01
    assert Imputation(contacts).interval(outcome, 0.95, seed=0) == interval
    wider = Imputation(contacts).interval(outcome, 0.99, seed=0)
    assert wider.low < interval.low < interval.high < wider.high
    shifted = Imputation(contacts).interval(outcome - 1.0 * contacts.reached, 0.95, seed=0)
    assert shifted.low == pytest.approx(interval.low - 1.0, abs=1e-6)


def test_the_joint_test_is_walds_of_the_regression_with_leads():
    contacts, outcome = drawn(seed=5)
    found, plain = Imputation(contacts), ~contacts.reached
    leads = np.column_stack([contacts.periods_since == -k for k in (1, 2)]).astype(float)
    statistic, p_value = found.joint_test(outcome, leads, seed=0)
    full = np.column_stack([dense(contacts), leads])[plain]
    full = full[:, np.abs(full).sum(axis=0) > 0]
    inverse = np.linalg.pinv(full.T @ full)
    coefficients = inverse @ full.T @ outcome[plain]
    left = outcome[plain] - full @ coefficients
    scores = np.array(
        [(full * left[:, None])[contacts.unit[plain] == g].sum(0) for g in range(UNITS)]
    )
    variance = (inverse @ scores.T @ scores @ inverse)[-2:, -2:]
    by_hand = coefficients[-2:] @ np.linalg.solve(variance, coefficients[-2:])
    assert statistic == pytest.approx(by_hand, rel=1e-6)
    assert 0.01 < p_value <= 1
    drifting = outcome + 2.0 * (contacts.periods_since == -1)
    assert found.joint_test(drifting, leads, seed=0)[1] < 0.05


@pytest.mark.slow
def test_the_joint_test_rejects_no_more_often_than_it_says():
    rejected = []
    for seed in range(120):
        contacts, outcome = drawn(seed=100 + seed, size=300)
        keep = contacts.comparable()
        contacts, outcome = contacts.of_contacts(keep), outcome[keep]
        leads = np.column_stack([contacts.periods_since == -k for k in (1, 2)]).astype(float)
        rejected.append(Imputation(contacts).joint_test(outcome, leads, seed=0)[1] < 0.05)
    assert np.mean(rejected) <= 0.10


def test_another_roll_out_is_told_apart():
    contacts, outcome = drawn(seed=7, size=4_000)
    early = np.where(np.arange(UNITS) % 2 == 0, 30.0 * 4, np.inf)
    other = contacts.at_days >= early[contacts.unit]
    both = replace(contacts, others=other[:, None].astype(float))
    study = Imputation(both)
    alone = Imputation(contacts).mean_effect(outcome, contacts.reached)[0]
    estimate, _ = study.mean_effect(outcome + 4.0 * other, contacts.reached)
    assert estimate == pytest.approx(study.mean_effect(outcome, contacts.reached)[0])
    assert abs(estimate - alone) < 0.3
    mixed = study.case_mix(outcome + 4.0 * other)
    np.testing.assert_allclose(mixed, study.case_mix(outcome), atol=1e-8)


def test_contacts_without_anything_to_compare_with_are_named():
    contacts, _ = drawn(seed=6)
    since = np.where(np.arange(UNITS) == 4, -1.0, contacts.since_days)
    always = replace(contacts, since_days=since)
    keep = always.comparable()
    assert not keep[always.unit == 4].any()
    assert keep[always.unit != 4].all()
    nobody = replace(contacts, since_days=np.full(UNITS, 200.0))
    keep = nobody.comparable()
    assert keep[contacts.at_days < 180.0].all()
    assert not keep[contacts.at_days >= 210.0].any()  # no period in which anybody was left
    kept = nobody.of_contacts(keep)
    assert kept.comparable().all()


def test_few_units_draw_webbs_points_and_more_draw_signs():
    few, many = wild_weights(8, 1), wild_weights(30, 1)
    assert len(np.unique(few)) == 6
    assert abs((few**2).mean() - 1.0) < 0.03
    assert set(np.unique(many)) == {-1.0, 1.0}
    every = wild_weights(12, 1)
    assert len(np.unique(every, axis=0)) == 2**12
    np.testing.assert_array_equal(wild_weights(30, 1), many)


def test_the_mean_effect_on_behaviours_is_found():
    for rollout, name in ((TRAINING, "empathy"), (TOOL, "handle_seconds")):
        company = rolled_out(rollout, customers=3_000, agents=60, seed=4, routing="skill")
        column = getattr(company, name)
        keep = np.isfinite(column) & company.contacts.comparable()
        contacts = company.contacts.of_contacts(keep)
        interval = Imputation(contacts).interval(column[keep], 0.95, seed=0)
        assert interval.low < getattr(company.truth, name) < interval.high
        assert interval.p_value < 0.01


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rollout", "effects"),
    [
        (RollOut("training", empathy_lift=3.0), Effects(empathy=1.2)),
        (RollOut("nothing", empathy_lift=3.0), Effects.none()),
    ],
    ids=["strong", "nothing"],
)
def test_the_effect_of_a_roll_out_is_recovered_where_skill_decides_who_answers(rollout, effects):
    truth, found, covered = [], [], []
    for seed in range(40):
        company = rolled_out(
            rollout, customers=4_000, agents=60, seed=500 + seed, routing="skill", effects=effects
        )
        keep = company.contacts.comparable()
        study = Imputation(company.contacts.of_contacts(keep))
        interval = study.interval(company.margin[keep], 0.95, seed=0)
        truth.append(company.truth.value)
        found.append(interval.estimate)
        covered.append(interval.low <= company.truth.value <= interval.high)
    miss = np.subtract(found, truth)
    noise = miss.std(ddof=1) / np.sqrt(miss.size)
    assert abs(miss.mean()) <= 0.1 * abs(np.mean(truth)) + 2 * noise
    assert np.mean(covered) >= 0.86
    if effects.empathy:
        assert np.mean(truth) > 4 * noise
