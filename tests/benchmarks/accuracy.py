"""Rolling backtests on real companies, as a table: `make bench-accuracy`.

CDNOW comes with the lifetimes package; the other two are read from the folder that CLV_REALDATA
names, and are left out, loudly, where it does not.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import pipelines.run  # noqa: E402, F401 (sets the environment switches before heavy imports)
from clv.data.contracts import examine  # noqa: E402
from clv.data.engine import connect  # noqa: E402
from clv.data.sources import SourceSpec, read_sources  # noqa: E402
from clv.data.tables import Terms  # noqa: E402
from clv.evaluation.backtest import run_backtest  # noqa: E402
from clv.models.options import ModelOptions  # noqa: E402
from clv.models.panel import build_panel, training_windows  # noqa: E402
from pipelines.settings import load_settings  # noqa: E402

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
METRICS = ("gini", "spearman", "mae", "decile_mape", "total_bias", "calibration_error")
HEADER = "| company | forecast | Gini | Spearman | MAE | decile MAPE | total | churn ECE |"


def main() -> None:
    """Print one Markdown table."""
    lines = [HEADER, "|" + " --- |" * 8]
    for company, (config, folder) in COMPANIES.items():
        data = os.environ.get("CLV_REALDATA")
        if folder and not data:
            sys.stderr.write(f"{company}: left out; CLV_REALDATA names no folder of real data\n")
            continue
        settings = load_settings(
            ROOT / "pipelines" / "config" / f"{config}.yaml",
            sources__folder=str(Path(data) / folder) if folder and data else None,
        )
        lines += rows_of(company, settings)
        sys.stderr.write(f"{company}: done\n")
    print("\n".join(lines))


def rows_of(company: str, settings: object) -> list[str]:
    """Backtest one company and return its rows."""
    with connect(memory_limit="8GB") as engine, tempfile.TemporaryDirectory() as folder:
        raw = read_sources(engine, SourceSpec.from_mapping(settings.sources))
        terms = Terms(**settings.terms.model_dump(exclude_none=True))
        checked = examine(raw, terms, quarantine=Path(folder), loaded_at=dt.datetime.now(dt.UTC))
        first, last = checked.tables.span()
        windows = training_windows(first, last, HORIZON_DAYS)
        panel = build_panel(checked.tables, windows)
    backtest = run_backtest(panel, ModelOptions(folds=3))
    low = backtest.models["blend"]["gini"]
    found = []
    for model, label in MODELS.items():
        metrics = backtest.models[model]
        cells = [_cell(name, metrics[name].mean) if name in metrics else "–" for name in METRICS]
        found.append(f"| {company if model == 'blend' else ''} | {label} | {' | '.join(cells)} |")
    folds = ", ".join(fold.as_of for fold in backtest.folds)
    sys.stderr.write(
        f"{company}: cutoffs {folds}; Gini of clv {low.low:.3f} to {low.high:.3f}; "
        f"{backtest.coverage:.1%} inside the 90 % interval\n"
    )
    return found


def _cell(name: str, value: float) -> str:
    if name == "total_bias":
        return f"{value:+.1%}"
    return f"{value:.2f}" if name == "mae" else f"{value:.3f}"


if __name__ == "__main__":
    main()
