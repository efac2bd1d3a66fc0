from __future__ import annotations

import json
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from clv.report import advice, sentences
from clv.report.facts import ReportInputs, collect
from clv.report.figures import Figure, Missing
from clv.report.findings import findings
from clv.report.sections.changes import Why

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENTS = (
    "validation", "training", "backtest", "contributions", "portfolio", "attribution", "manifest",
    "monitoring",
)  # fmt: skip


def figures_in(value: Any, path: str = "facts") -> Iterator[tuple[str, Figure]]:
    if isinstance(value, Figure):
        yield path, value
    elif is_dataclass(value):
        for field in fields(value):
            yield from figures_in(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from figures_in(item, f"{path}.{key}")
    elif isinstance(value, tuple | list):
        for place, item in enumerate(value):
            yield from figures_in(item, f"{path}[{place}]")


def test_every_figure_has_its_n_or_its_interval(facts):
    found = list(figures_in(facts))
    assert len(found) > 80
    bare = [path for path, figure in found if figure.n is None and figure.low is None]
    assert bare == []


def test_the_total_is_the_portfolio_s(facts):
    assert facts.answer.total == Figure(3_418_220.0, "currency", 3_214_800.0, 3_655_100.0, 20_000)
    assert facts.answer.mean == Figure(170.91, "currency", n=20_000)
    assert (facts.horizon_days, facts.currency, facts.value_is_margin) == (180, "EUR", True)
    assert (facts.customers, facts.prospects, facts.as_of) == (20_000, 1_450, "2025-06-30")


def test_the_strip_says_what_share_is_at_risk(facts):
    risk = next(item for item in facts.answer.strip if item.key == "at_risk")
    assert risk.figure == Figure(402_300.0, "currency", n=1_204)
    assert risk.share == pytest.approx(402_300 / 3_418_220)


def test_the_share_that_buys_nothing_is_of_those_who_have_bought(facts):
    strip = {item.key: item.figure for item in facts.answer.strip}
    assert strip["churn"] == Figure(0.413, "share", n=20_000 - 1_450)
    assert strip["median"].n == 20_000


def test_effects_over_another_time_than_the_value_are_cautioned_against(builder, facts):
    assert "horizons" not in {item.key for item in facts.answer.cautions}
    inputs = builder.complete()
    other = replace(inputs, attribution={**inputs.attribution, "horizon_days": 365})
    cautions = {item.key: item for item in collect(other).answer.cautions}
    texts = sentences.load("en", "EUR")
    assert "over 365 days, not over the 180 days" in sentences.caution(cautions["horizons"], texts)


def test_behaviours_stand_by_strength_of_evidence_at_their_headline(facts):
    found = [(b.behaviour, b.evidence) for b in facts.answer.behaviours]
    assert found == [
        ("goodwill", "experimental"),
        ("fcr", "quasi-experimental"),
        ("empathy", "quasi-experimental"),
        ("handle_seconds", "quasi-experimental"),
        ("wait_seconds", "adjusted"),
    ]
    empathy = facts.answer.behaviours[2]
    assert empathy.figure == Figure(7.9, "currency", 3.4, 12.4, 10_412)
    assert [level.evidence for level in empathy.levels] == [
        "predictive", "adjusted", "quasi-experimental",
    ]  # fmt: skip


def test_a_refused_level_keeps_its_reason_and_never_leads(builder):
    inputs = builder.complete()
    for effect in inputs.attribution["effects"]:
        effect["headline"] = "quasi-experimental"
    waits = [b for b in collect(inputs).answer.behaviours if b.behaviour == "wait_seconds"]
    assert waits == []
    refused = next(
        level
        for b in collect(builder.complete()).answer.behaviours
        for level in b.levels
        if level.figure is None
    )
    assert "routing" in refused.why
    assert "randomise" in refused.mend


@pytest.mark.parametrize(
    ("said", "best", "move"),
    [
        ("keep", 428, "keep"),
        ("raise", 428, "raise"),
        ("move", 300, "lower"),
        ("lower", 300, "lower"),
        ("cannot tell", 428, "unclear"),
        ("move", None, "unclear"),
        ("<script>", 428, "unclear"),
    ],
)
def test_a_target_moves_only_where_the_document_says_so(builder, said, best, move):
    inputs = builder.complete()
    inputs.attribution["targets"][0] |= {
        "recommend": said, "best": best, "suggested": None, "step": None,
    }  # fmt: skip
    assert collect(inputs).answer.recommendations[0].move == move


def test_how_long_a_contact_lasts_is_shown_where_it_is_known(facts, builder):
    assert [one.behaviour for one in facts.answer.lasting] == ["empathy", "fcr"]
    first = facts.answer.lasting[0]
    assert first.until_days[-1] == 180
    assert [m.value for m in first.months[:2]] == [1.8, 0.9]
    inputs = builder.complete()
    inputs.attribution["effect_curves"][0]["low"][3] = None
    inputs.attribution["effect_curves"][2] = {"behaviour": "fcr", "estimate": "none"}
    assert collect(inputs).answer.lasting == ()


def test_what_to_do_is_never_empty(builder):
    for inputs in (builder.complete(), builder.purchases_only(), ReportInputs()):
        told = collect(inputs).answer.recommendations
        assert told
        assert all(advice.advice(one, sentences.load("en", "EUR")) for one in told)
    grades = [one.grade for one in collect(builder.complete()).answer.recommendations]
    assert grades == ["proven", "proven", "open", "refused"]
    first = collect(builder.purchases_only()).answer.recommendations[0]
    assert (first.move, first.grade) == ("bring_contacts", "refused")


def test_a_likely_step_goes_where_it_says_and_says_how_likely(builder):
    inputs = builder.complete()
    inputs.attribution["targets"][1] |= {
        "grade": "likely", "recommend": "lower", "suggested": None,
        "step": inputs.attribution["targets"][1]["step"] | {"to": 0.38},
    }  # fmt: skip
    one = next(r for r in collect(inputs).answer.recommendations if r.grade == "likely")
    texts = sentences.load("en", "EUR")
    assert advice.recommendation(one, texts) == "Lower empathy from 42% to 38%"
    said = " ".join(advice.advice(one, texts))
    assert "probability of **93%**" in said
    assert "+€66,000** a year, +€1.10 per contact" in said
    assert "worse than −€12,000 a year" in said
    assert "Measure again on 26\xa0January\xa02026" in said
    assert advice.rests(one, texts) == (
        "With a prior half or twice as wide the probability is 91% to 94%."
    )


def test_unsettled_and_adjusted_effects_are_cautioned_against(facts):
    cautions = [(c.key, c.values.get("behaviours")) for c in facts.answer.cautions]
    assert ("adjusted", "wait_seconds") in cautions
    assert ("unsettled", "handle_seconds") in cautions
    assert ("unsettled", "fcr") not in cautions
    assert cautions[0] == ("association", None)
    assert cautions[-1] == ("forecast", None)


def test_a_biased_backtest_is_cautioned_against(builder):
    inputs = builder.complete()
    inputs.backtest["models"]["blend"]["total_bias"]["mean"] = -0.2
    caution = next(c for c in collect(inputs).answer.cautions if c.key == "bias")
    assert caution.values == {"share": -0.2}


def test_association_against_evidence_shows_where_the_sign_turns(facts):
    found = {d.behaviour: d.opposite for d in facts.trust.disagreements}
    assert found == {"fcr": False, "empathy": False, "handle_seconds": True}


def test_curve_points_outside_the_support_are_marked(facts):
    handle = facts.levers.levers[0]
    assert handle.behaviour == "handle_seconds"
    for point in handle.curve:
        assert point.supported == (289.99 <= point.at <= 520.01)
    assert {point.supported for point in handle.curve} == {True, False}


def test_the_change_of_the_total_is_split_exactly(builder):
    inputs = builder.complete()
    before = collect(inputs).as_dict()
    grown = inputs.portfolio | {"customers": 21_000, "total_clv": 3_780_000.0, "mean_clv": 180.0}
    inputs.portfolio["mean_clv"] = before["answer"]["mean"]["value"] = 3_418_220 / 20_000
    why = collect(replace(inputs, portfolio=grown, previous=before)).changes.why
    assert isinstance(why, Why)
    assert why.from_customers == pytest.approx(1_000 * 170.911)
    assert why.from_customers + why.from_value == pytest.approx(why.total)


def test_a_report_compared_with_itself_has_not_moved(builder):
    inputs = builder.complete()
    again = collect(replace(inputs, previous=json.loads(json.dumps(collect(inputs).as_dict()))))
    assert len(again.changes.changes) == 12
    assert all(c.before == c.now and not c.apart for c in again.changes.changes)
    assert not again.changes.new_model
    assert not again.changes.new_horizon
    assert again.changes.since == "2025-06-30"


def test_another_horizon_is_not_compared_in_totals(builder):
    inputs = builder.complete()
    before = collect(inputs).as_dict() | {"horizon_days": 90}
    changes = collect(replace(inputs, previous=before)).changes
    assert changes.new_horizon
    assert changes.why is None
    assert not {"total", "mean"} & {c.key for c in changes.changes}


def test_facts_are_json_and_bounded(builder, facts):
    text = json.dumps(facts.as_dict(), allow_nan=False)
    assert json.loads(text)["schema"] == 1
    inputs = builder.complete()
    inputs.portfolio["segments"] *= 500
    inputs.attribution["phrases"] *= 500
    inputs.attribution["journey"]["friction"] *= 500
    inputs.validation["notes"] = [
        {"where": f"x{i}", "message": "m", "count": 1} for i in range(5_000)
    ]
    grown = collect(inputs)
    assert len(json.dumps(grown.as_dict())) < 2.5 * len(text)
    assert grown.trust.remarks_more == 4_960


def test_teams_are_by_name_and_small_ones_hidden(builder):
    inputs = builder.complete()
    inputs.attribution["teams"][0]["agents"] = 2
    shown = collect(inputs).teams
    assert [team.team for team in shown.teams] == ["Night", "South"]
    assert shown.too_small == 1
    assert shown.individuals == ()
    asked = collect(replace(inputs, individuals=True)).teams
    assert len(asked.teams) == 3
    assert [a.agent_id for a in asked.individuals] == sorted(a.agent_id for a in asked.individuals)


def test_a_team_s_gaps_are_its_agents_money_times_their_contacts(builder):
    inputs = builder.complete()
    inputs.attribution["agents"] = [
        {"team": team, "n": n, "coaching_gaps": [{"behaviour": "fcr", "worth_per_contact": 0.5}]}
        for team, n in (("North", 100), ("North", 300), ("South", 7))
    ]
    found = {team.team: team.gaps for team in collect(inputs).teams.teams}
    assert [(g.behaviour, g.money) for g in found["North"]] == [
        ("fcr", Figure(200.0, "currency", n=400))
    ]
    assert found["Night"] == ()
    for agent in inputs.attribution["agents"]:
        agent["coaching_gaps"][0] |= {"low": -0.25, "high": 1.25}
    found = {team.team: team.gaps for team in collect(inputs).teams.teams}
    assert found["North"][0].money == Figure(200.0, "currency", -100.0, 500.0, n=400)


def test_minutes_follow_from_what_the_curve_s_cost_takes(builder, facts):
    handle, empathy, _ = facts.levers.levers
    assert handle.minutes_per_customer == pytest.approx(14.2)
    assert empathy.minutes_per_customer is None
    inputs = builder.complete()
    inputs.attribution["targets"][0]["cost_per_minute"] = None
    lever = collect(inputs).levers
    assert lever.levers[0].minutes_per_customer is None
    assert Missing("cost_per_minute") in lever.missing


def test_the_recommended_setting_is_the_suggested_one_with_the_band_there(builder):
    inputs = builder.complete()
    inputs.attribution["targets"][0] |= {"suggested": 409.2, "gain_per_customer": 2.54}
    target = collect(inputs).answer.recommendations[0]
    assert target.best == Figure(409.2, "seconds", 396, 461, 20_000)
    point = next(p for p in inputs.attribution["targets"][0]["curve"] if p["scale"] == 1.1)
    assert target.gain == Figure(2.54, "currency", point["low"], point["high"], 20_000)


def test_bad_experiences_carry_value_and_churn(facts):
    assert [(b.number, b.value.value, b.churn.value) for b in facts.journey.bad_experiences] == [
        (1, -6.1, 0.021), (2, -11.8, 0.043), (3, -13.6, 0.054),
    ]  # fmt: skip


def test_segments_are_means(facts):
    app = next(s for s in facts.journey.segments if s.value == "App")
    assert (app.column, app.customers) == ("channel", 5_480)
    assert app.clv == pytest.approx(214.7)


def test_refused_levels_are_not_listed_twice(facts):
    assert [m.why for m in facts.levers.missing] == [
        "waits at level 2: load moves waits, so agents do not identify them"
    ]


def test_drift_comes_from_the_scoring_where_nothing_was_monitored(builder):
    inputs = replace(builder.complete(), monitoring=None)
    inputs.manifest["drift"]["columns"] = [{"name": "x", "psi": 0.3, "verdict": "moved"}]
    assert [d.name for d in collect(inputs).trust.drift] == ["x"]


def test_three_findings_for_the_console(facts, builder):
    first, second, third = findings(facts)
    assert "€3.42 million" in first
    assert second.startswith("Raise handle time from 6:12")
    assert "Pays with a probability of 93%" in second
    assert third.startswith("Goodwill credits, +10 points: +€2.40 per customer")
    assert third.endswith("experiment).")
    assert len(findings(facts, language="de")) == 3
    assert all("**" not in line for line in findings(facts, language="de"))
    short = findings(collect(builder.purchases_only()))
    assert "associated with" in short[1]
    assert short[2] == (
        "The total was forecast 1.8% too low over 12 test dates together; date by date: "
        "from −1.9% to +2%."
    )
    assert findings(collect(ReportInputs())) == (
        "The value of the customer base has not been predicted yet.",
    )


@pytest.mark.parametrize("lacking", DOCUMENTS)
def test_a_missing_document_is_named_not_fatal(builder, lacking):
    said = {
        "validation": ("trust", "validation"),
        "backtest": ("trust", "backtest"),
        "contributions": ("answer", "contributions"),
        "portfolio": ("answer", "portfolio"),
        "attribution": ("answer", "effects"),
        "monitoring": ("trust", "drift"),
    }
    facts = collect(replace(builder.complete(), **{lacking: None}))
    if lacking in said:
        section, what = said[lacking]
        assert Missing(what) in getattr(facts, section).missing


def test_nothing_at_all_is_a_report_of_what_is_missing():
    facts = collect(ReportInputs())
    assert list(figures_in(facts)) == []
    for section in ("answer", "levers", "journey", "teams", "trust", "changes"):
        assert getattr(facts, section).missing, section


def test_roll_outs_are_a_section_where_there_are_any(builder):
    inputs = builder.complete()
    paid, refused = collect(inputs).rollouts.rollouts
    assert (paid.verdict, paid.cost_per_agent.value, paid.payback.value) == ("paid", 150.0, 52.1)
    assert [moved.behaviour for moved in paid.moved] == ["empathy", "handle_seconds"]
    assert (refused.verdict, refused.agent_year) == ("", None)
    assert "moved apart" in refused.why
    inputs.attribution["rollouts"] = []
    assert "rollouts" not in collect(inputs).sections


def test_purchases_only_names_what_support_tables_would_add(builder):
    facts = collect(builder.purchases_only())
    assert facts.sections == ("answer", "journey", "trust", "changes")
    assert facts.answer.missing == (Missing("effects_no_contacts"),)
    assert {m.what for m in facts.trust.missing} >= {"table_interactions", "table_messages"}
    assert "revenue" in {c.key for c in facts.answer.cautions}
    assert not facts.value_is_margin


def test_how_firm_associations_are_is_told_only_where_models_were_grown_again(builder):
    inputs = builder.complete()
    found = collect(inputs).trust.firmness
    assert [g.group for g in found.groups][:2] == ["purchase_history", "customer"]
    assert (found.groups[0].share.low, found.groups[0].share.high) == (0.549, 0.732)
    assert (found.together.one, found.together.other) == ("empathy", "efficiency")
    assert found.together.size.value == 0.41
    inputs.contributions["stability"] = None
    assert collect(inputs).trust.firmness is None


def test_a_model_without_service_says_there_is_nothing_to_split(builder):
    inputs = builder.purchases_only()
    for row in inputs.contributions["groups"]:
        row |= {"mean_top": 0.0, "mean_bottom": 0.0, "mean_abs": 0.0}
    facts = collect(inputs)
    assert facts.answer.associations == ()
    assert Missing("contributions_none") in facts.answer.missing


def test_the_trust_section_says_which_steps_past_tests_spoke_for(facts):
    texts = sentences.load("en", "EUR")
    trust = facts.trust
    said = sentences.steps(trust, texts)
    assert "uses what past tests showed to help: how service and behaviour" in said
    assert "Left out, since past tests did not show it to help: how far the total was off" in said
    none = replace(trust, steps=tuple(replace(step, used=False) for step in trust.steps))
    assert sentences.steps(none, texts).startswith("Past tests showed nothing to help")
    assert sentences.steps(replace(trust, steps=()), texts) == ""
