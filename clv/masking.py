"""What may be shown of an address, and of a column name that is none.

Every address that enters a message or a file goes through here: passwords, and the values
behind a question mark, are not repeated, however the address is written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

HIDDEN = "***"
MAX_NAME_CHARACTERS = 60

# The user's part ends at the last @ of the address: a password may hold @ / # and ?.
_CREDENTIALS = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.-]*:/{2,3})(?P<user>[^\s:/@'\"]*)(?P<rest>:?[^\s'\"]*@)", re.I
)
_QUERY = re.compile(
    r"(?P<address>\b[a-z][a-z0-9+.-]*:/{2,3}[^\s'\"?]*)\?(?P<query>[^\s'\"]*)", re.I
)
_WORDS = (
    "password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|signature|credential"
)
_NAMED = re.compile(
    rf"(?P<name>\b[\w-]*(?:{_WORDS})[\w-]*)(?P<sign>['\"]?\s*[=:]\s*)(?P<value>'[^']*'|\"[^\"]*\"|[^\s,;&'\"]+)",
    re.I,
)
_FILES = {"sqlite", "duckdb", "file"}
"""Addresses of files, whose path may hold an @."""
_ASSIGNED = re.compile(r"=|['\"]\s*:")
SECRET_NAME = re.compile(_WORDS, re.I)
"""A name whose value is a secret."""


def masked(text: str) -> str:
    """Return a text whose addresses hold no password and no query, and no ``password=…``.

    Examples
    --------
    >>> masked("postgresql://clv:s@c/r#t@db:5432/mlflow is away")
    'postgresql://clv:***@db:5432/mlflow is away'
    >>> masked("https://t0ken@host/x?password=secret&sslmode=require")
    'https://***@host/x?***'
    >>> masked("host=db password='a b' user=clv")
    'host=db password=*** user=clv'
    """
    text = _CREDENTIALS.sub(_without_password, text)
    text = _QUERY.sub(rf"\g<address>?{HIDDEN}", text)
    return _NAMED.sub(_without_value, text)


def _without_password(found: re.Match[str]) -> str:
    scheme, user = found["scheme"], found["user"]
    if scheme.partition(":")[0].lower() in _FILES:
        return found[0]
    if not found["rest"].startswith(":"):
        # A name without a password; over http it is as good as one.
        alone = found["rest"] == "@" and not scheme.lower().startswith("http")
        return found[0] if alone else f"{scheme}{HIDDEN}@"
    return f"{scheme}{user}:{HIDDEN}@"


def _without_value(found: re.Match[str]) -> str:
    if not _ASSIGNED.search(found["sign"]):
        return found[0]
    return f"{found['name']}{found['sign']}{HIDDEN}"


def kind_of(value: object) -> str:
    """Say what a value of the settings is, and not the value: it may hold a password.

    Examples
    --------
    >>> kind_of("postgresql://u:secret@db"), kind_of([1]), kind_of(None)
    ('a text', 'a list', 'empty')
    """
    kinds = {str: "a text", bool: "true or false", int: "a number", float: "a number"}
    if value is None:
        return "empty"
    if isinstance(value, list | tuple):
        return "a list"
    return "a mapping" if isinstance(value, dict) else kinds.get(type(value), "something else")


def are_data(names: Iterable[object]) -> bool:
    """Say whether a table's column names are rather the cells of its first row.

    A file without a header line is read that way: a person's name, e-mail and phone are
    then no names to repeat.

    Examples
    --------
    >>> are_data(["Invoice", "Customer ID", "orders_30d"])
    False
    >>> are_data(["c17", "Anna Schmidt", "anna@example.com", "+49 170 1234567"])
    True
    """
    return any(_is_data(str(name)) for name in names)


def shape(text: str) -> str:
    """Return a text with every letter an x and every digit a 9.

    Examples
    --------
    >>> shape("Anna +49 170")
    'Xxxx +99 999'
    """
    return "".join(
        "X" if mark.isupper() else "x" if mark.isalpha() else "9" if mark.isdigit() else mark
        for mark in text
    )


_DATA = re.compile(
    r"@|://"  # an e-mail, an address
    r"|^[^\w]*\d"  # begins with a digit: an amount, a date, a phone
    r"|\d{4,}"  # a number within
    r"|^[A-Za-z]{1,3}[-_]?\d+$"  # an id
    r"|^[0-9a-fA-F-]{16,}$"  # a hash
    r"|[!?;]|\.\s|,\s"  # words of somebody
)


def _is_data(name: str) -> bool:
    return bool(_DATA.search(name)) or len(name) > MAX_NAME_CHARACTERS
