"""Tables: a company's accepted rows, and the options by which they are read.

The only argument of features, markers and outcomes. Columns have the contract's names and
one physical type per kind, the same on every engine: ids and words are strings, times are
int64 seconds since 1970-01-01 UTC (truncated, since engines round differently), money is
int64 ten-thousandths of the currency unit (exact in any order of summing), other numbers
float64, whole numbers int64. The company's own columns are set apart (``clv.sources.names``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from clv.contract.currencies import Rate, RateSettings, rates_of
from clv.engines.physical import PHYSICAL, money, seconds
from clv.errors import DataError, SchemaError, UsageError
from clv.schema import SCHEMA, Kind
from clv.sources.names import kept_own, own_column, set_apart, told_apart
from clv.windows import DAY_SECONDS, day_of, robust_span

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    import ibis.expr.types as ir
    import pandas as pd

    from clv.engines.base import Engine
    from clv.notes import Note
    from clv.windows import Span


@dataclass(frozen=True)
class DataOptions:
    """How a company's tables are to be read: units, costs, languages, attributes.

    Attributes
    ----------
    currency : str
        The unit of all money.
    margin_rate : float or None
        Contribution per unit of revenue, where orders carry no margin. With neither, value
        is revenue, and every output says so.
    fcr_days : int
        Days without a further contact before a contact counts as resolved at first.
    language : str
        Of interactions that name none (BCP 47).
    agent_cost_per_hour : float or None
        Of agents that name none.
    attributes : tuple of str
        Columns of ``customers`` that may become features.
    protected : tuple of str
        Attributes that must never be features or reasons.
    stray_share : float
        Of the orders: so many, far before or after all others, do not say when data begin or
        end (``clv.windows.robust_span``).
    rates : mapping of str to float, or to a mapping of datetime.date to float
        What one unit of each other currency of the orders is in the company's: for all days, or
        from each day named on.
    """

    currency: str = "units"
    margin_rate: float | None = None
    fcr_days: int = 7
    language: str = "en"
    agent_cost_per_hour: float | None = None
    attributes: tuple[str, ...] = ("segment", "region", "acquisition_channel")
    protected: tuple[str, ...] = ()
    stray_share: float = 0.01
    rates: RateSettings | tuple[Rate, ...] = ()

    def __post_init__(self) -> None:
        if self.margin_rate is not None and not 0 < self.margin_rate <= 1:
            raise UsageError(f"margin_rate is {self.margin_rate}; expected more than 0, at most 1.")
        object.__setattr__(self, "rates", rates_of(self.rates))
        if self.fcr_days < 1:
            raise UsageError(f"fcr_days is {self.fcr_days}; expected 1 or more.")
        if not 0 <= self.stray_share < 0.5:
            raise UsageError(f"stray_share is {self.stray_share}; expected 0 to less than 0.5.")


@dataclass(frozen=True)
class Tables:
    """Accepted tables by their contract names.

    Attributes
    ----------
    engine : Engine
        Executes whatever is built from the tables.
    frames : mapping of str to ibis Table
        The contract's columns in physical types. ``customers`` has the company's own ones
        too, as ``own_column`` names them: attributes and segments may be among them.
    terms : DataOptions
        How they are to be read.
    notes : tuple of Note
        What was left out or replaced on the way here.
    """

    engine: Engine
    frames: Mapping[str, ir.Table]
    terms: DataOptions = field(default_factory=DataOptions)
    notes: tuple[Note, ...] = ()

    def __getitem__(self, name: str) -> ir.Table:
        try:
            return self.frames[name]
        except KeyError:
            raise SchemaError(
                f"{name}: the table was not given; found {', '.join(sorted(self.frames))}. "
                f"Add a file {name}.parquet or {name}.csv, or map one under sources.{name}."
            ) from None

    def __contains__(self, name: str) -> bool:
        return name in self.frames

    def has(self, table: str, *columns: str) -> bool:
        """Say whether a table was given, with all these columns."""
        return table in self.frames and set(columns) <= set(self.frames[table].columns)

    def held_as(self, table: str, name: str) -> str | None:
        """Return the column that holds what the company or the contract calls so."""
        if table not in self.frames:
            return None
        held = name if name in SCHEMA[table] else own_column(name)
        return held if held in self.frames[table].columns else None

    @property
    def value_is_margin(self) -> bool:
        """Whether money outputs are margin; otherwise they are revenue."""
        return self.has("orders", "margin") or self.terms.margin_rate is not None

    def span(self) -> tuple[dt.date, dt.date]:
        """Return the days of the first and the last order, strays left aside.

        Raises
        ------
        DataError
            When no order was accepted.
        """
        return self.order_span.first, self.order_span.last

    @cached_property
    def order_span(self) -> Span:
        """From when to when orders reach, and those so far off that they do not say so."""
        day = self["orders"].ordered_at // DAY_SECONDS
        counts = self["orders"].group_by(day=day).aggregate(orders=lambda t: t.count())
        found = self.engine.to_pandas(counts.order_by("day"))
        if found.empty:
            raise DataError("orders: no accepted row; nothing can be modelled without orders.")
        days = [day_of(int(day) * DAY_SECONDS) for day in found["day"]]
        counted = list(zip(days, map(int, found["orders"]), strict=True))
        return robust_span(counted, self.terms.stray_share)

    def replaced(self, **frames: ir.Table) -> Tables:
        """Return the same tables with some of them exchanged."""
        return replace(self, frames={**self.frames, **frames})

    @classmethod
    def from_frames(
        cls, engine: Engine, frames: Mapping[str, pd.DataFrame], terms: DataOptions | None = None
    ) -> Tables:
        """Hold frames that already keep the contract, without validating them.

        Parameters
        ----------
        engine : Engine
            Where to hold them.
        frames : mapping of str to DataFrame
            In the contract's names and logical types: timestamps, plain money.
        terms : DataOptions, optional
            How they are to be read.

        Examples
        --------
        >>> import pandas as pd
        >>> from clv.engines.connect import connect
        >>> orders = pd.DataFrame({"order_id": ["o1"], "customer_id": ["007"],
        ...     "ordered_at": pd.to_datetime(["2025-01-02"]), "amount": [9.99]})
        >>> with connect(threads=1) as engine:
        ...     tables = Tables.from_frames(engine, {"orders": orders})
        ...     engine.to_pandas(tables["orders"]).amount.tolist(), tables.span()[0]
        ([99900], datetime.date(2025, 1, 2))
        """
        held = {
            name: engine.cache(
                physical(name, engine.frame(frame.set_axis(_names(name, frame), axis="columns")))
            )
            for name, frame in frames.items()
        }
        return cls(engine, held, terms or DataOptions())


def _names(table: str, frame: pd.DataFrame) -> list[str]:
    return told_apart(table, "the frame", [str(name) for name in frame.columns])


def physical(name: str, table: ir.Table) -> ir.Table:
    """Hold the contract's columns of a table of logical types to their physical types."""
    table = set_apart(name, table)
    contract = SCHEMA[name]
    columns: dict[str, ir.Value] = {}
    for column in contract.columns:
        if column.name not in table.columns:
            continue
        value = table[column.name]
        if column.kind is Kind.TIME:
            moment = value if value.type().is_timestamp() else value.cast("timestamp")
            columns[column.name] = seconds(moment.cast("timestamp"))
        elif column.kind is Kind.MONEY:
            columns[column.name] = money(value)
        else:
            columns[column.name] = value.cast(PHYSICAL[column.kind])
    return table.select(**columns, **{c: table[c] for c in kept_own(name, table.columns)})
