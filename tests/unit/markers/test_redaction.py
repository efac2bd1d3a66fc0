"""Nobody's name, address or number is shown, however it was written."""

import pytest

from clv.markers.explain import redact
from clv.markers.normalise import normalise
from clv.markers.redaction import people_in

SHOWN = [
    ("write to anna.schmidt@acme-corp.de please", "acme"),
    ("write to Anna_Schmidt-Meyer@my_shop.example.com please", "meyer"),
    ("my number is 12345678901234567890", "12345"),
    ("my number is 1234-5678-9012-3456-7890", "5678"),
    ("call 0170-123-45-67 after six", "123"),
    ("call +49 (170) 123_45_67 after six", "123"),
    ("card 4111-1111-1111-1111", "1111"),
    ("Hi, this is Sarah Miller from support", "sarah"),
    ("hello my name is sarah how can i help", "sarah"),
    ("My name is Jean-Luc O’Neil.", "neil"),
    ("All the best\nBest regards,\nTom Baker", "baker"),
    ("ask @anna_schmidt on the forum", "schmidt"),
]


@pytest.mark.parametrize("voice", [False, True])
@pytest.mark.parametrize(("text", "secret"), SHOWN)
def test_people_are_masked_before_their_marks_are_lost(text, secret, voice):
    plain = normalise(text, voice=voice)
    shown = redact(plain, people_in(text))
    assert secret not in shown
    assert len(shown) == len(plain)
    assert "█" in shown or secret not in plain


def test_other_words_are_left():
    text = "Your order 42 of 3 May is late, and I am very sorry."
    assert redact(normalise(text), people_in(text)) == normalise(text)
