"""What a Parquet file's footer tells that no engine gets through: refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clv.errors import SchemaError, SourceError

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    import pyarrow.parquet as pq

DEPTH = 16
"""Lists within lists; each further level takes DuckDB twice as long, 32 for ever."""

NAT = -(2**63)
"""What NumPy takes for no time; engines have none so early."""


def shallow(table: str, path: Path, schema: pa.Schema) -> None:
    """Refuse lists within lists that take engines longer with each level."""
    for field in schema:
        if _depth(field.type) > DEPTH:
            raise SchemaError(
                f"{table}.{field.name}: {path} holds lists or structures within each other more "
                f"than {DEPTH} deep. Expected plain columns; leave it out, or write it as text."
            )


def _depth(kind: pa.DataType) -> int:
    """Count how many lists, maps and structures a type holds within each other."""
    depth, level = 0, [kind]
    while level and depth <= DEPTH:
        level = [k.field(n).type for k in level for n in range(k.num_fields)]
        depth += bool(level)
    return depth


def no_nat(table: str, path: Path, footer: pq.FileMetaData) -> None:
    """Refuse NumPy's mark of a missing time, written as a time: DuckDB breaks down on it."""
    times = [
        place
        for place in range(footer.num_columns)
        if footer.schema.column(place).logical_type.type == "TIMESTAMP"
    ]
    for group in range(footer.num_row_groups if times else 0):
        for place in times:
            column = footer.row_group(group).column(place)
            known = column.statistics
            if known is not None and known.has_min_max and known.min_raw == NAT:
                raise SourceError(
                    f"{table}: {path} holds NumPy's NaT as a time in {column.path_in_schema!r}; "
                    "expected null where there is none. Write the file again."
                )
