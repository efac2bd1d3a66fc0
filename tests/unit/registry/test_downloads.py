"""Files of a store: only those that were registered, regular, and none beyond its limit."""

import json
import os
import re
import resource
import sqlite3
from pathlib import Path

import pytest

from clv.errors import RegistryError
from clv.registry import downloads, tracking
from tests.unit.registry.test_store import files, logged

DIGEST = "0" * 64
VALUE = "artifacts/clv/value.txt"


def fetched(address, tmp_path, names=(VALUE,)):
    target = tmp_path / "target"
    target.mkdir(exist_ok=True)
    with pytest.raises(RegistryError) as caught:
        downloads.fetch_version(str(address), dict.fromkeys(names, DIGEST), "sqlite:////x", target)
    assert caught.value.exit_code == 6
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value)
    assert not [path for path in target.rglob("*") if path.is_file()]
    return str(caught.value)


@pytest.mark.parametrize(
    ("address", "match"),
    [
        ("file:///etc", "differs from what was registered|cannot be read"),
        ("/etc", "differs from what was registered|cannot be read"),
        ("file:///", "differs from what was registered|cannot be read"),
        ("file:///nowhere/at/all", "cannot be read"),
        ("file:///etc/hostname", "cannot be read"),
        ("file:///a%00b", "cannot be read"),
        (f"file:///{'x' * 300}", "cannot be read"),
        (f"file:///{'x/' * 50_000}", "none that a store gives"),
        ("", "none that a store gives"),
        ("file:///a\nb", "none that a store gives"),
        ("relative/folder", "relative"),
        ("models:/clv/1", "another version"),
        ("nothing://known", "registry"),
    ],
)
def test_an_address_of_another_folder_is_refused_before_anything_is_copied(
    address, match, tmp_path
):
    assert re.search(match, fetched(address, tmp_path))


def hold(path, make):
    path.parent.mkdir(parents=True)
    make(path)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.symlink_to("/dev/zero"),
        os.mkfifo,
        os.mkdir,
        lambda path: (path.touch(), os.truncate(path, downloads.MAX_BYTES + 1)),
    ],
    ids=["link to a device", "pipe", "folder", "too large"],
)
def test_what_is_no_file_or_too_large_is_refused(make, tmp_path, monkeypatch):
    hold(tmp_path / "store" / VALUE, make)
    monkeypatch.setattr(downloads, "MAX_BYTES", 2**22)
    assert "value.txt" in fetched(tmp_path / "store", tmp_path)


def test_a_full_folder_and_names_that_no_model_has_are_refused(tmp_path, monkeypatch):
    hold(tmp_path / "store" / VALUE, lambda path: path.write_text("x"))
    for k in range(4):
        (tmp_path / "store" / f"{k}.txt").touch()
    with monkeypatch.context() as patch:
        patch.setattr(downloads, "MAX_ENTRIES", 3)
        assert "more than 3 files" in fetched(tmp_path / "store", tmp_path)
    hold(tmp_path / "other" / "artifacts" / "clv" / "x.pkl", lambda path: path.write_text("x"))
    assert "no model has" in fetched(tmp_path / "other", tmp_path, ["artifacts/clv/x.pkl"])
    assert "no model has" in fetched(tmp_path / "other", tmp_path, ["../../etc/hostname"])


class Endless:
    """A store that says its file is small and never stops sending."""

    def list_artifacts(self, below):
        from mlflow.entities import FileInfo

        part = {None: "artifacts", "artifacts": "artifacts/clv", "artifacts/clv": VALUE}[below]
        return [FileInfo(part, part != VALUE, 7)]

    def download_artifacts(self, name, folder):
        with (Path(folder) / "value.txt").open("wb") as file:
            while True:
                file.write(bytes(2**16))


def test_a_server_that_does_not_stop_sending_is_stopped(tmp_path, monkeypatch):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    monkeypatch.setattr(tracking, "repository", lambda *args: Endless())
    monkeypatch.setattr(downloads, "MAX_BYTES", 2**22)
    assert "larger than any" in fetched("s3://bucket/model", tmp_path)
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == before


def poisoned(registry, statement, value):
    with sqlite3.connect(registry.uri.removeprefix("sqlite:///")) as connection:
        connection.execute(statement, (value,))
    connection.close()


def test_documents_of_a_store_are_bounded_and_named(registry, model, unverified, monkeypatch):
    version = logged(registry, model)
    document = files(registry, version).parent / "backtest.json"
    with pytest.raises(RegistryError, match="not what a training logs"):
        registry.document(version, "../../../etc/hostname")
    with monkeypatch.context() as patch:
        patch.setattr(downloads, "MAX_DOCUMENT_BYTES", 5)
        with pytest.raises(RegistryError, match="larger than any"):
            registry.document(version, "backtest.json")
    document.write_text("[1]")
    with pytest.raises(RegistryError, match="not what a training logs"):
        registry.documents(version)
    document.unlink()
    document.symlink_to("/etc/hostname")
    with pytest.raises(RegistryError, match="cannot be read"):
        registry.document(version, "backtest.json")
    poisoned(registry, "update runs set artifact_uri = ?", "file:///etc")
    with pytest.raises(RegistryError, match="cannot be read"):
        registry.document(version, "backtest.json")
    assert registry.documents(version) == {}


@pytest.mark.parametrize("digests", ["", "[]", "7", json.dumps({VALUE: 7}), json.dumps({"x": "y"})])
def test_hashes_of_another_kind_are_hashes_that_differ(
    registry, model, unverified, digests, monkeypatch
):
    version = logged(registry, model)
    poisoned(registry, "update model_version_tags set value = ? where key = 'sha256'", digests)
    with pytest.raises(RegistryError):
        registry.load(version.uri)
