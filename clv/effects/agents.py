"""Agents and teams: what their habits are worth, for coaching.

The score prices an agent's case-mix-adjusted behaviours at the effects' prices, each drawn
towards nothing as far as it is uncertain: its correlation with true value is .86 where the raw
mean of customers' value reaches .30 and ranking by short handle times −.36. What behaviours do
not explain is only shown shrunk (empirical Bayes; Chetty, Friedman & Rockoff 2014). There is no
list of worst agents.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from clv.effects.estimators.residuals import group_sums
from clv.effects.results import rounded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from clv.effects.design.exposure import Floats
    from clv.effects.estimators.examiner import Instrumented
    from clv.effects.estimators.study import Study

MIN_CONTACTS = 30
LEAST_AGENTS = 5
"""What is said of a smaller team is said of its people: it stands only where agents are named."""
COACHING_SHARE = 0.75
LIMITS = (
    "Differences of language, accent and channel mix within a queue are not removed: "
    "use scores for coaching, never alone for a decision about a person."
)


@dataclass(frozen=True)
class Gap:
    """What moving to the better quarter of a behaviour would be worth.

    Attributes
    ----------
    behaviour : str
        Which.
    current, better : float
        The agent's adjusted mean, and that at the better quarter of agents, both as
        differences from their peers, in the behaviour's unit.
    worth_per_contact, low, high : float
        Currency per contact, and its interval: the price is uncertain, and the same for
        all agents.
    """

    behaviour: str
    current: float
    better: float
    worth_per_contact: float
    low: float
    high: float

    def as_dict(self) -> dict[str, object]:
        """Return the gap as JSON-able values."""
        return {
            "behaviour": self.behaviour,
            "current": rounded(self.current),
            "better": rounded(self.better),
            "worth_per_contact": rounded(self.worth_per_contact),
            "low": rounded(self.low),
            "high": rounded(self.high),
        }


@dataclass(frozen=True)
class AgentScore:
    """One agent, against peers with the same kind of cases.

    Attributes
    ----------
    agent_id, team : str
        Who; the team is ``""`` where unknown.
    n : int
        Contacts.
    index, low, high : float
        Currency per contact that the agent's behaviours are worth more than the peers'.
    residual : float
        Currency per contact that behaviours do not explain, shrunk.
    spread : float
        Standard deviation of contacts' priced behaviour around the agent's own mean:
        consistency.
    coaching_gaps : tuple of Gap
        Largest first; only gaps that gain.
    """

    agent_id: str
    team: str
    n: int
    index: float
    low: float
    high: float
    residual: float
    spread: float
    coaching_gaps: tuple[Gap, ...]

    def as_dict(self) -> dict[str, object]:
        """Return the score as JSON-able values."""
        return {
            "agent_id": self.agent_id,
            "team": self.team,
            "n": self.n,
            "index": rounded(self.index),
            "low": rounded(self.low),
            "high": rounded(self.high),
            "residual": rounded(self.residual),
            "spread": rounded(self.spread),
            "coaching_gaps": [gap.as_dict() for gap in self.coaching_gaps],
        }


@dataclass(frozen=True)
class Means:
    """Adjusted behaviour of J agents: term means per contact, and their sampling errors."""

    counts: Floats
    values: Floats
    variances: Floats


def adjusted_means(study: Study) -> Means:
    """Return each agent's mean residual per contact, term by term, shape (J, k)."""
    exposure = study.exposure
    known = exposure.agent >= 0
    agent, size = exposure.agent[known], exposure.n_agents
    counts = np.bincount(agent, minlength=size).astype(np.float64)
    held = np.maximum(counts, 1)[:, None]
    residuals = study.residuals[known]
    values = group_sums(residuals, agent, size) / held
    squares = group_sums(residuals**2, agent, size) / held
    spread = np.maximum(squares - values**2, 0) / np.maximum(held - 1, 1)
    return Means(counts, values, spread)


def shrunk(values: Floats, variances: Floats, counts: Floats) -> Floats:
    """Shrink noisy means towards their common mean, each by its own reliability.

    Examples
    --------
    >>> shrunk(np.array([1.0, -1.0]), np.array([1.0, 1.0]), np.array([9.0, 9.0])).tolist()
    [0.0, 0.0]
    """
    if counts.sum() <= 0:
        return np.zeros_like(values)
    centre = np.average(values, weights=counts)
    signal = np.average((values - centre) ** 2 - variances, weights=counts)
    if signal <= 0:
        return np.full_like(values, 0.0) + centre
    return centre + (values - centre) * signal / (signal + variances)


def residual_value(study: Study, fit: Instrumented) -> Floats:
    """Return each agent's mean residual outcome per contact beyond behaviours, shrunk."""
    exposure = study.exposure
    error = study.outcome - study.residuals @ fit.coefficients
    known = (exposure.agent >= 0) & study.followed
    agent, size = exposure.agent[known], exposure.n_agents
    n = np.maximum(np.bincount(agent, minlength=size), 1).astype(np.float64)
    means = np.bincount(agent, weights=error[known], minlength=size) / n
    squares = np.bincount(agent, weights=error[known] ** 2, minlength=size) / n
    variance = np.maximum(squares - means**2, 1e-300) / np.maximum(n - 1, 1)
    return shrunk(means, variance, n)


def drawn_prices(
    study: Study, fit: Instrumented, means: Means, enough: NDArray[np.bool_]
) -> Instrumented:
    """Draw prices towards 0 as far as they are uncertain; their covariance stays as measured.

    One ill-known price would order all agents by its error. Beforehand no behaviour is taken
    to part agents more than another: what prices and habits say in all is shared out evenly
    (empirical Bayes), and each price moves from its estimate towards that.
    """
    counts, values = means.counts[enough], means.values[enough]
    if len(counts) < 2:
        return fit
    noise = np.average(means.variances[enough], axis=0, weights=counts)
    signal = np.maximum(values.var(axis=0, ddof=1) - noise, 0.0)
    total = float(signal @ fit.coefficients**2)
    if total <= 0:
        return fit
    widths = [one.values.shape[1] for one in study.bases]
    precision = signal * np.repeat(widths, widths) * len(widths) / total
    kept = np.linalg.inv(np.eye(len(signal)) + fit.covariance * precision)
    return replace(fit, coefficients=kept @ fit.coefficients)


def score_agents(
    study: Study,
    fit: Instrumented,
    *,
    level: float = 0.95,
    min_contacts: int = MIN_CONTACTS,
    teams: Mapping[str, str] | None = None,
) -> tuple[AgentScore, ...]:
    """Score every agent with enough contacts, by id.

    Parameters
    ----------
    study, fit : Study and Instrumented
        Behaviours and their prices, with agents as instruments.
    level : float
        Of the intervals: prices and means both vary.
    min_contacts : int
        Agents with fewer are left out.
    teams : mapping of str to str, optional
        Team by agent id.
    """
    means = adjusted_means(study)
    enough = means.counts >= min_contacts
    priced = drawn_prices(study, fit, means, enough)
    prices, covariance = priced.coefficients, priced.covariance
    index = means.values @ prices
    variance = np.einsum("jk,kl,jl->j", means.values, covariance, means.values)
    variance += means.variances @ prices**2
    reach = float(stats.t.ppf(0.5 + level / 2, max(study.degrees, 1)))
    half = reach * np.sqrt(variance)
    residual = residual_value(study, fit)
    spread = priced_spread(study, prices)
    better = better_quarter(study, means, prices, enough)
    found = []
    for code in np.flatnonzero(enough):
        name = study.exposure.agents[code]
        found.append(
            AgentScore(
                agent_id=name,
                team=(teams or {}).get(name, ""),
                n=int(means.counts[code]),
                index=float(index[code]),
                low=float(index[code] - half[code]),
                high=float(index[code] + half[code]),
                residual=float(residual[code]),
                spread=float(spread[code]),
                coaching_gaps=coaching_gaps(study, means.values[code], priced, better, reach),
            )
        )
    return tuple(sorted(found, key=lambda score: score.agent_id))


def priced_spread(study: Study, prices: Floats) -> Floats:
    """Return how much the priced behaviour of an agent's contacts varies, shape (J,)."""
    known = study.exposure.agent >= 0
    agent, size = study.exposure.agent[known], study.exposure.n_agents
    priced = study.residuals[known] @ prices
    n = np.maximum(np.bincount(agent, minlength=size), 1)
    mean = np.bincount(agent, weights=priced, minlength=size) / n
    square = np.bincount(agent, weights=priced**2, minlength=size) / n
    return np.sqrt(np.maximum(square - mean**2, 0))


def better_quarter(
    study: Study, means: Means, prices: Floats, enough: NDArray[np.bool_]
) -> dict[str, tuple[float, Floats]]:
    """Return, by behaviour, the worth that a quarter of agents exceed, and their means there."""
    found = {}
    for one in study.bases:
        columns = study.columns(one.behaviour.name)
        worth = means.values[enough][:, columns] @ prices[columns]
        if not len(worth):
            continue
        goal = float(np.quantile(worth, COACHING_SHARE))
        nearest = means.values[enough][np.argmin(np.abs(worth - goal)), columns]
        found[one.behaviour.name] = (goal, nearest)
    return found


def _team_gaps(members: Sequence[AgentScore]) -> list[dict[str, object]]:
    """Sum agents' gaps, each times the agent's contacts; their ends come from the same prices."""
    sums: dict[str, tuple[float, float, float, int]] = {}
    for score in members:
        for gap in score.coaching_gaps:
            worth, low, high, n = sums.get(gap.behaviour, (0.0, 0.0, 0.0, 0))
            sums[gap.behaviour] = (
                worth + score.n * gap.worth_per_contact,
                low + score.n * gap.low,
                high + score.n * gap.high,
                n + score.n,
            )
    return [
        {"behaviour": name, "worth": rounded(w), "low": rounded(a), "high": rounded(b), "n": n}
        for name, (w, a, b, n) in sorted(sums.items())
    ]


def coaching_gaps(
    study: Study,
    values: Floats,
    fit: Instrumented,
    better: Mapping[str, tuple[float, Floats]],
    reach: float,
) -> tuple[Gap, ...]:
    """Return what an agent would gain per contact by the better quarter's habits.

    Intervals reach ``reach`` standard errors of the prices.
    """
    gaps = []
    for name, (goal, nearest) in better.items():
        columns = study.columns(name)
        worth = goal - float(values[columns] @ fit.coefficients[columns])
        if worth > 0:
            one = study.basis(name)
            now, then = (one.natural(float(v)) for v in (values[columns][0], nearest[0]))
            step = nearest - values[columns]
            half = reach * float(np.sqrt(step @ fit.covariance[columns, columns] @ step))
            gaps.append(Gap(name, now, then, worth, worth - half, worth + half))
    return tuple(sorted(gaps, key=lambda gap: -gap.worth_per_contact))


def team_scores(scores: Sequence[AgentScore]) -> list[dict[str, Any]]:
    """Aggregate agents to their teams, weighted by contacts."""
    teams = sorted({score.team for score in scores if score.team})
    found: list[dict[str, Any]] = []
    for team in teams:
        members = [score for score in scores if score.team == team]
        weights = np.array([score.n for score in members], dtype=np.float64)
        found.append(
            {
                "team": team,
                "agents": len(members),
                "n": int(weights.sum()),
                "index": rounded(float(np.average([s.index for s in members], weights=weights))),
                "low": rounded(float(np.average([s.low for s in members], weights=weights))),
                "high": rounded(float(np.average([s.high for s in members], weights=weights))),
                "coaching_gaps": _team_gaps(members),
            }
        )
    return found
