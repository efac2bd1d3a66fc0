"""How many contacts a company has, which turns amounts per contact into its own year."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clv.effects.decisions.options import Circumstances
from clv.windows import DAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clv.contract.tables import Tables
    from clv.effects.design.encode import Studied
    from clv.experiments.results import ReadOut
    from clv.windows import Window

LEAST_DAYS = 7.0


def circumstances_of(
    tables: Tables, studied: Studied, window: Window, experiments: Sequence[ReadOut]
) -> Circumstances:
    """Return the company's volume, and what decisions need besides; a sample is scaled up."""
    drawn = next((note.count for note in studied.notes if note.code == "sampled"), None)
    people = drawn or len(studied.customers)
    seconds = studied.contacts["at_s"].to_numpy(np.float64)
    years = max(float(np.ptp(seconds)) / DAY_SECONDS + 1, LEAST_DAYS) / 365
    contacts = studied.exposure.contacts * people / len(studied.customers)
    return Circumstances(
        contacts_a_year=contacts / years,
        horizon_days=window.horizon_days,
        known_until=tables.span()[1],
        read_outs=tuple(experiments),
    )
