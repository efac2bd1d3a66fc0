"""Service contacts with known effects, drawn as arrays: the test bed of the estimators."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clv.effects.design.exposure import Exposure
from clv.windows import YEAR_DAYS


@dataclass(frozen=True)
class Planted:
    exposure: Exposure
    effects: dict[str, float]  # currency per customer and year, for the standard changes
    agent_value: np.ndarray  # structural value per contact by agent
    policy: dict[float, float]  # gross gain per customer and year of scaling handle time


def draw(
    seed,
    customers=10_000,
    agents=150,
    *,
    skill_routing=0.0,
    agent_effect=0.05,
    strength=1.0,
    optimum=0.15,
    periods=26,
    queues=4,
    occasions=0.75,
    drag=0.12,
    weight=0.08,
):
    rng = np.random.default_rng(seed)
    fussy = rng.normal(size=customers)
    base = np.exp(rng.normal(5.15, 0.8, customers))
    per = 1 + rng.poisson(1.74, customers)
    customer = np.repeat(np.arange(customers), per)
    total = len(customer)
    severity = rng.normal(size=total)
    priority = np.digitize(severity + rng.normal(size=total), [-0.7, 0.7, 1.6])
    sentiment = -0.5 * severity - 0.4 * fussy[customer] + rng.normal(size=total)
    queue = rng.integers(queues, size=total)
    at_days = rng.random(total) * 2 * YEAR_DAYS
    at_days = at_days[np.lexsort((at_days, customer))]
    period = (at_days / (2 * YEAR_DAYS) * periods).astype(np.int64)
    warmth, pace, skill = np.linalg.cholesky(
        [[1, 0.3, 0.3], [0.3, 1, 0.2], [0.3, 0.2, 1]]
    ) @ rng.normal(size=(3, agents))
    other = agent_effect * rng.normal(size=agents)
    home = np.arange(agents) % queues
    agent = np.empty(total, dtype=np.int64)
    for q in range(queues):
        mine = np.flatnonzero(home == q)
        rows = np.flatnonzero(queue == q)
        agent[rows] = rng.choice(mine, len(rows))
        if skill_routing:
            ranked = mine[np.argsort(skill[mine])]
            place = (severity[rows].argsort().argsort() + 0.5) / len(rows)
            sent = rng.random(len(rows)) < skill_routing
            agent[rows[sent]] = ranked[(place[sent] * len(ranked)).astype(int)]
    hidden = severity + 0.6 * fussy[customer]
    empathy = np.clip(
        0.45 + 0.11 * warmth[agent] + 0.07 * hidden + 0.12 * rng.normal(size=total), 0, 1
    )
    occasion = rng.random(total) < np.clip(occasions + 0.1 * np.tanh(hidden), 0, 1)
    logs = 0.22 * pace[agent] + 0.22 * hidden + 0.25 * rng.normal(size=total)
    handle = 372 * np.exp(logs)
    chance = np.clip(0.7 + 0.11 * skill[agent] + 0.1 * logs - 0.05 * severity, 0.02, 0.98)
    fcr = (rng.random(total) < chance).astype(float)

    def service(emp, length, resolved):
        log = np.log(length / 372)
        return strength * (
            0.29 * (emp - 0.45) * occasion
            + 0.5 * (optimum * log - 0.5 * log**2)
            + 0.19 * (resolved - 0.7)
        )

    # What a contact does stays: a customer is worth what all contacts so far have made of them.
    push = service(empathy, handle, fcr) - weight * severity + other[agent]
    now = base[customer] * np.exp(so_far(push, customer) - drag * fussy[customer])
    # Windows of contacts in one year overlap, and so share the customer's luck.
    year = customer * 2 + (at_days > YEAR_DAYS)
    luck = (rng.random(2 * customers) < 0.54) / 0.54 * rng.gamma(1.2, 1 / 1.2, 2 * customers)
    value = now * luck[year]

    def gained(emp, length, resolved):
        more = service(emp, length, resolved) - service(empathy, handle, fcr)
        return float((now * np.expm1(more)).sum())

    worth = service(empathy, handle, chance)
    history = base * rng.gamma(2.0, 0.5, customers)
    spent = history[customer] * np.exp(so_far(push, customer) - push)
    mean_value = now.mean()
    by_agent = np.bincount(agent, worth, agents) / np.maximum(
        np.bincount(agent, minlength=agents), 1
    )
    controls = np.column_stack(
        [
            *(priority == level for level in (1, 2, 3)),
            sentiment,
            np.log1p(spent),
            spent,
        ]
    ).astype(float)
    exposure = Exposure(
        customer=customer,
        agent=agent,
        pool=queue,
        stratum=queue * periods + period,
        at_days=at_days,
        controls=controls,
        control_names=(
            "priority=normal",
            "priority=high",
            "priority=urgent",
            "opening_sentiment",
            "log_spend_before",
            "spend_before",
        ),
        behaviours={
            "empathy": np.where(occasion, empathy, np.nan),
            "handle_seconds": handle,
            "fcr": fcr,
        },
        outcome=value,
        before=spent,
        agents=tuple(f"a{code}" for code in range(agents)),
    )
    years = exposure.customer_years
    truth = {
        "empathy": gained(empathy + 0.1, handle, fcr) / years,
        "handle_seconds": gained(empathy, handle + 60, fcr) / years,
        "fcr": gained(empathy, handle, fcr + 0.1) / years,
    }
    policy = {
        k: gained(empathy, handle * k, fcr) / years for k in np.round(np.arange(0.6, 1.61, 0.05), 2)
    }
    return Planted(exposure, truth, by_agent * mean_value, policy)


def so_far(steps, customer):
    """Sum steps up to each contact of its customer; rows are by customer and time."""
    total = np.cumsum(steps)
    first = np.flatnonzero(np.diff(customer, prepend=-1))
    before = (total - steps)[first]
    return total - np.repeat(before, np.diff(np.append(first, len(customer))))
