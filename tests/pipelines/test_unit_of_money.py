"""From files to the report: a company in another unit has the same ranks, and values in it."""

import json
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from clv.pipelines import cli

from clv.scoring import current
from clv.simulation import SimulationOptions, simulate

pytestmark = pytest.mark.slow

SMALL = "training: {horizon_days: 90, cutoffs: 3, folds: 1, trees: 20, rows: 2000}\n"
MONEY = ("amount", "margin", "goodwill", "cost_per_hour")
UNIT = 16_000
HUGE = 10_000_000.0


@pytest.fixture(scope="module")
def company():
    """Return a company of 400 customers, one of whom placed an order of 10,000,000."""
    options = SimulationOptions(customers=400, agents=24, seed=3, transcripts=False)
    tables = dict(simulate(options).tables)
    orders = tables["orders"]
    bought = orders[orders.amount > 0]
    large = bought.iloc[[len(bought) // 2]].assign(order_id="huge", amount=HUGE, margin=HUGE / 4)
    return tables | {"orders": pd.concat([orders, large], ignore_index=True)}


def written(tables, folder, unit):
    """Write the company in another unit."""
    folder.mkdir()
    for name, frame in tables.items():
        columns = {c: (frame[c] * unit).round(4) for c in MONEY if c in frame}
        frame.assign(**columns).to_parquet(folder / f"{name}.parquet", index=False)


def run(place):
    """Run the whole product on the company of a folder; return its scores and documents."""
    (place / "small.yaml").write_text(SMALL)
    out = place / "out"
    for words in (
        ["train"], ["score", "--model", "models:/clv/1"], ["attribute"], ["report"]
    ):  # fmt: skip
        arguments = ["clv", *words, "--data", str(place / "company")]
        arguments += ["--config", str(place / "small.yaml"), "--workspace", str(out)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", arguments)
            with pytest.raises(SystemExit) as ended:
                cli.main()
        assert not ended.value.code, words
    scores = pq.read_table(current(out / "scores") / "scores.parquet").to_pandas()
    return scores, *(
        json.loads((out / f"{name}.json").read_text()) for name in ("attribution", "portfolio")
    )


def test_the_whole_product(company, tmp_path):
    found = []
    for unit in (1, UNIT):
        place = tmp_path / str(unit)
        place.mkdir()
        written(company, place / "company", unit)
        found.append(run(place))
    (ours, effects, portfolio), (theirs, other_effects, other_portfolio) = found
    assert ours["clv"].max() > 1e4  # the large order counts
    values = ours["clv"].notna()
    assert (theirs["clv"].notna() == values).all()
    noise = 1e-5 * ours["clv"].median()
    for name in ("clv", "clv_high", "purchases_only_clv", "typical_clv", "expected_spend"):
        np.testing.assert_allclose(theirs[name] / UNIT, ours[name], rtol=1e-4, atol=noise)
    moved = (theirs["clv"].rank() - ours["clv"].rank()).abs()
    assert moved.max() <= 2
    assert theirs["value_decile"].fillna(0).eq(ours["value_decile"].fillna(0)).mean() > 0.99
    assert other_portfolio["total_clv"] / UNIT == pytest.approx(portfolio["total_clv"], rel=1e-4)
    for one, other in zip(effects["effects"], other_effects["effects"], strict=True):
        assert one["headline"] == other["headline"]
        for left, right in zip(one["levels"], other["levels"], strict=True):
            if left["estimate"] is not None:
                assert right["estimate"] / UNIT == pytest.approx(left["estimate"], rel=1e-4)
