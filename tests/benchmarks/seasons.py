"""What the calendar does to totals, over simulated companies with one, two and three seasons seen.

Each company is simulated with its seasons, and once with none; purchases alone are fitted at the
end of September as the training does, with the calendar and with a flat one, and both totals are
held against what came in the quarter that holds Christmas. ``--companies`` sets how many.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))

from clv.contract.tables import Tables
from clv.engines.connect import connect
from clv.events.histories import make_histories
from clv.models.options import ModelOptions
from clv.models.training.forecasts import PastForecasts
from clv.models.training.panel import build_panel
from clv.simulation import calendar as simulated
from clv.simulation.company import simulate
from clv.simulation.options import SimulationOptions
from clv.windows import Window

HORIZON_DAYS = 90
SPARE_DAYS = 7
CUTOFFS = (0, 90, 180)
"""Days before the last one that are learned from too."""


def main() -> None:
    """Print the mean absolute error of the total with the calendar and without."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--companies", type=int, default=20)
    parser.add_argument("--customers", type=int, default=800)
    asked = parser.parse_args()
    seasons = simulated.MONTH_FACTORS
    for label, factors in (("seasons", seasons), ("no season", np.ones(12))):
        simulated.MONTH_FACTORS = factors
        for years in (1, 2, 3):
            rows = pd.DataFrame(
                [company(seed, years, asked.customers) for seed in range(asked.companies)]
            )
            flat, own = rows["flat"].abs().mean(), rows["calendar"].abs().mean()
            print(
                f"{label}, {years} seen: without {flat:.3f} (mean {rows['flat'].mean():+.3f}), "
                f"with {own:.3f} (mean {rows['calendar'].mean():+.3f}), better by "
                f"{1 - own / flat:.0%}; used in {rows['used'].mean():.0%} of {len(rows)}",
                flush=True,
            )


def company(seed: int, years: int, customers: int) -> dict[str, float]:
    """Return log(forecast / realised total) with the calendar and without."""
    # the last year's own Christmas is what is forecast
    options = SimulationOptions(customers=customers, seed=seed, years=years + 1)
    frames = simulate(options).frames()
    # a small company may have no order in its last days
    last = options.end - dt.timedelta(days=HORIZON_DAYS + SPARE_DAYS)
    windows = [Window(last - dt.timedelta(days=back), HORIZON_DAYS) for back in CUTOFFS]
    with connect(threads=1) as engine:
        tables = Tables.from_frames(engine, {"orders": frames["orders"]})
        with make_histories(tables) as histories:
            panel = build_panel(histories, windows)
    # what the last horizon brought decides nothing: it was not over
    earlier = panel.windows[:-1]
    chosen = ModelOptions(purchase_model="bg_nbd")
    found: dict[str, float] = {}
    for name, weeks in (
        ("flat", panel.purchase_weeks.iloc[:0]),
        ("calendar", panel.purchase_weeks),
    ):
        known = PastForecasts(replace(panel, purchase_weeks=weeks), chosen).known(earlier)
        rows = panel.at(panel.windows[-1])
        total = float(known.frame.loc[rows.index, "value"].sum())
        found[name] = float(np.log(total / rows["value"].sum()))
        found["used"] = float(known.steps[0].used)
    return found


if __name__ == "__main__":
    main()
