"""A customer is gone from everything that clv keeps, and nobody else is."""

import hashlib
import json
import pathlib
import shutil
import sqlite3

import pandas as pd
import pyarrow.parquet as pq
import pytest

from clv.engines.connect import connect
from clv.erasure import People, Places, erase, read_people, verify
from clv.errors import UsageError
from clv.features.table import FeatureTable
from clv.scoring import ScoringOptions, score_table, survey
from clv.scoring.publish import manifest
from clv.sinks import make_sink
from clv.storage import folder, sha256_of, write_text
from tests.unit.scoring.bent import AS_OF, FEATURES_USED, Bent, customers

GONE, STAYS = "c00003", "c00004"
MAIL = "anna.schmidt@acme-corp.de"
HASH = hashlib.sha256(MAIL.encode()).hexdigest()[:16]


def texts(path):
    """Return what a file says, Parquet decoded; independent of what erasure searches with."""
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pandas().to_csv()
    if path.suffix == ".db":
        connection = sqlite3.connect(path)
        names = [
            r[0] for r in connection.execute("select name from sqlite_master where type='table'")
        ]
        said = [str(connection.execute(f'select * from "{n}"').fetchall()) for n in names]
        connection.close()
        return "".join(said)
    return path.read_text(errors="replace")


def holding(root, word):
    return {p for p in root.rglob("*") if p.is_file() and word in texts(p)}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Return a workspace with two runs, every sink, and copies of a customer everywhere."""
    root = tmp_path_factory.mktemp("kept")
    build(root)
    return root


def sinks_of(root):
    asked = (
        {"kind": "salesforce"},
        {"kind": "hubspot"},
        {"kind": "zendesk"},
        {"kind": "parquet", "folder": str(root / "lake")},
        {"kind": "sql", "url": f"sqlite:///{root / 'crm.db'}"},
    )
    return tuple(make_sink(options) for options in asked)


def build(root):
    out = root / "out"
    with connect(threads=1) as engine:
        for version in (1, 2):
            table = FeatureTable(engine, (engine.frame(customers(20)),), AS_OF, FEATURES_USED, ())
            order = ScoringOptions("clv", version, out / "scores", sinks=sinks_of(root))
            score_table(table, Bent(), order)
    rejected = folder(out / "quarantine" / "run1")
    orders = pd.DataFrame({"_table": "orders", "Kunde": [GONE, STAYS, HASH], "amount": ["x"] * 3})
    orders.to_parquet(rejected / "orders.parquet")
    contacts = pd.DataFrame({"customer_id": [GONE, STAYS], "interaction_id": ["i1", "i2"]})
    words = pd.DataFrame({"interaction_id": ["i1", "i2"], "text": ["mine", "theirs"]})
    words.to_parquet(rejected / "messages.parquet")
    imported = root / "company"
    for name, frame in (("interactions", contacts), ("messages", words)):
        folder(imported / name)
        frame.to_parquet(imported / name / "shop.parquet")
    people = pd.DataFrame({"customer_id": [GONE, STAYS, HASH], "referred_by": [None, GONE, None]})
    people.to_parquet(folder(imported / "customers") / "shop.parquet")
    log = "experiment,unit,unit_id,arm,assigned_at\n"
    at = "2025-01-01T00:00:00+00:00"
    rows = "".join(f"warmth,customer,{c},warm,{at}\n" for c in (GONE, STAYS, HASH))
    write_text(out / "assignments.csv", log + rows)
    document = {"customers": 20, "examples": [{"customer_id": c, "clv": 1} for c in (GONE, STAYS)]}
    document["sentence"] = f"such as {GONE}, who bought twice"
    write_text(out / "attribution.json", json.dumps(document))
    write_text(out / "artifacts" / "1" / "contributions.json", json.dumps(document))
    write_text(out / "report.html", f"<!doctype html><p>The best is {GONE}.</p>")
    write_text(out / "report.pdf", "%PDF")


@pytest.fixture
def places(kept, tmp_path):
    shutil.copytree(kept, tmp_path, dirs_exist_ok=True)
    return Places(
        tmp_path / "out",
        also=(tmp_path / "company",),
        sinks=sinks_of(tmp_path),
        customer_columns=("Kunde",),
    )


def test_everything_forgets_one_customer_and_no_other(places, tmp_path):
    people = read_people([GONE, MAIL])
    before = holding(tmp_path, STAYS)
    first = verify(places, people)
    assert {p.suffix for p in holding(tmp_path, GONE)} >= {".parquet", ".csv", ".jsonl", ".db"}
    assert len(first.left) > 20
    done = erase(places, people)
    assert done.left == {}
    assert verify(places, people).left == {}
    left = {p.relative_to(tmp_path).as_posix() for p in holding(tmp_path, GONE)}
    (current, older) = survey(places.workspace / "scores").runs
    assert survey(places.workspace / "scores").notes == ()
    run = f"out/scores/runs/{current.name}"
    lake = f"lake/_tombstones/as_of={AS_OF}/tombstones.parquet"
    assert left == {
        *(f"{run}/{name}" for name in ("hubspot.jsonl", "zendesk.jsonl", "tombstones.parquet")),
        *(f"{run}/{name}" for name in ("salesforce-tombstones-001.csv", "scores-tombstones.csv")),
        lake,
        "crm.db",
    }
    assert holding(tmp_path, HASH) == set()
    lost = {p for p in before if not p.exists()} | {
        p for p in before if p.exists() and STAYS not in texts(p)
    }
    assert lost == set()
    for place in (current, older):
        said = manifest(place)
        assert said["erased"] == 1
        assert {n: e["sha256"] for n, e in said["files"].items()} == {
            p.name: sha256_of(p) for p in place.iterdir() if p.name != "manifest.json"
        }
    words = pq.read_table(tmp_path / "company" / "messages" / "shop.parquet").to_pandas()
    assert words["text"].tolist() == ["theirs"]
    referred = pq.read_table(tmp_path / "company" / "customers" / "shop.parquet").to_pandas()
    assert referred["customer_id"].tolist() == [STAYS]
    assert referred["referred_by"].isna().all()
    assert not (tmp_path / "out" / "report.pdf").exists()
    again = erase(places, people)
    assert again.removed == {}


def test_a_tombstone_holds_the_id_and_nothing_else(places, tmp_path):
    erase(places, read_people([GONE]))
    connection = sqlite3.connect(tmp_path / "crm.db")
    row = connection.execute(
        "select * from clv_scores_current where customer_id = ?", [GONE]
    ).fetchone()
    assert set(row) == {GONE, 0, None}
    assert connection.execute(
        "select count(*) from clv_scores_history where customer_id = ?", [GONE]
    ).fetchone() == (0,)
    connection.close()
    (current, _) = survey(places.workspace / "scores").runs
    bodies = [json.loads(line) for line in (current / "hubspot.jsonl").read_text().splitlines()]
    (mine,) = [item for body in bodies for item in body["inputs"] if item["id"] == GONE]
    assert set(mine["properties"].values()) == {""}


def test_tombstones_can_go_too(places, tmp_path):
    people = read_people([GONE])
    erase(places, people)
    assert verify(places, people, tombstones=False).left
    done = erase(places, people, tombstones=False)
    assert done.left == {}
    assert holding(tmp_path, GONE) == set()


@pytest.mark.parametrize("stop", range(1, 26, 4))
def test_an_erasure_killed_anywhere_is_gone_on_with(stop, places, tmp_path, monkeypatch):
    import os

    real, calls = os.fsync, [0]

    def dying(handle):
        calls[0] += 1
        if calls[0] > stop:
            raise KeyboardInterrupt
        real(handle)

    monkeypatch.setattr(os, "fsync", dying)
    with pytest.raises(KeyboardInterrupt):
        erase(places, read_people([GONE, MAIL]))
    monkeypatch.undo()
    people = read_people([GONE, MAIL])
    done = erase(places, people)
    assert done.left == {}
    assert holding(tmp_path / "company", "i1") == set()
    assert survey(places.workspace / "scores").notes == ()
    assert len(survey(places.workspace / "scores").runs) == 2


def test_a_file_that_cannot_be_searched_is_no_proof(places, tmp_path):
    broken = tmp_path / "out" / "quarantine" / "run1" / "surveys.parquet"
    broken.write_bytes(b"PAR1 and then nothing")
    done = erase(places, read_people([GONE]))
    assert list(done.left) == [str(broken)]
    assert "not searched" in done.left[str(broken)]


def test_a_registered_model_is_not_changed_and_said(places, tmp_path):
    model = tmp_path / "out" / "artifacts" / "m"
    write_text(model / "MLmodel", "flavors: {}")
    write_text(model / "parts" / "model.json", json.dumps({"words": [GONE]}))
    done = erase(places, read_people([GONE]))
    assert list(done.left) == [str(model / "parts" / "model.json")]
    assert json.loads((model / "parts" / "model.json").read_text()) == {"words": [GONE]}


def test_an_id_that_is_a_number_takes_no_other_cell_with_it(places, tmp_path):
    """Horizons, deciles and counts are numbers too."""
    rows = sum(pq.read_metadata(p).num_rows for p in tmp_path.rglob("scores.parquet"))
    erase(places, read_people(["90", "10", "1"]))
    assert sum(pq.read_metadata(p).num_rows for p in tmp_path.rglob("scores.parquet")) == rows
    assert json.loads((tmp_path / "out" / "attribution.json").read_text())["customers"] == 20


def test_nobody_is_refused():
    with pytest.raises(UsageError, match="no id is given"):
        read_people([" "])
    assert People(frozenset({'a"b'})).mentions(b'{"x": "a\\"b"}') == 0


@pytest.mark.parametrize("word", ["clv", "customer_id", "segment", "premium", "12"])
def test_an_id_that_is_also_a_word_takes_nothing_from_others(word, places, tmp_path):
    """``premium`` names a segment too, and ``clv`` a field of every document and CRM call."""
    said = {"clv": {"total": 1}, "12": "12", "segments": {"premium": 3}, "segment": "premium"}
    said["examples"] = [{"customer_id": word, "x": 1}, {"customer_id": STAYS, "segment": "premium"}]
    write_text(places.workspace / "facts.json", json.dumps(said))
    calls = {p: p.read_text() for p in tmp_path.rglob("*.jsonl")}
    done = erase(places, read_people([word]))
    assert not done.left
    kept = json.loads((places.workspace / "facts.json").read_text())
    assert kept == {**said, "examples": said["examples"][1:]}
    assert {p: p.read_text() for p in tmp_path.rglob("*.jsonl")} == calls


def test_sinks_inside_of_the_workspace_keep_their_tombstones(kept, tmp_path):
    shutil.copytree(kept, tmp_path, dirs_exist_ok=True)
    inside = Places(tmp_path, (tmp_path / "out" / "scores",), sinks=sinks_of(tmp_path))
    done = erase(inside, read_people([GONE]))
    assert not done.left
    assert (tmp_path / "crm.db") not in {*map(pathlib.Path, done.removed)}
    again = verify(inside, read_people([GONE]))
    assert not again.left


def test_free_pages_of_sqlite_hold_nobody(places, tmp_path):
    url, secret = tmp_path / "crm.db", b"c00003-before"
    connection = sqlite3.connect(url)
    connection.execute("pragma secure_delete = off")
    connection.execute("create table old (x)")
    connection.execute("insert into old values (?)", (secret.decode(),))
    connection.commit()
    connection.execute("delete from old")
    connection.commit()
    connection.close()
    assert secret in url.read_bytes()
    erase(places, read_people([GONE]))
    assert secret not in url.read_bytes()


def test_tables_of_the_company_are_not_clvs_to_change(kept, tmp_path):
    """Wherever they lie: in the workspace, or below a folder that is called quarantine."""
    place = tmp_path / "quarantine"
    shutil.copytree(kept, place, dirs_exist_ok=True)
    own = place / "out" / "data"
    shutil.copytree(place / "company", own)
    messages = place / "out" / "tables" / "messages.parquet"
    folder(messages.parent)
    shutil.copy(place / "company" / "messages" / "shop.parquet", messages)
    before = {p: p.read_bytes() for p in own.rglob("*.parquet")}
    erase(Places(place / "out", sinks=sinks_of(place), own=own), read_people([GONE]))
    assert {p: p.read_bytes() for p in own.rglob("*.parquet")} == before
    assert messages.exists()
    write_text(own / "import-shop.json", "{}")  # what an import wrote is clv's
    erase(Places(place / "out", sinks=sinks_of(place), own=own), read_people([GONE]))
    assert not holding(own / "customers", GONE)
