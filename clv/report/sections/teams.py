"""Teams: behaviour in money, what coaching would bring, what a training changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clv.report.figures import Figure, Missing, count, figure, number, records, words
from clv.report.sections.answer import unit

if TYPE_CHECKING:
    from clv.report.figures import Document
    from clv.report.sections.inputs import ReportInputs

PHRASES_SHOWN = 12
LEAST_AGENTS = 5
"""A team below this many agents would show individuals, so it is left out unless asked for."""


@dataclass(frozen=True)
class Gap:
    """Money over the horizon if a team's behaviour came up to what its peers do."""

    behaviour: str
    money: Figure


@dataclass(frozen=True)
class Week:
    """A team's priced index in one week."""

    week: str
    index: float
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
    """A team's behaviour after a training against before."""

    team: str
    date: str
    behaviour: str
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
    individuals: tuple[Agent, ...]
    too_small: int
    missing: tuple[Missing, ...]


def teams(inputs: ReportInputs) -> Teams:
    """Collect the section; individuals only where the settings ask for them."""
    document = inputs.attribution
    found = [team for row in records(document, "teams") if (team := _team(row)) is not None]
    found = found or teams_of(records(document, "agents"))
    shown = [t for t in found if inputs.individuals or t.agents >= LEAST_AGENTS]
    trainings = tuple(t for r in records(document, "trainings") if (t := _training(r)) is not None)
    phrases = [
        Phrase(words(row, "phrase"), value)
        for row in records(document, "phrases")
        if (value := figure(row, "value", "currency", n=count(row, "contacts"))) is not None
    ]
    agents = [a for row in records(document, "agents") if (a := _agent(row)) is not None]
    missing = [
        Missing(key)
        for key, present in (("teams", shown), ("trainings", trainings), ("phrases", phrases))
        if not present
    ]
    return Teams(
        teams=tuple(sorted(shown, key=lambda team: team.team)),
        trainings=trainings,
        phrases=tuple(sorted(phrases, key=lambda p: (-p.value.value, p.phrase))[:PHRASES_SHOWN]),
        individuals=tuple(sorted(agents, key=lambda a: a.agent_id)) if inputs.individuals else (),
        too_small=len(found) - len(shown),
        missing=tuple(missing),
    )


def teams_of(agents: list[Document]) -> list[Team]:
    """Form teams from agents: index weighted by contacts, coaching gaps summed.

    The intervals of agents in a team are not independent (they share the prices), so the
    team gets none; its n stands instead.
    """
    by_team: dict[str, list[Document]] = {}
    for row in agents:
        if words(row, "team") and number(row, "index") is not None and count(row, "n"):
            by_team.setdefault(words(row, "team"), []).append(row)
    found = []
    for team, members in by_team.items():
        contacts = sum(count(row, "n") or 0 for row in members)
        index = sum((number(r, "index") or 0.0) * (count(r, "n") or 0) for r in members) / contacts
        money: dict[str, float] = {}
        for gap in (g for row in members for g in records(row, "coaching_gaps")):
            behaviour = words(gap, "behaviour")
            money[behaviour] = money.get(behaviour, 0.0) + (number(gap, "money") or 0.0)
        gaps = tuple(Gap(b, Figure(m, "currency", n=contacts)) for b, m in sorted(money.items()))
        found.append(
            Team(team, len(members), contacts, Figure(index, "currency", n=contacts), gaps, ())
        )
    return found


def _team(row: Document) -> Team | None:
    contacts = count(row, "contacts") or 0
    index = figure(row, "index", "currency", n=contacts)
    if index is None:
        return None
    gaps = tuple(
        Gap(words(gap, "behaviour"), money)
        for gap in records(row, "gaps")
        if (money := figure(gap, "money", "currency", n=contacts)) is not None
    )
    trend = tuple(
        Week(words(week, "week"), value, count(week, "n") or 0)
        for week in records(row, "trend")
        if (value := number(week, "index")) is not None
    )
    return Team(words(row, "team"), count(row, "agents") or 0, contacts, index, gaps, trend)


def _training(row: Document) -> Training | None:
    change = figure(row, "change", unit(words(row, "behaviour")))
    if change is None:
        return None
    where = words(row, "team"), words(row, "date"), words(row, "behaviour")
    return Training(*where, change)


def _agent(row: Document) -> Agent | None:
    index = figure(row, "index", "currency")
    return None if index is None else Agent(words(row, "agent_id"), words(row, "team"), index)
