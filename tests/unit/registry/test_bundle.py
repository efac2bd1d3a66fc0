"""A bundle carries a model to another store, and is refused when it is not what it says."""

import json
import shutil
import stat
import zipfile

import pandas as pd
import pytest

from clv.errors import RegistryError
from clv.registry import Registry, bundle
from clv.registry.example import golden_rows
from tests.unit.registry.test_store import logged


@pytest.fixture(scope="module")
def store(empty_store, tmp_path_factory, model):
    """Return a registry with one version, which no test changes."""
    folder = tmp_path_factory.mktemp("exporting")
    shutil.copy(empty_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clv.registry.golden.check", lambda *args: None)
        registry = Registry.local(folder)
        logged(registry, model)
    return registry


@pytest.fixture(scope="module")
def exported(store, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "model.zip"
    store.export_bundle(store.version(1), path)
    return path


def test_a_model_scores_in_another_store_as_in_its_own(
    exported, empty_store, tmp_path, model, unverified
):
    assert stat.S_IMODE(exported.stat().st_mode) == 0o600
    (tmp_path / "other").mkdir()
    shutil.copy(empty_store, tmp_path / "other" / "mlflow.db")
    other = Registry.local(tmp_path / "other")
    version = other.import_bundle(exported)
    assert version.verified
    assert version.aliases == ("challenger",)
    assert version.tags["imported_from"] == "models:/clv/1"
    assert version.tags["data_fingerprint"] == "abc"
    assert other.metrics(version)["backtest/blend/gini"] == 0.7
    assert other.document(version, "backtest.json") == {"chosen": "blend"}
    rows = golden_rows(model.info.features, model.info.categories, model.info.training_cutoff)
    loaded = other.load(version.uri).model
    pd.testing.assert_frame_equal(loaded.predict(rows), model.predict(rows))


def test_the_same_version_exports_the_same_bytes(exported, store, tmp_path):
    again = tmp_path / "again.zip"
    store.export_bundle(store.version(1), again)
    assert again.read_bytes() == exported.read_bytes()


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "unpacked"
    path.mkdir()
    return path


def changed(source, target, change):
    """Copy an archive with its entries changed: a dict of name to bytes, in place."""
    with zipfile.ZipFile(source) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return target


VALUE = "model/artifacts/clv/value.txt"


def tamper(entries):
    entries[VALUE] = entries[VALUE].replace(b"leaf_value=", b"leaf_value=1", 1)


def truncate(entries):
    entries[VALUE] = entries[VALUE][:100]


def lose(entries):
    del entries[VALUE]


def add(entries):
    entries["model/artifacts/clv/extra.txt"] = b"x"


def climb(entries):
    entries["model/../../climbed.txt"] = b"x"


def absolute(entries):
    entries["/etc/clv.txt"] = b"x"


def windows(entries):
    entries["model\\..\\..\\x.txt"] = b"x"


def pickled(entries):
    entries["model/artifacts/clv/value.pkl"] = b"x"
    record = json.loads(entries["bundle.json"])
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    record["digests"]["artifacts/clv/value.pkl"] = digest
    entries["bundle.json"] = json.dumps(record).encode()


def no_record(entries):
    del entries["bundle.json"]


def other_format(entries):
    entries["bundle.json"] = entries["bundle.json"].replace(b'"format": 1', b'"format": 9')


def no_json(entries):
    entries["bundle.json"] = b"[1]"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (tamper, "differs from what was registered"),
        (truncate, "differs from what was registered"),
        (lose, "is missing"),
        (add, "added"),
        (climb, "no file of a model"),
        (absolute, "no file of a model"),
        (windows, "no file of a model"),
        (pickled, "not of a type"),
        (no_record, "not a bundle"),
        (other_format, "format 9"),
        (no_json, "cannot|can be read"),
    ],
)
def test_a_bundle_that_is_not_what_it_says_is_refused(change, match, exported, folder):
    path = changed(exported, folder.parent / "changed.zip", change)
    with pytest.raises(RegistryError, match=match):
        bundle.read(path, folder)
    assert not list(folder.parent.parent.glob("climbed.txt"))


def test_a_link_and_a_bomb_are_refused(exported, folder, tmp_path, monkeypatch):
    linked = tmp_path / "linked.zip"
    with zipfile.ZipFile(exported) as archive, zipfile.ZipFile(linked, "w") as target:
        target.writestr("bundle.json", archive.read("bundle.json"))
        entry = zipfile.ZipInfo("model/artifacts/clv/value.txt")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        target.writestr(entry, "/etc/passwd")
    with pytest.raises(RegistryError, match="holds a link"):
        bundle.read(linked, folder)
    monkeypatch.setattr(bundle, "MAX_BYTES", 1000)
    with pytest.raises(RegistryError, match="unpacks to more"):
        bundle.read(exported, folder)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04broken"])
def test_what_is_no_archive_is_refused(content, folder, tmp_path):
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(RegistryError, match="is not a bundle"):
        bundle.read(tmp_path / "x.zip", folder)
    with pytest.raises(RegistryError, match="cannot be read"):
        bundle.read(tmp_path / "absent.zip", folder)
