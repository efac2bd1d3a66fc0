"""A company made of frames is checked like any other source, whoever's frames they are."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import clv
from clv.errors import QuarantineError, SchemaError, SettingsError, UsageError
from clv.simulation import SimulationOptions, simulate

LOADED_AT = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
CUTOFF = "2025-06-30"


@pytest.fixture(scope="module")
def frames():
    options = SimulationOptions(customers=120, agents=6, transcripts=False)
    made = simulate(options).frames()
    return {name: made[name] for name in ("orders", "customers", "interactions")}


def company(**given):
    return clv.Company.from_frames(loaded_at=LOADED_AT, **given)


@pytest.fixture(scope="module")
def features(frames):
    with company(**frames) as held:
        return held.features(CUTOFF).to_pandas()


FORMS = {
    "polars": pl.from_pandas,
    "arrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "pandas, Arrow": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "pandas, nullable": lambda frame: frame.convert_dtypes(dtype_backend="numpy_nullable"),
    "pandas, categories": lambda frame: frame.astype(
        dict.fromkeys(set(frame) & {"segment", "region", "channel"}, "category")
    ),
    "an index": lambda frame: frame.set_index(frame.columns[0]),
    "another zone": lambda frame: frame.assign(
        **{
            name: column.dt.tz_localize("UTC").dt.tz_convert("Asia/Kolkata")
            for name, column in frame.select_dtypes("datetime").items()
        }
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_whoever_made_the_frames_the_features_are_the_same(frames, features, form):
    with company(**{name: FORMS[form](frame) for name, frame in frames.items()}) as held:
        pd.testing.assert_frame_equal(held.features(CUTOFF).to_pandas(), features)


def test_the_callers_frames_are_left_as_they_were(frames):
    before = {name: frame.copy() for name, frame in frames.items()}
    with company(**frames):
        for name, frame in frames.items():
            pd.testing.assert_frame_equal(frame, before[name])


def changed(frames, column, value, rows=3):
    orders = frames["orders"].copy()
    orders[column] = orders[column].astype(object)
    orders.loc[orders.index[:rows], column] = value
    return orders


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("amount", np.nan, "amount is missing"),
        ("amount", "n/a", "amount is no number"),
        ("amount", np.inf, "amount is NaN or infinite"),
        ("ordered_at", pd.NaT, "ordered_at is missing"),
        ("ordered_at", pd.Timestamp("2036-01-01"), "ordered_at lies after the time of loading"),
        ("customer_id", None, "customer_id is missing"),
        ("order_id", "the same", "a row with this order_id stands before"),
    ],
)
def test_a_bad_row_is_set_aside_and_counted(frames, column, value, why):
    with company(orders=changed(frames, column, value), limit_share=0.5) as held:
        result = held.validation.tables["orders"]
        assert result.rows == len(frames["orders"])
        assert result.quarantined >= 2
        assert any(why in str(note) for note in held.tables.notes)
        kept = pd.read_parquet(next(held.validation.quarantine.glob("orders*")))
        assert len(kept) == result.quarantined


def test_too_many_bad_rows_are_an_error_and_lie_where_it_says(frames):
    orders = frames["orders"].assign(ordered_at=pd.Timestamp("2036-01-01"))
    with pytest.raises(QuarantineError, match=r"100.0%.*See (\S+);") as error:
        company(orders=orders)
    path = str(error.value).split("See ")[1].split(";")[0]
    assert len(pd.read_parquet(path)) == len(orders)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda f: f.drop(columns="amount"), SchemaError, "missing column 'amount'; found 'order"),
        (
            lambda f: f.assign(ordered_at=f.ordered_at.astype("datetime64[s]").astype("int64")),
            SchemaError,
            r"the column is int64; expected time .*cast_time",
        ),
        (
            lambda f: f.assign(ordered_at=f.ordered_at.dt.strftime("%d/%m/%Y")),
            SchemaError,
            r"none of .* is a time .*found '99/99/9999'.*parse_time",
        ),
        (lambda f: f.set_axis(range(f.shape[1]), axis=1), SchemaError, "found 0 of type int"),
        (lambda f: pd.concat([f, f.amount], axis=1), SchemaError, "stand twice: 'amount'"),
        (lambda f: f.to_dict("list"), UsageError, "a dict is no table; expected a pandas or pol"),
        (lambda f: None, UsageError, "orders: no such frame; given were none"),
    ],
)
def test_a_frame_that_cannot_be_meant_is_refused(frames, change, error, message):
    with pytest.raises(error, match=message):
        company(orders=change(frames["orders"]))


def test_a_table_or_column_that_is_misspelt_is_refused(frames):
    orders = frames["orders"]
    with pytest.raises(UsageError, match=r"'order' is no table.*Did you mean 'orders'"):
        company(order=orders)
    with pytest.raises(UsageError, match="columns of 'surveys' are mapped"):
        company(orders=orders, columns={"surveys": {"score": "x"}})
    with pytest.raises(SettingsError, match="no column 'totl'; found 'order_id'"):
        company(orders=orders, columns={"orders": {"amount": "totl"}})


def test_other_names_are_mapped(frames, features):
    orders = frames["orders"].rename(columns={"amount": "Total (net)", "ordered_at": "when"})
    orders["when"] = orders["when"].astype("datetime64[s]").astype("int64")
    columns = {"orders": {"amount": "Total (net)", "ordered_at": "cast_time(when)"}}
    with company(**{**frames, "orders": orders}, columns=columns) as held:
        pd.testing.assert_frame_equal(held.features(CUTOFF).to_pandas(), features)


def test_a_folder_gives_what_frames_give(frames, features, tmp_path):
    for name, frame in frames.items():
        frame.to_parquet(tmp_path / f"{name}.parquet")
    for place in (tmp_path, str(tmp_path), {"folder": str(tmp_path)}):
        with clv.Company.open(place, loaded_at=LOADED_AT) as held:
            assert len(held.features(CUTOFF).to_pandas()) == len(features)
    pd.testing.assert_frame_equal(
        clv.Company.open(tmp_path, loaded_at=LOADED_AT).features(CUTOFF).to_pandas(), features
    )


def test_what_is_made_ready_is_made_once_and_closed_once(frames):
    held = company(orders=frames["orders"])
    assert held.histories is held.histories
    assert held.markers is None
    folder = held.validation.quarantine
    assert folder.is_dir()
    held.close()
    held.close()
    assert not folder.exists()
    assert held.span[0] < held.span[1]
    assert f"{held.span[0]} to {held.span[1]}" in repr(held)


def test_it_does_not_say_that_orders_reach_to_a_stray(frames):
    stray = frames["orders"].iloc[[0]].assign(order_id="stray")
    stray["ordered_at"] = pd.Timestamp("1970-01-02")
    with (
        company(orders=frames["orders"]) as sound,
        company(orders=pd.concat([frames["orders"], stray], ignore_index=True)) as held,
    ):
        assert held.span == sound.span
        assert "1970" not in repr(held)


def test_it_says_what_it_is(frames):
    with company(orders=frames["orders"]) as held:
        first, last = held.span
        count = len(frames["orders"])
        assert repr(held) == f"Company({count:,} orders; {first} to {last}; in USD)"


def test_panels_outcomes_and_contacts_are_asked_of_it(frames):
    with company(**frames) as held:
        panel = held.panel(horizon_days=90)
        assert panel.horizon_days == 90
        outcomes = held.outcomes(CUTOFF, 90)
        assert {"customer_id", "value", "purchases"} <= set(outcomes)
        contacts = held.contacts(90, until="2025-06-30")
        assert contacts["interaction_id"].is_unique
        followed = held.follow_up(90, until="2025-06-30")
        assert followed["interaction_id"].equals(contacts["interaction_id"])


def test_frames_under_names_of_ones_own():
    sales = pd.DataFrame({
        "Invoice No": [1, 2], "Kunde": ["a", "b"], "Datum": ["2.1.2025", "31.3.2025"],
        "Umsatz": ["1.009,50", "5"],
    })  # fmt: skip
    calls = pd.DataFrame({
        "call id": ["c1"], "customer": ["a"], "started at": ["2025-02-01 10:00"],
        "handle (min)": [5],
    })  # fmt: skip
    with clv.Company.guess({"our sales": sales, "calls": calls}) as company:
        assert company.span == (dt.date(2025, 1, 2), dt.date(2025, 3, 31))
        frame = company.tables.engine.to_pandas(company.tables["orders"])
        assert sorted(frame["amount"]) == [50_000, 10_095_000]
        contact = company.tables.engine.to_pandas(company.tables["interactions"]).iloc[0]
        assert (contact["channel"], contact["handle_seconds"]) == ("voice", 300)
    with pytest.raises(SchemaError, match="'pets'"):
        clv.Company.guess({"sales": sales, "pets": pd.DataFrame({"dog": ["rex"], "age": [3]})})
