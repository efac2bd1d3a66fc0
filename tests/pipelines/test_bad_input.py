"""Bad input: one line that says what, where, expected and next, and the right exit code."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from clv.pipelines.running.documents import READ

from clv.features.customers import RESERVED
from clv.models.training.panel import OUTCOMES
from clv.sinks import SCORES

USAGE, DATA, MODEL, REGISTRY, DISK = 2, 3, 4, 6, 9


def first(frame, column, value, rows=1):
    """Return the frame with the first rows of a column replaced."""
    changed = frame.copy()
    changed[column] = changed[column].astype(object)
    changed.loc[changed.index[:rows], column] = value
    return changed


def as_text(frame):
    return frame.assign(**{name: frame[name].astype(str) for name in frame.columns})


SERVICE = ("interactions", "messages", "surveys", "agents", "agent_days", "assignments")
BESIDE = ("customers", *SERVICE)


STOPS = {
    "empty table": (lambda o: o.iloc[:0], "orders: the table is empty"),
    "missing column": (lambda o: o.drop(columns="amount"), "orders: missing column 'amount'"),
    "wrong type": (lambda o: o.assign(amount="many"), "orders.amount: none of"),
    "unparsable dates": (lambda o: o.assign(ordered_at="soon"), "orders.ordered_at: none of"),
    "two currencies": (lambda o: first(o, "currency", "CHF", 3), "orders.currency: 2 currencies"),
    "duplicate ids": (lambda o: o.assign(order_id="o1"), "break the contract"),
    "future dates": (
        lambda o: o.assign(ordered_at=o.ordered_at + pd.Timedelta(days=36500)),
        "break the contract",
    ),
}


@pytest.mark.parametrize("case", STOPS)
def test_orders_that_cannot_be_used_stop_the_run(case, company, folder, clv):
    change, message = STOPS[case]
    seen = clv("validate", "--data", folder(orders=change(company["orders"]), absent=BESIDE))
    assert seen.code == DATA
    assert message in seen.err
    assert seen.err.count("\n") == 1


QUARANTINED = {
    "unparsable date": ("ordered_at", "soon"),
    "amount that is no number": ("amount", "ten"),
    "infinite amount": ("amount", "inf"),
    "no customer": ("customer_id", None),
}


@pytest.mark.parametrize("case", QUARANTINED)
def test_a_bad_row_is_quarantined_and_nothing_is_lost(case, company, folder, clv):
    column, value = QUARANTINED[case]
    orders = first(as_text(company["orders"].drop(columns="refund_of")), column, value)
    data = folder(orders=orders, csv=("orders",), absent=BESIDE)
    seen = clv("validate", "--data", data)
    assert seen.code == 0, seen.err
    rows = len(orders)
    assert f"orders: {rows - 1:,} of {rows:,} rows accepted, 1 quarantined" in seen.out


def test_a_folder_that_is_not_there(clv, tmp_path):
    seen = clv("validate", "--data", tmp_path / "nowhere")
    assert seen.code == DATA
    assert "nowhere" in seen.err


def test_a_table_that_is_missing(folder, clv):
    seen = clv("validate", "--data", folder(absent=("orders",)))
    assert seen.code == DATA
    assert "orders" in seen.err


def test_interactions_of_unknown_customers_are_counted_and_kept(company, folder, clv):
    contacts = first(company["interactions"], "customer_id", "ghost")
    seen = clv("validate", "--data", folder(interactions=contacts, absent=SERVICE[1:]))
    assert seen.code == 0, seen.err
    rows = len(contacts)
    assert f"interactions: {rows:,} of {rows:,} rows accepted" in seen.out
    assert "quarantined" not in seen.out.replace('"quarantined": 0', "")


def test_ids_keep_their_zeros_and_words_their_signs(company, folder, clv):
    ids = {old: f"{k:05d}🙂" for k, old in enumerate(company["customers"].customer_id.unique())}
    changed = {
        name: frame.assign(customer_id=frame.customer_id.map(ids))
        for name, frame in company.items()
        if "customer_id" in frame
    }
    changed["customers"] = changed["customers"].assign(referred_by=None)
    absent = ("messages", "agent_days", "assignments")
    seen = clv("validate", "--data", folder(**changed, csv=("orders", "customers"), absent=absent))
    assert seen.code == 0, seen.err
    assert "quarantined" not in seen.out.replace('"quarantined": 0', "")


@pytest.mark.parametrize("day", ["1990-01-01", "2090-01-01"])
def test_a_cutoff_outside_the_data(day, folder, clv):
    seen = clv("train", "--data", folder(absent=SERVICE), "--as-of", day, "--horizon-days", 90)
    assert seen.code == DATA
    assert day in seen.err


def test_a_horizon_longer_than_the_data(folder, clv):
    seen = clv("train", "--data", folder(absent=SERVICE), "--horizon-days", 9000)
    assert seen.code == DATA
    assert "9000 days" in seen.err


def test_a_date_that_is_none(folder, clv):
    seen = clv("score", "--data", folder(), "--as-of", "yesterday")
    assert seen.code == USAGE
    assert "expected YYYY-MM-DD" in seen.err


def test_a_misspelt_setting(clv, tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("training: {horizn_days: 3}", encoding="utf-8")
    seen = clv("train", "--config", path)
    assert seen.code == USAGE
    assert "Did you mean 'horizon_days'?" in seen.err


def test_a_registry_out_of_reach(folder, clv, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    seen = clv("score", "--data", folder())
    assert seen.code == REGISTRY
    assert "127.0.0.1:9" in seen.err


def test_no_champion_yet(folder, clv):
    seen = clv("score", "--data", folder())
    assert seen.code == REGISTRY
    assert "clv train --promote" in seen.err


def test_a_workspace_that_is_a_file(folder, clv, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.write_text("", encoding="utf-8")
    seen = clv("validate", "--data", folder(), workspace=blocked / "out")
    assert seen.code == DISK
    assert "Not a directory" in seen.err


def test_nothing_to_report(clv):
    seen = clv("report")
    assert seen.code == DATA
    assert "holds no results to report" in seen.err


def test_no_customer_text_in_an_unexpected_error(clv, monkeypatch, folder):
    def burst(*_):
        raise ValueError("row: canary@example.com")

    monkeypatch.setattr("clv.sources.reading.read_sources", burst)
    seen = clv("validate", "--data", folder())
    assert seen.code == 1
    assert "canary" not in seen.err + seen.out
    assert "unexpected ValueError; run again with --debug" in seen.err


def test_a_defect_is_not_laid_at_the_door_of_what_an_earlier_command_read(
    clv, monkeypatch, folder, tmp_path
):
    edited = tmp_path / "backtest.json"
    edited.write_text("{}", encoding="utf-8")
    READ.read(edited)
    assert READ.changed() == [edited]

    def burst(*_):
        raise ValueError

    monkeypatch.setattr("clv.sources.reading.read_sources", burst)
    seen = clv("validate", "--data", folder())
    assert seen.code == 1
    assert "unexpected ValueError" in seen.err


def purchases(rows, seed=0):
    """Return orders of one row per purchase: (customer, day)."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2024-01-01")
    return pd.DataFrame(
        {
            "order_id": [f"o{k}" for k in range(len(rows))],
            "customer_id": [customer for customer, _ in rows],
            "ordered_at": [start + pd.Timedelta(days=int(day)) for _, day in rows],
            "amount": rng.gamma(3.0, 10.0, len(rows)).round(2),
        }
    )


def only_orders(tmp_path, orders):
    target = tmp_path / "orders-only"
    target.mkdir()
    orders.to_parquet(target / "orders.parquet", index=False)
    return target


def test_one_customer_only_is_refused(clv, tmp_path):
    orders = purchases([("c1", day) for day in range(0, 400, 10)])
    seen = clv("train", "--data", only_orders(tmp_path, orders), "--horizon-days", 30)
    assert seen.code == MODEL
    assert "customers" in seen.err


DEGENERATE = {
    "no repeat customer": [(f"c{k}", k % 400) for k in range(400)],
    "all churned": [(f"c{k}", day) for k in range(200) for day in (k % 50, 60 + k % 30)]
    + [("late", 400)],
    "none churned": [(f"c{k}", day) for k in range(60) for day in range(k % 7, 401, 7)],
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_a_degenerate_base_is_named_and_still_scored_or_refused(case, clv, tmp_path):
    data = only_orders(tmp_path, purchases(DEGENERATE[case]))
    config = tmp_path / "quick.yaml"
    config.write_text("training: {cutoffs: 3, folds: 1, trees: 20}", encoding="utf-8")
    seen = clv("train", "--data", data, "--horizon-days", 30, "--config", config)
    assert seen.code in (0, MODEL), seen.err
    assert "unexpected" not in seen.err
    told = seen.err if seen.code else seen.out
    assert any(word in told for word in ("repeat", "nobody", "alone", "every", "bound", "churn"))


def test_margins_that_are_all_losses_are_refused_by_name(clv, tmp_path):
    orders = purchases(DEGENERATE["none churned"])
    data = only_orders(tmp_path, orders.assign(margin=-0.2 * orders.amount))
    seen = clv("train", "--data", data, "--horizon-days", 30, "--promote")
    assert seen.code == 3
    assert re.search(r"adds up to -[0-9,.]+; expected more than 0\. .* orders\.margin", seen.err)


def test_a_cell_of_ten_megabytes_is_a_cell_like_others(company, folder, clv):
    messages = company["messages"].head(20)
    long = first(messages, "text", "I am so sorry. " * 700_000)
    contacts = company["interactions"]
    contacts = contacts[contacts.interaction_id.isin(messages.interaction_id)]
    absent = ("customers", "surveys", "agents", "agent_days", "assignments")
    data = folder(messages=long, interactions=contacts, csv=("messages",), absent=absent)
    seen = clv("validate", "--data", data)
    assert seen.code == 0, seen.err
    assert "messages: 20 of 20 rows accepted" in seen.out
    assert "sorry" not in seen.out + seen.err
    seen = clv("explain", long.interaction_id.iloc[0], "--data", data)
    assert seen.code == 0, seen.err


def test_a_negative_amount_without_an_order_is_a_refund_and_no_purchase(clv, tmp_path):
    orders = purchases([("c1", 1), ("c1", 30), ("c2", 5)])
    orders.loc[1, "amount"] = -5.0
    seen = clv("validate", "--data", only_orders(tmp_path, orders))
    assert seen.code == 0, seen.err
    assert "orders: 3 of 3 rows accepted" in seen.out


@pytest.mark.parametrize("command", ["train", "score", "check", "attribute"])
def test_a_workspace_that_no_registry_can_lie_in_is_refused_before_any_work(
    command, folder, clv, tmp_path
):
    data = folder()
    for mark in "?%#":
        place = tmp_path / f"a{mark}b"
        seen = clv(command, "--data", data, workspace=place)
        assert seen.code == 2
        assert f"has {mark}, which an address of the model registry cannot have" in seen.err
        assert not place.exists()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ('Kunden-Typ [neu]: "A"', "has ' ', '\"', ':', '[', ']' in it"),
        ("lead,source", "has ',' in it"),
        ("frequency", "is called like a feature or a result of clv"),
        ("churned", "is called like a feature or a result of clv"),
        ("clv", "is called like a feature or a result of clv"),
        ("", "is no name"),
    ],
)
def test_an_attribute_that_cannot_be_a_feature_is_refused_before_any_work(
    name, why, clv, tmp_path, monkeypatch
):
    monkeypatch.setenv("CLV__TERMS__ATTRIBUTES", json.dumps(["region", name]))
    seen = clv("train", "--data", tmp_path / "not there")  # which nobody looks for any more
    assert seen.code == USAGE
    assert why in seen.err
    assert "sources.customers.columns" in seen.err
    assert "not there" not in seen.err


def test_no_attribute_is_called_like_a_column_of_panel_or_scores():
    assert set(SCORES.names) | set(OUTCOMES) <= RESERVED
