"""Every command, killed, interrupted, or on a full disk: files are old or new, and whole."""

import csv
import json
import os
import shutil
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from clv.simulation import SimulationOptions, simulate
from tests.robustness.test_killed import seconds

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("CLV_TORTURE_COMMAND_KILLS", "1"))
INTERRUPTS = int(os.environ.get("CLV_TORTURE_INTERRUPTS", "1"))
LIMITS = (64, 1_000, 4_000, 16_000, 64_000, 250_000)
"""Bytes that a file may have; the last hold all but the largest ones."""
if "CLV_TORTURE_LIMITS" not in os.environ:
    LIMITS = LIMITS[2:3]

SAMPLES = Path(__file__).parents[1] / "unit" / "sources" / "adapters" / "samples"
GONE = "c000007"
UNIT = ["--unit", "interaction"]
COMMANDS = {
    "simulate": ["simulate", "{place}/simulated", "--customers", "60"],
    "import": ["import", "zendesk", f"{SAMPLES}/zendesk", "{place}/imported"],
    "validate": ["validate"],
    "train": ["train"],
    "score": ["score", "--model", "models:/clv@challenger"],
    "monitor": ["monitor"],
    "attribute": ["attribute"],
    "report": ["report"],
    "assign": ["experiment", "assign", "warmth", "--ids", "{place}/ids.txt", *UNIT],
    "erase": ["erase", GONE],
}
LIGHT = [name for name in COMMANDS if name != "train"]  # whose kills test_killed.py tries
DATA = {"validate", "train", "score", "monitor", "attribute", "report"}
ENDS = {".html": b"</html>", ".pdf": b"%%EOF", ".csv": b"\n", ".jsonl": b"\n"}


class Workshop:
    """A company with a model and one published table, copied for each trial."""

    def __init__(self, root, process):
        self.root, self.process, self.usual = root, process, {}
        self.trial(root / "made")
        options = SimulationOptions(customers=300, years=2, agents=10, seed=1, transcripts=False)
        simulate(options).write(root / "company")
        (root / "made" / "ids.txt").write_text("".join(f"i{n}\n" for n in range(3000)))
        for name in ("train", "score", "validate", "report"):
            self.done(root / "made", name)
        self.done(root / "made", "assign", "earlier")

    @staticmethod
    def trial(place):
        (place / "tmp").mkdir(parents=True)
        return place

    def words(self, place, name, experiment="warmth"):
        words = [word.format(place=place) for word in COMMANDS[name]]
        words = [experiment if word == "warmth" else word for word in words]
        settings = {
            "workspace": str(place / "out"),
            "training": {"horizon_days": 90, "cutoffs": 2, "folds": 1, "trees": 4},
            "registry": {
                "tracking_uri": f"sqlite:///{self.store(place, name)}/mlflow.db",
                "artifact_root": f"{self.store(place, name)}/artifacts",
            },
            "quality": {"quarantine_limit_share": 1.0},
            "monitoring": {"fail": False},
        }
        config = place / f"{name}.yaml"
        config.write_text(yaml.safe_dump(settings))
        words += [] if name == "simulate" else ["--config", str(config)]
        return words + (["--data", str(self.root / "company")] if name in DATA else [])

    def store(self, place, name):
        """Return the one store of all trials; only a training writes to one of its own."""
        place = place if name == "train" else self.root / "made"
        (place / "store").mkdir(exist_ok=True)
        return place / "store"

    def run(self, place, name, how="-", experiment="warmth"):
        words = json.dumps(self.words(place, name, experiment))
        return self.process.run(place, quote(words), how)

    def done(self, place, name, experiment="warmth"):
        answer = self.run(place, name, "-", experiment)
        assert answer.startswith("done"), (name, answer, (place / "said.txt").read_text()[-2000:])
        took = seconds(answer)
        self.usual[name] = min(took, self.usual.get(name, took))
        assert leftovers(place) == []

    def copy(self, place):
        passed = shutil.ignore_patterns("store", "said.txt")
        shutil.copytree(self.root / "made", place, ignore=passed)
        return place


def leftovers(place):
    """Return what is there for a moment only."""
    names = (".clv-*", "clv-*-*", ".staging", ".unfinished", "*.partial", ".mlflow.db.*")
    found = [path for pattern in names for path in place.rglob(pattern)]
    return sorted(str(path) for path in found if path.suffix not in (".lock", ".whl"))


def contents(place):
    """Return the bytes of every file that is not for a moment, nor a lock."""
    passing = {Path(name) for name in leftovers(place)}
    return {
        path: path.read_bytes()
        for path in place.rglob("*")
        if path.is_file()
        and not path.name.endswith((".lock", ".db", ".yaml", "said.txt", "-journal"))
        and not passing & {path, *path.parents}
        and "artifacts" not in path.parts  # MLflow writes there; nothing names it until it is whole
    }


def check_whole(before, place):
    """Hold every file against what it was, or else read it to its end."""
    after = contents(place)
    for path, content in after.items():
        if before.get(path) == content:
            continue
        if path.suffix == ".parquet":
            pq.read_table(path)
        elif path.suffix == ".json":
            json.loads(content)
        elif path.suffix in ENDS and content:
            assert content.rstrip(b"\n").endswith(ENDS[path.suffix].rstrip(b"\n")), path
            assert path.suffix != ".csv" or content.endswith(b"\n")
        if path.suffix == ".csv":
            rows = list(csv.reader(content.decode().splitlines()))
            assert len({len(row) for row in rows}) == 1, path
    return after


def usual(workshop, name, tmp_path):
    """Return how long a command takes, having let it end once."""
    if name not in workshop.usual:
        workshop.done(workshop.copy(tmp_path / "clean"), name)
    return workshop.usual[name]


def said(place):
    return (place / "said.txt").read_text()[-1500:] if (place / "said.txt").exists() else ""


@pytest.mark.parametrize("name", LIGHT)
def test_killed_anywhere_files_are_old_or_new_and_the_rerun_ends(name, workshop, tmp_path):
    took, rng, killed = usual(workshop, name, tmp_path), np.random.default_rng(0), 0
    for trial in range(KILLS):
        place = workshop.copy(tmp_path / f"{trial}")
        before = contents(place)
        answer = workshop.run(place, name, f"{took * rng.uniform(0.1, 0.9):.3f}")
        killed += answer == "killed"
        check_whole(before, place)
        workshop.done(place, name)
        shutil.rmtree(place)
    assert killed or KILLS < 3


@pytest.mark.parametrize("name", LIGHT)
def test_interrupted_anywhere_is_130_and_nothing_temporary_stays(name, workshop, tmp_path):
    took, rng = usual(workshop, name, tmp_path), np.random.default_rng(1)
    for trial in range(INTERRUPTS):
        place = workshop.copy(tmp_path / f"{trial}")
        before = contents(place)
        how = ("int", "term")[trial % 2]
        answer = workshop.run(place, name, f"{how}:{took * rng.uniform(0.1, 0.8):.3f}")
        # On a machine that is faster than it was, the command may have ended before.
        assert answer == "failed 130" or answer.startswith("done"), (answer, said(place))
        assert [path for path in leftovers(place) if not path.endswith(".unfinished")] == []
        check_whole(before, place)
        workshop.done(place, name)
        shutil.rmtree(place)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_disk_that_fills_up_leaves_the_old_files(name, workshop, tmp_path):
    for limit in LIMITS:
        place = workshop.copy(tmp_path / f"{limit}")
        before = contents(place)
        answer = workshop.run(place, name, f"limit:{limit}")
        ended = answer.startswith("done")
        assert ended or answer in ("failed 9", "failed 6"), (limit, answer, said(place))
        after = check_whole(before, place)
        assert ended or {path for path in before if path not in after} == set()
        if name != "train":
            workshop.done(place, name)
        shutil.rmtree(place)
