"""Init: any folder of exports in; imported tables and commented settings out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clv.errors import ClvError, UsageError, listing
from clv.storage import write_text

from ..running import asking
from ..running.run import Result, Run, disk_errors
from .proposed_settings import CHECKS, settings_text

if TYPE_CHECKING:
    from pathlib import Path

    from clv.sources.guessing.proposal import Proposal

UNPACKED = "unpacked"
TRIES = 3


def run(ctx: Run, *, place: Path, out: Path, settings: Path, yes: bool = False) -> Result:
    """Say what each file is, ask what the files do not tell, import, and write the settings.

    Parameters
    ----------
    ctx : Run
    place : Path
        A folder of exports, or one file.
    out : Path
        Imported tables lie here, and what archives and workbooks hold.
    settings : Path
        Written last; one that exists is left as it is.
    yes : bool
        Take the proposal and the defaults.

    Raises
    ------
    UsageError
        When nobody can be asked, or the settings are there already.
    DataError
        When nothing is recognised, or an export cannot be read.
    """
    from clv.sources.guessing.proposal import propose
    from clv.sources.guessing.sheets import sheets_of

    if settings.exists():
        raise UsageError(
            f"init: {settings} is there already, and is left as it is. Name another file with "
            "--settings, or remove it."
        )
    with ctx.step("Looking at the files"), disk_errors(out):
        sheets, others = sheets_of(place, out / UNPACKED)
    proposal = propose(sheets)
    for each in proposal.sheets:
        ctx.say(each.line)
    for name, why in others.items():
        ctx.say(f"{listing([name])}: left out, {why}")
    _require_orders(proposal, place)
    if not yes:
        asking.require_terminal("init")
    answers = {
        q.key: q.default if yes else _answer(q.key, q.text, q.default) for q in proposal.questions
    }
    if not yes and asking.ask("Import these, and write the settings?", "y").lower()[:1] != "y":
        raise UsageError("init: nothing was imported or written, as you asked.")
    with disk_errors(out):
        proposal = proposal.written(out / UNPACKED)
        tables = _import(ctx, proposal, out, answers)
        text = settings_text(proposal, out, answers)
        write_text(settings, text)
    lines = (
        *(f"{name}: {rows:,} rows" for name, rows in tables.items()),
        f"next: clv check --config {settings}",
    )
    return Result("init", lines, {"tables": out, "settings": settings}, tuple(ctx.notes))


def _require_orders(proposal: Proposal, place: Path) -> None:
    from clv.errors import SourceError
    from clv.sources.adapters import ADAPTERS

    made = set(proposal.tables())
    for kind in proposal.exports():
        made |= {table.table for table in ADAPTERS[kind].tables}
    if "orders" not in made:
        raise SourceError(
            f"init: nothing in {place} is recognised as orders; found {listing(sorted(made)) or 0}."
            " Expected an export of a shop, or a table with a customer, a day and an "
            "amount; name its columns under sources.orders.columns in the settings."
        )


def _answer(key: str, text: str, default: str) -> str:
    """Ask until the answer is one that the settings take."""
    for _ in range(TRIES):
        given = asking.ask(text, default)
        try:
            CHECKS[key](given)
        except (ClvError, ValueError) as error:
            asking.tell(str(error))
            continue
        return given
    raise UsageError(f"init: {key} was not answered in {TRIES} tries; start again, or pass --yes.")


def _import(ctx: Run, proposal: Proposal, out: Path, answers: dict[str, str]) -> dict[str, int]:
    """Import every vendor's exports with the same answers."""
    from clv.engines.duckdb import DuckDBEngine
    from clv.sources.adapters import ADAPTERS, ImportOptions, convert

    exports, rows = proposal.exports(), dict[str, int]()
    if not exports:
        return rows
    engine = ctx.engine
    if not isinstance(engine, DuckDBEngine):
        raise UsageError(f"init: exports are read by one machine, not by {engine.name}.")
    options = ImportOptions(
        timezone=answers.get("timezone") or "UTC",
        dates=answers.get("dates") or None,
        region=answers.get("region") or None,
    )
    for kind, files in exports.items():
        with ctx.step(f"Importing {ADAPTERS[kind].title}") as on_progress:
            made = convert(
                engine, ADAPTERS[kind], files, out, options=options, on_progress=on_progress
            )
        ctx.note(made.notes)
        for name, count in made.rows.items():
            rows[name] = rows.get(name, 0) + count
    return rows
