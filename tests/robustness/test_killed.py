"""Killed at random moments: readers see the old or the new, and the rerun ends the same."""

import json
import shutil

import numpy as np
import pytest
import sqlalchemy as sa

from clv.registry import Registry
from clv.scoring import current, runs
from clv.storage import sha256_of
from tests.robustness.conftest import KILLS

pytestmark = pytest.mark.slow
BEFORE, AFTER = "2025-05-31", "2025-06-30"


def contents(out):
    """Return the hashes of the current run's files but the manifest, as a reader finds them."""
    run = current(out)
    named = json.loads((run / "manifest.json").read_text())["files"]
    found = {path.name: sha256_of(path) for path in run.iterdir() if path.name != "manifest.json"}
    assert found == {name: entry["sha256"] for name, entry in named.items()}
    return found


def seconds(answer):
    word, _, took = answer.partition(" ")
    assert word == "done", answer
    return float(took)


def moments(usual):
    """Return random moments of a run: half of all of it, half of its last third."""
    rng = np.random.default_rng(0)
    return [usual * rng.uniform(0.0 if k % 2 else 0.6, 1.0) for k in range(KILLS)]


def test_a_scoring_run_killed_anywhere_publishes_all_or_nothing(victims, tmp_path):
    scoring = victims("score")
    usual = seconds(scoring.run(tmp_path / "before", BEFORE))
    usual = min(usual, seconds(scoring.run(tmp_path / "after", AFTER)))
    old, new = contents(tmp_path / "before"), contents(tmp_path / "after")
    assert old != new
    killed = 0
    for trial, moment in enumerate(moments(usual)):
        out = tmp_path / f"trial{trial}"
        shutil.copytree(tmp_path / "before", out)

        def read(out=out):
            assert contents(out) in (old, new)

        answer = scoring.run(out, AFTER, moment, meanwhile=read)
        killed += answer == "killed"
        read()
        seconds(scoring.run(out, AFTER, meanwhile=read))
        assert contents(out) == new
        assert not (out / ".staging").exists()
        assert not (out / ".unfinished").exists()
        assert {path.name for path in (out / "runs").iterdir()} == set(runs(out))
    assert killed > KILLS // 3


def artefacts(version):
    digests = json.loads(version.tags["sha256"])
    return {name: digest for name, digest in digests.items() if name.startswith("artifacts/")}


def check_names(registry):
    """Load whatever has a name, and hold the record against it."""
    names = {alias for version in registry.versions() for alias in version.aliases}
    for name in names:
        registry.load(f"models:/{registry.name}@{name}")
    champion = registry.alias("champion")
    recorded = registry.history()
    assert (champion is None) == (not recorded)
    assert champion is None or recorded[-1].version == champion.number


def test_a_training_killed_anywhere_leaves_no_name_that_does_not_load(victims, tmp_path):
    training = victims("train")
    fresh = seconds(training.run(tmp_path / "reference", 0))
    usual = seconds(training.run(tmp_path / "reference", 0))
    (second, first) = Registry.local(tmp_path / "reference").versions()
    wanted = artefacts(first)
    assert artefacts(second) == wanted
    killed = 0
    for trial, moment in enumerate(moments(usual)):
        new_store = trial % 5 == 4
        store = tmp_path / f"fresh{trial}" if new_store else tmp_path / "reference"
        answer = training.run(store, 0, moment * (fresh / usual if new_store else 1))
        killed += answer == "killed"
        if (store / "mlflow.db").exists():
            check_names(Registry.local(store))
        if new_store or trial % 5 == 0:
            seconds(training.run(store, 0))
            registry = Registry.local(store)
            check_names(registry)
            newest = registry.versions()[0]
            assert set(newest.aliases) == {"challenger", "champion"}
            assert artefacts(newest) == wanted
    assert killed > KILLS // 3


def test_postgres_holds_one_row_per_customer_and_day_after_a_kill(victims, tmp_path, postgres):
    scoring = victims("score")
    usual = seconds(scoring.run(tmp_path / "first", f"{BEFORE},{postgres}"))
    for fraction in (0.6, 0.75, 0.9):
        scoring.run(tmp_path / "second", f"{AFTER},{postgres}", usual * fraction)
    seconds(scoring.run(tmp_path / "third", f"{AFTER},{postgres}"))
    engine = sa.create_engine(postgres)
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text("select customer_id, as_of from clv_scores_history")
        ).all()
        active = connection.execute(
            sa.text("select customer_id from clv_scores_current where active = 1")
        ).scalars()
        active = list(active)
    engine.dispose()
    assert len(rows) == len(set(rows))
    assert {str(day) for _, day in rows} == {BEFORE, AFTER}
    latest = {customer for customer, day in rows if str(day) == AFTER}
    assert set(active) == latest
    assert len(active) == len(latest)
