"""Every sink: twice is once, rejects are counted, and nothing runs in a spreadsheet."""

import csv
import datetime as dt
import json
import stat
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import dataset

from clv.errors import SinkError, UsageError
from clv.sinks import SCORES, SINKS, make_sink, make_sinks
from clv.sinks.base import TOMBSTONES
from clv.storage import sha256_of

LONG = "x" * 300
IDS = ["007", "=cmd|' /C calc'!A0", "-1", 'a,b"c\nd', "zoë😀", "", LONG, None]
ANYWHERE = 5  # of IDS, those that every destination takes


def score_table(ids, as_of=dt.date(2025, 6, 30), clv=12.5):
    """Return a score table in which only ids, day and value are of interest."""
    n = len(ids)
    words = {pa.string(): "word", pa.int64(): 3, pa.float64(): 0.25, pa.bool_(): True}
    columns = {f.name: [words.get(f.type)] * n for f in SCORES}
    columns |= {"customer_id": ids, "as_of": [as_of] * n, "clv": [clv] * n}
    columns |= {"p_alive": [None] * n, "reason_3": [None] * n, "reason_1": ["=1+1"] * n}
    return pa.table(columns, schema=SCORES)


@pytest.fixture
def scores(tmp_path):
    path = tmp_path / "scores.parquet"
    pq.write_table(score_table(IDS), path)
    return path


@pytest.fixture
def directory(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    return path


def sink_of(kind, tmp_path):
    settings = {
        "parquet": {"folder": str(tmp_path / "lake")},
        "sql": {"url": f"sqlite:///{tmp_path / 'crm.db'}"},
    }
    return make_sink({"kind": kind, **settings.get(kind, {})})


def rows_in(url, name):
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        table = sa.Table(name, sa.MetaData(), autoload_with=connection)
        found = connection.execute(sa.select(table).order_by(table.c.customer_id)).mappings().all()
    engine.dispose()
    return [dict(row) for row in found]


def destination(kind, tmp_path, directory):
    """Return everything that a sink wrote, by name."""
    if kind == "sql":
        url = f"sqlite:///{tmp_path / 'crm.db'}"
        return {name: rows_in(url, name) for name in ("clv_scores_current", "clv_scores_history")}
    folder = tmp_path / "lake" if kind == "parquet" else directory
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("kind", SINKS)
def test_twice_is_once(kind, scores, directory, tmp_path):
    sink = sink_of(kind, tmp_path)
    report = sink.write(scores, directory)
    first = destination(kind, tmp_path, directory)
    again = sink.write(scores, directory)
    assert again == report
    assert destination(kind, tmp_path, directory) == first


@pytest.mark.parametrize("kind", SINKS)
def test_rejects_are_counted_with_their_reasons(kind, scores, directory, tmp_path):
    report = sink_of(kind, tmp_path).write(scores, directory)
    assert report.written + report.rejected == len(IDS)
    assert report.rejected == sum(report.reasons.values())
    assert report.reasons["customer_id is missing"] == 2
    assert report.written in (ANYWHERE, ANYWHERE + 1)
    assert LONG not in json.dumps(report.as_dict())


@pytest.mark.parametrize("kind", SINKS)
def test_an_empty_table_is_no_accident(kind, directory, tmp_path):
    path = tmp_path / "scores.parquet"
    pq.write_table(score_table(["a"]).slice(0, 0), path)
    sink = sink_of(kind, tmp_path)
    if kind == "parquet":
        with pytest.raises(SinkError, match="holds no row"):
            sink.write(path, directory)
    else:
        assert sink.write(path, directory).written == 0


@pytest.mark.parametrize("kind", [kind for kind in SINKS if kind != "sql"])
def test_files_are_private_and_nothing_partial_stays(kind, scores, directory, tmp_path):
    report = sink_of(kind, tmp_path).write(scores, directory)
    folder = tmp_path / "lake" if kind == "parquet" else directory
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    assert not [path for path in files if path.suffix == ".partial"]
    assert all((directory / name).is_file() for name in report.files)


@pytest.mark.parametrize("kind", [kind for kind in SINKS if kind != "sql"])
def test_a_full_disk_leaves_nothing(kind, tmp_path):
    """The limit on file sizes raises what a full disk does, in a process of its own."""
    path = tmp_path / "scores.parquet"
    pq.write_table(score_table([f"c{k:06d}" for k in range(20_000)]), path)
    folder = "lake" if kind == "parquet" else None
    program = (
        "import resource, signal, sys, pathlib\n"
        "from clv.errors import StorageError\nfrom clv.sinks import make_sink\n"
        f"sink = make_sink({{'kind': {kind!r}}} | "
        f"({{'folder': {str(tmp_path / 'run')!r}}} if {folder!r} else {{}}))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))\n"
        f"scores, run = map(pathlib.Path, {[str(path), str(tmp_path / 'run')]!r})\n"
        "try:\n    sink.write(scores, run)\n"
        "except StorageError as error:\n    sys.exit(f'refused: {error}')\n"
    )
    (tmp_path / "run").mkdir()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "refused: " in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert not [p for p in (tmp_path / "run").rglob("*") if p.is_file()]


def test_csv_escapes_text_that_would_run_and_leaves_numbers(scores, directory):
    make_sink({"kind": "csv"}).write(scores, directory)
    with (directory / "scores.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["customer_id"] for row in rows[:3]] == ["007", "'=cmd|' /C calc'!A0", "'-1"]
    assert rows[3]["customer_id"] == 'a,b"c\nd'
    assert rows[0]["reason_1"] == "'=1+1"
    assert (rows[0]["clv"], rows[0]["p_alive"], rows[0]["as_of"]) == ("12.5", "", "2025-06-30")


def test_negative_money_stays_a_number_in_csv(tmp_path, directory):
    path = tmp_path / "scores.parquet"
    pq.write_table(score_table(["a"], clv=-3.5), path)
    make_sink({"kind": "csv"}).write(path, directory)
    assert ",-3.5," in (directory / "scores.csv").read_text()


def test_salesforce_writes_nulls_and_splits_by_size(tmp_path, directory):
    path = tmp_path / "scores.parquet"
    ids = [f"c{k}" for k in range(50)]
    pq.write_table(score_table(ids), path)
    report = make_sink({"kind": "salesforce", "max_bytes": 1000}).write(path, directory)
    read = []
    for name in report.files:
        text = (directory / name).read_bytes()
        assert len(text) <= 1000
        read += list(csv.DictReader(text.decode().splitlines()))
    assert len(report.files) > 1
    assert [row["Customer_Id__c"] for row in read] == ids
    assert {row["CLV_Reason_3__c"] for row in read} == {"#N/A"}
    assert {row["CLV__c"] for row in read} == {"12.5"}


@pytest.mark.parametrize(("kind", "key"), [("hubspot", "inputs"), ("zendesk", "users")])
def test_calls_hold_at_most_a_hundred_items_and_all_customers(kind, key, tmp_path, directory):
    path = tmp_path / "scores.parquet"
    ids = [f"c{k}" for k in range(250)]
    pq.write_table(score_table(ids), path)
    make_sink({"kind": kind}).write(path, directory)
    calls = [json.loads(line) for line in (directory / f"{kind}.jsonl").read_text().splitlines()]
    assert [len(call[key]) for call in calls] == [100, 100, 50]
    names = [item.get("id") or item.get("external_id") for call in calls for item in call[key]]
    assert names == ids


def test_hubspot_values_are_strings_and_unknown_ones_clear_the_property(tmp_path, directory):
    path = tmp_path / "scores.parquet"
    pq.write_table(score_table(["a"]), path)
    make_sink({"kind": "hubspot", "fields": {"clv": "x", "p_alive": "y"}}).write(path, directory)
    (item,) = json.loads((directory / "hubspot.jsonl").read_text())["inputs"]
    assert item["properties"] == {"x": "12.5", "y": ""}


def test_zendesk_numbers_stay_numbers(tmp_path, directory):
    path = tmp_path / "scores.parquet"
    pq.write_table(score_table(["a"]), path)
    fields = {"clv": "x", "p_alive": "y", "value_decile": "z", "as_of": "d"}
    make_sink({"kind": "zendesk", "fields": fields}).write(path, directory)
    (item,) = json.loads((directory / "zendesk.jsonl").read_text())["users"]
    assert item["user_fields"] == {"x": 12.5, "y": None, "z": 3, "d": "2025-06-30"}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'crm.db'}"
    return request.getfixturevalue("postgres")


TABLE = 'clv"; drop --'  # an identifier that has to be quoted


def put(database, tmp_path, ids, **changes):
    path = tmp_path / "scores.parquet"
    pq.write_table(score_table(ids, **changes), path)
    return make_sink({"kind": "sql", "url": database, "table": TABLE}).write(path, tmp_path)


def test_sql_holds_one_row_per_customer_and_day(database, tmp_path):
    later = dt.date(2025, 7, 1)
    for _ in range(2):
        put(database, tmp_path, ["a", "b", "'; drop table x; --"])
    put(database, tmp_path, ["a", "b", "c"], as_of=later, clv=20.0)
    history = rows_in(database, f"{TABLE}_history")
    assert len(history) == 6
    assert len({(row["customer_id"], row["as_of"]) for row in history}) == 6
    current = {row["customer_id"]: row for row in rows_in(database, f"{TABLE}_current")}
    assert set(current) == {"a", "b", "c", "'; drop table x; --"}
    assert {row["clv"] for name, row in current.items() if row["active"]} == {20.0}
    assert current["'; drop table x; --"]["active"] == 0


def test_sql_scores_again_replaces_what_changed(database, tmp_path):
    put(database, tmp_path, ["a", "b"])
    put(database, tmp_path, ["a", "b"], clv=1.0)
    assert [row["clv"] for row in rows_in(database, f"{TABLE}_history")] == [1.0, 1.0]


def test_sql_an_earlier_day_changes_history_only(database, tmp_path):
    put(database, tmp_path, ["a"])
    put(database, tmp_path, ["a", "b"], as_of=dt.date(2025, 1, 1), clv=1.0)
    assert [row["clv"] for row in rows_in(database, f"{TABLE}_current")] == [12.5]
    assert len(rows_in(database, f"{TABLE}_history")) == 3


def test_sql_touches_only_what_moved_and_keeps_the_day_once(database, tmp_path):
    """A value that moves by less than its digits leaves its row as it was, and so does the day."""
    put(database, tmp_path, ["a", "b"], clv=1234.5)
    before = rows_in(database, f"{TABLE}_current")
    put(database, tmp_path, ["a", "b"], as_of=dt.date(2025, 7, 1), clv=1230.1)
    assert rows_in(database, f"{TABLE}_current") == before
    assert [row["clv"] for row in before] == [1230.0, 1230.0]
    assert "as_of" not in before[0]
    assert [row["as_of"] for row in held_run(database)] == [dt.date(2025, 7, 1)]
    history = {
        row["as_of"].isoformat(): row["clv"] for row in rows_in(database, f"{TABLE}_history")
    }
    assert history == {"2025-06-30": 1234.5, "2025-07-01": 1230.1}


def test_sql_a_table_with_the_day_in_each_row_is_made_anew(database, tmp_path):
    """As an earlier version left it: who was gone is gone still."""
    put(database, tmp_path, ["a", "b"])
    put(database, tmp_path, ["a"])
    engine = sa.create_engine(database)
    with engine.begin() as connection:
        name = engine.dialect.identifier_preparer.quote(f"{TABLE}_current")
        connection.exec_driver_sql(f"alter table {name} add column as_of date")
    engine.dispose()
    put(database, tmp_path, ["a"], clv=2.0)
    rows = rows_in(database, f"{TABLE}_current")
    assert [(row["customer_id"], row["active"], row["clv"]) for row in rows] == [
        ("a", 1, 2.0),
        ("b", 0, None),
    ]
    assert "as_of" not in rows[0]


@given(
    nights=st.lists(
        st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 3)), max_size=6),
        min_size=1,
        max_size=5,
    ),
    later=st.lists(st.integers(0, 1), min_size=5, max_size=5),
    bad=st.lists(st.tuples(st.sampled_from("abcdefg"), st.integers(4, 6)), min_size=1, max_size=7),
)
@settings(deadline=None, max_examples=15)
def test_sql_after_a_rollback_is_as_it_was_the_night_before(nights, later, bad, tmp_path_factory):
    """Whoever came, left or moved with the bad run, of the same day or a later one."""
    tmp_path = tmp_path_factory.mktemp("nights")
    sink = make_sink({"kind": "sql", "url": f"sqlite:///{tmp_path / 'crm.db'}"})
    day, good, seen = dt.date(2025, 6, 30), tmp_path / "good.parquet", set()
    for night, step in zip(nights, later, strict=False):
        day += dt.timedelta(days=step)
        pq.write_table(scores_of(dict(night) or {"a": 1}, day), good)
        sink.write(good, tmp_path)
        seen |= set(dict(night) or {"a": 1})
    before, gone = everything_in(tmp_path), tmp_path / "gone.parquet"
    ids = sorted(seen - set(dict(nights[-1]) or {"a": 1}))
    pq.write_table(pa.table([ids, [day] * len(ids)], schema=TOMBSTONES), gone)
    worse = tmp_path / "bad.parquet"
    bad_day = day + dt.timedelta(days=later[-1])
    pq.write_table(scores_of(dict(bad), bad_day), worse)
    sink.write(worse, tmp_path)
    assert everything_in(tmp_path) != before
    for _ in range(2):  # a rollback that was killed is repeated
        sink.restore(good, {bad_day}, gone)
        assert everything_in(tmp_path) == before
    assert sink.run_held() == sha256_of(good)


def scores_of(values, day):
    table = score_table(list(values), day)
    at = table.schema.get_field_index("clv")
    return table.set_column(at, SCORES.field("clv"), pa.array([float(v) for v in values.values()]))


def everything_in(tmp_path):
    url = f"sqlite:///{tmp_path / 'crm.db'}"
    tables = [rows_in(url, f"clv_scores_{name}") for name in ("current", "history")]
    return *tables, held_run(url, "clv_scores")


def held_run(database, name=TABLE):
    engine = sa.create_engine(database)
    with engine.connect() as connection:
        table = sa.Table(f"{name}_run", sa.MetaData(), autoload_with=connection)
        rows = [dict(row) for row in connection.execute(sa.select(table)).mappings()]
    engine.dispose()
    return rows


def test_parquet_after_a_rollback_is_as_it_was_the_night_before(tmp_path, directory):
    sink = make_sink({"kind": "parquet", "folder": str(tmp_path / "lake")})
    good, worse = tmp_path / "good.parquet", tmp_path / "bad.parquet"
    for day in (dt.date(2025, 6, 30), dt.date(2025, 7, 1)):
        pq.write_table(scores_of({"a": 1, "b": 2}, dt.date(2025, 6, 30)), good)
        sink.write(good, directory)
        before = destination("parquet", tmp_path, directory)
        pq.write_table(scores_of({"a": 9}, day), worse)
        sink.write(worse, directory)
        assert destination("parquet", tmp_path, directory) != before
        sink.restore(good, {day})
        assert destination("parquet", tmp_path, directory) == before


def test_sql_a_customer_who_comes_back_is_active_again(database, tmp_path):
    put(database, tmp_path, ["a", "b"])
    put(database, tmp_path, ["a"])
    put(database, tmp_path, ["a", "b"])
    assert [row["active"] for row in rows_in(database, f"{TABLE}_current")] == [1, 1]


def test_sql_a_refused_row_rolls_everything_back(tmp_path):
    database = f"sqlite:///{tmp_path / 'crm.db'}"
    put(database, tmp_path, ["a"])
    with pytest.raises(SinkError, match="Nothing was written") as caught:
        put(database, tmp_path, ["b", "b"], as_of=dt.date(2025, 7, 1))  # not unique
    assert "'b'" not in str(caught.value)
    assert [row["customer_id"] for row in rows_in(database, f"{TABLE}_current")] == ["a"]
    assert len(rows_in(database, f"{TABLE}_history")) == 1


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://u:hunter2@127.0.0.1:9/x", "sqlite:////nowhere/at/all.db"]
)
def test_sql_names_a_database_that_is_away_without_its_password(url, scores, directory):
    with pytest.raises(SinkError) as caught:
        make_sink({"kind": "sql", "url": url}).write(scores, directory)
    assert "hunter2" not in str(caught.value)
    assert caught.value.exit_code == 7


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "fax"},
        {},
        {"kind": "csv", "colour": "red"},
        {"kind": "sql"},
    ],
)
def test_settings_that_do_not_fit_are_refused(options):
    with pytest.raises(UsageError, match="expected"):
        make_sink(options)


@pytest.mark.parametrize("kind", ["sql", "hubspot", "zendesk", "salesforce"])
def test_an_id_with_a_nul_is_refused_alone(kind, directory, tmp_path):
    pq.write_table(score_table(["a", "b\0c", "d"]), tmp_path / "nul.parquet")
    gone = pa.table({"customer_id": ["e\0"], "since": [dt.date(2025, 6, 30)]}, TOMBSTONES)
    pq.write_table(gone, tmp_path / "gone.parquet")
    report = sink_of(kind, tmp_path).write(
        tmp_path / "nul.parquet", directory, tmp_path / "gone.parquet"
    )
    assert (report.written, report.rejected) == (2, 1)
    assert report.reasons == {"customer_id holds a NUL": 1}


def test_an_id_with_a_nul_does_not_stop_postgresql(postgres, directory, tmp_path):
    pq.write_table(score_table(["a", "b\0c", "d"]), tmp_path / "nul.parquet")
    report = make_sink({"kind": "sql", "url": postgres}).write(tmp_path / "nul.parquet", directory)
    assert (report.written, report.rejected) == (2, 1)
    assert [row["customer_id"] for row in rows_in(postgres, "clv_scores_current")] == ["a", "d"]


def test_a_field_that_is_no_score_is_refused(scores, directory):
    with pytest.raises(UsageError, match="'email' is not a score column"):
        make_sink({"kind": "hubspot", "fields": {"email": "e"}}).write(scores, directory)


def test_a_file_that_is_no_score_table_is_refused(tmp_path, directory):
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"customer_id": ["a"]}), path)
    with pytest.raises(SinkError, match="missing column 'as_of'"):
        make_sink({"kind": "csv"}).write(path, directory)


GONE = ["=left", "left"]


@pytest.fixture
def gone(tmp_path):
    """Return a file of two customers who have no score any more, and one whom CRMs cannot hold."""
    path = tmp_path / "tombstones.parquet"
    ids = [*GONE, LONG]
    days = [dt.date(2025, 6, 29)] * len(ids)
    pq.write_table(pa.table([ids, days], schema=TOMBSTONES), path)
    return path


@pytest.mark.parametrize("kind", SINKS)
def test_twice_is_once_with_customers_who_are_gone(kind, scores, gone, directory, tmp_path):
    sink = sink_of(kind, tmp_path)
    if kind == "sql":
        earlier = tmp_path / "earlier.parquet"
        pq.write_table(score_table(GONE, as_of=dt.date(2025, 6, 29)), earlier)
        sink.write(earlier, directory)
    report = sink.write(scores, directory, gone)
    first = destination(kind, tmp_path, directory)
    assert sink.write(scores, directory, gone) == report
    assert destination(kind, tmp_path, directory) == first
    assert report.cleared == (3 if kind in ("csv", "parquet") else 2)
    assert report.written + report.rejected == len(IDS)


def test_csv_names_who_is_gone_in_a_second_file(scores, gone, directory):
    report = make_sink({"kind": "csv"}).write(scores, directory, gone)
    assert report.files == ("scores.csv", "scores-tombstones.csv")
    with (directory / "scores-tombstones.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["customer_id"], row["since"]) for row in csv.DictReader(file)]
    assert rows == [("'=left", "2025-06-29"), ("left", "2025-06-29"), (LONG, "2025-06-29")]


def test_parquet_readers_pass_over_who_is_gone(scores, gone, directory, tmp_path):
    sink = make_sink({"kind": "parquet", "folder": str(tmp_path / "lake")})
    sink.write(scores, directory, gone)
    held = tmp_path / "lake" / "_tombstones" / "as_of=2025-06-30" / "tombstones.parquet"
    assert pq.read_table(held)["customer_id"].to_pylist() == [*GONE, LONG]
    names = dataset.dataset(tmp_path / "lake", partitioning="hive").to_table()["customer_id"]
    assert not set(names.to_pylist()) & set(GONE)
    sink.write(scores, directory)
    assert not held.exists()


def test_salesforce_empties_fields_in_a_job_of_its_own(scores, gone, directory):
    report = make_sink({"kind": "salesforce"}).write(scores, directory, gone)
    assert report.files == ("salesforce-001.csv", "salesforce-tombstones-001.csv")
    one, other = (list(csv.DictReader((directory / name).open())) for name in report.files)
    assert [row.pop("Customer_Id__c") for row in other] == GONE
    assert not {row["Customer_Id__c"] for row in one} & set(GONE)
    assert {value for row in other for value in row.values()} == {"#N/A"}
    assert set(one[0]) - {"Customer_Id__c"} == set(other[0])


@pytest.mark.parametrize(
    ("kind", "key", "name", "fields", "empty"),
    [
        ("hubspot", "inputs", "id", "properties", ""),
        ("zendesk", "users", "external_id", "user_fields", None),
    ],
)
def test_calls_empty_the_fields_of_who_is_gone(
    kind, key, name, fields, empty, scores, gone, directory
):
    report = make_sink({"kind": kind}).write(scores, directory, gone)
    calls = [json.loads(line) for line in (directory / f"{kind}.jsonl").read_text().splitlines()]
    items = {item[name]: item[fields] for call in calls for item in call[key]}
    assert len(items) == report.written + 2
    assert {value for left in GONE for value in items[left].values()} == {empty}
    assert set(items["left"]) == set(items["007"])


def test_sql_empties_the_row_of_who_is_gone_and_keeps_the_history(database, tmp_path):
    put(database, tmp_path, ["a", "b"])
    report = put(database, tmp_path, ["a"], as_of=dt.date(2025, 7, 1), clv=20.0)
    assert (report.written, report.cleared) == (1, 1)
    _, row = rows_in(database, f"{TABLE}_current")
    said = {name: row.pop(name) for name in ("customer_id", "active")}
    assert said == {"customer_id": "b", "active": 0}
    assert set(row.values()) == {None}
    kept = [row for row in rows_in(database, f"{TABLE}_history") if row["customer_id"] == "b"]
    assert [row["clv"] for row in kept] == [12.5]


@pytest.mark.parametrize("kind", list(SINKS))
def test_a_customer_without_a_value_is_taken_and_whole_numbers_stay_whole(
    kind, tmp_path, directory
):
    table = score_table(["a", "b"])
    nothing = ["clv", "clv_low", "clv_high", "value_decile", "expected_purchases"]
    for name in nothing:
        held = pa.array([table[name][0].as_py(), None], table.schema.field(name).type)
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), held)
    path = tmp_path / "scores.parquet"
    pq.write_table(table, path)
    done = sink_of(kind, tmp_path).write(path, directory)
    assert (done.written, done.rejected) == (2, 0)
    if kind == "sql":
        rows = rows_in(f"sqlite:///{tmp_path / 'crm.db'}", "clv_scores_current")
        deciles = {row["customer_id"]: (row["value_decile"], row["clv"]) for row in rows}
        assert deciles == {"a": (3, 12.5), "b": (None, None)}
        return
    text = "".join(
        f.read_text(encoding="utf-8") for f in directory.iterdir() if f.suffix != ".parquet"
    )
    assert "3.0" not in text
    assert "nan" not in text.lower()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"kind": "hubspot", "batch": 5000}, "batch .* a whole number from 1 to 100"),
        ({"kind": "zendesk", "batch": -1}, "batch .* a whole number from 1 to 100"),
        ({"kind": "hubspot", "batch": "ten"}, "batch .* a whole number from 1 to 100"),
        ({"kind": "hubspot", "batch": True}, "batch .* a whole number"),
        ({"kind": "hubspot", "batch": 10.0}, "batch .* a whole number"),
        ({"kind": "salesforce", "max_bytes": 0}, "max_bytes .* from 100 to 100,000,000"),
        ({"kind": "hubspot", "id_property": ""}, "id_property .* text in one line"),
        ({"kind": "hubspot", "id_property": 7}, "id_property .* text in one line"),
        ({"kind": "hubspot", "fields": {}}, "fields .* score columns"),
        ({"kind": "hubspot", "fields": ["clv"]}, "fields .* score columns"),
        ({"kind": "hubspot", "fields": {"clv": "a", "p_churn": "a"}}, "a name of its own"),
        ({"kind": "csv", "file": "../scores.csv"}, "file .* without a folder"),
        ({"kind": "csv", "file": "manifest.json"}, "file .* none of the run's own"),
        ({"kind": "csv", "file": ".hidden"}, "file .* without a folder"),
        ({"kind": "sql", "url": {"a": "hunter2"}}, "url .* text in one line"),
        ({"kind": "sql", "url": "sqlite://", "table": "a\0b"}, "table .* text in one line"),
        ({"kind": "parquet", "folder": ["x"]}, "folder .* text in one line"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_when_the_sink_is_made(options, expected):
    with pytest.raises(UsageError, match=expected) as caught:
        make_sink(options)
    assert caught.value.exit_code == 2
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("sections", "refused"),
    [
        ([{"kind": "hubspot"}, {"kind": "hubspot"}], r"2 \(hubspot\) and sink 1 .* another file"),
        ([{"kind": "csv"}], "the one that is always written"),
        ([{"kind": "csv", "file": "Scores-Tombstones.csv"}], "the one that is always written"),
        ([{"kind": "salesforce"}, {"kind": "csv", "file": "salesforce-001.csv"}], "same place"),
        ([{"kind": "sql", "url": "sqlite:///hunter2"}] * 2, "another table"),
        ([{"kind": "parquet", "folder": "a"}, {"kind": "parquet", "folder": "b/../a"}], "folder"),
        ([{"kind": "hubspot"}, {"kind": "hubspot", "file": "second.jsonl"}], None),
        ([{"kind": "sql", "url": "sqlite:///x"}, {"kind": "zendesk"}, {"kind": "hubspot"}], None),
    ],
)
def test_no_two_sinks_write_to_the_same_place(sections, refused):
    if refused is None:
        assert len(make_sinks(sections)) == len(sections)
        return
    with pytest.raises(UsageError, match=refused) as caught:
        make_sinks(sections)
    assert "hunter2" not in str(caught.value)


def test_two_sinks_of_a_kind_write_both(scores, directory):
    sections = [{"kind": "hubspot", "batch": 1}, {"kind": "hubspot", "file": "second.jsonl"}]
    for sink in make_sinks(sections):
        sink.write(scores, directory)
    lines = {p.name: p.read_text().count("\n") for p in directory.glob("*.jsonl")}
    assert lines["hubspot.jsonl"] > lines["second.jsonl"] == 1
