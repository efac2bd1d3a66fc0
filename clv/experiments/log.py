"""The log of assignments: a CSV file that only grows, and holds all of an assignment or nothing."""

from __future__ import annotations

import csv
import datetime as dt
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from clv.errors import DataError, StorageError, UsageError, listing
from clv.notes import Note
from clv.spreadsheet import escaped, unescaped
from clv.storage import FileLocked, whole

if TYPE_CHECKING:
    from clv.experiments.assign import Plan

COLUMNS = ("experiment", "unit", "unit_id", "arm", "assigned_at")


def read_log(path: str | Path) -> pd.DataFrame:
    """Read an assignment log in the contract's columns, times as seconds.

    Raises
    ------
    StorageError
        When the file cannot be read.
    DataError
        When it is no assignment log, or ends in the middle of a line.
    """
    path = Path(path)
    rows, _, cut = _rows(path)
    if cut:
        raise DataError(
            f"{path}: ends in the middle of a line; expected whole rows. Run `clv experiment "
            "assign` again as before: it finishes what was assigned."
        )
    at = pd.to_datetime(rows["assigned_at"], utc=True, format="ISO8601")
    seconds = (at - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(seconds=1)
    return rows.assign(assigned_at=seconds.astype("int64"))


@dataclass(frozen=True)
class Logged:
    """What appending to a log did.

    Attributes
    ----------
    rows : DataFrame
        What was added, in the contract's columns.
    notes : tuple of Note
        What was left out of the log, or was in it already.
    """

    rows: pd.DataFrame
    notes: tuple[Note, ...]


def append_log(
    plan: Plan,
    assigned: pd.DataFrame,
    log: str | Path,
    *,
    assigned_at: dt.datetime,
    wait_seconds: float = 0.0,
) -> Logged:
    """Append assignments to a log that only grows, in the contract's columns.

    The log is written whole under a lock: whoever reads it finds all of an assignment or
    nothing. One that stopped midway is finished by the same assignment once more.

    Parameters
    ----------
    plan : Plan
        The experiment.
    assigned : DataFrame
        As ``assign`` returns it.
    log : Path
        A CSV file; created where there is none.
    assigned_at : datetime.datetime
        When.
    wait_seconds : float
        For another process that writes the log.

    Raises
    ------
    UsageError
        When a unit is in the log of this experiment already, with another arm or beside units
        that are not assigned now.
    DataError
        When the file is no assignment log.
    LockError, StorageError
        When another process holds the log, or it cannot be written.
    """
    log = Path(log)
    rows = assigned.assign(
        experiment=plan.experiment, unit=plan.unit, assigned_at=assigned_at.isoformat()
    )[list(COLUMNS)]
    with FileLocked(log.with_name(f".{log.name}.lock"), str(log), wait_seconds):
        known, held, cut = _rows(log) if log.exists() else (rows.iloc[:0], b"", False)
        mine = known[known["experiment"] == plan.experiment]
        _check_again(plan, mine, rows)
        added = rows[~rows["unit_id"].isin(set(mine["unit_id"]))]
        with whole(log) as file:
            file.write(held + _text(added, header=not held))
    notes = []
    if cut:
        text = "ended in the middle of a line, as a killed run leaves it; that line is left out"
        notes.append(Note("half_line", log.name, 1, text))
    if len(mine) and len(added) < len(rows):
        text = f"{plan.unit}s were in the log with the same arm already; they stay as they were"
        notes.append(Note("assigned_before", plan.experiment, len(rows) - len(added), text))
    return Logged(added, tuple(notes))


def _check_again(plan: Plan, mine: pd.DataFrame, rows: pd.DataFrame) -> None:
    """Let the same assignment be finished, or units be added; refuse everything between."""
    again = rows.loc[rows["unit_id"].isin(set(mine["unit_id"])), "unit_id"]
    arms = dict(zip(rows["unit_id"], rows["arm"], strict=True))
    same = all(
        arms.get(unit) == arm for unit, arm in zip(mine["unit_id"], mine["arm"], strict=True)
    )
    if len(again) and not same:
        raise UsageError(
            f"experiment {plan.experiment}: unit {listing(again)} was assigned before; an "
            "assignment never changes. Leave them out, or name a new experiment."
        )


def _text(rows: pd.DataFrame, *, header: bool) -> bytes:
    safe = rows.map(escaped)  # an id such as =1+1, which somebody will open in a spreadsheet
    # Of line breaks, pandas quotes the file's own only.
    broken = safe.apply(lambda column: column.str.contains("\r", regex=False)).any(axis=None)
    if broken:
        text = safe.to_csv(index=False, header=header, lineterminator="\n", quoting=csv.QUOTE_ALL)
    else:
        text = safe.to_csv(index=False, header=header, lineterminator="\n")
    return text.encode()


def _rows(path: Path) -> tuple[pd.DataFrame, bytes, bool]:
    """Return the whole rows of a log, their bytes, and whether half a line stood behind them."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}. See --log.") from None
    try:
        body, _, last = content.rpartition(b"\n")
        cut = bool(last) and not _is_row(last.decode("utf-8", "replace"))
        if last:
            content = body + b"\n" if cut else content + b"\n"
        rows = pd.read_csv(io.BytesIO(content), dtype="str", keep_default_na=False)
        rows = rows.map(unescaped)
        if list(rows.columns) != list(COLUMNS):
            raise ValueError(path)
        pd.to_datetime(rows["assigned_at"], utc=True, format="ISO8601")
    except ValueError:
        raise DataError(
            f"{path}: is no assignment log; expected the columns {', '.join(COLUMNS)}, times as "
            "ISO 8601. Use the file that `clv experiment assign` writes."
        ) from None
    return rows, content, cut


def _is_row(line: str) -> bool:
    """Say whether a line without its end is a row all the same, as an editor leaves it.

    Examples
    --------
    >>> _is_row("warmth,customer,c1,warm,2025-06-30T00:00:00+00:00"), _is_row("warmth,customer,c")
    (True, False)
    """
    cells = next(csv.reader([line]), [])
    try:
        return len(cells) == len(COLUMNS) and bool(dt.datetime.fromisoformat(cells[-1]).tzinfo)
    except ValueError:
        return False
