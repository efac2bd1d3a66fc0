"""Phone numbers: one line, however it is written; and what is no number."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv.engines.duckdb import DuckDBEngine
from clv.errors import UsageError
from clv.sources.exports.phones import check_region, phone_key, spell_phones

LINE = "49301234567"


@pytest.mark.parametrize(
    "text",
    [
        "+49301234567", "+49 30 1234567", "+49 (0)30 123-4567", "0049 30 1234567",
        "tel:+49301234567", "TEL:+49-30-1234567", "tel:+49301234567;ext=12",
        "sip:+49301234567@10.0.0.1", "sips:+49301234567@pbx.example.com:5061;user=phone",
        "sip:%2B49301234567@host", "sip:0049301234567@host", "+49 30 1234567 ext. 12",
        "+49 30 1234567 x12", "+49301234567.0", "'+49301234567",
        "+49\u00a030\u00a01234567", " +49301234567 ",
    ],
)  # fmt: skip
def test_one_line(text):
    assert phone_key(text) == (LINE, True)


@pytest.mark.parametrize(
    "text", ["030 1234567", "030/1234567", "(030) 1234567 ext 7", "030-1234567"]
)
def test_a_number_without_its_country(text):
    assert phone_key(text, "DE") == (LINE, True)
    assert phone_key(text) == ("0301234567", False)


@pytest.mark.parametrize(
    "text",
    ["", "anonymous", "Restricted", "sip:anonymous@anonymous.invalid", "sip:jo.doe2@example.com",
     "unknown", "12", "+", "sip:@", "ada@example.com"],
)  # fmt: skip
def test_what_is_no_number(text):
    assert phone_key(text) == (None, False)


def test_a_lost_plus_is_the_same_line():
    assert phone_key(LINE)[0] == phone_key(f"{LINE}.0")[0] == LINE
    assert phone_key(LINE, "DE") == (LINE, True)


def test_what_belongs_to_no_country():
    check_region(None)
    check_region("DE")
    with pytest.raises(UsageError, match="two letters as DE"):
        check_region("Germany")


def test_a_table_of_them():
    with DuckDBEngine(threads=1) as engine:
        texts = engine.frame(
            pa.table({"ani": pa.array(["tel:+49301234567", "anonymous", "0301234567", None] * 2)})
        )
        spelled, national = spell_phones(engine, texts, None)
        frame = engine.to_pandas(spelled.order_by("written"))
        assert frame.values.tolist()[::2] == [
            ["0301234567", "0301234567"], ["tel:+49301234567", LINE],
        ]  # fmt: skip
        assert frame["digits"].isna().tolist() == [False, True, False]
        assert national == 1


@settings(max_examples=50, deadline=None)
@given(text=st.text(max_size=20), region=st.sampled_from([None, "DE", "US"]))
def test_any_text_is_digits_or_none(text, region):
    digits, international = phone_key(text, region)
    assert digits is None or (digits.isascii() and digits.isdigit())
    assert digits is not None or not international
