"""The three findings that an executive would read, as plain sentences for the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clv.report import advice, sentences

if TYPE_CHECKING:
    from clv.report.facts import ReportFacts


def findings(facts: ReportFacts, *, language: str = "en") -> tuple[str, ...]:
    """Return what the customers are worth, what service has to do with it, and what to do.

    Where an effect or a recommendation is lacking, the largest association and the test of
    the forecast stand in.

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
    answer = facts.answer
    settled = [b for b in answer.behaviours if b.figure.settled and b.evidence != "adjusted"]
    told = [r for r in answer.recommendations if r.behaviour]
    said = [f"{sentences.headline(facts, texts)} {sentences.subline(facts, texts)}"]
    said += [
        f"{advice.recommendation(r, texts)}: {advice.advice(r, texts)[0].rstrip('.')}."
        for r in told[:1]
        if r.move != "refused"
    ]
    said += [sentences.effect(behaviour, texts) for behaviour in settled[:1]]
    said += [sentences.association(group, texts) for group in answer.associations[:1]]
    said += [sentences.test_of_totals(facts.trust, texts)]
    plain = [sentence.replace("**", "").strip() for sentence in said]
    return tuple([sentence for sentence in plain if sentence][:3])
