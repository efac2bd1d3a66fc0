"""How many rows of each table a run was computed from, day by day: what the next run is held to."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clv.schema import SCHEMA
from clv.windows import DAY_SECONDS, day_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clv.contract.tables import Tables

VOLUMES_FILE = "volumes.json"
"""Beside the scores of a published run."""


@dataclass(frozen=True)
class Volume:
    """The accepted rows of one table, up to a day.

    Attributes
    ----------
    rows : int
        Those without a time among them.
    days : mapping of datetime.date to int
        Rows by day, where rows have a time; days without any are left out.
    """

    rows: int
    days: Mapping[dt.date, int]

    def between(self, after: dt.date, until: dt.date) -> int:
        """Count the rows of the days after one, until another and with it."""
        return sum(count for day, count in self.days.items() if after < day <= until)

    def until(self, day: dt.date) -> int:
        """Count the rows up to a day; of a table without times all."""
        return sum(n for d, n in self.days.items() if d <= day) if self.days else self.rows

    def months(self, until: dt.date) -> dict[str, int]:
        """Count rows by calendar month, up to a day."""
        counts: dict[str, int] = {}
        for day, count in self.days.items():
            if day <= until:
                month = f"{day:%Y-%m}"
                counts[month] = counts.get(month, 0) + count
        return counts

    @property
    def last(self) -> dt.date | None:
        """The day of the last row, where rows have a time."""
        return max(self.days, default=None)


@dataclass(frozen=True)
class Volumes:
    """The accepted rows of every table, as known at the end of a day.

    Attributes
    ----------
    as_of : datetime.date
    tables : mapping of str to Volume
        By the contract's names.
    """

    as_of: dt.date
    tables: Mapping[str, Volume]

    def as_dict(self) -> dict[str, Any]:
        """Return the document ``volumes.json``."""
        return {
            "as_of": self.as_of.isoformat(),
            "tables": {
                name: {
                    "rows": volume.rows,
                    "days": {day.isoformat(): n for day, n in sorted(volume.days.items())},
                }
                for name, volume in sorted(self.tables.items())
            },
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Volumes:
        """Restore what ``as_dict`` returned."""
        return cls(
            dt.date.fromisoformat(saved["as_of"]),
            {
                name: Volume(
                    int(volume["rows"]),
                    {dt.date.fromisoformat(day): int(n) for day, n in volume["days"].items()},
                )
                for name, volume in saved["tables"].items()
            },
        )


def count_volumes(tables: Tables, as_of: dt.date) -> Volumes:
    """Count the accepted rows of every table by day, those after ``as_of`` left out.

    Parameters
    ----------
    tables : Tables
        Accepted rows.
    as_of : datetime.date
        The last day that counts.
    """
    found = {}
    for name in sorted(tables.frames):
        rows, time = tables[name], SCHEMA[name].time
        if time is None or time not in rows.columns:
            total = tables.engine.to_pandas(rows.aggregate(rows=rows.count()))["rows"].iloc[0]
            found[name] = Volume(int(total), {})
            continue
        counted = rows.group_by(day=rows[time] // DAY_SECONDS).aggregate(rows=lambda t: t.count())
        frame = tables.engine.to_pandas(counted)
        untimed = int(frame.loc[frame["day"].isna(), "rows"].sum())
        frame = frame.dropna(subset="day")
        pairs = zip(frame["day"], frame["rows"], strict=True)
        days = {day_of(int(day) * DAY_SECONDS): int(n) for day, n in pairs}
        days = {day: n for day, n in days.items() if day <= as_of}
        found[name] = Volume(untimed + sum(days.values()), days)
    return Volumes(as_of, found)
