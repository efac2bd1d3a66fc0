"""How cells of a company's own tables are written, told by a sample: numbers, times, words."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING

from clv.schema import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clv.schema import Column

LEAST = 0.9
"""The share of a sample that must be read: fewer, and the column is something else."""

NUMBER = re.compile(r"^[+-]?(\d+([.]\d*)?|[.]\d+)([eE][+-]?\d{1,3})?$")
COMMA = re.compile(r"^[+-]?(\d{1,3}([.]\d{3})+|\d+)(,\d+)?$")
THOUSANDS = re.compile(r"^[+-]?\d{1,3}(,\d{3})+([.]\d+)?$")
ISO = re.compile(
    r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.]\d+)?)?\s?(Z|[+-]\d{2}(:?\d{2})?)?)?$"
)
EPOCH = re.compile(r"^1\d{9}([.]\d+)?$")
FORMATS = (
    "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%Y/%m/%d", "%Y/%m/%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S %z", "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%m/%d/%y %H:%M", "%d/%m/%y %H:%M", "%d %b %Y",
)  # fmt: skip
"""Tried in this order; of two that read every cell of the sample neither is taken."""

WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "channel": {
        "voice": ("phone", "call", "telephone", "inbound call", "voicemail"),
        "email": ("mail", "e-mail", "web", "web form", "ticket"),
        "chat": ("live chat", "webchat", "messaging", "messenger", "web chat"),
        "sms": ("whatsapp", "text", "text message"),
        "social": ("facebook", "twitter", "x", "instagram"),
    },
    "speaker": {
        "customer": ("user", "client", "end-user", "visitor", "caller", "contact"),
        "agent": ("admin", "representative", "rep", "operator", "staff", "assistant"),
        "bot": ("system", "chatbot", "automation"),
    },
    "priority": {"normal": ("medium",), "urgent": ("critical", "highest")},
}
"""Words of companies for the contract's."""


def reading_of(column: Column, name: str, cells: Sequence[str], arithmetic: str) -> str | None:
    """Return how a column is read as the contract's: its name, an expression, or None.

    Parameters
    ----------
    column : Column
        The contract's.
    name : str
        The own column, as an expression names it.
    cells : sequence of str
        A sample that holds something; of an empty one the name alone tells.
    arithmetic : str
        What makes the contract's unit of the own one, such as ``* 60``.

    Examples
    --------
    >>> from clv.schema import SCHEMA
    >>> orders = SCHEMA["orders"]
    >>> reading_of(orders["amount"], "total", ["1.234,50", "9,90"], "")
    'cast_number(total, ",")'
    >>> reading_of(orders["ordered_at"], "day", ["31.12.2024", "1.1.2025"], "")
    'parse_time(day, "%d.%m.%Y")'
    >>> reading_of(orders["amount"], "total", ["paid", "open"], "") is None
    True
    """
    if column.kind is Kind.TIME:
        return _time(name, cells)
    if column.kind in (Kind.MONEY, Kind.NUMBER, Kind.INTEGER):
        return _number(name, cells, arithmetic)
    words = WORDS.get(column.name)
    if words and any(cell.lower() not in column.allowed for cell in cells):
        text = f"lower({name})"
        for word, others in words.items():
            listed = ", ".join(json.dumps(other) for other in others)
            text = f'if_(is_in(lower({name}), {listed}), "{word}", {text})'
        return text
    return name


def _share(pattern: re.Pattern[str], cells: Sequence[str]) -> float:
    return sum(bool(pattern.match(cell.strip())) for cell in cells) / len(cells) if cells else 1.0


def _number(name: str, cells: Sequence[str], arithmetic: str) -> str | None:
    plain = _share(NUMBER, cells)
    if plain >= LEAST and plain >= _share(THOUSANDS, cells):
        return f"cast_number({name}) {arithmetic}" if arithmetic else name
    if _share(re.compile(f"{NUMBER.pattern}|{THOUSANDS.pattern}"), cells) >= LEAST:
        text = f'cast_number(replace({name}, ",", ""))'
    elif _share(COMMA, cells) >= LEAST:
        text = f'cast_number({name}, ",")'
    else:
        return None
    return f"{text} {arithmetic}".strip()


def _time(name: str, cells: Sequence[str]) -> str | None:
    if _share(ISO, cells) >= LEAST:
        return name
    if _share(EPOCH, cells) >= LEAST:
        return f"cast_time(cast_number({name}))"
    fits = [form for form in FORMATS if _all_read(form, cells)]
    return f'parse_time({name}, "{fits[0]}")' if len(fits) == 1 else None


def _all_read(form: str, cells: Sequence[str]) -> bool:
    read = 0
    for cell in cells:
        try:
            dt.datetime.strptime(cell.strip(), form)  # noqa: DTZ007
        except ValueError:
            continue
        read += 1
    return read >= LEAST * len(cells)
