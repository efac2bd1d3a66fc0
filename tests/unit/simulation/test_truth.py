"""The stated truth against re-simulation, and the traps that a study has to escape."""

import datetime as dt

import numpy as np
import pytest

from clv.errors import UsageError, WindowError
from clv.simulation import Effects, SimulationOptions, simulate, simulate_service_year
from clv.simulation.contacts import causes, problem_share
from clv.simulation.purchases import KEPT, follow, purchase_intensity
from clv.simulation.service import run_desk
from clv.simulation.truths.per_contact import contact_truth
from clv.simulation.truths.statement import exposure_of, state_truth
from clv.simulation.world import build_world, stream


def integrated_margin(world, path):
    """Expected margin in the horizon, stretch by stretch, given who left when (the oracle)."""
    options, crowd, calendar = world.options, world.crowd, world.calendar
    begin = np.maximum(path.begin, options.as_of_days)
    end = np.maximum(path.end, begin)
    season = calendar.season_at(end) - calendar.season_at(begin)
    share = problem_share(options, crowd)[path.person]
    worth = (crowd.rate * crowd.spend * crowd.margin_rate)[path.person] * KEPT
    moved = np.exp((1 - options.effects.rate_share) * path.level)
    margin = worth * season * purchase_intensity(options.effects, path.level, share) * moved
    return np.bincount(path.person, weights=margin, minlength=crowd.count)


def resimulated(world, exposed, steps):
    """Change exactly the exposed contacts, and live on with the same clocks and contacts."""
    seed, options = world.options.seed, world.options
    first = causes(options, world.calendar, world.crowd, stream(seed, "causes"))
    served, _ = run_desk(world.desk, first, stream(seed, "service"))
    served = served.take(np.lexsort((served.started_s, served.causes.person)))
    _, _, happened = follow(options.effects, world.calendar, world.crowd, served)
    rows = np.flatnonzero(happened)[exposed.rows]
    assert (served.started_s[rows] == world.served.started_s[exposed.rows]).all()
    results = []
    for extra in (0.0, steps):
        changed = served.take(np.arange(served.step.size))
        changed.step[rows] += extra
        _, path, _ = follow(options.effects, world.calendar, world.crowd, changed)
        results.append(integrated_margin(world, path)[exposed.population].mean())
    return results[1] - results[0]


def test_effects_equal_resimulation_with_common_random_numbers():
    stated, brute = [], []
    for seed in range(4):
        world = build_world(SimulationOptions(customers=6_000, agents=40, seed=seed))
        exposed = exposure_of(world)
        effects = world.options.effects
        plans = (
            effects.empathy * 0.1 * (world.served.occasions[exposed.rows] > 0),
            np.full(exposed.rows.size, effects.fcr * 0.1),
        )
        stated.append([exposed.mean_gain(steps) for steps in plans])
        brute.append([resimulated(world, exposed, steps) for steps in plans])
    stated, brute = np.mean(stated, axis=0), np.mean(brute, axis=0)
    # what is left is chance: who leaves, and the contacts that lie ahead
    np.testing.assert_allclose(stated, brute, rtol=0.08)


def test_expected_margin_is_what_is_realised_on_average():
    expected, realised = [], []
    for seed in range(4):
        options = SimulationOptions(customers=4_000, agents=24, seed=seed, transcripts=False)
        company = simulate(options)
        truth = company.truth()
        orders = company.frames()["orders"]
        ahead = orders["ordered_at"].to_numpy() >= np.datetime64(truth.as_of + dt.timedelta(days=1))
        known = orders["customer_id"].isin(truth.customer_ids).to_numpy()
        got = orders[ahead & known].groupby("customer_id")["margin"].sum()
        got = got.reindex(truth.customer_ids, fill_value=0.0).to_numpy()
        assert (got[~truth.alive] > 0).sum() == 0
        assert (truth.margin_discounted <= truth.margin).all()
        assert np.corrcoef(got, truth.margin)[0, 1] > 0.6
        expected.append(truth.margin.sum())
        realised.append(got.sum())
    assert abs(np.sum(realised) / np.sum(expected) - 1) < 0.05


def test_truth_has_the_documented_sizes():
    year = simulate_service_year(SimulationOptions(customers=12_000, agents=100, seed=1))
    value = year.customers["value"]
    assert 130 < value.mean() < 220
    assert 1.6 < value.std() / value.mean() < 2.7
    assert 0.35 < (value == 0).mean() < 0.5
    truth = contact_truth(year.exposed.world)
    assert 6 < truth.effect("empathy").value < 9
    assert 2 < truth.effect("handle_seconds").value < 4.5
    total = truth.effect("handle_seconds_total").value
    assert total > truth.effect("handle_seconds").value
    assert 3.5 < truth.effect("fcr").value < 5.5
    assert 2 < len(year.contacts) / len(year.customers) < 3


def test_naive_slopes_mislead_while_the_truth_is_positive():
    year = simulate_service_year(SimulationOptions(customers=20_000, agents=100, seed=2))
    by_customer = year.contacts.groupby("customer_id")
    value = year.customers.set_index("customer_id")["value"]
    handle = by_customer["handle_seconds"].mean() / 60
    warm = by_customer["empathy"].mean().dropna()
    assert np.polyfit(handle, value[handle.index], 1)[0] < -3
    truth = contact_truth(year.exposed.world)
    empathy = truth.effect("empathy")
    a_year = empathy.value * empathy.contacts_per_customer_year
    assert np.polyfit(warm, value[warm.index], 1)[0] * 0.1 < a_year / 3
    assert truth.effect("handle_seconds").value > 0


def test_no_effect_planted_no_effect_true():
    options = SimulationOptions(customers=800, agents=12, effects=Effects.none())
    year = simulate_service_year(options)
    world = year.exposed.world
    assert not exposure_of(world).gain(np.zeros(year.exposed.rows.size)).any()
    assert np.ptp(year.agents["value_per_contact"]) == 0.0


@pytest.mark.parametrize("scale", [0.7, 1.0, 1.43])
def test_the_optimum_lies_where_it_was_put(scale):
    effects = Effects().with_optimum(scale)
    world = build_world(SimulationOptions(customers=4_000, agents=40, effects=effects))
    best = max(contact_truth(world).frontier, key=lambda point: point["value"])
    assert abs(best["scale"] - scale) <= 0.16


def test_random_routing_ignores_severity_and_skill_routing_follows_it():
    def explained(**changes: object) -> float:
        options = SimulationOptions(customers=6_000, agents=100, seed=5, **changes)
        world = build_world(options)
        rows = world.served.by_agent
        skill = world.staff.skill[world.served.agent[rows]]
        return float(np.corrcoef(skill, world.served.causes.severity[rows])[0, 1] ** 2)

    assert explained() < 0.002
    assert explained(routing="skill", routing_strength=0.35) > 0.2


def test_every_stratum_holds_several_agents_and_loads_are_even():
    year = simulate_service_year(SimulationOptions(customers=20_000))
    contacts = year.contacts
    assert contacts.groupby(["queue", "shift"])["agent_id"].nunique().min() >= 20
    per_agent = contacts.groupby("agent_id").size()
    assert len(per_agent) == 150
    assert per_agent.min() > 40
    busiest = contacts.groupby(["queue", "week", "shift"])["agent_id"].nunique()
    assert busiest.median() >= 2


def test_the_service_year_is_the_company_s():
    options = SimulationOptions(customers=500, agents=12, seed=7, transcripts=False)
    company, year = simulate(options), simulate_service_year(options)
    stored = company.frames()["interactions"].set_index("interaction_id")
    rows = stored.loc[year.contacts["interaction_id"]]
    assert rows["agent_id"].tolist() == year.contacts["agent_id"].tolist()
    assert rows["handle_seconds"].tolist() == year.contacts["handle_seconds"].tolist()
    assert set(rows["initiated_by"]) == {"customer"}
    assert year.agents.equals(company.latent["agents"])


def test_training_makes_its_teams_warmer():
    options = SimulationOptions(customers=8_000, agents=60, trained_teams=4, training_lift=1.5)
    year = simulate_service_year(options)
    trained = year.agents.set_index("agent_id")["trained_days"]
    day = trained[year.contacts["agent_id"]].to_numpy()
    at = year.exposed.world.calendar.days(year.contacts["started_at_s"].to_numpy())
    own = ~np.isnan(day)
    empathy = year.contacts["empathy"].to_numpy()
    assert np.nanmean(empathy[own & (at >= day)]) > np.nanmean(empathy[own & (at < day)]) + 0.08


def test_the_experiment_s_truth_is_its_lift_priced():
    options = SimulationOptions(customers=8_000, agents=60, experiment_share=1.0)
    world = build_world(options)
    truth, exposed = state_truth(world), exposure_of(world)
    lift = truth.experiment["empathy_lift"]
    assert 0.08 < lift <= 0.1
    occasion = world.served.occasions[exposed.rows] > 0
    priced = exposed.mean_gain(options.effects.empathy * lift * occasion)
    assert truth.experiment["value_with_contacts"] == pytest.approx(priced, rel=0.1)


def test_truth_outside_the_simulated_years_is_refused():
    company = simulate(SimulationOptions(customers=50, agents=8, transcripts=False))
    with pytest.raises(WindowError, match="outside the simulated years"):
        company.truth(dt.date(2025, 12, 1), 180)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"customers": 0}, "customers is 0"),
        ({"agents": 3}, "agents is 3"),
        ({"experiment_share": 1.5}, "experiment_share is 1.5"),
        ({"routing": "alphabet"}, "routing is 'alphabet'"),
        ({"horizon_days": 1_096}, "the data last 1096 days"),
    ],
)
def test_impossible_options_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        SimulationOptions(**changes)
