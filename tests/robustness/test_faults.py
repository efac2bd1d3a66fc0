"""Disk, database, clock, time zone: a clear line, the right exit code, nothing published."""

import datetime as dt
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from clv.pipelines.running.run import Run
from clv.pipelines.running.settings_file import load_settings
from clv.pipelines.serving.score import fresh

from clv.errors import ClvError, GateError, ModelError, RegistryError, SinkError, StorageError
from clv.events.histories import make_histories
from clv.models.lifetime_value import LifetimeModel
from clv.scoring import ScoringOptions, current, score
from clv.sinks import make_sink
from clv.storage import MARK, TemporaryFolder, folder
from tests.robustness import victim
from tests.robustness.test_killed import contents

DAY = dt.date(2025, 6, 30)
EARLIER = dt.date(2025, 5, 31)


@pytest.fixture(scope="module")
def model(data):
    return LifetimeModel.load(data / "model")


@pytest.fixture(scope="module")
def tables(data):
    with victim.connect(threads=1) as engine:
        yield victim.Tables.from_frames(engine, victim.frames(data))


@pytest.fixture
def scored(tables, model, tmp_path):
    """Return a function that scores a day into a folder that holds an earlier one."""

    def run(day=DAY, **order):
        order = {"model_name": "clv", "model_version": 1, "out": tmp_path / "out"} | order
        return score(make_histories(tables), model, as_of=day, options=ScoringOptions(**order))

    run(EARLIER)
    return run


def refused(run, out, error, match):
    """Expect an error and the earlier table whole."""
    before = contents(out)
    with pytest.raises(error, match=match) as caught:
        run()
    assert "\n" not in str(caught.value)
    assert contents(out) == before
    assert not (out / ".staging").exists()
    return caught.value


FULL = """
import resource, signal, sys, datetime as dt
from pathlib import Path
from tests.robustness import victim
from clv.errors import ClvError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
data, out, limit = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
before = victim.score
def limited(*args, **kwargs):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    return before(*args, **kwargs)
victim.score = limited
try:
    victim.score_once(data, out, "2025-06-30")
except ClvError as error:
    sys.stderr.write(str(error))
    sys.exit(error.exit_code)
"""


@pytest.mark.slow
@pytest.mark.parametrize("limit", [100, 3_000, 20_000])
def test_a_disk_that_fills_up_stops_with_9(limit, scored, data, tmp_path):
    """A limit on the size of files stands in for the full disk: writes fail midway."""
    before = contents(tmp_path / "out")
    command = [sys.executable, "-W", "ignore", "-c", FULL, str(data), str(tmp_path / "out")]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [*command, str(limit)], check=False, capture_output=True, text=True, cwd=root
    )
    assert done.returncode == 9, done.stderr
    assert "Free some space" in done.stderr
    assert contents(tmp_path / "out") == before
    assert not (tmp_path / "out" / ".staging").exists()


def test_a_folder_that_may_not_be_written_stops_with_9(scored, tmp_path, monkeypatch):
    """Root may write anywhere, so the system's answer is given by hand."""
    before = os.open

    def read_only(path, flags, *args, **kwargs):
        if flags & os.O_CREAT:
            raise PermissionError(13, "Permission denied", str(path))
        return before(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", read_only)
    with pytest.raises(StorageError, match="Permission denied") as caught:
        scored()
    monkeypatch.undo()
    assert caught.value.exit_code == 9
    assert contents(tmp_path / "out")
    assert current(tmp_path / "out").name.startswith("2025-05-31")


@pytest.mark.slow
def test_a_connection_lost_midway_publishes_nothing_and_rolls_back(
    scored, tmp_path, postgres, monkeypatch
):
    from clv.sinks import sql_tables

    scored(EARLIER, sinks=[make_sink({"kind": "sql", "url": postgres})])
    before_merge = sql_tables.merge

    def losing(connection, target, *args):
        before_merge(connection, target, *args)
        pid = connection.connection.dbapi_connection.info.backend_pid
        other = sa.create_engine(postgres, isolation_level="AUTOCOMMIT")
        with other.connect() as second:
            second.execute(sa.text("select pg_terminate_backend(:pid)"), {"pid": pid})
        other.dispose()

    monkeypatch.setattr(sql_tables, "merge", losing)
    sinks = [make_sink({"kind": "sql", "url": postgres})]
    error = refused(lambda: scored(sinks=sinks), tmp_path / "out", SinkError, "Nothing was written")
    assert error.exit_code == 7
    monkeypatch.undo()
    scored(sinks=sinks)
    engine = sa.create_engine(postgres)
    with engine.connect() as connection:
        days = connection.execute(
            sa.text(
                "select as_of, count(*) = count(distinct customer_id) from clv_scores_history"
                " group by as_of order by as_of"
            )
        ).all()
    engine.dispose()
    assert [(str(day), whole) for day, whole in days] == [
        ("2025-05-31", True),
        ("2025-06-30", True),
    ]


@pytest.mark.slow
def test_tables_come_from_postgres_as_from_files(tables, postgres, data):
    """A shop's own types: numeric, timestamptz, text."""
    from clv.sources.files import read_sql

    engine = sa.create_engine(postgres)
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "create table shop_orders"
                " (order_id text, ordered_at timestamptz, amount numeric(12,2))"
            )
        )
        connection.execute(
            sa.text("insert into shop_orders values (:i, :t, :a)"),
            [
                {"i": "007", "t": "2025-01-02 03:04:05+00", "a": "12.50"},
                {"i": None, "t": None, "a": None},
            ],
        )
    engine.dispose()
    with victim.connect(threads=1) as duck:
        found = duck.to_pandas(read_sql(duck, "orders", postgres, "shop_orders"))
    assert found["order_id"].tolist()[0] == "007"
    assert found["amount"].tolist()[0] == "12.50"
    assert found["ordered_at"].tolist()[0].startswith("2025-01-02 03:04:05")
    assert found.isna().iloc[1].all()


BROKEN = {
    "truncated trees": ("value.txt", lambda text: text[: len(text) // 2]),
    "no trees": ("value.txt", lambda text: ""),
    "truncated json": ("model.json", lambda text: text[: len(text) // 2]),
    "another document": ("model.json", lambda text: "[]"),
    "a key is gone": ("model.json", lambda text: text.replace('"calibration"', '"calibratiom"')),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_model_file_is_a_model_error(fault, data, tmp_path):
    name, change = BROKEN[fault]
    shutil.copytree(data / "model", tmp_path / "model")
    path = tmp_path / "model" / name
    path.write_text(change(path.read_text()))
    with pytest.raises(ModelError) as caught:
        LifetimeModel.load(tmp_path / "model")
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_registry_that_goes_down_between_two_calls_is_said(tmp_path, postgres_server, postgres):
    from clv.registry.address import locked, reach

    reach(postgres)
    name = postgres.split("/")[3].split("?")[0]
    server = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(sa.text(f"alter database {name} with allow_connections false"))
    try:
        with pytest.raises(RegistryError, match="not reachable") as caught:
            reach(postgres)
        assert caught.value.exit_code == 6
        with pytest.raises(RegistryError, match="not reachable"), locked(postgres):
            pass
    finally:
        with server.connect() as connection:
            connection.execute(sa.text(f"alter database {name} with allow_connections true"))
        server.dispose()


def test_a_clock_set_back_changes_no_byte_and_no_order(scored, tmp_path):
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    first = scored(clock=lambda: now)
    again = scored(clock=lambda: now - dt.timedelta(days=4000))
    assert again.run == first.run
    assert again.files == first.files
    assert current(tmp_path / "out").name == first.run


def test_another_time_zone_changes_no_byte(scored, tables, model, tmp_path, monkeypatch):
    here = scored().files
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    try:
        there = score(
            make_histories(tables),
            model,
            as_of=DAY,
            options=ScoringOptions(model_name="clv", model_version=1, out=tmp_path / "there"),
        )
    finally:
        monkeypatch.undo()
        time.tzset()
    assert there.files == here


def test_last_months_orders_stop_a_nightly_job_with_5(tmp_path):
    ctx = Run(load_settings(None, workspace=tmp_path, monitoring__stale_days=30), "score")
    today = ctx.started_at.date()
    assert fresh(ctx, today - dt.timedelta(days=30)) == today - dt.timedelta(days=30)
    with pytest.raises(GateError, match=r"31 days ago; .*allows 30") as caught:
        fresh(ctx, today - dt.timedelta(days=31))
    assert caught.value.exit_code == 5


def test_what_a_killed_command_left_in_its_own_folder_goes_with_the_next_one(tmp_path):
    with TemporaryFolder(".clv-partial-", folder(tmp_path / "runs" / "living")) as living:
        dead = folder(tmp_path / "runs" / "killed" / ".clv-partial-0123456789ab")
        bystander = folder(tmp_path / "runs" / "killed" / ".clv-partial-notes")
        for place in (dead, bystander):
            (place / "report.json").write_text("{")
        (dead / MARK).touch()
        Run(load_settings(None, workspace=tmp_path), "report").save("report.json", {})
        assert not dead.exists()
        assert living.exists()
        assert bystander.exists()


def test_every_error_of_ours_has_its_exit_code():
    codes = {kind.__name__: kind.exit_code for kind in ClvError.__subclasses__()}
    assert codes == {
        "UsageError": 2,
        "DataError": 3,
        "ModelError": 4,
        "GateError": 5,
        "RegistryError": 6,
        "SinkError": 7,
        "LockError": 8,
        "StorageError": 9,
    }
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
