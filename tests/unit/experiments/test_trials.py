"""Rows of an experiment on a synthetic company: joined right, read near the truth."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import clv
from clv.contract.tables import Tables
from clv.effects.estimators.residuals import ridge
from clv.engines.connect import connect
from clv.errors import DataError, SchemaError, UsageError
from clv.events.histories import make_histories
from clv.experiments.assign import Plan, assign_all, drawn
from clv.experiments.design import Clusters, design
from clv.experiments.past import candidates, past_outcomes
from clv.experiments.read import ReadOptions
from clv.experiments.results import ReadOut
from clv.experiments.rows import read_trial, trial_rows
from clv.simulation import SimulationOptions, simulate
from clv.windows import Window, day_start_s


@pytest.fixture(scope="module")
def company():
    return simulate(
        SimulationOptions(
            customers=2500, agents=40, seed=11, transcripts=False, experiment_share=1.0
        )
    )


@pytest.fixture(scope="module")
def held(company):
    frames = company.frames()
    with connect(threads=1) as engine:
        tables = Tables.from_frames(engine, frames)
        histories = make_histories(tables)
        yield tables, histories
        histories.close()


@pytest.fixture(scope="module")
def window(company):
    return Window(company.options.as_of, company.options.horizon_days)


@pytest.fixture(scope="module")
def found(held, window):
    _, histories = held
    trial = trial_rows(histories, "empathy_coaching", window, segment="segment")
    return trial, read_trial("empathy_coaching", trial, predictor=ridge, options=ReadOptions())


def test_python_reads_an_experiment_as_the_command_does(held, window, found):
    tables, histories = held
    company = SimpleNamespace(tables=tables, histories=histories, span=tables.span())
    options = ReadOptions(segment="segment")
    asked = {"as_of": window.cutoff, "horizon_days": window.horizon_days}
    typed = clv.read_experiment(company, "empathy_coaching", **asked, options=options)
    assert typed.as_dict() == found[1].as_dict()
    bare = SimpleNamespace(tables={"orders": None}, span=tables.span())
    with pytest.raises(SchemaError, match="assignments: the table was not given"):
        clv.read_experiment(bare, "empathy_coaching")


def test_what_was_known_before_takes_a_third_of_the_variance(held, window):
    """Assigned the evening before, and read on the year after: the usual experiment."""
    _, histories = held
    assigned = assign_all(Plan("year"), candidates(histories, "customer", window.cutoff))
    log = assigned.assign(experiment="year", unit="customer", assigned_at=window.ahead_s - 1)
    trial = trial_rows(histories, "year", window, log=log)
    assert trial.behaviours == ()
    found = read_trial("year", trial, predictor=ridge, options=ReadOptions())
    variance = {one.method: one.standard_error**2 for one in found.comparisons}
    assert variance["mlrate"] < 0.70 * variance["plain"]
    assert variance["cuped"] < 0.80 * variance["plain"]


def test_the_truth_lies_inside_and_the_read_out_survives_its_file(found, company):
    read_out = found[1]
    true = company.truth().experiment["value"]
    assert read_out.best.low < true < read_out.best.high
    assert read_out.trusted
    assert ReadOut.from_dict(read_out.as_dict()) == read_out


def test_a_customer_without_orders_counts_as_nothing(found, held, window):
    trial, tables = found[0], held[0]
    bought = tables.engine.to_pandas(tables["orders"])
    ahead = bought[(bought.ordered_at >= window.ahead_s) & (bought.ordered_at < window.beyond_s)]
    spent = ahead.groupby("customer_id")["margin"].sum() / 10_000
    quiet = trial.rows[~trial.rows["customer_id"].isin(spent.index)]
    assert len(quiet) > 50
    assert (quiet["outcome"] == 0).all()
    loud = trial.rows[trial.rows["outcome"] != 0].set_index("customer_id")["outcome"]
    pd.testing.assert_series_equal(
        loud.sort_index(), spent.loc[loud.index].sort_index(), check_names=False, rtol=1e-8
    )


def test_nothing_learned_after_the_start_is_adjusted_for(found, held, window):
    """Doubling every order after the first assignment leaves what is adjusted for as it was."""
    trial, (tables, _) = found[0], held
    first = int(trial.rows["assigned_at"].min())
    frames = {name: tables.engine.to_pandas(tables[name]) for name in ("orders", "assignments")}
    later = frames["orders"]["ordered_at"] >= first
    for money in ("amount", "margin"):
        frames["orders"].loc[later, money] *= 2
    for column in ("ordered_at", "assigned_at"):
        for frame in frames.values():
            if column in frame:
                frame[column] = pd.to_datetime(frame[column], unit="s")
    for money in ("amount", "margin"):
        frames["orders"][money] /= 10_000
    doubled = Tables.from_frames(tables.engine, frames)
    again = trial_rows(make_histories(doubled), "empathy_coaching", window)
    assert "margin_365d" in again.covariates
    one = trial.rows.set_index("unit_id")["margin_365d"].sort_index()
    two = again.rows.set_index("unit_id")["margin_365d"].sort_index()
    pd.testing.assert_series_equal(one, two)
    assert again.rows["outcome"].sum() == pytest.approx(2 * trial.rows["outcome"].sum(), rel=0.01)


@pytest.mark.parametrize("unit", ["agent", "interaction"])
def test_agents_and_contacts_join_their_customers_outcome(held, window, unit):
    tables, histories = held
    contacts = tables.engine.to_pandas(tables["interactions"])
    ids = sorted(contacts[f"{unit}_id"].dropna().unique())
    plan = Plan("other", unit)
    assigned = assign_all(plan, pd.DataFrame({"unit_id": ids, "stratum": ""}))
    began = day_start_s(window.cutoff - dt.timedelta(days=300))
    log = assigned.assign(experiment="other", unit=unit, assigned_at=began)
    trial = trial_rows(histories, "other", window, log=log)
    rows = trial.rows
    arm = assigned.set_index("unit_id")["arm"]
    assert (rows["arm"] == rows["unit_id"].map(arm)).all()
    assert rows["unit_id"].nunique() > 0.5 * len(ids) or unit == "interaction"
    found = read_trial("other", trial, predictor=ridge, options=ReadOptions())
    assert found.trusted
    # Nothing was done: the difference is noise of the size that the error says.
    plain = found.comparisons[0]
    assert abs(plain.estimate) < 3.5 * plain.standard_error
    if unit == "agent":
        assert rows["cluster"].nunique() == rows["unit_id"].nunique()


def test_what_cannot_be_read_is_named(held, window):
    tables, histories = held
    with pytest.raises(UsageError, match="is no column of customers"):
        trial_rows(histories, "empathy_coaching", window, segment="mood")
    with pytest.raises(DataError, match="no row of experiment 'nothing'; found empathy_coaching"):
        trial_rows(histories, "nothing", window)
    early = Window(dt.date(2023, 6, 1), 30)
    with pytest.raises(DataError, match="nothing was assigned by"):
        trial_rows(histories, "empathy_coaching", early)
    mixed = tables.engine.to_pandas(tables["assignments"])
    mixed.loc[mixed.index[:3], "unit"] = "agent"
    with pytest.raises(UsageError, match="expected one unit"):
        trial_rows(histories, "empathy_coaching", window, log=mixed)


def test_the_past_sizes_agents_by_their_clusters(held, window):
    _, histories = held
    customers = past_outcomes(histories, window, "customer", ridge)
    agents = past_outcomes(histories, window, "agent", ridge)
    assert customers.per_agent_week is None
    # Of all years: a company that grows had more in the last one.
    assert agents.per_agent_week * 365 / 7 == pytest.approx(len(agents.outcome) / 40, rel=0.3)
    sized = design(
        agents.outcome, effect=20.0, covariate=agents.predicted,
        clusters=Clusters(52 * agents.per_agent_week, 0.02),
    )  # fmt: skip
    assert sized.clusters_per_arm > 1
    assert (
        sized.units_per_arm
        > design(agents.outcome, effect=20.0, covariate=agents.predicted).units_per_arm
    )


def test_strata_of_past_value_make_arms_alike(held, company):
    _, histories = held
    found = candidates(histories, "customer", company.options.as_of)
    assert found["unit_id"].is_unique
    assert found["stratum"].value_counts().max() < 0.35 * len(found)
    assigned = assign_all(Plan("warmth"), found, units=800)
    assert len(assigned) == 800
    joined = assigned.merge(found)
    counts = pd.crosstab(joined["stratum"], joined["arm"])
    assert (counts["control"] - counts["treated"]).abs().max() <= 1
    assert set(assigned["unit_id"]) == drawn(Plan("warmth"), list(found["unit_id"]), 800)
    agents = candidates(histories, "agent", company.options.as_of)
    assert len(agents) == 40
    assert np.unique(agents["stratum"]).size > 1
