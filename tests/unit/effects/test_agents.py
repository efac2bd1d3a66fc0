"""Agents' scores follow what they are truly worth, and say how sure they are."""

from __future__ import annotations

import json
from dataclasses import MISSING, replace

import numpy as np
import pytest

from clv.effects.agents import adjusted_means, drawn_prices, score_agents, shrunk, team_scores
from clv.effects.design.exposure import CORE_BEHAVIOURS
from clv.effects.estimators.study import EffectOptions, build_study
from tests.unit.effects.company import draw


@pytest.fixture(scope="module")
def company():
    return draw(11, customers=20_000, agents=200, optimum=0.35)


@pytest.fixture(scope="module")
def study(company):
    return build_study(company.exposure, CORE_BEHAVIOURS, EffectOptions())


@pytest.fixture(scope="module")
def scores(company, study):
    teams = {name: f"team {number % 5}" for number, name in enumerate(company.exposure.agents)}
    return score_agents(study, study.instrumented(), teams=teams)


def by_pool(values, company):
    """Agents are compared within their queue."""
    home = np.arange(len(values)) % 4
    return values - np.array([values[home == h].mean() for h in range(4)])[home]


def correlation(found, company):
    return np.corrcoef(by_pool(found, company), by_pool(company.agent_value, company))[0, 1]


def test_the_score_beats_what_is_usually_done(company, study, scores):
    exposure = company.exposure
    index = {score.agent_id: score.index for score in scores}
    priced = correlation(np.array([index[name] for name in exposure.agents]), company)
    counts = np.bincount(exposure.agent)
    raw = np.bincount(exposure.agent, study.outcome) / counts
    spread = np.bincount(exposure.agent, study.outcome**2) / counts - raw**2
    quick = -np.bincount(exposure.agent, exposure.behaviours["handle_seconds"]) / counts
    table = {
        "priced": priced,
        "raw": correlation(raw, company),
        "shrunk": correlation(shrunk(raw, spread / counts, counts.astype(float)), company),
        "quick": correlation(quick, company),
    }
    assert priced > 0.85, table
    assert priced > max(table["raw"], table["shrunk"], table["quick"]) + 0.2, table


def test_intervals_hold_the_doubt_in_prices_and_in_means(company, study, scores):
    fit = study.instrumented()
    sure = replace(fit, covariance=1e-9 * fit.covariance)
    narrow = score_agents(study, sure)
    truth = dict(zip(company.exposure.agents, by_pool(company.agent_value, company), strict=True))
    for one, other in zip(scores, narrow, strict=True):
        assert one.high - one.low > other.high - other.low > 0
        assert one.low < one.index < one.high
    # A price's error is shared by all agents, so that cover in one company varies widely.
    inside = [score.low <= truth[score.agent_id] <= score.high for score in scores]
    assert np.mean(inside) > 0.6


def test_an_uncertain_price_is_drawn_towards_nothing(study):
    fit, means = study.instrumented(), adjusted_means(study)

    def drawn(**changes):
        return drawn_prices(study, replace(fit, **changes), means, means.counts > 0).coefficients

    known = drawn(covariance=1e-9 * fit.covariance)
    np.testing.assert_allclose(known, fit.coefficients, rtol=1e-4)
    warm, doubt = study.columns("empathy").start, np.diag(np.diag(fit.covariance)).copy()
    doubt[warm, warm] *= 1e6
    prices = drawn(covariance=doubt)
    assert abs(prices[warm]) < 0.01 * abs(fit.coefficients[warm])
    assert (np.abs(prices) <= np.abs(fit.coefficients)).all()
    # Another unit of money changes nothing else.
    other = drawn(coefficients=100 * fit.coefficients, covariance=1e4 * fit.covariance)
    np.testing.assert_allclose(other, 100 * drawn(), rtol=1e-9)


def test_only_agents_with_enough_contacts_are_scored(study):
    counts = np.bincount(study.exposure.agent)
    least = int(np.median(counts))
    scores = score_agents(study, study.instrumented(), min_contacts=least)
    assert len(scores) == (counts >= least).sum()
    assert [score.agent_id for score in scores] == sorted(score.agent_id for score in scores)


def test_gaps_only_gain_and_come_largest_first(scores):
    gaps = [score.coaching_gaps for score in scores]
    assert all(gap.worth_per_contact > 0 for row in gaps for gap in row)
    assert all(
        [g.worth_per_contact for g in row]
        == sorted((g.worth_per_contact for g in row), reverse=True)
        for row in gaps
    )
    # the doubt of a gap is the doubt of its price
    assert all(gap.low <= gap.worth_per_contact <= gap.high for row in gaps for gap in row)
    assert np.mean([gap.low < gap.high for row in gaps for gap in row]) > 0.95
    without = sum(all(g.behaviour != "empathy" for g in row) for row in gaps) / len(gaps)
    assert abs(without - 0.25) < 0.02  # a quarter is at the better quarter already


def test_case_mix_is_taken_out():
    # Every agent does the same to the same case; some get the hard ones by their queue.
    company = draw(3, customers=5000, agents=80)
    study = build_study(company.exposure, CORE_BEHAVIOURS, EffectOptions())
    means = adjusted_means(study)
    pool = np.arange(80) % 4
    for h in range(4):
        weights = means.counts[pool == h]
        assert np.abs(np.average(means.values[pool == h], axis=0, weights=weights)).max() < 0.02


def test_teams_are_their_agents(scores):
    teams = team_scores(scores)
    assert [team["team"] for team in teams] == [f"team {number}" for number in range(5)]
    assert sum(team["n"] for team in teams) == sum(score.n for score in scores)


def test_shrinking_keeps_the_order_of_equally_measured_agents():
    values, equal = np.array([3.0, 1.0, 2.0, -4.0]), np.full(4, 0.5)
    found = shrunk(values, equal, np.full(4, 100.0))
    assert (np.argsort(found) == np.argsort(values)).all()
    assert np.abs(found - 0.5).max() < np.abs(values - 0.5).max()


def test_a_document_names_no_agent_unless_asked(scores):
    """Teams keep what their agents add up to; the agents themselves are named on request alone."""
    from clv.effects.document import Attribution
    from clv.report.sections.teams import gaps

    teams = team_scores(scores)
    for team in teams:
        mine = [score for score in scores if score.team == team["team"]]
        for gap in team["coaching_gaps"]:
            summed = [
                (score.n, g.worth_per_contact)
                for score in mine
                for g in score.coaching_gaps
                if g.behaviour == gap["behaviour"]
            ]
            assert gap["n"] == sum(n for n, _ in summed)
            assert gap["worth"] == pytest.approx(sum(n * w for n, w in summed), rel=1e-3)
    named = {"teams": teams, "agents": [score.as_dict() for score in scores]}
    unnamed = {"teams": teams, "agents": []}
    old = {"teams": [{**t, "coaching_gaps": []} for t in teams], "agents": named["agents"]}
    for team in teams:
        ours, theirs = (gaps(team["team"], document) for document in (unnamed, old))
        assert [g.behaviour for g in ours] == [g.behaviour for g in theirs]
        assert [g.money.value for g in ours] == pytest.approx(
            [g.money.value for g in theirs], rel=1e-2
        )
    empty = {"contributions", "effects", "targets", "segments", "unavailable"}
    defaults = {
        name: () if name in empty else None
        for name, field in Attribution.__dataclass_fields__.items()
        if field.default is MISSING
    }
    found = Attribution(
        **defaults | {"agents": tuple(scores), "workload": ({"agent_id": "a1"},), "customers": 1}
    )
    text = json.dumps(found.as_dict())
    assert not [score.agent_id for score in scores if f'"{score.agent_id}"' in text]
    assert len(found.as_dict(individuals=True)["agents"]) == len(scores)
    few = replace(found, agents=tuple(scores[:3]))
    assert few.as_dict()["teams"] == []
    assert few.as_dict()["teams_too_small"] == len(team_scores(scores[:3])) > 0
    assert few.as_dict(individuals=True)["teams"] == team_scores(scores[:3])
