"""What happens in a contact: who answers, how warmly, how long, whether it is solved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from clv.schema import CHANNELS
from clv.simulation.catalogue import (
    ISSUES,
    LOG_HANDLE_BY_CHANNEL,
    LOG_WAIT_BY_CHANNEL,
    OCCASIONS_AT_MOST,
)
from clv.simulation.contacts import BOT, SELF_SERVICE, Causes
from clv.simulation.staff import assign

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clv.simulation.calendar import Calendar
    from clv.simulation.options import Effects, SimulationOptions
    from clv.simulation.people import People
    from clv.simulation.staff import Staff

USUAL_HANDLE_SECONDS = 360.0
USUAL_EMPATHY = 0.5
REPEAT_SHARE = 0.5  # of unresolved contacts that come back within the week
REPEATS_AT_MOST = 3
WAIT_AT_MOST = 100_000.0
NO_AGENT = -1


@dataclass(frozen=True)
class Service:
    """Contacts and how they went; one entry per contact, m in all.

    Attributes
    ----------
    causes : Causes
        Who, why, how severe; ``days`` is whole.
    started_s : ndarray of shape (m,)
        Second of the start.
    root : ndarray of shape (m,)
        Entry of the first contact of the same problem.
    repeat : ndarray of shape (m,)
        0 for a first contact, 1, 2 … for its repeats.
    agent : ndarray of shape (m,)
        Entry of the agent; ``NO_AGENT`` for bots and self-service.
    week, shift : ndarray of shape (m,)
        The time block in which agents were drawn.
    wait_seconds, handle_seconds : ndarray of shape (m,)
        Whole seconds.
    occasions, met : ndarray of shape (m,)
        Customer turns that asked for empathy, and those that got it.
    leaning : ndarray of shape (m,)
        Probability with which the agent met an occasion (latent).
    resolved : ndarray of bool, shape (m,)
        Solved, for good.
    back : ndarray of bool, shape (m,)
        Unresolved, and the customer comes back within the week.
    mood : ndarray of shape (m,)
        Opening sentiment as the customer shows it: a noisy sign of severity and temperament.
    priority : ndarray of shape (m,)
        Index into the contract's priorities: a noisy sign of severity.
    step : ndarray of shape (m,)
        What the contact adds to S.
    """

    causes: Causes
    started_s: NDArray[np.int64]
    root: NDArray[np.int64]
    repeat: NDArray[np.int64]
    agent: NDArray[np.int64]
    week: NDArray[np.int64]
    shift: NDArray[np.int64]
    wait_seconds: NDArray[np.float64]
    handle_seconds: NDArray[np.float64]
    occasions: NDArray[np.int64]
    met: NDArray[np.int64]
    leaning: NDArray[np.float64]
    resolved: NDArray[np.bool_]
    back: NDArray[np.bool_]
    mood: NDArray[np.float64]
    priority: NDArray[np.int64]
    step: NDArray[np.float64]

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Service:
        """Keep, or reorder, contacts; ``root`` keeps its old numbering."""
        fields = {name: getattr(self, name)[rows] for name in list(self.__dataclass_fields__)[1:]}
        causes = {name: getattr(self.causes, name)[rows] for name in Causes.__dataclass_fields__}
        return Service(causes=Causes(**causes), **fields)

    @property
    def empathy(self) -> NDArray[np.float64]:
        """Share of occasions that were met; NaN where there was none."""
        share = self.met / np.maximum(self.occasions, 1)
        return np.where(self.occasions > 0, share, np.nan)

    @property
    def by_agent(self) -> NDArray[np.bool_]:
        """Whether a human answered."""
        return self.agent != NO_AGENT


def log_handle(handle_seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return x = log(handle_seconds / 360)."""
    return np.log(handle_seconds / USUAL_HANDLE_SECONDS)


def resolution_log_odds(
    effects: Effects,
    x: NDArray[np.float64],
    skill: NDArray[np.float64],
    issue: NDArray[np.int64],
    severity: NDArray[np.float64],
    temperament: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the log-odds that an agent's contact is resolved."""
    shift = np.array([kind.resolution for kind in ISSUES])[issue]
    by_time = effects.fcr_log * x + effects.fcr_log2 * x**2
    return 1.05 + shift + skill + by_time - 0.6 * severity - 0.2 * temperament


def empathy_leaning(
    warmth: NDArray[np.float64],
    severity: NDArray[np.float64],
    temperament: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the probability that an occasion is met: agents respond to upset customers."""
    return expit(-0.15 + warmth + 0.75 * severity + 0.85 * temperament)


def raw_step(effects: Effects, served: Service, style: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what each contact adds to S, before it is held against the usual contact."""
    by_agent = served.by_agent
    x = log_handle(np.where(by_agent, served.handle_seconds, USUAL_HANDLE_SECONDS))
    usual_wait = np.array(LOG_WAIT_BY_CHANNEL)[served.causes.channel] - np.log(60.0)
    wait = np.log1p(served.wait_seconds / 60.0) - np.maximum(usual_wait, 0.0)
    warm = np.where(served.occasions > 0, np.nan_to_num(served.empathy) - USUAL_EMPATHY, 0.0)
    return by_agent * (
        effects.empathy * warm
        + effects.handle_log * x
        + effects.handle_log2 * x**2
        + effects.fcr * served.resolved
        + effects.wait_log * wait
        + effects.severity * served.causes.severity * (served.repeat == 0)
        + style
    )


class Desk:
    """Serves contacts: the one place where a cause becomes a contact.

    Parameters
    ----------
    options : SimulationOptions
        The company.
    calendar : Calendar
        Its time line.
    crowd : People
        Its customers.
    staff : Staff
        Its agents.
    coached : ndarray of bool, shape (customers,)
        Whose contacts are coached towards empathy in the exposure year.
    """

    def __init__(
        self,
        options: SimulationOptions,
        calendar: Calendar,
        crowd: People,
        staff: Staff,
        coached: NDArray[np.bool_],
    ) -> None:
        self.options, self.calendar, self.crowd, self.staff = options, calendar, crowd, staff
        self.coached = coached

    def serve(self, causes: Causes, repeat: int, rng: np.random.Generator) -> Service:
        """Answer contacts of one generation (0 are first contacts); steps are still raw."""
        effects, size = self.options.effects, causes.person.size
        started_s = self.calendar.contact_seconds(causes.days, rng)
        week, shift = self.calendar.week_and_shift(started_s)
        temper, severity = self.crowd.temperament[causes.person], causes.severity
        human = (causes.channel != BOT) & (causes.channel != SELF_SERVICE)
        queue = np.array([kind.queue for kind in ISSUES])[causes.issue]
        answering = assign(self.options, self.staff, queue, week, shift, severity, rng)
        mood = -0.35 * severity - 0.25 * temper - 0.35 * (repeat > 0)
        mood = mood + 0.85 * rng.standard_normal(size)
        occasions = self._occasions(causes, mood, severity, temper, repeat, rng)
        leaning = self.leaning(causes, started_s, answering)
        pace = self.staff.pace[answering]
        for rollout, there in zip(
            self.options.rollouts, self.reached(answering, started_s), strict=True
        ):
            pace = pace + rollout.handle_log * there
        handle = self._handle(causes, pace, temper, rng)
        odds = resolution_log_odds(
            effects, log_handle(handle), self.staff.skill[answering], causes.issue, severity, temper
        )
        resolved = rng.random(size) < np.where(human, expit(odds), 0.55)
        served = Service(
            causes=causes,
            started_s=started_s,
            root=np.full(size, -1, dtype=np.int64),
            repeat=np.full(size, repeat, dtype=np.int64),
            agent=np.where(human, answering, NO_AGENT),
            week=week,
            shift=shift,
            wait_seconds=self._wait(causes.channel, queue, week, shift, human, rng),
            handle_seconds=handle,
            occasions=occasions,
            met=rng.binomial(occasions, leaning),
            leaning=leaning,
            resolved=resolved,
            back=~resolved & (rng.random(size) < REPEAT_SHARE),
            mood=mood,
            priority=np.searchsorted([-0.9, 0.9, 1.9], severity + rng.standard_normal(size)),
            step=np.zeros(size),
        )
        return _with(served, step=raw_step(effects, served, self.staff.style[answering]))

    def reached(self, agent: NDArray[np.int64], started_s: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say which roll-outs had reached the agents by then, shape (roll-outs, contacts)."""
        return self.calendar.days(started_s) >= self.staff.reached[:, agent]

    def leaning(
        self,
        causes: Causes,
        started_s: NDArray[np.int64],
        agent: NDArray[np.int64],
        without: int | None = None,
    ) -> NDArray[np.float64]:
        """Return the probability that an occasion is met; ``without`` one of the roll-outs."""
        warmth = self.staff.warmth[agent] + self._trained(agent, started_s)
        reached = self.reached(agent, started_s)
        for place, rollout in enumerate(self.options.rollouts):
            if place != without:
                warmth = warmth + rollout.empathy_lift * reached[place]
        temper = self.crowd.temperament[causes.person]
        leaning = empathy_leaning(warmth, causes.severity, temper)
        return np.minimum(leaning + self._coached(causes.person, started_s), 1.0)

    def _occasions(
        self,
        causes: Causes,
        mood: NDArray[np.float64],
        severity: NDArray[np.float64],
        temper: NDArray[np.float64],
        repeat: int,
        rng: np.random.Generator,
    ) -> NDArray[np.int64]:
        """Draw how often the customer's turns ask for empathy."""
        mean = np.exp(0.25 - 0.2 * mood + 0.15 * severity + 0.1 * temper + 0.35 * (repeat > 0))
        most = np.array(OCCASIONS_AT_MOST)[causes.channel]
        return np.minimum(rng.poisson(np.minimum(mean, 20.0)), most)

    def _trained(
        self, agent: NDArray[np.int64], started_s: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return what a training adds to the log-odds of meeting an occasion."""
        trained = self.calendar.days(started_s) >= np.nan_to_num(self.staff.trained[agent], nan=1e9)
        return np.where(trained, self.options.training_lift, 0.0)

    def _coached(
        self, person: NDArray[np.int64], started_s: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return what the experiment adds to the probability of meeting an occasion."""
        days = self.calendar.days(started_s)
        end = self.options.as_of_days
        inside = (days >= end - 365.0) & (days < end)
        return np.where(inside & self.coached[person], self.options.experiment_lift, 0.0)

    def _handle(
        self,
        causes: Causes,
        pace: NDArray[np.float64],
        temper: NDArray[np.float64],
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """Draw handle time: longer with severity and temperament."""
        by_issue = np.array([kind.log_handle for kind in ISSUES])[causes.issue]
        by_channel = np.array(LOG_HANDLE_BY_CHANNEL)[causes.channel]
        x = by_issue + by_channel + pace - 0.01 + 0.22 * causes.severity + 0.18 * temper
        x = x + 0.3 * rng.standard_normal(x.size)
        handle: NDArray[np.float64] = np.maximum(np.round(USUAL_HANDLE_SECONDS * np.exp(x)), 20.0)
        return handle

    def _wait(
        self,
        channel: NDArray[np.int64],
        queue: NDArray[np.int64],
        week: NDArray[np.int64],
        shift: NDArray[np.int64],
        human: NDArray[np.bool_],
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """Draw waits: log-normal by channel, longer in busy blocks."""
        log_wait = np.array(LOG_WAIT_BY_CHANNEL)[channel] + self.staff.load[queue, week, shift]
        log_wait = log_wait + 0.6 * rng.standard_normal(channel.size)
        wait: NDArray[np.float64] = np.minimum(np.round(np.exp(log_wait)), WAIT_AT_MOST)
        return np.where(human, wait, 0.0)

    def comebacks(self, served: Service, rng: np.random.Generator) -> Causes:
        """Return the repeats that unresolved contacts of one generation cause."""
        causes = served.causes.only(served.back)
        again = causes.severity + 0.3 * rng.standard_normal(causes.person.size)
        turned = np.isin(causes.channel, (BOT, SELF_SERVICE)) | (
            rng.random(causes.person.size) < 0.2
        )
        return Causes(
            person=causes.person,
            triggered=causes.triggered,
            days=causes.days + rng.integers(2, 7, causes.person.size),
            issue=causes.issue,
            channel=np.where(turned, CHANNELS.index("voice"), causes.channel),
            severity=again,
        )


def _with(served: Service, **changes: NDArray[np.generic]) -> Service:
    """Return the same contacts with some columns exchanged."""
    names = list(served.__dataclass_fields__)
    return Service(**{name: changes.get(name, getattr(served, name)) for name in names})


def run_desk(
    desk: Desk,
    causes: Causes,
    rng: np.random.Generator,
    usual: tuple[float, float] | None = None,
) -> tuple[Service, tuple[float, float]]:
    """Serve first contacts and their repeats, and hold each step against the usual contact.

    What counts is the difference to the usual contact of the kind, first contact or repeat
    (see ``usual_steps``).

    Parameters
    ----------
    desk : Desk
        Who serves.
    causes : Causes
        First contacts.
    rng : Generator
        The random stream.
    usual : tuple of float, optional
        The usual raw steps of first contacts and repeats, where they are known already.

    Returns
    -------
    served : Service
        All contacts, generation by generation.
    usual : tuple of float
        What was subtracted.
    """
    generations = []
    roots = np.arange(causes.person.size)
    for repeat in range(REPEATS_AT_MOST + 1):
        served = _with(desk.serve(causes, repeat, rng), root=roots)
        if repeat == REPEATS_AT_MOST:
            served = _with(served, back=np.zeros(served.back.size, dtype=bool))
        generations.append(served)
        causes, roots = desk.comebacks(served, rng), roots[served.back]
        inside = causes.days < desk.calendar.span_days
        causes, roots = causes.only(inside), roots[inside]
    everything = _stacked(generations)
    means = usual or usual_steps(everything)
    subtract = everything.by_agent * np.where(everything.repeat > 0, means[1], means[0])
    return _with(everything, step=everything.step - subtract), means


def _stacked(generations: list[Service]) -> Service:
    """Put generations of contacts under each other."""
    names = list(Service.__dataclass_fields__)[1:]
    fields = {name: np.concatenate([getattr(g, name) for g in generations]) for name in names}
    causes = {
        name: np.concatenate([getattr(g.causes, name) for g in generations])
        for name in Causes.__dataclass_fields__
    }
    return Service(causes=Causes(**causes), **fields)


def usual_steps(served: Service) -> tuple[float, float]:
    """Return log E exp(raw step) of agents' first contacts, and of their repeats.

    Held against it, one contact more or less leaves a customer's expected value where it
    was: what is left is what was done in the contact.
    """
    means = []
    for kind in (served.repeat == 0, served.repeat > 0):
        steps = served.step[served.by_agent & kind]
        means.append(float(np.log(np.mean(np.exp(steps)))) if steps.size else 0.0)
    return means[0], means[1]
