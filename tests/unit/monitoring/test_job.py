"""Monitoring: planted drift, bias, miscalibration and staleness are each found, and only they."""

import datetime as dt
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from clv.contract.tables import DataOptions, Tables
from clv.engines.duckdb import DuckDBEngine
from clv.events.histories import make_histories
from clv.monitoring import DriftCounter, Limits, ModelInUse, PastScores, Profile, monitor

AS_OF, HORIZON, CUSTOMERS = dt.date(2025, 1, 31), 90, 1500
NOW = dt.datetime(2025, 5, 3, 4, tzinfo=dt.UTC)
NAMES = (
    "freshness",
    "inputs",
    "unknown",
    "scores",
    "total",
    "tracking",
    "prospects",
    "coverage",
    "calibration",
)


@pytest.fixture(scope="module")
def engine():
    with DuckDBEngine(threads=1) as opened:
        yield opened


def orders_of(rng, p_churn):
    """Everybody buys once in January; who stays buys for 50 in February."""
    ids = [f"c{k:04d}" for k in range(CUSTOMERS)]
    first = pd.DataFrame({"customer_id": ids, "ordered_at": pd.Timestamp("2025-01-10")})
    stays = rng.random(CUSTOMERS) >= p_churn
    later = pd.DataFrame({"customer_id": ids, "ordered_at": pd.Timestamp("2025-02-10")})[stays]
    last = pd.DataFrame({"customer_id": ["new"], "ordered_at": [pd.Timestamp("2025-05-01")]})
    rows = pd.concat([first, later, last], ignore_index=True)
    return rows.assign(order_id=[f"o{k}" for k in range(len(rows))], amount=50.0)


@pytest.fixture(scope="module")
def world(engine):
    rng = np.random.default_rng(4)
    p_churn = rng.uniform(0.1, 0.9, CUSTOMERS)
    tables = Tables.from_frames(
        engine, {"orders": orders_of(rng, p_churn)}, DataOptions(currency="EUR")
    )
    return tables, p_churn


@pytest.fixture
def ask(world, tmp_path):
    """Publish what ``said`` makes of the truth, and ask."""
    tables, p_churn = world

    def ask(*, factor=1.0, shift=0.0, high=51.0, moved=0.0, lost=0.0, days=(AS_OF,), **options):
        truth = (1 - p_churn) * 50
        past = []
        for day in sorted(days, reverse=True):
            path = tmp_path / f"{day}-{len(past)}.parquet"
            pd.DataFrame(
                {
                    "customer_id": [f"c{k:04d}" for k in range(CUSTOMERS)],
                    "as_of": day,
                    "clv": truth * factor,
                    "clv_low": 0.0,
                    "clv_high": np.where(np.arange(CUSTOMERS) % 10 == 0, -1.0, high),
                    "p_churn": np.clip(p_churn + shift, 0, 1),
                }
            ).to_parquet(path)
            past.append(PastScores(day, 2, path, HORIZON, 0.0, 0.9))
        training = pd.DataFrame({"x": p_churn, "y": p_churn[::-1], "clv": truth})
        now = training.assign(x=training.x + moved, clv=training.clv * (1 + moved))
        now.loc[: int(lost * CUSTOMERS) - 1, "y"] = np.nan
        counter = DriftCounter(Profile.learn(training, list(training)))
        counter.add(now)
        given = {
            "drift": counter.report(),
            "weights": {"x": 3.0, "y": 1.0},
            "learned_until": AS_OF,
            "name": "clv",
        } | options
        limits = given.pop("limits", None)
        model = ModelInUse(**given)
        found = monitor(make_histories(tables), past, model, now=NOW, limits=limits)
        document = json.loads(json.dumps(found.as_dict(), allow_nan=False))
        assert tuple(c["name"] for c in document["checks"]) == NAMES
        return document, {c["name"]: c for c in document["checks"]}

    return ask


def not_ok(checks):
    return {name: c["status"] for name, c in checks.items() if c["status"] != "ok"}


def test_a_model_that_is_right_is_left_alone(ask):
    document, checks = ask()
    assert not_ok(checks) == {}
    assert document["status"] == "ok"
    assert all(c["next"] == "" and c["sentence"].endswith(".") for c in checks.values())
    assert document["realised"][0]["customers"] == CUSTOMERS


def test_a_total_outside_the_band_asks_for_a_refit(ask):
    document, checks = ask(factor=1.4)
    assert not_ok(checks) == {"total": "act", "tracking": "act"}
    assert checks["total"]["figure"] == pytest.approx(0.4, abs=0.06)
    assert "clv train --promote" in checks["total"]["next"]
    assert document["tracking"]["refit"] is True


def test_churn_that_was_said_too_low_is_found(ask):
    _, checks = ask(shift=-0.2)
    assert not_ok(checks) == {"calibration": "act"}


@pytest.mark.parametrize(("high", "found"), [(49.0, "act"), (51.0, "ok")])
def test_intervals_that_miss_are_found(ask, high, found):
    _, checks = ask(high=high)
    assert checks["coverage"]["status"] == found


def test_drift_counts_by_what_the_model_uses(ask):
    _, checks = ask(moved=0.5)
    assert checks["inputs"]["status"] == "act"
    assert checks["inputs"]["figure"] == 0.75
    _, checks = ask(moved=0.5, weights={"x": 1.0, "y": 99.0})
    assert checks["inputs"]["status"] == "ok"
    assert checks["scores"]["status"] == "act"


def test_a_column_that_lost_its_values_is_named(ask):
    _, checks = ask(lost=0.3)
    assert checks["unknown"]["status"] == "watch"
    assert checks["unknown"]["sentence"].startswith("y is unknown or unseen for 30%")


def test_old_orders_stop_only_where_asked(ask):
    assert ask()[1]["freshness"]["figure"] == 2
    assert ask(limits=Limits(stale_days=1))[1]["freshness"]["status"] == "act"
    # Fresh orders, and scores of months ago.
    assert ask(limits=Limits(stale_days=5))[1]["freshness"]["status"] == "watch"


def test_nothing_is_judged_before_a_horizon_is_complete(ask):
    document, checks = ask(days=(dt.date(2025, 4, 30),))
    assert checks["total"]["status"] == "unknown"
    assert document["next_complete"] == "2025-07-29"
    assert "2025-07-29" in checks["total"]["sentence"]
    # Orders that are reported late complete a horizon later.
    assert ask(reporting_delay_days=1)[1]["total"]["status"] == "unknown"


def test_tables_that_a_later_model_learned_from_are_shown_and_not_held_against_it(ask):
    past = (dt.date(2025, 1, 20), AS_OF)
    document, checks = ask(factor=1.4, days=past)
    assert [r["as_of"] for r in document["realised"]] == ["2025-01-20", "2025-01-31"]
    assert checks["total"]["status"] == "act"


def test_a_refitted_model_is_not_blamed_for_the_one_before(world, ask, tmp_path):
    tables, _ = world
    ask(factor=1.4)
    old = PastScores(AS_OF, 1, next(tmp_path.iterdir()), HORIZON, 0.0, 0.9)
    new = replace(old, model_version=2, as_of=dt.date(2025, 5, 1))
    for learned, status in ((dt.date(2025, 5, 1), "unknown"), (AS_OF, "act")):
        model = ModelInUse("clv", learned, weights={}, drift=None)
        found = monitor(make_histories(tables), (new, old), model, now=NOW)
        assert {c.name: c.status for c in found.checks}["total"] == status
        assert len(found.realised) == 1
        assert bool(found.notes) is (status == "unknown")


def test_few_customers_say_nothing(world, ask, tmp_path):
    tables, _ = world
    ask()
    path = next(tmp_path.iterdir())
    pd.read_parquet(path).head(50).to_parquet(path)
    table = PastScores(AS_OF, 2, path, HORIZON, 0.0, 0.9)
    model = ModelInUse("clv", AS_OF, weights={}, drift=None)
    found = monitor(make_histories(tables), (table,), model, now=NOW)
    assert {c.status for c in found.checks} == {"ok", "unknown"}
