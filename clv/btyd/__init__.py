"""Buy-till-you-die models as estimators: what users of ``lifetimes`` know, with a verdict.

``fit`` takes one row per customer, as ``clv.rfm`` makes them, and returns the estimator;
attributes that end in an underscore are there after it. Likelihoods and forecasts are those of
``clv.models.btyd``, which training uses too.

Examples
--------
>>> import pandas as pd
>>> from clv.btyd import BetaGeo, rfm
>>> orders = pd.DataFrame({
...     "customer": ["anna", "anna", "ben", "cleo", "cleo", "cleo"],
...     "date": pd.to_datetime(["2025-01-02", "2025-02-11", "2025-01-20",
...                             "2025-01-05", "2025-03-01", "2025-03-30"]),
...     "amount": [10.0, 12.0, 99.0, 5.0, 6.0, 8.0]})
>>> summary = rfm(orders, "customer", "date", "amount", observation_period_end="2025-06-30")
>>> summary
          frequency  recency      T  monetary_value
customer
anna            1.0     40.0  179.0            12.0
ben             0.0      0.0  161.0             0.0
cleo            2.0     84.0  176.0             7.0
>>> BetaGeo().fit(summary).verdict_  # three customers tell no model anything, and it says so
<Verdict.TOO_FEW_REPEATERS: 'too_few_repeaters'>
"""

from clv.btyd.orders import rfm
from clv.btyd.purchases import BetaGeo, ModifiedBetaGeo, ParetoNBD
from clv.btyd.renewals import ShiftedBetaGeo, cohort, contract_periods
from clv.btyd.spend import GammaGamma
from clv.btyd.summary import Summary

__all__ = [
    "BetaGeo",
    "GammaGamma",
    "ModifiedBetaGeo",
    "ParetoNBD",
    "ShiftedBetaGeo",
    "Summary",
    "cohort",
    "contract_periods",
    "rfm",
]
