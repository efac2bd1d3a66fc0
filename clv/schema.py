"""The data contract as code: tables, columns, units, ranges, and the rules they imply.

This is the only declaration. The row rules that split accepted rows from quarantined ones,
the great-expectations suites, the synthetic company, the error texts and the glossary are
all read from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a column holds, and how it is held after loading."""

    ID = "id"  # string; integers are read as strings
    TEXT = "text"  # string
    CATEGORY = "category"  # string of few values; may become a feature
    TIME = "time"  # timestamp; held as int64 seconds since 1970-01-01 UTC
    MONEY = "money"  # number; held as int64 ten-thousandths of the currency unit
    NUMBER = "number"  # number; held as float64
    INTEGER = "integer"  # whole number; held as int64


@dataclass(frozen=True)
class Column:
    """One column of the contract.

    Attributes
    ----------
    name : str
        The column's name; a unit is part of it (``handle_seconds``).
    kind : Kind
        What it holds.
    doc : str
        One line for the glossary.
    required : bool
        The table cannot be used without the column, and its cells may not be null.
    unique : bool
        No value may stand twice.
    minimum, maximum : float or None
        Inclusive range.
    allowed : tuple of str
        The only values, where not empty.
    at_least, at_most : str or None
        Another column of the row that bounds this one.
    references : str or None
        ``"table.column"`` in which the value must stand, where that table is given.
    past : bool
        The time may not lie after the load.
    personal : bool
        Used for redaction and name use only, in memory; never a feature, log or artefact.
    """

    name: str
    kind: Kind
    doc: str
    required: bool = False
    unique: bool = False
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] = ()
    at_least: str | None = None
    at_most: str | None = None
    references: str | None = None
    past: bool = False
    personal: bool = False


@dataclass(frozen=True)
class Table:
    """One table of the contract.

    Attributes
    ----------
    name : str
        The table's name, and its file's.
    doc : str
        One line for the glossary.
    columns : tuple of Column
        In the contract's order.
    key : tuple of str
        The columns that name a row; no two rows share them.
    time : str or None
        The column that says when the row happened.
    required : bool
        No run without it.
    """

    name: str
    doc: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    time: str | None = None
    required: bool = False

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def __contains__(self, name: str) -> bool:
        return any(column.name == name for column in self.columns)


CHANNELS = ("voice", "chat", "email", "social", "sms", "bot", "self_service")
PRIORITIES = ("low", "normal", "high", "urgent")
SPEAKERS = ("customer", "agent", "bot")
LONGEST_S = 10 * 365.25 * 86_400
"""The longest time that a contact, a wait or an answer can take: ten years."""

SURVEY_RANGES = {"csat": (1, 5), "nps": (0, 10), "ces": (1, 7), "review": (1, 5)}

_ID, _TEXT, _CATEGORY = Kind.ID, Kind.TEXT, Kind.CATEGORY
_TIME, _MONEY, _NUMBER, _INTEGER = Kind.TIME, Kind.MONEY, Kind.NUMBER, Kind.INTEGER


def _seconds(name: str, doc: str, *, at_most: str | None = None) -> Column:
    return Column(name, _NUMBER, doc, minimum=0, maximum=LONGEST_S, at_most=at_most)


ORDERS = Table(
    "orders",
    "What customers bought.",
    (
        Column("order_id", _ID, "The order.", required=True, unique=True),
        Column("customer_id", _ID, "Who bought.", required=True),
        Column("ordered_at", _TIME, "When it was ordered.", required=True, past=True),
        Column("amount", _MONEY, "Net revenue; negative is a refund or return.", required=True),
        Column("margin", _MONEY, "Contribution of the order."),
        Column("refund_of", _ID, "The order that a negative row returns."),
        Column("category", _CATEGORY, "What kind of thing was bought."),
        Column("currency", _TEXT, "One in the whole table, or each with a rate (`terms.rates`)."),
    ),
    key=("order_id",),
    time="ordered_at",
    required=True,
)

CUSTOMERS = Table(
    "customers",
    "Who they are.",
    (
        Column("customer_id", _ID, "The customer.", required=True, unique=True),
        Column("signed_up_at", _TIME, "When they signed up."),
        Column("segment", _CATEGORY, "The company's own segment."),
        Column("region", _CATEGORY, "Where they are."),
        Column("acquisition_channel", _CATEGORY, "How they were won."),
        Column("referred_by", _ID, "The customer who brought them."),
        Column("first_name", _TEXT, "For name use and redaction.", personal=True),
        Column("last_name", _TEXT, "For redaction.", personal=True),
        Column("email", _TEXT, "For redaction.", personal=True),
        Column("phone", _TEXT, "For redaction.", personal=True),
    ),
    key=("customer_id",),
)

INTERACTIONS = Table(
    "interactions",
    "One row per support contact, all channels.",
    (
        Column("interaction_id", _ID, "The contact.", required=True, unique=True),
        Column("customer_id", _ID, "Who it was with.", required=True),
        Column("agent_id", _ID, "Who answered; null for bots and self-service."),
        Column("channel", _CATEGORY, "How they were in touch.", required=True, allowed=CHANNELS),
        Column("queue", _CATEGORY, "The routing queue or skill group."),
        Column("issue_type", _CATEGORY, "What it was about."),
        Column("language", _TEXT, "BCP 47; by default the configured one."),
        Column("initiated_by", _TEXT, "Who began.", allowed=("customer", "company")),
        Column("priority", _TEXT, "How urgent it was.", allowed=PRIORITIES),
        Column("started_at", _TIME, "When it began.", required=True, past=True),
        Column("ended_at", _TIME, "When it ended.", at_least="started_at"),
        _seconds("wait_seconds", "Wait before the first agent."),
        _seconds("first_response_seconds", "Time to the first answer, written channels."),
        _seconds("handle_seconds", "Talk, hold and wrap-up."),
        _seconds("hold_seconds", "On hold.", at_most="handle_seconds"),
        _seconds("wrap_seconds", "Wrap-up after the contact.", at_most="handle_seconds"),
        Column("transfers", _INTEGER, "Handed on to another agent.", minimum=0),
        Column("resolved_at", _TIME, "When it was resolved; null is not resolved."),
        Column("reopened_at", _TIME, "When it was opened again."),
        _seconds("sla_seconds", "The target for the first answer that applied."),
        Column("goodwill", _MONEY, "Credits, refunds and gifts given in it.", minimum=0),
    ),
    key=("interaction_id",),
    time="started_at",
)

MESSAGES = Table(
    "messages",
    "The words of an interaction.",
    (
        Column(
            "interaction_id",
            _ID,
            "The contact.",
            required=True,
            references="interactions.interaction_id",
        ),
        Column("position", _INTEGER, "0, 1, 2 … in the contact.", required=True, minimum=0),
        Column("speaker", _TEXT, "Who spoke.", required=True, allowed=SPEAKERS),
        Column("sent_at", _TIME, "When it was sent."),
        Column("text", _TEXT, "What was said; may be empty."),
    ),
    key=("interaction_id", "position"),
)

SURVEYS = Table(
    "surveys",
    "What customers said about it.",
    (
        Column("survey_id", _ID, "The answer.", required=True, unique=True),
        Column("customer_id", _ID, "Who answered.", required=True),
        Column("interaction_id", _ID, "The contact it was about."),
        Column("kind", _TEXT, "Which question.", required=True, allowed=tuple(SURVEY_RANGES)),
        Column("score", _NUMBER, "The answer, within the kind's range.", required=True),
        Column("responded_at", _TIME, "When it was answered.", required=True, past=True),
        Column("comment", _TEXT, "In their words."),
    ),
    key=("survey_id",),
    time="responded_at",
)

AGENTS = Table(
    "agents",
    "Who answers.",
    (
        Column("agent_id", _ID, "The agent.", required=True, unique=True),
        Column("team", _CATEGORY, "Their team."),
        Column("hired_at", _TIME, "When they were hired."),
        Column("certification", _CATEGORY, "What they may answer."),
        Column("trained_at", _TIME, "When they were trained."),
        Column("cost_per_hour", _NUMBER, "In the currency; else the configured one.", minimum=0),
    ),
    key=("agent_id",),
)

AGENT_DAYS = Table(
    "agent_days",
    "When agents were logged in.",
    (
        Column("agent_id", _ID, "The agent.", required=True),
        Column("date", _TIME, "The day.", required=True),
        Column(
            "logged_in_seconds",
            _NUMBER,
            "Time logged in.",
            required=True,
            minimum=0,
            maximum=86_400,
        ),
    ),
    key=("agent_id", "date"),
    time="date",
)

ASSIGNMENTS = Table(
    "assignments",
    "Experiments that ran.",
    (
        Column("experiment", _TEXT, "Its name.", required=True),
        Column(
            "unit",
            _TEXT,
            "What was assigned.",
            required=True,
            allowed=("customer", "interaction", "agent"),
        ),
        Column("unit_id", _ID, "Which one.", required=True),
        Column("arm", _TEXT, "To which arm; `control` is one of them.", required=True),
        Column("assigned_at", _TIME, "When.", required=True, past=True),
    ),
    key=("experiment", "unit_id"),
    time="assigned_at",
)

ROLLOUTS = Table(
    "rollouts",
    "What reached agents, teams or queues, and when.",
    (
        Column(
            "unit",
            _TEXT,
            "What was reached.",
            required=True,
            allowed=("agent", "team", "queue"),
        ),
        Column("unit_id", _ID, "Which one.", required=True),
        Column("since", _TIME, "From when on.", required=True, past=True),
        Column("what", _TEXT, "The training, tool or policy.", required=True),
        Column("cost_per_agent", _MONEY, "What it cost, once, for each agent.", minimum=0),
    ),
    key=("what", "unit", "unit_id"),
    time="since",
)

EVALUATIONS = Table(
    "evaluations",
    "Scorecards of quality assurance: one row per contact and item of the scorecard.",
    (
        Column("evaluation_id", _ID, "The row.", required=True, unique=True),
        Column(
            "interaction_id",
            _ID,
            "The contact.",
            required=True,
            references="interactions.interaction_id",
        ),
        Column("item", _CATEGORY, "Which item of the scorecard.", required=True),
        Column("score", _NUMBER, "Points given.", required=True, minimum=0, at_most="score_max"),
        Column("score_max", _NUMBER, "Points that could be had.", required=True, minimum=0.01),
        Column("evaluator_id", _ID, "Who evaluated, or what."),
        Column("evaluated_at", _TIME, "When.", required=True, past=True),
    ),
    key=("evaluation_id",),
    time="evaluated_at",
)

SCHEMA: dict[str, Table] = {
    table.name: table
    for table in (
        ORDERS,
        CUSTOMERS,
        INTERACTIONS,
        MESSAGES,
        SURVEYS,
        AGENTS,
        AGENT_DAYS,
        ASSIGNMENTS,
        ROLLOUTS,
        EVALUATIONS,
    )
}
