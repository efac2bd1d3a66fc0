"""What is installed: one top-level name, with every file of both folders."""

import re
import site
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pandas as pd
import pytest

import clv
from clv.registry.wheel import write_wheel
from clv.simulation import SimulationOptions, simulate

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = re.search(r"```python\n(import clv\n.*?)```", README, re.DOTALL)[1]
"""The README's first lines of Python, as they stand there."""

BUILD = "import sys, setuptools.build_meta as b; print(b.build_wheel(sys.argv[1]))"


def tracked(*names):
    out = subprocess.run(
        ["git", "ls-files", "-z", *names], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in out.stdout.split("\0") if name]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    for name in tracked("clv", "pipelines", "pyproject.toml", "setup.py", "README.md", "LICENSE"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [sys.executable, "-c", BUILD, "out"], cwd=folder, capture_output=True, check=True
    )
    (path,) = (folder / "out").glob("*.whl")
    return path


def test_a_wheel_has_one_name_and_every_file(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    named = f"clv-{clv.__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {"clv", named}
    expected = {name.replace("pipelines/", "clv/pipelines/", 1) if name.startswith("pipelines/")
                else name for name in tracked("clv", "pipelines")}  # fmt: skip
    assert {name for name in names if not name.startswith(named)} == expected
    assert "clv/py.typed" in names


def test_the_wheel_that_goes_with_a_model_is_this_one(wheel, tmp_path):
    packed = write_wheel(tmp_path)
    assert packed.name == wheel.name
    with zipfile.ZipFile(wheel) as built, zipfile.ZipFile(packed) as own:
        assert own.testzip() is None
        modules = {n for n in built.namelist() if ".dist-info/" not in n}
        assert {n for n in own.namelist() if ".dist-info/" not in n} == modules
        assert all(own.read(n) == built.read(n) for n in modules)
        (about,) = {n.split("/")[0] for n in own.namelist()} - {"clv"}
        points = f"{about}/entry_points.txt"
        assert own.read(points) == built.read(points)
        # Below the heads stands the README as it was when this environment was made.
        heads = [z.read(f"{about}/METADATA").partition(b"\n\n")[0] for z in (own, built)]
        assert heads[0] == heads[1]
        listed = [line.split(",")[0] for line in own.read(f"{about}/RECORD").decode().splitlines()]
        assert sorted(listed) == sorted(own.namelist())


def test_an_installed_wheel_runs_from_anywhere(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import clv.pipelines.demo as demo, clv.pipelines.cli as cli\n"
        "print(demo.__file__, demo.CONFIG.exists(), cli.app.info.name)"
    )
    out = subprocess.run(
        [sys.executable, "-P", "-c", code, str(tmp_path)],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert out.stdout.split() == [str(tmp_path / "clv/pipelines/demo.py"), "True", "clv"]


def test_the_version_is_said_by_the_package():
    assert clv.__version__ == metadata.version("clv")


def test_what_is_installed_has_no_other_name():
    files = metadata.distribution("clv").read_text("top_level.txt")
    assert files.split() == ["clv"]


def test_from_import_to_scores_is_five_lines():
    assert len([line for line in LINES.splitlines() if line]) == 5


@pytest.mark.slow
def test_the_wheel_scores_an_own_frame_in_an_empty_environment(wheel, tmp_path):
    """Nothing of this checkout is on the path; of this environment the dependencies are."""
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    place = Path(sysconfig.get_path("purelib", vars={"base": str(tmp_path / "env")}))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    dependencies = [path for path in site.getsitepackages() if Path(path).is_dir()]
    (place / "dependencies.pth").write_text("\n".join(dependencies), encoding="utf-8")

    options = SimulationOptions(customers=300, years=2, transcripts=False)
    orders = simulate(options).frames()["orders"].query("refund_of.isna()")
    own = {"customer_id": "id", "ordered_at": "day", "amount": "total"}
    orders[list(own)].rename(columns=own).to_csv(tmp_path / "orders.csv", index=False)
    script = (
        "import sys, clv\n"
        "assert 'pandas' not in sys.modules and clv.__file__.startswith(sys.prefix)\n"
        f"{LINES}\n"
        "scores.to_csv('scores.csv', index=False)\n"
    )
    run = [python, "-I", "-W", "ignore", "-c", script]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    scores = pd.read_csv(tmp_path / "scores.csv")
    assert scores["customer_id"].nunique() == len(scores) == orders["customer_id"].nunique()
    assert scores["clv"].between(scores["clv_low"], scores["clv_high"]).all()
