"""What other libraries raise: in one line that may be shown, and whether they did raise it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clv.masking import masked

_OWN = {str(Path(__file__).parent), str(Path(__file__).parent.parent / "pipelines")}


def json_of(text: str) -> Any:
    """Read JSON; whatever is wrong with it is a ValueError, also brackets nested too deep.

    Examples
    --------
    >>> json_of("[1]")
    [1]
    >>> json_of("[" * 100_000)
    Traceback (most recent call last):
    ValueError: nested too deep
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


def reason(error: BaseException) -> str:
    r"""Return the first line of what an error says, addresses masked, or its name.

    Examples
    --------
    >>> reason(ValueError("no route to pg://u:secret@db\n(Background on this error…)"))
    'no route to pg://u:***@db'
    >>> reason(TimeoutError())
    'TimeoutError'
    """
    cause = getattr(error, "orig", None) or getattr(error, "reason", None) or error
    lines = str(cause).strip().splitlines() or str(error).strip().splitlines()
    return masked(lines[0]) if lines else type(error).__name__


def raised_outside(error: BaseException) -> bool:
    """Say whether an error was raised by another library, and not by a line of clv.

    A line of clv that fails is a defect; what a driver, a parser or a server's client raises
    is about what it was given.

    Examples
    --------
    >>> import json
    >>> try:
    ...     json.loads("{")
    ... except ValueError as error:
    ...     raised_outside(error)
    True
    """
    step = error.__traceback__
    if step is None:
        return False
    while step.tb_next is not None:
        step = step.tb_next
    file = step.tb_frame.f_code.co_filename
    return not any(file.startswith(f"{folder}/") for folder in _OWN)
