"""The truth per contact against integration by hand, re-simulation and what was realised."""

import hashlib
import json

import numpy as np
import pytest

from clv.errors import UsageError
from clv.simulation import Effects, RollOut, SimulationOptions, simulate
from clv.simulation.contacts import causes, problem_share
from clv.simulation.purchases import KEPT, course
from clv.simulation.service import run_desk
from clv.simulation.truths.follow_up import Change, follow_up, repeats_ahead
from clv.simulation.truths.per_contact import contact_truth
from clv.simulation.world import build_world, stream

HORIZON = 180
WORLDS = {
    "stays": Effects(),
    "fades": Effects(half_life_days=120.0),
    "ceiling": Effects(need=1.1),
}


@pytest.fixture(scope="module", params=WORLDS)
def world(request):
    options = SimulationOptions(customers=1_500, agents=40, seed=3, effects=WORLDS[request.param])
    return build_world(options)


def everything(world):
    """All contacts, those of customers who had left too, by customer and time."""
    first = causes(world.options, world.calendar, world.crowd, stream(world.options.seed, "causes"))
    served, _ = run_desk(world.desk, first, stream(world.options.seed, "service"))
    return served.take(np.lexsort((served.started_s, served.causes.person)))


def by_hand(world, served, row, extra, steps=40):
    """Margin after one contact on a grid of 1/40 of a day, S summed up contact by contact."""
    effects, crowd, calendar = world.options.effects, world.crowd, world.calendar
    person = world.served.causes.person[row]
    day = float(calendar.days(world.served.started_s[row : row + 1])[0])
    own = served.causes.person == person
    at, step = calendar.days(served.started_s[own]), served.step[own].copy()
    at = np.maximum(at, crowd.joined[person])
    step[at == day] += extra
    grid = day + np.arange(HORIZON * steps + 1) / steps
    middle = (grid[:-1] + grid[1:]) / 2
    since = middle[:, None] - at
    half = effects.half_life_days or np.inf
    level = (np.where(since >= 0, step, 0.0) * 0.5 ** (np.maximum(since, 0.0) / half)).sum(axis=1)
    buying = level if effects.need is None else np.minimum(level, np.log(effects.need))
    share = problem_share(world.options, crowd)[person]
    rate = np.maximum(np.exp(effects.rate_share * buying), share)
    worth = crowd.rate[person] * crowd.spend[person] * crowd.margin_rate[person] * KEPT
    hazard = crowd.leaving[person] * np.exp(-effects.survival * level) / 365 / steps
    present = np.exp(-(hazard.cumsum() - hazard / 2))
    season = np.diff(calendar.season_at(grid))
    margin = worth * season * rate * np.exp((1 - effects.rate_share) * buying) * present
    month = np.minimum((middle - day) // 30, HORIZON // 30 - 1).astype(int)
    return np.bincount(month, weights=margin)


def test_margin_after_a_contact_is_the_integral_by_month(world):
    studied = follow_up(world, HORIZON)
    served = everything(world)
    chosen = np.random.default_rng(0).permutation(studied.rows.size)[:25]
    studied = type(studied)(world, studied.rows[np.sort(chosen)], HORIZON)
    for extra in (0.0, 0.3):
        margin = studied.margins([studied.at_contact(np.full(25, extra))])[0]
        hand = np.array([by_hand(world, served, row, extra) for row in studied.rows])
        assert margin.shape == (25, 6)
        np.testing.assert_allclose(margin, hand, rtol=4e-3)
        np.testing.assert_allclose(margin.sum(axis=1), hand.sum(axis=1), rtol=1e-3)


def test_effects_are_changes_of_single_contacts(world):
    truth = contact_truth(world, HORIZON)
    studied = follow_up(world, HORIZON)
    occasion = world.served.occasions[studied.rows] > 0
    step = np.where(occasion, 0.1 * world.options.effects.empathy, 0.0)
    before, after = studied.margins([studied.at_contact(s) for s in (0 * step, step)])
    gained = (after - before)[occasion].mean(axis=0)
    empathy = truth.effect("empathy")
    np.testing.assert_allclose(empathy.by_month, gained)
    assert empathy.contacts == occasion.sum() < truth.contacts == studied.rows.size
    assert truth.margin == pytest.approx(before.sum() / truth.contacts)
    for effect in truth.effects:
        assert effect.value == pytest.approx(sum(effect.by_month))
        assert effect.value > 0
        assert effect.error < 0.03 * effect.value
    assert [effect.error > 0 for effect in truth.effects] == [False, False, True, True]


def test_chunks_of_contacts_change_nothing(world, monkeypatch):
    studied = follow_up(world, HORIZON)
    steps = np.random.default_rng(1).normal(0, 0.2, studied.rows.size)
    whole = studied.margins([studied.at_contact(steps)])[0]
    monkeypatch.setattr("clv.simulation.truths.follow_up.CHUNK_CONTACTS", 17)
    np.testing.assert_allclose(studied.margins([studied.at_contact(steps)])[0], whole, rtol=1e-9)


def test_the_frontier_interpolates_what_integration_gives(world):
    studied = follow_up(world, HORIZON)
    effects, handle = world.options.effects, world.served.handle_seconds[studied.rows]
    for point in contact_truth(world, HORIZON).frontier:
        if point["scale"] not in (0.5, 0.8, 1.0, 1.6):
            continue
        x = np.log(handle / 360.0)
        y = x + np.log(point["scale"])
        step = effects.handle_log * (y - x) + effects.handle_log2 * (y**2 - x**2)
        before, after = studied.margins([studied.at_contact(s) for s in (0 * step, step)])
        gained = (after - before).sum(axis=1).mean()
        assert point["value"] == pytest.approx(gained, abs=2e-3 * before.sum(axis=1).mean())
        assert point["net"] == pytest.approx(point["value"] - point["cost"])


def test_what_is_expected_is_what_is_realised_on_average():
    expected, realised = [], []
    for seed in range(4):
        world = build_world(SimulationOptions(customers=4_000, agents=40, seed=seed))
        studied = follow_up(world, 365)
        margin = studied.margins([studied.at_contact(np.zeros(studied.rows.size))])[0]
        orders, days = world.orders, world.calendar.days(world.orders.at_s)
        order = np.lexsort((days, orders.person))
        keys = orders.person[order] * 1e5 + days[order]
        total = np.concatenate(([0.0], orders.margin[order].cumsum()))
        begin = studied.person * 1e5 + studied.day
        cells = [
            np.searchsorted(keys, begin + days, side="right") for days in (*range(0, 331, 30), 365)
        ]
        realised.append(np.diff(total[np.array(cells)], axis=0).sum(axis=1))
        expected.append(margin.sum(axis=0))
    ratio = np.sum(realised, axis=0) / np.sum(expected, axis=0)
    assert abs(np.sum(realised) / np.sum(expected) - 1) < 0.03
    # refunds of the orders before a contact fall into the first month after it
    np.testing.assert_allclose(ratio[1:], 1.0, atol=0.08)


def test_drawn_repeats_do_what_the_repeats_that_came_did():
    """Chance decides which open problems come back: those that did are the control group."""
    drawn, happened = [], []
    for seed in range(3):
        world = build_world(SimulationOptions(customers=6_000, agents=60, seed=seed))
        served, studied = everything(world), follow_up(world, HORIZON)
        opened = ~world.served.resolved[studied.rows] & (world.served.repeat[studied.rows] == 0)
        alone = studied.only(opened & ~world.served.back[studied.rows])
        came = studied.only(opened & world.served.back[studied.rows])
        nothing = np.zeros(alone.rows.size)
        ahead = repeats_ahead(alone, np.random.default_rng(seed))
        plain = alone.at_contact(nothing)
        after = Change((alone.day, *ahead.days[1:]), (nothing, *ahead.steps[1:]))
        before, after = (m.sum(axis=1) for m in alone.margins([plain, after]))
        drawn.append(after - before)
        days, steps = [came.day], [np.zeros(came.rows.size)]
        for repeat in (1, 2, 3):
            rows = np.flatnonzero(served.repeat == repeat)
            at = dict(zip(served.root[rows].tolist(), rows.tolist(), strict=True))
            own = np.array([at.get(root, -1) for root in world.served.root[came.rows].tolist()])
            day = world.calendar.days(served.started_s)[own]
            days.append(np.where(own < 0, np.inf, day))
            steps.append(np.where(own < 0, 0.0, -served.step[own]))
        plain = came.at_contact(np.zeros(came.rows.size))
        with_them, without = came.margins([plain, Change(tuple(days), tuple(steps))])
        happened.append((with_them - without).sum(axis=1))
    a, b = np.concatenate(drawn), np.concatenate(happened)
    error = np.hypot(a.std() / np.sqrt(a.size), b.std() / np.sqrt(b.size))
    assert abs(a.mean() - b.mean()) < 2.5 * error
    assert a.mean() < 0 > b.mean()


def test_resolution_is_worth_its_step_and_the_repeats_it_spares():
    world = build_world(SimulationOptions(customers=2_000, agents=40, seed=5))
    truth, studied = contact_truth(world, HORIZON), follow_up(world, HORIZON)
    fcr, was = world.options.effects.fcr, world.served.resolved[studied.rows]
    solved, opened = np.where(was, 0.0, fcr), np.where(was, -fcr, 0.0)
    best, worst = studied.margins([studied.at_contact(s) for s in (solved, opened)])
    step = 0.1 * (best - worst).sum(axis=1).mean()
    assert 1.0 < truth.effect("fcr").value / step < 1.2


def test_nothing_planted_no_effect():
    world = build_world(SimulationOptions(customers=600, agents=12, effects=Effects.none()))
    truth = contact_truth(world)
    assert [effect.value for effect in truth.effects[:2]] == [0.0, 0.0]
    assert abs(truth.effect("fcr").value) <= 3 * truth.effect("fcr").error
    assert max(abs(point["value"]) for point in truth.frontier) < 1e-9


def test_a_fading_company_differs_and_one_that_hardly_fades_does_not():
    options = {"customers": 400, "agents": 24, "seed": 2, "transcripts": False}

    def amounts(effects):
        return simulate(SimulationOptions(effects=effects, **options)).frames()["orders"]["amount"]

    stays = amounts(Effects())
    assert amounts(Effects(half_life_days=1e9)).equals(stays)
    assert amounts(Effects(need=1e9)).equals(stays)
    assert not amounts(Effects(half_life_days=60.0)).equals(stays)
    assert amounts(Effects(need=1.0)).sum() < stays.sum()


def test_effects_fade_by_half_in_a_half_life():
    world = build_world(SimulationOptions(customers=1_500, agents=24, effects=WORLDS["fades"]))
    months = np.array(contact_truth(world, 360).effect("empathy").by_month)
    share = months / np.array(
        contact_truth(build_world(SimulationOptions(customers=1_500, agents=24)), 360)
        .effect("empathy")
        .by_month
    )
    assert np.all(np.diff(share) < 0)
    # four months later about half is left; what is gone has kept fewer customers meanwhile
    np.testing.assert_allclose(share[4:8] / share[:4], 0.5, atol=0.08)


def test_a_fading_course_ends_with_the_data_and_leaves_no_gap():
    world = build_world(SimulationOptions(customers=300, agents=12, effects=WORLDS["fades"]))
    whole = course(world.options.effects, world.calendar, world.crowd, everything(world))
    last = np.append(whole.person[1:] != whole.person[:-1], True)
    np.testing.assert_allclose(whole.end[:-1][~last[:-1]], whole.begin[1:][~last[:-1]])
    assert (whole.end[last] == world.calendar.span_days).all()
    assert (whole.end >= whole.begin).all()


@pytest.mark.parametrize(
    ("name", "value"), [("half_life_days", 0), ("half_life_days", -3.0), ("need", 0.9)]
)
def test_impossible_effects_are_refused(name, value):
    with pytest.raises(UsageError, match=name):
        Effects(**{name: value})


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"effects": {"empaty": 0.3}}, "empaty is none of the effects"),
        ({"agnets": 3}, "agnets is none of the options"),
        ({"effects": 3}, "effects is 3; expected names"),
        ({"customers": "many"}, "options of the simulated company"),
    ],
)
def test_unknown_options_are_refused_in_words(values, told):
    with pytest.raises(UsageError, match=told):
        SimulationOptions.of(values)


def test_the_default_company_is_what_it_was():
    """Tables of one seed, written down before effects could fade or value have a ceiling."""
    company = simulate(SimulationOptions(customers=300, agents=24, seed=7))
    digests = {
        name: hashlib.sha256(frame.to_csv(index=False, lineterminator="\n").encode()).hexdigest()
        for name, frame in company.frames().items()
    }
    assert {name: digest[:16] for name, digest in digests.items()} == {
        "agent_days": "5a11da4a3e29c2ba",
        "agents": "9803b0b53cec320b",
        "assignments": "05d4021574158591",
        "customers": "6120a15aecbfae58",
        "interactions": "101da9bc395f1392",
        "messages": "8d367561c5078097",
        "orders": "e479c3eb7da35ece",
        "surveys": "9412166535a032c8",
    }


def test_truth_json_holds_both_truths_per_contact_by_month(tmp_path):
    options = SimulationOptions(customers=200, agents=12, transcripts=False, horizon_days=90)
    simulate(options).write(tmp_path)
    per_contact = json.loads((tmp_path / "truth.json").read_text())["per_contact"]
    assert per_contact["horizon_days"] == 90
    names = [effect["behaviour"] for effect in per_contact["effects"]]
    assert names == ["empathy", "handle_seconds", "handle_seconds_total", "fcr"]
    assert all(len(effect["by_month"]) == 3 for effect in per_contact["effects"])
    assert per_contact["effects"][0]["contacts"] < per_contact["contacts"]


def test_roll_outs_reach_teams_one_after_the_other_and_do_what_they_are_planted_to_do():
    training = RollOut("training", teams=9, empathy_lift=1.0)
    tool = RollOut("tool", teams=5, handle_log=-0.3, cost_per_agent=40.0)
    options = {"customers": 3_000, "agents": 60, "seed": 1, "trained_teams": 0}
    company = simulate(SimulationOptions(rollouts=(training, tool), transcripts=False, **options))
    table, world = company.frames()["rollouts"], company.world
    assert table.groupby("what")["unit_id"].nunique().to_dict() == {"training": 9, "tool": 5}
    assert table["since"].nunique() >= 9
    truth = contact_truth(world, HORIZON)
    warm, fast = truth.rollouts
    assert (warm.handle_seconds, warm.fcr, fast.empathy) == (0.0, 0.0, 0.0)
    assert 0.1 < warm.empathy < 0.3
    assert fast.handle_seconds < -60
    assert fast.fcr < 0
    studied = follow_up(world, HORIZON)
    day, agent = studied.day, world.served.agent[studied.rows]
    reached = day >= world.staff.reached[0][agent]
    assert warm.contacts == reached.sum()
    lift = 0.3 * warm.empathy * (world.served.occasions[studied.rows][reached] > 0).mean()
    usual = studied.margins([studied.at_contact(np.zeros(day.size))])[0].sum(axis=1)
    assert warm.value == pytest.approx(lift * usual[reached].mean(), rel=0.25)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"rollouts": 3}, "rollouts is 3; expected a list"),
        ({"rollouts": [3]}, "rollouts is 3; expected names"),
        ({"rollouts": [{"what": "tool", "team": 2}]}, "team is none of the rollouts"),
        ({"rollouts": [{"what": "tool", "first": 0.9}]}, "tool goes from 0.9 to 0.6"),
    ],
)
def test_impossible_roll_outs_are_refused_in_words(values, told):
    with pytest.raises(UsageError, match=told):
        SimulationOptions.of(values)
