"""Page 1: what the customers are worth, what service does to it, what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clv.report.figures import (
    EVIDENCE,
    Figure,
    Missing,
    count,
    figure,
    lookup,
    number,
    records,
    words,
)
from clv.report.sections.decisions import Recommendation, decisions, unit

if TYPE_CHECKING:
    from clv.report.figures import Document
    from clv.report.sections.inputs import ReportInputs

LASTING_SHOWN = 2
"""Curves of how long a contact lasts."""

BIAS_LIMIT = 0.10
"""A total that was off by more than this share in the backtest is cautioned against."""


@dataclass(frozen=True)
class KeyFigure:
    """One number of the strip below the headline; ``key`` names its texts."""

    key: str
    figure: Figure
    share: float | None = None


@dataclass(frozen=True)
class Level:
    """One evidence level of an effect; without a figure it was refused."""

    evidence: str
    figure: Figure | None
    why: str = ""
    mend: str = ""


@dataclass(frozen=True)
class Behaviour:
    """What changing a behaviour would do, per customer over the horizon, at its best evidence."""

    behaviour: str
    change: float
    unit: str
    evidence: str
    figure: Figure
    per_contact: float | None
    agents: int | None
    levels: tuple[Level, ...]


@dataclass(frozen=True)
class Association:
    """Predicted value that goes with a group of features: lowest and highest tenth of customers."""

    group: str
    label: str
    bottom: Figure
    top: Figure
    mean_abs: float
    share: float | None


@dataclass(frozen=True)
class Lasting:
    """How long a better contact lasts: money per contact, month by month after it.

    ``until_days`` says where each month ends.
    """

    behaviour: str
    change: float
    unit: str
    evidence: str
    until_days: tuple[int, ...]
    months: tuple[Figure, ...]


@dataclass(frozen=True)
class Caution:
    """Something the reader must not conclude; ``key`` names its text, behaviours stand by id."""

    key: str
    values: dict[str, str | float] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """Whether the model in use passed the gate's test, and the questions that it failed."""

    passed: bool
    failed: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """Everything on page 1.

    ``prospects`` is what of the total comes from people yet to buy; ``unvalued`` are those
    among them who are in no total.
    """

    verdict: Verdict | None
    total: Figure | None
    prospects: KeyFigure | None
    unvalued: int
    mean: Figure | None
    strip: tuple[KeyFigure, ...]
    behaviours: tuple[Behaviour, ...]
    associations: tuple[Association, ...]
    lasting: tuple[Lasting, ...]
    recommendations: tuple[Recommendation, ...]
    cautions: tuple[Caution, ...]
    missing: tuple[Missing, ...]


def answer(inputs: ReportInputs) -> Answer:
    """Collect page 1."""
    n = inputs.customers
    found = behaviours(inputs.attribution)
    groups = associations(inputs.contributions)
    total = figure(
        inputs.portfolio, "total_clv", "currency", low="total_low", high="total_high", n=n
    )
    missing = [] if total else [Missing("portfolio")]
    missing += [] if groups else [_no_groups(inputs)]
    missing += [] if found else [_no_effects(inputs)]
    return Answer(
        verdict=verdict(inputs.training),
        total=total,
        prospects=prospects(inputs.portfolio),
        unvalued=count(inputs.portfolio, "unvalued") or 0,
        mean=figure(inputs.portfolio, "mean_clv", "currency", n=n),
        strip=strip(inputs.portfolio),
        behaviours=found,
        associations=groups,
        lasting=lasting(inputs.attribution),
        recommendations=decisions(inputs.attribution, contacts="interactions" not in inputs.absent),
        cautions=cautions(inputs, found, groups),
        missing=tuple(missing),
    )


def verdict(training: Document | None) -> Verdict | None:
    """Return what the gate said of the model in use, where its training says so."""
    passed, failed = (lookup(training, "gate", key) for key in ("passed", "failed"))
    if not isinstance(passed, bool):
        return None
    named = failed if isinstance(failed, list | tuple) else ()
    return Verdict(passed, tuple(words({"name": name}, "name") for name in named))


def prospects(portfolio: Document | None) -> KeyFigure | None:
    """Return what people yet to buy are expected to bring, where there are any."""
    n, total = count(portfolio, "prospects"), number(portfolio, "total_clv")
    theirs = figure(portfolio, "prospects_clv", "currency", n=n)
    if not n or theirs is None:
        return None
    return KeyFigure("prospects", theirs, theirs.value / total if total else None)


def strip(portfolio: Document | None) -> tuple[KeyFigure, ...]:
    """Return the key numbers that the portfolio holds."""
    n = count(portfolio, "customers")
    total = number(portfolio, "total_clv")
    risky = count(portfolio, "at_risk_customers")
    first = count(portfolio, "first_time_customers")
    buyers = None if n is None else n - (count(portfolio, "prospects") or 0)
    value = figure(portfolio, "at_risk_value", "currency", n=risky)
    found = {
        "median": figure(portfolio, "median_clv", "currency", n=n),
        "churn": figure(portfolio, "p_churn_mean", "share", n=buyers),
        "at_risk": value,
        "repeat": figure(portfolio, "p_repeat_mean", "share", n=first) if first else None,
    }
    top = max(records(portfolio, "deciles"), key=lambda d: number(d, "decile") or 0, default=None)
    found["top_decile"] = figure(top, "share", "share", n=count(top, "customers"))
    return tuple(
        KeyFigure(key, shown, shown.value / total if key == "at_risk" and total else None)
        for key, shown in found.items()
        if shown is not None
    )


def behaviours(attribution: Document | None) -> tuple[Behaviour, ...]:
    """Return the effects that have a figure at their headline level, strongest evidence first."""
    found = []
    for effect in records(attribution, "effects"):
        n = count(effect, "n")
        levels = tuple(_level(document, n) for document in records(effect, "levels"))
        headline = words(effect, "headline")
        best = next((x.figure for x in levels if x.evidence == headline and x.figure), None)
        if best is None or headline not in EVIDENCE:
            continue
        found.append(
            Behaviour(
                behaviour=words(effect, "behaviour"),
                change=number(effect, "change") or 0.0,
                unit=unit(words(effect, "behaviour"), words(effect, "unit")),
                evidence=headline,
                figure=best,
                per_contact=number(effect, "per_contact"),
                agents=count(effect, "agents"),
                levels=levels,
            )
        )
    return tuple(
        sorted(
            found, key=lambda b: (-EVIDENCE.index(b.evidence), -abs(b.figure.value), b.behaviour)
        )
    )


def _level(document: Document, n: int | None) -> Level:
    return Level(
        evidence=words(document, "evidence"),
        figure=figure(document, "estimate", "currency", n=n),
        why=words(document, "refused", "why", limit=240),
        mend=words(document, "refused", "mend", limit=240),
    )


def lasting(attribution: Document | None) -> tuple[Lasting, ...]:
    """Return how shares of good contacts last; a longer contact is not a better one by itself."""
    changes = {
        words(effect, "behaviour"): (
            number(effect, "change") or 0.0,
            unit(words(effect, "behaviour"), words(effect, "unit")),
        )
        for effect in records(attribution, "effects")
    }
    found = []
    for row in records(attribution, "effect_curves"):
        name = words(row, "behaviour")
        columns = [lookup(row, key) for key in ("until_days", "estimate", "low", "high")]
        if name not in changes or changes[name][1] != "share":
            continue
        if not all(isinstance(column, list | tuple) for column in columns):
            continue
        ends = [
            {"until": until, "estimate": estimate, "low": low, "high": high}
            for until, estimate, low, high in zip(*columns, strict=False)
        ]
        months = [figure(end, "estimate", "currency") for end in ends]
        until = [count(end, "until") for end in ends]
        known = [m for m in months if m is not None and m.low is not None]
        days = [day for day in until if day is not None]
        if len(known) == len(days) == len(ends) and len(ends) > 1:
            evidence = words(row, "evidence")
            found.append(Lasting(name, *changes[name], evidence, tuple(days), tuple(known)))
    return tuple(found[:LASTING_SHOWN])


def associations(contributions: Document | None) -> tuple[Association, ...]:
    """Return the contribution groups, largest first."""
    found = []
    for row in records(contributions, "groups"):
        n = count(row, "customers")
        bottom = figure(row, "mean_bottom", "currency", n=n)
        top = figure(row, "mean_top", "currency", n=n)
        if bottom is None or top is None or bottom.value == top.value == 0:
            continue
        found.append(
            Association(
                group=words(row, "group"),
                label=words(row, "label"),
                bottom=bottom,
                top=top,
                mean_abs=number(row, "mean_abs") or 0.0,
                share=number(row, "share"),
            )
        )
    return tuple(sorted(found, key=lambda a: (-a.mean_abs, a.group)))


def cautions(
    inputs: ReportInputs, found: tuple[Behaviour, ...], groups: tuple[Association, ...]
) -> tuple[Caution, ...]:
    """Return what not to conclude from this report."""
    shown = [Caution("association")] if groups else []
    adjusted = " ".join(b.behaviour for b in found if b.evidence == "adjusted")
    unsettled = " ".join(b.behaviour for b in found if not b.figure.settled)
    shown += [Caution("adjusted", {"behaviours": adjusted})] if adjusted else []
    shown += [Caution("unsettled", {"behaviours": unsettled})] if unsettled else []
    effects_days, days = count(inputs.attribution, "horizon_days"), inputs.horizon_days
    if found and effects_days and days and effects_days != days:
        shown.append(Caution("horizons", {"effects_days": effects_days, "days": days}))
    if lookup(inputs.training, "value_is_margin") is False:
        shown.append(Caution("revenue"))
    chosen = words(inputs.backtest, "chosen")
    bias = number(inputs.backtest, "models", chosen, "total_bias", "mean")
    if bias is not None and abs(bias) > BIAS_LIMIT:
        shown.append(Caution("bias", {"share": bias}))
    if number(inputs.training, "blend_weight") == 1.0:
        shown.append(Caution("btyd_alone"))
    return (*shown, Caution("forecast"))


def _no_groups(inputs: ReportInputs) -> Missing:
    known = bool(records(inputs.contributions, "groups"))
    return Missing("contributions_none" if known else "contributions")


def _no_effects(inputs: ReportInputs) -> Missing:
    return Missing("effects_no_contacts" if "interactions" in inputs.absent else "effects")
