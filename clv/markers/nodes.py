"""RE2, as DuckDB has it, outside of DuckDB: on the nodes of a cluster, and in this process.

Java's expressions, and those of the standard library, try each branch of an alternation in turn,
and a pattern such as ``(a+)+b`` for ever; RE2 goes through the text once, whatever the pattern,
and finds the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_OPEN, _CLOSE = "\x01", "\x02"
"""Set around what is found; normalised text has no control characters."""

Spans = tuple[tuple[int, int], ...]


def trouble_of(pattern: str) -> str | None:
    """Return what RE2 has against a pattern, None where it takes it.

    Examples
    --------
    >>> trouble_of("a{99}{99}")
    'bad repetition operator: {99}{99}'
    >>> trouble_of("a{9}")
    """
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        return str(error).removeprefix("Invalid regular expression: ").strip()
    return None


def matches_nothing(pattern: str) -> bool:
    """Say whether an empty text matches a pattern, which then stands everywhere."""
    return bool(pc.match_substring_regex(pa.array([""]), pattern)[0].as_py())


def spans_of(pattern: str, texts: Sequence[str]) -> list[Spans]:
    """Return where a pattern that no empty text matches stands in texts.

    Examples
    --------
    >>> spans_of("a+", ["baab a", "b"])
    [((1, 3), (5, 6)), ()]
    """
    plain = [text.replace(_OPEN, " ").replace(_CLOSE, " ") for text in texts]
    marked = pc.replace_substring_regex(
        pa.array(plain, pa.string()), f"({pattern})", f"{_OPEN}\\1{_CLOSE}"
    )
    return [_between(text) for text in marked.to_pylist()]


def _between(marked: str) -> Spans:
    """Return the places of what stands between marks, in the text without them."""
    found, begun = [], 0
    for part in marked.split(_OPEN)[:-1]:
        begun += len(part.replace(_CLOSE, ""))
        found.append(begun)
    ends = [len(part) for part in (p.partition(_CLOSE)[0] for p in marked.split(_OPEN)[1:])]
    return tuple((start, start + length) for start, length in zip(found, ends, strict=True))


@dataclass(frozen=True)
class Searches:
    """Patterns to search turns for; a function of Arrow tables that can be sent to nodes.

    Attributes
    ----------
    patterns : mapping of str to (str, str)
        Speaker and pattern, by the name of the column to make.
    """

    patterns: Mapping[str, tuple[str, str]]

    @property
    def schema(self) -> pa.Schema:
        """The columns made."""
        return pa.schema([(name, pa.bool_()) for name in self.patterns])

    def __call__(self, turns: pa.Table) -> pa.Table:
        """Say which turns are the speaker's and show the pattern; no column is null."""
        return pa.table(
            [
                pc.and_(
                    pc.fill_null(pc.equal(turns["speaker"], speaker), False),  # noqa: FBT003
                    pc.match_substring_regex(turns["text"], pattern=pattern),
                )
                for speaker, pattern in self.patterns.values()
            ],
            schema=self.schema,
        )
