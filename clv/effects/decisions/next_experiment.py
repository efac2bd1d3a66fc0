"""The experiment that would settle an open question: how large, how long, and worth it or not.

Two arms, today's setting and one step away. What knowing is worth is the expected value of
sample information less cost (Raiffa & Schlaifer 1961, ch. 4 and 5): the belief after the
experiment is Gaussian too, its mean varies as the experiment does, and the company moves only
where its own rule says so. Everything is at the company's own volume of contacts.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from clv.effects.decisions.curves import scale_curve, step_scales
from clv.effects.design.exposure import GOODWILL, HANDLE
from clv.effects.results import rounded
from clv.experiments.design import effect_for, inflation
from clv.experiments.past import within_correlation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clv.effects.decisions.options import Circumstances, DecisionOptions, TargetOptions
    from clv.effects.decisions.posterior import Belief
    from clv.effects.design.exposure import Basis
    from clv.effects.estimators.study import Study

WEEKS = (4, 8, 13, 26, 39, 52)
POWER, ALPHA = 0.8, 0.05
BY_CUSTOMER = (HANDLE.name, GOODWILL.name)
"""What an agent can do otherwise for one customer than for the next. A habit cannot be put on
and off, so that whole agents are assigned."""


@dataclass(frozen=True)
class Experiment:
    """A proposed experiment, and what it is worth.

    Attributes
    ----------
    name : str
        That the assignment log would carry.
    unit : {"customer", "agent"}
        What is assigned at random.
    arms : tuple of str
        ``control`` keeps today's setting, ``treated`` takes the step.
    start, to : float
        Today's value, and the treated arm's, in the behaviour's unit.
    weeks : int
        Of contacts that enter; outcomes follow for the horizon after each.
    units_per_arm : int
        Customers, or contacts where agents are assigned.
    agents_per_arm : int
        Agents in each arm; 0 where customers are assigned.
    detectable : float
        Difference in means, in currency per unit, found with 80 % power at 5 % error.
    agent_minutes : float
        That briefing agents takes.
    cost : float
        Of those minutes, and what the treated arm is expected to lose while it runs.
    value : float
        What knowing is expected to bring over the years that a decision holds.
    net_value : float
        Value less cost.
    probability_moves : float
        That its result will be a move.
    command : str
        Ready to run.
    """

    name: str
    unit: str
    arms: tuple[str, ...]
    start: float
    to: float
    weeks: int
    units_per_arm: int
    agents_per_arm: int
    detectable: float
    agent_minutes: float
    cost: float
    value: float
    net_value: float
    probability_moves: float
    command: str

    def as_dict(self) -> dict[str, Any]:
        """Return the experiment as JSON-able values."""
        shown = {
            key: rounded(value) if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }
        return {**shown, "from": shown.pop("start"), "arms": list(self.arms)}


@dataclass(frozen=True)
class Size:
    """What so many weeks give.

    Attributes
    ----------
    unit : str
        What is assigned.
    weeks : int
    units_per_arm, agents_per_arm : int
    deviation : float
        Of a unit's outcome, with what its cluster shares.
    reach : float
        Contacts with an occasion behind a unit: an effect per contact, times it, is the
        difference in means.
    briefed : float
        Agents who must be told.
    """

    unit: str
    weeks: int
    units_per_arm: int
    agents_per_arm: int
    deviation: float
    reach: float
    briefed: float

    @property
    def error(self) -> float:
        """The standard error of a gain per contact with an occasion."""
        return self.deviation * float(np.sqrt(2 / self.units_per_arm)) / self.reach


def value_of_sample(
    gain: float, deviation: float, error: float, least_probability: float, least_gain: float
) -> tuple[float, float]:
    """Return what an estimate of a gain is worth to who keeps today's setting, and P(move).

    Parameters
    ----------
    gain, deviation : float
        What is believed of the gain now.
    error : float
        Standard error of the estimate to come.
    least_probability : float
        Of a gain, from which the company moves.
    least_gain : float
        Expected, from which it moves.

    Examples
    --------
    >>> worth, moves = value_of_sample(0.0, 1.0, 1e-9, 0.5, 0.0)  # to know for sure
    >>> round(worth, 4), round(moves, 4)
    (0.3989, 0.5)
    """
    if deviation <= 0:
        return 0.0, 0.0
    total = float(np.hypot(deviation, error))
    spread, left = deviation**2 / total, deviation * error / total
    bar = max(float(stats.norm.ppf(least_probability)) * left, least_gain)
    z = (gain - bar) / spread
    moves = float(stats.norm.cdf(z))
    return gain * moves + spread * float(stats.norm.pdf(z)), moves


def sizes(study: Study, one: Basis, circumstances: Circumstances, max_weeks: int) -> Iterator[Size]:
    """Yield what each duration gives, by what can be assigned."""
    exposure = study.exposure
    rest, agent = contact_residuals(study)
    deviation = float(rest.std())
    share = float(one.present.mean())
    agents, known = len(np.unique(agent)), len(agent) / exposure.contacts
    correlation = within_correlation(rest, pd.Series(agent))
    rate = exposure.treated(one.behaviour.name) / share / 52.0
    for weeks in (w for w in WEEKS if w <= max_weeks):
        contacts = circumstances.contacts_a_week * weeks
        per_customer = rate * weeks / -np.expm1(-rate * weeks)
        if one.behaviour.name in BY_CUSTOMER:
            arm = int(contacts / per_customer / 2)
            reach = share * per_customer
            if arm >= 2:
                yield Size("customer", weeks, arm, 0, deviation, reach, float(agents))
        if agents >= 4 and contacts >= 4:
            per_agent, arm = contacts * known / agents, agents // 2
            wide = deviation * float(np.sqrt(inflation(max(per_agent, 1.0), correlation)))
            yield Size("agent", weeks, int(arm * per_agent), arm, wide, share, float(arm))


def contact_residuals(study: Study) -> tuple[np.ndarray, np.ndarray]:
    """Return each known agent's contacts' outcome less what was known before, and the agent."""
    known = (study.exposure.agent >= 0) & study.followed
    return study.outcome[known], study.exposure.agent[known]


def next_experiment(
    study: Study,
    one: Basis,
    support: tuple[float, float],
    belief: Belief,
    cost_per_minute: float | None,
    circumstances: Circumstances,
    options: TargetOptions,
) -> Experiment | None:
    """Return the experiment whose net value is highest; None where none would pay.

    Parameters
    ----------
    study : Study
        What is known of outcomes.
    one : Basis
        The behaviour in question.
    support : tuple of float
        Scales in which agents already are.
    belief : Belief
        Of its coefficients, per contact.
    cost_per_minute : float or None
        Of an agent; without it briefing is taken to cost nothing.
    circumstances : Circumstances
        Volume and horizon.
    options : TargetOptions
        The rule by which the company moves.
    """
    rule = options.decisions
    treated = study.exposure.treated(one.behaviour.name)
    raw = study.exposure.behaviours[one.behaviour.name][one.present]
    ends = step_scales(one, float(raw.mean()), support, rule.max_step)[[0, -1]]
    curve = scale_curve(study.exposure, one, ends, cost_per_minute).times(1 / treated)
    # Where there is nothing to gain, a result that says otherwise loses nothing either.
    seen = replace(belief, chance=1.0).outlook(curve)
    question = _Question(
        name=one.behaviour.name,
        current=float(np.median(raw) if one.behaviour.transform == "log" else raw.mean()),
        chance=belief.chance,
        least_gain=options.least_gain(study) / treated,
        occasions_a_year=circumstances.contacts_a_year * float(one.present.mean()),
        cost_per_minute=cost_per_minute or 0.0,
        horizon_days=circumstances.horizon_days,
        rule=rule,
    )
    proposed = [
        question.asked_of(size, float(ends[at]), float(seen.gain[at]), float(seen.deviation[at]))
        for size in sizes(study, one, circumstances, rule.max_weeks)
        for at in np.flatnonzero(ends != 1)
    ]
    best = max(proposed, key=lambda experiment: experiment.net_value, default=None)
    return best if best is not None and best.net_value > 0 else None


@dataclass(frozen=True)
class _Question:
    """An open question: what knowing its answer is worth, whatever experiment asks it.

    ``current`` is today's setting; ``least_gain`` is per contact with an occasion, of which
    there are ``occasions_a_year``; with ``chance`` there is something to gain at all.
    """

    name: str
    current: float
    chance: float
    least_gain: float
    occasions_a_year: float
    cost_per_minute: float
    horizon_days: int
    rule: DecisionOptions

    def asked_of(self, size: Size, scale: float, gain: float, deviation: float) -> Experiment:
        """Return the experiment of that size on a step that is believed to gain so much."""
        worth, moves = value_of_sample(
            gain, deviation, size.error, self.rule.least_probability, self.least_gain
        )
        minutes = self.rule.briefing_minutes * size.briefed
        treated_years = size.weeks / 52 / 2
        lost = self.chance * max(-gain, 0.0) * self.occasions_a_year * treated_years
        cost = minutes * self.cost_per_minute + lost
        value = self.chance * worth * self.occasions_a_year * self.rule.benefit_years
        return Experiment(
            name=f"{self.name}_{'up' if scale > 1 else 'down'}",
            unit=size.unit,
            arms=("control", "treated"),
            start=self.current,
            to=scale * self.current,
            weeks=size.weeks,
            units_per_arm=size.units_per_arm,
            agents_per_arm=size.agents_per_arm,
            detectable=effect_for(size.units_per_arm, size.deviation, POWER, ALPHA),
            agent_minutes=minutes,
            cost=cost,
            value=value,
            net_value=value - cost,
            probability_moves=self.chance * moves,
            command=(
                f"clv experiment design --unit {size.unit} --per-arm {size.units_per_arm} "
                + (f"--weeks {size.weeks} " if size.unit == "agent" else "")
                + f"--horizon-days {self.horizon_days}"
            ),
        )
