"""Explain: what was found in one contact, or where one customer's value comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..data.validate import company_of, histories_of
from ..running.run import Result, Run

if TYPE_CHECKING:
    from pathlib import Path


def run(ctx: Run, *, interaction_id: str) -> Result:
    """Show what was found in a contact, turn by turn, in redacted text."""
    from clv.markers.explain import explain
    from clv.markers.packs import load_pack

    pack = load_pack(ctx.settings.markers.pack)
    found = explain(company_of(ctx).tables, pack, interaction_id)
    lines = []
    for position, speaker, text in found.turns:
        lines.append(f"{position:>3} {speaker}: {text}")
        here = [hit for hit in found.hits if hit.position == position]
        lines += [f"      {hit.marker} ({hit.group}): {text[hit.start : hit.end]}" for hit in here]
    return Result("explain", tuple(lines), facts={"pack": found.pack_digest})


def customer(
    ctx: Run, *, customer_id: str, model: str | None = None, out: Path | None = None
) -> Result:
    """Show one customer's clv in parts that sum to it, in currency.

    Raises
    ------
    UsageError
        When there is no such customer, or no value of theirs.
    """
    from clv import plots
    from clv.evaluation.explanation import to_cents, waterfall_facts
    from clv.features.table import build_feature_table
    from clv.plots.customers import folded

    loaded = ctx.registry().load(model)
    as_of = ctx.settings.as_of or company_of(ctx).tables.span()[1]
    histories = histories_of(ctx)
    with ctx.step(f"Splitting the value of {customer_id} as of {as_of}"):
        chunks = build_feature_table(histories, as_of).chunks()
        facts = waterfall_facts(loaded.model, chunks, customer_id)
    shown = to_cents(folded(facts))
    currency = loaded.model.info.currency
    width = max(len(part) for part in shown["part"])
    heading = (
        f"{customer_id} by {loaded.uri} as of {as_of}, {loaded.model.info.horizon_days} days, "
        f"in {currency}; parts say what the model used, not what a change would do"
    )
    last = len(shown) - 1
    lines = [heading]
    for place, row in enumerate(shown.to_dict("records")):
        sign = "" if place in (0, last) else "+"
        said = f"   = {row['value']}" if isinstance(row["value"], str) and row["value"] else ""
        lines.append(f"  {row['part']:<{width}} {row['amount']:>{sign}14,.2f}{said}")
    documents = {}
    if out is not None:
        documents["picture"] = plots.waterfall(facts, currency, customer_id).save(out)
    told = facts[["part", "amount"]].to_dict("records")
    return Result("explain", tuple(lines), documents, tuple(ctx.notes), {"parts": told})
