"""The agents: habits, teams, shifts, and who answers which contact."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.simulation.calendar import SHIFT_SHARES
from clv.simulation.catalogue import QUEUES, TEAMS_PER_QUEUE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clv.simulation.calendar import Calendar
    from clv.simulation.options import SimulationOptions

# warmth, pace and skill go together a little: the warm take longer, and solve more
HABIT_CORRELATION = np.array([[1.0, 0.3, 0.25], [0.3, 1.0, 0.2], [0.25, 0.2, 1.0]])


@dataclass(frozen=True)
class Staff:
    """Agents and their shifts; one entry per agent, j in all.

    Attributes
    ----------
    queue, team : ndarray of shape (j,)
        Index of the queue, and of the team (three to a queue).
    warmth, pace, skill, style : ndarray of shape (j,)
        Habits: log-odds of meeting an occasion, log of handle time, log-odds of
        resolution, and S per contact from whatever else they do.
    canned : ndarray of bool, shape (j,)
        Pastes stock lines.
    trained : ndarray of shape (j,)
        Day of the training; NaN for most.
    hired : ndarray of shape (j,)
        Days before the start of the data (negative).
    cost_per_hour : ndarray of shape (j,)
        In the currency.
    load : ndarray of shape (queues, weeks, 4)
        Log of waits against the usual, by queue, week and shift.
    rosters : tuple of ndarray, each of shape (weeks, agents of the queue)
        Per queue and calendar week: the agents in the order of their shifts.
    cuts : tuple of ndarray, each of shape (5,)
        Per queue: where in a roster's row the shifts begin and end.
    reached : ndarray of shape (roll-outs, j)
        Day on which each roll-out reached each agent; infinite where it never did.
    """

    queue: NDArray[np.int64]
    team: NDArray[np.int64]
    warmth: NDArray[np.float64]
    pace: NDArray[np.float64]
    skill: NDArray[np.float64]
    style: NDArray[np.float64]
    canned: NDArray[np.bool_]
    trained: NDArray[np.float64]
    hired: NDArray[np.float64]
    cost_per_hour: NDArray[np.float64]
    load: NDArray[np.float64]
    rosters: tuple[NDArray[np.int64], ...]
    cuts: tuple[NDArray[np.int64], ...]
    reached: NDArray[np.float64]


def shift_cuts(agents: int) -> NDArray[np.int64]:
    """Split a queue's agents over the four shifts by load, at least one to a shift.

    Examples
    --------
    >>> shift_cuts(38).tolist()
    [0, 16, 24, 27, 38]
    """
    sizes = np.maximum(np.round(SHIFT_SHARES * agents), 1).astype(np.int64)
    sizes[0] += agents - sizes.sum()
    if sizes[0] < 1:
        sizes = np.ones(4, dtype=np.int64)
    return np.concatenate(([0], sizes.cumsum()))


def roll_out(
    options: SimulationOptions,
    calendar: Calendar,
    team: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Draw which teams each roll-out reaches, and say when: at even distances, in that order."""
    reached = np.full((len(options.rollouts), team.size), np.inf)
    for place, rollout in enumerate(options.rollouts):
        chosen = rng.permutation(int(team.max()) + 1)[: rollout.teams]
        days = calendar.span_days * np.linspace(rollout.first, rollout.last, chosen.size)
        for one, day in zip(chosen, np.floor(days), strict=True):
            reached[place, team == one] = day
    return reached


def hire(
    options: SimulationOptions,
    calendar: Calendar,
    rng: np.random.Generator,
    later: np.random.Generator,
) -> Staff:
    """Draw the agents, for every week a fresh random roster, and (``later``) the roll-outs."""
    agents = options.agents
    queue = np.arange(agents) % len(QUEUES)
    team = queue * TEAMS_PER_QUEUE + (np.arange(agents) // len(QUEUES)) % TEAMS_PER_QUEUE
    spread = np.array([options.warmth_sd, options.pace_sd, options.skill_sd])
    habits = rng.standard_normal((agents, 3)) @ np.linalg.cholesky(HABIT_CORRELATION).T * spread
    weeks = calendar.span_days // 7 + 2
    rosters = tuple(
        rng.permuted(np.tile(np.flatnonzero(queue == q), (weeks, 1)), axis=1)
        for q in range(len(QUEUES))
    )
    chosen = rng.permutation(len(QUEUES) * TEAMS_PER_QUEUE)[: options.trained_teams]
    day = np.floor(options.as_of_days - 365.0 * rng.uniform(0.35, 0.65, team.max() + 1))
    return Staff(
        queue=queue,
        team=team,
        warmth=habits[:, 0],
        pace=habits[:, 1],
        skill=habits[:, 2],
        style=options.style_sd * rng.standard_normal(agents),
        canned=rng.random(agents) < options.canned_share,
        trained=np.where(np.isin(team, chosen), day[team], np.nan),
        hired=-np.floor(rng.gamma(2.0, 400.0, agents)) - 30.0,
        cost_per_hour=np.round(options.agent_cost_per_hour * rng.uniform(0.85, 1.15, agents), 2),
        load=0.45 * rng.standard_normal((len(QUEUES), weeks, 4)),
        rosters=rosters,
        cuts=tuple(shift_cuts(int((queue == q).sum())) for q in range(len(QUEUES))),
        reached=roll_out(options, calendar, team, later),
    )


def assign(
    options: SimulationOptions,
    staff: Staff,
    queue: NDArray[np.int64],
    week: NDArray[np.int64],
    shift: NDArray[np.int64],
    severity: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Say who answers: anyone on shift in the queue, or by skill where that is asked for.

    Under skill routing the place on the roster, ordered by skill, follows a normal score
    that shares ``routing_strength`` of its variance with the severity.
    """
    place = rng.random(queue.size)
    if options.routing == "skill":
        mix = np.sqrt(options.routing_strength)
        score = mix * severity + np.sqrt(1.0 - mix**2) * rng.standard_normal(queue.size)
        place = np.empty(queue.size)
        place[np.argsort(score, kind="stable")] = (np.arange(queue.size) + 0.5) / queue.size
    agent = np.empty(queue.size, dtype=np.int64)
    for q, (roster, cuts) in enumerate(zip(staff.rosters, staff.cuts, strict=True)):
        rows = np.flatnonzero(queue == q)
        ordered = _by_skill(roster, cuts, staff.skill) if options.routing == "skill" else roster
        first, last = cuts[shift[rows]], cuts[shift[rows] + 1]
        at = first + np.floor(place[rows] * (last - first)).astype(np.int64)
        agent[rows] = ordered[week[rows], np.minimum(at, roster.shape[1] - 1)]
    return agent


def _by_skill(
    roster: NDArray[np.int64], cuts: NDArray[np.int64], skill: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Order each week's shifts by skill, the least skilled first."""
    ordered = roster.copy()
    for first, last in itertools.pairwise(cuts):
        part = roster[:, first:last]
        ordered[:, first:last] = np.take_along_axis(part, np.argsort(skill[part], axis=1), axis=1)
    return ordered
