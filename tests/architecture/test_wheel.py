"""What is installed: one top-level name, with every file of both folders."""

import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import clv

ROOT = Path(__file__).parents[2]
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
