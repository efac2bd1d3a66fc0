"""Who customers are: how long they have been known, and the attributes the company keeps."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from clv.errors import SettingsError, listing
from clv.features.base import Feature, declared, feature
from clv.schema import CUSTOMERS, Kind
from clv.sources.names import own_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis.expr.types as ir

    from clv.events.histories import Histories


RESERVED = frozenset(
    [
        "actual",
        "as_of",
        "blend",
        "bought",
        "btyd",
        "churned",
        "clv",
        "clv_high",
        "clv_low",
        "cold_start",
        "currency",
        "customer_id",
        "expected_purchases",
        "expected_spend",
        "feature_fingerprint",
        "fold",
        "horizon_days",
        "kind",
        "lightgbm",
        "model_name",
        "model_version",
        "p_alive",
        "p_churn",
        "p_repeat",
        "predicted",
        "purchases",
        "purchases_only_clv",
        "reason_1",
        "reason_1_amount",
        "reason_2",
        "reason_2_amount",
        "reason_3",
        "reason_3_amount",
        "revenue",
        "service_contribution",
        "trees",
        "typical_clv",
        "value",
        "value_decile",
        "value_undiscounted",
        "weight",
    ]
)
"""Keys, outcomes, scores and forecasts: columns that stand beside the features somewhere."""

_REFUSED = re.compile(r'[\s\[\]{}":,\x00-\x1f\x7f]')


@feature("customers", group="customer", unit="days", needs=("customers.signed_up_at",))
def signed_up_days(rows: ir.Table) -> ir.Value:
    """Days since the customer signed up."""
    return rows.days_ago.max()


@feature("customers", group="customer", unit="share", needs=("customers.referred_by",))
def was_referred(rows: ir.Table) -> ir.Value:
    """Whether another customer brought this one (1 or 0)."""
    return rows.referred_by.notnull().cast("float64").max()


def require_attributes(names: Sequence[str]) -> None:
    """Refuse attributes whose names cannot be a feature's, before any work.

    Raises
    ------
    SettingsError
        For a name of a feature or of an outcome, and for marks that LightGBM takes in no name.

    Examples
    --------
    >>> require_attributes(["Kunden-Typ [neu]"])
    Traceback (most recent call last):
    clv.errors.SettingsError: terms.attributes: 'Kunden-Typ [neu]' has ' ', '[', ']' in it, ...
    """
    for name in names:
        marks = sorted(set(_REFUSED.findall(name)))
        if marks or not name:
            what = f"has {listing(marks)} in it" if marks else "is no name"
        elif name in declared() or name in RESERVED:
            what = "is called like a feature or a result of clv"
        else:
            continue
        raise SettingsError(
            f"terms.attributes: {name!r} {what}, which an attribute cannot; expected a name of "
            "letters, digits and marks such as _ and -. Map the column to another name under "
            "sources.customers.columns, and name that one."
        )


def attribute_features(histories: Histories) -> dict[str, Feature]:
    """Return a category for each attribute that the terms allow and the table has.

    Personal columns, ids and times are never features, and neither are protected columns,
    even where the terms name them as attributes.
    """
    terms = histories.tables.terms
    require_attributes(terms.attributes)
    found = histories.columns.get("customers", frozenset())
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
