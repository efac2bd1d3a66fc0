"""attribution.json from tables: the whole way, on a simulated company."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

from clv.contract.tables import DataOptions, Tables
from clv.effects.attribution import AttributionOptions, attribute
from clv.effects.design.encode import encode
from clv.effects.document import without_contacts
from clv.effects.estimators.study import EffectOptions
from clv.effects.journeys import bad_before, bad_experiences, friction, referral_value
from clv.engines.connect import connect
from clv.errors import DataError, SchemaError, UsageError
from clv.events.histories import make_histories
from clv.features.contacts import NUMBERS, build_contact_table, strata
from clv.labels.follow_up import build_follow_up
from clv.simulation import SimulationOptions, simulate
from clv.simulation.truths.latent import latent_contacts
from clv.windows import Window

ASKED = ("churn", "repeat_purchase", "refunds", "next_contacts", "csat", "nps", "ces", "review")
OPTIONS = AttributionOptions(
    effects=EffectOptions(permutations=59), outcomes=ASKED, premium_queue="technical"
)


@pytest.fixture(scope="module")
def company():
    return simulate(SimulationOptions(customers=6000, agents=64, transcripts=False))


@pytest.fixture(scope="module")
def engine():
    with connect(threads=1) as engine:
        yield engine


@pytest.fixture(scope="module")
def tables(company, engine):
    return Tables.from_frames(engine, company.frames(), DataOptions(currency="USD"))


class Counted:
    """Empathy as it truly was, where markers would count it in the words."""

    def __init__(self, company, engine):
        latent = latent_contacts(company.world)
        hits = (latent["empathy"].fillna(0) * latent["occasions"]).round().astype("int64")
        self.table = engine.frame(
            pd.DataFrame(
                {
                    "interaction_id": latent["interaction_id"],
                    "empathy_hits": hits,
                    "empathy_occasions": latent["occasions"],
                    "empathy_unique_m": 500 * hits,
                    "opening_sentiment": latent["opening"],
                }
            )
        )

    columns = frozenset(
        {
            "interaction_id",
            "empathy_hits",
            "empathy_occasions",
            "empathy_unique_m",
            "opening_sentiment",
        }
    )

    def contacts(self, window):
        return self.table


@pytest.fixture(scope="module")
def counts(company, engine):
    return Counted(company, engine)


@pytest.fixture(scope="module")
def window(company):
    return Window(company.options.as_of, company.options.horizon_days)


@pytest.fixture(scope="module")
def plain(tables):
    return make_histories(tables)


@pytest.fixture(scope="module")
def ready(tables, counts):
    return make_histories(tables, markers=counts)


@pytest.fixture(scope="module")
def found(ready, window):
    return attribute(ready, window=window, options=OPTIONS)


def test_the_document_has_the_keys_that_others_read(found):
    document = found.as_dict()
    assert set(document) >= {
        "currency", "as_of", "horizon_days", "customers", "model_version", "contributions",
        "effects", "targets", "agents", "segments", "unavailable",
    }  # fmt: skip
    effect = document["effects"][0]
    assert set(effect) == {
        "behaviour", "change", "unit", "headline", "levels", "per", "per_contact",
        "contacts_per_customer_year", "n", "agents",
    }  # fmt: skip
    for level in effect["levels"]:
        assert {"evidence", "estimate", "low", "high", "checks", "refused"} <= set(level)
    assert [e["behaviour"] for e in document["effects"]] == [
        "empathy", "handle_seconds", "fcr", "wait_seconds", "premium_queue",
    ]  # fmt: skip
    json.dumps(document, allow_nan=False)


def test_the_same_tables_give_the_same_bytes(found, ready, window):
    again = attribute(ready, window=window, options=OPTIONS)
    assert json.dumps(found.as_dict()) == json.dumps(again.as_dict())


def test_what_could_not_be_computed_is_named(found):
    named = {row["what"] for row in found.unavailable}
    assert "contributions" in named
    assert "wait_seconds, quasi-experimental" in named
    refused = {
        f"{effect.behaviour}, {level.evidence}"
        for effect in found.effects
        for level in effect.levels
        if level.refused is not None
    }
    assert refused <= named


def test_every_outcome_can_be_asked_about(found, ready, window):
    rows = {row["outcome"]: row for row in found.as_dict()["outcomes"]}
    missing = {row["what"]: row["why"] for row in found.unavailable}
    for name in ASKED:
        assert name in rows or "bring" in missing[f"effects on {name}"], name
    churn, repeat = rows["churn"], rows["repeat_purchase"]
    assert churn["mean"] == pytest.approx(1 - repeat["mean"])
    for one, other in zip(churn["effects"], repeat["effects"], strict=True):
        for mine, theirs in zip(one["levels"], other["levels"], strict=True):
            if mine["estimate"] is not None:
                assert mine["estimate"] == pytest.approx(-theirs["estimate"], rel=1e-6)
    assert rows["refunds"]["unit"] == "USD"
    follow_up = build_follow_up(ready, 365, until=window.horizon_end)
    studied = encode(build_contact_table(ready, 365, until=window.horizon_end), follow_up)
    mine = follow_up.set_index("interaction_id").loc[studied.contacts["interaction_id"]]
    assert rows["csat"]["contacts"] == mine["satisfaction"].notna().sum()
    checks = [
        check["name"]
        for effect in rows["csat"]["effects"]
        for level in effect["levels"]
        for check in level["checks"]
    ]
    assert "follow_up" in checks or found.effects[0].headline != "quasi-experimental"


def test_months_of_the_curve_add_up_to_the_effect_per_contact(found):
    curves = {row["behaviour"]: row for row in found.as_dict()["effect_curves"]}
    assert set(curves) == {"empathy", "handle_seconds", "fcr"}
    for name, curve in curves.items():
        level = next(effect for effect in found.effects if effect.behaviour == name)
        mine = level.level(curve["evidence"])
        assert curve["until_days"] == [*range(30, 331, 30), 365]
        assert sum(curve["estimate"]) == pytest.approx(
            mine.estimate / level.treated_per_customer, rel=1e-6
        )
        for low, middle, high in zip(curve["low"], curve["estimate"], curve["high"], strict=True):
            assert low < middle < high


def test_a_premium_queue_is_compared_by_adjustment_only(found, ready, window):
    effect = next(one for one in found.effects if one.behaviour == "premium_queue")
    assert effect.headline in ("adjusted", None)
    assert "before any agent answers" in effect.level("quasi-experimental").refused.why
    strange = AttributionOptions(effects=OPTIONS.effects, premium_queue="no such queue")
    none = attribute(ready, window=window, options=strange)
    why = none.effects[-1].level("adjusted").refused.why
    assert "premium_queue is 0 in every contact" in why


def test_workload_is_contacts_over_hours_logged_in(company, found, contacts):
    days = company.frames()["agent_days"]
    at_s = pd.to_datetime(days["date"]).astype("datetime64[s]").astype("int64")
    first = contacts["at_s"].min() // 86_400 * 86_400
    days = days[(at_s <= contacts["at_s"].max()) & (at_s >= first)]
    hours = days.groupby("agent_id")["logged_in_seconds"].sum() / 3600
    counted = contacts.groupby("agent_id").size()
    assert found.workload
    for row in found.workload[:5]:
        assert row["logged_in_hours"] == pytest.approx(hours[row["agent_id"]])
        assert row["contacts_per_hour"] == pytest.approx(
            counted[row["agent_id"]] / hours[row["agent_id"]]
        )


def test_an_unknown_outcome_is_named():
    with pytest.raises(UsageError, match="'happiness' is unknown"):
        AttributionOptions(outcomes=("happiness",))


def test_what_is_counted_in_words_is_said_to_be(found):
    counted = [note.message for note in found.notes if note.code == "counted_in_words"]
    assert len(counted) == 1
    assert counted[0].startswith("empathy ")


def test_a_refused_level_feeds_no_target_and_no_score(window, ready):
    strict = AttributionOptions(effects=EffectOptions(permutations=59, min_agents=1000))
    rows = [{"group": "empathy", "mean_abs": 1.0, "share": 1.0}]
    found = attribute(ready, window=window, options=strict, contributions=rows)
    assert found.as_dict()["contributions"] == rows
    assert "contributions" not in {row["what"] for row in found.unavailable}
    assert found.targets == ()
    assert found.agents == ()
    assert all(effect.headline in ("adjusted", None) for effect in found.effects)


def test_without_messages_agents_are_refused_by_name(window, plain):
    found = attribute(plain, window=window, options=OPTIONS)
    refused = found.effects[1].level("quasi-experimental").refused
    assert "empathy is not measured" in refused.why
    assert "messages" in refused.mend


def test_too_few_customers_is_an_error(plain):
    with pytest.raises(DataError, match="at least 100"):
        attribute(plain, window=Window(dt.date(2023, 1, 3), 30))


@pytest.fixture(scope="module")
def contacts(window, plain):
    return build_contact_table(plain, 365, until=window.horizon_end)


@pytest.fixture(scope="module")
def follow_up(window, plain):
    return build_follow_up(plain, 365, until=window.horizon_end)


def test_contacts_are_all_agents_contacts_that_customers_began(company, contacts, window):
    raw = company.frames()["interactions"]
    at_s = pd.to_datetime(raw["started_at"]).astype("datetime64[s]").astype("int64")
    kept = raw[
        raw["agent_id"].notna() & (raw["initiated_by"] == "customer") & (at_s < window.ahead_s)
    ]
    assert sorted(kept["interaction_id"]) == contacts["interaction_id"].tolist()


def test_controls_are_known_before_the_contact(company, contacts, tables, engine, window):
    # Everything from each contact's start on is changed; no control of it may move.
    row = contacts.iloc[len(contacts) // 2]
    frames = company.frames()
    orders, interactions = frames["orders"].copy(), frames["interactions"].copy()
    later = pd.to_datetime(orders["ordered_at"]).astype("datetime64[s]").astype("int64")
    orders.loc[(later >= row["at_s"]) & (orders["amount"] > 0), "amount"] *= 7
    if "margin" in orders:
        orders.loc[later >= row["at_s"], "margin"] *= 7
    start = pd.to_datetime(interactions["started_at"]).astype("datetime64[s]").astype("int64")
    interactions = interactions[start <= row["at_s"]]
    changed = Tables.from_frames(
        engine, {**frames, "orders": orders, "interactions": interactions}, tables.terms
    )
    again = build_contact_table(make_histories(changed), 365, until=window.horizon_end).set_index(
        "interaction_id"
    )
    same = again.loc[row["interaction_id"], list(NUMBERS)].astype(float)
    np.testing.assert_array_equal(same, row[list(NUMBERS)].astype(float))


def test_spend_before_is_the_sum_of_earlier_margins(company, contacts):
    orders = company.frames()["orders"]
    column = "margin" if "margin" in orders else "amount"
    at_s = pd.to_datetime(orders["ordered_at"]).astype("datetime64[s]").astype("int64")
    for _, row in contacts.sample(5, random_state=0).iterrows():
        mine = (orders["customer_id"] == row["customer_id"]) & (at_s < row["at_s"])
        assert row["spend_before"] == pytest.approx(orders.loc[mine, column].sum(), abs=0.01)


def test_empathy_less_repetition_stands_beside_the_share(ready, window):
    contacts = build_contact_table(ready, 365, until=window.horizon_end)
    asked = contacts["empathy"].notna()
    assert 0 < asked.mean() < 1
    assert contacts["empathy_unique"].notna().equals(asked)
    np.testing.assert_allclose(contacts["empathy_unique"][asked], contacts["empathy"][asked] / 2)


def test_strata_stay_in_their_pool_and_hold_enough(contacts):
    grouped = contacts.groupby("stratum")
    assert len(contacts[["stratum", "pool"]].drop_duplicates()) == contacts["stratum"].nunique()
    small = grouped.size() < 20
    # Only what is left of a whole pool may be small.
    pools = grouped["pool"].first()[small]
    assert pools.is_unique


def test_strata_do_not_depend_on_row_order(contacts):
    order = np.random.default_rng(0).permutation(len(contacts))
    first = strata(contacts)
    again = strata(contacts.iloc[order].reset_index(drop=True))
    pairs = pd.DataFrame({"a": first[order], "b": again}).drop_duplicates()
    assert pairs["a"].is_unique
    assert pairs["b"].is_unique


def test_contacts_before_a_first_purchase_are_left_out_and_counted(contacts, follow_up):
    studied = encode(contacts, follow_up, behaviours=["handle_seconds"])
    left = contacts[contacts["orders_before"] == 0]
    assert len(left) > 0
    assert [n.count for n in studied.notes if n.code == "before_first_purchase"] == [len(left)]
    assert studied.exposure.contacts == len(contacts) - len(left)
    mine = follow_up.set_index("interaction_id").loc[studied.contacts["interaction_id"]]
    np.testing.assert_array_equal(studied.exposure.outcome, mine["value_undiscounted"])


def test_a_sample_is_drawn_and_said(contacts, follow_up):
    studied = encode(contacts, follow_up, max_customers=300)
    assert len(studied.customers) == 300
    assert any(note.code == "sampled" for note in studied.notes)


def test_without_interactions_there_are_no_effects(company, engine):
    only = Tables.from_frames(engine, {"orders": company.frames()["orders"]})
    with pytest.raises(SchemaError, match="effects are about contacts"):
        build_contact_table(make_histories(only), 365)


def test_each_bad_experience_costs_what_was_planted(contacts, follow_up):
    studied = encode(contacts, follow_up, behaviours=["handle_seconds"])
    rng = np.random.default_rng(0)
    bad = studied.contacts["bad"].to_numpy() > 0
    earlier = bad_before(bad, studied.exposure.customer)
    cost = np.where(earlier == 0, 30, 10) * bad
    planted = pd.DataFrame(
        {
            "interaction_id": studied.contacts["interaction_id"],
            "value_undiscounted": 100 - 20 * (earlier >= 1) - cost + rng.normal(0, 5, len(bad)),
            "churned": (rng.random(len(bad)) < 0.2 + 0.1 * (bad & (earlier == 0))).astype(float),
        }
    )
    rows = bad_experiences(studied.exposure, studied, planted)
    first, second = rows[0], rows[1]
    assert (first.outcome, first.which) == ("value", "first")
    assert first.low < -30 < first.high
    assert second.low < -10 < second.high
    churned = next(row for row in rows if row.outcome == "churned")
    assert churned.low < 0.1 < churned.high


def test_friction_shares_add_up(contacts):
    rows = friction(contacts)
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert sum(row["contacts"] for row in rows) == len(contacts)


def test_referrals_count_nobody_twice():
    people = pd.DataFrame(
        {"customer_id": ["a", "b", "c", "d"], "referred_by": [None, "a", "b", "gone"]}
    )
    money = pd.DataFrame(
        {"customer_id": ["a", "b", "c", "d"], "value_undiscounted": [10.0, 20.0, 40.0, 5.0]}
    )
    found = referral_value(people, money)
    assert found["total"] == 75
    assert (found["referrers"], found["referred"]) == (2, 2)
    assert found["credited"] == pytest.approx(10 + 0.5 * 20 + 0.5 * 20 + 0.5 * 40)


def test_training_is_compared_with_untrained_peers(found):
    rows = {row["behaviour"]: row for row in found.journey.trainings}
    # Training was planted to lift empathy by 0.6 log-odds, and nothing else.
    assert rows["empathy"]["change"] > 0
    assert rows["empathy"]["low"] < 0.12 < rows["empathy"]["high"]
    assert rows["fcr"]["low"] < 0 < rows["fcr"]["high"]


def test_a_summary_has_what_is_claimed_and_says_what_is_not(found):
    summary, table = found.summary(), found.summary().to_frame()
    levels = {
        (e.behaviour, level.evidence): (e, level) for e in found.effects for level in e.levels
    }
    assert set(table.index) == {
        key for key, (_, each) in levels.items() if each.estimate is not None
    }
    for key, row in table.iterrows():
        effect, level = levels[key]
        assert (row["estimate"], row["standard_error"]) == (level.estimate, level.standard_error)
        assert row["low"] < row["estimate"] < row["high"]
        per_contact = level.estimate / effect.treated_per_customer
        assert row["per_contact"] == pytest.approx(per_contact, rel=1e-12)
    printed = repr(summary)
    assert "USD per customer and year" in printed.splitlines()[0]
    for (behaviour, evidence), (_, level) in levels.items():
        if level.refused is not None:
            assert f"{behaviour}, {evidence}: refused, since {level.refused.why}" in printed
            assert level.refused.why.split()[0] in summary._repr_html_()
        for check in level.checks:
            told = f"{behaviour}, {evidence}: check {check.name} did not pass" in printed
            assert told == (check.passed is False and level.refused is None)


def test_without_contacts_there_is_a_table_without_rows(found, tables, window):
    none = without_contacts(tables, window, None, None)
    assert none.to_frame().columns.tolist() == found.to_frame().columns.tolist()
    assert none.to_frame().empty
    assert "no effect is claimed" in none._repr_html_()
    assert "the table interactions was not given" in repr(none.summary())
    assert "the table interactions was not given" in none.summary()._repr_html_()


def test_an_attribution_shows_itself_and_its_pictures(found):
    assert repr(found).startswith(f"<Attribution: {found.customers:,} customers, ")
    table = found.to_frame()
    assert len(table) == sum(len(effect.levels) for effect in found.effects)
    assert (table["estimate"].isna() == (table["refused"] != "")).all()
    assert found._repr_html_().count("<table") == 1
    empathy = found["empathy"]
    assert empathy.behaviour in repr(empathy)
    assert len(empathy.to_frame()) == len(empathy.levels)
    assert "<svg" in empathy.plot().svg()
    drawn = found.plot.effects().facts
    assert set(drawn["name"]) == {effect.behaviour.replace("_", " ") for effect in found.effects}
    with pytest.raises(KeyError, match="'tone' was not studied; studied: empathy"):
        found["tone"]
    month = found.plot.curve("empathy").facts
    assert month["time"].tolist() == list(found.curves[0].until_days)
    with pytest.raises(UsageError, match="'tone' has no target here"):
        found.plot.target("tone")


def test_a_targets_facts_are_its_curve_in_its_own_unit():
    from clv.effects.decisions.results import Point, Target
    from clv.effects.pictures import target_facts

    rest = {"expected": 0.0, "probability": 0.0, "loss": 0.0, "worst": 0.0}
    points = (Point(0.9, -1.0, -2.0, 0.0, **rest), Point(1.0, 0.0, 0.0, 0.0, **rest))
    target = Target(
        "handle_seconds", 300.0, (270.0, 300.0), 300.0, 270.0, 300.0, 0.0, None,
        "settled", "adjusted", "keep", points,
        net_of_cost=True, coefficients=(), covariance=(), h0=1.0, contacts_per_customer=1.0,
        cost_per_minute=None,
    )  # fmt: skip
    facts = target_facts(target)
    assert facts.to_dict("list") == {
        "at": [270.0, 300.0], "net": [-1.0, 0.0], "low": [-2.0, 0.0], "high": [0.0, 0.0],
    }  # fmt: skip
