"""Explain: the service behaviours found in one contact, as spans of redacted text."""

from __future__ import annotations

from ..data.validate import company_of
from ..running.run import Result, Run


def run(ctx: Run, *, interaction_id: str) -> Result:
    """Show what was found in a contact, turn by turn."""
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
