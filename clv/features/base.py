"""What a feature is: one number per customer, known at the cutoff, with its declaration.

The builder, LightGBM's constraints, the report's glossary, the contribution groups and the
fingerprint all read the declaration that stands beside the expression.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Literal

import ibis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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

UNITS = ("days", "currency", "count", "share", "ratio", "seconds", "hours", "score", "category")
"""What a feature may be measured in; a slope is in its unit per day."""


Sign = Literal[-1, 0, 1]


@dataclass(frozen=True)
class Feature:
    """One feature's declaration.

    Attributes
    ----------
    name : str
        The column's name, unit and window included (``spend_90d``).
    table : str
        Whose rows the expression takes: ``orders``, ``interactions``, ``surveys``,
        ``customers``, or ``features`` for what follows from other features.
    group : str
        A key of ``GROUPS``.
    needs : tuple of str
        ``"table"`` or ``"table.column"`` without which the feature is unavailable.
    unit : str
        One of ``UNITS``.
    doc : str
        One line for the glossary.
    monotone : int
        The sign that the value model must give it; 0 leaves it free.
    kind : {"number", "category"}
        Numbers are float64 in the table, categories strings.
    fill : float or None
        The value of a customer without rows in the table; None leaves it unknown.
    days : int or None
        The window that it covers, in days up to the cutoff; None for all time.
    declared_in : str
        The module that declares it.
    expression : callable
        Rows of its table to an aggregate: one value per customer.
    """

    name: str
    table: str
    group: str
    needs: tuple[str, ...]
    unit: str
    doc: str
    expression: Callable[[ir.Table], ir.Value] = field(compare=False)
    declared_in: str = ""
    monotone: Sign = 0
    kind: Literal["number", "category"] = "number"
    fill: float | None = None
    days: int | None = None


FEATURES: dict[str, Feature] = {}
"""Every feature declared so far, by name; ``declared`` gives all of them."""

DECLARING = ("purchases", "service", "customers")
"""The modules of this package that declare features, in the order of columns."""


def feature(
    table: str,
    *,
    group: str,
    unit: str,
    windows: tuple[int | None, ...] = (),
    monotone: Sign = 0,
    needs: Iterable[str] = (),
    fill: float | None = None,
    name: str | None = None,
    doc: str | None = None,
) -> Callable[[Callable[..., ir.Value]], Callable[..., ir.Value]]:
    """Declare a feature, or one for each window.

    Parameters
    ----------
    table : str
        Whose rows, as known at the cutoff, the function aggregates.
    group : str
        The contribution group.
    unit : str
        One of ``UNITS``.
    windows : tuple of int or None
        Days up to the cutoff, one feature each, with the suffix ``_90d``, or ``_ever`` for
        None; the function is called with ``(rows, days)``. Without windows there is one
        feature, without suffix, and the function is called with the rows alone.
    monotone : int
        The sign that the value model must give it.
    needs : iterable of str
        Columns, as ``"table.column"``, beyond the table itself.
    fill : float, optional
        The value of customers without a row.
    name, doc : str, optional
        Instead of the function's name and the first line of its docstring.

    Examples
    --------
    >>> declared()["orders_90d"].doc
    'Purchases, in the last 90 days.'
    """

    def declare(function: Callable[..., ir.Value]) -> Callable[..., ir.Value]:
        line = (doc or function.__doc__ or "").strip().splitlines()[0]
        stem = name or function.__name__
        for days in windows or (None,):
            suffix, span = _span(days) if windows else ("", "")
            full = f"{stem}{suffix}"
            if full in FEATURES:
                raise ValueError(f"feature {full!r} is declared twice")
            FEATURES[full] = Feature(
                name=full,
                table=table,
                group=group,
                needs=(table, *needs) if table != "features" else tuple(needs),
                unit=unit,
                declared_in=function.__module__,
                doc=f"{line.rstrip('.')}{span}.",
                expression=partial(function, days=days) if windows else function,
                monotone=monotone,
                kind="category" if unit == "category" else "number",
                fill=fill,
                days=days,
            )
        return function

    return declare


def _span(days: int | None) -> tuple[str, str]:
    return ("_ever", ", ever") if days is None else (f"_{days}d", f", in the last {days} days")


def declared() -> dict[str, Feature]:
    """Return every feature of the package by name, in the order of columns."""
    modules = [import_module(f"clv.features.{module}").__name__ for module in DECLARING]
    ordered = sorted(FEATURES.values(), key=lambda f: modules.index(f.declared_in))
    return {f.name: f for f in ordered}


def spans(table: str) -> tuple[int, ...]:
    """Return the windows, in days up to the cutoff, that features of a table use."""
    days = {f.days for f in declared().values() if f.table == table and f.days is not None}
    return tuple(sorted(days))


def glossary() -> list[dict[str, str]]:
    """Return name, group, unit and one line of meaning of every feature.

    Examples
    --------
    >>> glossary()[0]["name"], glossary()[0]["unit"]
    ('frequency', 'count')
    """
    return [
        {"name": f.name, "group": f.group, "unit": f.unit, "doc": f.doc}
        for f in declared().values()
    ]


def fingerprint(features: dict[str, Feature] | None = None) -> str:
    """Return a short hash of the declarations; it changes when any of them does."""
    lines = [
        [f.name, f.table, f.group, f.needs, f.unit, f.doc, f.monotone, f.kind, f.fill]
        for f in (declared() if features is None else features).values()
    ]
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()[:16]


def inside(rows: ir.Table, days: int | None) -> ir.BooleanValue:
    """Say which rows lie in the last ``days`` days up to the cutoff (None: all of them)."""
    return ibis.literal(value=True) if days is None else rows[f"in_{days}d"]


def previous(rows: ir.Table, days: int) -> ir.BooleanValue:
    """Say which rows lie in the ``days`` days before the last ``days`` days."""
    return rows[f"in_{2 * days}d"] & ~rows[f"in_{days}d"]
