"""Records that a file holds: counted apart from the reader, and held to what was read."""

import csv
import io
import os

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clv.engines.connect import connect
from clv.errors import DataError
from clv.sources.reading import read_sources
from clv.sources.records import count_records
from clv.sources.spec import SourceSpec

CASES = int(os.environ.get("CLV_TORTURE_CASES", "15"))
NAMES = ["order_id", "customer_id", "note"]

several = settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def engine():
    with connect(threads=1) as engine:
        yield engine


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("records")


def read(engine, folder, **spec):
    settings = {"folder": str(folder), **({"orders": spec} if spec else {})}
    rows = read_sources(engine, SourceSpec.from_mapping(settings)).frames["orders"]
    return engine.to_pandas(rows)


def written(rows, delimiter=",", end="\n", quoting=csv.QUOTE_MINIMAL):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)
    return text.getvalue()


def by_hand(text, delimiter):
    """Count records one character at a time: whole ones, and whether a quote stays open."""
    records, inside, begun, cell = 0, False, False, True
    at = 0
    while at < len(text):
        mark = text[at]
        if inside:
            if mark == '"' and text[at + 1 : at + 2] == '"':
                at += 1
            elif mark == '"':
                inside = False
        elif mark in "\r\n":
            records, begun, cell = records + begun, False, True
            at += 1
            continue
        elif mark == '"' and cell:
            inside = True
        begun, cell = True, mark == delimiter and not inside
        at += 1
    return records + begun, inside


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('a,b\n1,2\n3,"x\n5,6\n7,8\n', 3),  # never closed
        ('a,b\n1,2\n3,"x\n5,"y"\n7,8\n', 3),  # closed by the next opening quote
        ('a,b\r\n"1\r\n2",3\r\n4,"5\r\n6,7\r\n', 4),  # after a cell that may have two lines
        ('a,b\n1,x"y\n2,"z\n3,4\n', 3),  # after a quote within a cell
    ],
)
def test_a_quote_that_swallows_rows_is_named_by_its_line(engine, tmp_path, text, line):
    (tmp_path / "orders.csv").write_text(text, newline="")
    with pytest.raises(DataError, match=rf"orders\.csv, line {line}: a quote opens there") as error:
        read(engine, tmp_path)
    assert error.value.exit_code == 3
    assert "\n" not in str(error.value)


def test_sixty_rows_of_which_a_quote_swallows_forty_nine(engine, tmp_path):
    rows = [f"o{n},c{n},fine" for n in range(10)] + ['o10,c10,"broken']
    rows += [f"o{n},c{n},fine" for n in range(11, 60)]
    (tmp_path / "orders.csv").write_text("\n".join([",".join(NAMES), *rows]) + "\n")
    with pytest.raises(DataError, match="line 12: a quote opens there and is never closed"):
        read(engine, tmp_path)


def test_a_row_of_another_width_is_named_by_its_line(engine, tmp_path):
    (tmp_path / "orders.csv").write_text('a,b\n1,"2\n3"\n\n4,5,secret\n')
    with pytest.raises(
        DataError, match=r"orders\.csv, line 5: cannot be read as CSV: expected 2 cells.*found 3"
    ) as error:
        read(engine, tmp_path)
    assert "secret" not in str(error.value)


def test_cells_with_quotes_that_swallow_nothing_are_read(engine, tmp_path):
    (tmp_path / "orders.csv").write_text('a,b\n1,5" pipe\n2,"6" pipe\n"3" ,"x\ny" \n')
    assert sorted(read(engine, tmp_path).a) == ["1", "2", "3 "]


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 100])
def test_where_blocks_are_cut_changes_nothing(cut):
    text = '\ufeff"a","b"\r\n"1 ""x""","2\n\n3"\r\r\n\n4,5" \n6,"7'.encode()
    blocks = [text[at : at + cut] for at in range(0, len(text), cut)]
    assert count_records(blocks, ",") == count_records([text], ",")
    assert count_records([text], ",").records == 3
    assert count_records([text], ",").open_line == 7


cells = st.text(st.sampled_from("ab\",;|\t \n\r'é😀=") | st.characters(codec="utf-8"), max_size=8)
tables = st.lists(st.tuples(*(cells.filter(lambda c: "\0" not in c) for _ in NAMES)), max_size=8)


@several
@given(
    tables,
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252", "shift_jis"]),
    st.floats(0, 1),
)
def test_every_record_is_read_or_the_file_refused(
    engine, place, rows, delimiter, end, quoting, encoding, kept
):
    if any("\r" in cell for row in rows for cell in row):
        quoting = csv.QUOTE_ALL  # Python's writer leaves a lone carriage return bare
    text = written([NAMES, *rows], delimiter, end, quoting)
    text = text.encode(encoding, "replace").decode(encoding).removeprefix("\ufeff")
    spec = {"path": "random.csv", "delimiter": delimiter, "encoding": encoding}
    (place / "random.csv").write_bytes(text.encode(encoding))
    expected = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))[1:]
    found = read(engine, place, **spec).fillna("")
    assert sorted(found.itertuples(index=False, name=None)) == sorted(map(tuple, expected))
    # The export breaks off: what is read then is what stands there, or it is refused.
    cut = text[: int(len(text) * kept)]
    (place / "random.csv").write_bytes(cut.encode(encoding))
    records, is_open = by_hand(cut, delimiter)
    try:
        found = read(engine, place, **spec)
    except DataError:
        return
    assert not is_open
    assert len(found) == records - 1


@several
@given(st.text(st.sampled_from('xy",\n\r '), max_size=40))
def test_the_count_is_that_of_a_reader_one_character_at_a_time(text):
    records, is_open = by_hand(text, ",")
    counted = count_records([text.encode()], ",")
    assert (counted.open_line is not None) == is_open
    assert counted.records == records - is_open


def test_a_table_of_a_database_is_counted_by_the_database(engine, tmp_path, monkeypatch):
    import sqlite3

    from clv.sources import files

    frame = pd.DataFrame({"order_id": [str(n) for n in range(20)]})
    with sqlite3.connect(tmp_path / "shop.db") as base:
        frame.to_sql("orders", base, index=False)
    spec = SourceSpec.from_mapping({"database": f"sqlite:///{tmp_path / 'shop.db'}"})
    assert len(engine.to_pandas(read_sources(engine, spec).frames["orders"])) == 20
    whole = files._batched
    monkeypatch.setattr(files, "_batched", lambda rows, schema: list(whole(rows, schema))[1:])
    with pytest.raises(DataError, match="holds 20 rows and 0 were read"):
        read_sources(engine, spec)
