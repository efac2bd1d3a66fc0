"""Scorecards: planted prices are found though few contacts were evaluated; nothing is none."""

import numpy as np
import pandas as pd
import pytest

from clv.contract.tables import Tables
from clv.effects.decisions.scorecards import CHANGE, evaluated_shares, item_prices, priced
from clv.effects.design.exposure import CORE_BEHAVIOURS, Exposure
from clv.effects.estimators.study import EffectOptions, build_study
from clv.effects.estimators.two_sample import two_sample
from clv.engines.connect import connect
from clv.windows import Window

ITEMS = ("owned", "named", "greeted")
PRICE = 100.0
"""Of all points of the first item, per contact; the others show nothing, though agents who are
good at one are good at the others too."""


def scored_company(seed, contacts=120_000, agents=100, evaluated=0.03):
    """Return a study, and the items of the contacts that were evaluated (NaN in the others)."""
    rng = np.random.default_rng(seed)
    customer = np.unique(rng.integers(contacts // 2, size=contacts), return_inverse=True)[1]
    pool = rng.integers(4, size=contacts)
    agent = rng.integers(agents // 4, size=contacts) * 4 + pool
    warmth, pace, skill, good = rng.normal(size=(4, agents))
    habits = 0.15 * (np.sqrt(0.4) * good + np.sqrt(0.6) * rng.normal(size=(len(ITEMS), agents)))
    severity, noise = rng.normal(size=(2, contacts))
    chance = np.clip(0.6 + habits[:, agent] - 0.05 * severity, 0.02, 0.98)
    shown = (rng.random(chance.shape) < chance).astype(np.float64)
    empathy = 0.5 + 0.1 * warmth[agent] + 0.15 * rng.normal(size=contacts)
    handle = np.exp(5.9 + 0.2 * pace[agent] + 0.1 * severity + 0.3 * rng.normal(size=contacts))
    fcr = (rng.random(contacts) < 0.7 + 0.06 * np.tanh(skill[agent])).astype(np.float64)
    customers = 30 * rng.normal(size=customer.max() + 1)[customer]
    value = PRICE * shown[0] + 80 * empathy + 20 * fcr - 20 * severity + customers + 60 * noise
    exposure = Exposure(
        customer=customer.astype(np.int64),
        agent=agent,
        pool=pool,
        stratum=pool * 50 + rng.integers(50, size=contacts),
        at_days=rng.uniform(0, 700, contacts),
        controls=rng.normal(size=(contacts, 3)),
        control_names=("a", "b", "c"),
        behaviours={"empathy": empathy, "handle_seconds": handle, "fcr": fcr},
        outcome=value,
        agents=tuple(f"agent{number}" for number in range(agents)),
    )
    was_evaluated = rng.random(contacts) < evaluated
    scores = np.where(was_evaluated, shown, np.nan).T
    return build_study(exposure, CORE_BEHAVIOURS, EffectOptions()), scores


@pytest.fixture(scope="module")
def scored():
    return scored_company(1)


def test_a_planted_price_is_covered_and_stands(scored):
    study, scores = scored
    rows = priced(study, pd.DataFrame(scores, columns=ITEMS), EffectOptions())
    by_name = {row.item: row for row in rows}
    best = by_name["owned"]
    assert rows[0] == best
    assert best.settled
    assert best.low < PRICE * CHANGE < best.high
    for name in ITEMS[1:]:
        assert by_name[name].low < 0 < by_name[name].high
        assert not by_name[name].settled
    assert all(0 < row.evaluated < 0.04 * study.exposure.contacts for row in rows)


def test_with_every_contact_evaluated_it_is_the_design_for_one_sample(scored):
    """Then first stage and reduced form are of the same contacts: one system of equations."""
    study, _ = scored
    full = study.exposure.behaviours["fcr"][:, None] * 0.5 + 0.25
    only = build_study(study.exposure, CORE_BEHAVIOURS[:2], EffectOptions())
    found = two_sample(only, full)
    # The item is residualised within pools, where the channel is within strata.
    usual = study.instrumented()
    column = study.columns("fcr").start
    scale = np.sqrt(usual.covariance[column, column])
    assert found.coefficients[0] / 2 == pytest.approx(usual.coefficients[column], abs=0.2 * scale)
    assert np.sqrt(found.covariance[0, 0]) / 2 == pytest.approx(scale, rel=0.05)


def test_scores_of_the_contacts_own_customer_are_left_out(scored):
    """All that one customer's evaluations said may change: their first stage sees no own noise."""
    study, scores = scored
    noise = scores.copy()
    known = np.isfinite(noise[:, 1])
    noise[known, 1] = np.random.default_rng(0).random(known.sum())
    assert (
        two_sample(study, noise).first_stage_f[1] < 10 < two_sample(study, scores).first_stage_f[1]
    )


def test_points_of_several_evaluations_are_added_and_later_ones_unknown():
    rows = pd.DataFrame(
        {
            "evaluation_id": list("abcd"),
            "interaction_id": ["i1", "i1", "i1", "i2"],
            "item": ["x", "x", "y", "x"],
            "score": [1.0, 2.0, 0.0, 1.0],
            "score_max": [2.0, 2.0, 1.0, 1.0],
            "evaluated_at": pd.to_datetime(
                ["2025-01-01", "2025-01-02", "2025-01-02", "2026-01-01"]
            ),
        }
    )
    orders = pd.DataFrame(
        {"order_id": ["o"], "customer_id": "c", "amount": 1.0, "ordered_at": rows.evaluated_at[:1]}
    )
    with connect(threads=1) as engine:
        tables = Tables.from_frames(engine, {"orders": orders, "evaluations": rows})
        shares = evaluated_shares(tables, Window(rows.evaluated_at[1].date(), 30))
        assert shares.loc["i1"].to_dict() == {"x": 0.75, "y": 0.0}
        assert "i2" not in shares.index
        only = Tables.from_frames(engine, {"orders": orders})
        assert item_prices(only, None, None, None, EffectOptions()) == ((), [])


@pytest.mark.slow
def test_prices_and_nothing_are_covered_as_often_as_stated():
    """Companies with 3 % of contacts evaluated: 95 % intervals, and items priced at nothing."""
    companies, planted = 60, np.array([PRICE, 0.0, 0.0]) * CHANGE
    covered, wrong, found, values = [], [], [], []
    for seed in range(companies):
        study, scores = scored_company(10_000 + seed)
        rows = priced(study, pd.DataFrame(scores, columns=ITEMS), EffectOptions())
        rows = {row.item: row for row in rows if row.estimate is not None}
        assert len(rows) >= 2
        for name, truth in zip(ITEMS, planted, strict=True):
            if name in rows:
                covered.append(rows[name].low <= truth <= rows[name].high)
        wrong.append(any(rows[name].settled for name in ITEMS[1:] if name in rows))
        if "owned" in rows:
            found.append(rows["owned"].settled)
            values.append(rows["owned"].estimate)
    # Two Monte Carlo errors beside what is asked for.
    assert 0.92 - 0.025 <= np.mean(covered) <= 0.97 + 0.02
    assert np.mean(wrong) <= 0.05 + 0.04
    assert np.mean(found) > 0.8
    assert np.median(values) == pytest.approx(planted[0], rel=0.05)
