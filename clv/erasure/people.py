"""Whom to erase, in every form in which clv may have written their ids."""

from __future__ import annotations

import hashlib
import html
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from clv.errors import StorageError, UsageError
from clv.sources.adapters.base import DIGEST
from clv.sources.exports.phones import phone_key
from clv.spreadsheet import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable

MIN_TEXT_CHARACTERS = 5
"""Shorter ids are looked for in cells and fields only: in running text they are any number."""


def is_telling(key: str) -> bool:
    """Say whether an id is one wherever it stands, and not also a word or a number of its own.

    ``premium`` as a customer's id is a segment's name too, and ``clv`` a field's: those are looked
    for only where ids stand, or every document would lose what it says of others.

    Examples
    --------
    >>> [is_telling(key) for key in ("c00003", "anna@example.com", "premium", "clv_low", "12")]
    [True, True, False, False, False]
    """
    return len(key) >= MIN_TEXT_CHARACTERS and not key.replace("_", "").isalpha()


@dataclass(frozen=True)
class People:
    """Customers to erase.

    Attributes
    ----------
    ids : frozenset of str
        Their ids; an e-mail address or a phone number stands for the pseudonym that an import
        made of it, too.
    contacts : set of str
        Ids of their interactions, gathered from the tables that name both.

    Examples
    --------
    >>> people = People(frozenset({"=c1"}))
    >>> people.named("=c1"), people.named("'=c1"), people.named("c1")
    (True, True, False)
    """

    ids: frozenset[str]
    contacts: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if not self.ids or not all(self.ids):
            raise UsageError("erase: no id is given; expected one or more, or --from FILE.")

    @cached_property
    def keys(self) -> frozenset[str]:
        """Return the ids, and the pseudonyms that imports write instead of them."""
        return frozenset(form for one in self.ids for form in (one, *_pseudonyms(one)))

    @cached_property
    def cells(self) -> frozenset[str]:
        """Return what a cell that names one of them may hold."""
        return self.keys | {escaped(key) for key in self.keys}

    @cached_property
    def _in_text(self) -> tuple[re.Pattern[str] | None, re.Pattern[bytes] | None]:
        long = sorted(filter(is_telling, self.keys))
        words = [form for key in long for form in _written(key)]
        raw = [form.encode() for key in long if not key.isdecimal() for form in _written(key)]
        apart = r"(?<![\w.@-])(?:{})(?![\w@-])"
        return (
            re.compile(apart.format("|".join(map(re.escape, words)))) if words else None,
            re.compile(apart.encode().replace(b"{}", b"|".join(map(re.escape, raw))))
            if raw
            else None,
        )

    def named(self, cell: object) -> bool:
        """Say whether a cell or field is the id of one of them."""
        return isinstance(cell, str | int) and str(cell).strip() in self.cells

    def told(self, value: object) -> bool:
        """Say whether a value names one of them whatever it stands for."""
        return self.named(value) and is_telling(str(value).strip())

    def masked(self, text: str) -> tuple[str, int]:
        """Return a text without their ids, and how often they stood in it."""
        pattern = self._in_text[0]
        return (text, 0) if pattern is None else pattern.subn("[erased]", text)

    def mentions(self, content: bytes) -> int:
        """Count their ids in bytes of any kind; ids of digits alone are like any number there."""
        pattern = self._in_text[1]
        return 0 if pattern is None else len(pattern.findall(content))


def read_people(given: Iterable[str], path: str | Path | None = None) -> People:
    """Return the customers given by id, or one a line in a file.

    Parameters
    ----------
    given : iterable of str
        Customers' ids.
    path : str or pathlib.Path, optional
        A file with an id a line.

    Raises
    ------
    UsageError
        When there is none.
    StorageError
        When the file cannot be read.
    """
    path = None if path is None else Path(path)
    ids = list(given)
    if path is not None:
        try:
            ids += path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "not UTF-8 text"
            raise StorageError(f"{path}: cannot be read: {why}. Expected one id a line.") from None
    return People(frozenset(one.strip() for one in ids if one.strip()))


def _pseudonyms(one: str) -> list[str]:
    """Return the pseudonyms of an e-mail address or a phone number."""
    low = one.strip().lower()
    if "@" in low:
        return [_digest(low)]
    key = phone_key(one)[0] if one[:1] in "+0" else None
    return [] if key is None else [_digest(key)]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST]


def _written(key: str) -> set[str]:
    """Return an id as JSON, HTML, CSV and addresses write it."""
    quoted = {json.dumps(key, ensure_ascii=plain)[1:-1] for plain in (True, False)}
    return {key, *quoted, html.escape(key), key.replace('"', '""'), quote(key), quote(key, "")}
