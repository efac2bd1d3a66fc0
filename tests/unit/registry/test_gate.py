"""The gate asks what definitions.md says, and a missing metric is never a pass."""

import pytest

from clv.errors import GateError, UsageError
from clv.registry import GateLimits, GateResult, promotion_gate

GOOD = {
    "backtest/blend/gini": 0.70,
    "backtest/blend/gini_low": 0.70 - 1.959964 * 0.01,
    "backtest/blend/gini_high": 0.70 + 1.959964 * 0.01,
    "backtest/blend/total_bias": 0.05,
    "backtest/blend/calibration_error": 0.02,
    "backtest/btyd/gini": 0.65,
    "coverage/0.9": 0.90,
    "backtest/prospects/error": -0.01,
}


def failing(challenger, champion=None, **options):
    result = promotion_gate(challenger, champion, loads=True, **options)
    return [check.name for check in result.checks if not check.passed]


def test_a_good_model_passes():
    assert promotion_gate(GOOD, GOOD, loads=True).passed


@pytest.mark.parametrize(
    ("metric", "value", "check"),
    [
        ("backtest/blend/total_bias", 0.151, "total_bias"),
        ("backtest/blend/total_bias", -0.151, "total_bias"),
        ("backtest/prospects/error", 0.051, "prospects_error"),
        ("backtest/prospects/error", -0.051, "prospects_error"),
        ("backtest/blend/calibration_error", 0.031, "calibration_error"),
        ("coverage/0.9", 0.849, "coverage"),
        ("coverage/0.9", 0.951, "coverage"),
        ("backtest/btyd/gini", 0.711, "gini_btyd"),
    ],
)
def test_each_limit_stops(metric, value, check):
    assert failing(GOOD | {metric: value}) == [check]


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("backtest/blend/total_bias", 0.15),
        ("backtest/blend/calibration_error", 0.03),
        ("coverage/0.9", 0.85),
        ("coverage/0.9", 0.95),
        ("backtest/btyd/gini", 0.7099),
    ],
)
def test_each_limit_itself_passes(metric, value):
    assert failing(GOOD | {metric: value}) == []


def test_the_champion_may_be_better_by_one_standard_error():
    assert failing(GOOD, {"backtest/blend/gini": 0.7099}) == []
    assert failing(GOOD, {"backtest/blend/gini": 0.7101}) == ["gini_champion"]


def test_a_champion_of_another_kind_is_compared_by_its_own_metric():
    champion = {"backtest/btyd/gini": 0.9, "backtest/blend/gini": 0.1}
    assert failing(GOOD, champion, champion_model="btyd") == ["gini_champion"]


def test_btyd_alone_is_not_held_against_itself():
    metrics = {name.replace("blend", "btyd"): value for name, value in GOOD.items()}
    result = promotion_gate(metrics, model="btyd", loads=True)
    assert result.passed
    assert "gini_btyd" not in [check.name for check in result.checks]


@pytest.mark.parametrize("metric", [name for name in GOOD if "gini_" not in name])
@pytest.mark.parametrize("value", [None, float("nan")])
def test_what_was_not_measured_does_not_pass(metric, value):
    metrics = dict(GOOD)
    del metrics[metric]
    if value is not None:
        metrics[metric] = value
    assert failing(metrics, GOOD)


def test_a_model_that_does_not_load_stops():
    result = promotion_gate(GOOD, loads=False)
    with pytest.raises(GateError, match="does not load when fresh") as caught:
        result.require("models:/clv/7")
    assert caught.value.exit_code == 5
    assert "There is no champion yet" in str(caught.value)
    with pytest.raises(GateError, match="models:/clv/3 stays champion"):
        result.require("models:/clv/7", "models:/clv/3")


@pytest.mark.parametrize("loads", [True, False])
def test_the_answer_in_words_says_as_much_as_in_short(loads):
    result = promotion_gate(GOOD, loads=loads)
    assert GateResult.from_words(result.in_words()) == result.in_short()
    assert GateResult.from_words("") is None


def test_limits_can_be_set():
    assert failing(GOOD | {"coverage/0.9": 0.8}, limits=GateLimits(coverage_low=0.75)) == []
    with pytest.raises(UsageError, match="expected 0 <= low <= high <= 1"):
        GateLimits(coverage_low=0.9, coverage_high=0.8)


def test_the_document_lists_every_check():
    document = promotion_gate(GOOD, GOOD, loads=True).as_dict()
    assert document["passed"]
    assert [c["name"] for c in document["checks"]] == [
        "gini_champion", "gini_btyd", "total_bias", "prospects_error", "calibration_error",
        "coverage", "loads",
    ]  # fmt: skip
