"""The laws that every feature keeps, whatever it computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import assume, given

from clv.engines.duckdb import DuckDBEngine
from clv.events.histories import PARTS_READ, make_histories
from clv.features.table import build_feature_table
from tests.laws.strategies import (
    CUTOFF,
    Frames,
    as_known,
    companies,
    company,
    held,
    lawful,
    shuffled,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

Engines = dict[int, DuckDBEngine]


@pytest.fixture(scope="module")
def engines() -> Iterator[dict[int, DuckDBEngine]]:
    """One engine with one thread, and one with two."""
    with DuckDBEngine(threads=1) as one, DuckDBEngine(threads=2) as two:
        yield {1: one, 2: two}


def built(engine: DuckDBEngine, frames: Frames) -> pd.DataFrame:
    return build_feature_table(make_histories(held(engine, frames)), CUTOFF).to_pandas()


def same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(left, right, check_exact=True)


@lawful
@given(companies())
def test_later_rows_and_later_facts_change_nothing(engines: Engines, frames: Frames) -> None:
    same(built(engines[1], frames), built(engines[1], as_known(frames)))


@lawful
@given(companies())
def test_row_order_and_threads_change_nothing(engines: Engines, frames: Frames) -> None:
    same(built(engines[1], frames), built(engines[2], shuffled(frames, 1)))


@lawful
@given(companies())
def test_a_customer_alone_is_as_in_the_batch(engines: Engines, frames: Frames) -> None:
    tables = held(engines[1], frames)
    histories = make_histories(tables)
    batch = build_feature_table(histories, CUTOFF).to_pandas()
    assume(not batch.empty)
    one = batch.customer_id.iloc[len(batch) // 2]
    alone = build_feature_table(histories, CUTOFF, customers=[one])
    same(alone.to_pandas(), batch[batch.customer_id == one].reset_index(drop=True))


def test_parts_of_any_size_give_the_same_bytes(engines: Engines) -> None:
    tables = held(engines[1], company(8))
    whole = build_feature_table(make_histories(tables), CUTOFF).to_pandas()
    histories = make_histories(tables, part_rows=60)
    assert len(histories.parts) > PARTS_READ
    same(build_feature_table(histories, CUTOFF).to_pandas(), whole)


def test_any_chunk_size_gives_the_same_bytes(engines: Engines) -> None:
    table = build_feature_table(make_histories(held(engines[2], company(7))), CUTOFF)
    whole = table.to_pandas()
    for rows in (1, 7, 1000):
        chunks = list(table.chunks(rows))
        assert all(len(chunk) == rows for chunk in chunks[:-1])
        same(pd.concat(chunks, ignore_index=True), whole)
    assert whole.customer_id.is_monotonic_increasing


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_has_more_than_nine_significant_digits(engines: Engines, seed: int) -> None:
    frame = built(engines[1], company(seed)).select_dtypes("float64")
    for name in frame:
        for value in frame[name].dropna():
            assert float(f"{value:.8e}") == value, name
