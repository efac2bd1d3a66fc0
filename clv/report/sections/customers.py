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
    """A value group by the training's cut-points; 10 is the most valuable.

    ``clv`` is the customers' value together, ``share`` of the total.
    """

    decile: int
    customers: int
    clv: float
    share: float


@dataclass(frozen=True)
class Bin:
    """Customers whose predicted value lies in [low, high); None is open."""

    low: float | None
    high: float | None
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
    """What the first, second or third bad experience goes with, at equal customers."""

    number: int
    value: Figure
    churn: Figure | None
    evidence: str


@dataclass(frozen=True)
class Friction:
    """Contacts of one issue at one stage of the journey.

    ``transfers`` are per contact, ``repeat_share`` and ``bad_share`` of contacts.
    """

    stage: str
    issue: str
    contacts: int
    wait_seconds: float | None
    repeat_share: float | None
    bad_share: float | None
    transfers: float | None


@dataclass(frozen=True)
class Referrals:
    """Value in the horizon of those who brought others, and of those they brought."""

    referrers: int
    referred: int
    own: Figure
    brought: Figure


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
        segments=segments(portfolio),
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
    """Return the distribution of predicted values, without empty bins at its ends."""
    bins = [
        Bin(number(b, "low"), number(b, "high"), count(b, "customers") or 0)
        for b in records(portfolio, "histogram")
    ]
    filled = [place for place, found in enumerate(bins) if found.customers]
    return tuple(bins[filled[0] : filled[-1] + 1]) if filled else ()


def segments(portfolio: Document | None) -> tuple[Segment, ...]:
    """Return the largest segments by column, each with its mean value."""
    found = [
        Segment(words(s, "column"), words(s, "value"), n, clv / n)
        for s in records(portfolio, "segments")
        if (clv := number(s, "clv")) is not None and (n := count(s, "customers"))
    ]
    columns = list(dict.fromkeys(segment.column for segment in found))[:COLUMNS_SHOWN]
    shown: list[Segment] = []
    for column in columns:
        largest = sorted((s for s in found if s.column == column), key=lambda s: -s.customers)
        shown += sorted(largest[:VALUES_SHOWN], key=lambda s: (-s.clv, s.value))
    return tuple(shown)


def bad_experiences(attribution: Document | None) -> tuple[BadExperience, ...]:
    """Return what a first, second and third bad experience goes with."""
    rows = records(attribution, "journey", "bad_experiences")
    values = [row for row in rows if words(row, "outcome") == "value"]
    found = []
    for place, row in enumerate(values):
        n = count(row, "customers")
        value = figure(row, "estimate", "currency", n=n)
        evidence = words(row, "evidence")
        if value is None or evidence not in EVIDENCE:
            continue
        same = [r for r in rows if r.get("which") == row.get("which") and r is not row]
        churn = figure(same[0], "estimate", "share", n=n) if same else None
        found.append(BadExperience(place + 1, value, churn, evidence))
    return tuple(found)


def friction(attribution: Document | None) -> tuple[Friction, ...]:
    """Return the map's cells with the most contacts."""
    found = [
        Friction(
            stage=words(row, "stage"),
            issue=words(row, "issue"),
            contacts=count(row, "contacts") or 0,
            wait_seconds=number(row, "wait_seconds"),
            repeat_share=number(row, "repeats"),
            bad_share=number(row, "bad"),
            transfers=number(row, "transfers"),
        )
        for row in records(attribution, "journey", "friction")
    ]
    return tuple(sorted(found, key=lambda f: (-f.contacts, f.stage, f.issue))[:CELLS_SHOWN])


def referrals(attribution: Document | None) -> Referrals | None:
    """Return the referral value, where it was computed."""
    journey = (attribution or {}).get("journey")
    document = journey.get("referrals") if isinstance(journey, dict) else None
    n, referred = count(document, "referrers"), count(document, "referred")
    own = figure(document, "own", "currency", n=n)
    brought = figure(document, "brought", "currency", n=referred)
    if not n or not referred or own is None or brought is None:
        return None
    return Referrals(n, referred, own, brought)
