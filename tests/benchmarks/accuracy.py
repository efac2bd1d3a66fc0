"""Rolling backtests on real companies, as tables: `make bench-accuracy`.

CDNOW comes with the lifetimes package; the other two are read from the folder that CLV_REALDATA
names, and are left out, loudly, where it does not. With CLV_PYMC naming a Python that has
pymc-marketing (its own environment: requirements in pymc_peer.py), that peer is a row too.
The last row of a company is ours less the best other forecast that tells customers apart, with a
95 % interval over customers: one that includes 0 is noise. A second table compares ways to treat
the many who buy nothing. Name companies (`accuracy.py CDNOW`) to run them alone.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import clv.pipelines.running.run  # noqa: E402, F401 (sets the environment switches before heavy imports)
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import zero_inflation  # noqa: E402
from clv.pipelines.running.settings_file import load_settings  # noqa: E402
from scipy.optimize import brentq  # noqa: E402
from scipy.special import expit  # noqa: E402

from clv.contract.check import examine  # noqa: E402
from clv.contract.tables import DataOptions  # noqa: E402
from clv.engines.connect import connect  # noqa: E402
from clv.evaluation.backtest import run_backtest  # noqa: E402
from clv.evaluation.metrics import (  # noqa: E402
    VALUE_METRICS,
    bins_of,
    bootstrap,
    brier,
    calibration_error,
    calibration_noise,
    coverage,
    mae,
    total_bias,
)
from clv.events.histories import make_histories  # noqa: E402
from clv.models.churn import log_odds  # noqa: E402
from clv.models.options import ModelOptions  # noqa: E402
from clv.models.training.panel import BTYD_COLUMNS, build_panel, training_windows  # noqa: E402
from clv.sources.reading import read_sources  # noqa: E402
from clv.sources.spec import SourceSpec  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from clv.pipelines.running.settings import Settings

    from clv.models.training.panel import Panel

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
    "zero": "nothing for everybody",
}
PEER = "pymc-marketing BG/NBD + Gamma-Gamma MAP"
FORECASTS = ("btyd", "lightgbm", "last_period", "peer")  # that tell customers apart
LARGER_IS_BETTER = ("gini", "spearman")
METRICS = ("gini", "spearman", "mae", "decile_mape", "total_bias", "brier", "calibration_error")
HEADER = (
    "| company | forecast | Gini | Spearman | MAE | decile MAPE | total | Brier "
    "| churn ECE (noise) | inside 90 % (not at floor) |"
)


def main() -> None:
    """Print both Markdown tables, with the day and the command that made them."""
    lines = [HEADER, "|" + " --- |" * 10]
    zeros = [zero_inflation.HEADER, "|" + " --- |" * 7]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("companies", nargs="*", help=f"of {', '.join(COMPANIES)}; all by default")
    asked = parser.parse_args().companies
    if unknown := sorted(set(asked) - set(COMPANIES)):
        parser.error(f"no company {', '.join(unknown)}; expected {', '.join(COMPANIES)}")
    for company in asked or COMPANIES:
        config, folder = COMPANIES[company]
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
    made = f"Made {dt.datetime.now(dt.UTC):%Y-%m-%d} by `make bench-accuracy`"
    print("\n".join([f"{made}, horizon {HORIZON_DAYS} days.", "", *lines, "", *zeros]))


def panel_of(settings: Settings) -> Panel:
    """Read, check and build one company."""
    with connect(memory_limit="8GB") as engine, tempfile.TemporaryDirectory() as folder:
        raw = read_sources(engine, SourceSpec.from_mapping(settings.sources))
        terms = DataOptions(**settings.terms.model_dump(exclude_none=True))
        checked = examine(raw, terms, quarantine=Path(folder), loaded_at=dt.datetime.now(dt.UTC))
        first, last = checked.tables.span()
        return build_panel(
            make_histories(checked.tables), training_windows(first, last, HORIZON_DAYS)
        )


def rows_of(company: str, panel: Panel) -> list[str]:
    """Backtest one company and return its rows."""
    backtest = run_backtest(panel, ModelOptions(folds=3))
    bound = calibration_noise(backtest.rows["p_churn"].to_numpy())
    found = []
    for model, label in MODELS.items():
        metrics = backtest.models[model]
        cells = [_cell(name, metrics[name].mean) if name in metrics else "–" for name in METRICS]
        inside = "–"
        if model == "blend":
            cells[-1] += f" ({bound:.3f})"
            inside = f"{backtest.coverage:.1%} ({backtest.coverage_elsewhere:.1%})"
        first = company if model == "blend" else ""
        found.append(f"| {first} | {label} | {' | '.join(cells)} | {inside} |")
    rows = backtest.rows
    if python := os.environ.get("CLV_PYMC"):
        rows = _with_peer(panel, rows, python)
        peer = [
            _cell(name, metric(rows["value"].to_numpy(), rows["peer"].to_numpy()))
            for name, metric in VALUE_METRICS.items()
        ]
        found.append(f"|  | {PEER} | {' | '.join(peer)} | – | – | – |")
    found.append(_difference_row(rows))
    actual = rows["value"].to_numpy()
    levelled = ", ".join(
        f"{name} {_mae_at_level(actual, rows[name]):.2f}"
        for name in ("blend", *(f for f in FORECASTS if f in rows))
    )
    ours = backtest.models["blend"]
    errors = ", ".join(f"{name} {ours[name].standard_error:.3f}" for name in METRICS)
    facts = "\n".join(
        f"  {as_of}: {_facts(part)}" for as_of, part in backtest.rows.groupby("as_of")
    )
    sys.stderr.write(
        f"{company}: standard errors: {errors}\n{facts}\n"
        f"  {backtest.at_floor.mean():.1%} of intervals at their floor; "
        f"{(actual == 0).mean():.1%} bought nothing\n"
        f"  MAE with every decile brought to its realised mean: {levelled}\n"
    )
    return found


def _mae_at_level(actual: np.ndarray, predicted: pd.Series) -> float:
    """Return the MAE once too low and too high deciles are mended: MAE rewards too low ones."""
    levelled = predicted.to_numpy(copy=True)
    for rows in bins_of(levelled):
        mean = levelled[rows].mean()
        levelled[rows] *= actual[rows].mean() / mean if mean else 0.0
    return mae(actual, levelled)


def _facts(rows: pd.DataFrame) -> str:
    inside = coverage(*(rows[name].to_numpy() for name in ("value", "clv_low", "clv_high")))
    churned, p_churn = rows["churned"].to_numpy(float), rows["p_churn"].to_numpy()
    error, own = calibration_error(churned, p_churn), _at_level(churned, p_churn)
    return (
        f"total {total_bias(rows['value'].to_numpy(), rows['blend'].to_numpy()):+.1%}, inside "
        f"{inside:.1%}, churn ECE {error:.3f}, with the quarter's own level given "
        f"{calibration_error(churned, own):.3f} (noise {calibration_noise(own):.3f})"
    )


def _at_level(churned: np.ndarray, p_churn: np.ndarray) -> np.ndarray:
    """Shift log-odds alike, so that as many churn as did: what is left is not the season's."""
    odds = log_odds(p_churn)
    shift = brentq(lambda by: expit(odds + by).mean() - churned.mean(), -9.0, 9.0)
    return np.asarray(expit(odds + shift))


def _with_peer(panel: Panel, rows: pd.DataFrame, python: str) -> pd.DataFrame:
    """Let pymc-marketing fit each tested cutoff; return the rows with its column ``peer``."""
    tested = panel.frame["as_of"].isin(rows["as_of"].unique())
    history = panel.frame.loc[tested, ["customer_id", "as_of", *BTYD_COLUMNS]]
    with tempfile.TemporaryDirectory() as folder:
        given, told = Path(folder) / "histories.csv", Path(folder) / "values.csv"
        history.to_csv(given, index=False)
        command = [python, str(Path(__file__).with_name("pymc_peer.py")), str(given), str(told)]
        command += [str(HORIZON_DAYS), str(panel.discount_rate_annual)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        predicted = pd.read_csv(told, dtype={"customer_id": str, "as_of": str})
    both = rows.merge(predicted, how="left", on=["customer_id", "as_of"], validate="one_to_one")
    assert both["peer"].notna().all(), "the peer left customers out"
    return both


def _difference_row(rows: pd.DataFrame) -> str:
    """Return ours less the best other by each metric, with a 95 % interval over customers."""
    customer = pd.factorize(rows["customer_id"])[0]
    actual = rows["value"].to_numpy()
    others = [name for name in FORECASTS if name in rows]
    cells = []
    for name, metric in VALUE_METRICS.items():
        if name == "total_bias":
            cells.append("–")
            continue
        sign = -1 if name in LARGER_IS_BETTER else 1
        best = min(others, key=lambda other: sign * metric(actual, rows[other].to_numpy()))
        cells.append(_difference(name, metric, actual, rows[["blend", best]].to_numpy(), customer))
    churned = rows["churned"].to_numpy(float)
    best = min(("p_none", "p_raw"), key=lambda other: brier(churned, rows[other].to_numpy()))
    cells.append(_difference("brier", brier, churned, rows[["p_churn", best]].to_numpy(), customer))
    return (
        f"|  | clv less the best other that tells customers apart | {' | '.join(cells)} | – | – |"
    )


def _difference(
    name: str,
    metric: Callable[..., float],
    actual: np.ndarray,
    pair: np.ndarray,
    customer: np.ndarray,
) -> str:
    def apart(actual: np.ndarray, pair: np.ndarray, weight: np.ndarray | None = None) -> float:
        return metric(actual, pair[:, 0], weight) - metric(actual, pair[:, 1], weight)

    found = bootstrap(apart, actual, pair, customer)
    mean, low, high = (_cell(name, x, sign="+") for x in (found.mean, found.low, found.high))
    return f"{mean} ({low} to {high})"


def _cell(name: str, value: float, sign: str = "") -> str:
    if name == "total_bias":
        return f"{value:+.1%}"
    if np.isnan(value):
        return "–"
    digits = 2 if name == "mae" else 4 if sign and name == "brier" else 3
    return f"{value:{sign}.{digits}f}"


if __name__ == "__main__":
    main()
