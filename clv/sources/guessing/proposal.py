"""What is what: each sheet a vendor's export, a table of the contract, or neither, and why.

Vendors' exports are told by the columns that their importers read, the same that would be
needed; other sheets by the contract's own names and what companies call them. What cannot be
told from columns and cells becomes a question.
"""

from __future__ import annotations

import dataclasses
import json
import keyword
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clv.masking import shape
from clv.schema import SCHEMA
from clv.sources.adapters import ADAPTERS
from clv.sources.adapters.reading import is_of
from clv.sources.exports.phones import phone_key
from clv.sources.guessing.cells import reading_of
from clv.sources.guessing.sheets import flattened
from clv.sources.guessing.words import COLUMNS, FILES, place_of, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from clv.sources.adapters.base import Adapter, Export
    from clv.sources.guessing.sheets import Sheet

ENOUGH, NAMED_ENOUGH = 4, 2
"""Columns of an export that a sheet must have; fewer, where the file has its name."""

AGAINST = {"zendesk": ("responder_id", "fr_due_by", "conversation_id")}
"""Columns that another vendor's export has, whose other columns are called alike."""

_NAIVE = re.compile(r"\d{1,2}:\d{2}")
_OFFSET = re.compile(r"(Z|[+-]\d{2}:?\d{2}|UTC)\s*$")
_SLASHED = re.compile(r"^(\d{1,2})/(\d{1,2})/\d{2,4}")
SAMPLE_CHARACTERS = 28


@dataclass(frozen=True)
class Recognised:
    """What a sheet is.

    Attributes
    ----------
    sheet : Sheet
    vendor : str
        The importer; empty for a table of the company's own.
    what : str
        The vendor's export, or the contract's table; empty where it is neither.
    columns : mapping of str to str
        Of an own table: the contract's columns as own names or expressions.
    constants : mapping of str to str
    why : str
        Why it is left out, if it is.
    """

    sheet: Sheet
    vendor: str = ""
    what: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    why: str = ""

    @property
    def line(self) -> str:
        """Say it in one line, with a cell of each column whose letters are x and digits 9."""
        name = _safe(self.sheet.name)
        if not self.what or self.why:
            return f"{name}: left out, {self.why or 'no export and no table that is known'}"
        if self.vendor:
            return f"{name}: {ADAPTERS[self.vendor].title}, {self.what}"
        told = []
        for column, text in self.columns.items():
            cells = self.sheet.cells(text)
            sample = f" ({_safe(shape(cells[0]), SAMPLE_CHARACTERS)})" if cells else ""
            told.append(f"{column} from {_safe(text)}{sample}")
        told += [f"{column} is {value}" for column, value in self.constants.items()]
        return f"{name}: table {self.what}; {', '.join(told)}"


@dataclass(frozen=True)
class Question:
    """What the files do not tell.

    Attributes
    ----------
    key : str
    text : str
        For people.
    default : str
        What ``--yes`` takes; empty where nothing is better than a guess.
    """

    key: str
    text: str
    default: str = ""


@dataclass(frozen=True)
class Proposal:
    """What a folder holds, and what must be asked.

    Attributes
    ----------
    sheets : tuple of Recognised
    questions : tuple of Question
    """

    sheets: tuple[Recognised, ...]
    questions: tuple[Question, ...]

    def exports(self) -> dict[str, dict[str, list[Path]]]:
        """Return the files of each vendor's exports."""
        made: dict[str, dict[str, list[Path]]] = {}
        for each in self.sheets:
            if each.vendor and not each.why:
                made.setdefault(each.vendor, {}).setdefault(each.what, []).append(each.sheet.path)
        return made

    def written(self, stage: Path) -> Proposal:
        """Return the same with own tables of JSON written as CSV, which settings can name."""
        own = self.tables().values()
        sheets = tuple(
            dataclasses.replace(each, sheet=flattened(each.sheet, stage))
            if each in own and each.sheet.kind == "json"
            else each
            for each in self.sheets
        )
        return dataclasses.replace(self, sheets=sheets)

    def tables(self) -> dict[str, Recognised]:
        """Return the company's own tables, by the contract's name."""
        return {s.what: s for s in self.sheets if s.what and not s.vendor and not s.why}


def propose(sheets: Sequence[Sheet]) -> Proposal:
    """Say what each sheet is, and what must be asked.

    Parameters
    ----------
    sheets : sequence of Sheet
        In any order.
    """
    matches = {sheet.name: _exports_of(sheet) for sheet in sheets}
    present = {
        adapter.kind
        for found in matches.values()
        for adapter, export, _ in found[:1]
        if export.needed
    }
    known: list[Recognised] = []
    for sheet in sorted(sheets, key=lambda s: s.name):
        of_present = [m for m in matches[sheet.name] if m[0].kind in present]
        if of_present:
            adapter, export, _ = of_present[0]
            known.append(Recognised(sheet, adapter.kind, export.name))
        else:
            known.append(_own_table(sheet))
    told = _each_table_once(known)
    return Proposal(tuple(told), tuple(_questions(told)))


def _exports_of(sheet: Sheet) -> list[tuple[Adapter, Export, int]]:
    """Return the exports whose columns a sheet has, the best first."""
    found = []
    for adapter in ADAPTERS.values():
        if sheet.kind == "parquet" or set(AGAINST.get(adapter.kind, ())) & set(sheet.columns):
            continue
        for export in adapter.exports:
            roots = {_root(export, column, sheet.kind) for column in export.columns}
            needed = {_root(export, column, sheet.kind) for column in export.required}
            held = len(roots & set(sheet.columns))
            named = is_of(sheet.path.name, export.name) or is_of(
                sheet.name.rpartition("/")[2], export.name
            )
            if needed <= set(sheet.columns) and held >= (NAMED_ENOUGH if named else ENOUGH):
                found.append((adapter, export, held + named))
    return sorted(found, key=lambda m: (-m[2], m[0].kind, m[1].name))


def _root(export: Export, column: str, kind: str) -> str:
    """Return the key of an object, or the column of a row, that a column is read from."""
    return export.paths.get(column, f"$.{column}").split(".")[1] if kind == "json" else column


def _own_table(sheet: Sheet) -> Recognised:
    """Return the table of the contract that a sheet is, if its required columns are there."""
    best: tuple[tuple[int, int], Recognised] | None = None
    lacking = ""
    stem = plain(sheet.name.rpartition("/")[2].partition(".")[0])
    for table, words in COLUMNS.items():
        named = any(word in stem for word in FILES[table])
        columns, constants = _mapped(sheet, table, words, stem)
        required = [c.name for c in SCHEMA[table].columns if c.required]
        missing = [name for name in required if name not in columns and name not in constants]
        few = len(columns) <= len(required) and table in ("customers", "agents")
        if missing or (few and not named):
            if named and missing:
                lacking = f"looks like {table} without {', '.join(missing)}"
            continue
        rank = (int(named), len(columns))
        if best is None or rank > best[0]:
            best = (rank, Recognised(sheet, "", table, columns, constants))
    return Recognised(sheet, why=lacking) if best is None else best[1]


def _mapped(
    sheet: Sheet, table: str, words: dict[str, tuple[str, ...]], stem: str
) -> tuple[dict[str, str], dict[str, str]]:
    """Map a sheet's columns to a table's, each once, the best names first."""
    offers = []
    for order, (column, names) in enumerate(words.items()):
        for place, own in enumerate(sheet.columns):
            found = place_of(column, names, own)
            if found is not None:
                offers.append((found[0] + (own != column), order, place, column, own, found[1]))
    taken: set[str] = set()
    made: dict[str, str] = {}
    for _, _, _, column, own, arithmetic in sorted(offers):
        if column in made or own in taken:
            continue
        text = reading_of(SCHEMA[table][column], _name(own), sheet.cells(own), arithmetic)
        if text is not None:
            made[column] = own if text == _name(own) else text
            taken.add(own)
    made = {column: made[column] for column in words if column in made}
    constants = {}
    if (
        table == "orders"
        and "order_id" not in made
        and {"customer_id", "ordered_at", "amount"} <= set(made)
    ):
        made = {"order_id": "row_id()", **made}
    if table == "interactions" and "channel" not in made:
        for word, channel in (("call", "voice"), ("chat", "chat"), ("mail", "email")):
            if word in stem:
                constants["channel"] = channel
    return made, constants


def _name(own: str) -> str:
    """Write a column's name as expressions do."""
    simple = (
        own.isidentifier() and not keyword.iskeyword(own) and own not in ("true", "false", "null")
    )
    return own if simple else f"col({json.dumps(own, ensure_ascii=False)})"


def _each_table_once(known: list[Recognised]) -> list[Recognised]:
    """Leave out what is a table a second time: one that a vendor makes, or another file is."""
    by_vendor = {
        table.table: kind
        for kind in {k.vendor for k in known if k.vendor}
        for table in ADAPTERS[kind].tables
    }
    largest: dict[str, Recognised] = {}
    for each in known:
        if each.what and not each.vendor:
            before = largest.get(each.what)
            size = (
                each.sheet.path.stat().st_size if each.sheet.path.exists() else 0,
                each.sheet.name,
            )
            if before is None or size > _size(before):
                largest[each.what] = each
    told = []
    for each in known:
        why = each.why
        if each.what and not each.vendor:
            if each.what in by_vendor:
                why = f"{each.what} come from {by_vendor[each.what]}"
            elif largest[each.what] is not each:
                why = f"{each.what} come from {_safe(largest[each.what].sheet.name)}"
        told.append(
            Recognised(each.sheet, each.vendor, each.what, each.columns, each.constants, why)
        )
    return told


def _size(each: Recognised) -> tuple[int, str]:
    path = each.sheet.path
    return (path.stat().st_size if path.exists() else 0, each.sheet.name)


def _questions(known: list[Recognised]) -> list[Question]:
    """Return what neither columns nor cells tell."""
    used = [each for each in known if each.what and not each.why]
    cells: dict[str, list[str]] = defaultdict(list)
    made = {each.what for each in used if not each.vendor}
    currency, margin = False, False
    for each in used:
        if each.vendor:
            adapter = ADAPTERS[each.vendor]
            export = next(e for e in adapter.exports if e.name == each.what)
            cells["time"] += [c for name in export.times for c in each.sheet.cells(name)]
            phones = {k.column for k in adapter.keys.values() if k.style == "phone"}
            columns = {name for name in each.sheet.columns if plain(name) in map(plain, phones)}
            cells["phone"] += [c for name in columns for c in each.sheet.cells(name)]
            made |= {t.table for t in adapter.tables}
            currency |= any(plain(name) == "currency" for name in each.sheet.columns)
        else:
            currency |= "currency" in each.columns
            margin |= "margin" in each.columns
            for column in {"phone", "customer_id"} & set(each.columns):
                name = each.columns[column]
                cells["phone"] += [c for c in each.sheet.cells(name) if _dialled(c)]
    return _asked(cells, made, currency=currency, margin=margin)


def _asked(
    cells: Mapping[str, list[str]], made: set[str], *, currency: bool, margin: bool
) -> list[Question]:
    asked = []
    if any(_NAIVE.search(cell) and not _OFFSET.search(cell) for cell in cells.get("time", ())):
        text = "Time zone of times without one, such as Europe/Berlin"
        asked.append(Question("timezone", text, "UTC"))
    slashed = [m for cell in cells.get("time", ()) if (m := _SLASHED.match(cell))]
    if slashed and not any(int(part) > 12 for m in slashed for part in m.groups()):
        asked.append(Question("dates", "Order of month and day in 6/7/25: mdy or dmy", "mdy"))
    read = [phone_key(cell) for cell in cells.get("phone", ())]
    if any(digits is not None and not international for digits, international in read):
        text = (
            "Country of telephone numbers that name none, two letters such as DE (empty: unknown)"
        )
        asked.append(Question("region", text))
    if "orders" in made and not currency:
        asked.append(Question("currency", "Currency of all amounts, such as EUR (empty: unnamed)"))
    if "orders" in made and not margin:
        text = "Margin, as a share of revenue, such as 0.4 (empty: value is counted as revenue)"
        asked.append(Question("margin_rate", text))
    if "interactions" in made:
        text = "Cost of an agent's hour, such as 28 (empty: no net figures)"
        asked.append(Question("agent_cost_per_hour", text))
    return asked


def _dialled(cell: str) -> bool:
    return bool(re.match(r"^[+0(][0-9 ()./-]{6,}$", cell))


def _safe(text: str, limit: int = 80) -> str:
    """Return a name from outside as it may be shown: nothing in it moves a terminal's cursor."""
    shown = "".join(mark if mark.isprintable() else "�" for mark in text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
