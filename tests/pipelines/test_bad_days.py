"""Bad nights: the right exit code, advice that helps, and nothing wrong published."""

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
import yaml

TONIGHT = pd.Timestamp("2024-06-30 23:59")
TOMORROW = pd.Timestamp("2024-07-01 23:59")


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tables():
    """Return orders and contacts of customers who keep buying, a day further than published."""
    rng = np.random.default_rng(5)
    orders = pd.DataFrame({"order_id": [f"o{k}" for k in range(9000)]})
    orders["customer_id"] = [f"c{k:03d}" for k in rng.integers(0, 260, len(orders))]
    seconds = rng.integers(0, int((TOMORROW - pd.Timestamp("2023-01-01")).total_seconds()), 9000)
    orders["ordered_at"] = pd.Timestamp("2023-01-01") + pd.to_timedelta(np.sort(seconds), unit="s")
    orders["amount"] = np.round(rng.gamma(4, 10, len(orders)), 2)
    contacts = pd.DataFrame({"interaction_id": [f"i{k}" for k in range(3000)]})
    contacts["customer_id"] = [f"c{k:03d}" for k in rng.integers(0, 260, len(contacts))]
    contacts["channel"] = "voice"
    contacts["started_at"] = orders["ordered_at"].to_numpy()[::3]
    contacts["handle_seconds"] = rng.integers(60, 900, len(contacts)).astype(float)
    return {"orders": orders, "interactions": contacts}


@pytest.fixture(scope="module")
def night(tables, tmp_path_factory):
    """Train and publish once; return what delivers tables and scores the night after it."""
    home = tmp_path_factory.mktemp("nights")
    data, out = home / "data", home / "out"
    data.mkdir()
    settings = {
        "sources": {"folder": str(data)},
        "terms": {"currency": "EUR"},
        "training": {"horizon_days": 30, "cutoffs": 2, "folds": 1, "trees": 5},
        "gate": {"calibration_error": 1, "coverage_low": 0, "coverage_high": 1, "total_bias": 9},
        "scoring": {"sinks": [{"kind": "sql", "url": f"sqlite:///{home}/crm.db"}]},
    }
    config = home / "settings.yaml"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")

    def deliver(clv, *flags, until=TOMORROW, **changed):
        for name, time in (("orders", "ordered_at"), ("interactions", "started_at")):
            frame = tables[name]
            frame = changed.get(name, lambda f: f)(frame[frame[time] <= until])
            frame.to_csv(data / f"{name}.csv", index=False)
        return clv("score", "--config", config, *flags, workspace=out)

    deliver.config, deliver.out, deliver.crm = config, out, f"sqlite:///{home}/crm.db"
    return deliver


@pytest.fixture
def after(night, clv):
    """Publish a good night if there is none yet; say that the bad one after it changed nothing."""

    def told(code, *words, flags=(), until=TOMORROW, **changed):
        if not night.out.exists():
            assert night(clv, until=TONIGHT).code == 6  # no champion yet; the tables are there
            seen = clv("train", "--promote", "--config", night.config, workspace=night.out)
            assert seen.code == 0, seen.err
            seen = night(clv, until=TONIGHT)
            assert seen.code == 0, seen.err
        before = published(night)
        seen = night(clv, *flags, until=until, **changed)
        assert seen.code == code, seen.err
        assert published(night) == before
        for word in words:
            assert word in seen.err
        return seen.err

    return told


def published(night):
    """Return what readers see: the pointer, its scores, and the table in the CRM's database."""
    scores = night.out / "scores"
    with sa.create_engine(night.crm).connect() as connection:
        rows = connection.execute(sa.text("select * from clv_scores_current order by 1")).all()
    return (scores / "_CURRENT").read_text(), rows


def half(frame):
    return frame.sample(frac=0.5, random_state=1)


def test_half_the_orders_at_random(after):
    text = after(5, "orders: 4,", "guards.rows_lost", orders=half)
    assert "in 18 of 18 months" in text
    assert "do not refit" in text


def test_the_older_half_of_the_orders(after):
    after(5, "nearly all of 2023-01 to 2023-", "Nothing was published", orders=lambda f: f[4500:])


def test_an_older_file(after):
    until = pd.Timestamp("2024-06-20")
    after(5, "as of 2024-06-19 is older than what is published", "--allow-older", until=until)


def test_older_contacts_beside_new_orders(after):
    after(
        5,
        "interactions:",
        "they end on 2024-05-31",
        interactions=lambda f: f[f.started_at < "2024-06-01"],
    )


def test_a_file_delivered_twice(after):
    after(3, "orders", "delivered twice", orders=lambda f: pd.concat([f, f]))


def test_a_file_delivered_twice_under_other_ids(after):
    def twice(frame):
        return pd.concat([frame, frame.assign(order_id="x" + frame.order_id)])

    after(5, "is a file there twice under other ids?", "guards.rows_added", orders=twice)


def test_a_column_renamed(after):
    renamed = {"amount": "total_incl_tax"}
    after(
        3,
        "missing column 'amount'",
        "sources.orders.columns",
        orders=lambda f: f.rename(columns=renamed),
    )


def test_amounts_in_cents(after):
    after(5, "total:", "units, currency", orders=lambda f: f.assign(amount=f.amount * 100))


def test_contacts_without_a_row(after):
    after(5, "interactions: ", "or holds no row", interactions=lambda f: f[:0])


def test_ids_of_another_shape(after):
    def other(frame):
        return frame.assign(customer_id="shop-" + frame.customer_id)

    after(5, "do ids look otherwise than before?", orders=other, interactions=other)


def test_what_is_meant_passes_when_the_limit_is_raised(after, night, clv, monkeypatch):
    after(5, "CLV__GUARDS__ROWS_LOST=1", orders=half)
    monkeypatch.setenv("CLV__GUARDS__ROWS_LOST", "1")
    monkeypatch.setenv("CLV__GUARDS__TOTAL_CHANGE", "10")
    seen = night(clv, "--dry-run", orders=half)
    assert seen.code == 0, seen.err


def test_a_first_model_that_fails_its_gate_says_what_would_pass(night, clv, tmp_path, tables):
    """The gate asks the total within a hair at 90 days, and what was tried is what is named."""
    data = tmp_path / "data"
    data.mkdir()
    tables["orders"].to_csv(data / "orders.csv", index=False)
    settings = {
        "sources": {"folder": str(data)},
        "training": {"horizon_days": 90, "cutoffs": 2, "folds": 1, "trees": 5},
        "gate": {"total_bias": 0.0001, "calibration_error": 1, "coverage_low": 0.0},
    }
    config = tmp_path / "settings.yaml"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    seen = clv("train", "--promote", "--config", config)
    assert seen.code == 5
    assert "There is no champion yet" in seen.err
    assert "Tried on the same tables" in seen.err
    assert "training.horizon_days 30 with training.model blend" in seen.err
