"""Tables whose records are joined: every customer, and every agent, under one id.

What is asked of the graph (``clv.sources.identity.graph``): the keys that importers wrote beside
their tables, the company's own file of who is who, e-mail addresses and phone numbers of its
table of customers, and ids that are themselves an address or a number. What comes out replaces
``customer_id`` and ``agent_id`` wherever they stand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ibis
import pyarrow as pa

from clv.notes import Note
from clv.sources.adapters.base import Manner, pseudonym
from clv.sources.customers import records_once
from clv.sources.exports.people import written_alike
from clv.sources.exports.versions import lookup, unique
from clv.sources.identity.graph import (
    EMAIL,
    EXTERNAL,
    OWN,
    PHONE,
    Joined,
    join,
    strength,
)

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from clv.engines.base import Engine
    from clv.sources.identity.options import IdentityOptions

CUSTOMER, AGENT = "customer", "agent"
IDENTITIES = "identities"
COLUMNS = ("unit", "unit_id", "system", "kind", "key")
PLACES = {
    "orders": {"customer_id": CUSTOMER},
    "customers": {"customer_id": CUSTOMER, "referred_by": CUSTOMER},
    "interactions": {"customer_id": CUSTOMER, "agent_id": AGENT},
    "surveys": {"customer_id": CUSTOMER},
    "agents": {"agent_id": AGENT},
    "agent_days": {"agent_id": AGENT},
}
"""Where ids of people stand."""

BY_UNIT = ("assignments", "rollouts")
"""Tables whose ``unit`` says whose ``unit_id`` it is."""

_NEW = "id of person"
_EMAIL = r"^[^@\s]+@[^@\s]+[.][^@\s]+$"
_PHONE = r"^[+]?[0-9][0-9 ()./-]{6,}[0-9]$"
SHOWN = 100
"""Contested keys that a report names; it counts all of them."""


@dataclass(frozen=True)
class Identities:
    """What joined by what, what stayed alone, and what is contested.

    Attributes
    ----------
    units : dict of str to dict
        By unit: records and people, people of several systems by the kind of key that joins
        them, and by system those that no other system knows.
    contested : dict of str to list of dict
        By unit: the kind of the key, how many hold it, why it joins nobody, and some of the ids.
    apart : dict of str to list
        Pairs of systems whose own ids are of different numberings.
    """

    units: dict[str, dict[str, Any]] = field(default_factory=dict)
    contested: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    apart: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return identities.json."""
        return {"units": self.units, "contested": self.contested, "apart": self.apart}

    def notes(self) -> list[Note]:
        """Say in a line for each unit what joined by what."""
        return [
            Note(
                "people_joined",
                f"{IDENTITIES}.{unit}",
                counts["people"],
                f"{counts['records']:,} records; people of several systems: "
                f"{_said(counts['joined_by'], 'by')}; of one only: {_said(counts['alone'], 'in')}",
            )
            for unit, counts in self.units.items()
        ]


def _said(counts: dict[str, int], word: str) -> str:
    return ", ".join(f"{n:,} {word} {name}" for name, n in counts.items()) or "none"


def resolve(
    engine: Engine,
    frames: dict[str, ir.Table],
    keys: ir.Table | None,
    options: IdentityOptions,
) -> tuple[dict[str, ir.Table], Identities, list[Note]]:
    """Put every customer and agent under one id, in all tables.

    Parameters
    ----------
    engine : Engine
    frames : dict of str to ibis Table
        Under the contract's names.
    keys : ibis Table, optional
        ``unit``, ``unit_id``, ``system``, ``kind`` and ``key``, as importers write them; addresses
        and numbers as pseudonyms.
    options : IdentityOptions
    """
    given = [] if keys is None else [keys.select(*COLUMNS)]
    notes: list[Note] = []
    own, national = _own_records(engine, frames, given, options)
    notes += national
    records = engine.to_pandas(ibis.union(*given, *own)).dropna()
    made, report = dict(frames), Identities()
    for unit in (CUSTOMER, AGENT):
        of_unit = records[records["unit"] == unit]
        if of_unit.empty:
            continue
        joined = join(of_unit, most_sharing=options.most_sharing)
        _report(report, unit, of_unit, joined)
        notes += _notes(unit, joined)
        moved = joined.people[joined.people != joined.people.index]
        if len(moved):
            made = _renamed(engine, made, unit, moved)
    notes += report.notes()
    for name, key in (("customers", "customer_id"), ("agents", "agent_id")):
        if name in made:
            made[name], shared = records_once(engine, made[name], key)
            notes += shared
    return made, report, notes


def _own_records(
    engine: Engine, frames: dict[str, ir.Table], given: list[ir.Table], options: IdentityOptions
) -> tuple[list[ir.Table], tuple[Note, ...]]:
    """Return what the company's own tables know of their people: the ids, addresses, numbers."""
    manner = Manner(region=options.region)
    made: list[ir.Table] = []
    notes: list[Note] = []
    known = [t.filter(t.unit == CUSTOMER).select("unit_id").distinct() for t in given]
    for table in ("customers", "orders", "interactions", "surveys"):
        if table not in frames or "customer_id" not in frames[table].columns:
            continue
        rows = frames[table].mutate(unit_id=frames[table].customer_id.cast("string"))
        rows = rows.drop_null("unit_id")
        for others in known:
            rows = rows.anti_join(others, "unit_id")
        wanted = {"email": EMAIL, "phone": PHONE} if table == "customers" else {}
        for column, kind in wanted.items():
            if column in rows.columns:
                some = rows.select("unit_id", key=rows[column].cast("string")).distinct()
                spelled, said = _spelled(engine, some, kind, manner, table)
                made.append(spelled)
                notes += said
        ids = engine.cache(rows.select("unit_id", key="unit_id").distinct())
        as_email = ids.key.re_search(_EMAIL)
        as_phone = ids.key.re_search(_PHONE) & ids.key.re_search("[+ ()./-]")
        plain = ids.filter(~as_email & ~as_phone)
        if table in ("customers", "orders"):
            made.append(_records(plain, EXTERNAL))
        for kind, has in ((EMAIL, as_email), (PHONE, as_phone)):
            spelled, said = _spelled(engine, ids.filter(has), kind, manner, table)
            made.append(spelled)
            notes += said
    return made, tuple(notes)


def _spelled(
    engine: Engine, rows: ir.Table, kind: str, manner: Manner, where: str
) -> tuple[ir.Table, tuple[Note, ...]]:
    """Write addresses or numbers alike, as the pseudonyms that importers write."""
    style = "email" if kind == EMAIL else "phone"
    alike, notes = written_alike(engine, rows, "key", style, manner, where)  # type: ignore[arg-type]
    alike = alike.drop_null("key")
    return _records(alike.mutate(key=pseudonym(alike.key)), kind), notes


def _records(rows: ir.Table, kind: str, system: str = OWN) -> ir.Table:
    return rows.select(
        unit=ibis.literal(CUSTOMER),
        unit_id=rows.unit_id,
        system=ibis.literal(system),
        kind=ibis.literal(kind),
        key=rows.key,
    )


def _renamed(
    engine: Engine, frames: dict[str, ir.Table], unit: str, moved: pd.Series
) -> dict[str, ir.Table]:
    """Write the id that a person goes by wherever another of their ids stands."""
    table = pa.table(
        {
            "old": pa.array([str(old) for old in moved.index], pa.string()),
            "new": pa.array([str(new) for new in moved], pa.string()),
        }
    )
    names = unique(engine.frame(table), "old")
    made = {}
    for name, given in frames.items():
        columns = [c for c, of in PLACES.get(name, {}).items() if of == unit and c in given.columns]
        whose = name in BY_UNIT and {"unit", "unit_id"} <= set(given.columns)
        rows = given
        for column in ("unit_id",) if whose else columns:
            text = rows.mutate(**{column: rows[column].cast("string")})
            found = lookup(text, column, names, **{_NEW: "new"})
            new = found[_NEW]
            if whose:
                new = ibis.ifelse(found.unit == unit, new, ibis.null("string"))
            rows = found.mutate(**{column: ibis.coalesce(new, found[column])}).drop(_NEW)
        made[name] = given if rows is given else engine.cache(rows)
    return made


def _report(report: Identities, unit: str, records: pd.DataFrame, joined: Joined) -> None:
    """Count people, and by what those of several systems are joined."""
    of = records.assign(person=records["unit_id"].map(joined.people))
    systems = of.groupby("person")["system"].nunique()
    several = set(systems.index[systems > 1])
    per_key = of.groupby(["person", "kind", "key"])["system"].nunique().reset_index()
    shared = per_key[(per_key["system"] > 1) & per_key["person"].isin(several)]
    shared = shared.assign(rank=shared["kind"].map(strength))
    first = shared.sort_values(["person", "rank"]).groupby("person")["kind"].first()
    alone = of[~of["person"].isin(several)].drop_duplicates("person")
    report.units[unit] = {
        "records": int(of["unit_id"].nunique()),
        "people": int(of["person"].nunique()),
        "systems": {str(k): int(n) for k, n in of.groupby("system")["person"].nunique().items()},
        "joined_by": _counts(first),
        "alone": _counts(alone["system"]),
    }
    report.contested[unit] = [
        {
            "kind": c.kind,
            "people": c.groups,
            "why": c.why,
            "ids": [_shown(one) for one in c.unit_ids[:5]],
        }
        for c in joined.contested[:SHOWN]
    ]
    if joined.apart:
        report.apart[unit] = list(joined.apart)


def _counts(values: pd.Series) -> dict[str, int]:
    return {str(name): int(n) for name, n in values.value_counts().sort_index().items()}


def _shown(unit_id: str) -> str:
    """Name a record without showing an address or a number."""
    personal = re.match(_EMAIL, unit_id) or re.match(_PHONE, unit_id)
    return f"{len(unit_id)} characters" if personal else unit_id


def _notes(unit: str, joined: Joined) -> list[Note]:
    notes = []
    for kind in (EXTERNAL, EMAIL, PHONE):
        held = [c for c in joined.contested if c.kind == kind]
        if held:
            text = f"keys of kind {kind} that several people hold, and that join nobody"
            notes.append(Note("key_contested", f"{IDENTITIES}.{unit}", len(held), text))
    for one, other in joined.apart:
        text = (
            f"own ids of {one} and {other} are of different numberings, as their e-mail addresses "
            "tell, and join nobody"
        )
        notes.append(Note("ids_apart", f"{IDENTITIES}.{unit}", 0, text))
    return notes
