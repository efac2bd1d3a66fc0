"""One small fitted model, and one initialised store that every test copies."""

import shutil

import pytest

from clv.contract.tables import Tables
from clv.engines.connect import connect
from clv.events.histories import make_histories
from clv.models.lifetime_value import LifetimeModel
from clv.models.options import ModelOptions
from clv.models.training.panel import build_panel
from clv.models.trees.boosting import Growth
from clv.registry import Registry
from clv.simulation import SimulationOptions, simulate
from clv.windows import rolling_cutoffs


@pytest.fixture(scope="session")
def company():
    """Return frames of a small synthetic company, as its files hold them."""
    drawn = simulate(
        SimulationOptions(customers=400, years=2, agents=10, seed=1, transcripts=False)
    )
    return {name: drawn.tables[name] for name in ("orders", "customers", "interactions")}


@pytest.fixture(scope="session")
def tables(company):
    with connect(threads=1) as engine:
        yield Tables.from_frames(engine, company)


@pytest.fixture(scope="session")
def model(tables):
    first, last = tables.span()
    windows = rolling_cutoffs(first, last, 90, every_days=90, history_days=180)[-3:]
    options = ModelOptions(folds=1, growth=Growth(trees=8), purchase_model="bg_nbd")
    return LifetimeModel.fit(build_panel(make_histories(tables), windows), options)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """Return an SQLite file with MLflow's tables; making one takes seconds."""
    folder = tmp_path_factory.mktemp("store")
    Registry.local(folder)
    return folder / "mlflow.db"


@pytest.fixture
def registry(empty_store, tmp_path):
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return Registry.local(tmp_path)


@pytest.fixture
def unverified(monkeypatch):
    """Leave the fresh process out, where a test is about something else."""
    monkeypatch.setattr("clv.registry.golden.check", lambda *args: None)
