"""What is typed in Python gives what the commands give, to the last digit that is published."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clv import Company, LifetimeValue
from clv.models.lifetime_value import SCORE_COLUMNS
from clv.sinks import SCORES

DAY = "2025-11-30"


@pytest.mark.slow
def test_a_model_fitted_in_python_scores_as_the_commands_do(clv, folder, tmp_path):
    place, config = folder(), tmp_path / "settings.yaml"
    config.write_text("training: {cutoffs: 2, folds: 1, trees: 20, horizon_days: 90}\n")
    out = tmp_path / "out"
    for words in (("train",), ("score", "--model", "models:/clv@challenger", "--as-of", DAY)):
        seen = clv(*words, "--data", place, "--config", config, workspace=out)
        assert seen.code == 0, seen.err
    run = (out / "scores" / "_CURRENT").read_text(encoding="utf-8").splitlines()[0]
    published = pq.read_table(out / "scores" / "runs" / run / "scores.parquet")

    model = LifetimeValue(cutoffs=2, folds=1, trees=20, horizon_days=90)
    with Company.open(place) as company:
        scores = model.fit(company).predict(company, as_of=DAY)
    schema = pa.schema([SCORES.field(name) for name in SCORE_COLUMNS])
    typed = pa.Table.from_pandas(scores, schema, preserve_index=False)
    assert typed.replace_schema_metadata().equals(published.select(SCORE_COLUMNS))
    assert len(scores) == pd.Series(scores["customer_id"]).nunique() > 300
