from __future__ import annotations

import pytest

from clv.report.figures import Figure
from clv.report.formats import Formats

EN, DE = Formats("en", "EUR"), Formats("de", "EUR")


@pytest.mark.parametrize(
    ("value", "english", "german"),
    [
        (0.0, "€0", "0\xa0€"),
        (7.9, "€7.90", "7,90\xa0€"),
        (-0.004, "€0.00", "0,00\xa0€"),
        (99.99, "€99.99", "99,99\xa0€"),
        (99.996, "€100", "100\xa0€"),
        (-1234.4, "−€1,234", "−1.234\xa0€"),
        (209_571.0, "€210,000", "210.000\xa0€"),
        (999_600.0, "€1.00 million", "1,00\xa0Mio.\xa0€"),
        (3_418_220.0, "€3.42 million", "3,42\xa0Mio.\xa0€"),
        (2.5e9, "€2.50 billion", "2,50\xa0Mrd.\xa0€"),
        (1.6e13, "€16.00 trillion", "16,00\xa0Bio.\xa0€"),
    ],
)
def test_money(value, english, german):
    assert EN.money(value) == english
    assert DE.money(value) == german


def test_signs_and_other_currencies():
    assert EN.money(3.0, signed=True) == "+€3.00"
    assert EN.money(0.0, signed=True) == "€0"
    assert Formats("en", "CHF").money(1200.0) == "1,200\xa0CHF"
    assert Formats("en", "units").money(3.0) == "3.00"
    assert Formats("en", "BTC").money(-0.000123) == "−0.00012\xa0BTC"
    assert Formats("de", "units").money(4e6) == "4,00\xa0Mio."


@pytest.mark.parametrize(
    ("value", "english"),
    [
        (0.0, "0%"),
        (0.08, "8%"),
        (0.0813, "8.1%"),
        (0.0996, "10%"),
        (0.413, "41%"),
        (-0.018, "−1.8%"),
    ],
)
def test_shares(value, english):
    assert EN.share(value) == english


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (372, "6:12"), (-60, "−1:00")]
)
def test_durations(seconds, text):
    assert EN.seconds(seconds) == f"{text}\xa0min"
    assert EN.seconds(9_000) == "2.5\xa0h"


def test_dates():
    assert EN.date("2025-06-30") == "30\xa0June\xa02025"
    assert DE.date("2025-03-01") == "1.\xa0März\xa02025"
    assert EN.date("<b>") == "<b>"


def test_intervals():
    assert EN.interval(Figure(2, "currency", -1, 5), signed=True) == "−€1.00 to +€5.00"
    assert DE.interval(Figure(0.5, "share", 0.25, 0.75)) == "25\xa0% bis 75\xa0%"
    assert EN.interval(Figure(2, "currency", n=3)) == ""
