"""Roll-outs of a company, from its tables to attribution.json: told, gated, priced, paid."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

from clv.contract.tables import DataOptions, Tables
from clv.effects.attribution import AttributionOptions, read
from clv.effects.design.encode import encode
from clv.effects.estimators.rollout import Interval
from clv.effects.estimators.study import EffectOptions
from clv.effects.rollouts import EVIDENCE, Payment, rollout_results, told_rollouts
from clv.engines.connect import connect
from clv.events.histories import make_histories
from clv.simulation import RollOut, SimulationOptions, simulate
from clv.windows import Window

TOOL = RollOut("assist tool", handle_log=-0.35, cost_per_agent=40.0)
WINDOW = Window(dt.date(2025, 6, 30), 180)


@pytest.fixture(scope="module")
def engine():
    with connect(threads=1) as engine:
        yield engine


@pytest.fixture(scope="module")
def frames():
    options = SimulationOptions(
        customers=2_500, agents=60, seed=2, transcripts=False, trained_teams=0, rollouts=(TOOL,)
    )
    return simulate(options).frames()


@pytest.fixture(scope="module")
def tables(engine, frames):
    return Tables.from_frames(engine, frames, DataOptions(currency="USD"))


@pytest.fixture(scope="module")
def studied(tables):
    with make_histories(tables) as histories:
        contacts, follow_up = read(histories, WINDOW, AttributionOptions())
    return encode(contacts, follow_up, behaviours=["handle_seconds", "fcr"]), contacts


def results(tables, studied, minute=0.45):
    exposure, contacts = studied
    return {
        result.what: result
        for result in rollout_results(tables, exposure, contacts, minute, EffectOptions())
    }


def changed(engine, frames, **tables):
    return Tables.from_frames(engine, {**frames, **tables}, DataOptions(currency="USD"))


def test_a_tool_is_priced_with_its_minutes_and_its_cost(tables, studied):
    tool = results(tables, studied)["assist tool"]
    assert tool.refused is None
    assert [check.name for check in tool.checks] == ["units", "pre_trend", "composition"]
    assert (tool.unit, tool.units, tool.units_reached) == ("team", 12, 9)
    saved = tool.behaviours["handle_seconds"]
    assert saved.low < -80 < saved.high or saved.high < -80
    assert saved.high < 0
    payment = tool.payment
    assert payment.cost_per_agent == pytest.approx(40.0)
    gained = -saved.estimate / 60 * 0.45
    assert payment.net.estimate == pytest.approx(tool.value.estimate + gained, abs=0.05)
    _, contacts = studied
    per_agent = contacts.groupby("agent_id").size().mean() / (916 / 365)
    assert payment.contacts_per_agent_year == pytest.approx(per_agent, rel=0.25)
    assert sum(month.contacts for month in tool.by_month) <= tool.contacts_reached
    total = sum(m.estimate * m.contacts for m in tool.by_month)
    count = sum(m.contacts for m in tool.by_month)
    if count == tool.contacts_reached:
        assert total / count == pytest.approx(tool.value.estimate)


def test_the_document_says_all_of_it_and_is_json(tables, studied):
    document = json.loads(json.dumps(results(tables, studied)["assist tool"].as_dict()))
    assert document["evidence"] == EVIDENCE
    assert document["refused"] is None
    assert document["per_contact"]["low"] < document["per_contact"]["high"]
    assert document["payment"]["verdict"] in ("paid", "lost", "open")
    assert [row["behaviour"] for row in document["behaviours"]] == ["handle_seconds", "fcr"]


def test_the_date_of_a_training_is_a_roll_out_of_agents(engine, frames):
    agents = frames["agents"].copy()
    agents.loc[[3, 8], "trained_at"] = pd.Timestamp("2024-03-01")
    told = told_rollouts(changed(engine, frames, agents=agents))
    mine = told[told["what"] == "training"]
    assert set(mine["unit"]) == {"agent"}
    assert set(mine["unit_id"]) == {"a0003", "a0008"}
    own = pd.DataFrame(
        {"unit": ["team"], "unit_id": ["orders-1"], "what": ["training"], "since": ["2024-05-01"]}
    )
    own["since"] = pd.to_datetime(own["since"])
    told = told_rollouts(changed(engine, frames, agents=agents, rollouts=own))
    assert told["unit_id"].tolist() == ["orders-1"]
    assert told["cost_per_agent"].isna().all()


def test_without_any_roll_out_nothing_is_said(engine, frames, studied):
    bare = {name: frame for name, frame in frames.items() if name != "rollouts"}
    bare["agents"] = bare["agents"].drop(columns="trained_at")
    assert results(Tables.from_frames(engine, bare, DataOptions(currency="USD")), studied) == {}


def test_too_few_units_are_refused_in_words_with_what_would_mend_it(engine, frames, studied):
    rows = pd.DataFrame(
        {"unit": "queue", "unit_id": ["orders"], "what": "policy", "since": ["2024-06-01"]}
    )
    rows["since"] = pd.to_datetime(rows["since"])
    policy = results(changed(engine, frames, rollouts=rows), studied)["policy"]
    assert policy.value is None
    assert policy.payment is None
    assert "4 units can be compared, of which 1 were reached; 8 are needed" in policy.refused.why
    assert "list every one with its date" in policy.refused.mend
    everyone = pd.concat(
        [rows.assign(unit_id=queue) for queue in ("orders", "billing", "technical", "accounts")]
    )
    everyone["since"] = pd.Timestamp("2023-01-01")
    policy = results(changed(engine, frames, rollouts=everyone), studied)["policy"]
    assert "can be compared" in policy.refused.why


def test_a_drift_before_it_and_other_cases_after_it_are_refused(tables, studied):
    exposure, contacts = studied
    told = told_rollouts(tables)
    since = told[told["what"] == "assist tool"].set_index("unit_id")["since_s"].astype(float)
    rows = exposure.contacts
    apart = (rows["team"].map(since) - rows["at_s"]).to_numpy(float) / 86_400
    drifting = np.where((apart > 0) & (apart < 90), 900.0, 0.0)
    moved = exposure.exposure.with_outcome(exposure.exposure.outcome + drifting)
    tool = results(tables, (replaced(exposure, moved), contacts))["assist tool"]
    assert [check.name for check in tool.checks] == ["units", "pre_trend"]
    assert "moved apart" in tool.refused.why
    controls = exposure.exposure.controls.copy()
    sizes = np.random.default_rng(0).normal(size=len(controls))
    controls[:, 0] = sizes + 2.0 * (apart < 0)
    harder = exposure.exposure.outcome + 300.0 * sizes
    moved = replaced(exposure, replaced(exposure.exposure, harder, controls))
    tool = results(tables, (moved, contacts))["assist tool"]
    assert [check.name for check in tool.checks][-1] == "composition"
    assert "another kind of case" in tool.refused.why


def replaced(kind, new, controls=None):
    from dataclasses import replace

    if controls is None:
        return replace(kind, exposure=new)
    return replace(kind, outcome=new, controls=controls)


def payment(low, estimate, high, cost):
    return Payment(Interval(estimate, 1.0, low, high, 0.01, 2.0), 0.5, 400.0, cost)


def test_it_paid_only_where_the_whole_interval_earns_the_cost():
    assert payment(0.5, 1.0, 1.5, None).verdict == "paid"
    assert payment(0.5, 1.0, 1.5, 150.0).verdict == "paid"
    assert payment(0.5, 1.0, 1.5, 300.0).verdict == "open"
    assert payment(0.5, 1.0, 1.5, 700.0).verdict == "lost"
    assert payment(-2.0, -1.0, -0.5, None).verdict == "lost"
    assert payment(0.5, 1.0, 1.5, 200.0).payback_days == pytest.approx(182.5)
    assert payment(-0.5, -0.1, 1.5, 200.0).payback_days is None
    assert payment(0.5, 1.0, 1.5, None).payback_days is None
