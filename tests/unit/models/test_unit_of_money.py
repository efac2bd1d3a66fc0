"""Money of any size in the models: nothing in them knows how much a unit of currency is."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from clv.models.lifetime_value import LifetimeModel
from clv.scoring.portfolio import Portfolio
from clv.sinks.base import SCORES

OUTCOMES = ("value", "value_undiscounted", "revenue")
SCORE_MONEY = (
    *("clv", "clv_low", "clv_high", "purchases_only_clv", "typical_clv", "expected_spend"),
    *("service_contribution", "reason_1_amount", "reason_2_amount", "reason_3_amount"),
)
NOISE = 1e-6
"""Of the mean value: a fit ends where its likelihood is flat to rounding."""


def in_unit(panel, unit):
    """Return the panel with its money in another unit, rounded as features are."""
    money = [name for name, f in panel.features.items() if f.unit == "currency"]

    def scaled(frame):
        columns = [name for name in (*money, *OUTCOMES) if name in frame]
        nine = np.vectorize(lambda value: float(f"{value:.8e}"), otypes=[float])
        return frame.assign(**{name: nine(frame[name].to_numpy(float) * unit) for name in columns})

    histories = {day: scaled(frame) for day, frame in panel.purchase_histories.items()}
    return replace(
        panel,
        frame=scaled(panel.frame),
        prospects=scaled(panel.prospects),
        purchase_histories=histories,
    )


def everyone(panel):
    """Return the features of everyone known at the last cutoff."""
    last = panel.windows[-1].cutoff.isoformat()
    people = panel.prospects[panel.prospects["as_of"] == last]
    return pd.concat([panel.at(panel.windows[-1]), people], ignore_index=True)


@pytest.mark.parametrize("unit", [16_000.0])
def test_a_company_in_another_unit_has_the_same_scores(panel_with, model_with, options, unit):
    panel = in_unit(panel_with, unit)
    model = LifetimeModel.fit(panel, options)
    ours, theirs = model_with.predict(everyone(panel_with)), model.predict(everyone(panel))
    noise = NOISE * ours["clv"].mean()
    assert ours["reason_1_amount"].abs().max() > 0  # the trees have a say
    assert ours["clv"].notna().sum() > len(panel_with.at(panel_with.windows[-1]))
    for name in ours.columns:
        if name in SCORE_MONEY:
            np.testing.assert_allclose(
                theirs[name] / unit, ours[name], rtol=NOISE, atol=noise, err_msg=name
            )
        elif pd.api.types.is_float_dtype(ours[name]):
            np.testing.assert_allclose(theirs[name], ours[name], rtol=NOISE, err_msg=name)
        else:
            assert theirs[name].fillna("-").eq(ours[name].fillna("-")).all(), name
    assert (theirs["clv"].rank() - ours["clv"].rank()).abs().max() <= 2


@pytest.mark.parametrize("unit", [1e-3, 1.0, 16_000.0, 1e9])
def test_a_portfolio_has_the_same_bins_in_any_unit(unit):
    value = np.array([0.0, 1.0, 12.0, 95.0, 400.0]) * unit
    cuts = np.array([1, 2, 3, 4, 5, 6, 7, 8, 95.0]) * unit
    portfolio = Portfolio(cuts.tolist())
    scores = pd.DataFrame({name: [0.5] * 5 for name in SCORES.names})
    scores = scores.assign(clv=value, value_decile=[1, 1, 5, 9, 10])
    portfolio.add(scores, pd.DataFrame({"frequency": [0.0, 1.0, 2.0, 3.0, 4.0]}))
    found = portfolio.summary()
    assert found["total_clv"] == pytest.approx(508 * unit)
    shares = [row["customers"] for row in found["histogram"]]
    assert max(shares) < 5
    assert sum(shares) == 5
