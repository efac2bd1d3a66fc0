"""Customers and journey: where value lies, who is at risk, what bad experiences go with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clv.report.figures import EVIDENCE, Figure, Missing, count, figure, number, records, words

if TYPE_CHECKING:
    from clv.report.figures import Document
    from clv.report.sections.inputs import ReportInputs


COLUMNS_SHOWN, VALUES_SHOWN, CELLS_SHOWN = 6, 10, 60
"""Limits, so that the page does not grow with the company; the largest are kept."""


@dataclass(frozen=True)
class Decile:
    """A tenth of the customers by predicted value; 10 is the most valuable."""

    decile: int
    customers: int
    clv: float
    share: float


@dataclass(frozen=True)
class Bin:
    """Customers whose predicted value lies in [low, high)."""

    low: float
    high: float
    customers: int


@dataclass(frozen=True)
class Segment:
    """Mean predicted value of the customers with one value of a column."""

    column: str
    value: str
    customers: int
    clv: float


@dataclass(frozen=True)
class BadExperience:
    """Value of customers with so many bad experiences, against customers without one."""

    number: int
    value: Figure
    churn: float | None
    evidence: str


@dataclass(frozen=True)
class Friction:
    """Where contacts, waits and repeats concentrate: a stage of the journey on a channel."""

    stage: str
    channel: str
    contacts: int
    wait_seconds: float | None
    repeat_share: float | None
    transfer_share: float | None


@dataclass(frozen=True)
class Referrals:
    """What customers bring by bringing others, beside their own value."""

    referrers: int
    referred: int
    own_value: Figure
    referred_value: Figure


@dataclass(frozen=True)
class Customers:
    """The section."""

    deciles: tuple[Decile, ...]
    histogram: tuple[Bin, ...]
    segments: tuple[Segment, ...]
    at_risk: Figure | None
    first_time: Figure | None
    bad_experiences: tuple[BadExperience, ...]
    friction: tuple[Friction, ...]
    referrals: Referrals | None
    missing: tuple[Missing, ...]


def customers(inputs: ReportInputs) -> Customers:
    """Collect the section from the portfolio and from ``attribution["journey"]``."""
    portfolio, attribution = inputs.portfolio, inputs.attribution
    found = Customers(
        deciles=deciles(portfolio),
        histogram=histogram(portfolio),
        segments=segments(portfolio, attribution),
        at_risk=figure(
            portfolio, "at_risk_value", "currency", n=count(portfolio, "at_risk_customers")
        ),
        first_time=figure(
            portfolio, "p_repeat_mean", "share", n=count(portfolio, "first_time_customers")
        ),
        bad_experiences=bad_experiences(attribution),
        friction=friction(attribution),
        referrals=referrals(attribution),
        missing=(),
    )
    lacking = tuple(
        Missing(key)
        for key, present in (
            ("deciles", found.deciles),
            ("histogram", found.histogram),
            ("segments", found.segments),
            ("bad_experiences", found.bad_experiences),
            ("friction", found.friction),
            ("referrals", found.referrals),
        )
        if not present
    )
    return Customers(**{**vars(found), "missing": lacking})


def deciles(portfolio: Document | None) -> tuple[Decile, ...]:
    """Return the value deciles, least valuable first."""
    rows = [
        Decile(count(d, "decile") or 0, count(d, "customers") or 0, clv, share)
        for d in records(portfolio, "deciles")
        if (clv := number(d, "clv")) is not None and (share := number(d, "share")) is not None
    ]
    return tuple(sorted(rows, key=lambda row: row.decile))


def histogram(portfolio: Document | None) -> tuple[Bin, ...]:
    """Return the distribution of predicted values."""
    return tuple(
        Bin(low, high, count(b, "customers") or 0)
        for b in records(portfolio, "histogram")
        if (low := number(b, "low")) is not None and (high := number(b, "high")) is not None
    )


def segments(portfolio: Document | None, attribution: Document | None) -> tuple[Segment, ...]:
    """Return the largest segments by column; issues of contacts are a column of their own."""
    rows = [(words(s, "column"), s) for s in records(portfolio, "segments")]
    rows += [("issue", s) for s in records(attribution, "journey", "issues")]
    found = [
        Segment(column, words(s, "value"), count(s, "customers") or 0, clv)
        for column, s in rows
        if (clv := number(s, "clv")) is not None
    ]
    columns = list(dict.fromkeys(segment.column for segment in found))[:COLUMNS_SHOWN]
    shown: list[Segment] = []
    for column in columns:
        largest = sorted((s for s in found if s.column == column), key=lambda s: -s.customers)
        shown += sorted(largest[:VALUES_SHOWN], key=lambda s: (-s.clv, s.value))
    return tuple(shown)


def bad_experiences(attribution: Document | None) -> tuple[BadExperience, ...]:
    """Return what a first, second and third bad experience goes with."""
    found = []
    for row in records(attribution, "journey", "bad_experiences"):
        value = figure(row, "value", "currency", n=count(row, "customers"))
        times = count(row, "count")
        if value is not None and times is not None:
            evidence = words(row, "evidence")
            known = evidence if evidence in EVIDENCE else EVIDENCE[0]
            found.append(BadExperience(times, value, number(row, "churn"), known))
    return tuple(sorted(found, key=lambda row: row.number))


def friction(attribution: Document | None) -> tuple[Friction, ...]:
    """Return the cells of the friction map."""
    return tuple(
        Friction(
            stage=words(row, "stage"),
            channel=words(row, "channel"),
            contacts=count(row, "contacts") or 0,
            wait_seconds=number(row, "wait_seconds"),
            repeat_share=number(row, "repeat_share"),
            transfer_share=number(row, "transfer_share"),
        )
        for row in records(attribution, "journey", "friction")[:CELLS_SHOWN]
    )


def referrals(attribution: Document | None) -> Referrals | None:
    """Return the referral value, where it was computed."""
    journey = (attribution or {}).get("journey")
    document = journey.get("referrals") if isinstance(journey, dict) else None
    n = count(document, "referrers")
    own = figure(document, "own_value", "currency", low="", high="", n=n)
    brought = figure(document, "referred_value", "currency", n=n)
    if n is None or own is None or brought is None:
        return None
    return Referrals(n, count(document, "referred") or 0, own, brought)
