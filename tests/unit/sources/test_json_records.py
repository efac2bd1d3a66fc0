"""Objects that a JSON file holds: counted by brackets, and held to what was read."""

import json
import os

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from clv.engines.connect import connect
from clv.engines.json_records import count_objects
from clv.errors import SourceError

CASES = int(os.environ.get("CLV_TORTURE_CASES", "15"))


@pytest.fixture(scope="module")
def engine():
    with connect(threads=1) as engine:
        yield engine


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("json")


def read(engine, path, text):
    path.write_bytes(text.encode())
    return engine.to_pandas(engine.read_json([path], "tickets")).json.tolist()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ('{"id":1}\n{"id":2}', 2),
        ('[{"id":1},{"id":2}]', 2),
        ('[{"id":1},{"id":2}]\n[{"id":3}]\n', 3),  # an array on each line
        ('{"tickets":[{"id":1},{"id":2}],"next":null}\n{"tickets":[]}', 2),
        ('{\n "id": 1\n}{"id":2, "a": [{}, {"b": "]}"}]}\r\n\n', 2),
        ('{"id":"\\\\"}\n{"id":"\\\\\\"}{"}', 2),
        ("", 0),
    ],
)
def test_every_object_is_read(engine, tmp_path, text, count):
    assert len(read(engine, tmp_path / "tickets.json", text)) == count


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[{"id":1},{"id":2},', "breaks off"),
        ('[{"id":1},{"id":2}', "cannot be read as JSON"),
        ('{"id":1}\n{"id":2,"a":"secret', "cannot be read as JSON"),
        ('{"id":1}\nnull\n{"id":2}', "holds 2 objects; 3 values were read"),
        ('[{"id":1},7]', "holds 1 objects; 2 values"),
    ],
)
def test_a_file_that_breaks_off_or_holds_something_else_is_refused(engine, tmp_path, text, why):
    with pytest.raises(SourceError, match=why) as error:
        read(engine, tmp_path / "tickets.json", text)
    assert error.value.exit_code == 3
    assert "secret" not in str(error.value)
    assert "tickets" in str(error.value) or "JSON" in str(error.value)


values = st.recursive(
    st.none() | st.integers() | st.text(st.sampled_from('a"\\{}[],\n😀'), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("k"), inner, max_size=1),
    max_leaves=6,
)


@settings(max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.dictionaries(st.sampled_from("ab"), values, max_size=2), max_size=6),
    st.sampled_from(["lines", "array", "pretty"]),
    st.floats(0, 1),
    st.integers(1, 9),
)
def test_objects_are_read_all_or_the_file_refused(engine, place, rows, form, kept, cut):
    text = {
        "lines": "\n".join(json.dumps(row) for row in rows),
        "array": json.dumps(rows),
        "pretty": "\n".join(json.dumps(row, indent=1, ensure_ascii=False) for row in rows),
    }[form]
    raw = text.encode()
    blocks = [raw[at : at + cut] for at in range(0, len(raw), cut)]
    assert count_objects(blocks) == count_objects([raw])
    found = read(engine, place / "tickets.json", text)
    assert [json.loads(row) for row in found] == rows or sorted(found) == sorted(
        json.dumps(row) for row in rows
    )
    broken = text[: int(len(text) * kept)]
    try:
        some = read(engine, place / "tickets.json", broken)
    except SourceError:
        return
    assert broken.strip() in ("", text) or form != "array"
    assert [json.loads(row) for row in some] == rows[: len(some)]
