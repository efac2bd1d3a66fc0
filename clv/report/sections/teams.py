"""Teams: behaviour in money, what coaching would bring, what a training changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clv.effects.agents import LEAST_AGENTS
from clv.report.figures import Figure, Missing, count, figure, lookup, number, records, words
from clv.report.sections.decisions import unit

if TYPE_CHECKING:
    from clv.report.figures import Document
    from clv.report.sections.inputs import ReportInputs

PHRASES_SHOWN, WEEKS_SHOWN = 12, 53


@dataclass(frozen=True)
class Gap:
    """Money over the contacts studied if each agent came up to the better quarter of peers."""

    behaviour: str
    money: Figure


@dataclass(frozen=True)
class Week:
    """A team's priced behaviour in one week, currency per contact against its peers."""

    week: str
    money: float
    n: int


@dataclass(frozen=True)
class Team:
    """A team: priced behaviour per contact against the average, case mix taken out."""

    team: str
    agents: int
    contacts: int
    index: Figure
    gaps: tuple[Gap, ...]
    trend: tuple[Week, ...]


@dataclass(frozen=True)
class Training:
    """Behaviour of trained agents after against before, beside untrained peers."""

    behaviour: str
    agents: int
    change: Figure


@dataclass(frozen=True)
class Phrase:
    """A phrase of agents and the value that goes with it, after controls."""

    phrase: str
    value: Figure


@dataclass(frozen=True)
class Agent:
    """One agent; only where the settings ask for individuals."""

    agent_id: str
    team: str
    index: Figure


@dataclass(frozen=True)
class Teams:
    """The section, teams by name: it is no ranking."""

    teams: tuple[Team, ...]
    trainings: tuple[Training, ...]
    phrases: tuple[Phrase, ...]
    phrases_tested: int
    individuals: tuple[Agent, ...]
    too_small: int
    missing: tuple[Missing, ...]


def teams(inputs: ReportInputs) -> Teams:
    """Collect the section; individuals only where the settings ask for them."""
    document = inputs.attribution
    found = [team for row in records(document, "teams") if (team := _team(row, document))]
    shown = [t for t in found if inputs.individuals or t.agents >= LEAST_AGENTS]
    trainings = tuple(
        t for r in records(document, "journey", "trainings") if (t := _training(r)) is not None
    )
    phrases = [
        Phrase(words(row, "phrase"), value)
        for row in records(document, "phrases")
        if (value := figure(row, "value", "currency", n=count(row, "contacts"))) is not None
        and value.settled
    ]
    tested = count(lookup(document, "phrases_about"), "tested") or 0
    agents = [a for row in records(document, "agents") if (a := _agent(row)) is not None]
    missing = [
        Missing(key)
        for key, present in (
            ("teams", shown),
            ("trainings", trainings),
            ("phrases", phrases or tested),
        )
        if not present
    ]
    return Teams(
        teams=tuple(sorted(shown, key=lambda team: team.team)),
        trainings=trainings,
        phrases=strongest(phrases),
        phrases_tested=tested,
        individuals=tuple(sorted(agents, key=lambda a: a.agent_id)) if inputs.individuals else (),
        too_small=len(found) - len(shown) + (count(document, "teams_too_small") or 0),
        missing=tuple(missing),
    )


def gaps(team: str, attribution: Document | None) -> tuple[Gap, ...]:
    """Return the team's coaching gaps: each agent's money per contact times the contacts.

    The agents' intervals come from the same prices, so their ends add up. Documents that name
    no agents have the team's sums.
    """
    summed = [
        Gap(words(row, "behaviour"), worth)
        for each in records(attribution, "teams")
        if words(each, "team") == team
        for row in records(each, "coaching_gaps")
        if (worth := figure(row, "worth", "currency", n=count(row, "n"))) is not None
    ]
    if summed:
        return tuple(sorted(summed, key=lambda gap: (-gap.money.value, gap.behaviour)))
    mine: dict[str, list[tuple[Document, int]]] = {}
    for agent in records(attribution, "agents"):
        for gap in records(agent, "coaching_gaps") if words(agent, "team") == team else ():
            mine.setdefault(words(gap, "behaviour"), []).append((gap, count(agent, "n") or 0))

    def total(rows: list[tuple[Document, int]], name: str) -> float | None:
        ends = [(number(gap, name), n) for gap, n in rows]
        return None if any(end is None for end, _ in ends) else sum((e or 0.0) * n for e, n in ends)

    found = []
    for behaviour, rows in mine.items():
        money, low, high = (total(rows, name) for name in ("worth_per_contact", "low", "high"))
        if money is not None:
            whole = Figure(money, "currency", low, high, n=sum(n for _, n in rows))
            found.append(Gap(behaviour, whole))
    return tuple(sorted(found, key=lambda gap: (-gap.money.value, gap.behaviour)))


def strongest(phrases: list[Phrase]) -> tuple[Phrase, ...]:
    """Return the phrases that most value goes with, either way; best first."""
    kept = sorted(phrases, key=lambda p: (-abs(p.value.value), p.phrase))[:PHRASES_SHOWN]
    return tuple(sorted(kept, key=lambda p: (-p.value.value, p.phrase)))


def trend(team: str, attribution: Document | None) -> tuple[Week, ...]:
    """Return the team's weeks, the last year of them."""
    weeks = [
        Week(words(row, "week"), money, count(row, "contacts") or 0)
        for row in records(attribution, "journey", "trends")
        if words(row, "team") == team and (money := number(row, "money_per_contact")) is not None
    ]
    return tuple(sorted(weeks, key=lambda week: week.week)[-WEEKS_SHOWN:])


def _team(row: Document, attribution: Document | None) -> Team | None:
    name, contacts = words(row, "team"), count(row, "n") or 0
    index = figure(row, "index", "currency", n=contacts)
    if index is None:
        return None
    agents = count(row, "agents") or 0
    found = gaps(name, attribution), trend(name, attribution)
    return Team(name, agents, contacts, index, *found)


def _training(row: Document) -> Training | None:
    agents = count(row, "agents")
    change = figure(row, "change", unit(words(row, "behaviour")), n=agents)
    return None if change is None else Training(words(row, "behaviour"), agents or 0, change)


def _agent(row: Document) -> Agent | None:
    index = figure(row, "index", "currency")
    return None if index is None else Agent(words(row, "agent_id"), words(row, "team"), index)
