"""HubSpot: bodies of ``POST /crm/v3/objects/contacts/batch/update``, one per line.

Updating by a unique property never creates a contact for a customer whom HubSpot does not
know, as an upsert would; such inputs come back in the 207 answer. A call takes 100 inputs,
and values are strings. developers.hubspot.com, "CRM API: batch".
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from clv.sinks.base import WriteReport, accepted, blanks, chosen, plain, report
from clv.sinks.files import Calls
from clv.sinks.options import Checked, file_name, whole_number
from clv.storage import whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FIELDS = {
    "clv": "clv",
    "p_churn": "clv_churn_probability",
    "value_decile": "clv_value_decile",
    "reason_1": "clv_reason_1",
    "reason_2": "clv_reason_2",
    "reason_3": "clv_reason_3",
    "as_of": "clv_as_of",
}
FILE = "hubspot.jsonl"
ID_CHARACTERS = 255
BATCH_INPUTS = 100


@dataclass(frozen=True)
class HubspotSink(Checked):
    """The file ``hubspot.jsonl``: each line the body of one call.

    The last calls empty the fields of customers who have no score any more; a call for somebody
    whom the CRM does not know creates nobody.

    Attributes
    ----------
    id_property : str
        A property with unique values that holds our customer_id.
    fields : mapping of str to str
        Score column to property.
    batch : int
        Inputs per call, at most 100.
    file : str
        Its name in the run's directory.
    """

    id_property: str = "customer_id"
    fields: Mapping[str, str] = field(default_factory=lambda: dict(FIELDS))
    batch: int = whole_number(BATCH_INPUTS, 1, BATCH_INPUTS)
    file: str = file_name(FILE)
    kind: ClassVar[str] = "hubspot"
    apart_by: ClassVar[str] = "file"

    @property
    def places(self) -> tuple[str, ...]:
        """The file."""
        return (self.file,)

    def write(self, scores: Path, directory: Path, gone: Path | None = None) -> WriteReport:
        """Write the file."""
        fields = chosen(self.fields)
        rejects: Counter[str] = Counter()
        cleared = 0
        with whole(directory / self.file) as target:
            calls = Calls(target, "inputs", self.batch)
            for row in accepted(scores, list(fields), ID_CHARACTERS, rejects):
                calls.add(self._input(row, fields))
            for row in blanks(gone, list(fields), ID_CHARACTERS):
                calls.add(self._input(row, fields))
                cleared += 1
            calls.flush()
        written = calls.items - cleared
        return report(self.kind, self.file, written, rejects, (self.file,), cleared)

    def _input(self, row: tuple[Any, ...], fields: Mapping[str, str]) -> dict[str, Any]:
        # An empty string clears a property; leaving it out would keep last night's value.
        values = zip(fields.values(), row[1:], strict=True)
        properties = {name: plain(value) or "" for name, value in values}
        return {"id": row[0], "idProperty": self.id_property, "properties": properties}
