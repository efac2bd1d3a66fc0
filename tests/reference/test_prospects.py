"""People who have not bought realise what is forecast of them, on simulated companies."""

from __future__ import annotations

import pandas as pd
import pytest

from clv.models.prospects.people import NEVER, RETURNED
from tests.benchmarks.prospects import FACTOR, study

pytestmark = pytest.mark.slow


def test_who_has_not_bought_brings_what_was_forecast():
    """Four of the twenty companies of ``make bench-prospects``, two cutoffs each."""
    rows = pd.concat([study(seed, customers=2000) for seed in range(200, 204)])
    for name in (NEVER, RETURNED):
        factor = rows[f"{name}: forecast"].sum() / rows[f"{name}: realised"].sum()
        assert 1 / FACTOR <= factor <= FACTOR, (name, factor)
    assert rows["inside"].mean() >= 0.75
    assert (rows["unvalued"] == 0).all()


def test_never_buyers_are_not_worth_a_whole_first_purchase_each():
    """A whole first purchase was 101.68 each, and they realised 3.75."""
    (row,) = study(5, customers=3000)[lambda rows: rows["cutoff"] == "2025-10-02"].to_dict(
        "records"
    )
    assert row[f"{NEVER}: people"] == 93
    assert row[f"{NEVER}: realised"] / 93 < 5
    assert row[f"{NEVER}: forecast"] / 93 < 15
