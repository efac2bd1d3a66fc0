"""Laws of the contract: two readings agree, nothing is lost, and order does not matter."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from clv.contract import expectations
from clv.contract.check import examine
from clv.contract.tables import DataOptions
from clv.engines.connect import connect
from clv.sources.reading import RawTables

LOADED = dt.datetime(2025, 7, 1, tzinfo=dt.UTC)
LAW = settings(
    deadline=None,
    max_examples=4,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

IDS = ["a", "b", "007", "c3", "é😀", "z", "", " ", None]
TIMES = [
    "2025-01-02", "2025-01-02T10:00", "2025-01-02T10:00Z", "2025-01-02 10:00:00.9999999",
    "2025-01-02T10:00:00.5+02:00", "2025-01-02 10:00:00 +0530", "2025-01-02 23:59:59-11",
    "2024-02-29", "2025-02-29", "2025-13-01", "2025-07-01T00:00:01Z", "2025-07-01", "1899-12-31",
    "2999-12-31T23:59:59Z", "1969-12-31T23:59:59.5Z", " 2025-01-02 ", "02/01/2025", "20250102",
    "2025-01-02T24:00", "1900-01-01T00:00+02:00", "", "  ", None,
]  # fmt: skip
NUMBERS = [
    "0", "1", "2", "3", "4", "5", "6", "11", " 2.50 ", "+3", "-4.5", "1e3", "1E400", "-1e400",
    "1e-400", ".5", "5.", "1_000", "1,000", "0x10", "12 EUR", "nan", "NaN", "inf", "-Infinity",
    "+inf", "++inf", "", "-0.0", "-0.00004", "1e12", "1000000000000.5", "9007199254740993", None,
    "\u0661", "1.7976931348623157e308", "5e-324",
]  # fmt: skip
WORDS = ["voice", "chat", "fax", "VOICE", "csat", "nps", "agent", "", None]
MANY = [*IDS, *map(str, range(200))]
POOLS = {
    "orders": {
        "order_id": MANY,
        "customer_id": IDS,
        "ordered_at": TIMES,
        "amount": NUMBERS,
        "margin": NUMBERS,
        "refund_of": [None, None, *IDS, "o"],
    },
    "customers": {"customer_id": MANY, "signed_up_at": TIMES, "segment": WORDS},
    "interactions": {
        "interaction_id": MANY,
        "customer_id": IDS,
        "channel": WORDS,
        "started_at": TIMES,
        "ended_at": TIMES,
        "handle_seconds": NUMBERS,
        "hold_seconds": NUMBERS,
        "transfers": NUMBERS,
    },
    "messages": {
        "interaction_id": [*IDS, "i"],
        "position": NUMBERS,
        "speaker": WORDS,
        "text": WORDS,
    },
    "surveys": {
        "survey_id": MANY,
        "customer_id": IDS,
        "kind": WORDS,
        "score": NUMBERS,
        "responded_at": TIMES,
    },
}


MIXTURES = st.tuples(
    st.integers(0, 2**32 - 1), st.integers(1, 200), st.sampled_from([0.05, 0.3, 1.0])
)


def drawn(names, mixture):
    """Return rows of each table; a share of their cells is drawn from what goes wrong."""
    seed, count, share = mixture
    generator = np.random.default_rng(seed)

    def cell(name, column, pool):
        if generator.random() >= share and not column.endswith("_id"):
            return SOUND[name][column]
        return pool[generator.integers(len(pool))]

    return {
        name: [{c: cell(name, c, p) for c, p in POOLS[name].items()} for _ in range(count)]
        for name in names
    }


SOUND = {
    "orders": {
        "order_id": "o",
        "customer_id": "a",
        "ordered_at": "2025-01-01T00:00Z",
        "amount": "9.99",
        "margin": "1",
        "refund_of": None,
    },
    "customers": {"customer_id": "z", "signed_up_at": "2025-01-01", "segment": "s"},
    "interactions": {
        "interaction_id": "i",
        "customer_id": "z",
        "channel": "voice",
        "started_at": "2025-01-01T00:00Z",
        "ended_at": "2025-01-01T00:10Z",
        "handle_seconds": "60",
        "hold_seconds": "1",
        "transfers": "0",
    },
    "messages": {"interaction_id": "i", "position": "0", "speaker": "agent", "text": "hello"},
    "surveys": {
        "survey_id": "s",
        "customer_id": "a",
        "kind": "csat",
        "score": "3",
        "responded_at": "2025-01-01",
    },
}
REFUND = SOUND["orders"] | {"order_id": "r", "amount": "-1", "refund_of": "o"}


@pytest.fixture(scope="module")
def engine():
    with connect(threads=1) as engine:
        yield engine


def hold(engine, tables):
    return RawTables(
        engine,
        {
            name: engine.frame(pd.DataFrame(rows, dtype="object").astype("str").where(
                pd.DataFrame(rows, dtype="object").notna(), None))
            for name, rows in tables.items()
        },
    )  # fmt: skip


def judged(engine, tables, folder):
    sound = {name: [*rows, SOUND[name]] for name, rows in tables.items()}
    sound["orders"].append(REFUND)
    return sound, examine(hold(engine, sound), DataOptions(), quarantine=folder, loaded_at=LOADED)


@LAW
@given(mixture=MIXTURES)
def test_great_expectations_counts_alike_and_no_row_is_lost(engine, tmp_path, mixture):
    """``examine`` itself raises where the counts of the two readings differ."""
    tables = drawn(POOLS, mixture)
    given_rows, checked = judged(engine, tables, tmp_path)
    assert set(checked.validation.gx) == set(tables)
    for name, result in checked.validation.tables.items():
        assert result.rows == len(given_rows[name])
        assert result.accepted + result.quarantined == result.rows
        held = engine.to_pandas(checked.tables[name])
        assert len(held) == result.accepted
        assert held[held.columns[0]].notna().all()
        path = tmp_path / f"{name}.parquet"
        assert path.exists() == (result.quarantined > 0)
        if path.exists():
            written = pq.read_table(path).to_pandas()
            assert len(written) == result.quarantined
            listed = [reason for reasons in written["_reasons"] for reason in reasons]
            assert len(set(map(tuple, written["_reasons"]))) >= 1
            assert all(len(reasons) for reasons in written["_reasons"])
            counts = {rule.id: n for rule, n in result.rules.items()}
            assert {r: listed.count(r) for r in set(listed)} == counts
    json.dumps(checked.validation.as_dict(), allow_nan=False)


@LAW
@given(mixture=MIXTURES)
def test_the_order_of_rows_changes_nothing(engine, tmp_path, mixture):
    tables = {name: [*rows, *rows[::2]] for name, rows in drawn(["orders"], mixture).items()}
    generator = np.random.default_rng(mixture[0])
    shuffled = {
        name: [rows[i] for i in generator.permutation(len(rows))] for name, rows in tables.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        same = expectations.SuiteResult(0, sampled=False, success=True, counts={})
        patch.setattr(expectations, "compare", lambda *_, **__: same)
        first = judged(engine, tables, tmp_path / "a")[1]
        second = judged(engine, shuffled, tmp_path / "b")[1]
    assert first.validation.as_dict() == second.validation.as_dict()
    for name in tables:
        path = f"{name}.parquet"
        if (tmp_path / "a" / path).exists():
            left, right = (pq.read_table(tmp_path / side / path).to_pylist() for side in ("a", "b"))
            assert left == right


def test_a_rule_that_miscounts_is_found_out(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(expectations, "LARGEST", 5.0)
    with pytest.raises(expectations.DisagreementError, match=r"too_large.*defect of clv"):
        judged(engine, {"orders": [SOUND["orders"] | {"order_id": "x", "amount": "6"}]}, tmp_path)
