"""Phone numbers, however a system writes them: the door to phonenumbers.

A customer who is told by a phone number is told by the line: its international number, as
digits. Extensions, schemes (``tel:``, ``sip:number@host``) and punctuation are no part of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

import phonenumbers
import pyarrow as pa

from clv.errors import UsageError

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from clv.engines.base import Engine

FEWEST_DIGITS = 3
"""Numbers of fewer digits than emergency numbers have are none."""

_SIP = re.compile(r"^sips?:", re.IGNORECASE)
_DIALLED = re.compile(r"^[+0-9()./ \u00a0\u2010-\u2015-]+$")
_FLOAT = re.compile(r"^([+]?\d+)[.]0+$")
"""A number that passed through a table of floats: the point and the nought are none of it."""

_EXTENSION = re.compile(r"\s*(;\s*ext=|,?\s*(ext(ension)?\b[.:]?|x|#))\s*\d+\s*$", re.IGNORECASE)


def check_region(region: str | None) -> None:
    """Refuse a country that no phone number belongs to.

    Raises
    ------
    UsageError
        When it is no two letters of ISO 3166 that phonenumbers knows.
    """
    if region is not None and region not in phonenumbers.SUPPORTED_REGIONS:
        raise UsageError(
            f"region {region!r} is no country with phone numbers; expected two letters as DE."
        )


def phone_key(text: str, region: str | None = None) -> tuple[str | None, bool]:
    """Return the digits that tell whose line it is, and whether their country is known.

    Parameters
    ----------
    text : str
        As a report, a shop or an address book has it.
    region : str, optional
        The country of numbers that name none, such as ``DE``.

    Returns
    -------
    digits : str or None
        The international number without its ``+``; a number whose country is not known as it
        is dialled; None for what is no number, such as ``anonymous`` or ``sip:jo@example.com``.
    international : bool

    Examples
    --------
    >>> phone_key("tel:+49-30-1234567;ext=12")
    ('49301234567', True)
    >>> phone_key("sip:+49301234567@10.0.0.1;user=phone")
    ('49301234567', True)
    >>> phone_key("030 1234567", "DE"), phone_key("030 1234567")
    (('49301234567', True), ('0301234567', False))
    >>> phone_key("1-800-FLOWERS", "US"), phone_key("1-800-FLOWERS")
    (('18003569377', True), ('18003569377', False))
    """
    written = _FLOAT.sub(r"\1", text.strip())
    if _SIP.match(written):
        user = _SIP.sub("", written).partition("@")[0].partition(";")[0]
        written = unquote(user)
        if not _DIALLED.match(written):
            return None, False
    if written.startswith("00") and not written.startswith("000"):
        written = "+" + written[2:]
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException as error:
        if error.error_type != phonenumbers.NumberParseException.INVALID_COUNTRY_CODE:
            return None, False
        bare = _EXTENSION.sub("", written.lower().removeprefix("tel:")).partition(";")[0]
        # 1-800-FLOWERS is dialled by its letters too; without them it would be another's number
        dialled = phonenumbers.convert_alpha_characters_in_number(bare)
        digits = re.sub("[^0-9]", "", dialled)
        return (digits if len(digits) >= FEWEST_DIGITS else None), False
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:], True


def spell_phones(engine: Engine, texts: ir.Table, region: str | None) -> tuple[ir.Table, int]:
    """Return how each way to write a number is read, and how many of them name no country.

    Parameters
    ----------
    engine : Engine
    texts : ibis Table
        One column of text.
    region : str, optional
        As for ``phone_key``.

    Returns
    -------
    spelled : ibis Table
        ``written``, each once, and ``digits``, null where it is no number.
    national : int
    """
    (column,) = texts.columns
    once = texts.filter(texts[column].notnull()).distinct()
    written = engine.to_pandas(once)[column].tolist()
    read = [phone_key(text, region) for text in written]
    table = {
        "written": pa.array(written, pa.string()),
        "digits": pa.array([digits for digits, _ in read], pa.string()),
    }
    national = sum(digits is not None and not known for digits, known in read)
    return engine.frame(pa.table(table)), national
