"""A small company, and the command line called as a user would."""

import sys
from dataclasses import dataclass

import pytest
from clv.pipelines import cli

from clv.simulation import SimulationOptions, simulate


@dataclass(frozen=True)
class Outcome:
    """What the user saw: exit code, standard output and standard error."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def company():
    """Return the frames of a small synthetic company."""
    return simulate(SimulationOptions(customers=400, agents=24, seed=3)).frames()


@pytest.fixture
def folder(tmp_path, company):
    """Write the company's tables to a folder, some of them changed first."""

    def write(*, csv=(), absent=(), **changed):
        target = tmp_path / "company"
        target.mkdir(exist_ok=True)
        for name, frame in {**company, **changed}.items():
            if name in absent:
                continue
            if name in csv:
                frame.to_csv(target / f"{name}.csv", index=False)
            else:
                frame.to_parquet(target / f"{name}.parquet", index=False)
        return target

    return write


@pytest.fixture
def clv(monkeypatch, capsys, tmp_path):
    """Call the command line in this process, in an empty workspace."""

    def call(*words, workspace=tmp_path / "out"):
        arguments = ["clv", *map(str, words)]
        if words[0] not in ("simulate", "demo", "import"):
            arguments += ["--workspace", str(workspace)]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), printed.out, printed.err)

    return call
