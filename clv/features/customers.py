"""Who customers are: how long they have been known, and the attributes the company keeps."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from clv.data.names import own_column
from clv.features.base import Feature, feature
from clv.schema import CUSTOMERS, Kind

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from clv.features.prepared import Prepared


@feature("customers", group="customer", unit="days", needs=("customers.signed_up_at",))
def signed_up_days(rows: ir.Table) -> ir.Value:
    """Days since the customer signed up."""
    return rows.days_ago.max()


@feature("customers", group="customer", unit="share", needs=("customers.referred_by",))
def was_referred(rows: ir.Table) -> ir.Value:
    """Whether another customer brought this one (1 or 0)."""
    return rows.referred_by.notnull().cast("float64").max()


def attribute_features(prepared: Prepared) -> dict[str, Feature]:
    """Return a category for each attribute that the terms allow and the table has.

    Personal columns, ids and times are never features, and neither are protected columns,
    even where the terms name them as attributes.
    """
    terms = prepared.tables.terms
    found = prepared.columns.get("customers", frozenset())
    return {
        name: _category(name)
        for name in terms.attributes
        if name in found and name not in terms.protected and _may_be_feature(name)
    }


def _may_be_feature(name: str) -> bool:
    if name not in CUSTOMERS:
        return True
    column = CUSTOMERS[name]
    return column.kind is Kind.CATEGORY and not column.personal


def _value(rows: ir.Table, name: str) -> ir.Value:
    return rows[name if name in CUSTOMERS else own_column(name)].cast("string").max()


def _category(name: str) -> Feature:
    known = CUSTOMERS[name].doc if name in CUSTOMERS else f"The company's own attribute {name}."
    return Feature(
        name=name,
        table="customers",
        group="customer",
        needs=("customers", f"customers.{name}"),
        unit="category",
        doc=known,
        expression=partial(_value, name=name),
        kind="category",
    )
