"""Parquet into a folder that other tools read as one partitioned table."""

from __future__ import annotations

import datetime as dt
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from clv.sinks.base import SCORES, WriteReport, day_of, frames, report, split
from clv.sinks.files import TableWriter, add_tombstones, take_out
from clv.sinks.options import Checked
from clv.storage import remove_file, whole

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

TOMBSTONE_FILE = "tombstones.parquet"


@dataclass(frozen=True)
class ParquetSink(Checked):
    """One Parquet file per as_of: ``<folder>/as_of=<date>/scores.parquet``.

    Customers who have no score any more stand in
    ``<folder>/_tombstones/as_of=<date>/tombstones.parquet``: readers of partitioned tables pass
    over names that begin with an underscore.

    Attributes
    ----------
    folder : str
        The table's root, such as a mounted lake.
    """

    folder: str
    kind: ClassVar[str] = "parquet"
    apart_by: ClassVar[str] = "folder"

    @property
    def places(self) -> tuple[str, ...]:
        """The table's root."""
        return (str(Path(self.folder).resolve()),)

    def write(self, scores: Path, directory: Path, gone: Path | None = None) -> WriteReport:  # noqa: ARG002 (has its own folder)
        """Write the partition; one that is there is replaced whole."""
        rejects: Counter[str] = Counter()
        partition = f"as_of={day_of(scores)}"
        place = Path(self.folder) / partition / "scores.parquet"
        schema = SCORES.remove(SCORES.get_field_index("as_of"))
        with whole(place) as target, TableWriter(target, schema) as writer:
            for frame in frames(scores):
                kept, refused = split(frame, None)
                rejects.update(refused)
                writer.add(pa.Table.from_pandas(kept, schema, preserve_index=False))
        tombstones = Path(self.folder) / "_tombstones" / partition / TOMBSTONE_FILE
        if gone is None:
            remove_file(tombstones)
            return report(self.kind, str(place), writer.rows, rejects)
        with gone.open("rb") as source, whole(tombstones) as target:
            shutil.copyfileobj(source, target)
        count = pq.read_metadata(gone).num_rows
        return report(self.kind, str(place), writer.rows, rejects, cleared=count)

    def restore(
        self, scores: Path, days: Collection[dt.date], gone: Path | None = None
    ) -> WriteReport:
        """Remove the partitions of the days that are taken back, and write the earlier one anew."""
        for day in days:
            partition = f"as_of={day}"
            remove_file(Path(self.folder) / partition / "scores.parquet")
            remove_file(Path(self.folder) / "_tombstones" / partition / TOMBSTONE_FILE)
        return self.write(scores, scores.parent, gone)

    @property
    def holds(self) -> tuple[Path, ...]:
        """The partitions and their tombstones."""
        root = Path(self.folder)
        return (*sorted(root.glob("as_of=*")), root / "_tombstones")

    def forget(self, ids: Sequence[str], *, write: bool, tombstones: bool) -> dict[str, int]:
        """Count customers in every partition, and take them out where asked to.

        Parameters
        ----------
        ids : sequence of str
        write : bool
            Write the partitions anew without them.
        tombstones : bool
            Leave their ids in the newest partition's tombstones.
        """
        root, held = Path(self.folder), {}
        parts = sorted(root.glob("as_of=*/scores.parquet"))
        newest = parts[-1].parent.name if parts else None
        for path in parts:
            found = take_out(path, ids, write=False)
            if found and write:
                if tombstones and path.parent.name == newest:
                    day = dt.date.fromisoformat(newest.partition("=")[2])
                    add_tombstones(root / "_tombstones" / newest / TOMBSTONE_FILE, found, day)
                take_out(path, ids, write=True)
            if found:
                held[str(path)] = len(found)
        for path in sorted(root.glob(f"_tombstones/as_of=*/{TOMBSTONE_FILE}")):
            if tombstones and path.parent.name == newest:
                continue
            if found := take_out(path, ids, write=write):
                held[str(path)] = len(found)
        return held
