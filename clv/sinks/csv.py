"""CSV for people and spreadsheets: text that would run as a formula is escaped."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from clv.sinks.base import SCORES, WriteReport, frames, report, split, spreadsheet
from clv.sinks.files import whole

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class CsvSink:
    """One CSV file in the run's directory: UTF-8, comma, LF, empty cells for unknown values.

    Attributes
    ----------
    file : str
        Its name.
    """

    file: str = "scores.csv"
    kind: ClassVar[str] = "csv"

    def write(self, scores: Path, directory: Path) -> WriteReport:
        """Write the file."""
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
        return report(self.kind, self.file, written, rejects, (self.file,))
