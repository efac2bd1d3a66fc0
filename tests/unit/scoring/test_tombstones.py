"""Who had a score and has none is said for a month, and the same run says the same twice."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from clv.engines.connect import connect
from clv.features.table import FeatureTable
from clv.scoring import ScoringOptions, current, rollback, runs, score_table
from clv.scoring.tombstones import REPEAT_DAYS, TOMBSTONE_FILE
from clv.sinks import make_sink
from tests.unit.scoring.bent import AS_OF, FEATURES_USED, Bent, customers


@pytest.fixture(scope="module")
def engine():
    with connect(threads=1) as engine:
        yield engine


@pytest.fixture
def scored(engine, tmp_path):
    """Return a function that scores all but some of ten customers, some days later."""

    def run(without=(), days=0, count=10, model=None, **order):
        frame = customers(count)
        frame = frame[~frame["customer_id"].isin(without)]
        day = AS_OF + dt.timedelta(days=days)
        table = FeatureTable(engine, (engine.frame(frame),), day, FEATURES_USED, ())
        asked = ScoringOptions(model_name="clv", model_version=3, out=tmp_path / "scores")
        return score_table(table, model or Bent(), replace(asked, **order))

    return run


def gone(result):
    """Return the tombstones of a published run: the customer, and since how many days."""
    path = result.path / TOMBSTONE_FILE
    if not path.exists():
        assert not [note for note in result.notes if note.code == "gone"]
        return {}
    table = pq.read_table(path).to_pydict()
    assert table["customer_id"] == sorted(table["customer_id"])
    (note,) = [note for note in result.notes if note.code == "gone"]
    assert note.count == len(table["customer_id"])
    days = [(result.as_of - day).days for day in table["since"]]
    return dict(zip(table["customer_id"], days, strict=True))


def test_nobody_is_gone_at_first_nor_when_somebody_comes(scored):
    assert gone(scored(["c00003"])) == {}
    assert gone(scored(days=1)) == {}


def test_who_left_is_said_again_until_a_load_cannot_have_missed_it(scored):
    scored()
    left = ["c00003", "c00001"]
    assert gone(scored(left, days=1)) == {"c00001": 0, "c00003": 0}
    assert gone(scored(left[:1], days=2)) == {"c00003": 1}
    assert gone(scored(left[:1], days=REPEAT_DAYS + 1)) == {"c00003": REPEAT_DAYS}
    assert gone(scored(left[:1], days=REPEAT_DAYS + 2)) == {}


@pytest.mark.parametrize("keep", [1, 10])
def test_the_same_run_again_is_the_same_run(keep, scored):
    scored(keep=keep)
    first = scored(["c00003"], days=1, keep=keep)
    again = scored(["c00003"], days=1, keep=keep)
    assert (again.run, again.files) == (first.run, first.files)
    assert gone(again) == {"c00003": 0}


def test_an_earlier_day_holds_nobody_against_a_later_one(scored):
    scored(days=2)
    assert gone(scored(["c00003"], days=1)) == {}
    assert gone(scored(["c00003"], days=3)) == {"c00003": 0}


def test_a_run_that_was_taken_back_may_have_been_loaded(scored, tmp_path):
    scored()
    scored(days=1, count=12)
    rollback(tmp_path / "scores")
    assert gone(scored(days=2)) == {"c00010": 0, "c00011": 0}
    assert len(runs(tmp_path / "scores")) == 2


def test_a_row_in_quarantine_is_gone_until_it_is_mended(scored):
    scored()
    bent = Bent({"c00003": {"clv": np.nan}})
    assert gone(scored(days=1, model=bent, limit_share=0.5)) == {"c00003": 0}
    assert gone(scored(days=2)) == {}


def test_every_sink_is_told_and_a_dry_run_publishes_no_tombstone(scored, tmp_path):
    scored()
    before = current(tmp_path / "scores")
    dry = scored(["c00003"], days=1, dry_run=True)
    assert (dry.sinks[0]["cleared"], current(tmp_path / "scores")) == (1, before)
    sinks = (make_sink({"kind": "hubspot"}), make_sink({"kind": "salesforce"}))
    result = scored(["c00003"], days=1, sinks=sinks)
    assert [(sink["kind"], sink["cleared"]) for sink in result.sinks] == [
        ("csv", 1),
        ("hubspot", 1),
        ("salesforce", 1),
    ]
    assert {"scores-tombstones.csv", "salesforce-tombstones-001.csv"} <= set(result.files)
