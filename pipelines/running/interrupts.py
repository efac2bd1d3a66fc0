"""Interrupts: Ctrl-C, a terminal that closes, or a scheduler's signal end every command alike."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_asked: list[int] = []


@contextmanager
def heeded() -> Iterator[None]:
    """Let the signals that ask a process to end raise a KeyboardInterrupt meanwhile.

    One that whoever started the process ignores, as ``nohup`` does, stays ignored.
    """
    _asked.clear()
    plain = (signal.SIG_DFL, signal.default_int_handler)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        for number, handler in before.items():
            if handler in plain:
                signal.signal(number, _ask)
        yield
    finally:
        for number, handler in before.items():
            if handler in plain:
                signal.signal(number, handler)


def _ask(number: int, _frame: FrameType | None) -> None:
    _asked.append(number)
    raise KeyboardInterrupt


def asked() -> bool:
    """Say whether the process was asked to end.

    A library may turn the exception into one of its own, or lose it in a callback; this does not.
    """
    return bool(_asked)


def check() -> None:
    """Raise a KeyboardInterrupt that a library has lost.

    Raises
    ------
    KeyboardInterrupt
        When the process was asked to end.
    """
    if _asked:
        raise KeyboardInterrupt
