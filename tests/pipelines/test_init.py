"""clv init: a newcomer's folder becomes a company, and nobody's table is built by hand."""

import json
import sys
import zipfile

import pandas as pd
import pytest
import yaml
from clv.pipelines import cli
from clv.pipelines.running import asking

from clv.engines.duckdb import DuckDBEngine
from clv.sources.reading import read_sources
from clv.sources.spec import SourceSpec
from tests.newcomer import write_exports


@pytest.fixture
def init(monkeypatch, capsys, tmp_path):
    """Call clv init in a folder of its own, with answers typed or without a terminal."""

    def call(*words, typed=None):
        monkeypatch.chdir(tmp_path)
        asked = []

        def ask(question, default=""):
            asked.append(question)
            return typed.get(question.split(",")[0].split("?")[0]) or default

        if typed is not None:
            monkeypatch.setattr(asking, "require_terminal", lambda command: None)
            monkeypatch.setattr(asking, "ask", ask)
        monkeypatch.setattr(sys, "argv", ["clv", "init", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err, asked

    return call


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("newcomer") / "exports"
    return folder, *write_exports(folder)


def people_of(settings):
    """Return contacts and orders under the ids that runs see."""
    with DuckDBEngine(threads=1) as engine:
        raw = read_sources(engine, SourceSpec.from_mapping(settings["sources"]))
        frames = {
            name: engine.to_pandas(raw.frames[name].select(*columns))
            for name, columns in (
                ("orders", ("order_id", "customer_id")),
                ("interactions", ("interaction_id", "customer_id", "agent_id")),
                ("agents", ("agent_id",)),
            )
            if name in raw.frames
        }
        return frames, raw.identities


def test_three_systems_become_one_company(init, exports, tmp_path):
    folder, truth, _ = exports
    answers = {"Margin": "0.4", "Cost of an agent's hour": "28"}
    code, out, err, asked = init(folder, typed=answers)
    assert code == 0, err
    assert len(asked) == 3, asked  # and the last only whether to go on
    assert "next: clv check --config clv.yaml" in out
    settings = yaml.safe_load((tmp_path / "clv.yaml").read_text())
    assert settings["terms"]["margin_rate"] == 0.4
    assert settings["terms"]["agent_cost_per_hour"] == 28
    frames, identities = people_of(settings)
    exported = pd.read_csv(folder / "orders_export_1.csv", dtype=str)
    mail = exported.drop_duplicates("Name").set_index("Name")["Email"].str.lower()
    orders = frames["orders"].set_index("order_id")["customer_id"]
    buyer = {orders[name]: truth.buyer[mail[name]] for name in orders.index}
    assert len(buyer) == len(set(buyer.values())) == len(truth.buyer)
    contacts = frames["interactions"].set_index("interaction_id")["customer_id"].map(buyer)
    joined = contacts[list(truth.contact)]
    assert (joined == pd.Series(truth.contact)).mean() >= 0.95
    assert joined.dropna().eq(pd.Series(truth.contact)[joined.dropna().index]).all()
    assert len(truth.traps) >= 20
    assert contacts[list(truth.traps)].isna().all()
    assert len(frames["agents"]) == truth.agents == frames["interactions"]["agent_id"].nunique()
    assert identities.units["agent"]["joined_by"] == {"email": truth.agents}
    assert identities.contested["customer"][0]["why"] == "email"


def test_nobody_can_be_asked(init, exports, tmp_path):
    code, _, err, _ = init(exports[0])
    assert code == 2
    assert "--yes" in err
    assert not (tmp_path / "clv.yaml").exists()
    assert not (tmp_path / "company").exists()


def test_settings_that_are_there_are_left(init, exports, tmp_path):
    (tmp_path / "clv.yaml").write_text("workspace: mine\n")
    code, _, err, _ = init(exports[0], "--yes")
    assert code == 2
    assert "--settings" in err
    assert (tmp_path / "clv.yaml").read_text() == "workspace: mine\n"


def test_plain_tables_of_every_kind(init, tmp_path, clv):
    """A workbook, an archive, JSON, and files under names and columns of the company's own."""
    import python_calamine  # noqa: F401  # what reads a workbook is part of the product

    place = tmp_path / "mine"
    place.mkdir()
    sales = pd.DataFrame({
        "Invoice No": range(1, 41), "Customer": [f"k{n % 9}@mail.example" for n in range(40)],
        "Date": [f"{1 + n % 28:02}.{1 + n % 12:02}.2024" for n in range(40)],
        "Net Revenue": [f"1.{n:03},50" for n in range(40)],
    })  # fmt: skip
    with zipfile.ZipFile(place / "books.zip", "w") as archive:
        archive.writestr("../../sales 2024.csv", sales.to_csv(index=False, sep=";"))
        archive.writestr("photo.png", b"\x89PNG")
    calls = [
        {"call id": n, "email": f"K{n % 9}@mail.example", "agent": "a1",
         "created": 1_714_550_400 + n, "handle minutes": 5}
        for n in range(30)
    ]  # fmt: skip
    (place / "calls.json").write_text(json.dumps(calls))
    (place / "notes.txt").write_text("nothing to see\n")
    code, out, err, _ = init(place, "--yes")
    assert code == 0, err
    settings = yaml.safe_load((tmp_path / "clv.yaml").read_text())
    mapped = settings["sources"]
    assert mapped["orders"]["columns"]["amount"] == 'cast_number(col("Net Revenue"), ",")'
    assert mapped["orders"]["columns"]["ordered_at"] == 'parse_time(Date, "%d.%m.%Y")'
    assert mapped["interactions"]["columns"]["handle_seconds"].endswith("* 60")
    assert mapped["interactions"]["constants"] == {"channel": "voice"}
    assert not list(tmp_path.parent.glob("sales 2024*"))
    assert "k1@mail" not in out
    frames, _ = people_of(settings)
    assert set(frames["interactions"]["customer_id"]) == set(frames["orders"]["customer_id"])
    seen = clv("validate", "--config", tmp_path / "clv.yaml")
    assert seen.code == 0, seen.err
    assert "orders: 40 of 40 rows accepted" in seen.out
    assert "interactions: 30 of 30 rows accepted" in seen.out


def test_a_bomb_is_refused(init, tmp_path):
    place = tmp_path / "mine"
    place.mkdir()
    with zipfile.ZipFile(place / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("orders.csv", b"0" * (80 * 2**20))
    code, _, err, _ = init(place, "--yes")
    assert code == 3
    assert "unpack" in err


def test_nothing_is_recognised(init, tmp_path):
    place = tmp_path / "mine"
    place.mkdir()
    (place / "a\x1b[31m.csv").write_text("x,y\n1,2\n")
    code, out, err, _ = init(place, "--yes")
    assert code == 3
    assert "orders" in err
    assert "\x1b" not in out + err


@pytest.mark.slow
def test_from_exports_to_a_report(init, clv, tmp_path):
    write_exports(tmp_path / "exports", buyers=800, orders=2_000, contacts=900, traps=60, agents=40)
    code, _, err, _ = init(tmp_path / "exports", typed={"Margin": "0.4"})
    assert code == 0, err
    config = ("--config", tmp_path / "clv.yaml")
    for words in (("check",), ("train", "--horizon-days", "90")):
        seen = clv(*words, *config)
        assert seen.code == 0, seen.err
    seen = clv("score", *config, "--model", "models:/clv@challenger")
    assert seen.code == 0, seen.err
    assert clv("attribute", *config, "--model", "models:/clv@challenger").code == 0
    seen = clv("report", *config)
    assert seen.code == 0, seen.err
    assert (tmp_path / "out" / "report.html").exists()
