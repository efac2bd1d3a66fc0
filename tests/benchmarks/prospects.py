"""People who have not bought, and the headline's total, over simulated companies.

Each company is simulated, a model is trained on what was known at each of two cutoffs, and
everybody known then is scored: what was forecast of never-buyers, of those who returned
everything and of all together is held against what they then did. ``--companies`` sets how
many, ``--customers`` how large, ``--workers`` how many at once.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))

from clv.contract.tables import Tables
from clv.engines.connect import connect
from clv.events.histories import make_histories
from clv.features.table import build_feature_table
from clv.labels.outcomes import build_outcomes
from clv.models.lifetime_value import LifetimeModel
from clv.models.options import ModelOptions
from clv.models.prospects.people import NEVER, RETURNED, kinds
from clv.models.training.panel import build_panel, training_windows
from clv.models.trees.boosting import Growth
from clv.simulation.company import simulate
from clv.simulation.options import SimulationOptions
from clv.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clv.events.histories import Histories

HORIZON_DAYS = 90
DISCOUNT = 0.10
BACK_DAYS = (90, 270)
"""Days from the end of the data to the cutoffs."""
TABLES = ("orders", "customers", "interactions", "surveys")
FACTOR = 1.5


def main() -> None:
    """Print a row per company and cutoff, and what they come to together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--companies", type=int, default=20)
    parser.add_argument("--first", type=int, default=200)
    parser.add_argument("--customers", type=int, default=3000)
    parser.add_argument("--workers", type=int, default=1)
    asked = parser.parse_args()
    seeds = range(asked.first, asked.first + asked.companies)
    frames = []
    with ProcessPoolExecutor(asked.workers) as pool:
        for found in pool.map(partial(study, customers=asked.customers), seeds):
            frames.append(found)
            print(found.round(2).to_string(header=len(frames) == 1), flush=True)
    rows = pd.concat(frames, ignore_index=True)
    print(f"{len(rows)} companies and cutoffs, {HORIZON_DAYS} days ahead")
    for name in (NEVER, RETURNED):
        predicted, actual = rows[f"{name}: forecast"].sum(), rows[f"{name}: realised"].sum()
        people = int(rows[f"{name}: people"].sum())
        print(f"{name}: {people} people, forecast {predicted:.0f}, realised {actual:.0f}, ", end="")
        print(f"factor {predicted / actual:.2f}")
    held = rows["inside"].mean()
    error = float(np.sqrt(held * (1 - held) / len(rows)))
    print(f"totals inside their 90 % interval: {held:.1%} (standard error {error:.1%})")


def study(seed: int, customers: int) -> pd.DataFrame:
    """Return what was forecast of one company, and what came, by cutoff."""
    frames = simulate(SimulationOptions(customers=customers, seed=seed)).frames()
    with connect(threads=1) as engine:
        tables = Tables.from_frames(engine, {name: frames[name] for name in TABLES})
        histories = make_histories(tables)
        found = pd.DataFrame(list(_cutoffs(histories)))
        histories.close()
    return found.assign(seed=seed)


def _cutoffs(histories: Histories) -> Iterator[dict[str, object]]:
    first, last = histories.tables.span()
    options = ModelOptions(growth=Growth(trees=80))
    for days in BACK_DAYS:
        cutoff = last - dt.timedelta(days=days)
        windows = training_windows(first, cutoff, HORIZON_DAYS)
        panel = build_panel(histories, windows, discount_rate_annual=DISCOUNT)
        model = LifetimeModel.fit(panel, options)
        table = build_feature_table(histories, cutoff)
        features = table.to_pandas()
        table.close()
        outcomes = build_outcomes(
            histories,
            Window(cutoff, HORIZON_DAYS),
            discount_rate_annual=DISCOUNT,
            prospects=True,
        )
        yield _compared(cutoff, model, features, outcomes.set_index("customer_id")["value"])


def _compared(
    cutoff: dt.date, model: LifetimeModel, features: pd.DataFrame, realised: pd.Series
) -> dict[str, object]:
    scores = model.predict(features)
    value = realised.loc[features["customer_id"]].to_numpy()
    valued = scores["clv"].notna().to_numpy()
    clv = scores["clv"].to_numpy()
    prospect, kind = features["frequency"].isna().to_numpy() & valued, kinds(features)
    row: dict[str, object] = {"cutoff": cutoff.isoformat(), "unvalued": int((~valued).sum())}
    for name in (NEVER, RETURNED):
        here = prospect & (kind == name)
        row |= {
            f"{name}: people": int(here.sum()),
            f"{name}: forecast": float(clv[here].sum()),
            f"{name}: realised": float(value[here].sum()),
        }
    total, came = float(clv[valued].sum()), float(value[valued].sum())
    low, high = model.total_interval(total, int(valued.sum()), cutoff.isoformat())
    return {**row, "total": total, "came": came, "low": low, "high": high} | {
        "inside": low <= came <= high
    }


if __name__ == "__main__":
    main()
