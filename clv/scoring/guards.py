"""What must hold before scores are published: the day, the customers and the total.

A bad delivery looks like a good night: half the orders missing raises the total, since whoever is
left buys more often. So the next run is held to what the last published one was computed from, and
stops, with nothing published, where too much of it is gone or too much came with it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clv.errors import DataError, GateError, UsageError
from clv.foreign import json_of
from clv.notes import Note
from clv.scoring.publish import manifest
from clv.scoring.volumes import VOLUMES_FILE, Volumes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from clv.scoring.changes import Changes

ENOUGH_ROWS = 100
"""A table below so many rows is not judged by shares, unless all of them are gone."""

MONTH_DAYS = 30
UNBOUNDED = ("rows_added", "total_change")


@dataclass(frozen=True)
class Guards:
    """How far a run may lie from the last published one.

    Attributes
    ----------
    rows_lost : float
        Share of a table's rows, of the days that the last run knew, that may be gone.
    rows_added : float
        Share by which a table may have grown on the days that the last run knew.
    recent_rows : float
        Share by which the latest days of a table may lie below the leanest such span of the
        year before.
    customers_lost : float
        Share of the customers scored before who may be gone.
    total_change : float
        Share by which the published total may differ, for each 30 days since the last run.
    allow_older : bool
        Whether an older day, or the same tables on a later day, may be published.
    """

    rows_lost: float = 0.1
    rows_added: float = 0.25
    recent_rows: float = 0.5
    customers_lost: float = 0.05
    total_change: float = 0.25
    allow_older: bool = False

    def __post_init__(self) -> None:
        for name in ("rows_lost", "recent_rows", "customers_lost"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"guards: {name} is {getattr(self, name)}; expected 0 to 1.")
        for name in UNBOUNDED:
            if getattr(self, name) < 0:
                raise UsageError(f"guards: {name} is {getattr(self, name)}; expected 0 or more.")


@dataclass(frozen=True)
class LastRun:
    """What is known of the run that readers see.

    Attributes
    ----------
    as_of : datetime.date
    manifest, portfolio : dict
        Its documents.
    volumes : Volumes or None
        None where it was published before volumes were written down.
    """

    as_of: dt.date
    manifest: Mapping[str, Any]
    portfolio: Mapping[str, Any]
    volumes: Volumes | None

    @classmethod
    def read(cls, run: Path) -> LastRun:
        """Read a published run's documents.

        Raises
        ------
        DataError
            When they are not as the run wrote them.
        """
        counted = run / VOLUMES_FILE
        try:
            said = manifest(run)
            portfolio = json_of((run / "portfolio.json").read_text(encoding="utf-8"))
            volumes = json_of(counted.read_text(encoding="utf-8")) if counted.is_file() else None
            return cls(
                dt.date.fromisoformat(said["as_of"]),
                said,
                portfolio,
                None if volumes is None else Volumes.from_dict(volumes),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{run}: its documents are not as the run wrote them ({type(error).__name__}); "
                "expected those to hold tonight's tables against. Restore the folder, or go "
                "back to the run before it by `clv scores rollback`."
            ) from None


def require_newer(
    last: LastRun,
    as_of: dt.date,
    *,
    model: tuple[str, int],
    data_fingerprint: str,
    today: dt.date | None,
) -> None:
    """Refuse an older day than the published one's, and the same tables on a later day.

    The same run again on the same day is none: it publishes the same bytes.

    Parameters
    ----------
    last : LastRun
    as_of : datetime.date
    model : tuple of str and int
        Name and version.
    data_fingerprint : str
        Of the tables; empty where nobody computed it.
    today : datetime.date or None
        By the caller's clock; None where there is none.

    Raises
    ------
    GateError
        Naming both days.
    """
    if as_of < last.as_of:
        raise GateError(
            f"scores: as of {as_of} is older than what is published, as of {last.as_of}. Nothing "
            "was published. Bring the newest tables, or, if the older day is meant, write "
            "elsewhere with --out or give --allow-older."
        )
    said, finished = last.manifest, last.manifest.get("finished_at")
    same = (
        as_of == last.as_of
        and data_fingerprint != ""
        and data_fingerprint == said["data_fingerprint"]
        and model == (said["model_name"], said["model_version"])
    )
    if same and finished and today is not None:
        before = dt.datetime.fromisoformat(finished).date()
        if today > before:
            raise GateError(
                f"scores: the tables are those of the run of {before}, row for row, and end on "
                f"{as_of}: nothing new was delivered since. Nothing was published. Find out why "
                "no newer tables came, or give --allow-older to publish the same again."
            )


def require_total(
    last: LastRun, portfolio: Mapping[str, Any], changes: Changes, guards: Guards
) -> tuple[Note, ...]:
    """Stop where too many customers are gone, or the total is another one.

    Parameters
    ----------
    last : LastRun
    portfolio : mapping
        The document ``portfolio.json`` of the scores to be published.
    changes : Changes
        Between the two score tables.
    guards : Guards

    Returns
    -------
    tuple of Note
        Why the totals were not compared, where they were not.

    Raises
    ------
    GateError
        Naming both figures and the limit.
    """
    faults, old = [], last.portfolio
    left, before = changes.left, changes.before
    if before >= ENOUGH_ROWS and left > before * guards.customers_lost:
        ids = ": do ids look otherwise than before?" if changes.entered >= left / 2 else ""
        faults.append(
            f"customers: {left:,} of the {before:,} scored as of {last.as_of} are gone, and "
            f"{changes.entered:,} are new ({left / before:.1%} gone; guards.customers_lost allows "
            f"{guards.customers_lost:.1%}){ids}"
        )
    notes = []
    terms = ("horizon_days", "currency", "value_is_margin")
    differ = [name for name in terms if portfolio.get(name) != old.get(name)]
    if differ or old["total_clv"] <= 0:
        why = f"another {differ[0]}" if differ else "nothing was forecast"
        text = f"the total is not compared with the last run's: {why}"
        notes.append(Note("not_guarded", "scores", 0, text))
    else:
        elapsed = (dt.date.fromisoformat(portfolio["as_of"]) - last.as_of).days
        limit = guards.total_change * max(1.0, abs(elapsed) / MONTH_DAYS)
        change = portfolio["total_clv"] / old["total_clv"] - 1
        if abs(change) > limit and before >= ENOUGH_ROWS:
            faults.append(
                f"total: {portfolio['total_clv']:,.0f} {portfolio['currency']} after "
                f"{old['total_clv']:,.0f} as of {last.as_of} ({change:+.1%}; guards.total_change "
                f"allows {limit:.1%} over {elapsed} days)"
            )
    if faults:
        raise GateError(
            f"scores: {'; '.join(faults)}. Nothing was published. Look for what changed in the "
            "tables (units, currency, missing or repeated rows) or, after a new model, compare "
            "them with `clv score --dry-run`. If it is meant, raise the limit named above for "
            f"once, such as {raised(faults)}."
        )
    return tuple(notes)


def raised(faults: Sequence[str]) -> str:
    """Return the setting that the first fault names, raised so far that it stops nothing."""
    name = next(iter(faults)).partition("guards.")[2].split()[0].rstrip(")")
    return f"CLV__GUARDS__{name.upper()}={10 if name in UNBOUNDED else 1}"
