"""Contributions of a fitted model, against exact group Shapley values and redrawn customers."""

from __future__ import annotations

import pytest

from clv.evaluation.shapley_audit import audit_model, share_intervals
from clv.features.base import GROUPS
from clv.models.contributions import summarise
from clv.models.lifetime_value import LifetimeModel


@pytest.fixture(scope="module")
def model(panel, options):
    return LifetimeModel.fit(panel, options)


def test_the_audit_finds_the_groups_that_contributions_name(model, panel):
    audit = audit_model(model, panel.at(panel.windows[-1]))
    assert audit.rows == 100
    assert audit.correlation > 0.9
    assert audit.top_agreement > 0.7


def test_shares_lie_in_their_intervals(model, panel):
    portfolio = panel.at(panel.windows[-1])
    contributions = model.contributions(portfolio)
    intervals = share_intervals(contributions, list(GROUPS))
    for row in summarise(contributions, model.predict(portfolio)):
        low, high = intervals[row["group"]]
        assert low - 1e-9 <= row["share"] <= high + 1e-9
        assert high - low < 0.1
