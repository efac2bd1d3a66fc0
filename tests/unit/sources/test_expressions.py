"""The expression language of the settings: values against Python's own, and its errors."""

import itertools
import math
import re

import ibis
import pandas as pd
import pyarrow as pa
import pytest

from clv.engines.connect import connect
from clv.errors import SettingsError
from clv.sources.expressions import compile_expression


@pytest.fixture(scope="module")
def engine():
    with connect(threads=1) as engine:
        yield engine


@pytest.fixture(scope="module")
def lines(engine):
    return engine.frame(
        pd.DataFrame(
            {
                "Invoice": ["C1", "2", "2"],
                "Quantity": ["-2", "3", "x"],
                "Price": [1.5, 2.0, None],
                "Customer ID": ["007", None, "b"],
                "When": ["1/12/2010 8:26", "12/12/2010 18:00", "soon"],
            }
        )
    )


def evaluate(engine, lines, text):
    rows = lines.select("Price", "Invoice", result=compile_expression(text, lines, where="here"))
    found = engine.to_pandas(rows.order_by(["Price", "Invoice"]))["result"].tolist()
    return [None if v is None or (isinstance(v, float) and math.isnan(v)) else v for v in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Customer ID", ["007", None, "b"]),
        ('col("Customer ID")', ["007", None, "b"]),
        ("cast_number(Quantity) * Price + 1", [-2.0, 7.0, None]),
        ("-Price - 2 * Price", [-4.5, -6.0, None]),
        ('startswith(Invoice, "C") and Price < 2', [True, False, False]),
        ('not matches(Invoice, "^[0-9]+$") or Price == 2.0', [True, True, None]),
        ("1 < Price <= 1.5", [True, False, None]),
        ('if_(startswith(Invoice, "C"), "refund", null)', ["refund", None, None]),
        ('coalesce(col("Customer ID"), "none")', ["007", "none", "b"]),
        ('concat(lower(Invoice), "-", strip(" a "))', ["c1-a", "2-a", "2-a"]),
        ("substr(Invoice, 0, 1)", ["C", "2", "2"]),
        ("is_null(Price)", [False, False, True]),
        ('is_in(Invoice, "C1", "9")', [True, False, False]),
        ("finite(Quantity)", [-2.0, 3.0, None]),
        ("abs(round(Price * -1))", [2.0, 2.0, None]),
        (
            'parse_time(When, "%d/%m/%Y %H:%M")',
            ["2010-12-01T08:26:00", "2010-12-12T18:00:00", "soon"],
        ),
        ('month(parse_time(When, "%d/%m/%Y %H:%M"))', [12, 12, None]),
    ],
)
def test_values(engine, lines, text, expected):
    assert evaluate(engine, lines, text) == expected


def test_times_from_epoch_and_words(engine):
    own = engine.frame(
        pd.DataFrame({"s": [86400], "w": ["3-Feb-99"], "o": ["5.6.2021 07:00 +0200"]})
    )
    made = {
        "a": compile_expression("cast_time(s)", own, where="a"),
        "b": compile_expression('parse_time(w, "%d-%b-%y")', own, where="b"),
        "c": compile_expression('parse_time(o, "%d.%m.%Y %H:%M %z")', own, where="c"),
    }
    row = engine.to_pandas(own.select(**made)).iloc[0]
    assert row.a == pd.Timestamp("1970-01-02")
    assert (row.b, row.c) == ("1999-02-03T00:00:00", "2021-06-05T07:00:00+0200")


def test_text_that_is_no_number_is_nan_never_null(engine, lines):
    made = lines.select(x=compile_expression("cast_number(Quantity)", lines, where="x"))
    assert int(engine.to_pandas(made.aggregate(n=made.x.isnan().sum())).n.iloc[0]) == 1


def test_groups_are_strict_about_unknown_summands(engine, lines):
    made = {
        name: compile_expression(text, lines, where=name, aggregate=True)
        for name, text in {
            "total": "sum(Price)",
            "known": "sum(coalesce(Price, 0.0))",
            "rows": "count()",
            "one": 'first(col("Customer ID"))',
            "latest": "max(When)",
        }.items()
    }
    found = engine.to_pandas(lines.group_by("Invoice").aggregate(**made)).set_index("Invoice")
    assert pd.isna(found.total["2"])
    assert found.total["C1"] == 1.5
    assert found.known["2"] == 2.0
    assert found.rows["2"] == 2
    assert found.latest["2"] == "soon"


def test_row_ids_do_not_depend_on_the_order_of_rows(engine):
    rows = pd.DataFrame({"a": ["x", "y", "x", "x"], "b": ["1", "2", "3", "1"]})
    found = []
    for frame in (rows, rows.iloc[::-1]):
        own = engine.frame(frame.reset_index(drop=True))
        made = own.mutate(id=compile_expression("row_id()", own, where="id"))
        found.append(engine.to_pandas(made.order_by("id")).to_dict("list"))
    assert found[0] == found[1]
    assert sorted(found[0]["id"]) == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Quantity * Price", ["position 1", "expected a number", "cast_number"]),
        ("cast_number(Quantty)", ["position 13", "no column 'Quantty'", "Did you mean 'Quantity'"]),
        ("cast_numer(Quantity)", ["position 1", "Did you mean 'cast_number'"]),
        ("Price +", ["is not an expression"]),
        ("__import__('os')", ["no function '__import__'"]),
        ("Price.real", ["position 1", "not part of the language"]),
        ("[x for x in Price]", ["not part of the language"]),
        ("Price if Price else 1", ["not part of the language"]),
        ("Price in Price", ["not part of the language"]),
        ("Price == 'a'", ["is compared with"]),
        ("sum(Price)", ["speaks of a group of rows", "group_by"]),
        ("lower(Price, Price)", ["lower takes 1 arguments, not 2"]),
        ("startswith(Invoice, Invoice)", ["expected text in quotes"]),
        ('matches(Invoice, "(")', ["position 1"]),
        ('parse_time(When, "%Q")', ["%Q is not a part of a time"]),
        ('parse_time(When, "%Y")', ["lacks a year, a month or a day"]),
        ("not Price", ["expected something true or false"]),
        ("if_(true, null, null)", ["both results are null"]),
    ],
)
def test_errors_name_the_expression_and_the_position(lines, text, parts):
    with pytest.raises(SettingsError) as caught:
        compile_expression(text, lines, where="sources.orders.columns.amount")
    message = str(caught.value)
    assert message.startswith(f"sources.orders.columns.amount: {text!r}, position ")
    assert all(part in message for part in parts), message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "mark", "number"),
    [
        ("1.234,56", ",", 1234.56),
        ("-26,75", ",", -26.75),
        ("1234,5", ",", 1234.5),
        ("1\u00a0234,5", ",", 1234.5),
        (" 12 ", ",", 12.0),
        ("1.5", ",", None),  # a point that parts no thousands is a mistake, not fifteen
        ("12.34,5", ",", None),
        ("1,234.56", ".", 1234.56),
        ("1'234.50", ".", 1234.5),
        ("1,5", ".", None),
        ("ten", ",", None),
    ],
)
def test_numbers_as_other_countries_write_them(engine, text, mark, number):
    rows = engine.frame(pd.DataFrame({"x": [text, None]}))
    value = compile_expression(f'cast_number(x, "{mark}")', rows, where="here")
    found = engine.to_pandas(rows.select(result=value, known=rows.x.length() > 0))
    known = found.dropna(subset=["known"]).result.iloc[0]
    assert math.isnan(known) if number is None else known == number, known


def test_a_currency_sign_can_be_taken_away(engine):
    rows = engine.frame(pd.DataFrame({"Betrag netto": ["1.234,56 €"]}))
    text = 'cast_number(replace(col("Betrag netto"), "€", ""), ",")'
    found = engine.to_pandas(rows.select(result=compile_expression(text, rows, where="here")))
    assert found.result.tolist() == [1234.56]
    with pytest.raises(SettingsError, match=r'Write col\("Betrag netto"\) for that column'):
        compile_expression("cast_number(Betrag netto)", rows, where="here")
    with pytest.raises(SettingsError, match=r"a decimal mark is ';'"):
        compile_expression('cast_number("1", ";")', rows, where="here")


ODD = [0, 1, -1, 2**31 - 1, 2**62, -(2**63), 2**63 - 1, None]
ODD_FLOATS = [0.0, -0.5, 1.999999, 1e300, -1e300, float("nan"), float("inf"), -float("inf"), None]
ODD_TEXTS = ["1700000000", "1.5", "n/a", "", " ", "1e400", "NaN", "2025-01-01", "9999-12-31", None]
CAST = [
    "a + a", "a * a", "a - 1", "-a", "abs(a)", "a / a", "a % a", "a / 0", "round(f)", "round(a)",
    "f * f", "cast_number(t) * f", "cast_time(a)", "cast_time(f)", "cast_time(t)", "finite(t)",
    "cast_time(cast_number(t))", "year(t)", "month(cast_time(f))", 'cast_number(t, ",")',
    'parse_time(t, "%d.%m.%Y")', "substr(t, a - a)", 'concat(a * 2, "x")', "substr(t, 1, 2)",
]  # fmt: skip


@pytest.mark.parametrize("text", CAST)
def test_no_cell_stops_a_run(engine, text):
    rows = [
        {"a": a, "f": ODD_FLOATS[n % len(ODD_FLOATS)], "t": t}
        for n, (a, t) in enumerate(itertools.product(ODD, ODD_TEXTS))
    ]
    kinds = pa.schema([("a", pa.int64()), ("f", pa.float64()), ("t", pa.string())])
    table = engine.frame(pa.Table.from_pylist(rows, schema=kinds))
    value = compile_expression(text, table, where="x")
    whole = engine.to_pandas(table.select(value=value))
    assert len(whole) == len(rows)
    found = engine.to_pandas(table.select("a", "f", "t", known=value.notnull()))  # noqa: PD004
    named = [name for name in "aft" if re.search(rf"\b{name}\b", text)]
    given = (found["t"].fillna("").str.strip() != "") | ("t" not in named)
    for name in {"a", "f"} & set(named):
        given &= ~found[name].isna() | (name == "f")
    given &= ~(("f" in named) & found["f"].isna())  # NaN or null: pandas tells them no more apart
    if not text.startswith("finite"):  # whose business is null
        assert found.loc[given, "known"].all()


def test_whole_numbers_stay_whole_in_text_and_times_are_cut(engine):
    frame = pd.DataFrame({"a": [5, -7], "f": [1.999999, -0.5], "d": ["2025-01-02"] * 2})
    table = engine.frame(frame)
    texts = {
        "double": 'concat(a * 2, "!")',
        "less": "concat(a - 1, -a)",
        "year": 'concat(year(d), "")',
        "near": "round(f)",
        "at": "cast_time(f)",
        "half": "a / 2",
    }
    values = {name: compile_expression(text, table, where=name) for name, text in texts.items()}
    found = engine.to_pandas(table.select("a", **values)).sort_values("a", ascending=False)
    assert found.double.tolist() == ["10!", "-14!"]
    assert found.less.tolist() == ["4-5", "-87"]
    assert found.year.tolist() == ["2025", "2025"]
    assert found.near.tolist() == [2.0, -1.0]
    assert found.half.tolist() == [2.5, -3.5]
    seconds = [int(at.timestamp()) for at in found["at"]]
    assert seconds == [1, -1]


@pytest.mark.parametrize(
    "pattern", ["(?=a)b", "(?<!x)y", "(a)\\\\1", "a{2000}", "(?P<n>a)", "a++", "(?>a)", "["]
)
def test_a_pattern_that_not_every_engine_reads_is_refused_by_name(pattern):
    rows, refused = ibis.table({"t": "string"}, name="rows"), r"is no pattern of RE2|has a name"
    with pytest.raises(SettingsError, match=f"^when: .* ({refused})") as error:
        compile_expression(f'matches(t, "{pattern}")', rows, where="when")
    assert error.value.exit_code == 2
