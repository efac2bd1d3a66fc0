"""Rolling backtests on real companies, as tables: `make bench-accuracy`.

CDNOW comes with the lifetimes package; the other two are read from the folder that CLV_REALDATA
names, and are left out, loudly, where it does not. With CLV_PYMC naming a Python that has
pymc-marketing (its own environment: requirements in pymc_peer.py), that peer is a row too. A
second table compares ways to treat the many customers who buy nothing.
"""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import pandas as pd  # noqa: E402
import zero_inflation  # noqa: E402

import pipelines.run  # noqa: E402, F401 (sets the environment switches before heavy imports)
from clv.data.contracts import examine  # noqa: E402
from clv.data.engine import connect  # noqa: E402
from clv.data.sources import SourceSpec, read_sources  # noqa: E402
from clv.data.tables import Terms  # noqa: E402
from clv.evaluation.backtest import run_backtest  # noqa: E402
from clv.evaluation.metrics import (  # noqa: E402
    VALUE_METRICS,
    calibration_error,
    calibration_noise,
    coverage,
)
from clv.models.options import ModelOptions  # noqa: E402
from clv.models.panel import BTYD_COLUMNS, build_panel, training_windows  # noqa: E402
from pipelines.settings import load_settings  # noqa: E402

if TYPE_CHECKING:
    from clv.models.panel import Panel
    from pipelines.settings import Settings

HORIZON_DAYS = 90
COMPANIES = {
    "CDNOW": ("cdnow", None),
    "Online Retail": ("online_retail", "online_retail_ii"),
    "Complete Journey": ("complete_journey", "complete_journey"),
}
MODELS = {
    "blend": "**clv**",
    "btyd": "purchases alone (BTYD)",
    "lightgbm": "LightGBM alone",
    "last_period": "last period repeated",
    "mean": "mean of all",
}
PEER = "pymc-marketing BG/NBD + Gamma-Gamma MAP"
METRICS = ("gini", "spearman", "mae", "decile_mape", "total_bias", "brier", "calibration_error")
HEADER = "| company | forecast | Gini | Spearman | MAE | decile MAPE | total | Brier | churn ECE |"


def main() -> None:
    """Print both Markdown tables."""
    lines = [HEADER, "|" + " --- |" * 9]
    zeros = [zero_inflation.HEADER, "|" + " --- |" * 7]
    for company, (config, folder) in COMPANIES.items():
        data = os.environ.get("CLV_REALDATA")
        if folder and not data:
            sys.stderr.write(f"{company}: left out; CLV_REALDATA names no folder of real data\n")
            continue
        settings = load_settings(
            ROOT / "pipelines" / "config" / f"{config}.yaml",
            sources__folder=str(Path(data) / folder) if folder and data else None,
        )
        panel = panel_of(settings)
        lines += rows_of(company, panel)
        zeros += zero_inflation.compare(company, panel, ModelOptions())
        sys.stderr.write(f"{company}: done\n")
    print("\n".join([*lines, "", *zeros]))


def panel_of(settings: Settings) -> Panel:
    """Read, check and build one company."""
    with connect(memory_limit="8GB") as engine, tempfile.TemporaryDirectory() as folder:
        raw = read_sources(engine, SourceSpec.from_mapping(settings.sources))
        terms = Terms(**settings.terms.model_dump(exclude_none=True))
        checked = examine(raw, terms, quarantine=Path(folder), loaded_at=dt.datetime.now(dt.UTC))
        first, last = checked.tables.span()
        return build_panel(checked.tables, training_windows(first, last, HORIZON_DAYS))


def rows_of(company: str, panel: Panel) -> list[str]:
    """Backtest one company and return its rows."""
    backtest = run_backtest(panel, ModelOptions(folds=3))
    found = []
    for model, label in MODELS.items():
        metrics = backtest.models[model]
        cells = [_cell(name, metrics[name].mean) if name in metrics else "–" for name in METRICS]
        found.append(f"| {company if model == 'blend' else ''} | {label} | {' | '.join(cells)} |")
    if python := os.environ.get("CLV_PYMC"):
        found.append(_peer_row(panel, backtest.rows, python))
    ours = backtest.models["blend"]
    errors = ", ".join(f"{name} {ours[name].standard_error:.3f}" for name in METRICS)
    by_fold = backtest.rows.groupby("as_of").apply(_fold_facts).to_dict()
    bound = calibration_noise(backtest.rows["p_churn"].to_numpy())
    sys.stderr.write(
        f"{company}: standard errors: {errors}\n  noise bound of churn ECE {bound:.3f}; "
        f"{backtest.coverage:.1%} of customers inside the 90 % interval; by fold {by_fold}\n"
    )
    return found


def _fold_facts(rows: pd.DataFrame) -> str:
    inside = coverage(*(rows[name].to_numpy() for name in ("value", "clv_low", "clv_high")))
    ece = calibration_error(rows["churned"].to_numpy(float), rows["p_churn"].to_numpy())
    return f"inside {inside:.1%}, churn ECE {ece:.3f}"


def _peer_row(panel: Panel, rows: pd.DataFrame, python: str) -> str:
    """Let pymc-marketing fit each tested cutoff, and measure it on the same rows."""
    predicted = []
    for as_of in sorted(rows["as_of"].unique()):
        history = panel.frame.loc[panel.frame["as_of"] == as_of, ["customer_id", *BTYD_COLUMNS]]
        with tempfile.TemporaryDirectory() as folder:
            given, told = Path(folder) / "histories.csv", Path(folder) / "values.csv"
            history.to_csv(given, index=False)
            command = [python, str(Path(__file__).with_name("pymc_peer.py")), str(given), str(told)]
            command += [str(HORIZON_DAYS), str(panel.discount_rate_annual)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            predicted.append(pd.read_csv(told, dtype={"customer_id": str}).assign(as_of=as_of))
    both = rows.merge(pd.concat(predicted), on=["customer_id", "as_of"], validate="one_to_one")
    actual, value = both["value"].to_numpy(), both["peer"].to_numpy()
    cells = [_cell(name, metric(actual, value)) for name, metric in VALUE_METRICS.items()]
    return f"|  | {PEER} | {' | '.join(cells)} | – | – |"


def _cell(name: str, value: float) -> str:
    if name == "total_bias":
        return f"{value:+.1%}"
    return f"{value:.2f}" if name == "mae" else f"{value:.3f}"


if __name__ == "__main__":
    main()
