"""Cells: absent is null, unreadable keeps its text, and nothing becomes 0 or false in passing."""

import ast
import inspect

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clv.engines.duckdb import DuckDBEngine
from clv.sources.adapters import ADAPTERS
from clv.sources.exports import cells
from tests.rounds import in_rounds, rounds

CASES = 20


@pytest.fixture(scope="module")
def read():
    """Read a list of cells, each to its value and its text."""
    with DuckDBEngine(threads=1) as engine:

        def read(reader, texts, *more):
            rows = engine.frame(
                pa.table({"n": list(range(len(texts))), "cell": pa.array(texts, pa.string())})
            )
            made = reader(rows.cell, *more)
            frame = engine.to_pandas(
                rows.select(rows.n, value=made.value, text=made.text).order_by("n")
            )
            frame = frame.astype(object).where(frame.notna(), None)
            return list(zip(frame["value"], frame["text"], strict=True))

        yield read


@pytest.mark.parametrize(
    ("text", "unit", "seconds"),
    [
        ("5:03", "ms", 303.0),
        ("300,000", "ms", 300.0),
        ("300000", "ms", 300.0),
        ("425123", "ms", 425.123),
        ("00:05:00", "s", 300.0),
        ("00:00:30", "s", 30.0),
        ("0:00:30.250", "s", 30.25),
        ("26:03:04", "s", 93784.0),
        ("100:00:00", "ms", 360000.0),
        ("90:15", "s", 5415.0),
        (" 330 ", "s", 330.0),
        ("1 234.5", "s", 1234.5),
        ("1'234", "s", 1234.0),
        ("7.0", "s", 7.0),
        ("1e-05", "s", 0.0),
    ],
)
def test_durations(read, text, unit, seconds):
    assert read(cells.duration, [text], unit) == [(seconds, str(seconds))]


NOT_READ = [
    "five", "5 min", "5:3", "5:75", "1:75:00", "1,23", "12,5", "1,2345", "inf", "5:03 h",
    "-5", "1e12", "9e99", "99999999:00:00", "99999999999999999999",
]  # fmt: skip


def test_what_is_no_duration_keeps_its_text(read):
    for unit in ("s", "ms"):
        assert read(cells.duration, NOT_READ, unit) == [(None, text) for text in NOT_READ]


@pytest.mark.parametrize("reader", [cells.number, cells.count, cells.flag])
def test_absent_is_null(read, reader):
    nothing = [None, "", "  ", "\u00a0", "n/a", "N/A", "NaN", "NULL", "-", "—"]
    assert read(reader, nothing) == [(None, None)] * len(nothing)
    assert read(cells.duration, nothing, "s") == [(None, None)] * len(nothing)


def test_money(read):
    assert read(cells.number, ["1,234.50", "0.00", "12,345,678", "-5.00", "1234.5678"]) == [
        (1234.5, "1234.5"), (0.0, "0.0"), (12345678.0, "12345678.0"), (-5.0, "-5.0"),
        (1234.5678, "1234.5678"),
    ]  # fmt: skip
    not_money = ["incl.", "€ 5", "1.234,50", "5,00", "1,23,456", "(5.00)"]
    assert read(cells.number, not_money) == [(None, text) for text in not_money]


def test_flags_and_counts(read):
    yes = ["Yes (warm)", "TRUE", "yes", "1", "Y"]
    no = ["No", "false", "0", "no (cold)"]
    unread = ["maybe", "warm", "2nd"]
    assert read(cells.flag, yes) == [(True, "true")] * len(yes)
    assert read(cells.flag, no) == [(False, "false")] * len(no)
    assert read(cells.flag, unread) == [(None, text) for text in unread]
    assert read(cells.count, ["2", "Yes (warm)", "no", "1.0", "1,000"]) == [
        (2, "2"), (1, "1"), (0, "0"), (1, "1"), (1000, "1000"),
    ]  # fmt: skip
    assert read(cells.count, [*unread, "1.5"]) == [(None, text) for text in [*unread, "1.5"]]


def test_a_sum_with_an_unreadable_part_is_that_part(read):
    def both(cell):
        left, right = (cell.split("|")[place] for place in (0, 1))
        return cells.added(cells.duration(left, "s"), cells.duration(right, "s"))

    assert read(both, ["1:00|0.1", "5|five", "|five", "5|", "0.1|0.2", "n/a|n/a"]) == [
        (60.1, "60.1"), (None, "five"), (None, "five"), (None, None), (0.3, "0.3"), (None, None),
    ]  # fmt: skip


TEXTS = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.from_regex(r"[0-9]{0,3}[:,.]?[0-9]{1,3}[:,.]?[0-9]{0,3}", fullmatch=True),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=rounds(CASES), suppress_health_check=list(HealthCheck))
@given(drawn=in_rounds(TEXTS, CASES))
def test_every_cell_is_absent_read_or_kept(read, drawn):
    texts = [text.replace("\x00", "") for case in drawn for text in case]
    for reader, more in (
        (cells.number, ()),
        (cells.count, ()),
        (cells.flag, ()),
        (cells.duration, ("ms",)),
    ):
        for text, (value, kept) in zip(texts, read(reader, texts, *more), strict=True):
            if value is not None:
                assert any(letter.isalnum() for letter in text)
                assert kept is not None
                if value in (0, False) and kept in ("0", "0.0") and "e" not in text.lower():
                    zero = not set("123456789") & set(text)
                    assert zero or cells.duration == reader or text[:1].lower() in "nf"
            elif kept is not None:
                assert kept in text
            else:
                assert text.strip(cells.BLANK).lower() in ("", *cells.NOTHING)


def test_no_importer_reads_numbers_by_itself():
    """What reads a cell in another way forgets that it may be unreadable."""
    for kind, adapter in ADAPTERS.items():
        source = inspect.getsource(inspect.getmodule(adapter.prepare))
        used = {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
        used |= {n.attr for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Attribute)}
        assert not used & {"parse_number", "try_cast"}, kind
