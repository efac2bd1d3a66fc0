"""A real MLflow server with a PostgreSQL behind it: train, promote, roll back, score, lose it."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from clv.registry import Registry
from clv.scoring import runs
from clv.simulation import SimulationOptions, simulate

pytestmark = pytest.mark.slow
START_SECONDS = 60
SMALL = """
training: {horizon_days: 90, cutoffs: 2, folds: 1, trees: 10, model: lightgbm,
  purchase_model: bg_nbd}
scoring: {reasons: "top:5"}
gate: {gini_standard_errors: 100, total_bias: 9, prospects_error: 9, calibration_error: 1,
  coverage_low: 0, coverage_high: 1}
"""


@pytest.fixture
def server(postgres, tmp_path, monkeypatch):
    """Start `mlflow server`; return its address and a function that ends it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "mlflow", "server", "--workers", "1"]
    command += ["--backend-store-uri", postgres, "--artifacts-destination", tmp_path / "artifacts"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    switches = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=os.environ | switches, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"

    def end():
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=30)

    try:
        wait(address, process, tmp_path / "server.log")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        yield address, end
    finally:
        end()


def wait(address, process, log):
    began = time.monotonic()
    while process.poll() is None and time.monotonic() < began + START_SECONDS:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"the server does not answer: {log.read_text()[-2000:]}")


def test_models_live_on_a_server_with_postgres(
    clv, server, postgres, postgres_server, tmp_path, monkeypatch
):
    address, end = server
    (tmp_path / "small.yaml").write_text(SMALL)
    data = tmp_path / "company"
    data.mkdir()
    drawn = simulate(SimulationOptions(customers=200, years=2, agents=10, transcripts=False))
    drawn.tables["orders"].to_parquet(data / "orders.parquet", index=False)
    given = ("--data", data, "--config", tmp_path / "small.yaml")

    def done(*words):
        seen = clv(*words, *(given if words[0] in ("train", "score") else given[2:]))
        assert seen.code == 0, seen.err

    done("train", "--promote")
    done("train")
    done("promote", "--why", "newer")
    done("rollback", "--why", "known good")
    done("score")
    scores = tmp_path / "out" / "scores"
    (published,) = runs(scores)
    assert "clv-v1" in published
    found = pq.read_table(scores / "runs" / published / "scores.parquet").to_pandas()
    given_reasons = found[found["reason_1"].notna()]
    assert set(given_reasons.index) == set(found["clv"].nlargest(5).index)

    registry = Registry(address)
    assert [version.verified for version in registry.versions()] == [True, True]
    assert (registry.alias("challenger").number, registry.alias("champion").number) == (2, 1)
    moves = [(move.action, move.version, move.previous) for move in registry.history()]
    assert moves == [("promote", 1, None), ("promote", 2, 1), ("rollback", 1, 2)]
    engine = sa.create_engine(postgres)
    with engine.connect() as connection:
        assert connection.execute(sa.text("select count(*) from model_versions")).scalar() == 2
    engine.dispose()
    assert len(list((tmp_path / "artifacts").rglob("value.txt"))) == 2
    assert not (tmp_path / "out" / "mlflow.db").exists()

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    name = postgres.split("/")[3].split("?")[0]
    admin = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"alter database {name} with allow_connections false"))
        ended = "select pg_terminate_backend(pid) from pg_stat_activity where datname = :name"
        connection.execute(sa.text(ended), {"name": name})
        refused(clv("score", *given), address)
        connection.execute(sa.text(f"alter database {name} with allow_connections true"))
    admin.dispose()
    end()
    for command in (("score",), ("train",)):
        began = time.monotonic()
        seen = clv(*command, *given)
        refused(seen, f"{address}: not reachable")
        assert '"title"' not in seen.out  # no step before: nothing is fitted in vain
        assert time.monotonic() - began < 20
    assert runs(scores) == [published]


def refused(seen, text):
    """Expect the registry's exit code and one line that says where."""
    assert seen.code == 6, seen.err
    (line,) = seen.err.strip().splitlines()
    assert text in line
    assert "Traceback" not in line
