"""Interrupts: Ctrl-C, a terminal that closes, or a scheduler's signal end every command alike."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_asked: list[int] = []


def install() -> None:
    """Let the signals that ask a process to end raise a KeyboardInterrupt.

    One that whoever started the process ignores, as ``nohup`` does, stays ignored.
    """
    for number in SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _ask)


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


def over() -> None:
    """Ignore further signals: the command has ended, and only its folders are removed."""
    for number in SIGNALS:
        if signal.getsignal(number) is _ask:
            signal.signal(number, signal.SIG_IGN)
