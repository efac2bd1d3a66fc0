"""Scoring where the rows are: the model travels to the nodes of a cluster, as its files.

Predictions come back beside the features; what is counted, checked and published stays here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import pyarrow as pa

from clv.errors import ModelError, listing
from clv.models.lifetime_value import SCORE_COLUMNS, LifetimeModel
from clv.sinks import SCORES
from clv.storage import TemporaryFolder, write_text

if TYPE_CHECKING:
    from collections.abc import Callable

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
    def of(cls, model: LifetimeModel) -> NodeScorer:
        """Pack a model."""
        return cls(tuple((name, text.encode()) for name, text in sorted(model.texts().items())))

    def __call__(self, rows: pa.Table) -> pa.Table:
        """Return the predictions of some feature rows, rows as given."""
        return predictions(_loaded(self), rows.to_pandas())


@lru_cache(maxsize=2)
def _loaded(scorer: NodeScorer) -> LifetimeModel:
    """Load a model once in a process of a node."""
    with TemporaryFolder("clv-model-") as place:
        for name, content in scorer.files:
            write_text(place / name, content.decode())
        return LifetimeModel.load(place)


def predictions(model: LifetimeModel, features: pd.DataFrame) -> pa.Table:
    """Return the columns ``PREDICTED`` of some feature rows, rows as given.

    Raises
    ------
    ModelError
        When the model does not return the score columns.
    """
    predicted = model.predict(features).rename(columns=lambda name: f"{PREFIX}{name}")
    absent = [name for name in PREDICTED.names if name not in predicted]
    if absent:
        raise ModelError(
            f"model: predicts no column {listing(n.removeprefix(PREFIX) for n in absent)}; "
            "expected the score columns. It was trained by another version of clv: train again."
        )
    return pa.Table.from_pandas(predicted[PREDICTED.names], PREDICTED, preserve_index=False)


def on_nodes(table: FeatureTable, model: LifetimeModel) -> FeatureTable | None:
    """Return the table with predictions beside the features; None where there are no nodes."""
    parts = []
    for part in table.parts:
        made = table.engine.mapped(part, lambda: NodeScorer.of(model), PREDICTED)
        if made is None:
            return None
        parts.append(made)
    return replace(table, parts=tuple(parts))


def parted(
    frame: pd.DataFrame, predict: Callable[[pd.DataFrame], pa.Table]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part a chunk into features and predictions, which a node may have made already.

    Parameters
    ----------
    frame : DataFrame
        Feature rows.
    predict : callable
        Makes the columns ``PREDICTED`` where no node has.
    """
    made = [name for name in frame.columns if name.startswith(PREFIX)]
    features = frame.drop(columns=made)
    predicted = frame[made] if made else predict(frame).to_pandas()
    scores = predicted.rename(columns=lambda name: name.removeprefix(PREFIX))
    scores = scores.assign(**{name: features[name].array for name in _FROM_FEATURES})
    return features, scores[list(SCORE_COLUMNS)]
