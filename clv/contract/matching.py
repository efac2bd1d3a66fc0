"""Whether the tables speak of the same people: ids of one table that the others know.

Ids that went through a spreadsheet or a data frame (``12346.0``, ``4.9E+12``, lost zeros, 15
characters for 18) match nothing, and every contact then belongs to nobody who buys. Which
ids those are is never told, only how many there are and what would make them match.

Some directions are faults when few ids are known, others are ordinary. A contact, or a
survey, is of somebody who bought or is a customer; a customer who was never in contact, or
has not bought yet, is nothing to mend. Orders and customers are held against the smaller of
the two: most people of a sign-up list never buy, and a loyalty list has few of the buyers.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import ibis

from clv.errors import DataError
from clv.notes import Note

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import ibis.expr.types as ir

    from clv.contract.tables import Tables
    from clv.engines.base import Engine

LEAST_MATCH = 0.5
LEAST_IDS = 20
"""So few unknown ids are told and stop nothing."""
_TABLES = {
    "customer_id": ("orders", "customers", "interactions", "surveys"),
    "agent_id": ("interactions", "agents", "agent_days"),
    "interaction_id": ("interactions", "messages", "surveys", "evaluations"),
}
_AT_FAULT = {
    ("agent_id", "interactions", "agents"),
    ("agent_id", "agent_days", "agents"),
    ("interaction_id", "surveys", "interactions"),
    ("interaction_id", "messages", "interactions"),
    ("interaction_id", "evaluations", "interactions"),
}
BUYERS = ("orders", "customers")
_SHAPES = {
    "point_zero": "end in .0, as whole numbers do that went through a data frame",
    "scientific": "are in scientific notation, as long numbers are that went through a spreadsheet",
    "zeros": "would match with the zeros before them, which spreadsheets and data frames drop",
    "fifteen": "would match by their first 15 characters: Salesforce ids of 15 against 18",
    "letters": "would match but for spaces around them, or capital letters",
}
_NO_SHAPE = "none would match if zeros, .0, capital letters or Salesforce's last 3 were mended"


@dataclass(frozen=True)
class Match:
    """How many ids of a table another one has.

    Attributes
    ----------
    column : str
        Whose ids: ``customer_id``, ``agent_id`` or ``interaction_id``.
    table : str
        Where the ids are from.
    others : tuple of str
        Where they are looked for; in any of them is enough.
    ids, known : int
        Different ids of the table; those that the others have. For orders beside customers
        the smaller table's, whichever that is.
    at_fault : bool
        Whether few known ids are a fault; else they are ordinary.
    shapes : dict of str to int
        Of those not known, how many would match if mended, by what would mend them.
    """

    column: str
    table: str
    others: tuple[str, ...]
    ids: int
    known: int
    at_fault: bool
    shapes: Mapping[str, int]

    @property
    def share(self) -> float:
        """Known ids, as a share of all; 1 where there are none."""
        return self.known / self.ids if self.ids else 1.0

    @property
    def unknown(self) -> int:
        """Ids that no other table has."""
        return self.ids - self.known

    def sentence(self) -> str:
        """Say it in one line, with the shapes of unknown ids and never an id."""
        where = " or ".join(self.others)
        said = f"{self.known:,} of {self.ids:,} ids ({self.share:.1%}) are in {where}"
        if not self.unknown or not self.at_fault:
            return said
        shapes = [f"{count:,} {_SHAPES[name]}" for name, count in self.shapes.items()]
        return f"{said}; of the {self.unknown:,} others {' and '.join(shapes) or _NO_SHAPE}"

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return {**asdict(self), "others": list(self.others), "shapes": dict(self.shapes)}


def measure_matches(tables: Tables) -> tuple[Match, ...]:
    """Count, for every table with ids, how many of them every other table has.

    Parameters
    ----------
    tables : Tables
        Accepted rows.
    """
    found: list[Match] = []
    for column, names in _TABLES.items():
        present = [name for name in names if tables.has(name, column)]
        if len(present) < 2:
            continue
        engine = tables.engine
        ids = {name: engine.cache(_ids(tables[name], column)) for name in present}
        found += [
            _match(engine, column, name, (other,), ids, at_fault=(column, name, other) in _AT_FAULT)
            for name in present
            for other in present
            if name != other
        ]
        if column == "customer_id":
            found += _people(engine, ids)
        for rows in ids.values():
            engine.release(rows)
    return tuple(found)


def require_matches(matches: Sequence[Match], least: float = LEAST_MATCH) -> None:
    """Stop where too few ids of contacts, surveys or orders are known elsewhere.

    Raises
    ------
    DataError
        Naming the table, the share, and what would make its ids match.
    """
    for match in matches:
        counts = match.at_fault and match.column == "customer_id" and match.unknown >= LEAST_IDS
        if counts and match.share < least:
            raise DataError(
                f"{match.table}.{match.column}: {match.sentence()}; expected at least "
                f"{least:.0%}. Map the column so that ids are the same in every table "
                f"(sources.{match.table}.columns), or lower quality.least_match if it is meant."
            )


def match_notes(matches: Sequence[Match]) -> tuple[Note, ...]:
    """Return a note for every table with ids that ought to be known elsewhere and are not."""
    return tuple(
        Note("ids_unknown", f"{m.table}.{m.column}", m.unknown, m.sentence())
        for m in matches
        if m.at_fault and m.unknown
    )


def match_lines(matches: Sequence[Match]) -> tuple[str, ...]:
    """Return a line for every table and column: which share of its ids each other table has."""
    lines: dict[str, list[str]] = {}
    for match in matches:
        if len(match.others) == 1:
            place = f"{match.table}.{match.column}: of {match.ids:,} ids "
            share = f"{match.share:.1%} are in {match.others[0]}"
            if share not in lines.setdefault(place, []):
                lines[place].append(share)
    return tuple(place + ", ".join(shares) for place, shares in lines.items())


def _people(engine: Engine, ids: dict[str, ir.Table]) -> list[Match]:
    """Return what ought to match: contacts and surveys with people, orders with customers."""
    people = tuple(name for name in BUYERS if name in ids)
    found = [
        _match(engine, "customer_id", name, people, ids, at_fault=True)
        for name in ("interactions", "surveys")
        if name in ids
    ]
    if len(people) == 2:
        both = [
            _match(engine, "customer_id", name, (other,), ids, at_fault=True)
            for name, other in (people, people[::-1])
        ]
        found.append(min(both, key=lambda match: match.ids))
    return found


def _ids(rows: ir.Table, column: str) -> ir.Table:
    return rows.select(id=rows[column]).filter(lambda t: t["id"].notnull()).distinct()


def _match(
    engine: Engine,
    column: str,
    name: str,
    others: tuple[str, ...],
    ids: dict[str, ir.Table],
    *,
    at_fault: bool,
) -> Match:
    mine, theirs = ids[name], ids[others[0]]
    if others[1:]:
        theirs = engine.cache(ibis.union(*(ids[other] for other in others), distinct=True))
    unknown = engine.cache(mine.anti_join(theirs, "id"))
    total, missing = _count(engine, mine), _count(engine, unknown)
    shapes = _shapes(engine, unknown, theirs) if at_fault and missing else {}
    engine.release(unknown)
    if others[1:]:
        engine.release(theirs)
    return Match(column, name, others, total, total - missing, at_fault, shapes)


def _count(engine: Engine, rows: ir.Table) -> int:
    return int(engine.to_pandas(rows.aggregate(rows=rows.count())).rows.iloc[0])


def _shapes(engine: Engine, unknown: ir.Table, theirs: ir.Table) -> dict[str, int]:
    """Count the unknown ids that a mend would make match, and those in scientific notation."""
    mends = {
        "point_zero": lambda t: t["id"].re_replace(r"\.0+$", ""),
        "zeros": lambda t: t["id"].re_replace(r"^0+", ""),
        "fifteen": lambda t: t["id"].substr(0, 15),
        "letters": lambda t: t["id"].strip().lower(),
    }
    counts = {}
    for name, mend in mends.items():
        mended, known = unknown.select(id=mend), theirs.select(id=mend).distinct()
        if name == "fifteen":
            known = theirs.filter(theirs["id"].length().isin([15, 18])).select(id=mend).distinct()
            mended = unknown.filter(unknown["id"].length().isin([15, 18])).select(id=mend)
        counts[name] = _count(engine, mended.semi_join(known, "id"))
    written = unknown.filter(unknown["id"].re_search(r"^[0-9]+([.,][0-9]+)?[eE]\+?[0-9]+$"))
    counts["scientific"] = _count(engine, written)
    return {name: count for name, count in counts.items() if count}
