"""Currencies: which one a company's money is in, and rates that convert the others' to it.

Money is converted once, where rows are accepted, and never added up across currencies. A refund
that names its order takes the rate of that order's day: what was returned whole stays so.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import pandas as pd

from clv.errors import DataError, SchemaError, UsageError, listing
from clv.notes import Note
from clv.windows import day_start_s

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from clv.engines.base import Engine

UNITS = "units"
"""The currency of a company that names none."""

RateSettings = Mapping[str, float | Mapping[dt.date, float]]
_FIRST, _LAST = dt.date.min, dt.date.max
_MONEY = ("amount", "margin")


@dataclass(frozen=True)
class Rate:
    """What one unit of a currency is in the company's.

    Attributes
    ----------
    currency : str
        ISO 4217, in capitals.
    since : datetime.date
        The first day that it holds for.
    rate : float
        More than 0.
    """

    currency: str
    since: dt.date
    rate: float


def rates_of(settings: RateSettings | tuple[Rate, ...]) -> tuple[Rate, ...]:
    """Read rates: a number for all days, or one from each of several days on.

    Parameters
    ----------
    settings : mapping of str to float, or to a mapping of datetime.date to float
        By currency.

    Raises
    ------
    UsageError
        When a rate is not a number above 0.

    Examples
    --------
    >>> rates_of({"gbp": 1.17})
    (Rate(currency='GBP', since=datetime.date(1, 1, 1), rate=1.17),)
    """
    if isinstance(settings, tuple):
        return settings
    found = []
    for currency, given in settings.items():
        by_day = given if isinstance(given, Mapping) else {_FIRST: given}
        for since, rate in sorted(by_day.items()):
            if not (math.isfinite(rate) and rate > 0):
                raise UsageError(
                    f"terms.rates: {currency} is {rate}; expected what one {currency} is in the "
                    "company's currency, a number above 0."
                )
            found.append(Rate(str(currency).strip().upper(), since, float(rate)))
    return tuple(sorted(found, key=lambda rate: (rate.currency, rate.since)))


def currency_of(named: list[str], configured: str, rates: tuple[Rate, ...]) -> str:
    """Return the company's currency: the configured one, else the column's, else ``units``.

    Parameters
    ----------
    named : list of str
        Those that the orders' column holds, in capitals.
    configured : str
        That of the settings, or ``units``.
    rates : tuple of Rate

    Raises
    ------
    SchemaError
        When the column holds another currency than the company's, without a rate.
    """
    if not named:
        return configured
    if configured == UNITS:
        if len(named) > 1:
            raise SchemaError(
                f"orders.currency: {len(named)} currencies: {_listed(named)}; expected one, or "
                "terms.currency for the company's own and a rate into it for each other in "
                "terms.rates, such as {USD: 0.92}."
            )
        return named[0]
    known = {configured.upper(), *(rate.currency for rate in rates)}
    without = [currency for currency in named if currency not in known]
    if without:
        found = sorted({*named, configured.upper()})
        raise SchemaError(
            f"orders.currency: {len(found)} currencies: {_listed(found)}; expected a rate in "
            f"terms.rates for each but terms.currency, and there is none for {_listed(without)}. "
            f"Add what one {without[0][:12]} is in {configured}."
        )
    return configured


def converted(
    engine: Engine, orders: ir.Table, currency: str, rates: tuple[Rate, ...]
) -> tuple[ir.Table, tuple[Note, ...]]:
    """Return accepted orders with all money in one currency, and notes of what was converted.

    Parameters
    ----------
    engine : Engine
    orders : ibis Table
        Accepted rows, in physical types.
    currency : str
        The company's.
    rates : tuple of Rate

    Raises
    ------
    DataError
        When orders lie before the first day that has a rate.
    """
    if not rates or "currency" not in orders.columns:
        return orders, ()
    at = orders.ordered_at
    if "refund_of" in orders.columns:
        first = orders.select(refund_of=orders.order_id, original_s=orders.ordered_at)
        orders = orders.left_join(first, "refund_of").drop("refund_of_right")
        at = orders.original_s.fill_null(orders.ordered_at)
    code = orders.currency.strip().upper().fill_null("")
    own = code.isin(["", currency.upper()])
    marked = orders.mutate(rate_code=own.ifelse(currency.upper(), code), rate_s=at)
    spans = engine.frame(_spans(rates, currency))
    joined = marked.left_join(
        spans,
        [
            marked.rate_code == spans.of_currency,
            marked.rate_s >= spans.since_s,
            marked.rate_s < spans.until_s,
        ],
    )
    counted = joined.group_by("rate_code").aggregate(
        rows=joined.count(), without=joined.count() - joined.rate.count()
    )
    notes = _told(engine.to_pandas(counted.order_by("rate_code")), currency, rates)
    money = {
        name: (joined[name].cast("float64") * joined.rate).round().cast("int64")
        for name in _MONEY
        if name in joined.columns
    }
    kept = [name for name in orders.columns if name != "original_s"]
    mended = joined.mutate(**money, currency=ibis.literal(currency.upper())).select(kept)
    return engine.cache(mended), notes


def _told(counted: pd.DataFrame, currency: str, rates: tuple[Rate, ...]) -> tuple[Note, ...]:
    notes = []
    for row in counted.to_dict("records"):
        code = str(row["rate_code"])
        if row["without"]:
            first = min(rate.since for rate in rates if rate.currency == code)
            raise DataError(
                f"orders.currency: {row['without']:,} orders in {code[:12]} lie before "
                f"{first}, the first day with a rate in terms.rates; expected a rate for every "
                "day. Add one for the earlier days."
            )
        if code != currency.upper():
            text = f"amounts in {code[:12]} converted to {currency} by terms.rates"
            notes.append(Note("converted", "orders", int(row["rows"]), text))
    return tuple(notes)


def _spans(rates: tuple[Rate, ...], currency: str) -> pd.DataFrame:
    """Return a row for each rate with the seconds that it holds for; the company's own is 1."""
    held = [rate for rate in rates if rate.currency != currency.upper()]
    rows = [(currency.upper(), _FIRST, _LAST, 1.0)]
    for rate in held:
        later = [r.since for r in held if r.currency == rate.currency and r.since > rate.since]
        rows.append((rate.currency, rate.since, min(later, default=_LAST), rate.rate))
    frame = pd.DataFrame(rows, columns=["of_currency", "since", "until", "rate"])
    far = 2**62
    since = [-far if day == _FIRST else day_start_s(day) for day in frame.pop("since")]
    until = [far if day == _LAST else day_start_s(day) for day in frame.pop("until")]
    return frame.assign(since_s=since, until_s=until)


def _listed(currencies: list[str]) -> str:
    return listing(currency[:12] for currency in currencies)
