"""How often a law is tried: few cases in the ordinary suite, thousands under ``make torture``.

What a case costs is mostly the engine's round (making and compiling queries), not its rows. So the
cases of a law are laid into rounds: every case keeps its own draws, and a round holds them at once.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

TORTURED = "CLV_TORTURE_CASES" in os.environ
A_ROUND = 20


def cases(ordinary: int) -> int:
    """Return how many cases of a law are to be tried."""
    return int(os.environ.get("CLV_TORTURE_CASES", str(ordinary)))


def rounds(ordinary: int) -> int:
    """Return in how many rounds they are tried."""
    return -(-cases(ordinary) // A_ROUND)


def in_rounds(case: SearchStrategy, ordinary: int) -> SearchStrategy:
    """Draw the cases of a round."""
    count = min(cases(ordinary), A_ROUND)
    return st.lists(case, min_size=count, max_size=count)
