"""The words of the report: a catalogue per language, and the sentences that need a choice."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from clv.errors import UsageError, listing
from clv.report.formats import LANGUAGES, Formats

if TYPE_CHECKING:
    from clv.report.facts import ReportFacts
    from clv.report.figures import Figure
    from clv.report.sections.answer import Association, Behaviour, Caution
    from clv.report.sections.changes import Why
    from clv.report.sections.customers import Referrals
    from clv.report.sections.evidence import Disagreement
    from clv.report.sections.firmness import Firmness
    from clv.report.sections.levers import Lever
    from clv.report.sections.rollouts import RollOut
    from clv.report.sections.teams import Training
    from clv.report.sections.trust import Trust


DATES_NAMED = 4
"""Test dates whose errors are named one by one; of more, the range."""


@dataclass(frozen=True)
class Texts:
    """One language's catalogue, with the way it writes numbers.

    Attributes
    ----------
    formats : Formats
        Numbers, money, dates.
    catalogue : dict
        Section to key to template.
    """

    formats: Formats
    catalogue: dict[str, dict[str, str]]

    def say(self, key: str, **values: object) -> str:
        """Fill in the template at ``section.key``."""
        section, name = key.split(".", 1)
        return self.catalogue[section][name].format(**values)

    def name(self, section: str, key: str) -> str:
        """Return the name of an id; an id without one is shown as words."""
        return self.catalogue[section].get(key) or key.replace("_", " ")

    def behaviour(self, key: str) -> str:
        """Return a behaviour's name as it stands inside a sentence."""
        return self.catalogue["in_sentence"].get(key) or self.name("behaviour", key)


def load(language: str, currency: str) -> Texts:
    """Read a language's catalogue.

    Raises
    ------
    UsageError
        No catalogue exists in the language.

    Examples
    --------
    >>> load("en", "EUR").say("page.n", n="12")
    'n = 12'
    """
    if language not in LANGUAGES:
        raise UsageError(
            f"report: no texts in language {language!r}; expected one of {listing(LANGUAGES)}. "
            "Set report.language to one of them."
        )
    text = resources.files("clv.report").joinpath("texts", f"{language}.toml").read_text("utf-8")
    return Texts(Formats(language, currency), tomllib.loads(text))


def kind(facts: ReportFacts, texts: Texts) -> str:
    """Return the word for what value is: margin or revenue."""
    return texts.say("headline.margin" if facts.value_is_margin else "headline.revenue")


def headline(facts: ReportFacts, texts: Texts) -> str:
    """Return the one sentence that page 1 answers with."""
    total = facts.answer.total
    if total is None or facts.customers is None:
        return texts.say("headline.none")
    key = "headline.total" if facts.horizon_days else "headline.total_no_horizon"
    return texts.say(
        key,
        days=texts.formats.number(facts.horizon_days or 0),
        customers=texts.formats.number(facts.customers),
        total=texts.formats.figure(total),
        kind=kind(facts, texts),
    )


def subline(facts: ReportFacts, texts: Texts) -> str:
    """Return the sentences with the interval of the total, and who is in it."""
    total, mean = facts.answer.total, facts.answer.mean
    if total is None or mean is None:
        return ""
    if total.low is None or total.high is None:
        said = texts.say("headline.no_interval", mean=texts.formats.figure(mean))
    else:
        said = texts.say(
            "headline.interval",
            level=texts.formats.share(facts.level),
            low=texts.formats.money(total.low),
            high=texts.formats.money(total.high),
            mean=texts.formats.figure(mean),
        )
    left_out = texts.say("headline.not_included")
    return " ".join([said, *yet_to_buy(facts, texts), left_out])


def verdict(facts: ReportFacts, texts: Texts) -> str:
    """Return whether the model in use passed its test; empty where nobody asked."""
    answer = facts.answer.verdict
    if answer is None:
        return ""
    if answer.passed:
        return texts.say("verdict.passed" if facts.trust.by_date else "verdict.passed_customers")
    return texts.say("verdict.failed", why="; ".join(texts.name("gate", f) for f in answer.failed))


def yet_to_buy(facts: ReportFacts, texts: Texts) -> list[str]:
    """Say how much of the total comes from people yet to buy, and who is in no total."""
    theirs, unvalued, said = facts.answer.prospects, facts.answer.unvalued, []
    if theirs is not None:
        values = {
            "n": texts.formats.number(theirs.figure.n or 0),
            "value": texts.formats.figure(theirs.figure),
        }
        if theirs.share is None:
            said.append(texts.say("headline.prospects_no_share", **values))
        else:
            share = texts.formats.share(theirs.share)
            said.append(texts.say("headline.prospects", **values, share=share))
    if unvalued:
        said.append(texts.say("headline.unvalued", n=texts.formats.number(unvalued)))
    return said


def change(behaviour: Behaviour, texts: Texts) -> str:
    """Return the change that an effect is stated for: ``+10 points``, ``+1:00 min``."""
    if behaviour.unit == "seconds":
        minutes = texts.formats.seconds(behaviour.change, signed=True)
        return texts.say("change.seconds", minutes=minutes)
    return texts.say("change.points", points=texts.formats.points(behaviour.change))


def caution(item: Caution, texts: Texts) -> str:
    """Return what not to conclude."""
    values: dict[str, Any] = dict(item.values)
    if "behaviours" in values:
        named = (texts.name("behaviour", key) for key in str(values["behaviours"]).split())
        values["behaviours"] = ", ".join(named)
    if "share" in values:
        values["share"] = texts.formats.share(float(values["share"]), signed=True)
    return texts.say(f"cautions.{item.key}", **values)


def lever(item: Lever, texts: Texts) -> str:
    """Return what the curve says, for paper and for readers without the sliders."""
    current = texts.formats.value(item.current, item.unit)
    if item.move in ("raise", "lower") and item.best is not None and item.gain is not None:
        return texts.say(
            "levers.static_move",
            best=texts.formats.figure(item.best),
            gain=texts.formats.figure(item.gain, signed=True),
            interval=texts.formats.interval(item.gain, signed=True) or "–",
        )
    key = "levers.static_keep" if item.move == "keep" else "levers.static_unclear"
    return texts.say(key, current=current)


def referrals(item: Referrals, texts: Texts) -> str:
    """Return what customers bring by bringing others."""
    return texts.say(
        "journey.referrals_text",
        n=texts.formats.number(item.referrers),
        referred=texts.formats.number(item.referred),
        own=texts.formats.figure(item.own),
        brought=texts.formats.figure(item.brought),
    )


def training(item: Training, texts: Texts) -> str:
    """Return what moved after a training."""
    change, interval = moved(item.change, texts)
    return texts.say(
        "teams.training_text",
        behaviour=texts.name("behaviour", item.behaviour),
        change=change,
        interval=interval or "–",
        agents=texts.formats.number(item.agents),
    )


def moved(change: Figure, texts: Texts) -> tuple[str, str]:
    """Return by how much something moved, shares in points, and the interval of it."""
    write = texts.formats
    if change.unit != "share":
        return write.figure(change, signed=True), write.interval(change, signed=True)
    ends = (write.points(end) for end in (change.low, change.high) if end is not None)
    return texts.say("change.points", points=write.points(change.value)), " – ".join(ends)


def paid(item: RollOut, texts: Texts) -> str:
    """Return whether a roll-out paid, for an agent and the first year."""
    write, year = texts.formats, item.agent_year
    assert year is not None
    said = texts.say(
        f"rollouts.{item.verdict}",
        year=write.figure(year, signed=True),
        interval=write.interval(year, signed=True) or "–",
    )
    if item.cost_per_agent is None:
        return f"{said} {texts.say('rollouts.no_cost')}"
    cost = texts.say("rollouts.cost", cost=write.figure(item.cost_per_agent))
    if item.verdict != "paid" or item.payback is None:
        return f"{said} {cost}"
    days = write.number(round(item.payback.value))
    return f"{said} {cost} {texts.say('rollouts.payback', days=days)}"


def effect(behaviour: Behaviour, texts: Texts) -> str:
    """Return an effect as a sentence, with its interval and how it was measured."""
    return texts.say(
        "behaviours.sentence",
        behaviour=texts.name("behaviour", behaviour.behaviour),
        change=change(behaviour, texts),
        value=texts.formats.figure(behaviour.figure, signed=True),
        interval=texts.formats.interval(behaviour.figure, signed=True),
        evidence=texts.name("evidence", behaviour.evidence).lower(),
    )


def association(item: Association, texts: Texts) -> str:
    """Return a contribution group as a sentence: between customers, not what a change brings."""
    known = texts.catalogue["group"]
    return texts.say(
        "associations.sentence",
        group=known.get(item.group, item.label),
        bottom=texts.formats.figure(item.bottom, signed=True),
        top=texts.formats.figure(item.top, signed=True),
    )


def tested(trust: Trust, texts: Texts) -> str:
    """Return what the forecast was tested on: earlier dates, or customers held out."""
    write = texts.formats
    if not trust.models:
        return texts.say("trust.lead_none")
    customers = write.number(trust.test_customers)
    if trust.by_date:
        return texts.say("trust.lead", folds=write.number(len(trust.folds)), customers=customers)
    date = write.date(trust.folds[-1])
    return texts.say("trust.lead_customers", date=date, customers=customers)


def test_of_totals(trust: Trust, texts: Texts) -> str:
    """Return how far the backtest's total was off; empty where it is not known."""
    chosen = next((score for score in trust.models if score.chosen), None)
    bias = chosen.metrics.get("total_bias") if chosen else None
    if bias is None:
        return ""
    values = {
        "share": texts.formats.share(abs(bias.value)),
        "direction": texts.say("trust.over" if bias.value > 0 else "trust.under"),
    }
    dates = [pair.predicted / pair.actual - 1 for pair in trust.tracking if pair.actual > 0]
    if len(dates) < 2:
        interval = texts.formats.interval(bias, signed=True) or "–"
        return texts.say("trust.bias_text_one", interval=interval, **values)
    ends = [texts.formats.share(error, signed=True) for error in (min(dates), max(dates))]
    told = texts.say("trust.from_to", low=ends[0], high=ends[1])
    if len(dates) <= DATES_NAMED:
        told = ", ".join(texts.formats.share(error, signed=True) for error in dates)
    return texts.say("trust.bias_text", n=texts.formats.number(len(dates)), dates=told, **values)


def steps(trust: Trust, texts: Texts) -> str:
    """Return which steps the forecast uses, and which past tests spoke against or for too little.

    Empty where the backtest does not say.
    """
    if not trust.steps:
        return ""
    used, left = (
        ", ".join(texts.name("step", step.name) for step in trust.steps if step.used is answer)
        for answer in (True, False)
    )
    said = [texts.say("trust.steps_used", names=used) if used else texts.say("trust.steps_none")]
    return " ".join([*said, texts.say("trust.steps_left", names=left)] if left else said)


def test_of_errors(trust: Trust, texts: Texts) -> str:
    """Return the error per customer against the best of the other forecasts, whichever it is."""
    chosen = next((score for score in trust.models if score.chosen), None)
    mae = chosen.metrics.get("mae") if chosen else None
    if mae is None:
        return ""
    others = [score for score in trust.models if not score.chosen and "mae" in score.metrics]
    if not others:
        return texts.say("trust.error_alone", mae=texts.formats.figure(mae))
    best = min(others, key=lambda score: score.metrics["mae"].value)
    return texts.say(
        "trust.error_text",
        mae=texts.formats.figure(mae),
        baseline=texts.formats.figure(best.metrics["mae"]),
        model=f"“{texts.name('model', best.model)}”",
    )


def disagreement(item: Disagreement, texts: Texts) -> str:
    """Return how association and evidence differ for one behaviour."""
    return texts.say(
        "trust.disagree_opposite" if item.opposite else "trust.disagree_text",
        behaviour=texts.name("behaviour", item.behaviour),
        associated=texts.formats.figure(item.associated, signed=True),
        evidence=texts.name("evidence", item.evidence).lower(),
        measured=texts.formats.figure(item.measured, signed=True),
    )


def firmness(item: Firmness, texts: Texts) -> list[str]:
    """Return how far the associations hold beyond their table."""
    write, said = texts.formats, []
    if item.same_first is not None:
        said.append(texts.say("firmness.same_first", share=write.share(item.same_first)))
    if item.audit_correlation is not None and item.audited:
        said.append(
            texts.say(
                "firmness.audit",
                n=write.number(item.audited),
                correlation=write.number(item.audit_correlation, 2),
            )
        )
    if item.together is not None:
        one, other = (texts.name("group", key) for key in (item.together.one, item.together.other))
        size = write.figure(item.together.size)
        said.append(
            texts.say(
                "firmness.together",
                one=one,
                other=other,
                size=size,
                n=write.number(item.together.size.n or 0),
            )
        )
    return said


def why(item: Why, texts: Texts) -> str:
    """Return where the total's change comes from."""
    return texts.say(
        "changes.why",
        total=texts.formats.money(item.total, signed=True),
        customers=texts.formats.money(item.from_customers, signed=True),
        value=texts.formats.money(item.from_value, signed=True),
    )
