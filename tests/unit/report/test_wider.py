"""Both targets at once, targets by part, other outcomes, and what monitoring says."""

from __future__ import annotations

from clv.report.facts import ReportInputs, collect
from clv.report.figures import Missing
from clv.report.sections.wider import PARTS_SHOWN, joint, outcomes, part_targets


def test_the_frontier_becomes_a_grid_with_holes_and_a_settled_best(facts):
    grid = facts.levers.joint
    assert grid.empathy == (0.54, 0.48, 0.42, 0.36)
    assert grid.handle_seconds[2] == 372.0
    assert grid.today == (372.0, 0.42)
    assert grid.rows[0][0] is None
    assert grid.rows[0][2].settled == 1
    assert grid.rows[3][2].settled == -1
    assert (grid.suggested.empathy, grid.suggested.settled) == (0.54, 1)


def test_parts_are_the_largest_first_and_bounded(facts):
    assert [one.name for one in facts.levers.parts] == ["tech", "billing"]
    many = [
        {"by": "queue", "name": f"q{n}", "contacts": n, "targets": [
            {"behaviour": "empathy", "current": 0.4, "best": 0.5, "recommend": "keep"}]}
        for n in range(40)
    ]  # fmt: skip
    found = part_targets({"part_targets": many})
    assert len(found) == PARTS_SHOWN
    assert found[0].name == "q39"


def test_an_outcome_is_good_only_when_settled_and_in_its_own_direction(facts):
    by_name = {one.outcome: one for one in facts.levers.outcomes}
    empathy = {name: one.effects[0].good for name, one in by_name.items()}
    assert empathy == {"churn": True, "next_contacts": False, "csat": True, "refunds": False}
    assert by_name["churn"].mean.unit == "share"
    assert by_name["refunds"].mean.unit == "currency"
    assert by_name["csat"].effects[1].good is None


def test_pieces_that_are_no_pieces_are_left_out():
    assert joint({"frontier": {"handle_seconds": 300, "cells": [{"scale": 1}]}}) is None
    assert joint({"frontier": "none"}) is None
    assert outcomes({"outcomes": [{"outcome": "csat", "effects": []}, 3]}) == ()
    assert part_targets({"part_targets": [{"targets": [{}]}]}) == ()


def test_monitoring_is_shown_or_missed(facts, page):
    assert [one.status for one in facts.trust.watched] == ["ok", "watch", "unknown"]
    assert "Orders reach to yesterday." in page
    without = collect(ReportInputs(portfolio={"customers": 2, "total_clv": 30.0}))
    assert "monitoring" in [missing.what for missing in without.trust.missing]


def test_a_check_that_decides_nothing_has_not_failed(builder):
    inputs = builder.complete()
    level = inputs.attribution["effects"][0]["levels"][0]
    level["checks"] = [{"name": "hausman", "passed": None, "message": "informs"}]
    checks = collect(inputs).trust.checks
    assert checks[0].passed is None
    shown = collect(inputs).trust.checked[0]
    assert (shown.passed, shown.failed, shown.informs) == (0, (), ("hausman",))


def test_every_check_is_counted_once(facts):
    shown = facts.trust
    assert shown.checks
    assert sum(c.passed + len(c.failed) + len(c.informs) for c in shown.checked) == len(
        shown.checks
    )


def test_phrases_are_kept_by_strength_either_way():
    rows = [
        {"phrase": f"p{n}", "value": value, "low": value - 1, "high": value + 1, "contacts": 50}
        for n, value in enumerate([*range(1, 20), -30.0])
    ]
    shown = collect(ReportInputs(attribution={"phrases": rows})).teams.phrases
    assert len(shown) == 12
    assert shown[-1].value.value == -30.0
    assert shown[0].value.value == 19.0


def test_a_phrase_that_may_go_with_nothing_is_counted_and_not_shown():
    rows = [{"phrase": "can't", "value": -2.0, "low": -5.0, "high": 1.0, "contacts": 50}]
    document = {"phrases": rows, "phrases_about": {"tested": 900}}
    shown = collect(ReportInputs(attribution=document)).teams
    assert (shown.phrases, shown.phrases_tested) == ((), 900)
    assert Missing("phrases") not in shown.missing


def test_an_answer_that_monitoring_gives_to_several_questions_is_told_once():
    checks = [
        {"name": name, "status": "unknown", "sentence": "No horizon is over yet."}
        for name in ("total", "calibration")
    ]
    shown = collect(ReportInputs(monitoring={"checks": checks})).trust.watched
    assert [one.name for one in shown] == ["total"]
