"""The builder on companies small enough to reckon by hand."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from clv.contract.tables import DataOptions, Tables
from clv.engines.duckdb import DuckDBEngine
from clv.engines.physical import significant
from clv.errors import UsageError, WindowError
from clv.events.histories import make_histories
from clv.features.table import build_feature_table
from clv.labels.outcomes import build_outcomes
from clv.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = dt.date(2025, 1, 31)


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDBEngine]:
    with DuckDBEngine(threads=1) as one:
        yield one


def frame(*rows: tuple[object, ...], names: str) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=names.split())
    for name in made.columns[made.columns.str.endswith("_at")]:
        made[name] = pd.to_datetime(made[name], format="ISO8601")
    return made


ORDERS = frame(
    ("o1", "a", "2025-01-02", 8.0, None),
    ("o2", "a", "2025-01-12", 5.0, None),
    ("o3", "a", "2025-01-12", 3.0, None),
    ("r1", "a", "2025-01-14", -5.0, "o2"),
    ("r2", "a", "2025-01-15", -1.0, None),
    ("o4", "b", "2025-01-20", 0.0, None),
    ("o5", "c", "2025-02-20", 9.0, None),
    names="order_id customer_id ordered_at amount refund_of",
)


def features(engine: DuckDBEngine, day: dt.date = DAY, **frames: pd.DataFrame) -> pd.DataFrame:
    table = build_feature_table(make_histories(Tables.from_frames(engine, frames)), day)
    return table.to_pandas().set_index("customer_id")


def test_a_refund_voids_its_order_once_it_is_known(engine: DuckDBEngine) -> None:
    names = ["frequency", "monetary_value", "orders_ever", "spend_ever", "last_order"]
    before = features(engine, dt.date(2025, 1, 13), orders=ORDERS).loc["a", names]
    after = features(engine, orders=ORDERS).loc["a", names]
    assert before.tolist() == [1, 8, 3, 16, 3]
    assert after.tolist() == [1, 3, 2, 10, 3]


def test_a_zero_amount_order_is_a_purchase(engine: DuckDBEngine) -> None:
    row = features(engine, orders=ORDERS).loc["b"]
    assert (row.frequency, row.age_days, row.orders_ever, row.spend_ever) == (0, 11, 1, 0)


def test_whoever_comes_later_is_not_there_yet(engine: DuckDBEngine) -> None:
    customers = frame(
        ("d", "2025-01-31"), ("e", "2025-02-01"), ("f", None), names="customer_id signed_up_at"
    )
    rows = features(engine, orders=ORDERS, customers=customers)
    assert list(rows.index) == ["a", "b", "d", "f"]
    assert rows.loc["d", ["frequency", "orders_ever", "signed_up_days"]].isna().tolist() == [
        True,
        False,
        False,
    ]


def test_what_is_not_given_is_left_out_with_a_note_per_table(engine: DuckDBEngine) -> None:
    table = build_feature_table(make_histories(Tables.from_frames(engine, {"orders": ORDERS})), DAY)
    notes = {note.where: note for note in table.notes}
    assert set(notes) == {"orders", "customers", "interactions", "surveys", "features"}
    assert "orders.margin" in notes["orders"].message
    assert not any(f.table == "interactions" for f in table.features.values())
    assert (table.to_pandas().margin_ratio == 1.0).all()


def test_a_margin_rate_is_the_margin_ratio(engine: DuckDBEngine) -> None:
    tables = Tables.from_frames(engine, {"orders": ORDERS}, DataOptions(margin_rate=0.25))
    rows = build_feature_table(make_histories(tables), DAY).to_pandas()
    assert np.allclose(rows.margin_ratio, 0.25)
    assert rows.margin_ever.iloc[0] == pytest.approx(2.5)


def test_first_contact_resolution_is_unknown_until_it_is_settled(engine: DuckDBEngine) -> None:
    contacts = frame(
        ("i1", "a", "voice", "2025-01-03", "2025-01-03"),
        names="interaction_id customer_id channel started_at resolved_at",
    )
    days = (dt.date(2025, 1, 9), dt.date(2025, 1, 10))
    known = [
        features(engine, day, orders=ORDERS, interactions=contacts).loc["a", "fcr_ever"]
        for day in days
    ]
    assert np.isnan(known[0])
    assert known[1] == 1.0
    silent = features(engine, orders=ORDERS, interactions=contacts.drop(columns="resolved_at"))
    assert "fcr_ever" not in silent
    assert silent.loc["a", "repeat_contact_ever"] == 0.0


def test_a_low_score_makes_a_contact_a_bad_experience_once_it_is_given(
    engine: DuckDBEngine,
) -> None:
    contacts = frame(
        ("i1", "a", "voice", "2025-01-03"), names="interaction_id customer_id channel started_at"
    )
    surveys = frame(
        ("s1", "a", "i1", "csat", 2.0, "2025-01-20"),
        names="survey_id customer_id interaction_id kind score responded_at",
    )
    bad = [
        features(engine, day, orders=ORDERS, interactions=contacts, surveys=surveys).loc[
            "a", "bad_experiences_ever"
        ]
        for day in (dt.date(2025, 1, 19), dt.date(2025, 1, 20))
    ]
    assert bad == [0.0, 1.0]


def test_chunks_of_nothing_are_refused(engine: DuckDBEngine) -> None:
    table = build_feature_table(make_histories(Tables.from_frames(engine, {"orders": ORDERS})), DAY)
    with pytest.raises(UsageError, match="1 or more"):
        next(table.chunks(0))


def test_rounding_keeps_nine_digits_and_drops_what_is_no_number(engine: DuckDBEngine) -> None:
    values = [0.0, -0.0, 1 / 3, -2e5 / 3, 123456789.123, 1e-9 / 7, 1e15 / 7, np.inf, 1e-300]
    table = engine.frame(pd.DataFrame({"n": range(len(values)), "x": values}))
    rows = engine.to_pandas(table.mutate(y=significant(table.x)).order_by("n"))
    expected = [float(f"{value:.8e}") for value in values[:7]]
    assert rows.y.tolist()[:7] == pytest.approx(expected, rel=1e-15, abs=0)
    assert np.isnan(rows.y.iloc[7])
    assert rows.y.iloc[8] == 0.0


def test_outcomes_discount_by_day_and_count_refunds_when_they_come(engine: DuckDBEngine) -> None:
    tables = Tables.from_frames(engine, {"orders": ORDERS})
    window = Window(dt.date(2025, 1, 12), 8)
    plain = build_outcomes(make_histories(tables), window)
    assert plain.customer_id.tolist() == ["a"]
    row = plain.iloc[0]
    assert (row.value, row.revenue, row.purchases, row.churned) == (-6, -6, 0, 1)
    later = build_outcomes(make_histories(tables), window, discount_rate_annual=0.1).iloc[0]
    expected = -5 * 1.1 ** (-2 / 365) - 1.1 ** (-3 / 365)
    assert later.value == pytest.approx(expected, rel=1e-8)
    assert later.value_undiscounted == -6


def test_a_horizon_past_the_data_is_refused(engine: DuckDBEngine) -> None:
    tables = Tables.from_frames(engine, {"orders": ORDERS})
    with pytest.raises(WindowError, match="2025-02-20"):
        build_outcomes(make_histories(tables), Window(dt.date(2025, 2, 1), 20))
    with pytest.raises(UsageError, match="horizon_days"):
        build_outcomes(make_histories(tables), Window(dt.date(2025, 2, 1)))
