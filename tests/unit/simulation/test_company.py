"""The tables keep the contract, add up, and are the same bytes for the same seed."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from clv.schema import SCHEMA, SURVEY_RANGES, Kind
from clv.simulation import Company, RollOut, SimulationOptions, simulate
from clv.simulation.truths.latent import first_contact_resolution

SIMULATED = {name: contract for name, contract in SCHEMA.items() if name != "evaluations"}
"""Nobody scores the synthetic company's contacts: scorecards are not simulated."""

OPTIONS = SimulationOptions(
    customers=1_500,
    agents=40,
    seed=3,
    german_share=0.1,
    rollouts=(RollOut("assist tool", handle_log=-0.1, cost_per_agent=120.0),),
)


@pytest.fixture(scope="module")
def company() -> Company:
    return simulate(OPTIONS)


def test_every_table_of_the_contract_is_there(company):
    assert set(company.frames()) == set(SIMULATED)


@pytest.mark.parametrize("name", list(SIMULATED))
def test_tables_keep_the_contract(company, name):
    frame, contract = company.frames()[name], SCHEMA[name]
    assert len(frame) > 0
    for column in frame.columns:
        assert column in contract, f"{name}.{column} is not in the contract"
    assert not frame.duplicated(list(contract.key)).any()
    for column in contract.columns:
        if column.name not in frame:
            assert not column.required
            continue
        values = frame[column.name]
        if column.required:
            assert values.notna().all()
        if column.unique:
            assert values.is_unique
        if column.allowed:
            assert set(values.dropna()) <= set(column.allowed)
        if column.kind is Kind.TIME:
            assert pd.api.types.is_datetime64_dtype(values)
        known = values.dropna()
        if column.minimum is not None:
            assert (known >= column.minimum).all()
        if column.maximum is not None:
            assert (known <= column.maximum).all()
        for bound, holds in ((column.at_least, np.greater_equal), (column.at_most, np.less_equal)):
            if bound:
                both = frame[[column.name, bound]].dropna()
                assert holds(both[column.name], both[bound]).all()
        if column.references:
            table, key = column.references.split(".")
            assert set(known) <= set(company.frames()[table][key])


def test_scores_lie_in_the_range_of_their_kind(company):
    surveys = company.frames()["surveys"]
    assert set(surveys["kind"]) == set(SURVEY_RANGES)
    for kind, (low, high) in SURVEY_RANGES.items():
        assert surveys.loc[surveys["kind"] == kind, "score"].between(low, high).all()


def test_rows_refer_to_each_other(company):
    frames = company.frames()
    people = set(frames["customers"]["customer_id"])
    for name in ("orders", "interactions", "surveys"):
        assert set(frames[name]["customer_id"]) <= people
    assert set(frames["customers"]["referred_by"].dropna()) <= people
    agents = set(frames["agents"]["agent_id"])
    assert set(frames["interactions"]["agent_id"].dropna()) <= agents
    assert set(frames["assignments"]["unit_id"]) <= people


def test_everything_lies_in_the_simulated_years(company):
    first = pd.Timestamp(OPTIONS.start)
    beyond = pd.Timestamp(OPTIONS.end) + pd.Timedelta(days=1)
    for name, contract in SIMULATED.items():
        if contract.time is not None:
            at = company.frames()[name][contract.time]
            assert (at >= first).all()
            assert (at < beyond).all()


def test_same_seed_same_bytes_and_another_seed_other_bytes(tmp_path):
    def digest(seed: int, folder: str) -> dict[str, str]:
        options = SimulationOptions(customers=120, agents=12, seed=seed)
        simulate(options).write(tmp_path / folder)
        files = sorted((tmp_path / folder).iterdir())
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    one, again, other = digest(1, "a"), digest(1, "b"), digest(2, "c")
    assert one == again
    told = set(SIMULATED) - {"rollouts"}  # the default company rolled nothing out
    assert set(one) == {f"{name}.parquet" for name in told} | {"truth.json"}
    assert all(one[name] != other[name] for name in one)


def test_refunds_follow_their_order_and_do_not_exceed_it(company):
    orders = company.frames()["orders"]
    refunds = orders[orders["refund_of"].notna()]
    both = refunds.merge(
        orders, left_on="refund_of", right_on="order_id", suffixes=("", "_of"), validate="m:1"
    )
    assert len(both) == len(refunds) > 0
    assert (both["customer_id"] == both["customer_id_of"]).all()
    assert (both["ordered_at"] > both["ordered_at_of"]).all()
    assert (both["amount"] < 0).all()
    assert (both["amount"] + both["amount_of"] >= 0).all()
    unlinked = orders[(orders["amount"] < 0) & orders["refund_of"].isna()]
    assert 0 < len(unlinked) < len(refunds)


def test_first_contact_resolution_by_the_contract_is_what_happened(company):
    records, served = company.world.records, company.world.served
    fcr = first_contact_resolution(company.world)
    decided = ~np.isnan(fcr) & ~records.by_company
    resolved = served.resolved[records.contact[decided]]
    # a problem of the same kind may strike twice in a week: that alone may differ
    assert (fcr[decided] == resolved).mean() > 0.985
    assert not (fcr[decided][~resolved] == 1).any()


def test_purchases_are_heavy_tailed_and_seasonal(company):
    orders = company.frames()["orders"]
    bought = orders[orders["amount"] > 0]
    spent = bought.groupby("customer_id")["amount"].sum().sort_values()
    assert spent.tail(len(spent) // 10).sum() > 0.35 * spent.sum()
    per_customer = bought.groupby("customer_id").size()
    assert (per_customer == 1).mean() > 0.15
    assert per_customer.var() > 2 * per_customer.mean()  # mixed, not plain Poisson
    world = company.world
    later = bought[bought.duplicated("customer_id")]
    by_month = later["ordered_at"].dt.month.value_counts()
    assert by_month[12] > 1.2 * by_month[7]
    last = bought.groupby("customer_id")["ordered_at"].max()
    left = world.calendar.seconds(np.minimum(world.path.left, world.calendar.span_days))
    number = last.index.str[1:].astype(int)
    assert (last.to_numpy().astype("datetime64[s]").astype(np.int64) <= left[number]).all()


def test_prospects_are_in_touch_and_never_buy(company):
    frames = company.frames()
    prospects = set(frames["customers"]["customer_id"]) - set(frames["orders"]["customer_id"])
    assert len(prospects) == round(OPTIONS.prospects * OPTIONS.customers)
    assert prospects & set(frames["interactions"]["customer_id"])


def test_the_company_keeps_promises_itself(company):
    contacts = company.frames()["interactions"]
    own = contacts[contacts["initiated_by"] == "company"]
    assert 0.03 < len(own) / len(contacts) < 0.2
    latent = company.latent["contacts"]
    # promises of the last days may be kept after the data end
    assert 0 <= latent["promise_kept"].sum() - len(own) < 0.05 * len(own) + 5


def test_surveys_hear_of_resolution(company):
    frames = company.frames()
    latent = company.latent["contacts"][["interaction_id", "resolved"]]
    csat = frames["surveys"].query("kind == 'csat'").merge(latent, on="interaction_id")
    score = csat.groupby("resolved")["score"].mean()
    assert score[True] > score[False] + 0.3


def test_logged_in_time_covers_handle_time(company):
    frames = company.frames()
    contacts = frames["interactions"].query("initiated_by == 'customer' and agent_id.notna()")
    worked = contacts.groupby(["agent_id", contacts["started_at"].dt.normalize()])[
        "handle_seconds"
    ].sum()
    worked.index.names = ["agent_id", "date"]
    both = worked.reset_index().merge(frames["agent_days"], on=["agent_id", "date"], how="left")
    assert both["logged_in_seconds"].notna().all()
    assert (both["logged_in_seconds"] >= both["handle_seconds"]).all()


def test_a_lost_share_of_the_coached_shows_in_the_log():
    options = SimulationOptions(
        customers=1_500, agents=12, experiment_share=1.0, experiment_lost=0.3, transcripts=False
    )
    arms = simulate(options).frames()["assignments"]["arm"].value_counts()
    assert 0.6 < arms["coached"] / arms["control"] < 0.8


def test_no_transcripts_no_messages_table():
    options = SimulationOptions(customers=50, agents=8, transcripts=False)
    assert "messages" not in simulate(options).frames()


def test_messages_lie_inside_their_contact(company):
    frames = company.frames()
    both = frames["messages"].merge(frames["interactions"], on="interaction_id", validate="m:1")
    assert (both["sent_at"] >= both["started_at"]).all()
    assert (both["sent_at"] <= both["ended_at"]).all()
    counts = frames["messages"].groupby("interaction_id")["position"].agg(["max", "size"])
    assert (counts["max"] == counts["size"] - 1).all()
    spoken = frames["messages"].groupby("interaction_id")["sent_at"]
    assert spoken.apply(lambda at: at.is_monotonic_increasing).all()
