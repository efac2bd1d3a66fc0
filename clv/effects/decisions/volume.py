"""How many contacts a company has, which turns amounts per contact into its own year."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clv.effects.decisions.options import Circumstances
from clv.experiments.design import contacts_a_year

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clv.contract.tables import Tables
    from clv.effects.design.encode import Studied
    from clv.experiments.results import ReadOut
    from clv.windows import Window


def circumstances_of(
    tables: Tables, studied: Studied, window: Window, experiments: Sequence[ReadOut]
) -> Circumstances:
    """Return the company's volume, and what decisions need besides; a sample is scaled up."""
    drawn = next((note.count for note in studied.notes if note.code == "sampled"), None)
    people = drawn or len(studied.customers)
    a_year = contacts_a_year(studied.contacts["at_s"].to_numpy(np.float64))
    return Circumstances(
        contacts_a_year=a_year * people / len(studied.customers),
        horizon_days=window.horizon_days,
        known_until=tables.span()[1],
        read_outs=tuple(experiments),
    )
