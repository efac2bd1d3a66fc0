"""What a result shows of itself: one line in a console, a table in a notebook."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

SHOWN_ROWS = 60
"""Of a table in a notebook; `to_frame` has them all."""


class Displayed(ABC):
    """A result that shows itself: `in_one_line` in a console, `to_frame` as a table."""

    @abstractmethod
    def in_one_line(self) -> str:
        """Return what the result comes to, in one line."""

    @abstractmethod
    def to_frame(self) -> pd.DataFrame:
        """Return the result as a table."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.in_one_line()}>"

    def _repr_html_(self) -> str:
        """Show the result in a notebook; what the company wrote is escaped."""
        title = f"<strong>{type(self).__name__}</strong>: {escape(self.in_one_line())}"
        return f"<div><p>{title}</p>{table(self.to_frame())}</div>"


@dataclass(frozen=True, repr=False)
class Summary:
    """A table to be read where it is printed, with what it is of and what to know of it.

    Attributes
    ----------
    about : str
        What the numbers are, with their unit.
    rows : DataFrame
        Its index is shown.
    remarks : tuple of str
        A line each.
    """

    about: str
    rows: pd.DataFrame
    remarks: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Return the table."""
        return self.rows.copy()

    def __repr__(self) -> str:
        shown = self.rows.to_string(float_format="{:,.4g}".format, na_rep="–")
        return "\n".join([self.about, *([] if self.rows.empty else [shown]), *self.remarks])

    def _repr_html_(self) -> str:
        """Show the summary in a notebook; what the company wrote is escaped."""
        shown = self.rows.to_html(border=0, na_rep="–", float_format="{:,.4g}".format)
        remarks = "".join(f"<li>{escape(remark)}</li>" for remark in self.remarks)
        return (
            f"<div><p>{escape(self.about)}</p>{'' if self.rows.empty else shown}"
            f"{f'<ul>{remarks}</ul>' if remarks else ''}</div>"
        )


def table(frame: pd.DataFrame) -> str:
    """Return a frame as an HTML table, every cell escaped, numbers in six digits.

    Parameters
    ----------
    frame : DataFrame
        Its index is not shown; of more than ``SHOWN_ROWS`` rows the first are.

    Examples
    --------
    >>> import pandas as pd
    >>> "&lt;b&gt;" in table(pd.DataFrame({"team": ["<b>"], "value": [1 / 3]}))
    True
    """
    shown = frame.head(SHOWN_ROWS).to_html(
        index=False, border=0, escape=True, na_rep="–", float_format=lambda value: f"{value:,.6g}"
    )
    rest = len(frame) - SHOWN_ROWS
    return shown if rest <= 0 else f"{shown}<p>and {rest:,} more rows</p>"
