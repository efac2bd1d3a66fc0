"""Imports are cheap and change nothing."""

import ast
import json
import statistics
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ["pandas", "sklearn", "ibis", "duckdb", "lightgbm", "lifetimes", "mlflow", "shap"]
HEAVY += ["great_expectations", "pyarrow", "scipy", "altair", "numpy"]


def loaded(code: str) -> set[str]:
    program = (
        f"{code}\nimport json, sys; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    )
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(json.loads(out.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code", ["import clv", "import clv.pipelines.cli, clv.pipelines.running.settings"]
)
def test_importing_loads_nothing_heavy(code):
    assert loaded(code) == set()


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_nothing_heavy(option):
    code = (
        f"import sys\nfrom clv.pipelines.cli import app\nsys.argv = ['clv', '{option}']\n"
        "app(standalone_mode=False)"
    )
    assert loaded(code) == set()


def test_the_version_is_the_packages():
    command = [str(Path(sys.executable).with_name("clv")), "--version"]
    out = subprocess.run(command, capture_output=True, text=True, check=True)
    assert out.stdout == f"clv {metadata.version('clv')}\n"


def test_scoring_loads_neither_lifetimes_nor_shap():
    assert not loaded("import clv.models.lifetime_value") & {"lifetimes", "shap", "mlflow"}


def test_importing_the_library_costs_next_to_nothing():
    """Medians of processes in turn, so that a busy machine slows both: under .1 s more."""
    seconds = {"pass": [], "import clv": []}
    for _ in range(5):
        for code, taken in seconds.items():
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            taken.append(time.perf_counter() - begun)
    plain, ours = (statistics.median(taken) for taken in seconds.values())
    assert ours - plain < 0.1


def test_the_library_imports_nothing_of_the_application():
    """Under neither name: import contracts know the folder, and not where it is installed."""
    for path in (ROOT / "clv").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [getattr(node, "module", None) or ""] if isinstance(node, ast.ImportFrom) else []
            )
            names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
            assert not any("pipelines" in name.split(".") for name in names), path


def test_importing_the_library_changes_no_switch_and_no_filter():
    code = (
        "import os, warnings, importlib, pkgutil\nimport pandas as pd\n"
        "before = dict(os.environ), list(warnings.filters), os.getcwd()\n"
        "import clv\n"
        "names = [m.name for m in pkgutil.walk_packages(clv.__path__, 'clv.')]\n"
        "import ibis, altair, pyarrow, scipy.stats, sklearn.linear_model\n"
        "before = dict(os.environ), list(warnings.filters), os.getcwd()\n"
        "[importlib.import_module(n) for n in names if not n.endswith('entry')]\n"
        "after = dict(os.environ), list(warnings.filters), os.getcwd()\n"
        "assert before == after, [f for f in after[1] if f not in before[1]]"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert out.returncode == 0, out.stderr[-2000:]
