"""A company's own columns never meet ours: whatever they are called, they change nothing."""

from __future__ import annotations

import ast
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import ibis.expr.operations as ops
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import clv
from clv.contract import expectations
from clv.contract.check import examine
from clv.contract.tables import DataOptions
from clv.engines.duckdb import DuckDBEngine
from clv.errors import SchemaError
from clv.events.histories import make_histories
from clv.features.contacts import contacts_before
from clv.features.table import build_feature_table
from clv.markers.contacts import make_markers
from clv.markers.packs import load_pack
from clv.schema import SCHEMA
from clv.sources.names import OWN
from clv.sources.reading import read_sources
from clv.sources.spec import SourceSpec
from clv.windows import Window
from tests.laws.strategies import CUTOFF, Frames, company
from tests.rounds import TORTURED, in_rounds, rounds

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES = 2
LOADED = dt.datetime(2025, 7, 1, tzinfo=dt.UTC)
SEEN_BEFORE = {
    "messages": ["channel", "customer_id", "first_name", "spoken", "started_s", "contact_id"],
    "interactions": ["reference_id", "reference_ok", "any_broken", "broken_0", "at_s"],
    "orders": ["order_ok", "started_s", "named_id", "amount__value", "void_s", "matched"],
    "customers": ["days_ago", "in_90d", "as_of", "own_s", "customer_id_right", "own segment"],
    "surveys": ["about", "whose", "channel"],
}
"""Columns that once changed features, or ended a run."""


class Recording(DuckDBEngine):
    """An engine that keeps every column name of whatever it computes."""

    def __init__(self) -> None:
        super().__init__(threads=1)
        self.seen: set[str] = set()

    def _select(self, expression):
        for relation in expression.op().find(ops.Relation):
            self.seen |= set(relation.schema.names)
        return super()._select(expression)


@pytest.fixture(scope="module", autouse=True)
def _no_second_opinion() -> Iterator[None]:
    """Leave great-expectations out: it sees the contract's columns alone, and takes longest."""
    with pytest.MonkeyPatch.context() as patch:
        verdict = expectations.SuiteResult(0, True, True, {})
        patch.setattr(expectations, "compare", lambda *_, **__: verdict)
        yield


@pytest.fixture(scope="module")
def engine() -> Iterator[Recording]:
    with Recording() as opened:
        yield opened


@pytest.fixture(scope="module")
def frames() -> Frames:
    """Return a small company whose duplicates differ in what it says of the same row."""
    frames = company(3, 12)
    contacts = frames["interactions"]
    texts = ["Hello, I am very upset", "I understand how frustrating this is, Ada", "Thank you"]
    said = [
        {"interaction_id": contact, "position": n, "speaker": who, "text": texts[n]}
        for contact in contacts.interaction_id[:20]
        for n, who in enumerate(("customer", "agent", "customer"))
    ]
    customers = frames["customers"].assign(tier=["gold", "plain"] * 6)
    return frames | {"messages": pd.DataFrame(said), "customers": customers}


@pytest.fixture(scope="module")
def plain(engine, frames, tmp_path_factory) -> dict[str, pd.DataFrame]:
    return results(engine, frames, tmp_path_factory.mktemp("plain"))


def results(engine: Recording, frames: Frames, folder: Path) -> dict[str, pd.DataFrame]:
    """Return the accepted tables, and all that a score is computed from."""
    data = folder / "data"
    data.mkdir()
    for name, frame in frames.items():
        if name == "messages":  # one of the tables as text
            frame.to_csv(data / f"{name}.csv", index=False)
        else:
            frame.to_parquet(data / f"{name}.parquet", index=False)
    raw = read_sources(engine, SourceSpec(folder=str(data)))
    terms = DataOptions(attributes=("segment", "tier"))
    checked = examine(raw, terms, quarantine=folder / "quarantine", loaded_at=LOADED)
    tables = checked.tables
    markers = make_markers(tables, load_pack())
    histories = make_histories(tables, markers=markers)
    found = {
        "features": build_feature_table(histories, CUTOFF).to_pandas(),
        "contacts": contacts_before(histories, Window(CUTOFF)),
    }
    for name, rows in tables.frames.items():
        own = [column for column in rows.columns if column not in SCHEMA[name]]
        assert all(column.startswith(OWN) for column in own)
        assert not own or name == "customers"
        contract = rows.drop(*own)
        found[name] = engine.to_pandas(contract.order_by(contract.columns))
    histories.close()
    return found


def with_columns(frames: Frames, names: dict[str, list[str]]) -> Frames:
    """Return the tables with further columns, whose cells say something else in every row."""
    wider = {}
    for name, frame in frames.items():
        contract = {column.name for column in SCHEMA[name].columns}
        own = {
            column: [f"Web Widget {n}" for n in range(len(frame))]
            for column in names.get(name, [])
            if column not in contract and column != "tier"
        }
        wider[name] = pd.concat([pd.DataFrame(own, index=frame.index), frame], axis="columns")
    return wider


def hold(engine: Recording, frames: Frames, plain, names, folder: Path) -> None:
    found = results(engine, with_columns(frames, names), folder)
    assert found.keys() == plain.keys()
    for name, frame in found.items():
        pd.testing.assert_frame_equal(frame, plain[name], check_exact=True, obj=name)


def internal_names(engine: Recording) -> list[str]:
    """Return every name in the code, and every column that a run computed."""
    found = set(engine.seen)
    for path in Path(clv.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = (getattr(node, field, None) for field in ("id", "attr", "arg", "value"))
            found |= {name for name in names if isinstance(name, str) and name.isidentifier()}
    return sorted(name for name in found if not name.startswith("clv_"))


def odd_names() -> list[str]:
    alike = [f"{c.name[:-1]}{c.name[-1].upper()}" for t in SCHEMA.values() for c in t.columns]
    odd = ['a "b"', "a.b", "a`b", "a'b", " ", "é", "É", "客户", "", "c0", "C0", "x" * 300, "{}"]
    odd += ["Note", "note", "NOTE", "note (1)", "unnamed", "%s", "select", "self", "own channel"]
    return [*dict.fromkeys([*alike, *odd])]


def test_names_that_could_meet_ours(engine, frames, plain, tmp_path):
    """Those that once changed numbers, odd ones, and a sample of our own; all under torture."""
    names = internal_names(engine)
    assert len(names) > 2_000
    assert {"channel", "reference_ok", "amount__value", "broken_0", "spoken"} <= set(names)
    sample = [*odd_names(), *names[:: len(names) // 60]]
    chosen = {table: [*SEEN_BEFORE.get(table, []), *sample, "a\nb"] for table in SCHEMA}
    chosen["messages"].remove("a\nb")  # a CSV file's names stand in one line
    blocks = [{t: [*dict.fromkeys(some)] for t, some in chosen.items()}]
    if TORTURED:  # all of ours, beside the sample
        blocks += [dict.fromkeys(frames, names[k : k + 400]) for k in range(0, len(names), 400)]
    for number, block in enumerate(blocks):
        folder = tmp_path / str(number)
        folder.mkdir()
        hold(engine, frames, plain, block, folder)


def test_a_name_of_the_contract_twice_is_refused(engine, frames, tmp_path):
    (tmp_path / "orders.csv").write_text("order_id,amount,amount\no,1,2\n")
    with pytest.raises(SchemaError, match=r"orders: .* has the column 'amount' twice"):
        read_sources(engine, SourceSpec(folder=str(tmp_path)))


NAMES = st.one_of(
    st.sampled_from(sorted({c.name for t in SCHEMA.values() for c in t.columns})).flatmap(
        lambda name: st.sampled_from(
            [name, name.upper(), name.title(), f"{name}__value", f"own {name}"]
        )
    ),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12),
    st.from_regex(r"[a-z_]{1,12}", fullmatch=True),
)


@settings(
    max_examples=rounds(CASES),
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(
    drawn=in_rounds(
        st.fixed_dictionaries({n: st.lists(NAMES, max_size=4, unique=True) for n in SCHEMA}),
        CASES,
    )
)
def test_any_column_changes_nothing(engine, frames, plain, drawn, tmp_path_factory):
    """The columns of a round's cases stand beside each other, each name once."""
    names = {
        table: list(dict.fromkeys(name for case in drawn for name in case[table]))
        for table in SCHEMA
    }
    hold(engine, frames, plain, names, tmp_path_factory.mktemp("any"))
