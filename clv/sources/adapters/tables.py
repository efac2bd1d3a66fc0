"""One table of the contract from a vendor's sources: mapped, owned, and each customer once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import ibis

from clv.notes import Note
from clv.schema import SCHEMA, Kind
from clv.sources.adapters.base import pseudonym
from clv.sources.customers import count_rows, records_once
from clv.sources.exports.people import apart, keys_of, with_customer, written_alike
from clv.sources.expressions import compile_expression
from clv.sources.lines import LinePolicy, apply_policies

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

    from clv.engines.duckdb import DuckDBEngine
    from clv.sources.adapters.base import Adapter, Inputs, Manner, TableMap
    from clv.sources.exports.people import Known

RAW_KEY = "customer_key"
CONTACTS = "interactions.interaction_id"


@dataclass
class TableMaker:
    """Makes the contract's tables of one export.

    Attributes
    ----------
    engine : DuckDBEngine
    adapter : Adapter
    inputs : dict of str to ibis Table
        The export's, and what the adapter prepared.
    customer_by : str or None
        The word of the key that tells the customer; by default the adapter's first, then others.
    known : Known, optional
        The company's own ids.
    manner : Manner
    """

    engine: DuckDBEngine
    adapter: Adapter
    inputs: Inputs
    customer_by: str | None
    known: Known | None
    manner: Manner
    _contacts: ir.Table | None = field(default=None, init=False)
    _records: list[ir.Table] = field(default_factory=list, init=False)

    def identities(self) -> ir.Table | None:
        """Return the keys that the records of all tables made so far know, each once."""
        if not self._records:
            return None
        rows = ibis.union(*self._records, distinct=True) if self._records[1:] else self._records[0]
        return rows.filter(rows.key.notnull() & rows.unit_id.notnull()).distinct()

    def make(self, table: TableMap) -> tuple[ir.Table, list[Note]]:
        """Return the rows of a table, all of them text, and what was left out of it."""
        # Held, since each condition, and each column, asks for it again.
        source = self.engine.cache(self.inputs[table.source])
        own, left_out = apply_policies(
            self.engine,
            source,
            [LinePolicy(name, when) for name, when in table.left_out.items()],
            table.table,
        )
        notes = [note for note in left_out if note.count]
        mapped, spelled = self._mapped(own, table)
        held = self.engine.cache(mapped)
        if table.customer:
            held = self._noted(held)
        elif table.table == "agents":
            self._note_staff(own, table)
        self.engine.release(source)
        rows, nameless = self._owned(held, table)
        rows, loose = self._of_contacts(rows, table)
        rows, shared = self._once(rows, table)
        if table.table == "interactions":
            self._contacts = self.engine.cache(rows.select("interaction_id").distinct())
        return rows, [*notes, *spelled, *nameless, *loose, *shared]

    def _mapped(self, own: ir.Table, table: TableMap) -> tuple[ir.Table, tuple[Note, ...]]:
        where = f"{self.adapter.kind}.{table.table}"
        made: dict[str, ir.Value] = {}
        for name, text in table.columns.items():
            value = compile_expression(text, own, where=f"{where}.{name}").cast("string")
            made[name] = _worded(value, table.words[name]) if name in table.words else value
        if not table.customer:
            return own.select(**made), ()
        told, others = keys_of(self.adapter, self.customer_by)
        keys, columns = apart([*told, *others], RAW_KEY)
        rows = own.select(**made, **{new: own[old] for new, old in columns.items()})
        first, further = keys[: len(told)], keys[len(told) :]
        rows, notes = with_customer(self.engine, rows, first, self.known, self.manner, table.table)
        for key in further:
            # Notes of the country of numbers are of keys that tell the customer.
            rows, _ = written_alike(
                self.engine, rows, key.column, key.style, self.manner, table.table
            )
            if key.style != "id":
                rows = rows.mutate(**{key.column: pseudonym(rows[key.column])})
        return rows.select("customer_id", *made, *columns), notes

    def _noted(self, mapped: ir.Table) -> ir.Table:
        """Take the keys off a table's rows, and keep what they join."""
        told, others = keys_of(self.adapter, self.customer_by)
        keys, columns = apart([*told, *others], RAW_KEY)
        for key in keys:
            if key.joins:
                self._record("customer", mapped.customer_id, key.joins, mapped[key.column], mapped)
        return mapped.drop(*columns)

    def _note_staff(self, own: ir.Table, table: TableMap) -> None:
        """Keep what joins agents: the vendor's id, and their address."""
        agent = compile_expression(table.columns["agent_id"], own, where=self.adapter.kind)
        agent = agent.cast("string")
        self._record("agent", agent, self.adapter.kind, agent, own)
        if self.adapter.staff:
            rows = own.select(agent=agent, address=own[self.adapter.staff])
            rows, _ = written_alike(self.engine, rows, "address", "email", self.manner, "agents")
            self._record("agent", rows.agent, "email", pseudonym(rows.address), rows)

    def _record(self, unit: str, who: ir.Value, kind: str, key: ir.Value, rows: ir.Table) -> None:
        made = rows.select(
            unit=ibis.literal(unit),
            unit_id=who,
            system=ibis.literal(self.adapter.kind),
            kind=ibis.literal(kind),
            key=key,
        )
        self._records.append(self.engine.cache(made.filter(made.key.notnull()).distinct()))

    def _owned(self, mapped: ir.Table, table: TableMap) -> tuple[ir.Table, list[Note]]:
        """Return the rows that belong to a customer, and how many do not."""
        if not table.customer:
            return mapped, []
        kept = mapped.filter(mapped.customer_id.notnull())
        nameless = count_rows(self.engine, mapped) - count_rows(self.engine, kept)
        told, _ = keys_of(self.adapter, self.customer_by)
        columns = " or ".join(key.column for key in told)
        text = f"rows left out: no {columns} that says whose they are"
        return kept, [Note("no_customer", table.table, nameless, text)] if nameless else []

    def _of_contacts(self, rows: ir.Table, table: TableMap) -> tuple[ir.Table, list[Note]]:
        """Return the rows of contacts that are imported, and how many are of others."""
        references = [SCHEMA[table.table][name].references for name in table.columns]
        if CONTACTS not in references:
            return rows, []
        if self._contacts is None:
            self.make(next(t for t in self.adapter.tables if t.table == "interactions"))
        assert self._contacts is not None
        kept = rows.semi_join(self._contacts, "interaction_id")
        loose = count_rows(self.engine, rows) - count_rows(self.engine, kept)
        text = "rows left out: their contact is left out, or not in the export"
        return kept, [Note("no_contact", table.table, loose, text)] if loose else []

    def _once(self, rows: ir.Table, table: TableMap) -> tuple[ir.Table, list[Note]]:
        """Make one customer of records that share one, such as the contacts of an account."""
        return records_once(self.engine, rows) if table.table == "customers" else (rows, [])


def _worded(value: ir.Value, words: Mapping[str, str]) -> ir.Value:
    """Translate a vendor's words; others are lowered."""
    low = value.strip().lower()
    return ibis.cases(*((low == word, text) for word, text in words.items()), else_=low)


def in_order(rows: ir.Table, table: str) -> ir.Table:
    """Sort rows by their key, then by content: the same rows are the same bytes."""
    own_key = [name for name in SCHEMA[table].key if name in rows.columns]
    order: list[ir.Value] = []
    for name in (*own_key, *(name for name in rows.columns if name not in own_key)):
        whole = SCHEMA[table][name].kind is Kind.INTEGER  # 2 before 10
        order += [rows[name].length(), rows[name]] if whole else [rows[name]]
    return rows.order_by(order)
