"""Ids of one table that the others know: contacts of nobody who buys are found and stop a run."""

import datetime as dt

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv.contract.check import check, examine
from clv.contract.matching import match_lines, measure_matches
from clv.contract.tables import DataOptions, Tables
from clv.engines.connect import connect
from clv.errors import DataError
from clv.events.histories import make_histories
from clv.features.table import build_feature_table
from clv.labels.outcomes import build_outcomes
from clv.sources.frames import read_frames
from clv.windows import Window
from tests.rounds import cases

LOADED = dt.datetime(2025, 6, 1, tzinfo=dt.UTC)
BUYERS = [f"{k:05d}" for k in range(4200, 4300)]
FORCE18 = [f"001A0000{k:07d}AAA" for k in range(100)]


@pytest.fixture(scope="module")
def engine():
    with connect(threads=1) as engine:
        yield engine


def orders(ids):
    return pd.DataFrame(
        {"order_id": [f"o{k}" for k in range(len(ids))], "customer_id": ids,
         "ordered_at": pd.Timestamp("2025-01-02"), "amount": 10.0}
    )  # fmt: skip


def contacts(ids):
    return pd.DataFrame(
        {"interaction_id": [f"i{k}" for k in range(len(ids))], "customer_id": ids,
         "channel": "voice", "started_at": pd.Timestamp("2025-01-03T10:00")}
    )  # fmt: skip


def customers(ids):
    return pd.DataFrame({"customer_id": ids})


def checked(engine, folder, **frames):
    raw = read_frames(engine, frames, None)
    return check(raw, DataOptions(), quarantine=folder / "q", loaded_at=LOADED)


BROKEN = {
    "point_zero": (BUYERS, [f"{name}.0" for name in BUYERS], "100 end in .0"),
    "zeros": (BUYERS, [str(int(name)) for name in BUYERS], "100 would match with the zeros"),
    "scientific": (
        [str(4_912_345_000_000 + k) for k in range(100)],
        [f"4.9123{k:02d}E+12" for k in range(100)],
        "100 are in scientific notation",
    ),
    "fifteen": (FORCE18, [name[:15] for name in FORCE18], "100 would match by their first 15"),
    "letters": (FORCE18, [f" {name.lower()}" for name in FORCE18], "100 would match but for"),
}


@pytest.mark.parametrize("shape", BROKEN)
def test_contacts_of_nobody_stop_the_run_and_say_what_their_ids_look_like(engine, tmp_path, shape):
    bought, called, said = BROKEN[shape]
    with pytest.raises(DataError) as caught:
        checked(engine, tmp_path, orders=orders(bought), interactions=contacts(called))
    text = str(caught.value)
    assert caught.value.exit_code == 3
    assert text.startswith("interactions.customer_id: 0 of 100 ids (0.0%) are in orders; of the")
    assert said in text
    assert "quality.least_match" in text
    assert "\n" not in text
    assert not any(name in text for name in (*bought, *called))


def test_ids_are_not_mended_in_silence_but_counted(engine, tmp_path):
    called = [*BUYERS[:60], *(f"{name}.0" for name in BUYERS[60:])]
    found = checked(engine, tmp_path, orders=orders(BUYERS), interactions=contacts(called))
    (note,) = [n for n in found.tables.notes if n.code == "ids_unknown"]
    assert note.count == 40
    assert "60 of 100 ids (60.0%) are in orders; of the 40 others 40 end in .0" in note.message
    listed = found.validation.as_dict()["matches"]
    assert {"table": "interactions", "known": 60, "ids": 100}.items() <= listed[-1].items()


def test_what_is_ordinary_stops_nothing(engine, tmp_path):
    """Sign-ups who never bought, buyers who never called, and a list of few loyal ones."""
    signed_up = [*BUYERS, *(f"s{k}" for k in range(900))]
    found = checked(
        engine, tmp_path,
        orders=orders(BUYERS), customers=customers(signed_up), interactions=contacts(BUYERS[:5]),
    )  # fmt: skip
    assert not [n for n in found.tables.notes if n.code == "ids_unknown"]
    checked(engine, tmp_path, orders=orders(BUYERS), customers=customers(BUYERS[:30]))
    strangers = [f"s{k}" for k in range(19)]
    checked(engine, tmp_path, orders=orders(BUYERS), interactions=contacts(strangers))


def test_check_says_every_share_and_what_few_surveyed_contacts_mean_is_ordinary(engine, tmp_path):
    """A survey of customers who were never in contact is no fault; one of no customer is."""
    asked = pd.DataFrame(
        {"survey_id": [f"s{k}" for k in range(50)], "customer_id": BUYERS[50:], "kind": "nps",
         "score": 9, "responded_at": pd.Timestamp("2025-01-05")}
    )  # fmt: skip
    found = checked(
        engine, tmp_path, orders=orders(BUYERS), interactions=contacts(BUYERS[:50]), surveys=asked
    )
    assert match_lines(found.validation.matches) == (
        "orders.customer_id: of 100 ids 50.0% are in interactions, 50.0% are in surveys",
        "interactions.customer_id: of 50 ids 100.0% are in orders, 0.0% are in surveys",
        "surveys.customer_id: of 50 ids 100.0% are in orders, 0.0% are in interactions",
    )
    lost = asked.assign(customer_id=[f"{name}.0" for name in BUYERS[50:]])
    with pytest.raises(DataError, match=r"^surveys\.customer_id: 0 of 50 .* 50 end in \.0"):
        checked(engine, tmp_path, orders=orders(BUYERS), surveys=lost)


def test_a_shop_and_a_desk_with_different_ids_stop_the_run(engine, tmp_path):
    """All contacts are of listed customers, and none of those ever bought."""
    desk = [f"{name}.0" for name in BUYERS]
    with pytest.raises(DataError, match=r"^orders\.customer_id: 0 of 100 ids .*customers"):
        checked(
            engine, tmp_path,
            orders=orders(BUYERS), customers=customers(desk), interactions=contacts(desk),
        )  # fmt: skip


def test_unknown_callers_are_counted_and_nobodys_customers(engine, tmp_path):
    """No violation, no quarantine, no row of the feature table, no outcome."""
    called = [*BUYERS[:50], *(f"caller{k}" for k in range(30))]
    bought = orders(BUYERS)
    bought.loc[99, "ordered_at"] = pd.Timestamp("2025-03-01")
    raw = read_frames(
        engine,
        {"orders": bought, "customers": customers([*BUYERS, "new"]),
         "interactions": contacts(called)},
        None,
    )  # fmt: skip
    found = examine(raw, DataOptions(), quarantine=tmp_path / "q", loaded_at=LOADED)
    assert found.validation.tables["interactions"].quarantined == 0
    table = build_feature_table(make_histories(found.tables), dt.date(2025, 1, 31))
    scored = set(table.to_pandas().customer_id)
    assert scored == {*BUYERS, "new"}
    outcomes = build_outcomes(
        make_histories(found.tables),
        Window(dt.date(2025, 1, 31), 1),
        discount_rate_annual=0.0,
        prospects=True,
    )
    assert set(outcomes.customer_id) == scored
    table.close()


def test_without_a_list_of_customers_callers_are_prospects(engine, tmp_path):
    found = checked(engine, tmp_path, orders=orders(BUYERS), interactions=contacts(["a", "b"]))
    table = build_feature_table(make_histories(found.tables), dt.date(2025, 1, 31))
    assert {"a", "b"} < set(table.to_pandas().customer_id)
    table.close()


IDS = st.text(st.sampled_from("0123.E+aA "), min_size=1, max_size=6)


@settings(max_examples=cases(8))
@given(bought=st.sets(IDS, min_size=1, max_size=30), called=st.sets(IDS, min_size=1, max_size=30))
def test_shares_are_those_of_sets(engine, bought, called):
    """Whatever ids look like; and no sentence ever holds one that is not a number."""
    frames = {"orders": orders(sorted(bought)), "interactions": contacts(sorted(called))}
    found = measure_matches(Tables.from_frames(engine, frames))
    known = len(bought & called)
    by_place = {(m.table, m.others, m.at_fault): m for m in found}
    fault = by_place["interactions", ("orders",), True]
    assert (fault.ids, fault.known) == (len(called), known)
    other = by_place["orders", ("interactions",), False]
    assert (other.ids, other.known) == (len(bought), known)
    assert all(0 <= count <= fault.unknown for count in fault.shapes.values())
