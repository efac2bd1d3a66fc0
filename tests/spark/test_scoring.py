"""Scores: a model trained beside DuckDB gives the same score table on Spark's nodes."""

import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from clv.pipelines import cli

from clv.scoring import current
from clv.simulation import SimulationOptions, simulate
from clv.sinks import SCORES

pytestmark = pytest.mark.spark

SMALL = "training: {horizon_days: 90, cutoffs: 3, folds: 1, trees: 20, rows: 2000}\n"


@pytest.fixture(scope="module")
def scored(spark, tmp_path_factory):
    """Return the score tables of one company and model from both engines."""
    place = tmp_path_factory.mktemp("scored")
    simulate(SimulationOptions(customers=400, agents=24, seed=3, transcripts=False)).write(
        place / "company"
    )
    (place / "small.yaml").write_text(SMALL)

    def clv(*words):
        arguments = ["clv", *words, "--data", str(place / "company")]
        arguments += ["--config", str(place / "small.yaml")]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", [*arguments, "--workspace", str(place / "out")])
            with pytest.raises(SystemExit) as ended:
                cli.main()
        assert not ended.value.code

    clv("train")
    tables = {}
    for kind in ("duckdb", "spark"):
        out = place / kind
        clv("score", "--model", "models:/clv/1", "--engine", kind, "--out", str(out))
        tables[kind] = pq.read_table(current(out) / "scores.parquet")
    return tables


def test_the_scores_are_the_same(scored):
    left, right = scored["duckdb"], scored["spark"]
    assert left.num_rows > 400
    for field in SCORES:
        one, other = left[field.name], right[field.name]
        if field.type == "double":
            pairs = (column.to_numpy(zero_copy_only=False) for column in (one, other))
            np.testing.assert_allclose(*pairs, rtol=0, atol=1e-9, err_msg=field.name)
        else:
            assert one.to_pylist() == other.to_pylist(), field.name
