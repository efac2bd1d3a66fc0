"""A scoring run publishes all of it or nothing, and the same bytes whatever the chunks."""

import datetime as dt
import json
import os
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv.contract.tables import Tables
from clv.engines.connect import connect
from clv.errors import (
    DataError,
    LockError,
    ModelError,
    QuarantineError,
    SinkError,
    StorageError,
    UsageError,
    WindowError,
)
from clv.events.histories import make_histories
from clv.features.table import FeatureTable
from clv.monitoring import Profile
from clv.scoring import ScoringOptions, compare, current, rollback, runs, score, score_table
from clv.scoring.portfolio import histogram_edges
from clv.scoring.publish import locked, manifest
from clv.scoring.rows import Reasons
from clv.sinks import SCORES, make_sink
from tests.unit.scoring.bent import AS_OF, FEATURES_USED, Bent, customers


@pytest.fixture(scope="module")
def engine():
    with connect(threads=1) as engine:
        yield engine


@pytest.fixture
def table_of(engine):
    """Return a function from a frame to a feature table held by the engine."""

    def make(frame, features=None):
        return FeatureTable(engine, (engine.frame(frame),), AS_OF, features or FEATURES_USED, ())

    return make


@pytest.fixture
def order(tmp_path):
    return ScoringOptions(
        model_name="clv", model_version=3, out=tmp_path / "scores", wait_seconds=0, keep_months=0
    )


def published(out):
    return pq.read_table(current(out) / "scores.parquet").to_pandas()


def test_every_customer_is_scored_once_and_everything_is_recorded(table_of, order):
    result = score_table(table_of(customers(300)), Bent(), order)
    found = published(order.out)
    assert list(found.columns) == SCORES.names
    assert found.customer_id.tolist() == customers(300).customer_id.tolist()
    assert (result.customers, result.scored, result.quarantined) == (300, 300, 0)
    written = manifest(current(order.out))
    assert written == json.loads(json.dumps(result.as_dict()))
    assert set(written["files"]) >= {"scores.parquet", "scores.csv", "portfolio.json"}
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in current(order.out).iterdir())


def test_money_has_four_decimals_and_probabilities_six(table_of, order):
    score_table(table_of(customers(50)), Bent(), order)
    found = published(order.out)
    assert found.service_contribution.unique().tolist() == [0.3333]
    assert (found.p_churn.dropna() == found.p_churn.dropna().round(6)).all()


@settings(max_examples=4, deadline=None, derandomize=True)
@given(chunk=st.integers(9, 400))
def test_any_chunk_size_gives_the_same_bytes(table_of_session, chunk, tmp_path_factory):
    table, model, first = table_of_session
    out = tmp_path_factory.mktemp("chunks")
    order = ScoringOptions(model_name="clv", model_version=3, out=out, chunk_customers=chunk)
    assert score_table(table, model, order).files == first


@pytest.fixture(scope="module")
def table_of_session(engine, tmp_path_factory):
    table = FeatureTable(engine, (engine.frame(customers(350)),), AS_OF, FEATURES_USED, ())
    order = ScoringOptions(model_name="clv", model_version=3, out=tmp_path_factory.mktemp("first"))
    return table, Bent(), score_table(table, Bent(), order).files


def test_row_groups_do_not_depend_on_chunks(monkeypatch, table_of, order):
    monkeypatch.setattr("clv.sinks.files.ROW_GROUP_ROWS", 100)
    table = table_of(customers(350))
    one = score_table(table, Bent(), replace(order, chunk_customers=350)).files
    many = score_table(table, Bent(), replace(order, chunk_customers=33)).files
    assert one == many
    assert pq.ParquetFile(current(order.out) / "scores.parquet").num_row_groups == 4


def test_the_same_run_again_is_the_same_run(table_of, order):
    table = table_of(customers(80))
    names = {score_table(table, Bent(), order).run for _ in range(2)}
    assert len(names) == 1
    assert runs(order.out) == list(names)


def test_a_clock_shows_in_the_manifest_only(table_of, order):
    table = table_of(customers(80))
    clocks = [lambda d=day: dt.datetime(2025, 7, d, tzinfo=dt.UTC) for day in (1, 2)]
    results = [score_table(table, Bent(), replace(order, clock=clock)) for clock in clocks]
    assert results[0].files == results[1].files
    assert manifest(current(order.out))["finished_at"] == "2025-07-02T00:00:00+00:00"


BAD = {
    "c00001": ({"clv": np.nan}, "clv:missing"),
    "c00002": ({"clv": np.inf}, "clv:infinite"),
    "c00003": ({"p_churn": 1.5}, "p_churn:range"),
    "c00004": ({"value_decile": 11}, "value_decile:range"),
    "c00005": ({"clv_low": 1e9}, "clv_low:above_high"),
    "c00006": ({"p_churn": None}, "p_churn:missing"),
    "c00008": ({"p_alive": -0.1}, "p_alive:range"),
}


def test_bad_rows_go_to_quarantine_with_every_rule_they_break(table_of, order):
    model = Bent({name: changes for name, (changes, _) in BAD.items()})
    result = score_table(table_of(customers(300)), model, replace(order, chunk_customers=7))
    bad = pq.read_table(current(order.out) / "quarantine.parquet").to_pandas()
    reasons = dict(zip(bad.customer_id, bad.reasons, strict=True))
    assert set(reasons) == set(BAD)
    assert all(rule in reasons[name].split(";") for name, (_, rule) in BAD.items())
    assert (result.customers, result.scored, result.quarantined) == (300, 293, 7)
    assert repr(result).startswith("<ScoringResult: 293 of 300 customers scored as of ")
    assert "<table" in result._repr_html_()
    assert result.to_frame()["customers"].sum() == result.portfolio["customers"]
    assert result.plot.values().facts["customers"].sum() == result.portfolio["customers"]
    assert len(result.plot.deciles().facts) == (result.to_frame()["customers"] > 0).sum()
    assert not set(published(order.out).customer_id) & set(BAD)
    assert {note.code for note in result.notes} == {"quarantined"}


def test_a_duplicate_is_found_across_chunks(table_of, order):
    frame = customers(100)
    frame.loc[10, "customer_id"] = frame.loc[9, "customer_id"]
    result = score_table(table_of(frame), Bent(), replace(order, chunk_customers=10))
    assert result.reasons == {"customer_id:duplicate": 1}
    assert published(order.out).customer_id.is_unique


def test_too_many_bad_rows_publish_nothing(table_of, order):
    model = Bent({f"c{k:05d}": {"clv": np.nan} for k in range(6)})
    with pytest.raises(QuarantineError, match=r"6 of 100 rows cannot be published") as caught:
        score_table(table_of(customers(100)), model, order)
    assert "clv:missing: 6" in str(caught.value)
    assert current(order.out) is None
    assert not list((order.out).glob(".staging"))


def test_nobody_to_score_is_an_error(table_of, order):
    with pytest.raises(DataError, match="no customer is known"):
        score_table(table_of(customers(3).head(0)), Bent(), order)


def test_a_missing_feature_is_named(table_of, order):
    some = {k: v for k, v in FEATURES_USED.items() if k != "age_days"}
    with pytest.raises(ModelError, match="feature 'age_days' is not available"):
        score_table(table_of(customers(3), some), Bent(), order)


def test_a_feature_of_a_company_s_own_marker_names_the_pack(table_of, order):
    own = replace(FEATURES_USED["age_days"], name="warranty_offer_rate_365d")
    model = Bent()
    model.info.features = (*model.info.features, own.name)
    with pytest.raises(ModelError, match=r"'warranty_offer_rate_365d' .* markers\.pack"):
        score_table(table_of(customers(3)), model, order)


def test_a_feature_declared_otherwise_is_refused(table_of, order):
    changed = FEATURES_USED | {"age_days": replace(FEATURES_USED["age_days"], unit="weeks")}
    with pytest.raises(ModelError, match="declared otherwise than at training"):
        score_table(table_of(customers(3), changed), Bent(), order)


def test_a_feature_the_model_does_not_know_is_noted(table_of, order):
    more = FEATURES_USED | {"extra": replace(FEATURES_USED["age_days"], name="extra")}
    frame = customers(30).assign(extra=1.0)
    result = score_table(table_of(frame, more), Bent(), order)
    assert [note.code for note in result.notes] == ["feature_unused"]


def test_unseen_words_are_counted(table_of, order):
    frame = customers(30)
    frame.loc[[3, 4], "segment"] = "new"
    (note,) = score_table(table_of(frame), Bent(), replace(order, chunk_customers=4)).notes
    assert (note.code, note.where, note.count) == ("unseen_category", "segment", 2)


def test_another_run_is_waited_for_by_nobody(table_of, order):
    with locked(order.out), pytest.raises(LockError, match="another run holds the lock"):
        score_table(table_of(customers(3)), Bent(), order)


def test_a_dry_run_publishes_nothing_and_says_what_would_move(table_of, order, tmp_path):
    score_table(table_of(customers(100)), Bent(), order)
    before = current(order.out)
    frame = customers(120).drop(index=5)
    frame.loc[8, ["frequency", "monetary_value"]] = [5.0, 1000.0]
    sink = make_sink({"kind": "parquet", "folder": str(tmp_path / "lake")})
    dry = replace(order, dry_run=True, sinks=(sink,))
    result = score_table(table_of(frame), Bent(), dry)
    assert result.path is None
    assert current(order.out) == before
    assert not (tmp_path / "lake").exists()
    assert (result.changes.entered, result.changes.left) == (20, 1)
    assert result.changes.decile_up >= 1


def test_reasons_for_the_most_valuable_only(table_of, order):
    score_table(table_of(customers(90)), Bent(), replace(order, reasons="top:10"))
    found = published(order.out)
    given_ = found[found.reason_1.notna()]
    assert len(given_) == 10
    assert given_.clv.min() >= found[found.reason_1.isna()].clv.max()
    assert found[found.reason_1.isna()].reason_1_amount.isna().all()


def test_no_reasons_for_anybody(table_of, order):
    score_table(table_of(customers(20)), Bent(), replace(order, reasons="none"))
    assert published(order.out).reason_1.isna().all()


@pytest.mark.parametrize("text", ["some", "top:", "top:-1", "top", ""])
def test_reasons_that_are_none_are_refused(text):
    with pytest.raises(UsageError, match="expected all, none or top:N"):
        Reasons.parse(text)


def test_a_sink_that_refuses_publishes_nothing(table_of, order):
    sink = make_sink({"kind": "sql", "url": "sqlite:////nowhere/at/all.db"})
    with pytest.raises(SinkError):
        score_table(table_of(customers(20)), Bent(), replace(order, sinks=(sink,)))
    assert current(order.out) is None


def test_sinks_are_in_the_manifest(table_of, order, tmp_path):
    sinks = (
        make_sink({"kind": "sql", "url": f"sqlite:///{tmp_path / 'crm.db'}"}),
        make_sink({"kind": "salesforce"}),
    )
    result = score_table(table_of(customers(20)), Bent(), replace(order, sinks=sinks))
    assert [(s["kind"], s["written"]) for s in result.sinks] == [
        ("csv", 20),
        ("sql", 20),
        ("salesforce", 20),
    ]
    assert "salesforce-001.csv" in result.files


def test_rollback_restores_the_run_before_and_old_ones_are_removed(table_of, order):
    names = []
    for version in (1, 2, 3, 4):
        table = table_of(customers(20))
        names.append(score_table(table, Bent(), replace(order, model_version=version, keep=3)).run)
    assert runs(order.out) == names[:0:-1]
    assert {p.name for p in (order.out / "runs").iterdir()} == set(names[1:])
    assert rollback(order.out).name == names[2]
    assert rollback(order.out).name == names[1]
    assert published(order.out).model_version.unique().tolist() == [2]
    with pytest.raises(UsageError, match="expected at least 2"):
        rollback(order.out)


def test_a_pointer_to_nothing_is_said(table_of, order):
    score_table(table_of(customers(20)), Bent(), order)
    current(order.out).rename(order.out / "elsewhere")
    with pytest.raises(StorageError, match="names runs, and none is there"):
        current(order.out)


def test_too_small_a_disk_is_refused_before_anything_is_written(monkeypatch, table_of, order):
    from clv.scoring import job

    monkeypatch.setattr(job, "BYTES_PER_CUSTOMER", 1e15)
    with pytest.raises(StorageError, match="customers need about"):
        score_table(table_of(customers(20)), Bent(), order)
    assert current(order.out) is None


def test_a_disk_that_fills_up_midway_leaves_the_old_table(monkeypatch, table_of, order):
    score_table(table_of(customers(20)), Bent(), order)
    before = current(order.out), published(order.out)

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        score_table(table_of(customers(30)), Bent(), order)
    assert current(order.out) == before[0]
    pd.testing.assert_frame_equal(published(order.out), before[1])
    assert not list(order.out.glob(".staging"))


KILLED = """
import sys, os, signal, dataclasses
sys.path.insert(0, {tests!r})
from pathlib import Path
from bent import Bent, FEATURES_USED, AS_OF, customers
from clv.engines.connect import connect
from clv.features.table import FeatureTable
from clv.scoring import ScoringOptions, score_table
import clv.scoring.{module} as module
step = int(sys.argv[2])
calls = 0
def dying(name, before=getattr(module, {name!r})):
    def call(*args, **kwargs):
        global calls
        calls += 1
        if calls == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return before(*args, **kwargs)
    return call
setattr(module, {name!r}, dying({name!r}))
with connect(threads=1) as engine:
    table = FeatureTable(engine, (engine.frame(customers(60)),), AS_OF, FEATURES_USED, ())
    score_table(table, Bent(), ScoringOptions("clv", 3, Path(sys.argv[1]), chunk_customers=20))
"""


@pytest.mark.parametrize(
    ("module", "name", "step"),
    [
        ("stream", "finished", 2),
        ("publish", "publish_folder", 1),
        *(("publish", "_point", step) for step in (1, 2, 3)),
    ],
)
def test_a_killed_run_leaves_readers_the_old_table_and_the_rerun_the_same_bytes(
    module, name, step, table_of, order
):
    score_table(table_of(customers(20)), Bent(), order)
    before = published(order.out)
    program = KILLED.format(tests=str(Path(__file__).parent), module=module, name=name)
    done = subprocess.run([sys.executable, "-c", program, str(order.out), str(step)], check=False)
    assert done.returncode == -signal.SIGKILL
    if (name, step) != ("_point", 3):  # the last one forgets what was removed
        pd.testing.assert_frame_equal(published(order.out), before)
    again = score_table(table_of(customers(60)), Bent(), order)
    fresh = score_table(table_of(customers(60)), Bent(), replace(order, out=order.out / "fresh"))
    assert again.files == fresh.files
    assert {p.name for p in (order.out / "runs").iterdir()} == set(runs(order.out))


def test_the_portfolio_agrees_with_the_rows(table_of, order):
    frame = customers(400, seed=3)
    result = score_table(table_of(frame), Bent(), replace(order, chunk_customers=37))
    found, summary = published(order.out), result.portfolio
    assert summary["total_clv"] == pytest.approx(found.clv.sum(), abs=1e-6)
    assert summary["median_clv"] == pytest.approx(found.clv.median(), abs=1e-4)
    assert summary["mean_clv"] == pytest.approx(found.clv.mean(), abs=1e-4)
    assert summary["prospects"] == frame.frequency.isna().sum()
    assert summary["first_time_customers"] == (frame.frequency == 0).sum()
    assert summary["p_churn_mean"] == pytest.approx(found.p_churn.mean(), abs=1e-6)
    assert summary["at_risk_customers"] == (found.p_churn >= 0.5).sum()
    by_decile = found.groupby("value_decile").clv.agg(["size", "sum"])
    for row in summary["deciles"]:
        size, total = by_decile.loc[row["decile"]] if row["decile"] in by_decile.index else (0, 0)
        assert (row["customers"], row["clv"]) == (size, pytest.approx(total, abs=1e-6))
    assert sum(row["share"] for row in summary["deciles"]) == pytest.approx(1, abs=1e-5)
    assert sum(row["customers"] for row in summary["histogram"]) == 400
    segments = {(r["column"], r["value"]): r["customers"] for r in summary["segments"]}
    assert segments == {("segment", k): n for k, n in frame.segment.value_counts().items()}
    assert (summary["total_low"], summary["total_high"]) == (
        pytest.approx(0.9 * summary["total_clv"], abs=1e-3),
        pytest.approx(1.1 * summary["total_clv"], abs=1e-3),
    )


def without_value(frame, customers):
    """What a model says of people whom nobody of the past was like."""
    bought = frame.loc[frame["customer_id"].isin(customers), "frequency"].notna()
    assert not bought.any()
    nothing = ("clv", "clv_low", "clv_high", "value_decile", "typical_clv", "expected_purchases")
    return Bent({name: dict.fromkeys(nothing, np.nan) for name in customers})


def test_who_has_no_value_is_published_and_in_no_total(table_of, order):
    frame = customers(100)
    nobody = list(frame.loc[frame["frequency"].isna(), "customer_id"][::2])
    model = without_value(frame, nobody)
    results = [
        score_table(table_of(frame), model, replace(order, chunk_customers=size))
        for size in (1, 9, 100)
    ]
    assert len({result.run for result in results}) == 1
    found, summary = published(order.out), results[0].portfolio
    assert (results[0].scored, results[0].quarantined) == (100, 0)
    assert set(found.customer_id[found.clv.isna()]) == set(nobody)
    assert found.value_decile.isna().equals(found.clv.isna())
    assert summary["unvalued"] == len(nobody)
    assert summary["customers"] == 100 - len(nobody)
    assert summary["prospects"] == frame.frequency.isna().sum() - len(nobody)
    assert summary["total_clv"] == pytest.approx(found.clv.sum(), abs=1e-6)
    assert sum(row["clv"] for row in summary["people"]) == pytest.approx(summary["total_clv"])
    assert [row["people"] for row in summary["people"]] == ["repeat", "first-time", "yet to buy"]
    assert sum(row["customers"] for row in summary["deciles"]) == summary["customers"]
    (note,) = [n for n in results[0].notes if n.code == "prospects_unvalued"]
    assert note.count == len(nobody)
    # the same again is no change, though nothing never equals nothing
    assert results[-1].changes.clv_changed == 0
    top = score_table(table_of(frame), model, replace(order, reasons="top:5"))
    kept = published(order.out)
    assert kept.reason_1.notna().sum() <= 5
    assert top.portfolio == summary


def test_half_a_value_is_none(table_of, order):
    frame = customers(100)
    name = frame.loc[frame["frequency"].isna(), "customer_id"].iloc[0]
    result = score_table(table_of(frame), Bent({name: {"value_decile": np.nan}}), order)
    assert result.reasons == {"value_decile:missing": 1}


def test_many_segments_are_summed_into_one_row(table_of, order):
    frame = customers(100)
    frame["segment"] = [f"s{k:02d}" for k in range(50)] * 2
    segments = score_table(table_of(frame), Bent(), order).portfolio["segments"]
    assert len(segments) == 21
    assert segments[-1]["value"] == "(30 others)"
    assert sum(row["customers"] for row in segments) == 100


@given(st.lists(st.floats(0.01, 1e7), min_size=9, max_size=9))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_histogram_edges_cover_the_training_deciles(cuts):
    edges = histogram_edges(sorted(cuts))
    assert edges[0] == 0
    assert np.all(np.diff(edges) > 0)
    assert max(cuts) <= edges[-1] + edges[1]


def test_drift_against_the_training_profile(table_of, order):
    bought = customers(500).dropna(subset=["frequency"])
    said = Bent().predict(bought)[["clv", "p_churn"]].set_axis(bought.index)
    profile = Profile.learn(bought.join(said), [*FEATURES_USED, "clv", "p_churn"])
    same = score_table(table_of(customers(500)), Bent(), replace(order, profile=profile))
    # Who never bought was not in the training, and is not held against it.
    assert same.drift["drifted"] == []
    assert {c["psi"] for c in same.drift["columns"]} == {0.0}
    moved = customers(500).assign(age_days=lambda f: f.age_days + 500)
    later = score_table(table_of(moved), Bent(), replace(order, profile=profile))
    assert later.drift["drifted"] == ["age_days"]


def test_two_files_compared(table_of, order, tmp_path):
    first = score_table(table_of(customers(20)), Bent(), order).path
    second = score_table(table_of(customers(25)), Bent(), replace(order, model_version=4)).path
    found = compare(first / "scores.parquet", second / "scores.parquet")
    assert (found.before, found.after, found.entered, found.left) == (20, 25, 5, 0)
    assert found.clv_changed == 0


ORDERS = pd.DataFrame(
    {
        "order_id": ["o1", "o2"],
        "customer_id": ["a", "a"],
        "ordered_at": pd.to_datetime(["2025-01-02", "2025-03-01"]),
        "amount": [8.0, 5.0],
    }
)


@pytest.mark.parametrize("day", [dt.date(2025, 1, 1), dt.date(2025, 3, 2)])
def test_a_day_outside_the_orders_is_refused(engine, tmp_path, day):
    tables = Tables.from_frames(engine, {"orders": ORDERS})
    with pytest.raises(WindowError, match="2025-01-02 to 2025-03-01"):
        score(
            make_histories(tables),
            Bent(),
            as_of=day,
            options=ScoringOptions(model_name="clv", model_version=1, out=tmp_path),
        )


@pytest.mark.parametrize(("cutoff", "said"), [("2025-01-01", False), ("2025-01-02", True)])
def test_scores_of_a_day_that_the_model_has_learned_beyond_are_told(cutoff, said, table_of, order):
    model = Bent()
    model.info.training_cutoff = cutoff
    notes = score_table(table_of(customers(20)), model, order).notes
    found = [note.message for note in notes if note.code == "hindsight"]
    assert bool(found) == said
    assert not said or "learned from orders until 2025-07-01" in found[0]
