"""Parquet into a folder that other tools read as one partitioned table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from clv.sinks.base import SCORES, WriteReport, day_of, frames, report, split
from clv.sinks.files import TableWriter, folder, whole


@dataclass(frozen=True)
class ParquetSink:
    """One Parquet file per as_of: ``<folder>/as_of=<date>/scores.parquet``.

    Attributes
    ----------
    folder : str
        The table's root, such as a mounted lake.
    """

    folder: str
    kind: ClassVar[str] = "parquet"

    def write(self, scores: Path, directory: Path) -> WriteReport:  # noqa: ARG002 (has its own folder)
        """Write the partition; one that is there is replaced whole."""
        rejects: Counter[str] = Counter()
        place = folder(Path(self.folder) / f"as_of={day_of(scores)}") / "scores.parquet"
        schema = SCORES.remove(SCORES.get_field_index("as_of"))
        with whole(place) as target, TableWriter(target, schema) as writer:
            for frame in frames(scores):
                kept, refused = split(frame, None)
                rejects.update(refused)
                writer.add(pa.Table.from_pandas(kept, schema, preserve_index=False))
        return report(self.kind, str(place), writer.rows, rejects)
