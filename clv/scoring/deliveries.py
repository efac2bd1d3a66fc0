"""Whether the tables of a run were delivered whole: their rows by day, beside the last run's."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from clv.errors import GateError
from clv.notes import Note
from clv.scoring.guards import ENOUGH_ROWS, LastRun, raised, require_newer, require_total

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from clv.scoring.changes import Changes
    from clv.scoring.guards import Guards
    from clv.scoring.options import ScoringOptions
    from clv.scoring.volumes import Volume, Volumes

ENOUGH_RECENT = 20
"""Rows that the leanest span of days must have, for a later one to be held to it."""

ENOUGH_SPANS = 4
"""Spans of days before the latest, of which the leanest is taken."""

LEAST_SPAN_DAYS = 7
LOOKED_BACK_DAYS = 364
NEARLY_ALL = 0.8


def compared_with_last(
    options: ScoringOptions, published: Sequence[Path], as_of: dt.date, volumes: Volumes | None
) -> tuple[Note, ...]:
    """Hold the tables of a run to those of the last published one.

    Parameters
    ----------
    options : ScoringOptions
        Without guards nothing is asked.
    published : sequence of pathlib.Path
        Runs, the one that readers see first; without any there is nothing to compare with.
    as_of : datetime.date
        Of the run to come.
    volumes : Volumes or None
        Of its tables; None where nobody counted them.

    Raises
    ------
    GateError
        When the day is older, the tables are the same, or too many rows are gone or new.
    """
    guards = options.guards
    if guards is None or not published:
        return ()
    last = LastRun.read(published[0])
    if not guards.allow_older:
        require_newer(
            last,
            as_of,
            model=(options.model_name, options.model_version),
            data_fingerprint=options.data_fingerprint,
            today=None if options.clock is None else options.clock().date(),
        )
    return () if volumes is None else require_volumes(last, volumes, guards)


def worth_compared_with_last(
    options: ScoringOptions,
    published: Sequence[Path],
    worth: Mapping[str, Any],
    changes: Changes | None,
) -> tuple[Note, ...]:
    """Hold the scores of a run to those of the last published one.

    Parameters
    ----------
    options : ScoringOptions
        Without guards nothing is asked.
    published : sequence of pathlib.Path
        Runs, the one that readers see first.
    worth : mapping
        The document ``portfolio.json`` of the scores to be published.
    changes : Changes or None
        Between the two score tables.

    Raises
    ------
    GateError
        When too many customers are gone, or the total is another one.
    """
    if options.guards is None or changes is None or not published:
        return ()
    return require_total(LastRun.read(published[0]), worth, changes, options.guards)


def require_volumes(last: LastRun, now: Volumes, guards: Guards) -> tuple[Note, ...]:
    """Stop where a table has lost or gained rows of days that the last run knew.

    Parameters
    ----------
    last : LastRun
    now : Volumes
        Of the tables to be scored.
    guards : Guards

    Returns
    -------
    tuple of Note
        What could not be compared, and tables that brought nothing new.

    Raises
    ------
    GateError
        Naming every table, how much, since when, and what to do.
    """
    if last.volumes is None:
        text = "the last run wrote down no numbers of rows: compared from this run on"
        return (Note("not_guarded", "scores", 0, text),)
    faults, quiet = [], []
    for name, before in last.volumes.tables.items():
        here = now.tables.get(name)
        if here is None:
            if before.rows and guards.rows_lost < 1:
                faults.append(
                    f"{name}: the table is not there, or holds no row; the last run, as of "
                    f"{last.as_of}, had {before.rows:,} rows of it (guards.rows_lost)"
                )
            continue
        fault = (
            _lost(name, before, here, last.as_of, guards)
            or _added(name, before, here, last.as_of, guards)
            or _lean(name, here, last.as_of, now.as_of, guards)
        )
        if fault:
            faults.append(fault)
        elif here.days and now.as_of > last.as_of and not here.between(last.as_of, now.as_of):
            text = f"no row after {here.last}, though the last run was as of {last.as_of}"
            quiet.append(Note("nothing_new", name, 0, text))
    if faults:
        raise GateError(
            f"scores: {'; '.join(faults)}. Nothing was published. Ask whoever delivers the tables "
            "for all rows; do not refit on these. If it is meant, raise the limit named above for "
            f"once, such as {raised(faults)}."
        )
    return tuple(quiet)


def _lost(name: str, before: Volume, here: Volume, day: dt.date, guards: Guards) -> str | None:
    had = before.until(day)
    has = 0 if before.days and not here.days else here.until(day)
    gone = had - has
    if had and (has == 0 or had >= ENOUGH_ROWS) and gone > had * guards.rows_lost:
        where = "" if not before.days else f", {_where(before, here, day)}"
        return (
            f"{name}: {gone:,} of the {had:,} rows that the last run, as of {day}, had are gone "
            f"({gone / had:.1%}; guards.rows_lost allows {guards.rows_lost:.1%}){where}"
        )
    since = day - dt.timedelta(days=4 * LEAST_SPAN_DAYS)
    had, has = before.between(since, day), here.between(since, day)
    if had >= ENOUGH_ROWS and had - has > had * guards.rows_lost:
        until = "" if here.last is None else f"; they end on {here.last}"
        return (
            f"{name}: {had - has:,} of the {had:,} rows of the four weeks before {day} are gone "
            f"({1 - has / had:.1%}; guards.rows_lost allows {guards.rows_lost:.1%}){until}"
        )
    return None


def _where(before: Volume, here: Volume, day: dt.date) -> str:
    """Say in which months rows are gone."""
    was, now = before.months(day), here.months(day)
    emptied = [m for m, n in was.items() if now.get(m, 0) < n * (1 - NEARLY_ALL)]
    gone = sum(max(n - now.get(m, 0), 0) for m, n in was.items())
    if emptied and sum(was[m] for m in emptied) >= NEARLY_ALL * gone:
        first, last = min(emptied), max(emptied)
        return f"nearly all of {first}" + ("" if first == last else f" to {last}")
    lower = sum(now.get(m, 0) < n for m, n in was.items())
    return f"in {lower} of {len(was)} months"


def _added(name: str, before: Volume, here: Volume, day: dt.date, guards: Guards) -> str | None:
    if not (before.days and here.days):
        return None  # a table without times grows as days pass
    had, has = before.until(day), here.until(day)
    if had < ENOUGH_ROWS or has - had <= had * guards.rows_added:
        return None
    return (
        f"{name}: {has:,} rows until {day}, where the last run had {had:,} ({has / had - 1:+.1%}; "
        f"guards.rows_added allows {guards.rows_added:+.1%}): is a file there twice under other ids"
        "?"
    )


def _lean(name: str, here: Volume, last: dt.date, day: dt.date, guards: Guards) -> str | None:
    """Hold the days since the last run, a week at least, to the leanest span of the year before."""
    if not here.days or day <= last:
        return None
    span = max((day - last).days, LEAST_SPAN_DAYS)
    while span * ENOUGH_SPANS <= LOOKED_BACK_DAYS:
        counts = _spans(here, day - dt.timedelta(days=span), span)
        if len(counts) < ENOUGH_SPANS:
            return None
        least = min(counts)
        if least >= ENOUGH_RECENT:
            recent = here.between(day - dt.timedelta(days=span), day)
            if recent >= least * (1 - guards.recent_rows):
                return None
            return (
                f"{name}: {recent:,} rows in the {span} days until {day}, where the leanest such "
                f"span of the year before had {least:,} (guards.recent_rows allows "
                f"{guards.recent_rows:.1%} less); the newest is of {here.last}"
            )
        span *= 2
    return None


def _spans(here: Volume, end: dt.date, span: int) -> list[int]:
    """Count the rows of spans of days one before the other, within a year and the table."""
    first, counts = min(here.days), []
    for back in range(LOOKED_BACK_DAYS // span):
        until = end - dt.timedelta(days=back * span)
        after = until - dt.timedelta(days=span)
        if after < first - dt.timedelta(days=1):
            break
        counts.append(here.between(after, until))
    return counts
