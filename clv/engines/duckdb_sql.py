"""Ibis' DuckDB SQL where it is slow, SQL that Ibis lacks, and names quoted to be names only."""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING, Any

import sqlglot.expressions as sge
from ibis.backends.sql.compilers.base import NULL, STAR, AggGen
from ibis.backends.sql.compilers.duckdb import DuckDBCompiler

from clv.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

JSON_BYTES = 256 * 2**20  # the largest object, or page of objects, in a JSON file


class _Aggregates(AggGen):
    """Aggregates over some of the rows by CASE instead of FILTER.

    For each FILTER DuckDB slices the columns of all other aggregates too, which takes longer
    than what is asked for as soon as there are many.
    """

    def aggregate(
        self, compiler: Any, name: str, *args: Any, where: Any = None, order_by: Any = ()
    ) -> Any:
        plain = name in ("count", "sum", "min", "max") and not isinstance(args[0], sge.Distinct)
        if where is not None and plain:
            value = 1 if args[0] is STAR else args[0]
            args, where = (compiler.if_(where, value, NULL),), None
        return super().aggregate(compiler, name, *args, where=where, order_by=order_by)


class Compiler(DuckDBCompiler):
    """Ibis' compiler with these aggregates."""

    __slots__ = ()
    agg = _Aggregates(supports_filter=True, supports_order_by=True)


def identifier(name: str) -> str:
    """Quote a column's or a table's name."""
    return '"' + name.replace('"', '""') + '"'


def quoted(path: str | Path) -> str:
    """Quote text."""
    return "'" + str(path).replace("'", "''") + "'"


def file_name(path: str | Path) -> str:
    """Quote a file's path so that it is no pattern, whatever marks are in it.

    Raises
    ------
    SourceError
        For a path that DuckDB takes for a pattern in any way it may be written.
    """
    text = str(path)
    escaped = glob.escape(text)
    if escaped != text and "\\" in text:
        raise SourceError(
            f"{text}: a path with a backslash beside one of *, ? and [ cannot be read by DuckDB. "
            "Rename the file or its folder."
        )
    return quoted(escaped)


def objects_sql(name: str, paths: Sequence[Path], form: str) -> str:
    """Return the statement that holds the objects of JSON files, arrays taken apart."""
    listed = ", ".join(file_name(path) for path in paths)
    return (
        f"create table {identifier(name)} as select unnest(case when json_type(json) = 'ARRAY' "  # noqa: S608 (quoted)
        "then json_extract(json, '$[*]') else [json] end) as json, filename as file "
        f"from read_json_objects([{listed}], format = {quoted(form)}, filename = true, "
        f"maximum_object_size = {JSON_BYTES})"
    )


def members_sql(name: str, pages: str, member: str) -> str:
    """Return the statement that holds what an array of each object holds, or the object itself."""
    return (
        f"create table {identifier(name)} as select unnest(case when "  # noqa: S608 (quoted)
        f"json_type(json, {quoted('$.' + member)}) = 'ARRAY' "
        f"then json_extract(json, {quoted('$.' + member + '[*]')}) else [json] end)::varchar "
        f"as json, file from {identifier(pages)}"
    )
