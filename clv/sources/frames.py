"""Frames that a program holds, as raw tables: pandas of any dtype, polars, Arrow.

Nothing is judged here. Values keep what they say, and become the few Arrow types that every
engine reads alike; a column of mixed objects becomes text, so that the contract's rules find
the cells that are wrong.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from clv.errors import SchemaError, UsageError, listing
from clv.schema import SCHEMA
from clv.sources.reading import RawTables, mapped
from clv.sources.spec import TableSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

    from clv.engines.base import Engine
    from clv.notes import Note


def read_frames(
    engine: Engine,
    frames: Mapping[str, Any],
    columns: Mapping[str, Mapping[str, str]] | None = None,
) -> RawTables:
    """Hold frames in an engine under the contract's names, not yet checked.

    Parameters
    ----------
    engine : Engine
        Where to hold them.
    frames : mapping of str to frame
        By the contract's tables: pandas or polars DataFrames, Arrow tables, or whatever else
        gives an Arrow stream. None is a table that is not given.
    columns : mapping of str to mapping of str to str, optional
        By table, the contract's column to an own column or an expression of own columns, as
        under ``sources`` in the settings: ``{"orders": {"amount": "total"}}``.

    Raises
    ------
    UsageError
        For a table that the contract does not know, or a value that is no frame.
    SchemaError
        When column names are no text, or stand twice.
    SettingsError
        When an expression means nothing.
    """
    mappings = columns or {}
    for name in (*frames, *mappings):
        if name not in SCHEMA:
            near = difflib.get_close_matches(name, SCHEMA, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(SCHEMA)}."
            raise UsageError(f"{name!r} is no table of the contract. {hint}")
    given = {name: frame for name, frame in frames.items() if frame is not None}
    if "orders" not in given:
        raise UsageError(
            f"orders: no such frame; given were {listing(given) or 'none'}. Expected "
            "orders=FRAME with order_id, customer_id, ordered_at and amount."
        )
    unheld = [name for name in mappings if name not in given]
    if unheld:
        raise UsageError(f"columns of {unheld[0]!r} are mapped, but no such frame is given.")
    tables: dict[str, ir.Table] = {}
    notes: list[Note] = []
    for name in SCHEMA:
        if name not in given:
            continue
        held = engine.frame(arrow_table(name, given[name]))
        own = set(held.columns)
        texts = {
            key: f"col({json.dumps(text)})" if text in own else text
            for key, text in mappings.get(name, {}).items()
        }
        spec = dataclasses.replace(TableSpec(), columns=texts)
        tables[name], more = mapped(engine, held, spec, name)
        notes += more
    return RawTables(engine, tables, tuple(notes))


def arrow_table(name: str, frame: Any) -> pa.Table:
    """Return a frame as an Arrow table of plain types.

    Times with a zone become UTC, categories their words; pandas' named index levels become
    columns, an index without a name is left out.

    Parameters
    ----------
    name : str
        The contract's table, for messages.
    frame : pandas.DataFrame, pyarrow.Table or a giver of Arrow streams

    Raises
    ------
    UsageError
        When it is no table.
    SchemaError
        When column names are no text, or stand twice.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"order_id": [7, "a8"], "day": pd.Categorical(["mon", None])})
    >>> arrow_table("orders", frame).to_pydict()
    {'order_id': ['7', 'a8'], 'day': ['mon', None]}
    """
    if isinstance(frame, pd.DataFrame):
        table = _of_pandas(name, frame)
    elif isinstance(frame, pa.Table):
        table = frame
    elif hasattr(frame, "__arrow_c_stream__"):
        table = pa.table(frame)
    else:
        raise UsageError(
            f"{name}: a {type(frame).__name__} is no table; expected a pandas or polars "
            "DataFrame, or an Arrow table."
        )
    _named_once(name, table.column_names)
    return pa.table({key: _plain(table[key]) for key in table.column_names})


def _of_pandas(name: str, frame: pd.DataFrame) -> pa.Table:
    if frame.columns.nlevels > 1:
        raise SchemaError(f"{name}: columns have {frame.columns.nlevels} levels; expected one.")
    _named_once(name, list(frame.columns))
    levels = [level for level in frame.index.names if level is not None]
    kept = [level for level in levels if level not in frame.columns]
    frame = frame.reset_index(level=kept) if kept else frame
    return pa.table({column: _array(frame[column]) for column in frame.columns})


def _named_once(name: str, columns: list[Any]) -> None:
    wrong = [column for column in columns if not isinstance(column, str)]
    if wrong:
        raise SchemaError(
            f"{name}: column names are text; found {wrong[0]!r} of type {type(wrong[0]).__name__}. "
            "Rename the columns."
        )
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise SchemaError(f"{name}: columns stand twice: {listing(twice)}. Keep one of each.")


def _array(column: pd.Series) -> pa.ChunkedArray:
    """Return a pandas column; mixed objects as text, whatever pandas calls missing as null."""
    try:
        array = pa.array(column, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        missing = column.isna().to_numpy()
        texts = [None if gone else str(v) for v, gone in zip(column, missing, strict=True)]
        array = pa.array(texts, pa.string())
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Hold a column to a type that every engine reads, without changing what it says."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.string())
    if pa.types.is_timestamp(kind):
        if kind.unit == "ns":  # floored: times before 1970 too
            column = pc.floor_temporal(column, unit="microsecond")
        return column.cast(pa.timestamp("us", None if kind.tz is None else "UTC"))
    return column
