"""What is registered is what loads; names move by the rules only."""

import datetime as dt
import json
import re
import site
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from clv.errors import GateError, RegistryError
from clv.events.histories import make_histories
from clv.registry import GateCheck, GateResult, Registry, golden, promotion_gate, tracking
from clv.registry.digests import check_types, digests_of, verify
from clv.registry.example import golden_rows
from clv.registry.history import Event, before_the_champion, events_of
from clv.registry.serving import completed
from clv.registry.version import RunFacts, number_of
from clv.registry.wheel import is_wheel
from clv.scoring import ScoringOptions, current, score

WHEN = dt.datetime(2025, 7, 1, 4, 5, tzinfo=dt.UTC)
YES = GateResult((GateCheck("loads", True, 1.0, 1.0, None, "loads"),))
NO = GateResult((GateCheck("coverage", False, 0.5, 0.85, 0.95, "coverage is 0.5"),))
RECORD = {"who": "ana", "when": WHEN, "why": "better"}


def logged(registry, model, gini=0.7):
    return registry.log_training(
        model,
        parameters={"horizon_days": 90, "long": "x" * 7000},
        metrics={"backtest/blend/gini": gini, "btyd/bg_nbd/r": 0.24, "coverage/0.9": 0.9},
        artifacts={"backtest.json": {"chosen": "blend"}},
        tags={"data_fingerprint": "abc", "code_version": "0.1.0"},
    )


def files(registry, version):
    return Path(version.source.removeprefix("file://"))


def test_a_training_is_logged_verified_in_a_fresh_process_and_scores(
    registry, model, tables, tmp_path
):
    """The whole way, with the real model and a process of its own."""
    version = logged(registry, model)
    assert version.aliases == ("challenger",)
    assert version.verified
    assert version.tags["data_fingerprint"] == "abc"
    assert registry.document(version, "backtest.json") == {"chosen": "blend"}
    assert registry.metrics(version)["btyd/bg_nbd/r"] == 0.24

    registry.promote(version, YES, champion=None, **RECORD)
    loaded = registry.load()
    assert (loaded.uri, loaded.version) == ("models:/clv/1", 1)
    info = loaded.model.info
    rows = golden_rows(info.features, info.categories, info.training_cutoff)
    pd.testing.assert_frame_equal(loaded.model.predict(rows), model.predict(rows))

    as_of = tables.span()[1]
    result = score(
        make_histories(tables),
        loaded.model,
        as_of=as_of,
        options=ScoringOptions(
            model_name=loaded.name,
            model_version=loaded.version,
            out=tmp_path / "scores",
            chunk_customers=150,
        ),
    )
    found = pd.read_parquet(current(tmp_path / "scores") / "scores.parquet")
    assert result.quarantined == 0
    assert len(found) == result.customers > 300
    named = [found[f"reason_{k}_amount"].abs().fillna(0) for k in (1, 2, 3)]
    assert (named[0] >= named[1]).all()
    assert (named[1] >= named[2]).all()


def test_the_artefacts_hold_no_pickle_no_path_and_a_signature(registry, model, unverified):
    version = logged(registry, model)
    directory = files(registry, version)
    assert not [p for p in directory.rglob("*") if p.suffix in (".pkl", ".pickle", ".lock")]
    check_types(directory)
    text = (directory / "MLmodel").read_text()
    assert str(Path.cwd()) not in text
    assert "/tmp" not in text
    inputs = json.loads(text.split("inputs: '")[1].split("'\n")[0].replace("\n", ""))
    kinds = {column["name"]: column["type"] for column in inputs}
    info = model.info
    assert set(kinds) == {"customer_id", "as_of", *info.features}
    assert {kinds[name] for name in info.categories} == {"string"}
    assert kinds["frequency"] == "double"
    assert f"feature_fingerprint: {info.fingerprint}" in text
    first = (directory / "requirements.txt").read_text().splitlines()[0]
    assert is_wheel(first)
    assert (directory / first).is_file()


@pytest.mark.slow
def test_the_models_environment_installs_without_an_index(registry, model, unverified, tmp_path):
    """As MLflow makes it: pip in the model's folder, clv absent, all else as the lock has it."""
    directory = files(registry, logged(registry, model))
    python, place = empty_environment(tmp_path / "env")
    others = tmp_path / "others"
    others.mkdir()
    for entry in (e for folder in site.getsitepackages() for e in Path(folder).iterdir()):
        if not re.match(r"clv\b|clv-|__editable__|__pycache__", entry.name):
            (others / entry.name).symlink_to(entry)
    (place / "others.pth").write_text(str(others), encoding="utf-8")
    install = [python, "-m", "pip", "install", "-q", "--no-index", "-r", "requirements.txt"]
    subprocess.run(install, cwd=directory, check=True, capture_output=True, text=True)
    rows = golden_rows(model.info.features, model.info.categories, model.info.training_cutoff, 4)
    rows.to_json(tmp_path / "rows.json", orient="records")
    code = (
        "import sys, clv, mlflow.pyfunc, pandas as pd\n"
        "assert clv.__file__.startswith(sys.prefix), clv.__file__\n"
        "model = mlflow.pyfunc.load_model(sys.argv[1])\n"
        "kinds = {c.name: c.type.name for c in model.metadata.get_input_schema()}\n"
        "rows = pd.read_json(sys.argv[2], dtype=False, convert_dates=False)\n"
        "rows = rows.astype({n: 'float64' for n, k in kinds.items() if k == 'double'})\n"
        "print([round(v, 6) for v in pd.DataFrame(model.predict(rows))['clv'].dropna()])"
    )
    run = [python, "-I", "-W", "ignore", "-c", code, directory, tmp_path / "rows.json"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = model.predict(rows)["clv"].dropna().round(6).tolist()
    assert json.loads(done.stdout.splitlines()[-1]) == pytest.approx(expected)


def empty_environment(folder):
    """Make an environment with pip alone; return its Python and where its packages go."""
    venv.create(folder, with_pip=True)
    place = sysconfig.get_path("purelib", vars={"base": str(folder)})
    return folder / "bin" / "python", Path(place)


def test_a_person_can_read_a_run(registry, model, unverified):
    about = RunFacts(
        name="train 2025-12-31 h180",
        source="clv train",
        started_ms=1_700_000_000_000,
        dataset={"name": "company tables", "digest": "f" * 64, "profile": {"orders": {"rows": 9}}},
        pictures={"beeswarm.png": b"\x89PNG"},
    )
    version = registry.log_training(
        model, parameters={}, metrics={}, artifacts={}, tags={"as_of": "2025-12-31"}, about=about
    )
    registry.note_gate(version, NO)
    run = registry._client.get_run(version.run_id)
    assert run.info.run_name == "train 2025-12-31 h180"
    assert run.info.start_time == 1_700_000_000_000 < run.info.end_time
    tags = run.data.tags
    assert (tags["mlflow.source.name"], tags["as_of"]) == ("clv train", "2025-12-31")
    assert tags["gate"] == registry.version(version.number).tags["gate"] == "stopped: coverage"
    (data,) = run.inputs.dataset_inputs
    assert json.loads(data.dataset.profile) == {"orders": {"rows": 9}}
    pictures = registry._client.list_artifacts(version.run_id, "pictures")
    assert [item.path for item in pictures] == ["pictures/beeswarm.png"]
    assert not [p for p in files(registry, version).rglob("*") if p.suffix == ".png"]


@pytest.fixture
def server(registry, model, unverified):
    """Return what MLflow's own scoring server answers for the registered model."""
    from mlflow.pyfunc import load_model
    from mlflow.pyfunc.scoring_server import invocations

    loaded = load_model(str(files(registry, logged(registry, model))))

    def post(rows):
        text = json.dumps({"dataframe_records": rows})
        return invocations(text, "application/json", loaded, loaded.metadata.get_input_schema())

    return post


def test_a_server_answers_in_json_and_lets_optional_features_be_absent(server, model):
    info = model.info
    rows = golden_rows(info.features, info.categories, info.training_cutoff, rows=8)
    needed = ["customer_id", "as_of", "frequency", "recency_days", "age_days", "monetary_value"]
    least = json.loads(rows[needed].to_json(orient="records"))
    answer = server(least)
    assert answer.status == 200, answer.response

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    told = json.loads(answer.response, parse_constant=refuse)["predictions"]
    expected = model.predict(completed(model, rows[needed]))
    assert [row["clv"] for row in told] == pytest.approx(
        [None if pd.isna(value) else value for value in expected["clv"]]
    )
    assert any(row["p_repeat"] is None for row in told)
    with pytest.raises(MlflowException, match="enforce model input schema"):
        server([{"customer_id": "c1"}])


def test_no_customer_is_in_the_registry(registry, model, company, unverified):
    version = logged(registry, model)
    ids = set(company["orders"]["customer_id"].head(50))
    for path in files(registry, version).rglob("*.json"):
        assert not any(f'"{name}"' in path.read_text() for name in ids)


def test_a_model_that_predicts_otherwise_gets_no_name(registry, model, monkeypatch):
    def changed(directory, rows, expected, where):
        golden.compare(expected.assign(clv=expected.clv + 1e-3), expected, where)

    monkeypatch.setattr(golden, "check", changed)
    with pytest.raises(RegistryError, match="column 'clv' differs"):
        logged(registry, model)
    assert registry.alias("challenger") is None
    with pytest.raises(RegistryError, match="was not verified"):
        registry.promote(registry.version(1), YES, champion=None, **RECORD)


def test_a_model_that_does_not_load_in_a_fresh_process_says_why(tmp_path):
    with pytest.raises(RegistryError, match="does not load in a fresh process"):
        golden.check(
            tmp_path / "nothing", pd.DataFrame({"a": [1.0]}), pd.DataFrame(), "models:/x/1"
        )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: (d / "artifacts/clv/model.json").write_text("{}"),
        lambda d: next(d.glob("artifacts/clv/*.txt")).write_text("tree"),
        lambda d: (d / "artifacts/clv/model.json").unlink(),
        lambda d: (d / "artifacts/clv/more.json").write_text("{}"),
        lambda d: (d / "entry.py").write_text("import os"),
    ],
)
def test_a_changed_file_is_refused(registry, model, unverified, spoil):
    version = logged(registry, model)
    spoil(files(registry, version))
    with pytest.raises(RegistryError, match="differs from what was registered"):
        registry.load("models:/clv@challenger")


@pytest.mark.parametrize("name", ["artifacts/clv/model.pkl", "code/extra.py", "uv.lock"])
def test_only_our_types_of_files_are_accepted(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    with pytest.raises(RegistryError, match="not of a type a model may have"):
        verify(tmp_path, digests_of(tmp_path))


def test_a_link_out_of_the_model_is_refused(tmp_path):
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "model.json").symlink_to("/etc/hostname")
    with pytest.raises(RegistryError, match=r"artifacts/model\.json"):
        check_types(tmp_path)


def test_promotion_and_rollback_are_recorded_and_move_one_name(registry, model, unverified):
    versions = [logged(registry, model) for _ in range(3)]
    for before, version in zip([None, *versions], versions, strict=False):
        registry.promote(version, YES, champion=before, **RECORD)
    assert registry.alias("champion").number == 3
    assert registry.rollback(who="bo", when=WHEN, why="complaints").number == 2
    assert registry.rollback(who="bo", when=WHEN, why="complaints").number == 1
    with pytest.raises(RegistryError, match="no champion to go back to"):
        registry.rollback(who="bo", when=WHEN, why="again")
    assert registry.alias("champion").number == 1
    moves = [(e.action, e.version, e.previous, e.who, e.why) for e in registry.history()]
    assert moves[2:] == [
        ("promote", 3, 2, "ana", "better"),
        ("rollback", 2, 3, "bo", "complaints"),
        ("rollback", 1, 2, "bo", "complaints"),
    ]
    assert {event.when for event in registry.history()} == {"2025-07-01T04:05:00Z"}
    assert [v.number for v in registry.versions()] == [3, 2, 1]


def test_the_gate_and_a_champion_that_moved_stop_a_promotion(registry, model, unverified):
    one, two = logged(registry, model), logged(registry, model)
    with pytest.raises(GateError, match=r"coverage is 0\.5"):
        registry.promote(one, NO, champion=None, **RECORD)
    registry.promote(one, YES, champion=None, **RECORD)
    with pytest.raises(RegistryError, match="was version None when this promote began"):
        registry.promote(two, YES, champion=None, **RECORD)
    assert registry.alias("champion").number == 1


def test_the_gate_reads_what_was_logged(registry, model, unverified):
    version = logged(registry, model)
    result = promotion_gate(registry.metrics(version), loads=version.verified)
    answers = {check.name: check.passed for check in result.checks}
    assert answers == {
        "gini_btyd": False,
        "total_bias": False,
        "prospects_error": False,
        "calibration_error": False,
        "coverage": True,
        "loads": True,
    }


def test_an_older_version_does_not_take_the_challengers_name(registry, model, unverified):
    one = logged(registry, model)
    logged(registry, model)
    registry.verify(one, model, digests_of(files(registry, one)))
    assert registry.alias("challenger").number == 2


@pytest.mark.parametrize(
    ("uri", "match"),
    [
        ("models:/clv@champion", "has no champion yet"),
        ("models:/clv/9", "has no version 9"),
        (f"models:/clv/{'1' * 5000}", "is not an address of a model here"),
        ("models:/other/1", "is not an address of a model here"),
        ("clv-out/model", "is not an address of a model here"),
    ],
)
def test_an_address_that_names_nothing(registry, uri, match):
    with pytest.raises(RegistryError, match=match) as caught:
        registry.load(uri)
    assert caught.value.exit_code == 6


@pytest.mark.parametrize(
    ("uri", "match"),
    [
        ("http://127.0.0.1:9", "not reachable"),
        ("postgresql+psycopg://clv:hunter2@127.0.0.1:9/mlflow", "not reachable"),
        ("./mlruns", "is not a store"),
        ("file:///tmp/mlruns", "is not a store"),
        ("sqlite:///mlflow.db", "relative path"),
        ("fax://server", "is not a store"),
    ],
)
def test_a_store_that_cannot_be_reached_is_said_at_once(uri, match):
    with pytest.raises(RegistryError, match=match) as caught:
        Registry(uri)
    assert "hunter2" not in str(caught.value)


def test_a_relative_artefact_root_is_refused(empty_store):
    with pytest.raises(RegistryError, match="is relative"):
        Registry(f"sqlite:///{empty_store}", "artifacts")


@pytest.mark.parametrize("spoil", [lambda p: p.mkdir(), lambda p: p.write_text("no database" * 99)])
def test_what_is_no_database_is_said_at_once(tmp_path, spoil):
    spoil(tmp_path / "mlflow.db")
    with pytest.raises(RegistryError, match="not reachable"):
        Registry.local(tmp_path)


def test_what_is_no_json_begins_no_run(registry, model, unverified):
    with pytest.raises(TypeError):
        registry.log_training(
            model, parameters={}, metrics={}, artifacts={"a.json": {"x": object()}}, tags={}
        )
    assert registry._client.get_experiment_by_name("clv") is None


def test_a_failed_training_is_marked_as_failed(registry, model, unverified):
    with pytest.raises(TypeError):
        registry.log_training(
            model, parameters={}, metrics={"x": object()}, artifacts={"a.json": {}}, tags={}
        )
    experiment = registry._client.get_experiment_by_name("clv")
    (run,) = registry._client.search_runs([experiment.experiment_id])
    assert run.info.status == "FAILED"
    assert registry.versions() == ()


@pytest.mark.slow
def test_several_processes_may_open_a_fresh_store_at_once(tmp_path):
    program = (
        "import sys, pathlib\nfrom clv.registry import Registry, tracking\n"
        "r = Registry.local(pathlib.Path(sys.argv[1]))\n"
        "print(tracking.experiment_id(r._client, r.uri, r.name, r._artifact_root))"
    )
    command = [sys.executable, "-W", "ignore", "-c", program, str(tmp_path)]
    opened = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = {process.communicate()[0].strip() for process in opened}
    assert [process.returncode for process in opened] == [0, 0, 0]
    assert len(answers) == 1


def test_history_ignores_other_tags():
    assert events_of({"note": "x"}) == ()


@pytest.mark.parametrize("text", ["", "{}", "[]", "[" * 9999, "1", '{"action": "promote"}'])
def test_a_tag_that_is_no_move_is_a_registry_error(text):
    with pytest.raises(RegistryError, match="no move of the champion"):
        events_of({"history/000001": text})


@pytest.mark.parametrize("said", ["one", "", "-1", "9" * 5000, None, "3.0"])
def test_a_store_that_names_a_version_by_no_number(said):
    with pytest.raises(RegistryError, match="no number"):
        number_of(said)


def test_a_rollback_of_a_move_that_is_gone_is_no_defect():
    alone = Event("rollback", 1, 2, "ana", "2025-06-30T00:00:00Z", "worse")
    with pytest.raises(RegistryError, match="no champion to go back to"):
        before_the_champion([alone])


def test_a_list_of_versions_without_an_end_is_said():
    """A server that answers the same page for ever."""

    class Page(list):
        token = "again"

    class Client:
        def search_model_versions(self, _query, page_token=None):
            return Page([page_token])

    with pytest.raises(RegistryError, match="has no end"):
        tracking.search_versions(Client(), "clv")
