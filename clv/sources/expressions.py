"""The small language in which settings turn a company's own columns into the contract's.

An expression is read by Python's own parser, so precedence and strings are Python's, but
only the names below mean anything: nothing is ever executed. It becomes an Ibis
expression over one table.

::

    columns      Quantity, col("Customer ID")
    literals     12, 1.5, "text", true, false, null
    operators    + - * / %   == != < <= > >=   and or not
    text         lower upper strip concat substr startswith matches(x, regex in RE2)
                 replace(x, "text", "by")
    choice       if_(condition, a, b)  coalesce(a, b, …)  is_null(x)  is_in(x, a, b, …)
    numbers      cast_number(x)  cast_number(x, ","): 1.234,56  abs(x)  round(x)
                 finite(x): null where NaN or infinite
    times        parse_time(x, "%d/%m/%Y %H:%M")  cast_time(seconds since 1970)  year month day
    rows         row_id(): 1, 2, 3 … in the order of the rows' whole content
    of a group   sum min max count first, where the mapping has group_by

Nothing becomes null in passing, and no cell stops a run: ``cast_number`` of text that is no
number is NaN, as are the year of what is no time and what is divided by 0; numbers are
calculated as floats, which do not overflow; ``sum`` of a group with an unknown summand is
null, ``parse_time`` of text that does not fit its format stays that text, ``cast_time`` cuts
fractions off and makes the year 9999 of what is no time. The contract's rules find the row.
"""

from __future__ import annotations

import ast
import difflib
import operator
from typing import TYPE_CHECKING, Any, NoReturn

import ibis

from clv.errors import SettingsError, UsageError, columns
from clv.sources.casts import (
    as_time,
    marked_number,
    number,
    require_pattern,
    rounded,
    time_part,
    wide,
)
from clv.sources.parsing import is_finite, iso_text

if TYPE_CHECKING:
    from collections.abc import Callable

    import ibis.expr.types as ir

_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}
_COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_CONSTANTS = {"null": None, "true": True, "false": False}


def compile_expression(
    text: str, table: ir.Table, *, where: str, aggregate: bool = False
) -> ir.Value:
    """Turn an expression of the settings into an Ibis expression.

    Parameters
    ----------
    text : str
        The expression, or simply a column's name as it stands in the table.
    table : ibis Table
        Whose columns it may name.
    where : str
        The settings key, for errors.
    aggregate : bool
        Whether it speaks of groups of rows.

    Raises
    ------
    SettingsError
        Naming the expression and the position.

    Examples
    --------
    >>> import ibis
    >>> lines = ibis.table({"Quantity": "int64", "Price": "float64"}, name="lines")
    >>> compile_expression("Quantity * Price", lines, where="amount").type().is_floating()
    True
    >>> compile_expression("Quantity * Prise", lines, where="amount")
    Traceback (most recent call last):
    clv.errors.SettingsError: amount: 'Quantity * Prise', position 12: no column 'Prise'...
    """
    if text in table.columns and not aggregate:
        return table[text]
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        at = getattr(error, "offset", None) or 1
        own = next((c for c in table.columns if not c.isidentifier() and c in text), None)
        hint = "" if own is None else f' Write col("{own}") for that column.'
        raise SettingsError(
            f"{where}: {text!r}, position {at}: is not an expression. "
            f"Expected a column's name, or something like cast_number(Quantity) * Price.{hint}"
        ) from None
    return _Compiler(text, table, where, aggregate=aggregate).value(tree.body)


def _strict(value: ir.Value, result: ir.Value) -> ir.Value:
    """Return a group's result, or null where one of its values is unknown."""
    return ibis.ifelse(value.isnull().any(), ibis.null(result.type()), result)


class _Compiler:
    """Walks one expression's tree; every method returns an Ibis value or a Python literal."""

    def __init__(self, text: str, table: ir.Table, where: str, *, aggregate: bool) -> None:
        self.text, self.table, self.where, self.aggregate = text, table, where, aggregate
        self.whole: set[Any] = set()  # floats that are whole numbers

    def fail(self, node: ast.AST, problem: str) -> NoReturn:
        position = getattr(node, "col_offset", 0) + 1
        raise SettingsError(
            f"{self.where}: {self.text!r}, position {position}: {problem}"
        ) from None

    def value(self, node: ast.AST) -> Any:
        """Compile a node and lift a bare literal to an expression."""
        result = self.visit(node)
        if result is None:
            return ibis.null("string")
        return result if isinstance(result, ibis.expr.types.Value) else ibis.literal(result)

    def visit(self, node: ast.AST) -> Any:
        match node:
            case ast.Constant(value=str() | int() | float() | bool()):
                return node.value
            case ast.Name(id=name):
                return self.name(node, name)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as known)):
                return -known
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return self.kept_whole(-wide(self.numeric(inner)), self.numeric(inner))
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return ~self.condition(inner)
            case ast.BinOp(op=op) if type(op) in _BINARY:
                return self.arithmetic(op, self.numeric(node.left), self.numeric(node.right))
            case ast.BoolOp(op=op, values=values):
                join = operator.and_ if isinstance(op, ast.And) else operator.or_
                result = self.condition(values[0])
                for other in values[1:]:
                    result = join(result, self.condition(other))
                return result
            case ast.Compare():
                return self.compare(node)
            case ast.Call(func=ast.Name(id=name), keywords=[]):
                return self.call(node, name)
        self.fail(node, "is not part of the language. See docs/data-contract.md.")

    def name(self, node: ast.AST, name: str) -> Any:
        if name in self.table.columns:
            return self.table[name]
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        near = difflib.get_close_matches(name, self.table.columns, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        self.fail(node, f"no column {name!r}; found {columns(self.table.columns)}.{hint}")

    def numeric(self, node: ast.AST) -> Any:
        value = self.value(node)
        if value.type().is_numeric():
            return value
        self.fail(node, f"is {value.type()}; expected a number. Wrap it in cast_number(…).")

    def arithmetic(self, op: ast.operator, left: Any, right: Any) -> Any:
        """Calculate in floats, which no cell of any size can overflow; by nothing is NaN."""
        other = wide(right)
        if isinstance(op, ast.Div | ast.Mod):  # an error to Spark, infinite to DuckDB
            other = ibis.ifelse(other == 0, float("nan"), other)
        result = _BINARY[type(op)](wide(left), other)
        return result if isinstance(op, ast.Div) else self.kept_whole(result, left, right)

    def kept_whole(self, result: Any, *parts: Any) -> Any:
        """Remember that a float is a whole number, since it was made of whole numbers."""
        if all(part.type().is_integer() or part.op() in self.whole for part in parts):
            self.whole.add(result.op())
        return result

    def string(self, node: ast.AST) -> Any:
        value = self.value(node)
        if value.op() in self.whole:
            short = value.try_cast("int64").cast("string")  # 5, not 5.0
            return ibis.coalesce(short, value.cast("string"))
        return value if value.type().is_string() else value.cast("string")

    def condition(self, node: ast.AST) -> Any:
        value = self.value(node)
        if value.type().is_boolean():
            return value
        self.fail(node, f"is {value.type()}; expected something true or false.")

    def literal(self, node: ast.AST) -> str:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        self.fail(node, "expected text in quotes.")

    def compare(self, node: ast.Compare) -> Any:
        parts = [self.value(part) for part in (node.left, *node.comparators)]
        result = None
        for op, part, left, right in zip(
            node.ops, node.comparators, parts, parts[1:], strict=False
        ):
            if type(op) not in _COMPARE:
                self.fail(part, "is compared in a way that is not part of the language.")
            if left.type().is_string() != right.type().is_string():
                self.fail(part, f"{left.type()} is compared with {right.type()}. Cast one of them.")
            test = _COMPARE[type(op)](left, right)
            result = test if result is None else result & test
        return result

    def call(self, node: ast.Call, name: str) -> Any:
        if name not in FUNCTIONS:
            near = difflib.get_close_matches(name, FUNCTIONS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(FUNCTIONS)}."
            self.fail(node, f"no function {name!r}.{hint}")
        fewest, most, build = FUNCTIONS[name]
        if not fewest <= len(node.args) <= most:
            expected = str(fewest) if fewest == most else f"{fewest} to {most}"
            self.fail(node, f"{name} takes {expected} arguments, not {len(node.args)}.")
        if name in AGGREGATES and not self.aggregate:
            self.fail(node, f"{name} speaks of a group of rows; set group_by for the table.")
        try:
            return build(self, *node.args)
        except UsageError as error:
            if isinstance(error, SettingsError):
                raise
            self.fail(node, str(error))

    def matches(self, value: ast.AST, pattern: ast.AST) -> Any:
        words = self.literal(pattern)
        require_pattern(words)
        return self.string(value).re_search(words)

    def choice(self, condition: ast.AST, yes: ast.AST, no: ast.AST) -> Any:
        options = [self.visit(node) for node in (yes, no)]
        known = next((v for v in options if v is not None), None)
        if known is None:
            self.fail(yes, "both results are null.")
        kind = self.value(yes if options[0] is not None else no).type()
        lifted = [ibis.null(kind) if v is None else v for v in options]
        return ibis.ifelse(self.condition(condition), *lifted)

    def row_id(self) -> Any:
        order = [self.table[name] for name in self.table.columns]
        return (ibis.row_number().over(order_by=order) + 1).cast("string")

    def summary(self, kind: str, node: ast.AST) -> Any:
        value = self.numeric(node) if kind == "sum" else self.value(node)
        if kind == "sum" and value.type().is_integer():
            value = value.cast("decimal(38, 0)")  # a sum of any length fits
        return _strict(value, getattr(value, kind)())

    def first(self, node: ast.AST) -> Any:
        order = [self.table[name] for name in self.table.columns]
        return self.value(node).first(order_by=order, include_null=True)

    def finite(self, node: ast.AST) -> Any:
        value = number(self.value(node))
        return ibis.ifelse(is_finite(value), value, ibis.null("float64"))

    def part(self, part: str, node: ast.AST) -> Any:
        value = self.value(node)
        found = time_part(value, part)
        if value.type().is_string():
            self.whole.add(found.op())
        return found

    def rounded(self, node: ast.AST) -> Any:
        result = rounded(self.numeric(node))
        self.whole.add(result.op())
        return result

    def magnitude(self, node: ast.AST) -> Any:
        value = self.numeric(node)
        return self.kept_whole(wide(value).abs(), value)

    def number(self, value: ast.AST, mark: ast.AST | None = None) -> Any:
        if mark is None:
            return number(self.value(value))
        return marked_number(self.string(value), self.literal(mark))

    def replace(self, value: ast.AST, old: ast.AST, new: ast.AST) -> Any:
        return self.string(value).replace(self.literal(old), self.literal(new))

    def column(self, node: ast.AST) -> Any:
        return self.name(node, self.literal(node))

    def parse_time(self, value: ast.AST, pattern: ast.AST) -> Any:
        return iso_text(self.string(value), self.literal(pattern))

    def substr(self, value: ast.AST, start: ast.AST, length: ast.AST | None = None) -> Any:
        stop = None if length is None else self.place(length)
        return self.string(value).substr(self.place(start), stop)

    def place(self, node: ast.AST) -> Any:
        """Return a place in a text, or a length: 0 or more."""
        value = self.numeric(node)
        literal = self.visit(node)
        negative = isinstance(literal, int | float) and literal < 0
        if negative or not (value.type().is_integer() or value.op() in self.whole):
            self.fail(node, "is no place in a text; expected a whole number, 0 or more.")
        return value.try_cast("int64").fill_null(0) if value.op() in self.whole else value

    def concat(self, *nodes: ast.AST) -> Any:
        result = self.string(nodes[0])
        for node in nodes[1:]:
            result = result + self.string(node)
        return result


_MANY = 50
FUNCTIONS: dict[str, tuple[int, int, Callable[..., Any]]] = {
    "col": (1, 1, _Compiler.column),
    "sum": (1, 1, lambda c, x: c.summary("sum", x)),
    "min": (1, 1, lambda c, x: c.summary("min", x)),
    "max": (1, 1, lambda c, x: c.summary("max", x)),
    "count": (0, 0, lambda c: c.table.count()),
    "first": (1, 1, _Compiler.first),
    "lower": (1, 1, lambda c, x: c.string(x).lower()),
    "upper": (1, 1, lambda c, x: c.string(x).upper()),
    "strip": (1, 1, lambda c, x: c.string(x).strip()),
    "concat": (2, _MANY, _Compiler.concat),
    "substr": (2, 3, _Compiler.substr),
    "startswith": (2, 2, lambda c, x, y: c.string(x).startswith(c.literal(y))),
    "matches": (2, 2, _Compiler.matches),
    "if_": (3, 3, _Compiler.choice),
    "coalesce": (2, _MANY, lambda c, *xs: ibis.coalesce(*(c.value(x) for x in xs))),
    "is_null": (1, 1, lambda c, x: c.value(x).isnull()),
    "is_in": (2, _MANY, lambda c, x, *xs: c.value(x).isin([c.value(y) for y in xs])),
    "cast_number": (1, 2, _Compiler.number),
    "replace": (3, 3, _Compiler.replace),
    "abs": (1, 1, _Compiler.magnitude),
    "round": (1, 1, _Compiler.rounded),
    "finite": (1, 1, _Compiler.finite),
    "parse_time": (2, 2, _Compiler.parse_time),
    "cast_time": (1, 1, lambda c, x: as_time(c.value(x))),
    "year": (1, 1, lambda c, x: c.part("year", x)),
    "month": (1, 1, lambda c, x: c.part("month", x)),
    "day": (1, 1, lambda c, x: c.part("day", x)),
    "row_id": (0, 0, _Compiler.row_id),
}
"""Name to fewest and most arguments, and how to build the expression."""

AGGREGATES = ("sum", "min", "max", "count", "first")
