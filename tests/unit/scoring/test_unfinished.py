"""A run that did not end is gone on with: the same bytes, and nothing wrong is used again."""

import json
import shutil
from dataclasses import dataclass, field, replace

import pytest

from clv.engines.connect import connect
from clv.errors import ModelError, SinkError
from clv.features.table import FeatureTable
from clv.scoring import ScoringOptions, current, score_table
from clv.scoring.unfinished import FOLDER, RECORD
from clv.sinks import make_sink
from tests.unit.scoring.bent import AS_OF, FEATURES_USED, Bent, customers

CHUNK, CHUNKS = 20, 3


@dataclass
class Counting(Bent):
    """Counts the customers whose predictions it was asked for."""

    asked: list = field(default_factory=list)

    def predict(self, features):
        self.asked.append(len(features))
        return super().predict(features)


@pytest.fixture(scope="module")
def engine():
    with connect(threads=1) as engine:
        yield engine


@pytest.fixture
def order(tmp_path):
    return ScoringOptions(
        "clv", 3, tmp_path / "scores", chunk_customers=CHUNK, data_fingerprint="d1"
    )


@pytest.fixture
def run(engine):
    """Return a function that scores sixty customers, and how many predictions it asked for."""

    def score(order, day=AS_OF, model=None, frame=None, stop_after=None):
        model = model or Counting()
        frame = customers(CHUNK * CHUNKS) if frame is None else frame

        def progress(step, done, total):
            if done == stop_after:
                raise KeyboardInterrupt

        table = FeatureTable(engine, (engine.frame(frame),), day, FEATURES_USED, ())
        try:
            return score_table(table, model, order, progress), sum(model.asked)
        except KeyboardInterrupt:
            return None, sum(model.asked)

    return score


@pytest.fixture
def left(run, order):
    """Stop a run after two of three chunks, and return what it left."""
    result, _ = run(order, stop_after=2 * CHUNK)
    assert result is None
    assert current(order.out) is None
    assert len(list((order.out / FOLDER).glob("part-*.parquet"))) == 2
    return order.out / FOLDER


def discarded(result):
    return [note for note in result.notes if note.code == "unfinished_discarded"]


def test_the_next_run_goes_on_where_it_stopped(left, run, order, tmp_path):
    result, asked = run(order)
    assert asked == CHUNK
    (note,) = result.notes
    assert (note.code, note.count) == ("resumed", 2 * CHUNK)
    fresh, asked = run(replace(order, out=tmp_path / "fresh"))
    assert asked == CHUNK * CHUNKS
    assert (result.files, result.run) == (fresh.files, fresh.run)
    assert result.portfolio == fresh.portfolio
    assert not left.exists()
    assert not fresh.notes


def test_a_run_stopped_twice_is_gone_on_with_twice(run, order):
    asked = [run(order, stop_after=k * CHUNK)[1] for k in (1, 2)]
    assert [*asked, run(order)[1]] == [CHUNK] * CHUNKS


def test_reasons_and_sinks_may_change_meanwhile(left, run, order, tmp_path):
    changed = replace(order, reasons="top:7", sinks=(make_sink({"kind": "zendesk"}),))
    result, asked = run(changed)
    assert asked == CHUNK
    assert result.files == run(replace(changed, out=tmp_path / "fresh"))[0].files


TAMPERED = {
    "a byte": lambda one, other: one.write_bytes(one.read_bytes()[:-9] + b"x" * 9),
    "half of it": lambda one, other: one.write_bytes(one.read_bytes()[:200]),
    "another chunk": lambda one, other: shutil.copy(other, one),
    "nothing": lambda one, other: one.unlink(),
}


@pytest.mark.parametrize("fault", TAMPERED)
def test_a_file_that_is_not_what_was_recorded_is_not_used(fault, left, run, order, tmp_path):
    TAMPERED[fault](left / "part-00000.parquet", left / "part-00001.parquet")
    result, asked = run(order)
    assert asked == 2 * CHUNK
    assert [note.count for note in discarded(result)] == [1]
    assert result.files == run(replace(order, out=tmp_path / "fresh"))[0].files


def test_chunks_that_change_places_are_not_used(left, run, order, tmp_path):
    record = json.loads((left / RECORD).read_text())
    one, other = record["parts"].values()
    record["parts"] = dict(zip(record["parts"], (other, one), strict=True))
    (left / RECORD).write_text(json.dumps(record))
    for name, to in (("part-00000", "swap"), ("part-00001", "part-00000"), ("swap", "part-00001")):
        (left / f"{name}.parquet").rename(left / f"{to}.parquet")
    result, asked = run(order)
    assert asked == CHUNKS * CHUNK
    assert result.files == run(replace(order, out=tmp_path / "fresh"))[0].files


@pytest.mark.parametrize("text", ["[]", "", "{", '{"inputs": 3, "parts": {}}', '{"inputs": {}}'])
def test_a_record_that_cannot_be_read_is_not_used(text, left, run, order):
    (left / RECORD).write_text(text)
    result, asked = run(order)
    assert asked == CHUNKS * CHUNK
    (note,) = discarded(result)
    assert "record cannot be read" in note.message


@pytest.mark.parametrize(
    ("what", "change", "word"),
    [
        ("order", {"model_version": 4}, "model"),
        ("order", {"data_fingerprint": "d2"}, "data_fingerprint"),
        ("order", {"chunk_customers": 30}, "chunk_customers"),
        ("run", {"day": AS_OF.replace(day=29)}, "as_of"),
        ("run", {"model": Counting(bend={"c00001": {"clv": 1.0}})}, "model_files"),
        ("run", {"frame": customers(59)}, "customers"),
    ],
)
def test_a_run_of_something_else_discards_it_all_and_names_why(
    what, change, word, left, run, order
):
    asked_for = replace(order, **change) if what == "order" else order
    more = change if what == "run" else {}
    result, asked = run(asked_for, **more)
    assert asked == result.customers
    (note,) = discarded(result)
    assert (note.count, note.message.rpartition("other ")[2]) == (2, word)
    assert not left.exists()


def test_features_that_changed_under_the_same_name_are_not_used(left, run, order, tmp_path):
    frame = customers(CHUNK * CHUNKS)
    frame.loc[3, "monetary_value"] += 1
    result, asked = run(order, frame=frame)
    assert asked == 2 * CHUNK
    assert result.files == run(replace(order, out=tmp_path / "fresh"), frame=frame)[0].files


def test_a_sink_that_refused_costs_no_second_scoring(run, order):
    away = make_sink({"kind": "sql", "url": "sqlite:////nowhere/at/all.db"})
    with pytest.raises(SinkError):
        run(replace(order, sinks=(away,)))
    result, asked = run(order)
    assert asked == 0
    assert result.scored == CHUNK * CHUNKS


def test_a_dry_run_leaves_nothing(run, order):
    run(replace(order, dry_run=True))
    assert not (order.out / FOLDER).exists()


def test_a_model_that_predicts_too_few_columns_is_said(run, order):
    class Short(Counting):
        def predict(self, features):
            return super().predict(features).drop(columns=["p_alive"])

    with pytest.raises(ModelError, match="predicts no column 'p_alive'"):
        run(order, model=Short())
