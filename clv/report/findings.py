"""The three findings that an executive would read, as plain sentences for the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clv.report import sentences

if TYPE_CHECKING:
    from clv.report.facts import ReportFacts
    from clv.report.sentences import Texts


def findings(facts: ReportFacts, *, language: str = "en") -> tuple[str, ...]:
    """Return what the customers are worth, what service has to do with it, and what to do.

    Parameters
    ----------
    facts : ReportFacts
        Of the report.
    language : str
        ``en`` or ``de``.

    Examples
    --------
    >>> from clv.report.facts import ReportInputs, collect
    >>> facts = collect(ReportInputs(portfolio={"customers": 2, "total_clv": 30.0}))
    >>> len(findings(facts))
    1
    """
    texts = sentences.load(language, facts.currency)
    worth = f"{sentences.headline(facts, texts)} {sentences.subline(facts, texts)}"
    found = (worth, _service(facts, texts), _advice(facts, texts))
    return tuple(plain(sentence) for sentence in found if sentence.strip())


def plain(sentence: str) -> str:
    """Drop the emphasis that pages show."""
    return " ".join(sentence.replace("**", "").split())


def _service(facts: ReportFacts, texts: Texts) -> str:
    """Say the best-founded effect, else the largest association."""
    answer, formats = facts.answer, texts.formats
    if answer.behaviours:
        best = answer.behaviours[0]
        return (
            f"{texts.name('behaviour', best.behaviour)}, {sentences.change(best, texts)}: "
            f"{formats.figure(best.figure, signed=True)} "
            f"{formats.interval(best.figure, signed=True)} "
            f"({texts.name('evidence', best.evidence)})"
        )
    if answer.associations:
        first = answer.associations[0]
        name = texts.catalogue["group"].get(first.group, first.label)
        return (
            f"{name}: {formats.figure(first.bottom, signed=True)} – "
            f"{formats.figure(first.top, signed=True)} ({texts.name('evidence', 'predictive')})"
        )
    return ""


def _advice(facts: ReportFacts, texts: Texts) -> str:
    """Say the first recommendation, else the first thing not to conclude."""
    if facts.answer.recommendations:
        return sentences.recommendation(facts.answer.recommendations[0], texts)
    if facts.answer.cautions:
        return sentences.caution(facts.answer.cautions[0], texts)
    return ""
