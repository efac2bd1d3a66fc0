"""CSV for people and spreadsheets: text that would run as a formula is escaped."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pyarrow.parquet as pq

from clv.sinks.base import SCORES, TOMBSTONES, WriteReport, frames, report, split, spreadsheet
from clv.sinks.options import Checked, file_name
from clv.storage import whole


@dataclass(frozen=True)
class CsvSink(Checked):
    """One CSV file in the run's directory: UTF-8, comma, LF, empty cells for unknown values.

    Customers who have no score any more stand in a second file, ``scores-tombstones.csv``.

    Attributes
    ----------
    file : str
        Its name.
    """

    file: str = file_name("scores.csv")
    kind: ClassVar[str] = "csv"
    apart_by: ClassVar[str] = "file"

    @property
    def places(self) -> tuple[str, ...]:
        """The files."""
        return self.file, self._second

    @property
    def _second(self) -> str:
        return f"{Path(self.file).stem}-tombstones.csv"

    def write(self, scores: Path, directory: Path, gone: Path | None = None) -> WriteReport:
        """Write the files."""
        rejects: Counter[str] = Counter()
        written = 0
        with whole(directory / self.file) as target:
            lines = io.TextIOWrapper(target, encoding="utf-8", newline="", write_through=True)
            lines.write(",".join(SCORES.names) + "\n")
            for frame in frames(scores):
                kept, refused = split(frame, None)
                rejects.update(refused)
                spreadsheet(kept[SCORES.names]).to_csv(
                    lines, index=False, header=False, lineterminator="\n"
                )
                written += len(kept)
            lines.detach()
        if gone is None:
            return report(self.kind, self.file, written, rejects, (self.file,))
        second = self._second
        frame = pq.read_table(gone).to_pandas(date_as_object=True)
        with whole(directory / second) as target:
            text = spreadsheet(frame[TOMBSTONES.names]).to_csv(index=False, lineterminator="\n")
            target.write(text.encode())
        names = (self.file, second)
        return report(self.kind, self.file, written, rejects, names, len(frame))
