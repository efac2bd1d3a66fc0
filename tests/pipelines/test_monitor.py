"""clv monitor: loud with exit code 5 when something must be done, and only then."""

import datetime as dt
import json

import pandas as pd
import pytest
import yaml

ACT = 5


@pytest.fixture(scope="module")
def purchases():
    """Return two years of orders of customers who keep buying; an oracle can count them."""
    rows = [
        (f"c{k:03d}", f"{k}-{n}", pd.Timestamp("2023-01-01") + pd.Timedelta(days=k % 60 + 30 * n))
        for k in range(260)
        for n in range(24)
        if (k * 7 + n * 3) % 5 < 3
    ]
    frame = pd.DataFrame(rows, columns=["customer_id", "order_id", "ordered_at"])
    return frame.assign(amount=20.0 + frame.index % 17)


@pytest.fixture
def config(tmp_path, purchases):
    """Write settings and tables up to a day, and later more of them."""
    data = tmp_path / "data"
    data.mkdir()
    settings = {
        "sources": {"folder": str(data)},
        "terms": {"currency": "EUR"},
        "training": {"horizon_days": 30, "cutoffs": 3, "folds": 1, "trees": 5},
    }

    def write(until, *, orders=purchases, **more):
        known = orders[orders.ordered_at <= pd.Timestamp(until)]
        known.to_parquet(data / "orders.parquet", index=False)
        path = tmp_path / "settings.yaml"
        path.write_text(yaml.safe_dump(settings | more), encoding="utf-8")
        return path

    return write


def test_a_night_after_another(clv, config, purchases, tmp_path):
    seen = clv("monitor", "--config", config("2024-06-30"))
    assert seen.code == 3
    assert "Run `clv score`" in seen.err

    for words in (("train",), ("score", "--model", "models:/clv@challenger")):
        seen = clv(*words, "--config", config("2024-06-30"))
        assert seen.code == 0, seen.err
    last = dt.date(2024, 6, 30)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700
    seen = clv("monitor", "--config", config(last.isoformat()))
    found = json.loads((tmp_path / "out" / "monitoring.json").read_text(encoding="utf-8"))
    checks = {check["name"]: check for check in found["checks"]}
    assert found["realised"] == []
    assert checks["total"]["status"] == "unknown"
    assert "total, tracking, prospects, coverage, calibration: unknown. No score" in seen.out
    assert dt.date.fromisoformat(found["next_complete"]) > last
    assert {c["name"] for c in found["drift"]["columns"]} >= {"frequency", "clv", "p_churn"}
    assert seen.code == (ACT if found["status"] == "act" else 0), seen.err

    # Everybody spends four times as much: the forecast was too low.
    dearer = purchases.assign(
        amount=purchases.amount.where(purchases.ordered_at <= pd.Timestamp(last), 200.0)
    )
    later = config("2024-08-15", orders=dearer)
    seen = clv("monitor", "--config", later)
    assert seen.code == ACT
    assert "total: As of 2024-06-30" in seen.err
    assert "clv train --promote" in seen.err
    found = json.loads((tmp_path / "out" / "monitoring.json").read_text(encoding="utf-8"))
    ahead = dearer[
        (dearer.ordered_at >= pd.Timestamp("2024-07-01"))
        & (dearer.ordered_at < pd.Timestamp("2024-07-31"))
    ]
    # The model discounts by 10 % a year; over 30 days that is less than one in a hundred.
    assert found["realised"][0]["actual"] == pytest.approx(ahead.amount.sum(), rel=0.01)
    assert "clv report" not in seen.err

    seen = clv("monitor", "--config", config("2024-08-15", monitoring={"fail": False}))
    assert seen.code == 0, seen.err
    seen = clv("report", "--config", later)
    assert seen.code == 0, seen.err


def test_a_report_tells_of_the_model_that_made_the_scores(clv, config, tmp_path):
    """A version trained after it, such as one that the gate stopped, is not in the report."""
    out = tmp_path / "out"
    given = ("--config", config("2024-06-30"))
    for words in (("train",), ("score", "--model", "models:/clv/1"), ("report",)):
        seen = clv(*words, *given)
        assert seen.code == 0, seen.err
    first = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert first["trust"]["versions"]["model"] == "clv 1"
    backtest = json.loads((out / "backtest.json").read_text(encoding="utf-8"))

    seen = clv("train", *given, "--horizon-days", 60)
    assert seen.code == 0, seen.err
    assert json.loads((out / "backtest.json").read_text(encoding="utf-8")) != backtest
    seen = clv("report", *given)
    assert seen.code == 0, seen.err
    again = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert again["horizon_days"] == 30
    assert again["trust"]["folds"] == [fold["as_of"] for fold in backtest["folds"]]
    for part in ("answer", "trust"):
        assert again[part] == first[part], part
