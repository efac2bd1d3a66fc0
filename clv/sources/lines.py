"""Invoice lines: what to do with lines of certain kinds, and which line a cancellation cancels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import ibis

from clv.errors import SettingsError
from clv.notes import Note
from clv.sources.expressions import compile_expression
from clv.sources.names import own_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis.expr.types as ir

    from clv.engines.base import Engine

Action = Literal["drop", "keep"]
DUPLICATE = "duplicate"
MATCHED = "matched"


@dataclass(frozen=True)
class LinePolicy:
    """What to do with rows of one kind.

    Attributes
    ----------
    name : str
        Stands in the run's record beside the count.
    when : str
        A condition over the own columns, or ``duplicate``: the row stands before, equal in
        every column.
    action : {"drop", "keep"}
        Leave the rows out, or only count them.
    """

    name: str
    when: str
    action: Action = "drop"


@dataclass(frozen=True)
class Cancellations:
    """How cancelling lines find the lines that they cancel.

    A cancelling line takes back the latest earlier line that agrees in ``same``, has the
    opposite ``quantity``, and was not taken back before. Lines then have a column
    ``matched``, in place of one of their own: the cancelled line's ``invoice``, null where there
    is none.

    Attributes
    ----------
    when : str
        Which lines cancel.
    same : tuple of str
        Columns in which both lines agree, such as the customer, the product and the price.
    quantity : str
        The number of pieces, negative in cancelling lines.
    at : str
        The time of a line.
    invoice : str
        The order that a line belongs to.
    """

    when: str
    same: tuple[str, ...]
    quantity: str
    at: str
    invoice: str


def apply_policies(
    engine: Engine, rows: ir.Table, policies: Sequence[LinePolicy], table: str
) -> tuple[ir.Table, list[Note]]:
    """Apply policies in order; each sees what the ones before it left.

    Returns
    -------
    rows : ibis Table
        What is left.
    notes : list of Note
        One for each policy, with its count.
    """
    notes = []
    for n, policy in enumerate(policies):
        where = f"sources.{table}.policies[{n}].when"
        if policy.when == DUPLICATE:
            left = rows.distinct()
            counts = (
                engine.to_pandas(rows.aggregate(n=rows.count())),
                engine.to_pandas(left.aggregate(n=left.count())),
            )
            count = int(counts[0].n.iloc[0] - counts[1].n.iloc[0])
        else:
            hit = compile_expression(policy.when, rows, where=where)
            if not hit.type().is_boolean():
                raise SettingsError(f"{where}: {policy.when!r} is neither true nor false.")
            hit = hit.fill_null(ibis.literal(value=False))
            left = rows.filter(~hit)
            count = int(engine.to_pandas(rows.aggregate(n=hit.sum())).n.fillna(0).iloc[0])
        verb = "left out" if policy.action == "drop" else "counted and kept"
        notes.append(Note("policy", f"{table}.{policy.name}", count, f"rows {verb}: {policy.when}"))
        if policy.action == "drop":
            rows = left
    return rows, notes


def match_cancellations(
    engine: Engine, rows: ir.Table, spec: Cancellations, table: str
) -> tuple[ir.Table, list[Note]]:
    """Add the column ``matched``: the invoice whose line a cancelling line takes back.

    Among lines that agree, buying opens and cancelling closes a bracket, so a cancellation
    belongs to the latest open purchase. The depth after each line is a running sum above
    its own running minimum; within one depth, a closing line follows its opening one.
    """
    where = f"sources.{table}.cancellations"
    own = [name for name in rows.columns if name.lower() != MATCHED]

    def part(key: str, text: str) -> ir.Value:
        return compile_expression(text, rows, where=f"{where}.{key}")

    cancels = part("when", spec.when).fill_null(ibis.literal(value=False))
    size = part("quantity", spec.quantity)
    keys = {f"_same_{n}": part(f"same[{n}]", text) for n, text in enumerate(spec.same)}
    known = size.notnull()
    for value in keys.values():
        known = known & value.notnull()
    step = ibis.ifelse(
        known & cancels & (size < 0), -1, ibis.ifelse(known & ~cancels & (size > 0), 1, 0)
    )
    marked = engine.cache(
        rows.select(
            **{own_column(name): rows[name] for name in own},
            **keys,
            _size=size.abs(),
            _at=part("at", spec.at),
            _invoice=part("invoice", spec.invoice).cast("string"),
            _cancels=cancels,
            _step=step,
        )
    )
    return _paired(engine, marked, list(keys), own, table)


def _paired(
    engine: Engine, marked: ir.Table, keys: list[str], columns: Sequence[str], table: str
) -> tuple[ir.Table, list[Note]]:
    """Pair opening and closing lines; see ``match_cancellations``."""
    # At one moment a purchase stands before its cancellation; content breaks further ties.
    order = ["_at", ibis.desc("_step"), "_invoice", *map(own_column, columns)]
    group = [*keys, "_size", "_side"]
    running = ibis.window(group_by=group, order_by=order, preceding=None, following=0)
    summed = marked.mutate(_side=marked._step != 0).mutate(
        _sum=lambda t: t._step.sum().over(running)
    )
    floored = summed.mutate(_low=lambda t: ibis.least(t._sum.min().over(running), 0))
    # A purchase opens the depth it reaches; a cancellation closes the depth it leaves.
    levelled = floored.mutate(
        _level=floored._sum - floored._low + ibis.ifelse(floored._step == -1, 1, 0)
    )
    previous = ibis.window(group_by=[*group, "_level"], order_by=order)
    paired = levelled.mutate(
        _opened=lambda t: t._step.lag().over(previous),
        _invoice_opened=lambda t: t._invoice.lag().over(previous),
    )
    closes = (paired._step == -1) & (paired._opened == 1).fill_null(ibis.literal(value=False))
    matched = ibis.ifelse(closes, paired._invoice_opened, ibis.null("string"))
    own = map(own_column, columns)
    result = engine.cache(paired.select(*own, matched=matched, _cancels=paired._cancels))
    engine.release(marked)
    counts = engine.to_pandas(
        result.aggregate(
            found=(result._cancels & result.matched.notnull()).sum(),
            lone=(result._cancels & result.matched.isnull()).sum(),
        )
    ).fillna(0)
    where = f"{table}.cancellations"
    lines = result.select(**{name: result[own_column(name)] for name in columns}, matched=MATCHED)
    return lines, [
        Note(
            "cancellation_matched",
            where,
            int(counts.found.iloc[0]),
            "lines cancel an earlier line of the same customer",
        ),
        Note(
            "cancellation_unmatched",
            where,
            int(counts.lone.iloc[0]),
            "lines cancel nothing in the data; unlinked refunds",
        ),
    ]
