"""What a scoring run that did not end leaves for the next one: the predictions it had finished.

A finished chunk is a file, named with its hash in a record beside it. The record also says what
the run was of: a run of anything else discards it all. A chunk is used again when its file has
its hash and was made from the very features that the chunk has now; everything after the
predictions is done anew, so that the table has the same bytes as that of an uninterrupted run.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from clv.foreign import json_of
from clv.notes import Note
from clv.scoring.nodes import PREDICTED, NodeScorer, predictions
from clv.scoring.publish import write_json
from clv.scoring.result import versions
from clv.sinks.files import TableWriter
from clv.storage import marked, remove_folder, sha256_of, whole

if TYPE_CHECKING:
    from pathlib import Path

    from clv.features.table import FeatureTable
    from clv.models.lifetime_value import LifetimeModel
    from clv.scoring.options import ScoringOptions

FOLDER = ".unfinished"
RECORD = "record.json"


@dataclass
class Unfinished:
    """The finished chunks of a run that has not been published.

    Attributes
    ----------
    place : pathlib.Path
        Where they lie; only the holder of the folder's lock may use them.
    inputs : dict
        What the run is of.
    model : LifetimeModel
        Predicts what is not there.
    parts : dict of str to dict
        File name to the hashes of its content and of the features it was made from.
    notes : list of Note
        What was discarded.
    chunks, unfit : int
        Chunks so far, and those among them whose files were not what was recorded.
    reused : int
        Customers of chunks that were used again.
    """

    place: Path
    inputs: dict[str, Any]
    model: LifetimeModel
    parts: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    chunks: int = 0
    unfit: int = 0
    reused: int = 0

    def predict(self, features: pd.DataFrame) -> pa.Table:
        """Return the predictions of the next chunk, kept ones where they are still right."""
        name = f"part-{self.chunks:05d}.parquet"
        self.chunks += 1
        origin = digest_of(features)
        kept = self._read(name, origin)
        if kept is not None:
            self.reused += len(features)
            return kept
        made = predictions(self.model, features)
        with whole(self.place / name) as target, TableWriter(target, PREDICTED) as writer:
            writer.add(made)
        self.parts[name] = {"sha256": sha256_of(self.place / name), "features": origin}
        write_json(self.place / RECORD, {"inputs": self.inputs, "parts": self.parts})
        return made

    def said(self) -> tuple[Note, ...]:
        """Say what was used again, and what was not."""
        notes = list(self.notes)
        if self.unfit:
            text = "chunks of a run that did not end are not what it recorded; scored again"
            notes.append(Note("unfinished_discarded", "scores", self.unfit, text))
        if self.reused:
            text = "customers were scored by a run that did not end; checked, and used"
            notes.append(Note("resumed", "scores", self.reused, text))
        return tuple(notes)

    def remove(self) -> None:
        """Remove everything, once it is published or may not be used."""
        _ = remove_folder(self.place, RECORD) or remove_folder(self.place)

    def _read(self, name: str, origin: str) -> pa.Table | None:
        recorded = self.parts.get(name)
        if recorded is None:
            return None
        path = self.place / name
        content = path.read_bytes() if path.exists() else b""
        digest = hashlib.sha256(content).hexdigest()
        if recorded != {"sha256": digest, "features": origin}:
            self.unfit += 1
            return None
        return pq.read_table(pa.BufferReader(content), schema=PREDICTED)


def opened(out: Path, inputs: dict[str, Any], model: LifetimeModel) -> Unfinished:
    """Return what the last run left, if it was of the same inputs; discard it otherwise."""
    here = Unfinished(out / FOLDER, inputs, model)
    record = here.place / RECORD
    if record.exists():
        recorded, parts = _recorded(record)
        other = [name for name in inputs if recorded.get(name) != inputs[name]]
        if not other:
            here.parts = parts
        else:
            why = (
                f"being of other {', '.join(other)}" if recorded else "as its record cannot be read"
            )
            text = f"chunks of a run that did not end are not used, {why}"
            here.notes.append(Note("unfinished_discarded", "scores", len(parts), text))
    if not here.parts:
        here.remove()
    marked(here.place)
    return here


def inputs_of(
    table: FeatureTable, model: LifetimeModel, options: ScoringOptions, customers: int
) -> dict[str, Any]:
    """Return everything that decides the predictions of a run's chunks."""
    files = hashlib.sha256()
    for name, content in NodeScorer.of(model).files:
        files.update(f"{name}:{len(content)}:".encode() + content)
    return {
        "as_of": table.cutoff.isoformat(),
        "model": f"{options.model_name}/{options.model_version}",
        "model_files": files.hexdigest(),
        "feature_fingerprint": model.info.fingerprint,
        "data_fingerprint": options.data_fingerprint,
        "customers": customers,
        "chunk_customers": options.chunk_customers,
        "engine": type(table.engine).__name__,
        "packages": versions(),
    }


def digest_of(frame: pd.DataFrame) -> str:
    """Return a hash of a frame's columns and values, whatever memory they lie in.

    Examples
    --------
    >>> frame = pd.DataFrame({"a": [1.0, float("nan")], "b": ["x", None]})
    >>> digest_of(frame) == digest_of(frame.copy()), digest_of(frame) == digest_of(frame[::-1])
    (True, False)
    """
    digest = hashlib.sha256(json.dumps(list(frame.columns)).encode())
    digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def _recorded(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    """Read a record; one that was tampered with is as good as none."""
    try:
        document = json_of(path.read_text(encoding="utf-8"))
        return dict(document["inputs"]), {str(k): dict(v) for k, v in document["parts"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}, {}
