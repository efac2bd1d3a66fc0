"""What publishing removes, and what it makes of an index or a run that is damaged."""

import json
from dataclasses import replace

import pytest

from clv.engines.connect import connect
from clv.errors import SinkError, StorageError, UsageError
from clv.features.table import FeatureTable
from clv.scoring import ScoringOptions, current, rollback, runs, score_table, survey
from clv.sinks import make_sink, make_sinks
from clv.storage import sha256_of
from tests.unit.scoring.bent import AS_OF, FEATURES_USED, Bent, customers


@pytest.fixture(scope="module")
def engine():
    with connect(threads=1) as engine:
        yield engine


@pytest.fixture
def out(tmp_path):
    return tmp_path / "scores"


@pytest.fixture
def score(engine, out):
    def run(version, **changes):
        table = FeatureTable(engine, (engine.frame(customers(20)),), AS_OF, FEATURES_USED, ())
        order = replace(ScoringOptions("clv", version, out, keep=2, keep_months=0), **changes)
        return score_table(table, Bent(), order)

    return run


def hashes(folder):
    return {path.name: sha256_of(path) for path in folder.iterdir()}


def codes(result):
    return {note.code: note.count for note in result.notes}


def test_nothing_of_anybody_elses_is_removed(score, out):
    """Whatever stood beside the runs was removed once: a bystander's weights were lost."""
    theirs = [out / "runs" / "experiment-7", out / "runs" / "2025-06-30_clv-v9_0123456789ab"]
    for place in theirs:
        place.mkdir(parents=True)
        (place / "weights.bin").write_bytes(b"years of work")
    (out / "runs" / "notes.txt").write_text("mine")
    (theirs[1] / "manifest.json").write_text(json.dumps({"run": "another", "files": {}}))
    names = [score(version).run for version in (1, 2, 3)]
    assert [(place / "weights.bin").read_bytes() for place in theirs] == [b"years of work"] * 2
    assert (out / "runs" / "notes.txt").read_text() == "mine"
    assert runs(out) == [names[2], names[1]]
    assert not (out / "runs" / names[0]).exists()


def test_a_staging_folder_of_anybody_elses_is_refused(score, out):
    (out / ".staging").mkdir(parents=True)
    (out / ".staging" / "draft.txt").write_text("mine")
    with pytest.raises(StorageError, match="was not made by clv"):
        score(1)
    assert (out / ".staging" / "draft.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["my model", "a/b", "../up", "", "-x", "a\nb"])
def test_a_name_that_runs_cannot_carry_is_refused_before_anything_is_done(name, score, out):
    with pytest.raises(UsageError, match=r"registry\.name"):
        score(1, model_name=name)
    assert not out.exists()


@pytest.mark.parametrize("pointer", [None, b"", b"\xff\xfe\x00", b"../../etc\n", b"nowhere\n"])
def test_an_index_that_is_gone_is_made_again_from_the_manifests(pointer, score, out):
    """Emptied, it made the next scoring delete every older run."""
    first, second = score(1, clock=None).run, score(2).run
    if pointer is None:
        (out / "_CURRENT").unlink()
    else:
        (out / "_CURRENT").write_bytes(pointer)
    assert set(runs(out)) == {first, second}
    third = score(3, keep=3)
    assert codes(third)["index_rebuilt"] == 2
    assert set(runs(out)) == {first, second, third.run}
    assert (out / "_CURRENT").read_text().splitlines()[0] == third.run


def test_the_newest_finished_is_current_in_an_index_made_again(score, out):
    import datetime as dt

    at = dt.datetime(2025, 7, 1, tzinfo=dt.UTC)
    newest = score(1, clock=lambda: at + dt.timedelta(hours=1)).run
    score(2, clock=lambda: at)
    (out / "_CURRENT").write_text("")
    assert current(out).name == newest


def test_a_damaged_run_is_passed_over_and_written_again_by_the_same_scoring(score, out):
    first, second, third = (score(version, keep=3) for version in (1, 2, 3))
    before = hashes(second.path)
    (second.path / "scores.parquet").write_bytes(b"PAR1 and then nothing")
    (second.path / "scores.csv").unlink()
    seen = survey(out)
    assert [run.name for run in seen.runs] == [third.run, first.run]
    assert [(note.code, note.count) for note in seen.notes] == [("run_damaged", 1)]
    assert rollback(out).name == first.run
    again = score(2, keep=3)
    assert again.run == second.run
    assert hashes(again.path) == before | {"manifest.json": hashes(again.path)["manifest.json"]}
    assert codes(again)["run_damaged"] == 1
    assert survey(out).notes == ()


def test_a_rollback_reaches_the_sinks_and_is_repeated_where_one_refuses(score, out, tmp_path):
    """It moved the pointer and left the bad scores in the database."""
    lake, sql = tmp_path / "lake", {"kind": "sql", "url": f"sqlite:///{tmp_path / 'crm.db'}"}
    sinks = make_sinks([sql, {"kind": "parquet", "folder": str(lake)}])
    first = score(1, sinks=sinks)
    held = lake / f"as_of={AS_OF}" / "scores.parquet"
    kept = held.read_bytes()
    second = score(2, sinks=sinks)
    assert sinks[0].run_held() == sha256_of(second.path / "scores.parquet")
    assert held.read_bytes() != kept
    with pytest.raises(SinkError):
        rollback(out, sinks=[*sinks, make_sink(sql | {"url": "sqlite:////nowhere/at.db"})])
    assert current(out).name == second.run
    assert rollback(out, sinks=sinks).name == first.run
    assert sinks[0].run_held() == sha256_of(first.path / "scores.parquet")
    assert held.read_bytes() == kept


def test_a_current_run_that_is_gone_does_not_stop_the_next_one(score, out, tmp_path):
    first, second = score(1), score(2)
    second.path.rename(tmp_path / "elsewhere")
    assert current(out).name == first.run
    third = score(3)
    assert codes(third)["run_missing"] == 1
    assert runs(out) == [third.run, first.run]
    assert third.changes.before == 20


def test_what_was_taken_back_is_known_and_removed_by_the_next(score, out):
    first, second = score(1), score(2)
    rollback(out)
    assert [run.name for run in survey(out).withdrawn] == [second.run]
    third = score(3)
    assert runs(out) == [third.run, first.run]
    assert not second.path.exists()
    assert "withdrawn" not in (out / "_CURRENT").read_text()
