"""A store that others can write to, cell by cell: refused by a code of its own, or as it was."""

import itertools
import os
import random
import shutil
import sqlite3

import pytest

from clv.errors import ClvError
from clv.models.lifetime_value import LifetimeModel
from clv.registry import Registry, golden
from clv.registry.example import golden_rows
from tests.robustness.victim import NOW, YES

CELLS = int(os.environ.get("CLV_TORTURE_CELLS", "40"))
"""How many cells of the registry's database; `make torture` asks for all of them."""

REFUSED = (3, 4, 6)
ROWS = 3  # of each table
NASTY = (
    *(None, "", "x" * 5000, "\x00", "../../../etc/passwd", "file:///etc/passwd", -1, 0, 10**15),
    *(
        1e308,
        "nan",
        "inf",
        "[]",
        "{}",
        "[" * 3000,
        '{"a": 1}',
        "'; drop table runs; --",
        b"\xff\xfe",
    ),
    *("http://127.0.0.1:9/x", "runs:/x/model", "models:/clv/1", "true", "2"),
)
TABLES = (
    *("registered_models", "model_versions", "registered_model_tags", "model_version_tags"),
    *("registered_model_aliases", "runs", "params", "latest_metrics", "metrics", "tags"),
    *("experiments", "alembic_version"),
)
DOCUMENTS = {"training.json": {"as_of": "2025-06-30", "chosen": "blend", "interval_level": 0.9}}


@pytest.fixture(scope="module")
def store(data, tmp_path_factory):
    """Return a folder with a registry whose champion is the second of two versions."""
    place = tmp_path_factory.mktemp("poisoned")
    model, registry = LifetimeModel.load(data / "model"), Registry.local(place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(golden, "check", lambda *_: None)
        for _ in range(2):
            version = registry.log_training(
                model, parameters={"seed": 1}, metrics={"backtest/blend/gini": 0.7},
                artifacts=DOCUMENTS, tags={"code_version": "0.1.0"},
            )  # fmt: skip
            registry.promote(
                version, YES, champion=registry.alias("champion"), who="ana", when=NOW, why="first"
            )
    return place


def answers(place):
    """Return all that a registry is asked for by the commands, of its champion."""
    registry = Registry.local(place)
    loaded = registry.load()
    version = registry.version(loaded.version)
    info = loaded.model.info
    rows = golden_rows(info.features, info.categories, info.training_cutoff)
    registry.parameters(version)
    registry.history()
    registry.trained(version)
    return registry.documents(version), loaded.model.predict(rows).to_csv(), loaded.metrics


def ended(place):
    """Return the code of asking a registry, and its answers or the error in words."""
    try:
        return 0, answers(place)
    except ClvError as error:
        return error.exit_code, str(error)


def cells(database):
    """Return every cell of the first rows of the tables, with each value to put into it."""
    found = []
    for table in TABLES:
        columns = [row[1] for row in database.execute(f"pragma table_info({table})")]
        ids = [row[0] for row in database.execute(f"select rowid from {table} limit {ROWS}")]
        found += itertools.product([table], columns, ids, NASTY)
    return found


def poisoned(source, place, cell):
    """Copy a store's database with one cell changed; say whether SQLite took it."""
    table, column, row, value = cell
    place.mkdir()
    shutil.copy(source / "mlflow.db", place / "mlflow.db")
    with sqlite3.connect(place / "mlflow.db") as database:
        try:
            database.execute(f"update {table} set {column} = ? where rowid = ?", (value, row))
        except (sqlite3.IntegrityError, OverflowError):
            return False
    database.close()
    return True


@pytest.mark.slow
def test_a_registry_with_any_cell_changed_is_refused_or_answers_as_before(store, tmp_path):
    documents, scores, metrics = answers(store)
    with sqlite3.connect(store / "mlflow.db") as database:
        every = cells(database)
    database.close()
    chosen = random.Random(0).sample(every, min(CELLS, len(every)))
    counts = dict.fromkeys((*REFUSED, 0), 0)
    for number, cell in enumerate(chosen):
        place = tmp_path / str(number)
        if not poisoned(store, place, cell):
            continue
        code, found = ended(place)
        assert code in (*REFUSED, 0), (cell, found)
        counts[code] += 1
        # Metrics are the store's own word, and may have its values.
        assert code or found[:2] == (documents, scores), cell
        assert code or set(found[2]) <= {*metrics, cell[3]}, cell
        shutil.rmtree(place)
    assert counts[6] > 0
    assert counts[0] > 0
