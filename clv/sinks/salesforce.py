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
from typing import TYPE_CHECKING, ClassVar

from clv.sinks.base import WriteReport, accepted, chosen, plain, report
from clv.sinks.files import Parts

if TYPE_CHECKING:
    from collections.abc import Mapping
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


@dataclass(frozen=True)
class SalesforceSink:
    """Files ``salesforce-001.csv``, … each the body of one upsert job.

    Attributes
    ----------
    external_id : str
        The API name of the field that holds our customer_id; the job's
        ``externalIdFieldName``.
    fields : mapping of str to str
        Score column to API name.
    max_bytes : int
        Largest file.
    """

    external_id: str = "Customer_Id__c"
    fields: Mapping[str, str] = field(default_factory=lambda: dict(FIELDS))
    max_bytes: int = UPLOAD_BYTES
    kind: ClassVar[str] = "salesforce"

    def write(self, scores: Path, directory: Path) -> WriteReport:
        """Write the files."""
        fields = chosen(self.fields)
        rejects: Counter[str] = Counter()
        written = 0
        header = _line([self.external_id, *fields.values()])
        with Parts(directory, "salesforce-{:03d}.csv", self.max_bytes, header) as parts:
            for row in accepted(scores, list(fields), ID_CHARACTERS, rejects):
                parts.add(_line([NULL if (v := plain(cell)) is None else v for cell in row]))
                written += 1
        return report(self.kind, parts.names[0], written, rejects, parts.names)


def _line(cells: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()
