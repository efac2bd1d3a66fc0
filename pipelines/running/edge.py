"""The edge of the command line: every end is an exit code, and every error one line.

Nothing that leaves here holds a secret of the settings: neither the line, nor a traceback,
nor what other libraries write to standard error.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

import typer
import typer.exceptions

from clv.errors import ClvError, DataError, RegistryError

from . import interrupts
from .documents import READ
from .secrets import SECRETS

if TYPE_CHECKING:
    from typing import TextIO


class _Hiding(io.TextIOBase):
    """A stream that repeats no secret."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(SECRETS.hide(text))
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding


def run(app: typer.Typer) -> int:
    """Run the command line and return its exit code."""
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    SECRETS.learn_environment()
    READ.forget()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal without ✓ and € shows their codes.
            stream.reconfigure(errors="backslashreplace")
    with contextlib.redirect_stderr(_Hiding(sys.stderr)), interrupts.heeded():
        return _guarded(app, debug=debug)


def _guarded(app: typer.Typer, *, debug: bool) -> int:
    try:
        return _run_app(app)
    except ClvError as error:
        return _fail(str(error), error.exit_code, debug=debug)
    except typer.exceptions.TyperException as error:
        return _fail(f"{error} See clv --help.", 2, debug=debug) if str(error) else 2
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted; nothing half-written was published.", 130, debug=debug)
    except MemoryError:
        return _fail(
            "out of memory. Lower engine.memory_limit and scoring.chunk_customers.", 9, debug=debug
        )
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}.", 9, debug=debug)
    except Exception as error:  # noqa: BLE001 (the outermost guard: one line instead of a traceback)
        if strange := READ.changed():
            text = (
                f"{strange[0]}: is not as clv wrote it, and cannot be used as it is now "
                f"({type(error).__name__}). Expected the document of a run; make it again with the "
                "command that writes it, or copy it from the newest folder under runs/."
            )
            return _fail(text, DataError.exit_code, debug=debug)
        if claimed := READ.claimed():
            text = (
                f"registry: {claimed[-1]} was written by no training of this workspace, and cannot "
                f"be used ({type(error).__name__}). Expected the document of a training; restore "
                "the store from a backup, ask its sender for another bundle, or train here."
            )
            return _fail(text, RegistryError.exit_code, debug=debug)
        # The message of a foreign exception may quote a row; its type cannot.
        text = f"unexpected {type(error).__name__}; run again with --debug for the traceback."
        return _fail(text, 1, debug=debug)


def _run_app(app: typer.Typer) -> int:
    """Run the command; where it was interrupted, nothing that came of it counts."""
    try:
        code = int(app(standalone_mode=False) or 0)
    except Exception as error:
        if interrupts.asked():
            raise KeyboardInterrupt from error
        raise
    interrupts.check()
    return code


def _fail(message: str, code: int, *, debug: bool) -> int:
    text: list[Any] = [traceback.format_exc()] if debug else []
    text.append(f"clv: {' '.join(message.split())}\n")
    try:
        sys.stderr.write("".join(text))
        sys.stderr.flush()
    except OSError:  # nobody reads, or the disk that takes the lines is full
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    return code
