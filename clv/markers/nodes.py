"""The first search of messages, on the nodes of a cluster: RE2, as DuckDB has it.

Java's expressions try each branch of a large alternation in turn; RE2 goes through the text
once, whatever the pattern, and finds the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Mapping


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
