"""Erase: a customer out of all that the workspace and the sinks hold, and the proof of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clv.errors import GateError

from ..running.run import Result, Run
from .push import LEDGERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clv.erasure import Erased


def run(
    ctx: Run,
    *,
    ids: Sequence[str],
    file: Path | None,
    search: bool,
    tombstones: bool,
    scores: Path | None,
    also: Sequence[Path],
) -> Result:
    """Erase customers, or only look for them; write erasure.json, which names no customer.

    Raises
    ------
    GateError
        When a place still names one of them; the others are erased all the same.
    """
    from clv.erasure import Places, erase, read_people, verify
    from clv.push import Ledgers
    from clv.sinks import make_sink
    from clv.storage import PARTIAL, clean

    people = read_people(ids, file)
    places = Places(
        ctx.workspace,
        () if scores is None else (scores,),
        tuple(also),
        (
            *(make_sink(dict(options)) for options in ctx.settings.scoring.sinks),
            Ledgers(ctx.workspace / LEDGERS),
        ),
        customer_columns(ctx.settings.sources),
        own_tables(ctx.settings.sources),
        ctx.settings.scoring.wait_seconds,
    )
    if not search:  # what killed commands left half-written names customers and cannot be read
        for place in (ctx.workspace, *ctx.workspace.rglob("*/")):
            clean(place, PARTIAL)
    title = "Looking for them" if search else "Erasing"
    with ctx.step(title):
        found = (verify if search else erase)(places, people, tombstones=tombstones)
    ctx.note(found.notes)
    path = ctx.save("erasure.json", {"customers": len(people.ids), **found.as_dict()})
    lines = told(found)
    if found.left:
        for line in lines:
            ctx.say(line)
        raise GateError(
            f"erase: {len(found.left):,} places still name one of them, the first "
            f"{next(iter(found.left))}; expected none. All are listed above and in {path}."
        )
    return Result("erase", lines, {"erasure": path}, tuple(ctx.notes), found.as_dict())


def told(found: Erased) -> tuple[str, ...]:
    """Say what was taken out, what stays for CRMs, and what is left, a line for each place."""
    return (
        *(f"removed {count:,} from {place}" for place, count in found.removed.items()),
        *(f"tombstones: {count:,} in {place}" for place, count in found.tombstones.items()),
        *(f"left: {place} {why}" for place, why in found.left.items()),
        f"{found.searched:,} files and destinations searched: "
        f"{len(found.left):,} still name one of them",
    )


def own_tables(sources: dict[str, Any]) -> Path | None:
    """Return the folder of the company's own tables, which are not clv's to change."""
    named = sources.get("folder")
    return Path(named) if isinstance(named, str) else None


def customer_columns(sources: dict[str, Any]) -> tuple[str, ...]:
    """Return what the company's own tables call a customer's id, as the settings map it.

    Examples
    --------
    >>> customer_columns({"orders": {"columns": {"customer_id": "Kunde"}}})
    ('Kunde',)
    """
    texts = []
    for table in sources.values():
        columns = table.get("columns") if isinstance(table, dict) else None
        texts += [str(columns["customer_id"])] if columns and "customer_id" in columns else []
    words = [word for text in texts for word in (text, *re.findall(r"[^\W\d]\w*", text))]
    return tuple(dict.fromkeys(words))
