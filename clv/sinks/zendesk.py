"""Zendesk: bodies of ``PUT /api/v2/users/update_many.json``, one per line.

``update_many`` finds users by external_id and, unlike ``create_or_update_many``, makes no
user out of a score. A call takes 100 users. developer.zendesk.com, "Users: update many".
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
    "as_of": "clv_as_of",
}
FILE = "zendesk.jsonl"
ID_CHARACTERS = 255
BATCH_USERS = 100


@dataclass(frozen=True)
class ZendeskSink(Checked):
    """The file ``zendesk.jsonl``: each line the body of one call.

    The last calls empty the fields of customers who have no score any more; a call for somebody
    whom the CRM does not know creates nobody.

    Attributes
    ----------
    fields : mapping of str to str
        Score column to the key of a user field.
    batch : int
        Users per call, at most 100.
    file : str
        Its name in the run's directory.
    """

    fields: Mapping[str, str] = field(default_factory=lambda: dict(FIELDS))
    batch: int = whole_number(BATCH_USERS, 1, BATCH_USERS)
    file: str = file_name(FILE)
    kind: ClassVar[str] = "zendesk"
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
            calls = Calls(target, "users", self.batch)
            for row in accepted(scores, list(fields), ID_CHARACTERS, rejects):
                calls.add(_user(row, fields))
            for row in blanks(gone, list(fields), ID_CHARACTERS):
                calls.add(_user(row, fields))
                cleared += 1
            calls.flush()
        written = calls.items - cleared
        return report(self.kind, self.file, written, rejects, (self.file,), cleared)


def _user(row: tuple[Any, ...], fields: Mapping[str, str]) -> dict[str, Any]:
    values = zip(fields.values(), row[1:], strict=True)
    return {"external_id": row[0], "user_fields": {name: _value(cell) for name, cell in values}}


def _value(cell: Any) -> str | float | int | bool | None:
    """Return a cell as JSON has it: numbers stay numbers, unknown ones null."""
    text = plain(cell)
    return cell if text is not None and isinstance(cell, bool | int | float) else text
