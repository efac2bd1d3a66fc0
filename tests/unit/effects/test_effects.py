"""Known effects come back with the right uncertainty, or are refused by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from scipy import stats

from clv.effects.design.exposure import CORE_BEHAVIOURS, EMPATHY, WAIT, Behaviour
from clv.effects.effects import estimate_effects
from clv.effects.estimators.examiner import influences
from clv.effects.estimators.residuals import clustered, ridge
from clv.effects.estimators.study import EffectOptions, build_study
from clv.effects.results import Level
from tests.unit.effects.company import draw

NAMES = [one.name for one in CORE_BEHAVIOURS]
QUICK = EffectOptions(permutations=59)


@dataclass(frozen=True)
class Recovered:
    truth: np.ndarray  # (seeds, 3)
    estimate: np.ndarray
    error: np.ndarray
    robust_error: np.ndarray  # heteroskedasticity-robust only
    adjusted: np.ndarray
    adjusted_error: np.ndarray
    naive: np.ndarray
    degrees: int

    def bias(self, estimate=None):
        found = self.estimate if estimate is None else estimate
        return (found - self.truth).mean(axis=0) / self.truth.mean(axis=0)

    def bias_error(self):
        spread = (self.estimate - self.truth).std(axis=0, ddof=1)
        return spread / np.sqrt(len(self.truth)) / np.abs(self.truth.mean(axis=0))

    def coverage(self, error=None):
        half = stats.t.ppf(0.975, self.degrees) * (self.error if error is None else error)
        return (np.abs(self.estimate - self.truth) <= half).mean(axis=0)

    def table(self):
        rows = [
            ("naive slope", self.bias(self.naive)),
            ("adjusted", self.bias(self.adjusted)),
            ("agents as instruments", self.bias()),
            ("  Monte Carlo error", self.bias_error()),
            ("  coverage of 95 %", self.coverage()),
            ("  coverage, robust errors only", self.coverage(self.robust_error)),
        ]
        lines = [f"{name:32s}" + "".join(f"{value:9.3f}" for value in row) for name, row in rows]
        return "\n".join(
            [f"{'bias / coverage':32s}" + "".join(f"{n[:8]:>9s}" for n in NAMES), *lines]
        )


@cache
def recover(seeds, **planted):
    found = []
    for seed in range(seeds):
        company = draw(seed, **planted)
        study = build_study(company.exposure, CORE_BEHAVIOURS, QUICK)
        second, first = study.instrumented(), study.adjusted()
        weights = np.stack([study.weights(name) for name in NAMES])
        coefficients = second.coefficients
        robust = clustered(
            influences(study.instrument, study.residuals, study.outcome, coefficients)
        )
        outcome = study.exposure.outcome - study.exposure.outcome.mean()
        raw = study.terms - study.terms.mean(axis=0)
        slope = (raw.T @ outcome) / (raw**2).sum(axis=0)
        spread = [
            np.sqrt(np.einsum("bi,ij,bj->b", weights, matrix, weights))
            for matrix in (robust, first.covariance)
        ]
        found.append(
            (
                [company.effects[name] for name in NAMES],
                *np.transpose([study.effect(name, second) for name in NAMES]),
                spread[0],
                weights @ first.coefficients,
                spread[1],
                weights @ slope,
            )
        )
    columns = [np.array(column) for column in zip(*found, strict=True)]
    return Recovered(*columns, study.degrees)


def binomial_error(seeds):
    return np.sqrt(0.95 * 0.05 / seeds)


def test_agents_as_instruments_recover_what_was_planted():
    seeds = 16
    found = recover(seeds, customers=30_000, agents=300)
    assert (np.abs(found.bias()) <= 0.05 + 2 * found.bias_error()).all(), found.table()
    assert (found.coverage() >= 0.92 - 2 * binomial_error(seeds)).all(), found.table()


def test_naive_and_adjusted_are_visibly_wrong_where_agents_are_not():
    found = recover(16, customers=30_000, agents=300)
    handle = NAMES.index("handle_seconds")
    assert found.bias(found.naive)[handle] < -1, found.table()
    assert found.bias(found.adjusted)[handle] < -0.4, found.table()
    assert found.bias(found.adjusted)[0] < -0.15, found.table()


def test_errors_that_miss_the_agent_are_too_small():
    found = recover(8, agent_effect=0.2)
    assert (found.robust_error.mean(axis=0) < 0.85 * found.error.mean(axis=0)).all(), found.table()


@pytest.mark.slow
@pytest.mark.parametrize("agent_effect", [0.05, 0.2])
def test_recovery_study(agent_effect, record_property):
    seeds = 60
    found = recover(seeds, agent_effect=agent_effect)
    record_property("recovery", found.table())
    assert (np.abs(found.bias()) <= 0.05 + 2 * found.bias_error()).all(), found.table()
    assert (found.coverage() >= 0.92 - 2 * binomial_error(seeds)).all(), found.table()
    assert (found.coverage() <= 0.97 + 2 * binomial_error(seeds)).all(), found.table()


@pytest.mark.slow
def test_no_effect_is_found_where_none_was_planted():
    seeds = 60
    found = recover(seeds, strength=0.0)
    assert (found.coverage() >= 0.95 - 2 * binomial_error(seeds)).all(), found.table()


@pytest.fixture(scope="module")
def company():
    return draw(1, customers=6000, agents=100)


@pytest.fixture(scope="module")
def effects(company):
    return estimate_effects(company.exposure, options=QUICK)


def test_headline_is_the_highest_level_that_was_not_refused(effects):
    assert [effect.headline for effect in effects.effects] == ["quasi-experimental"] * 3
    for effect in effects.effects:
        level = effect.level("quasi-experimental")
        assert level.low < level.estimate < level.high
        assert effect.per_contact == pytest.approx(level.estimate / effect.treated_per_customer)
        assert {
            "balance",
            "first_stage",
            "placebo_outcome",
            "placebo_behaviour",
            "hausman",
            "reliability",
            "clipping",
            "support",
        } <= {check.name for check in level.checks}


def test_the_adjusted_estimate_always_carries_what_a_hidden_factor_could_do(effects):
    for effect in effects.effects:
        level = effect.level("adjusted")
        hidden = next(check for check in level.checks if check.name == "hidden_factor")
        assert hidden.details["low_3x"] <= hidden.details["low_1x"] <= level.low
        assert hidden.details["high_3x"] >= hidden.details["high_1x"] >= level.high
        assert 0 <= hidden.details["robustness_value"] <= 1


def test_an_experiment_outranks_the_agents(company):
    level = Level("experimental", 9.0, 4.0, 14.0, 2.5)
    found = estimate_effects(company.exposure, [EMPATHY], QUICK, experiments={"empathy": level})
    assert found["empathy"].headline == "experimental"
    assert len(found["empathy"].levels) == 3


def test_order_of_contacts_changes_nothing(company, effects):
    exposure = company.exposure
    order = np.random.default_rng(0).permutation(exposure.contacts)
    shuffled = replace(
        exposure,
        **{
            name: getattr(exposure, name)[order]
            for name in (
                "customer",
                "agent",
                "pool",
                "stratum",
                "at_days",
                "controls",
                "outcome",
                "before",
            )
        },
        behaviours={name: column[order] for name, column in exposure.behaviours.items()},
    )
    found = estimate_effects(shuffled, options=QUICK)
    for one, other in zip(effects.effects, found.effects, strict=True):
        assert one.best.estimate == pytest.approx(other.best.estimate, rel=1e-8)


def test_units_of_money_pass_through(company, effects):
    found = estimate_effects(
        company.exposure.with_outcome(company.exposure.outcome * 100), options=QUICK
    )
    for one, other in zip(effects.effects, found.effects, strict=True):
        for mine, theirs in zip(one.levels, other.levels, strict=True):
            assert theirs.estimate == pytest.approx(100 * mine.estimate, rel=1e-6)
            assert theirs.low == pytest.approx(100 * mine.low, rel=1e-6)


def refusal(exposure, behaviour="empathy", behaviours=CORE_BEHAVIOURS):
    found = estimate_effects(exposure, behaviours, QUICK)
    return found[behaviour].level("quasi-experimental").refused


def test_skill_routing_is_refused_and_the_headline_falls():
    for seed in range(4):
        found = estimate_effects(
            draw(seed, customers=5000, skill_routing=0.3).exposure, options=QUICK
        )
        level = found["fcr"].level("quasi-experimental")
        assert "routing is not close to random" in level.refused.why
        assert level.estimate is None
        assert found["fcr"].headline == "adjusted"
        assert found.second is None


@pytest.mark.slow
def test_random_routing_is_seldom_refused():
    seeds = 100
    options = EffectOptions(permutations=99)
    from clv.effects.checks.gates.balance import Balance

    alarms = [
        not Balance(0.05, options.permutations, seed)
        .run(draw(seed, customers=4000).exposure)
        .passed
        for seed in range(seeds)
    ]
    assert np.mean(alarms) <= 0.07 + 2 * binomial_error(seeds)


def hostile(company, **changes):
    return replace(company.exposure, **changes)


def test_few_agents_are_refused():
    assert "only 24 agents" in refusal(draw(0, customers=4000, agents=24).exposure).why


def test_one_agent_is_refused(company):
    exposure = hostile(company, agent=np.zeros_like(company.exposure.agent))
    assert "only 1 agents" in refusal(exposure).why


def test_missing_agents_are_refused(company):
    exposure = hostile(company, agent=np.full_like(company.exposure.agent, -1))
    assert "no agent_id" in refusal(exposure).why


def test_many_missing_agents_are_refused_and_few_are_not(company):
    agent = company.exposure.agent.copy()
    for share, refused in ((0.1, False), (0.3, True)):
        agent[: int(share * len(agent))] = -1
        found = refusal(hostile(company, agent=agent))
        assert (found is not None) == refused
    assert "30% of contacts have no agent_id" in found.why


def test_agents_that_are_alone_in_their_stratum_are_refused(company):
    exposure = hostile(company, stratum=company.exposure.agent)
    assert "nobody to compare with" in refusal(exposure).why


def test_one_queue_that_mixes_what_agents_are_given_is_refused(company):
    exposure = company.exposure
    kind = np.eye(4)[exposure.pool][:, 1:]
    mixed = hostile(
        company,
        pool=np.zeros_like(exposure.pool),
        stratum=exposure.stratum % 26,
        controls=np.hstack([exposure.controls, kind]),
        control_names=(*exposure.control_names, "issue=b", "issue=c", "issue=d"),
    )
    assert "routing is not close to random" in refusal(mixed).why


def behaviours(company, **changes):
    return hostile(company, behaviours={**company.exposure.behaviours, **changes})


def test_what_never_differs_is_refused_and_the_rest_is_not(company):
    exposure = behaviours(company, fcr=np.ones(company.exposure.contacts))
    found = estimate_effects(exposure, options=QUICK)
    assert "fcr is 1 in every contact" in found["fcr"].level("quasi-experimental").refused.why
    assert found["fcr"].headline is None
    assert found["empathy"].headline == "quasi-experimental"


def test_constant_empathy_is_refused(company):
    why = refusal(behaviours(company, empathy=np.full(company.exposure.contacts, 0.5))).why
    assert "empathy is 0.5 in every contact" in why


def test_empathy_without_an_occasion_is_refused(company):
    why = refusal(behaviours(company, empathy=np.full(company.exposure.contacts, np.nan))).why
    assert "empathy is known for 0 contacts only" in why


def test_a_copy_is_refused(company):
    exposure = behaviours(company, warmth=100 * company.exposure.behaviours["empathy"])
    warmth = Behaviour("warmth", 10.0, "points")
    assert "copy of empathy" in refusal(exposure, "warmth", (*CORE_BEHAVIOURS, warmth)).why


def test_a_copy_in_other_units_is_refused(company):
    # Minutes enter linearly where the seconds enter as logarithms.
    talk = company.exposure.behaviours["handle_seconds"] / 60
    minutes = Behaviour("talk_minutes", 1.0, "minutes")
    found = refusal(
        behaviours(company, talk_minutes=talk), "talk_minutes", (*CORE_BEHAVIOURS, minutes)
    )
    assert "copy of handle_seconds" in found.why


def test_a_channel_without_a_column_refuses_agents_as_instruments(company):
    kept = {n: c for n, c in company.exposure.behaviours.items() if n != "fcr"}
    found = refusal(hostile(company, behaviours=kept))
    assert "fcr is not measured" in found.why
    assert "resolved_at" in found.mend


def test_what_load_moves_stays_adjusted(company):
    waits = np.random.default_rng(0).exponential(60, company.exposure.contacts)
    found = estimate_effects(behaviours(company, wait_seconds=waits), [WAIT], QUICK)
    assert found["wait_seconds"].headline == "adjusted"
    assert "moved by load" in found["wait_seconds"].level("quasi-experimental").refused.why


def test_a_behaviour_that_agents_do_not_shape_is_a_weak_instrument(company):
    luck = np.random.default_rng(0).normal(size=company.exposure.contacts)
    exposure = behaviours(company, luck=luck)
    why = refusal(exposure, "luck", (Behaviour("luck", 1.0, "points"),)).why
    assert "first-stage F" in why


def test_ridge_predicts_out_of_fold():
    rng = np.random.default_rng(0)
    features, folds = rng.normal(size=(400, 3)), np.arange(400) % 4
    target = features @ np.array([[1.0], [-2.0], [0.5]]) + 3
    assert np.abs(ridge(features, target, folds) - target).max() < 0.15
    moved = target.copy()
    moved[folds == 0] += 1e6
    kept = ridge(features, moved, folds)[folds == 0]
    assert np.abs(kept - ridge(features, target, folds)[folds == 0]).max() < 1e-6


def test_a_further_behaviour_is_studied_beside_the_channels(company):
    rng = np.random.default_rng(0)
    habit = rng.normal(0, 0.1, company.exposure.n_agents)[company.exposure.agent]
    care = 0.5 + habit + rng.normal(0, 0.1, company.exposure.contacts)
    exposure = behaviours(company, care=care)
    asked = (*CORE_BEHAVIOURS, Behaviour("care", 0.1, "share of occasions"))
    found = estimate_effects(exposure, asked, QUICK)
    level = found["care"].level("quasi-experimental")
    assert level.low < 0 < level.high  # nothing was planted
    whole = build_study(exposure, asked, QUICK)
    estimate, _ = whole.effect("care", whole.instrumented())
    assert estimate == pytest.approx(level.estimate, rel=0.05)


def test_boosted_nuisances_agree_with_ridge_where_all_is_linear(company):
    options = EffectOptions(nuisance="boosted", permutations=19, folds=2, min_contacts=5)
    found = estimate_effects(company.exposure, [EMPATHY], options)
    plain = estimate_effects(company.exposure, [EMPATHY], replace(options, nuisance="ridge"))
    one, other = found["empathy"].levels[0], plain["empathy"].levels[0]
    assert abs(one.estimate - other.estimate) < other.standard_error
