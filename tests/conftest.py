"""What every test may count on: one thread, no telemetry, and skips that CI does not accept."""

import os
from pathlib import Path

import pytest

import pipelines.run  # noqa: F401 (sets the environment switches before any heavy import)

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


@pytest.fixture(scope="session")
def realdata():
    """Return the folder of real data sets; skip where CLV_REALDATA does not name one."""
    folder = os.environ.get("CLV_REALDATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("CLV_REALDATA names no folder of real data")
    return Path(folder)


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
