"""What the report says, as one JSON-able object; charts and pages only show it.

A section is one module of ``clv/report/sections``, collected here, and one template partial.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from clv.report.figures import words
from clv.report.sections.answer import Answer, answer
from clv.report.sections.changes import Changes, changes
from clv.report.sections.customers import Customers, customers
from clv.report.sections.inputs import ReportInputs
from clv.report.sections.levers import Levers, levers
from clv.report.sections.rollouts import RollOuts, rollouts
from clv.report.sections.teams import Teams, teams
from clv.report.sections.trust import Trust, trust

if TYPE_CHECKING:
    from clv.report.figures import Document

__all__ = ["SCHEMA", "SECTIONS", "ReportFacts", "ReportInputs", "collect"]

SECTIONS = ("answer", "levers", "journey", "teams", "rollouts", "trust", "changes")
"""Sections in the order of the page; each is the template of that name."""

SCHEMA = 1
"""Version of the shape of report.json."""


@dataclass(frozen=True)
class ReportFacts:
    """The whole report as facts.

    Attributes
    ----------
    schema : int
        Version of this shape.
    organisation : str
        Name in the title, or an empty string.
    as_of : str
        ISO date that the predictions were made for.
    horizon_days : int or None
        Days of the predicted value.
    currency : str
        ISO 4217 code, or ``units``.
    value_is_margin : bool
        Value is margin; otherwise it is revenue.
    level : float
        Level of the prediction intervals.
    customers, prospects : int or None
        People whose value was predicted, and those among them who are yet to buy.
    sections : tuple of str
        What the page shows, in order. Without contacts there is nothing to say of handle
        times and teams; page 1 says what contacts would bring. Without roll-outs nothing is
        said of them.
    answer, levers, journey, teams, rollouts, trust, changes
        The sections, in the order of the page.
    """

    schema: int
    organisation: str
    as_of: str
    horizon_days: int | None
    currency: str
    value_is_margin: bool
    level: float
    customers: int | None
    prospects: int | None
    sections: tuple[str, ...]
    answer: Answer
    levers: Levers
    journey: Customers
    teams: Teams
    rollouts: RollOuts
    trust: Trust
    changes: Changes

    def as_dict(self) -> dict[str, Any]:
        """Return the facts as JSON-able values; this is report.json."""
        return asdict(self)


def collect(inputs: ReportInputs) -> ReportFacts:
    """Turn the documents into facts; nothing is computed but sums and comparisons.

    Parameters
    ----------
    inputs : ReportInputs
        Any document may be absent; the section then says what is missing.

    Returns
    -------
    ReportFacts

    Examples
    --------
    >>> facts = collect(ReportInputs(portfolio={"customers": 2, "total_clv": 30.0}))
    >>> facts.answer.total.value, facts.answer.total.n
    (30.0, 2)
    >>> [missing.what for missing in facts.answer.missing]
    ['contributions', 'effects']
    """
    first, proof = answer(inputs), trust(inputs)
    contacts = "interactions" not in inputs.absent
    reached = rollouts(inputs)
    shown = {"levers": contacts, "teams": contacts, "rollouts": bool(reached.rollouts)}
    known = (inputs.portfolio, inputs.contributions, inputs.training, inputs.attribution)
    return ReportFacts(
        schema=SCHEMA,
        organisation=words({"name": inputs.organisation}, "name"),
        as_of=_first(known, "as_of"),
        horizon_days=inputs.horizon_days,
        currency=_first(known, "currency") or "units",
        value_is_margin=(inputs.training or {}).get("value_is_margin") is True,
        level=inputs.level,
        customers=inputs.customers,
        prospects=inputs.prospects,
        sections=tuple(section for section in SECTIONS if shown.get(section, True)),
        answer=first,
        levers=levers(inputs),
        journey=customers(inputs),
        teams=teams(inputs),
        rollouts=reached,
        trust=proof,
        changes=changes(inputs.previous, first, proof, inputs.horizon_days),
    )


def _first(documents: tuple[Document | None, ...], key: str) -> str:
    return next((text for document in documents if (text := words(document, key))), "")
