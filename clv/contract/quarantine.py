"""The quarantine: rows that break the contract, whole, with every rule that they break.

A file may hold what customers wrote, so only its owner may read it, and nothing of it is
ever logged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from clv.errors import StorageError
from clv.sources.names import plain_name
from clv.storage import folder as made
from clv.storage import remove_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import ibis.expr.types as ir

    from clv.engines.base import Engine


_ADDED = ("_table", "_reasons")


def target(folder: Path, table: str) -> Path:
    """Return the file of a table's quarantined rows."""
    return folder / f"{table}.parquet"


def write(
    engine: Engine,
    flagged: ir.Table,
    flags: Mapping[str, str],
    columns: Sequence[str],
    table: str,
    folder: Path,
    count: int,
) -> None:
    """Write a table's broken rows: ``_table``, ``_reasons``, and the raw columns.

    A file of an earlier run is replaced, or removed where nothing is broken now.

    Parameters
    ----------
    engine : Engine
        Writes the file.
    flagged : ibis Table
        Raw columns, the flags, and ``any_broken``.
    flags : mapping of str to str
        Rule to its flag's column.
    columns : sequence of str
        The raw columns.
    table : str
        Its name in the contract.
    folder : pathlib.Path
        The quarantine.
    count : int
        Rows that are broken.

    Raises
    ------
    StorageError
        When the folder cannot be written.
    """
    path = target(folder, table)
    try:
        made(folder)
        if not count:
            remove_file(path)
            return
        rows = flagged.filter(flagged.any_broken)
        reasons = ibis.array(
            [ibis.ifelse(rows[f], rule, ibis.null("string")) for rule, f in flags.items()]
        ).filter(lambda reason: reason.notnull())
        names = {c: plain_name(c) for c in columns}
        names |= {c: c for c, name in names.items() if name.lower() in _ADDED}
        cells = {name: rows[c] for c, name in names.items()}
        whole = rows.select(_table=ibis.literal(table), _reasons=reasons, **cells)
        order = [*(whole[c].cast("string") for c in cells), whole["_reasons"].join(",")]
        engine.to_parquet(whole.order_by(order), path)
    except OSError as error:
        raise StorageError(
            f"{table}: the quarantine {folder} cannot be written: {error.strerror}. "
            "Free some space, or set another workspace."
        ) from error
