"""Salesforce: Bulk API 2.0 upsert jobs by external id, through simple-salesforce.

A job tells which of its rows failed, and why. An upsert creates a record whose external id
Salesforce does not know, unless the object requires another field.
developer.salesforce.com, "Bulk API 2.0".
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from clv.errors import UsageError
from clv.push.base import INSTALL, BatchRefusedError, Change, NotNowError, credential
from clv.sinks.base import DIGITS, MOST_DIGITS, plain
from clv.sinks.options import Checked, whole_number
from clv.sinks.salesforce import FIELDS, NULL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clv.push.base import Pause

CLIENT, SECRET = "SALESFORCE_CLIENT_ID", "SALESFORCE_CLIENT_SECRET"
JOB_ROWS = 10_000
MOST_JOB_ROWS = 100_000
CODE_CHARACTERS = 60


@dataclass(frozen=True)
class SalesforcePush(Checked):
    """An object of Salesforce.

    ``SALESFORCE_CLIENT_ID`` and ``SALESFORCE_CLIENT_SECRET`` are those of a connected app with
    the client credentials flow; tokens that expire are renewed.

    Attributes
    ----------
    address : str
        The org's own domain, such as https://acme.my.salesforce.com.
    external_id : str
        The API name of the field that holds our customer_id.
    object : str
        The object's API name.
    fields : mapping of str to str
        Score column to API name.
    batch : int
        Rows per job.
    digits : int
        Significant digits; a score that moves by less changes nothing.
    look_seconds : int
        Between two looks at a job.
    """

    address: str
    external_id: str = "Customer_Id__c"
    object: str = "Contact"
    fields: Mapping[str, str] = field(default_factory=lambda: dict(FIELDS))
    batch: int = whole_number(JOB_ROWS, 1, MOST_JOB_ROWS)
    digits: int = whole_number(DIGITS, 1, MOST_DIGITS)
    look_seconds: int = whole_number(5, 0, 600)
    kind: ClassVar[str] = "salesforce"

    @property
    def place(self) -> str:
        """The records of an object, by their external id."""
        return f"{self.address} {self.object} by {self.external_id}"

    def connect(self, environment: Mapping[str, str], pause: Pause) -> _Records:
        """Log in."""
        client, secret = credential(environment, self.kind, CLIENT, SECRET)
        records = _Records(self, client, secret, pause)
        records.renew()
        return records


class _Records:
    def __init__(self, settings: SalesforcePush, client: str, secret: str, pause: Pause) -> None:
        self._settings, self._pause = settings, pause
        self._login = {
            "grant_type": "client_credentials",
            "client_id": client,
            "client_secret": secret,
        }
        self._object: Any = None

    def renew(self) -> bool:
        """Get a token by the client credentials flow."""
        try:
            from simple_salesforce.api import Salesforce
        except ImportError as error:
            raise UsageError(
                f"push salesforce: {error.name} is not installed. {INSTALL}"
            ) from error
        from clv.push.http import session

        calls = session(self._pause)
        address = self._settings.address.rstrip("/")
        answer = calls.post(f"{address}/services/oauth2/token", data=self._login)
        connection = Salesforce(
            instance_url=address, session_id=answer.json()["access_token"], session=calls
        )
        self._object = getattr(connection.bulk2, self._settings.object)
        return True

    def send(self, changes: Sequence[Change]) -> Mapping[str, str]:
        from simple_salesforce.exceptions import SalesforceError, SalesforceOperationError

        key = self._settings.external_id
        rows = [
            {key: c.customer_id, **{n: plain(v) or NULL for n, v in c.fields.items()}}
            for c in changes
        ]
        try:
            jobs = self._object.upsert(
                records=rows, external_id_field=key, wait=self._settings.look_seconds
            )
            refused: dict[str, str] = {}
            for job in jobs:
                refused |= self._rows(job["job_id"], "failed")
                refused |= self._rows(job["job_id"], "unprocessed")
        except SalesforceOperationError as error:
            raise BatchRefusedError("the job failed") from error
        except SalesforceError as error:
            raise NotNowError(type(error).__name__) from error
        return refused

    def _rows(self, job: str, which: str) -> dict[str, str]:
        """Return who was not taken; the reason is Salesforce's code, without its text."""
        text = getattr(self._object, f"get_{which}_records")(job)
        refused = {}
        for row in csv.DictReader(io.StringIO(text)):
            code = str(row.get("sf__Error") or which).partition(":")[0]
            refused[row[self._settings.external_id]] = code[:CODE_CHARACTERS]
        return refused
