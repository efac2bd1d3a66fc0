"""A company of 150 customers, its model, and processes that may be killed."""

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from clv.simulation import SimulationOptions, simulate
from tests.robustness import victim

KILLS = int(os.environ.get("CLV_TORTURE_KILLS", "10"))
INPUTS = int(os.environ.get("CLV_TORTURE_INPUTS", "500"))
"""How many trials; `make torture` asks for many more than CI."""


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Return a folder with a company's orders and a model fitted to them."""
    folder = tmp_path_factory.mktemp("robustness")
    options = SimulationOptions(customers=150, years=2, agents=10, seed=1, transcripts=False)
    simulate(options).tables["orders"].to_parquet(folder / "orders.parquet", index=False)
    with victim.connect(threads=1) as engine:
        tables = victim.Tables.from_frames(engine, victim.frames(folder))
        victim.fitted(tables).save(folder / "model")
    return folder


class Victims:
    """The process of ``victim.py``."""

    def __init__(self, job, data):
        command = [sys.executable, "-W", "ignore", "-m", "tests.robustness.victim", job, str(data)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert self.process.stdout.readline() == "ready\n"

    def run(self, place, argument, seconds="-", meanwhile=lambda: None):
        """Run once; call ``meanwhile`` again and again until the answer is there."""
        self.begin(place, argument, seconds)
        while not select.select([self.process.stdout], [], [], 0.01)[0]:
            meanwhile()
        return self.process.stdout.readline().strip()

    def begin(self, place, argument, seconds):
        self.process.stdin.write(f"{place} {argument} {seconds}\n")
        self.process.stdin.flush()

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()


@pytest.fixture
def victims(data):
    """Return a function from a kind of job to a process that runs it."""
    opened = []

    def start(job):
        opened.append(Victims(job, data))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


@pytest.fixture(scope="session")
def workshop(tmp_path_factory):
    """Return a company with a model and one published table, for commands to be tried on."""
    from tests.robustness.test_commands import Workshop

    process = Victims("cli", "-")
    yield Workshop(tmp_path_factory.mktemp("workshop"), process)
    process.close()
