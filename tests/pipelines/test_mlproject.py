"""MLproject: one entry point per command, run offline by MLflow itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
import yaml
from clv.pipelines.cli import app

ROOT = Path(__file__).parents[2]
SPEC = yaml.safe_load((ROOT / "MLproject").read_text(encoding="utf-8"))


def commands_of(group, before=()):
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        yield from commands_of(command, (*before, name)) if inner else [(*before, name)]


def test_every_command_has_an_entry_point_and_no_entry_point_lacks_one():
    commands = {"_".join(words) for words in commands_of(typer.main.get_command(app))}
    assert set(SPEC["entry_points"]) - {"main"} == commands
    for name, entry in SPEC["entry_points"].items():
        assert name == "main" or entry["command"].startswith(f"clv {name.replace('_', ' ')}")


@pytest.mark.slow
def test_mlflow_run_validates_a_company_offline(company, tmp_path):
    data = tmp_path / "company"
    data.mkdir()
    for name, frame in company.items():
        frame.to_parquet(data / f"{name}.parquet", index=False)
    out = tmp_path / "out"
    command = [Path(sys.executable).with_name("mlflow"), "run", ROOT, "-e", "validate"]
    command += ["--env-manager", "local", "-P", f"data={data}", "-P", f"workspace={out}"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert (out / "validation.json").exists()
