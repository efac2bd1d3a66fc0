"""Salesforce Service Cloud: the CSV files of a Data Export, one per object."""

from __future__ import annotations

import ibis

from clv.sources.adapters.base import Adapter, Export, Inputs, Key, TableMap
from clv.sources.exports import cells
from clv.sources.exports.versions import by_group, lookup, unique

CHANGED = ("SystemModstamp", "LastModifiedDate")
PAGES = "records"

CASE = Export(
    "Case",
    ("Id", "CreatedDate", "Origin", "OwnerId"),
    (
        "ContactId",
        "AccountId",
        "ContactEmail",
        "SuppliedEmail",
        "Priority",
        "Type",
        "Reason",
        "RecordTypeId",
        "ClosedDate",
        "IsDeleted",
        "MasterRecordId",
        *CHANGED,
    ),
    array=PAGES,
    key=("Id",),
    versions=CHANGED,
    ids=("Id", "OwnerId", "ContactId", "AccountId", "RecordTypeId", "MasterRecordId"),
    times=("CreatedDate", "ClosedDate"),
    needed=True,
)
EMAILS = Export(
    "EmailMessage",
    ("Id", "ParentId", "MessageDate", "Incoming"),
    ("TextBody", "Status", "IsDeleted", *CHANGED),
    array=PAGES,
    key=("Id",),
    versions=CHANGED,
    ids=("Id", "ParentId"),
    times=("MessageDate",),
)
CONTACT = Export(
    "Contact",
    ("Id", "Email"),
    (
        "AccountId",
        "FirstName",
        "LastName",
        "Phone",
        "CreatedDate",
        "LeadSource",
        "MailingCountry",
        "IsDeleted",
        "MasterRecordId",
        *CHANGED,
    ),
    array=PAGES,
    key=("Id",),
    versions=CHANGED,
    ids=("Id", "AccountId", "MasterRecordId"),
    times=("CreatedDate",),
)
USER = Export(
    "User",
    ("Id",),
    ("Department", "Division", "Email", *CHANGED),
    array=PAGES,
    key=("Id",),
    versions=CHANGED,
    ids=("Id",),
)
HISTORY = Export(
    "CaseHistory",
    ("CaseId", "Field", "OldValue", "NewValue", "CreatedDate"),
    ("Id",),
    array=PAGES,
    key=("Id",),  # a change never changes; without ids, rows that are equal are one
    ids=("Id", "CaseId"),
    times=("CreatedDate",),
)

CHANNEL_WORDS = {
    "phone": "voice",
    **dict.fromkeys(("web", "email-to-case", "web-to-case"), "email"),
    **dict.fromkeys(("live chat", "messaging", "chat transcript", "embedded chat"), "chat"),
    **dict.fromkeys(("facebook", "twitter", "x", "social media", "community"), "social"),
    **dict.fromkeys(("whatsapp", "text", "text message"), "sms"),
}
PRIORITIES = {"medium": "normal", "critical": "urgent"}
USER_PREFIX = "005"
"""Ids of users begin so; those of queues do not."""
DRAFT = ("5", "draft")
"""The status of an e-mail that was never sent."""

HOPS = 3
"""How many times a contact is followed from merger to merger."""

SHORT, BLOCK = 15, 5
SUFFIXES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
PATTERNS = ",".join(f"{number:0{BLOCK}b}"[::-1] for number in range(len(SUFFIXES)))
"""Which of five characters are capitals, in the order of the suffixes."""


def eighteen(text: ibis.Value) -> ibis.Value:
    """Write an id of 15 characters with the three more by which systems tell a from A.

    Each of the three counts the capitals among five characters, as bits from the left.
    Salesforce: "What is the difference between 15-character and 18-character IDs".
    """
    short = text.re_search(f"^[0-9A-Za-z]{{{SHORT}}}$")
    capitals = text.re_replace("[0-9a-z]", "0").re_replace("[A-Z]", "1")
    whole = text
    for start in range(0, SHORT, BLOCK):
        place = ibis.literal(PATTERNS).find(capitals.substr(start, BLOCK)) // (BLOCK + 1)
        whole = whole + ibis.literal(SUFFIXES).substr(place, 1)
    return ibis.ifelse(short, whole, text)


def prepare(inputs: Inputs) -> Inputs:
    """Give cases their contact, transfers and reopening; e-mails their position."""
    people, emails = inputs["Contact"], inputs["EmailMessage"]
    sent, came = cells.flag(emails.IsDeleted), cells.flag(emails.Incoming)
    order = [emails.MessageDate, emails.Id]
    turns = emails.mutate(
        deleted=sent.value.cast("string"),
        draft=emails.Status.strip().lower().isin(DRAFT).cast("string"),
        # A flag that cannot be read stands where the contract refuses it.
        speaker=ibis.coalesce(
            sent.unread,
            came.unread,
            ibis.cases((came.value, "customer"), (~came.value, "agent")),
        ),
        position=ibis.row_number().over(group_by=emails.ParentId, order_by=order),
    )
    return {
        "cases": _cases(_with_contact(inputs["Case"], people), inputs["CaseHistory"]),
        "turns": turns,
        "people": people.mutate(
            customer_email=people.Email,
            customer_phone=people.Phone,
            ContactId=people.Id,
            deleted=cells.flag(people.IsDeleted).value.cast("string"),
        ),
        "staff": inputs["User"].mutate(team=lambda t: ibis.coalesce(t.Department, t.Division)),
    }


def _with_contact(cases: ibis.Table, people: ibis.Table) -> ibis.Table:
    """Say whose cases they are; a contact that was merged is the one that was kept."""
    person = unique(people, "Id")
    rows = cases
    for _ in range(HOPS):
        rows = lookup(rows, "ContactId", person, kept_contact="MasterRecordId")
        kept = ibis.coalesce(rows.kept_contact, rows.ContactId)
        rows = rows.mutate(ContactId=kept).drop("kept_contact")
    rows = lookup(
        rows,
        "ContactId",
        person,
        person_email="Email",
        person_account="AccountId",
        customer_phone="Phone",
    )
    return rows.mutate(
        customer_email=ibis.coalesce(rows.ContactEmail, rows.person_email, rows.SuppliedEmail),
        AccountId=ibis.coalesce(rows.AccountId, rows.person_account),
    )


def _cases(cases: ibis.Table, history: ibis.Table) -> ibis.Table:
    """Say how often cases were handed on, and when they were closed and opened again."""
    owner = (
        (history.Field.lower() == "owner")
        & history.OldValue.startswith(USER_PREFIX)
        & history.NewValue.startswith(USER_PREFIX)
    )
    opened = (history.Field.lower() == "status") & (history.OldValue.lower() == "closed")
    closed = (history.Field.lower() == "status") & (history.NewValue.lower() == "closed")
    changes = by_group(
        history,
        "CaseId",
        transfers=owner.sum(),
        reopened_at=history.CreatedDate.min(where=opened),
        first_closed_at=history.CreatedDate.min(where=closed),
    )
    names = ("transfers", "reopened_at", "first_closed_at")
    rows = lookup(cases, "Id", changes, **{name: name for name in names})
    deleted = cells.flag(rows.IsDeleted)
    return rows.mutate(
        agent_id=ibis.ifelse(
            rows.OwnerId.startswith(USER_PREFIX), rows.OwnerId, ibis.null("string")
        ),
        issue=ibis.coalesce(rows.Type, rows.Reason),
        settled_at=ibis.coalesce(rows.first_closed_at, rows.ClosedDate),
        deleted=deleted.value.cast("string"),
        # A flag that cannot be read stands where the contract refuses it.
        way=ibis.coalesce(deleted.unread, rows.Origin),
    )


ADAPTER = Adapter(
    kind="salesforce",
    title="Salesforce Service Cloud",
    documentation="https://help.salesforce.com/s/articleView?id=sf.admin_exportdata.htm",
    exports=(CASE, EMAILS, CONTACT, USER, HISTORY),
    tables=(
        TableMap(
            "customers",
            "people",
            {
                "signed_up_at": "CreatedDate",
                "region": "MailingCountry",
                "acquisition_channel": "LeadSource",
                "first_name": "FirstName",
                "last_name": "LastName",
                "email": "Email",
                "phone": "Phone",
            },
            left_out={"deleted": 'is_in(deleted, "true")'},
        ),
        TableMap(
            "interactions",
            "cases",
            {
                "interaction_id": "Id",
                "agent_id": "agent_id",
                "channel": "way",
                "queue": "RecordTypeId",
                "issue_type": "issue",
                "priority": "Priority",
                "started_at": "CreatedDate",
                "ended_at": "ClosedDate",
                "transfers": "transfers",
                "resolved_at": "settled_at",
                "reopened_at": "reopened_at",
            },
            words={
                "channel": CHANNEL_WORDS,
                "priority": PRIORITIES,
            },
            left_out={
                "deleted": 'is_in(deleted, "true")',
                "merged": "not is_null(MasterRecordId)",
            },
        ),
        TableMap(
            "messages",
            "turns",
            {
                "interaction_id": "ParentId",
                "position": "position",
                "speaker": "speaker",
                "sent_at": "MessageDate",
                "text": "TextBody",
            },
            left_out={"deleted": 'is_in(deleted, "true")', "draft": 'is_in(draft, "true")'},
            customer=False,
        ),
        TableMap("agents", "staff", {"agent_id": "Id", "team": "team"}, customer=False),
    ),
    keys={
        "email": Key("customer_email", "email"),
        "phone": Key("customer_phone", "phone"),
        "contact": Key("ContactId", "id", "salesforce"),
        "account": Key("AccountId", "id", many=True),
    },
    fallback=("email", "contact"),
    staff="Email",
    prepare=prepare,
    id_form=eighteen,
    remarks=(
        "cases hold no handle time; a time-tracking field can be mapped in the settings",
        "transfers and reopening come from CaseHistory, where field history is tracked",
    ),
)
