"""Tables that are replaced together: whatever stops it, readers see the old ones or the new."""

import pandas as pd
import pytest

from clv import storage
from clv.engines.duckdb import DuckDBEngine
from clv.errors import LockError, SourceError, StorageError, UsageError
from clv.sources import replacing
from clv.sources.reading import read_sources
from clv.sources.replacing import Replacement
from clv.sources.spec import SourceSpec

OLD = {"orders": "old", "surveys": "old", "customers": "old"}
NEW = {"orders": "new", "interactions": "new", "customers": "new"}


class Stopped(BaseException):
    """As a kill: nothing of ours runs after it."""


def replace(folder, tables):
    with Replacement(folder, "shop") as new:
        for table, text in tables.items():
            storage.write_text(new.path(table), text)
        new.decide({"rows": dict.fromkeys(sorted(tables), 1)})


def held(folder):
    return {path.parent.name: path.read_text() for path in folder.glob("*/shop.parquet")}


def test_a_second_import_leaves_what_a_fresh_one_would(tmp_path):
    replace(tmp_path / "twice", OLD)
    (tmp_path / "twice" / "surveys" / "mine.parquet").write_text("of another import")
    replace(tmp_path / "twice", NEW)
    replace(tmp_path / "fresh", NEW)
    files = {
        place.name: {
            p.relative_to(place).as_posix(): p.read_text() for p in place.rglob("*") if p.is_file()
        }
        for place in (tmp_path / "twice", tmp_path / "fresh")
    }
    assert files["twice"].pop("surveys/mine.parquet") == "of another import"
    assert files["twice"] == files["fresh"]
    replace(tmp_path / "fresh", {"orders": "new"})
    assert not (tmp_path / "fresh" / "customers").exists()


STEPS = ("write_text", "replace_file", "remove_file", "remove_empty", "remove_folder", "marked")


@pytest.mark.parametrize("step", range(0, 22))
def test_killed_anywhere_it_is_old_or_new(tmp_path, monkeypatch, step):
    replace(tmp_path, OLD)
    left = step

    def counted(function):
        def run(*given, **options):
            nonlocal left
            left -= 1
            if left < 0:
                raise Stopped
            return function(*given, **options)

        return run

    with monkeypatch.context() as patched:
        for name in STEPS:
            patched.setattr(replacing, name, counted(getattr(replacing, name)))
        try:
            replace(tmp_path, NEW)
            ended = True
        except Stopped:
            ended = False
    replacing.complete(tmp_path)
    assert held(tmp_path) in ([NEW] if ended else [OLD, NEW])
    assert ended or step < 21
    replace(tmp_path, NEW)
    assert held(tmp_path) == NEW
    assert not [p for p in tmp_path.iterdir() if p.is_dir() and p.name.startswith(".")]


@pytest.mark.parametrize("record", [None, "mine", "[]", '{"rows": 1}', '{"rows": {"surveys": 1}}'])
def test_a_file_that_no_import_wrote_is_neither_replaced_nor_removed(tmp_path, record):
    """It has the name that an import would give its own."""
    mine = tmp_path / "orders" / "shop.parquet"
    storage.write_text(mine, "mine")
    if record is not None:
        storage.write_text(tmp_path / "import-shop.json", record)
    for tables in (NEW, {"customers": "new"}):
        with pytest.raises(UsageError, match="left as it is"):
            replace(tmp_path, tables)
    assert mine.read_text() == "mine"
    assert held(tmp_path) == {"orders": "mine"}


def test_what_fails_before_the_decision_changes_nothing(tmp_path):
    replace(tmp_path, OLD)
    with pytest.raises(ValueError, match="no room"), Replacement(tmp_path, "shop") as new:  # noqa: PT012
        storage.write_text(new.path("orders"), "half")
        raise ValueError("no room")
    assert held(tmp_path) == OLD
    assert not list(tmp_path.glob(".clv-import-shop/*"))


def test_two_at_once_are_told(tmp_path):
    with Replacement(tmp_path, "shop"):
        with pytest.raises(LockError, match="another run"):
            replace(tmp_path, NEW)
        with Replacement(tmp_path, "desk") as other:  # other files, another lock
            other.decide({})


def test_an_interrupt_while_files_are_moved_does_not_stop_the_moving(tmp_path, monkeypatch):
    replace(tmp_path, OLD)
    moved = replacing.replace_file

    def interrupted(*given):
        monkeypatch.setattr(replacing, "replace_file", moved)
        raise KeyboardInterrupt

    monkeypatch.setattr(replacing, "replace_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace(tmp_path, NEW)
    assert held(tmp_path) == NEW


def test_a_file_where_a_folder_is_to_be_is_named(tmp_path):
    (tmp_path / "orders").write_text("a file")
    with pytest.raises(UsageError, match="orders: is a file"):
        replace(tmp_path, NEW)


def cut_off(folder, monkeypatch):
    """Stop an import between its decision and the first move."""

    def stop(*_):
        raise Stopped

    orders = pd.DataFrame(
        {"order_id": ["new"], "customer_id": ["c"], "ordered_at": ["2025-01-01"], "amount": ["1"]}
    )
    with monkeypatch.context() as patched:
        new = Replacement(folder, "shop")
        with pytest.raises(Stopped), new:  # noqa: PT012
            orders.to_parquet(new.path("orders"))
            patched.setattr(replacing, "replace_file", stop)
            new.decide({})


def test_a_reader_completes_what_was_decided(tmp_path, monkeypatch):
    replace(tmp_path, OLD)
    cut_off(tmp_path, monkeypatch)
    with DuckDBEngine(threads=1) as engine:
        raw = read_sources(engine, SourceSpec(folder=str(tmp_path)))
        assert set(raw.frames) == {"orders"}
        assert engine.to_pandas(raw.frames["orders"])["order_id"].tolist() == ["new"]


def test_customers_of_several_imports_are_one_row_each(tmp_path):
    orders = {
        "order_id": ["1"],
        "customer_id": ["c"],
        "ordered_at": ["2025-01-01"],
        "amount": ["1"],
    }
    since, later = "2024-01-01T00:00:00Z", "2024-05-01T00:00:00Z"
    tables = {
        "shop": {"orders": orders},
        "desk": {"customers": {"customer_id": ["c", "d"], "signed_up_at": [later, None],
                               "email": ["c@new.example", None]}},
        "crm": {"customers": {"customer_id": ["c"], "signed_up_at": [since],
                              "region": ["North"]}},
    }  # fmt: skip
    for name, made in tables.items():
        with Replacement(tmp_path, name) as new:
            for table, columns in made.items():
                pd.DataFrame(columns).to_parquet(new.path(table))
            new.decide({})

    def read(engine):
        raw = read_sources(engine, SourceSpec(folder=str(tmp_path)))
        rows = engine.to_pandas(raw.frames["customers"]).sort_values("customer_id").fillna("")
        return rows.to_dict("list"), {note.code: note.count for note in raw.notes}

    with DuckDBEngine(threads=1) as engine:
        rows, notes = read(engine)
        assert rows["customer_id"] == ["c", "d"]
        assert rows["signed_up_at"] == [since, ""]
        assert (rows["region"], rows["email"]) == (["North", ""], ["c@new.example", ""])
        assert notes["customer_shared"] == 1
        # A company's own file has one row a customer; what stands there twice is a mistake.
        pd.DataFrame({"customer_id": ["d"]}).to_parquet(tmp_path / "customers" / "own.parquet")
        assert read(engine)[0]["customer_id"] == ["c", "c", "d", "d"]


def test_a_reader_who_may_not_write_is_told(tmp_path, monkeypatch):
    cut_off(tmp_path, monkeypatch)

    def refused(*_):
        raise StorageError("no permission.")

    monkeypatch.setattr(replacing, "replace_file", refused)
    with pytest.raises(SourceError, match=r"cut off .* Run the import again"):
        replacing.complete(tmp_path)
