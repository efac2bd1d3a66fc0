"""Scoring where the rows are: the model travels to the nodes of a cluster, as its files.

Predictions come back beside the features; what is counted, checked and published stays here.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from clv.models.lifetime_value import SCORE_COLUMNS, LifetimeValue
from clv.sinks import SCORES

if TYPE_CHECKING:
    import pandas as pd

    from clv.features.table import FeatureTable

PREFIX = "predicted__"
_FROM_FEATURES = ("customer_id", "as_of")
PREDICTED = pa.schema(
    [
        pa.field(f"{PREFIX}{field.name}", field.type)
        for field in SCORES
        if field.name in SCORE_COLUMNS and field.name not in _FROM_FEATURES
    ]
)
"""What a node adds to the features."""


@dataclass(frozen=True)
class NodeScorer:
    """A model on its way to a node: LightGBM text and JSON, nothing of it pickled.

    Attributes
    ----------
    files : tuple of (str, bytes)
        The model's files, by path under its folder.
    """

    files: tuple[tuple[str, bytes], ...]

    @classmethod
    def of(cls, model: LifetimeValue) -> NodeScorer:
        """Pack a model."""
        with tempfile.TemporaryDirectory(prefix="clv-model-") as place:
            folder = Path(place)
            model.save(folder)
            paths = sorted(path for path in folder.rglob("*") if path.is_file())
            return cls(tuple((str(p.relative_to(folder)), p.read_bytes()) for p in paths))

    def __call__(self, rows: pa.Table) -> pa.Table:
        """Return the predictions of some feature rows, rows as given."""
        predicted = _loaded(self).predict(rows.to_pandas())
        renamed = predicted.rename(columns=lambda name: f"{PREFIX}{name}")
        return pa.Table.from_pandas(renamed[PREDICTED.names], PREDICTED, preserve_index=False)


@lru_cache(maxsize=2)
def _loaded(scorer: NodeScorer) -> LifetimeValue:
    """Load a model once in a process of a node."""
    with tempfile.TemporaryDirectory(prefix="clv-model-") as place:
        for name, content in scorer.files:
            path = Path(place) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return LifetimeValue.load(Path(place))


def on_nodes(table: FeatureTable, model: LifetimeValue) -> FeatureTable | None:
    """Return the table with predictions beside the features; None where there are no nodes."""
    parts = []
    for part in table.parts:
        made = table.engine.mapped(part, lambda: NodeScorer.of(model), PREDICTED)
        if made is None:
            return None
        parts.append(made)
    return replace(table, parts=tuple(parts))


def parted(frame: pd.DataFrame, model: LifetimeValue) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part a chunk into features and predictions, which a node may have made already."""
    made = [name for name in frame.columns if name.startswith(PREFIX)]
    if not made:
        return frame, model.predict(frame)
    features = frame.drop(columns=made)
    scores = frame[[*_FROM_FEATURES, *made]].rename(columns=lambda n: n.removeprefix(PREFIX))
    return features, scores[list(SCORE_COLUMNS)]
