"""How often the interval of a portfolio's total holds, over many small companies.

Each company is drawn from a buy-till-you-die process with a year of growth in it; a model is
trained on its first cutoffs, and its total and the total's interval are held against what its
customers then did, one horizon after the last cutoff that it had learned from. Customers'
intervals are counted beside. ``--companies`` sets how many.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from clv.models.lifetime_value import LifetimeModel  # noqa: E402
from clv.models.options import ModelOptions  # noqa: E402
from clv.models.training.panel import OUTCOMES  # noqa: E402
from clv.models.trees.boosting import Growth  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from clv.models.training.panel import Panel

DAYS = (270, 330, 390, 450, 510)
SCORED = 600
CUSTOMERS = 500


def main() -> None:
    """Print both coverages, with their standard errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--companies", type=int, default=200)
    options = parser.parse_args()
    held, covered, floors = [], [], []
    for seed in range(options.companies):
        total, inside, at_floor = company(seed)
        held.append(total)
        covered.append(inside)
        floors.append(at_floor)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{seed + 1} of {options.companies}")
    share = float(np.mean(held))
    error = float(np.sqrt(share * (1 - share) / len(held)))
    print(f"{len(held)} companies of {CUSTOMERS} customers, nominal 90 %")
    print(f"totals inside their interval: {share:.1%} (standard error {error:.1%})")
    inside, floor = np.concatenate(covered), np.concatenate(floors)
    print(
        f"customers inside theirs: {inside.mean():.1%}; {inside[~floor].mean():.1%} of the "
        f"{1 - floor.mean():.0%} whose interval is not at its floor"
    )


def company(seed: int) -> tuple[bool, np.ndarray, np.ndarray]:
    """Return whether the total's interval held, whose own did, and whose is at its floor.

    At its floor is an interval that ends at the prediction: nothing and the prediction have
    to be in it, and that covers more than the level where nearly all buy nothing.
    """
    make_panel = _maker()
    panel = make_panel(CUSTOMERS, seed, (*DAYS, SCORED), born_days=SCORED)
    *windows, last = panel.windows
    frame = pd.concat([panel.at(window) for window in windows], ignore_index=True)
    known, later = replace(panel, frame=frame, windows=tuple(windows)), panel.at(last)
    growth = Growth(trees=30, num_threads=1, min_data_in_leaf=20)
    model = LifetimeModel.fit(known, ModelOptions(purchase_model="bg_nbd", growth=growth))
    scores = model.predict(later.drop(columns=list(OUTCOMES)))
    as_of = last.cutoff.isoformat()
    low, high = model.total_interval(float(scores["clv"].sum()), len(later), as_of)
    value = later["value"].to_numpy()
    covered = (value >= scores["clv_low"].to_numpy()) & (value <= scores["clv_high"].to_numpy())
    return (
        bool(low <= value.sum() <= high),
        covered,
        (scores["clv_high"] <= scores["clv"]).to_numpy(),
    )


def _maker() -> Callable[..., Panel]:
    path = ROOT / "tests" / "unit" / "models" / "company.py"
    spec = importlib.util.spec_from_file_location("panel_company", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["panel_company"] = module
    spec.loader.exec_module(module)
    return module.make_panel


if __name__ == "__main__":
    main()
