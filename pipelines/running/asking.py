"""Questions to whoever sits at the terminal: the only place that reads what is typed."""

from __future__ import annotations

import sys

from clv.errors import UsageError


def require_terminal(command: str) -> None:
    """Refuse to ask where nobody can answer.

    Raises
    ------
    UsageError
        Naming the flag that answers.
    """
    if not sys.stdin.isatty():
        raise UsageError(
            f"{command}: there is no terminal to ask at; expected one, or --yes, which takes the "
            "proposal as it is. Read it first with a terminal, or pass --yes."
        )


def ask(question: str, default: str = "") -> str:
    """Return what is typed, or the default where nothing is.

    Parameters
    ----------
    question : str
    default : str
        Shown in brackets.
    """
    shown = f"{question} [{default}]: " if default else f"{question}: "
    return input(shown).strip() or default


def tell(text: str) -> None:
    """Say why an answer will not do."""
    print(text, file=sys.stderr)  # noqa: T201
