"""Tombstones: customers who had a score and have none, so that a CRM can empty their fields.

A customer leaves the score table when erased, when merged into another, when the history that
held the purchases is cut, or for as long as the row is in quarantine. A tombstone is repeated
for a month of runs, so that a load that was missed does no harm, and then forgotten.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clv.notes import Note
from clv.scoring.publish import SCORE_FILE, TOMBSTONE_FILE, day_of_run
from clv.sinks.base import TOMBSTONES
from clv.sinks.files import TableWriter
from clv.storage import whole

if TYPE_CHECKING:
    from pathlib import Path

    from clv.scoring.publish import Published

REPEAT_DAYS = 31


def bury(published: Published, as_of: dt.date, staging: Path) -> Path | None:
    """Write the tombstones of the run in a staging directory beside its scores.

    The same scores once more have the same tombstones, whichever of the runs before them are
    still there.

    Parameters
    ----------
    published : Published
        The runs before it.
    as_of : datetime.date
        Of the staged scores.
    staging : pathlib.Path
        Where they lie.

    Returns
    -------
    pathlib.Path or None
        The file, with the columns of ``TOMBSTONES`` and sorted by customer; None where nobody
        is gone.
    """
    now = _ids(staging)
    gone = [_missing(now, as_of, run) for run in before(published, as_of)]
    if not sum(part.num_rows for part in gone):
        return None
    first = pa.concat_tables(gone).group_by("customer_id").aggregate([("since", "min")])
    table = first.rename_columns({"since_min": "since"}).select(TOMBSTONES.names)
    path = staging / TOMBSTONE_FILE
    with whole(path) as target, TableWriter(target, TOMBSTONES) as writer:
        writer.add(table.sort_by("customer_id"))
    return path


def before(published: Published, as_of: dt.date) -> list[Path]:
    """Return the runs that a destination may have loaded last: none of a later day.

    These are the newest one that counts, and any that was taken back since.
    """

    def not_later(run: Path) -> bool:
        return day_of_run(run.name) <= as_of

    counted = [run for run in published.runs if not_later(run)]
    last = max(counted, key=lambda run: day_of_run(run.name), default=None)
    taken_back = sorted(run for run in published.withdrawn if not_later(run))
    return [*([] if last is None else [last]), *taken_back]


def noted(gone: Path | None) -> tuple[Note, ...]:
    """Say how many customers are gone."""
    if gone is None:
        return ()
    text = (
        f"customers had a score within the last {REPEAT_DAYS} days and have none now; sinks "
        "empty their fields"
    )
    return (Note("gone", "scores", pq.read_metadata(gone).num_rows, text),)


def _missing(now: pa.ChunkedArray, as_of: dt.date, run: Path) -> pa.Table:
    """Return who stands in an earlier run, as a customer or a tombstone, and not in this one."""
    ids = _ids(run)
    ids = ids.filter(pc.invert(pc.is_in(ids, value_set=now)))
    days = pa.array([as_of] * len(ids), pa.date32())
    found = pa.table([ids, days], schema=TOMBSTONES)
    if not (run / TOMBSTONE_FILE).exists():
        return found
    known = pq.read_table(run / TOMBSTONE_FILE, schema=TOMBSTONES)
    still = pc.invert(pc.is_in(known["customer_id"], value_set=now))
    oldest = pa.scalar(as_of - dt.timedelta(days=REPEAT_DAYS), pa.date32())
    still = pc.and_(still, pc.greater_equal(known["since"], oldest))
    return pa.concat_tables([found, known.filter(still)])


def _ids(run: Path) -> pa.ChunkedArray:
    return pq.read_table(run / SCORE_FILE, columns=["customer_id"])["customer_id"]
