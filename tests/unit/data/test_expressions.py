"""The expression language of the settings: values against Python's own, and its errors."""

import math

import pandas as pd
import pytest

from clv.data.engine import connect
from clv.data.expressions import compile_expression
from clv.errors import SettingsError


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
