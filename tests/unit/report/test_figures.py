from __future__ import annotations

import pytest

from clv.report.figures import NAME_LIMIT, Figure, count, figure, line, number, records, words


@pytest.mark.parametrize("value", [None, "7", True, float("nan"), float("inf"), [7], {"a": 7}])
def test_what_is_no_number_reads_as_nothing(value):
    assert number({"x": value}, "x") is None
    assert count({"x": value}, "x") is None
    assert figure({"x": value}, "x", "count") is None


def test_paths_end_early_without_an_error():
    assert number({"a": 3}, "a", "b") is None
    assert number(None, "a") is None
    assert records({"a": "text"}, "a") == []
    assert records({"a": [1, {"b": 2}, None]}, "a") == [{"b": 2}]


def test_half_an_interval_is_none():
    assert figure({"x": 1.0, "low": 0.5}, "x", "count") == Figure(1.0, "count")


def test_an_interval_on_one_side_of_zero_is_settled():
    assert Figure(1, "count", 0.5, 2).settled
    assert Figure(-1, "count", -2, -0.5).settled
    assert not Figure(1, "count", -0.5, 2).settled
    assert not Figure(1, "count").settled


@pytest.mark.parametrize("mark", list("\u202e\u2066\u200f\x00\u2028\ufeff\ud800"))
def test_marks_that_break_a_line_or_its_direction_go(mark):
    assert line(f"a{mark}b") == "a b"


def test_long_names_end_in_an_ellipsis():
    assert len(line("x" * 10**7)) == NAME_LIMIT
    assert line("x" * 10**7).endswith("…")
    assert line("x" * NAME_LIMIT) == "x" * NAME_LIMIT


def test_objects_are_no_words():
    assert words({"a": {"b": 1}}, "a") == ""
    assert words({"a": 3}, "a") == "3"
