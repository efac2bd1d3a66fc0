"""pymc-marketing's BG/NBD and Gamma-Gamma by MAP: histories in, value of a horizon out.

Run by accuracy.py with a Python of its own, since pymc-marketing needs Python 3.12 and other
pins than ours: ``uv venv --python 3.12 peer; uv pip install --python peer/bin/python
pymc-marketing==1.3.0``, then ``CLV_PYMC=peer/bin/python make bench-accuracy``. Default
priors, as a user gets them. Only this file imports it.
"""

from __future__ import annotations

import sys
from typing import Any

import pandas as pd


def main() -> None:
    """Read histories in days, fit in weeks, write one value per customer."""
    try:
        from pymc_marketing import clv
    except ImportError:
        sys.exit("this Python has no pymc-marketing; see the first lines of pymc_peer.py")
    given, told, horizon, rate = sys.argv[1:]
    rows = pd.read_csv(given, dtype={"customer_id": str})
    data = pd.DataFrame(
        {
            "customer_id": range(len(rows)),
            "frequency": rows["frequency"],
            "recency": rows["recency_days"] / 7,
            "T": rows["age_days"] / 7,
            "monetary_value": rows["monetary_value"].fillna(0.0).clip(lower=0.0),
        }
    ).reset_index(drop=True)
    purchases = clv.BetaGeoModel(data=data)
    purchases.fit(method="map")
    again = data[(data["frequency"] > 0) & (data["monetary_value"] > 0)]
    spend = clv.GammaGammaModel(data=again)
    spend.fit(method="map")
    count = purchases.expected_purchases(data=data, future_t=float(horizon) / 7)
    mean = spend.expected_customer_spend(data=data)
    # half-way through the horizon: pymc-marketing discounts whole months only
    discount = (1 + float(rate)) ** (-float(horizon) / 2 / 365)
    value = _flat(count) * _flat(mean) * discount
    found = pd.DataFrame({"customer_id": rows["customer_id"].to_numpy(), "peer": value})
    found.to_csv(told, index=False)


def _flat(found: Any) -> Any:
    """Return the mean over draws (one, by MAP) as an array by customer."""
    return found.mean(("chain", "draw")).to_numpy()


if __name__ == "__main__":
    main()
