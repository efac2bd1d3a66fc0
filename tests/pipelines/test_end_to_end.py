"""The whole product: a synthetic company, and two companies that exist."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from clv.pipelines.demo import COMPANY

from clv.registry import Registry

CONFIG = Path(__file__).parents[2] / "pipelines" / "config"
SCORES = ("scores.parquet", "scores.csv")


def loaded_by(*words):
    """Run a command in a process of its own; return the packages that it loaded."""
    code = (
        "import sys\nfrom clv.pipelines import cli\n"
        "try:\n    cli.main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    run = [sys.executable, "-W", "ignore", "-c", code, *map(str, words)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def published(workspace):
    """Return the folder of the published scores."""
    run = (workspace / "scores" / "_CURRENT").read_text(encoding="utf-8").splitlines()[0]
    return workspace / "scores" / "runs" / run


@pytest.fixture
def small(tmp_path):
    """Return settings like the demo's, for a company that trains in seconds."""
    settings = yaml.safe_load((CONFIG / "demo.yaml").read_text(encoding="utf-8"))
    settings["training"] |= {"cutoffs": 4, "folds": 1, "trees": 30, "threads": 1}
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


def test_demo_leaves_every_document_and_repeats_to_the_byte(clv, small, tmp_path):
    out, again = tmp_path / "demo", tmp_path / "again"
    seen = clv("demo", "--out", out, "--customers", 1200, "--config", small)
    assert seen.code == 0, seen.err
    names = ("validation", "training", "backtest", "contributions", "portfolio", "attribution")
    names += ("monitoring",)
    for name in names:
        assert json.loads((out / f"{name}.json").read_text(encoding="utf-8")), name
    page = (out / "report.html").read_text(encoding="utf-8")
    headings = re.findall(r"<section id=\"(\w+)\"", page)
    assert {"answer", "trust"} <= set(headings)
    assert "Demo Company" in page
    # The truth is of the very days that the effects are of: the two can be compared.
    truth, said = (
        json.loads(path.read_text(encoding="utf-8"))
        for path in (out / COMPANY / "truth.json", out / "attribution.json")
    )
    assert (truth["as_of"], truth["horizon_days"]) == (said["as_of"], said["horizon_days"])

    data = out / COMPANY
    model = "models:/clv@challenger"
    for command in (("train",), ("score", "--model", model)):
        seen = clv(*command, "--data", data, "--config", small, workspace=again)
        assert seen.code == 0, seen.err
    for name in SCORES:
        assert (published(out) / name).read_bytes() == (published(again) / name).read_bytes()


CDNOW_SAMPLE = {
    "path": "package:lifetimes/datasets/CDNOW_sample.txt",
    "names": ["master_id", "customer", "date", "discs", "dollars"],
    "skip_rows": 0,
}
# Fader, Hardie & Lee 2005; Fader & Hardie, note 025. Two units of the last digit each.
PUBLISHED = {
    "btyd/bg_nbd/r": (0.243, 0.002),
    "btyd/bg_nbd/alpha": (4.414, 0.002),
    "btyd/bg_nbd/a": (0.793, 0.002),
    "btyd/bg_nbd/b": (2.426, 0.002),
    "btyd/bg_nbd/log_likelihood": (-9582.4, 0.05),
    "btyd/gamma_gamma/p": (6.25, 0.02),
    "btyd/gamma_gamma/q": (3.74, 0.02),
    "btyd/gamma_gamma/gamma": (15.44, 0.02),
}


def test_cdnow_logs_the_published_parameters(clv, tmp_path):
    settings = yaml.safe_load((CONFIG / "cdnow.yaml").read_text(encoding="utf-8"))
    settings["sources"]["orders"] |= CDNOW_SAMPLE
    settings["training"] |= {"cutoffs": 2, "trees": 20}
    path = tmp_path / "sample.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    out = tmp_path / "cdnow"
    seen = clv("train", "--config", path, "--as-of", "1997-09-30", workspace=out)
    assert seen.code == 0, seen.err
    registry = Registry.local(out)
    logged = registry.metrics(registry.versions()[0])
    for name, (value, tolerance) in PUBLISHED.items():
        assert logged[name] == pytest.approx(value, abs=tolerance), name

    seen = clv("score", "--config", path, "--model", "models:/clv@challenger", workspace=out)
    assert seen.code == 0, seen.err
    assert pq.read_table(published(out) / "scores.parquet").num_rows == 2357
    scores = pq.read_table(published(out) / "scores.parquet").to_pandas()
    best = scores.sort_values("clv").iloc[-1]
    words = ("--customer", best["customer_id"], "--model", "models:/clv@challenger")
    seen = clv("explain", *words, "--config", path, workspace=out)
    assert seen.code == 0, seen.err
    shown = [json.loads(line)["text"] for line in seen.out.splitlines() if '"text"' in line]
    said = [line.split("   = ")[0].split()[-1] for line in shown if line.startswith("  ")]
    *parts, whole = [float(amount.replace(",", "")) for amount in said]
    assert whole == pytest.approx(best["clv"], abs=0.01)
    assert sum(parts) == pytest.approx(whole, abs=1e-6)
    assert len(parts) > 1
    again = ("score", "--config", path, "--model", "models:/clv@challenger", "--dry-run")
    assert not loaded_by(*again, "--workspace", out) & {"lifetimes", "great_expectations", "shap"}
    for command in ("attribute", "report"):
        seen = clv(command, "--config", path, workspace=out)
        assert seen.code == 0, seen.err
    attribution = json.loads((out / "attribution.json").read_text(encoding="utf-8"))
    assert [gap["what"] for gap in attribution["unavailable"]] == ["effects", "contributions"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "interactions" in page


@pytest.mark.slow
def test_online_retail_from_raw_lines_to_a_report(clv, realdata, tmp_path):
    out = tmp_path / "retail"
    given = ("--config", CONFIG / "online_retail.yaml", "--data", realdata / "online_retail_ii")
    for command in (("train", "--promote"), ("score",), ("report",)):
        seen = clv(*command, *given, workspace=out)
        assert seen.code == 0, seen.err
    validation = json.loads((out / "validation.json").read_text(encoding="utf-8"))
    counts = {n["where"]: n["count"] for n in validation["notes"] if n["code"] == "policy"}
    assert counts["orders.no_customer"] == 107_927
    assert counts["orders.duplicate_lines"] == 6_771
    assert validation["tables"]["orders"]["rows"] == 23_684
