"""What a run must not keep to itself: notes on results, and progress of long steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Note:
    """Something that was dropped, replaced, refused or skipped.

    Attributes
    ----------
    code : str
        A stable word for programs, such as ``"quarantined"`` or ``"fit_at_bound"``.
    where : str
        The table, column, model or section it happened in.
    count : int
        How many rows, customers or items; 0 where counting makes no sense.
    message : str
        One sentence for people, without any customer's text.

    Examples
    --------
    >>> print(Note("naive_time", "orders.ordered_at", 12, "read as UTC"))
    orders.ordered_at: read as UTC (12)
    """

    code: str
    where: str
    count: int
    message: str

    def __str__(self) -> str:
        suffix = f" ({self.count:,})" if self.count else ""
        return f"{self.where}: {self.message}{suffix}"

    def as_dict(self) -> dict[str, object]:
        """Return the note as JSON-able values."""
        return asdict(self)


OnProgress = Callable[[str, int, int], None]
"""Called as ``on_progress(step, done, total)`` while a long step runs."""


def silent(step: str, done: int, total: int) -> None:
    """Show no progress: the default of every library function."""
