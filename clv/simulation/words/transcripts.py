"""The words of the contacts, written from what customers and agents actually did.

A transcript is a plan of messages, each of one or more parts; a part is one sentence of an
intent. Plans are drawn for all contacts at once, sentences for all parts of an intent at
once; only filling slots and joining parts goes line by line.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.simulation.catalogue import CATEGORIES, ISSUES
from clv.simulation.contacts import BOT
from clv.simulation.words.lines import MESSAGES_AT_MOST, PARTS_AT_MOST, Lines, joined
from clv.simulation.words.manners import EMAIL, SPEAKER_NAMES, as_written
from clv.simulation.words.wording import LANGUAGES, load_wording

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from clv.simulation.words.wording import Wording
    from clv.simulation.world import World

KINDS = ("upset", "repeat", "effort")


@dataclass
class Script:
    """Parts collected for all contacts: parallel lists of arrays, one array per call.

    Attributes
    ----------
    rows, place, intent : list of ndarray
        Contact, place (message · PARTS_AT_MOST + part) and index of the intent.
    names : list of str
        Intents by index.
    """

    rows: list[NDArray[np.int64]] = field(default_factory=list)
    place: list[NDArray[np.int64]] = field(default_factory=list)
    intent: list[NDArray[np.int64]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def say(self, where: NDArray[np.bool_], message: int, part: int, intent: str) -> None:
        """Let one part be said in a message, in the contacts of ``where``."""
        rows = np.flatnonzero(where)
        self.rows.append(rows)
        self.place.append(np.full(rows.size, message * PARTS_AT_MOST + part))
        self.intent.append(np.full(rows.size, len(self.names)))
        self.names.append(intent)


@dataclass(frozen=True)
class Scene:
    """What a plan needs to know of each contact; one entry per contact, all shape (m,).

    Attributes
    ----------
    human, bot, email : ndarray of bool
        Answered by an agent; by a bot; in e-mails.
    issue, occasions, repeat : ndarray of int
        As in ``Service``.
    met : ndarray of bool, shape (m, 3)
        Whether each occasion was met.
    resolved, promised, canned, moved : ndarray of bool
        Solved; with a promise; agent pastes stock lines; handed on.
    mood, pace : ndarray of float
        Opening sentiment; handle time against the usual.
    """

    human: NDArray[np.bool_]
    bot: NDArray[np.bool_]
    email: NDArray[np.bool_]
    issue: NDArray[np.int64]
    occasions: NDArray[np.int64]
    repeat: NDArray[np.int64]
    met: NDArray[np.bool_]
    resolved: NDArray[np.bool_]
    promised: NDArray[np.bool_]
    canned: NDArray[np.bool_]
    moved: NDArray[np.bool_]
    mood: NDArray[np.float64]
    pace: NDArray[np.float64]

    @property
    def rounds(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether there is a second, third and fourth exchange."""
        short = self.email & (self.occasions < 2) & self.resolved & (self.pace < 1.2)
        second = self.human & ~short
        third = second & ((self.occasions > 2) | (self.pace > np.where(self.email, 1.5, 0.65)))
        return second, third, third & (self.pace > 1.15) & ~self.email


def met_occasions(
    occasions: NDArray[np.int64], met: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Spread the occasions that were met over a contact's occasions; shape (m, 3)."""
    score = rng.random((occasions.size, 3)) + (np.arange(3) >= occasions[:, None])
    rank = score.argsort(axis=1).argsort(axis=1)
    return rank < met[:, None]


def scene(world: World, rng: np.random.Generator) -> Scene:
    """Gather what the plans need, for every entry of ``Service``."""
    served, records = world.served, world.records
    channel = served.causes.channel
    size = channel.size
    at = np.flatnonzero(~records.by_company)
    promised, moved = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
    promised[records.contact[at]] = records.promised[at]
    moved[records.contact[at]] = records.transfers[at] > 0
    usual = np.exp(0.4 * rng.standard_normal(size))
    return Scene(
        human=served.by_agent,
        bot=channel == BOT,
        email=channel == EMAIL,
        issue=served.causes.issue,
        occasions=served.occasions,
        repeat=served.repeat,
        met=met_occasions(served.occasions, served.met, rng),
        pace=served.handle_seconds / (360.0 * usual),
        resolved=served.resolved,
        promised=promised,
        canned=world.staff.canned[served.agent] & served.by_agent,
        moved=moved,
        mood=served.mood,
    )


def plan(show: Scene, rng: np.random.Generator) -> Script:
    """Draw the plan of every contact."""
    script = Script()
    _opening(script, show, rng)
    _middle(script, show, rng)
    _ending(script, show, rng)
    _bots(script, show, rng)
    return script


def _occasion(
    script: Script, show: Scene, number: int, message: int, rng: np.random.Generator
) -> None:
    """Let the customer give occasion ``number``, and the agent meet it or not."""
    has = show.human & (show.occasions > number)
    draw = rng.random(has.size)
    again = (show.repeat > 0) & (draw < 0.6)
    effort = ~again & (draw > 0.68)
    kinds = (has & ~again & ~effort, has & again, has & effort)
    for kind, where in zip(KINDS, kinds, strict=True):
        script.say(where, message, 1, f"customer.{kind}")
        script.say(where & show.met[:, number], message + 1, 1, f"agent.warm.{kind}")


def _issues(script: Script, show: Scene, where: NDArray[np.bool_]) -> None:
    """Let the customer say what it is about."""
    for index, issue in enumerate(ISSUES):
        script.say(where & (show.issue == index), 0, 2, f"customer.issue.{issue.name}")


def _opening(script: Script, show: Scene, rng: np.random.Generator) -> None:
    """Messages 0 and 1: what it is about, and the agent's first words."""
    human, size = show.human, show.human.size
    calm = (show.occasions == 0) | (rng.random(size) < 0.35)
    script.say(human & calm, 0, 0, "customer.calm")
    _issues(script, show, human)
    _occasion(script, show, 0, 0, rng)
    script.say(human & (rng.random(size) < 0.8), 1, 0, "agent.greet")
    script.say(show.canned, 1, 2, "agent.stock")
    cold = human & ~show.met[:, 0]
    script.say(cold & (rng.random(size) < 0.6), 1, 3, "agent.ack")
    script.say(cold & (show.occasions > 0) & (rng.random(size) < 0.15), 1, 4,
               "agent.formal_apology")  # fmt: skip
    script.say(human & ~(show.email & show.resolved), 1, 5, "agent.ask")


def _middle(script: Script, show: Scene, rng: np.random.Generator) -> None:
    """Messages 2 to 7: particulars, explanations, further occasions."""
    size = show.human.size
    second, third, fourth = show.rounds
    script.say(second, 2, 0, "customer.info")
    _occasion(script, show, 1, 2, rng)
    script.say(second & (rng.random(size) < 0.5), 3, 0, "agent.ack")
    script.say(second & (rng.random(size) < 0.6), 3, 3, "agent.specific")
    script.say(second & ~third, 3, 4, "agent.explain")
    script.say(second & show.moved, 3, 5, "agent.transfer")
    script.say(third, 4, 0, "customer.question")
    _occasion(script, show, 2, 4, rng)
    script.say(third, 5, 2, "agent.explain")
    script.say(third & (rng.random(size) < 0.25), 5, 0, "agent.hold")
    script.say(third & (rng.random(size) < 0.3), 5, 3, "agent.selfservice")
    script.say(fourth, 6, 0, "customer.info")
    script.say(fourth, 7, 0, "agent.specific")


def _ending(script: Script, show: Scene, rng: np.random.Generator) -> None:
    """Messages 8 to 10: how it ends; the agent's words join their last message."""
    human, size = show.human, show.human.size
    second, third, fourth = show.rounds
    last = (
        (fourth, 7),
        (third & ~fourth, 5),
        (second & ~third, 3),
        (human & ~second, 1),
    )
    refuses = rng.random(size) < 0.3
    for where, message in last:
        script.say(where & show.resolved, message, 6, "agent.resolve")
        script.say(where & ~show.resolved & refuses, message, 6, "agent.refuse")
        script.say(where & ~show.resolved & ~refuses, message, 6, "agent.open")
        script.say(where & show.promised, message, 7, "agent.promise")
    answers = human & (rng.random(size) < np.where(show.email, 0.5, 0.88))
    pleased = rng.random(size) < np.where(show.resolved, 0.8 + 0.1 * (show.mood > 0), 0.15)
    brief = rng.random(size) < 0.4
    script.say(answers & pleased, 8, 0, "customer.thanks")
    script.say(answers & ~pleased & brief, 8, 0, "customer.curt")
    script.say(answers & ~pleased & ~brief, 8, 0, "customer.unhappy")
    goodbye = answers & ~show.email & (rng.random(size) < 0.85)
    script.say(goodbye & (rng.random(size) < 0.5), 9, 0, "agent.check")
    script.say(goodbye, 9, 1, "agent.close")
    script.say(goodbye & pleased & (rng.random(size) < 0.5), 10, 0, "customer.curt")


def _bots(script: Script, show: Scene, rng: np.random.Generator) -> None:
    """Bot contacts: four or five short messages."""
    script.say(show.bot, 0, 0, "bot.hello")
    for index, issue in enumerate(ISSUES):
        script.say(show.bot & (show.issue == index), 1, 0, f"customer.issue.{issue.name}")
    script.say(show.bot, 2, 0, "bot.answer")
    script.say(show.bot & show.resolved & (rng.random(show.bot.size) < 0.6), 3, 0,
               "customer.thanks")  # fmt: skip
    script.say(show.bot & show.resolved, 4, 0, "bot.done")
    script.say(show.bot & ~show.resolved, 3, 0, "customer.curt")
    script.say(show.bot & ~show.resolved, 4, 0, "bot.pass")


def slots(
    world: World, customers: pd.DataFrame, rng: np.random.Generator
) -> dict[str, NDArray[np.object_]]:
    """Return what fills the slots: by name, one value per entry of ``Service``."""
    served, crowd, calendar = world.served, world.crowd, world.calendar
    person, size = served.causes.person, served.started_s.size
    first_names = np.array(load_wording("en").first_names, dtype=object)
    agent_names = first_names[rng.integers(first_names.size, size=world.options.agents)]
    choices = np.array([kind.items for kind in CATEGORIES], dtype=object)
    item = choices[crowd.favourite[person], rng.integers(choices.shape[1], size=size)]
    days = [world.options.start + dt.timedelta(days=n) for n in range(calendar.span_days)]
    styles = np.array(
        [[f"{day:%d/%m}" for day in days], [f"{day:%B} {day.day}" for day in days]], dtype=object
    )
    style = np.where(crowd.german[person], 0, rng.integers(2, size=size))
    back = rng.integers(2, 15, size)
    day = np.maximum(np.floor(calendar.days(served.started_s)).astype(np.int64) - back, 0)
    amount = np.round(crowd.spend[person] * np.exp(0.4 * rng.standard_normal(size)), 2)
    return {
        "name": customers["first_name"].to_numpy(dtype=object)[person],
        "last": customers["last_name"].to_numpy(dtype=object)[person],
        "agent": agent_names[served.agent],
        "order": _texts([f"HH-{number}" for number in rng.integers(100_000, 1_000_000, size)]),
        "item": item,
        "date": styles[style, day],
        "amount": _texts([f"${value:.2f}" for value in amount.tolist()]),
        "days": _texts([str(number) for number in rng.integers(2, 11, size).tolist()]),
    }


def _texts(values: list[str]) -> NDArray[np.object_]:
    return np.array(values, dtype=object)


def spoken(
    script: Script,
    wordings: Mapping[str, Wording],
    german: NDArray[np.bool_],
    fill: Mapping[str, NDArray[np.object_]],
    rng: np.random.Generator,
) -> Lines:
    """Draw the sentence of every part; parts are sorted by contact and place."""
    parts = []
    for rows, place, intent in zip(script.rows, script.place, script.names, strict=True):
        for language in LANGUAGES:
            mine = german[rows] == (language == "de")
            pool = wordings[language].pools[intent]
            text = pool.draw(int(mine.sum()), rng)
            if pool.slots:
                text = _filled(text, {name: column[rows[mine]] for name, column in fill.items()})
            who = SPEAKER_NAMES.index(intent.split(".")[0])
            warm = np.full(text.size, intent.startswith("agent.warm."))
            parts.append((rows[mine], place[mine], np.full(text.size, who), text, warm))
    row, where, speaker, text, warm = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    order = np.argsort(row * (PARTS_AT_MOST * MESSAGES_AT_MOST) + where, kind="stable")
    return Lines(row[order], where[order], speaker[order], text[order].tolist(), warm[order])


def _filled(
    text: NDArray[np.object_], values: Mapping[str, NDArray[np.object_]]
) -> NDArray[np.object_]:
    """Fill the slots of sentences."""
    names = list(values)
    rows = zip(*(values[name].tolist() for name in names), strict=True)
    filled = [
        sentence.format(**dict(zip(names, row, strict=True))) if "{" in sentence else sentence
        for sentence, row in zip(text.tolist(), rows, strict=True)
    ]
    return np.array(filled, dtype=object)


def messages_frame(
    world: World,
    customers: pd.DataFrame,
    interaction_ids: NDArray[np.object_],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the contract's ``messages``, by contact and position, and a column ``warm``.

    ``warm`` is hidden: the turn meets an occasion. Self-service contacts and the company's
    own follow-ups have no messages.
    """
    served, records = world.served, world.records
    wordings = {language: load_wording(language) for language in LANGUAGES}
    show = scene(world, rng)
    fill = slots(world, customers, rng)
    german = world.crowd.german[served.causes.person]
    found = joined(spoken(plan(show, rng), wordings, german, fill, rng))
    row = found.row
    first = np.flatnonzero(np.diff(row, prepend=-1))
    count = np.diff(np.append(first, row.size))
    position = np.arange(row.size) - np.repeat(first, count)
    share = position / np.maximum(np.repeat(count, count) - 1, 1)
    late = served.wait_seconds[row] + share * served.handle_seconds[row]
    sent_s = served.started_s[row] + np.where(position > 0, late, 0.0).astype(np.int64)
    channel = served.causes.channel[row]
    text = as_written(found, channel, fill, wordings, german[row], rng)
    ids = np.empty(served.started_s.size, dtype=object)
    at = np.flatnonzero(~records.by_company)
    ids[records.contact[at]] = interaction_ids[at]
    frame = pd.DataFrame(
        {
            "interaction_id": ids[row],
            "position": position,
            "speaker": np.array(SPEAKER_NAMES, dtype=object)[found.speaker],
            "sent_at": sent_s.astype("datetime64[s]").astype("datetime64[us]"),
            "text": text,
            "warm": found.warm,
        }
    )
    place = np.empty(served.started_s.size, dtype=np.int64)
    place[records.contact[at]] = at
    return frame.iloc[np.argsort(place[row], kind="stable")].reset_index(drop=True)
