"""The settings that `clv init` proposes, as commented YAML that people go on from."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from clv.errors import UsageError
from clv.sources.adapters.base import Manner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from clv.sources.guessing.proposal import Proposal, Recognised


def _zone(text: str) -> None:
    Manner(timezone=text or "UTC")


def _dates(text: str) -> None:
    Manner(dates=text or None)


def _region(text: str) -> None:
    Manner(region=text or None)


def _share(text: str) -> None:
    if text and not 0 < float(text) <= 1:
        raise UsageError(
            f"a margin of {text} is no share of revenue; expected 0 to 1, such as 0.4."
        )


def _cost(text: str) -> None:
    if text and not float(text) >= 0:
        raise UsageError(f"{text} is no cost of an hour; expected a number, such as 28.")


def _currency(text: str) -> None:
    if text and not (len(text) == 3 and text.isalpha()):
        raise UsageError(f"{text!r} is no currency; expected three letters, such as EUR.")


FILES = (".parquet", ".pq", ".csv", ".tsv", ".csv.gz", ".tsv.gz")
"""Names by which the sources tell what a file is."""

CHECKS: dict[str, Callable[[str], None]] = {
    "timezone": _zone,
    "dates": _dates,
    "region": _region,
    "currency": _currency,
    "margin_rate": _share,
    "agent_cost_per_hour": _cost,
}


def settings_text(proposal: Proposal, out: Path, answers: Mapping[str, str]) -> str:
    """Return the settings that a proposal and its answers make.

    Parameters
    ----------
    proposal : Proposal
    out : Path
        The folder of imported tables.
    answers : mapping of str to str
    """
    lines = [
        "# Written by `clv init`; every setting there is: pipelines/config/example.yaml.",
        "# What was recognised:",
        *(f"#   {each.line}" for each in proposal.sheets),
        "sources:",
        f"  folder: {json.dumps(str(out))}  # imported tables, and the keys that join their people",
        "  identity:  # how records of one person are joined: docs/identities.md",
        "    join: true",
    ]
    if answers.get("region"):
        lines.append(
            f"    region: {answers['region']}  # of telephone numbers that name no country"
        )
    for name, table in proposal.tables().items():
        lines += _table(name, table, out)
    lines += [
        "terms:",
        _term(
            "currency",
            answers.get("currency", "").upper(),
            "unit of all money; else the orders' own",
        ),
        _term("margin_rate", answers.get("margin_rate", ""), "contribution per unit of revenue"),
        _term(
            "agent_cost_per_hour",
            answers.get("agent_cost_per_hour", ""),
            "without it no net figures",
        ),
    ]
    return "\n".join(lines) + "\n"


def _term(name: str, value: str, comment: str) -> str:
    return f"  {name}: {value or 'null'}  # {comment}"


def _table(name: str, table: Recognised, out: Path) -> list[str]:
    path = os.path.relpath(table.sheet.path.absolute(), out.absolute())
    lines = [f"  {name}:  # {json.dumps(table.sheet.name)}", f"    path: {json.dumps(path)}"]
    if table.sheet.kind == "csv" and table.sheet.encoding != "utf-8":
        lines.append(f"    encoding: {table.sheet.encoding}")
    if not table.sheet.path.name.lower().endswith(FILES):
        lines.append("    format: csv")
    lines.append("    columns:")
    lines += [
        f"      {column}: {json.dumps(text, ensure_ascii=False)}"
        for column, text in table.columns.items()
    ]
    if table.constants:
        lines.append("    constants:")
        lines += [f"      {column}: {json.dumps(v)}" for column, v in table.constants.items()]
    return lines
