"""Salesforce: CSV files for a Bulk API 2.0 upsert job by external id.

An empty cell leaves a field as it is and ``#N/A`` sets it to null, so unknown values are
written as ``#N/A``; a job takes at most 100 MB. developer.salesforce.com, "Bulk API 2.0:
Upload Job Data" and "Prepare CSV Files".
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from clv.sinks.base import WriteReport, accepted, blanks, chosen, plain, report
from clv.sinks.files import Parts
from clv.sinks.options import Checked, file_name, whole_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FIELDS = {
    "clv": "CLV__c",
    "clv_low": "CLV_Low__c",
    "clv_high": "CLV_High__c",
    "p_churn": "CLV_Churn_Probability__c",
    "value_decile": "CLV_Value_Decile__c",
    "reason_1": "CLV_Reason_1__c",
    "reason_2": "CLV_Reason_2__c",
    "reason_3": "CLV_Reason_3__c",
    "as_of": "CLV_As_Of__c",
}
NULL = "#N/A"
ID_CHARACTERS = 255
UPLOAD_BYTES = 100_000_000
LEAST_BYTES = 100


@dataclass(frozen=True)
class SalesforceSink(Checked):
    """Files ``salesforce-001.csv``, … each the body of one upsert job.

    Customers who have no score any more stand in ``salesforce-tombstones-001.csv``, …, their
    fields ``#N/A``. They are files of their own, since an upsert creates a record whose external
    id Salesforce does not know, where the object requires no other field.

    Attributes
    ----------
    external_id : str
        The API name of the field that holds our customer_id; the job's
        ``externalIdFieldName``.
    fields : mapping of str to str
        Score column to API name.
    max_bytes : int
        Largest file.
    file : str
        What the names of the files begin with.
    """

    external_id: str = "Customer_Id__c"
    fields: Mapping[str, str] = field(default_factory=lambda: dict(FIELDS))
    max_bytes: int = whole_number(UPLOAD_BYTES, LEAST_BYTES, UPLOAD_BYTES)
    file: str = file_name("salesforce")
    kind: ClassVar[str] = "salesforce"
    apart_by: ClassVar[str] = "file"

    @property
    def places(self) -> tuple[str, ...]:
        """What the names of the files begin with."""
        return f"{self.file}-001.csv", f"{self.file}-tombstones-001.csv"

    def write(self, scores: Path, directory: Path, gone: Path | None = None) -> WriteReport:
        """Write the files."""
        fields = chosen(self.fields)
        rejects: Counter[str] = Counter()
        columns = list(fields)
        rows = accepted(scores, columns, ID_CHARACTERS, rejects)
        names, written = self._jobs(directory, self.file, rows, fields)
        cleared = 0
        if gone is not None:
            rows = blanks(gone, columns, ID_CHARACTERS)
            more, cleared = self._jobs(directory, "salesforce-tombstones", rows, fields)
            names += more
        return report(self.kind, names[0], written, rejects, names, cleared)

    def _jobs(
        self,
        directory: Path,
        name: str,
        rows: Iterator[tuple[Any, ...]],
        fields: Mapping[str, str],
    ) -> tuple[list[str], int]:
        """Write the files of one kind; return their names and how many rows they hold."""
        written = 0
        header = _line([self.external_id, *fields.values()])
        with Parts(directory, f"{name}-{{:03d}}.csv", self.max_bytes, header) as parts:
            for row in rows:
                parts.add(_line([NULL if (v := plain(cell)) is None else v for cell in row]))
                written += 1
        return parts.names, written


def _line(cells: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()
