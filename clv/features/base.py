"""What a feature is: one number per customer, known at the cutoff, with its declaration.

The builder, LightGBM's constraints, the report's glossary, the contribution groups and the
fingerprint all read the declaration that stands beside the expression.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    import ibis.expr.types as ir

GROUPS: dict[str, str] = {
    "purchase_history": "Purchase history",
    "customer": "Customer",
    "empathy": "Empathy",
    "tone": "Tone",
    "resolution": "Resolution",
    "efficiency": "Efficiency",
    "waits": "Waits",
}
"""Contribution groups, by id, in the order of reports."""

SERVICE_GROUPS = ("empathy", "tone", "resolution", "efficiency", "waits")
"""The groups whose sum is the service contribution."""


@dataclass(frozen=True)
class Feature:
    """One feature's declaration.

    Attributes
    ----------
    name : str
        The column's name, unit and window included (``spend_90d``).
    group : str
        A key of ``GROUPS``.
    needs : tuple of str
        ``"table"`` or ``"table.column"`` without which the feature is unavailable.
    unit : str
        ``days``, ``currency``, ``count``, ``share``, ``seconds``, ``score`` or ``category``.
    doc : str
        One line for the glossary.
    monotone : int
        The sign that the value model must give it; 0 leaves it free.
    kind : {"number", "category"}
        Numbers are float64 in the table, categories strings.
    expression : callable
        Rows of its table to an aggregate, one value per customer.
    """

    name: str
    group: str
    needs: tuple[str, ...]
    unit: str
    doc: str
    expression: Callable[..., ir.Value]
    monotone: Literal[-1, 0, 1] = 0
    kind: Literal["number", "category"] = "number"


FEATURES: dict[str, Feature] = {}
"""Every declared feature by name, in order of declaration."""


def fingerprint(features: dict[str, Feature] | None = None) -> str:
    """Return a short hash of the declarations; it changes when any of them does."""
    declared = [
        [f.name, f.group, f.needs, f.unit, f.monotone, f.kind]
        for f in (FEATURES if features is None else features).values()
    ]
    return hashlib.sha256(json.dumps(declared).encode()).hexdigest()[:16]
