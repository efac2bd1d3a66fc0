"""The truth of one contact: what its customer's margin in the days after it would have been.

This contact's behaviour is changed, and everything after takes its course. All but one part
is exact, given the company's contacts; the repeats that a contact less often resolved would
have brought are drawn, and their Monte Carlo error is stated.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from clv.simulation.service import REPEAT_SHARE, REPEATS_AT_MOST, log_handle, resolution_log_odds
from clv.simulation.truths.changes import (
    EMPATHY_CHANGE,
    FCR_CHANGE,
    HANDLE_CHANGE_SECONDS,
    SCALES,
    frontier_point,
)
from clv.simulation.truths.follow_up import Change, FollowUp, follow_up, repeats_ahead
from clv.simulation.world import stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from clv.simulation.world import World

    Floats = NDArray[np.float64]

NODES = (-0.4, -0.2, 0.0, 0.2, 0.4)  # of S, between which margin is interpolated for frontiers


@dataclass(frozen=True)
class ContactEffect:
    """What a change of one contact does to margin in the days after it.

    Attributes
    ----------
    behaviour : str
        ``empathy``, ``handle_seconds``, ``handle_seconds_total`` or ``fcr``.
    change : float
        By which it changes.
    unit : str
        Of the change.
    value : float
        Currency per contact with an occasion, over the horizon, undiscounted.
    error : float
        Monte Carlo standard error of it; 0 where nothing was drawn.
    by_month : tuple of float
        The same by month of 30 days since the contact; the last lasts to the horizon's end.
    contacts : int
        Contacts with an occasion.
    contacts_per_customer_year : float
        Those of a year, per customer in contact in that year.
    held : str
        What stays as it was.
    """

    behaviour: str
    change: float
    unit: str
    value: float
    error: float
    by_month: tuple[float, ...]
    contacts: int
    contacts_per_customer_year: float
    held: str


@dataclass(frozen=True)
class RollOutEffect:
    """What a roll-out did in the contacts that it reached, on average.

    Attributes
    ----------
    what : str
        Its name.
    contacts : int
        Contacts whose agent it had reached.
    value, error : float
        Currency per such contact over the horizon, and the Monte Carlo error of it.
    empathy, handle_seconds, fcr : float
        By how much it moved the behaviours: the share of occasions met (of contacts with an
        occasion), seconds, and the share of contacts resolved.
    """

    what: str
    contacts: int
    value: float
    error: float
    empathy: float
    handle_seconds: float
    fcr: float


@dataclass(frozen=True)
class ContactTruth:
    """The true effects per contact of a company.

    Attributes
    ----------
    horizon_days : int
        Days after each contact in which margin counts.
    contacts, customers : int
        Agents' contacts with a complete follow-up, and the customers who had them.
    years : float
        From the first to the last day on which such a contact could begin.
    margin : float
        Expected margin in the follow-up of a contact as it was, currency.
    effects : tuple of ContactEffect
        Of the behaviours.
    frontier : list of dict
        Value, cost and net of scaling handle times, currency per contact; ``value`` holds
        resolution fixed, ``value_total`` lets it move.
    best_scale : float
        The scale with the highest net value, resolution held fixed.
    rollouts : tuple of RollOutEffect
        What each roll-out did.
    """

    horizon_days: int
    contacts: int
    customers: int
    years: float
    margin: float
    effects: tuple[ContactEffect, ...]
    frontier: list[dict[str, float]]
    best_scale: float
    rollouts: tuple[RollOutEffect, ...] = ()

    def effect(self, behaviour: str) -> ContactEffect:
        """Return the effect of a behaviour."""
        return next(effect for effect in self.effects if effect.behaviour == behaviour)

    def as_dict(self) -> dict[str, object]:
        """Return JSON-able values."""
        lists = {
            "effects": [asdict(effect) for effect in self.effects],
            "rollouts": [asdict(rollout) for rollout in self.rollouts],
        }
        return asdict(self) | lists


@dataclass(frozen=True)
class _Resolution:
    """What it is worth that a contact was resolved, against leaving the problem open."""

    main: Floats
    repeats: Floats
    error: float

    @property
    def by_month(self) -> Floats:
        """Return the mean over contacts, by month, less what spared repeats were worth."""
        return self.main.mean(axis=0) - self.repeats


def contact_truth(
    world: World,
    horizon_days: int | None = None,
    since: float = -np.inf,
    until: float = np.inf,
) -> ContactTruth:
    """State the true effects per contact.

    Parameters
    ----------
    world : World
        The company.
    horizon_days : int, optional
        Days after each contact in which margin counts; by default the options'.
    since, until : float
        Days since the start between which contacts must have begun; by default all contacts
        count whose follow-up lies within the data.
    """
    horizon = horizon_days or world.options.horizon_days
    studied = follow_up(world, horizon, since, until)
    span = min(until, world.options.span_days - horizon) - max(since, 0.0)
    years = max(span, 1.0) / 365.0
    customers = int(np.unique(studied.person).size)
    if not studied.rows.size:
        return ContactTruth(horizon, 0, 0, years, 0.0, (), [], 1.0)
    usual = studied.margins([studied.at_contact(np.zeros(studied.rows.size))])[0]
    resolved = _resolution(studied)
    frontier = _frontier(studied, usual, resolved)
    return ContactTruth(
        horizon_days=horizon,
        contacts=studied.rows.size,
        customers=customers,
        years=years,
        margin=float(usual.sum(axis=1).mean()),
        effects=_effects(studied, usual, resolved, customer_years(studied)),
        frontier=frontier,
        best_scale=max(frontier, key=lambda point: point["net"])["scale"],
        rollouts=tuple(
            _rollout(studied, usual, resolved, place)
            for place in range(len(world.options.rollouts))
        ),
    )


def _rollout(studied: FollowUp, usual: Floats, resolved: _Resolution, place: int) -> RollOutEffect:
    """Compare the contacts that a roll-out reached with the same contacts without it."""
    world, served = studied.world, studied.world.served
    rollout, effects = world.options.rollouts[place], world.options.effects
    rows = studied.rows
    reached = world.desk.reached(served.agent[rows], served.started_s[rows])[place]
    if not reached.any():
        return RollOutEffect(rollout.what, 0, 0.0, 0.0, 0.0, 0.0, 0.0)
    few, rows = studied.only(reached), rows[reached]
    causes = served.causes.only(rows)
    without = world.desk.leaning(causes, served.started_s[rows], served.agent[rows], place)
    occasion = served.occasions[rows] > 0
    warmer = (served.leaning[rows] - without) * occasion
    handle = served.handle_seconds[rows]
    before = handle * np.exp(-rollout.handle_log)
    step = _handle_step(few, before) - effects.empathy * warmer
    bare = few.margins([few.at_contact(step)])[0].sum(axis=1)
    odds = -_resolution_change(few, before)
    through = float((odds * resolved.main.sum(axis=1)[reached]).mean())
    through -= float(odds.mean() * resolved.repeats.sum())
    return RollOutEffect(
        what=rollout.what,
        contacts=rows.size,
        value=float((usual.sum(axis=1)[reached] - bare).mean()) + through,
        error=abs(float(odds.mean())) * resolved.error,
        empathy=float(warmer.sum() / max(int(occasion.sum()), 1)),
        handle_seconds=float((handle - before).mean()),
        fcr=float(odds.mean()),
    )


def customer_years(studied: FollowUp) -> float:
    """Return customers in contact, summed over years, as sums over all contacts are divided by.

    Years are counted back from the last contact; where there is a whole one, only whole ones say
    how many contacts a customer who is in contact in a year has in it.
    """
    back = studied.day.max() - studied.day
    year = np.floor(back / 365.0).astype(np.int64)
    whole = int((back.max() + 1.0) // 365.0)
    inside = year < whole if whole else np.ones(year.size, dtype=bool)
    pairs = np.unique(np.stack([year[inside], studied.person[inside]]), axis=1).shape[1]
    return float(studied.rows.size * pairs / inside.sum())


def _effects(
    studied: FollowUp, usual: Floats, resolved: _Resolution, customer_years: float
) -> tuple[ContactEffect, ...]:
    """Return the effects of the changes that the product reports."""
    world, served, rows = studied.world, studied.world.served, studied.rows
    occasion = served.occasions[rows] > 0
    seconds = served.handle_seconds[rows] + HANDLE_CHANGE_SECONDS
    warmer = np.where(occasion, world.options.effects.empathy * EMPATHY_CHANGE, 0.0)
    changes = [studied.at_contact(warmer), studied.at_contact(_handle_step(studied, seconds))]
    warm, longer = (after - usual for after in studied.margins(changes))
    odds = _resolution_change(studied, seconds)
    through = (odds[:, None] * resolved.main).mean(axis=0) - odds.mean() * resolved.repeats
    minute, everyone = HANDLE_CHANGE_SECONDS, rows.size
    plans = (
        (
            ("empathy", EMPATHY_CHANGE, "share of occasions met", "handle_seconds, fcr"),
            warm[occasion].mean(axis=0) if occasion.any() else np.zeros(studied.months),
            int(occasion.sum()),
            0.0,
        ),
        (
            ("handle_seconds", minute, "seconds", "empathy, fcr"),
            longer.mean(axis=0),
            everyone,
            0.0,
        ),
        (
            ("handle_seconds_total", minute, "seconds", "empathy"),
            longer.mean(axis=0) + through,
            everyone,
            abs(float(odds.mean())) * resolved.error,
        ),
        (
            ("fcr", FCR_CHANGE, "share of contacts", "empathy, handle_seconds"),
            FCR_CHANGE * resolved.by_month,
            everyone,
            FCR_CHANGE * resolved.error,
        ),
    )
    return tuple(
        ContactEffect(
            behaviour=name,
            change=change,
            unit=unit,
            value=float(by_month.sum()),
            error=error,
            by_month=tuple(by_month.tolist()),
            contacts=contacts,
            contacts_per_customer_year=contacts / customer_years,
            held=held,
        )
        for (name, change, unit, held), by_month, contacts, error in plans
    )


def _handle_step(studied: FollowUp, seconds: Floats) -> Floats:
    """Return what handle times of ``seconds`` add to S, resolution held fixed."""
    effects = studied.world.options.effects
    x, y = log_handle(studied.world.served.handle_seconds[studied.rows]), log_handle(seconds)
    return effects.handle_log * (y - x) + effects.handle_log2 * (y**2 - x**2)


def _resolution_change(studied: FollowUp, seconds: Floats) -> Floats:
    """Return by how much handle times of ``seconds`` move the probability of resolution."""
    world, served, rows = studied.world, studied.world.served, studied.rows
    effects = world.options.effects
    x, y = log_handle(served.handle_seconds[rows]), log_handle(seconds)
    rest = (
        world.staff.skill[served.agent[rows]],
        served.causes.issue[rows],
        served.causes.severity[rows],
        world.crowd.temperament[studied.person],
    )
    return expit(resolution_log_odds(effects, y, *rest)) - expit(
        resolution_log_odds(effects, x, *rest)
    )


def _resolution(studied: FollowUp) -> _Resolution:
    """Return what resolution is worth: its own step, and the repeats that it spares.

    An open problem brings half of the customers back, whichever they are: those who did not
    come back stand for those who did, and the resolved for themselves.
    """
    served, rows = studied.world.served, studied.rows
    fcr = studied.world.options.effects.fcr
    was = served.resolved[rows]
    solved = studied.at_contact(np.where(was, 0.0, fcr))
    opened = studied.at_contact(np.where(was, -fcr, 0.0))
    best, worst = studied.margins([solved, opened])
    weight = np.where(was, 1.0, np.where(served.back[rows], 0.0, 1.0 / (1.0 - REPEAT_SHARE)))
    weight[served.repeat[rows] == REPEATS_AT_MOST] = 1.0
    keep = weight > 0
    few, rng = studied.only(keep), stream(studied.world.options.seed, "repeats")
    ahead = repeats_ahead(few, rng)
    step = np.where(was[keep], -fcr, 0.0)
    back = few.margins([Change((few.day, *ahead.days[1:]), (step, *ahead.steps[1:]))])[0]
    moved = REPEAT_SHARE * (back - worst[keep])
    shares = weight[keep] / weight[keep].sum()
    mean = shares @ moved
    spread = moved.sum(axis=1) - mean.sum()
    return _Resolution(best - worst, mean, float(np.sqrt(((shares * spread) ** 2).sum())))


def _frontier(studied: FollowUp, usual: Floats, resolved: _Resolution) -> list[dict[str, float]]:
    """Return value, cost and net of scaling every contact's handle time, per contact."""
    world, rows = studied.world, studied.rows
    handle = world.served.handle_seconds[rows]
    hourly = world.staff.cost_per_hour[world.served.agent[rows]]
    gained = _interpolated(studied, usual.sum(axis=1))
    solved, repeats = resolved.main.sum(axis=1), float(resolved.repeats.sum())
    curve = []
    for scale in SCALES:
        cost = float((handle * hourly).mean()) / 3_600 * (scale - 1)
        direct = float(gained(_handle_step(studied, scale * handle)).mean())
        odds = _resolution_change(studied, scale * handle)
        total = direct + float((odds * solved).mean()) - float(odds.mean()) * repeats
        curve.append(frontier_point(scale, direct, total, cost))
    return curve


def _interpolated(studied: FollowUp, usual: Floats) -> Callable[[Floats], Floats]:
    """Return each contact's gain as a function of a step: the polynomial through ``NODES``."""
    size = studied.rows.size
    asked = [node for node in NODES if node != 0]
    after = studied.margins([studied.at_contact(np.full(size, node)) for node in asked])
    gains = dict(zip(asked, (margin.sum(axis=1) - usual for margin in after), strict=True))

    def gain(steps: Floats) -> Floats:
        total = np.zeros(size)
        for node, gained in gains.items():
            others = [other for other in NODES if other != node]
            total += gained * np.prod(
                [(steps - other) / (node - other) for other in others], axis=0
            )
        return total

    return gain
