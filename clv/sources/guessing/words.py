"""How companies call the contract's columns and tables, beside the contract's own names.

One table of signatures: a column of the contract and the names, without marks and in lower case,
that mean it. A unit in a name is a factor (``handle_minutes`` is sixty times seconds).
"""

from __future__ import annotations

import re

_MARKS = re.compile(r"[^a-z0-9äöüß]+")
CUSTOMER = (
    "customerid", "customer", "customernumber", "customerno", "custid", "clientid", "client",
    "userid", "user", "memberid", "buyerid", "buyer", "contactid", "kundennummer", "kundennr",
    "kunde", "kundenid", "accountid",
)  # fmt: skip
ADDRESS = ("email", "customeremail", "emailaddress", "mail", "buyeremail", "useremail")
PHONE = (
    "phone", "phonenumber", "telephone", "mobile", "customerphone", "caller", "callerid", "ani",
    "from", "fromnumber", "telefon", "rufnummer",
)  # fmt: skip
AGENT = ("agentid", "agent", "assignee", "assigneeid", "owner", "ownerid", "handledby", "employee")
INTERACTION = ("interactionid", "ticketid", "callid", "conversationid", "caseid", "contactid")

COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    "orders": {
        "order_id": (
            "orderid", "order", "ordernumber", "orderno", "invoice", "invoiceno", "invoiceid",
            "invoicenumber", "transactionid", "receiptid", "bestellnummer", "auftragsnummer", "id",
        ),
        "customer_id": (*CUSTOMER, *ADDRESS, *PHONE),
        "ordered_at": (
            "orderedat", "orderdate", "date", "day", "createdat", "created", "purchasedate",
            "purchasedat", "invoicedate", "transactiondate", "timestamp", "time", "placedat",
            "datum", "bestelldatum",
        ),
        "amount": (
            "amount", "netamount", "revenue", "netrevenue", "total", "ordertotal", "ordervalue",
            "value", "sales", "subtotal", "net", "totalprice", "grandtotal", "price", "betrag",
            "umsatz", "summe",
        ),
        "margin": ("margin", "profit", "contribution", "grossprofit", "deckungsbeitrag"),
        "refund_of": ("refundof", "originalorder", "originalorderid", "refundedorder"),
        "category": ("category", "productcategory", "department", "kategorie"),
        "currency": ("currency", "currencycode", "waehrung", "währung"),
    },
    "customers": {
        "customer_id": (*CUSTOMER, "id", *ADDRESS),
        "signed_up_at": (
            "signedupat", "signupdate", "signup", "registeredat", "registrationdate", "createdat",
            "created", "joinedat", "customersince", "registriertam",
        ),
        "segment": ("segment", "tier", "customersegment"),
        "region": ("region", "country", "state", "land"),
        "acquisition_channel": ("acquisitionchannel", "channel", "source", "leadsource", "utm"),
        "referred_by": ("referredby", "referrer", "referrerid"),
        "first_name": ("firstname", "givenname", "vorname"),
        "last_name": ("lastname", "surname", "familyname", "nachname"),
        "email": ADDRESS,
        "phone": PHONE,
    },
    "interactions": {
        "interaction_id": (*INTERACTION, "id", "number", "case", "ticket"),
        "customer_id": (*CUSTOMER, *ADDRESS, *PHONE),
        "agent_id": AGENT,
        "channel": ("channel", "mediatype", "media", "medium", "kanal"),
        "queue": ("queue", "skill", "group", "team", "ringgroup", "skillgroup"),
        "issue_type": ("issuetype", "issue", "reason", "topic", "category", "subject", "anliegen"),
        "initiated_by": ("initiatedby",),
        "priority": ("priority",),
        "started_at": (
            "startedat", "starttime", "start", "createdat", "created", "date", "opened",
            "openedat", "timestamp", "beginn",
        ),
        "ended_at": ("endedat", "endtime", "end", "closedat", "closed", "ende"),
        "wait_seconds": ("wait", "waittime", "queuetime", "waiting"),
        "first_response_seconds": ("firstresponse", "firstresponsetime", "firstreplytime"),
        "handle_seconds": ("handle", "handletime", "handlingtime", "aht", "totalhandle"),
        "hold_seconds": ("hold", "holdtime"),
        "wrap_seconds": ("wrap", "wraptime", "wrapup", "acw", "aftercallwork"),
        "transfers": ("transfers", "transfercount", "transferred"),
        "resolved_at": ("resolvedat", "resolved", "solvedat", "resolutiontime"),
        "reopened_at": ("reopenedat",),
    },
    "messages": {
        "interaction_id": INTERACTION,
        "position": ("position", "index", "turn", "sequence", "seq"),
        "speaker": ("speaker", "role", "author", "authortype", "sender", "from"),
        "sent_at": ("sentat", "timestamp", "createdat", "time"),
        "text": ("text", "message", "body", "content", "utterance"),
    },
    "surveys": {
        "survey_id": ("surveyid", "responseid", "answerid", "id"),
        "customer_id": (*CUSTOMER, *ADDRESS, *PHONE),
        "interaction_id": INTERACTION,
        "kind": ("kind", "type", "survey", "metric"),
        "score": ("score", "rating", "answer", "value"),
        "responded_at": ("respondedat", "answeredat", "submittedat", "createdat", "date"),
        "comment": ("comment", "feedback", "verbatim"),
    },
    "agents": {
        "agent_id": (*AGENT, "id", "employeeid", "userid"),
        "team": ("team", "group", "department"),
        "hired_at": ("hiredat", "hiredate", "startdate"),
        "certification": ("certification",),
        "trained_at": ("trainedat",),
        "cost_per_hour": ("costperhour", "hourlycost", "wage", "hourlywage"),
    },
}  # fmt: skip

FILES = {
    "orders": ("order", "sale", "invoice", "purchase", "transaction", "bestell", "rechnung"),
    "customers": ("customer", "client", "member", "kunde", "people"),
    "interactions": ("interaction", "ticket", "call", "contact", "case", "conversation"),
    "messages": ("message", "transcript", "comment", "chat"),
    "surveys": ("survey", "csat", "nps", "rating", "feedback"),
    "agents": ("agent", "staff", "employee"),
}
"""What a file's name says of it: a tie between tables is decided so, and by nothing less."""

UNITS: tuple[tuple[str, str, str], ...] = (
    ("_seconds", "milliseconds", "/ 1000"),
    ("_seconds", "ms", "/ 1000"),
    ("_seconds", "minutes", "* 60"),
    ("_seconds", "mins", "* 60"),
    ("_seconds", "min", "* 60"),
    ("_seconds", "hours", "* 3600"),
    ("_seconds", "seconds", ""),
    ("_seconds", "secs", ""),
    ("_seconds", "sec", ""),
    ("amount", "cents", "/ 100"),
    ("amount", "incents", "/ 100"),
    ("amount", "minor", "/ 100"),
    ("margin", "cents", "/ 100"),
)
"""Ends of the contract's column, of the own column, and what makes one of the other."""


def plain(name: str) -> str:
    """Return a name without marks, in lower case.

    Examples
    --------
    >>> plain("Order ID"), plain("handle_time (min)")
    ('orderid', 'handletimemin')
    """
    return _MARKS.sub("", name.lower())


def place_of(column: str, words: tuple[str, ...], name: str) -> tuple[int, str] | None:
    """Return how well an own name means a column, the lowest best, and its unit's arithmetic.

    Examples
    --------
    >>> place_of("handle_seconds", ("handle", "handletime"), "Handle time (min)")
    (2, '* 60')
    >>> place_of("amount", ("amount", "total"), "total")
    (2, '')
    """
    own = plain(name)
    known = (plain(column), *words)
    if own in known:
        return known.index(own), ""
    for end, unit, arithmetic in UNITS:
        bare = own.removesuffix(unit)
        if column.endswith(end) and bare != own and bare in known:
            return known.index(bare), arithmetic
    return None
